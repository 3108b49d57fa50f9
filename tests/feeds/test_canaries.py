"""Canaries: every text of a seeded database sings its own name, and no feed lets one out that it may not (ICS-22)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import Update, update

from perinat_sched.availability import store as ground_store
from perinat_sched.availability.store import EnteredClosure
from perinat_sched.booking import store as booking_store
from perinat_sched.booking.session import Session, Status
from perinat_sched.feeds.edition import Asked, Options
from perinat_sched.feeds.invitation import Invitation
from perinat_sched.feeds.publication import Publisher, hashed
from perinat_sched.feeds.shelf import Shelf
from perinat_sched.feeds.store import Scope
from perinat_sched.feeds.subscription import Feeds
from perinat_sched.intervals import Interval
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Detail
from perinat_sched.people.store import TokenRow
from perinat_sched.signing import Signer
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory, Language
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import feeds
from tests.feeds.examples import NETWORK, PARTS, part, session
from tests.feeds.lint import complaints

NOW = datetime(2027, 1, 15, 10, 0, tzinfo=UTC)

OWNERS: dict[str, dict[str, Any]] = {
    "admin": {"role": "admin"},
    "host": {"role": "coordinator", "sites": ("lille",)},
    "guest": {"role": "clinician", "sites": ("calais",)},
    "network": {"role": "coordinator", "networks": ("perinat",)},
    "other": {"role": "coordinator", "sites": ("noumea",)},
    "stranger": {"role": "clinician", "sites": ("reunion",)},
}
FEEDS: list[tuple[Scope, str]] = [("site", "lille"), ("site", "calais"), ("room", "lille-1"), ("network", "perinat")]
# By owner, the feeds that may say everything when asked to: theirs, of what they see in full (contract.md § 4).
IN_FULL = {
    "admin": {"lille", "calais", "lille-1", "perinat"},
    "host": {"lille", "lille-1", "perinat"},
    "guest": {"calais"},
    "network": {"lille", "calais", "lille-1", "perinat"},
    "other": set[str](),
    "stranger": set[str](),
}
DETAILS: list[Detail] = ["full", "kind", "busy"]
SAID_IN_FULL = {"title", "description", "link", "cancellation"}


@dataclass(frozen=True, kw_only=True)
class House:
    """Feeds, made and read."""

    feeds: Feeds
    publisher: Publisher

    async def read(self, secret: str, options: Options) -> bytes:
        _, told = await self.publisher.publish(hashed(secret), Asked(), options)
        return told.body


ORGANIZER = "visio@perinat.example"


def canary(field: str) -> str:
    return f"canari-{field}-x"


def heard(feed: bytes) -> set[str]:
    return set(re.findall("canari-([a-z]+)-x", feed.decode().replace("\r\n ", "")))


def directory() -> Directory:
    """The example network, with contacts and telephones that sing."""
    sites = {
        code: replace(site, contacts=(f"{canary('contact')}@{code}.example",), phone=canary("phone"))
        for code, site in NETWORK.sites.items()
    }
    return replace(NETWORK, sites=sites)


def singing(status: Status, wall: str) -> Session:
    return session(
        wall,
        id=f"s-{status}",
        status=status,
        title=canary("title"),
        description=canary("description"),
        join_url=f"https://{canary('link')}.example/",
        access_code=canary("code"),
        override_reason=canary("override"),
        cancellation_code="staffing" if status == "cancelled" else None,
        cancellation_reason=canary("cancellation") if status == "cancelled" else "",
        participations=(
            replace(PARTS[0], comment=canary("comment"), overridden=True),
            replace(PARTS[1], comment=canary("comment")),
            replace(part("sainte-justine", "declined"), comment=canary("comment")),
        ),
    )


async def execute(tx: Tx, statement: Update) -> None:
    await tx.execute(statement)


@pytest.fixture
async def house(database: Database) -> House:
    """A database in which everything that is text sings."""
    closed = EnteredClosure(
        id="c",
        scope="site",
        code="lille",
        interval=Interval(NOW, NOW + timedelta(days=9)),
        reason=canary("closure"),
    )

    async def seed(tx: Tx) -> None:
        statuses: list[Status] = ["confirmed", "tentative", "cancelled"]
        for day, status in enumerate(statuses):
            await booking_store.add(tx, singing(status, f"2027-01-2{day}T15:00"), [], {})
        await ground_store.add_closure(tx, closed, by="admin", at=NOW)
        for name, rights in OWNERS.items():
            row = TokenRow(
                **{"sites": (), "networks": (), **rights},
                id=name,
                name=canary("token"),
                person=None,
                email=f"{canary('address')}@example.org",
                created_at=NOW,
                expires_at=NOW + timedelta(days=300),
            )
            await people_store.add(tx, row, hashlib.sha256(name.encode()).hexdigest())

    await database.write(seed)
    return House(
        feeds=Feeds(
            database=database,
            directory=directory(),
            clock=lambda: NOW,
            public_url="https://perinat.example",
            shelf=Shelf(),
            signer=Signer(b"test"),
        ),
        publisher=Publisher(
            database=database,
            directory=directory(),
            calendars=Calendars(agendas={}, room_zones={}),
            clock=lambda: NOW,
            organizer=ORGANIZER,
        ),
    )


@pytest.mark.parametrize("owner", OWNERS)
async def test_no_text_is_in_a_feed_that_may_not_show_it__ics_22_45(house: House, owner: str) -> None:
    """Every scope, level and language. An administrator makes each feed; then it is another's, as when rights move."""
    async with house.feeds.database.read() as tx:
        row = await people_store.by_id(tx, "admin")
    assert row
    languages: list[Language] = ["fr", "en"]
    for (scope, of), detail, language in product(FEEDS, DETAILS, languages):
        label = canary("label")
        feed, secret = await house.feeds.create(row.actor, scope, of, detail, label, language)
        given = update(feeds).where(feeds.c.id == feed.id).values(owner=owner)
        await house.feeds.database.write(partial(execute, statement=given))
        body = await house.read(secret, Options())
        may_say = SAID_IN_FULL if detail == "full" and of in IN_FULL[owner] else set()
        assert heard(body) == {"label", *may_say}, (scope, of, detail, language)
        assert complaints(body) == []
        assert b"ATTENDEE" not in body
        if scope != "network":
            assert heard(await house.read(secret, Options(free_busy=True))) == set(), (scope, of)
        below = body.decode().replace("\r\n ", "").partition("BEGIN:VEVENT")[2]
        if not may_say:
            assert not [
                word for word in ("DESCRIPTION", "LOCATION", "URL", "CONFERENCE", "CHU", "Salle") if word in below
            ]


async def test_a_session_has_one_uid_in_every_feed_and_in_the_mail_and_it_says_nothing__ics_01(house: House) -> None:
    uids = {}
    for owner, (scope, of), detail in product(("admin", "host", "network"), FEEDS, DETAILS):
        async with house.feeds.database.read() as tx:
            row = await people_store.by_id(tx, owner)
        assert row
        if of not in IN_FULL[owner]:
            continue
        _, secret = await house.feeds.create(row.actor, scope, of, detail, "", "fr")
        events = Calendar.from_ical(await house.read(secret, Options())).events
        uids[owner, of, detail] = {str(event["UID"]) for event in events}
    invitation = Invitation(
        singing("confirmed", "2027-01-20T15:00"), house.feeds.directory, method="REQUEST", asked=True,
        organizer=ORGANIZER, language="fr", stamp=NOW,
    )  # fmt: skip
    told = invitation.to("calais", "staff@calais.example")
    [mailed] = Calendar.from_ical(told).events
    expected = {f"s-{status}@perinat.example" for status in ("confirmed", "tentative", "cancelled")}
    assert len(uids) == 33
    assert set(map(frozenset, uids.values())) == {frozenset(expected)}
    assert str(mailed["UID"]) in expected
