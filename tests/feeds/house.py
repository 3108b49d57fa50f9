"""A node as the tests of feeds have it: feeds over a database, with the example network and a clock of the test's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event

from perinat_sched.booking import store as booking_store
from perinat_sched.booking.session import Session
from perinat_sched.feeds.edition import Asked, Options, Published
from perinat_sched.feeds.publication import Publisher, hashed
from perinat_sched.feeds.shelf import Shelf
from perinat_sched.feeds.store import Scope
from perinat_sched.feeds.subscription import Feeds
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Actor, Detail
from perinat_sched.people.store import TokenRow
from perinat_sched.signing import Signer
from perinat_sched.storage.database import Database, Tx
from tests.builders import NO_CALENDARS
from tests.feeds.examples import NETWORK, session

NOW = datetime(2027, 1, 15, 10, 0, tzinfo=UTC)
EXPIRY = NOW + timedelta(days=300)


@dataclass
class House:
    """One node: feeds over a database, at an hour that the test moves."""

    database: Database
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        self.shelf = Shelf()
        self.feeds = Feeds(
            database=self.database,
            directory=NETWORK,
            clock=lambda: self.now[0],
            public_url="https://perinat.example/agenda/",
            shelf=self.shelf,
            signer=Signer(b"test"),
        )
        self.publisher = Publisher(
            database=self.database,
            directory=NETWORK,
            calendars=NO_CALENDARS,
            clock=lambda: self.now[0],
            organizer="visio@perinat.example",
            shelf=self.shelf,
        )

    async def actor(self, role: Any, name: str = "t", *, sites: tuple[str, ...] = (), networks: tuple[str, ...] = ()):
        row = TokenRow(
            id=name, name=name, role=role, sites=sites, networks=networks, person=None, email=None,
            created_at=NOW, expires_at=EXPIRY,
        )  # fmt: skip
        await self.database.write(lambda tx: people_store.add(tx, row, hashlib.sha256(name.encode()).hexdigest()))
        return row.actor

    async def book(self, *booked: Session) -> None:
        async def save(tx: Tx) -> None:
            for each in booked:
                await booking_store.add(tx, each, [], {})

        await self.database.write(save)

    async def change(self, before: Session, **changes: Any) -> Session:
        after = replace(before, revision=before.revision + 1, **changes)
        await self.database.write(lambda tx: booking_store.replace(tx, after, None, {}))
        return after

    async def secret(self, actor: Actor, scope: Scope, of: str, detail: Detail = "full", **more: Any) -> str:
        _, secret = await self.feeds.create(actor, scope, of, detail, more.pop("label", ""), "fr", **more)
        return secret

    async def publish(self, secret: str, options: Options | None = None, **asked: Any) -> Published:
        _, told = await self.publisher.publish(hashed(secret), Asked(**asked), options or Options())
        return told

    async def events(self, secret: str) -> dict[str, Event]:
        """What an address shows, by the session's id."""
        told = await self.publish(secret)
        return {str(event["UID"]).partition("@")[0]: event for event in Calendar.from_ical(told.body).events}


def numbered(number: int, wall: str = "2027-01-21T15:00", **changes: Any) -> Session:
    return session(wall, id=f"s{number}", **changes)
