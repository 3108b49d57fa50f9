"""A service with one feed of so many sessions: what benchmarks.feeds measures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from perinat_sched import app, settings
from perinat_sched.booking import store as booking_store
from perinat_sched.booking.session import Participation, Session
from perinat_sched.feeds.edition import Asked, Options
from perinat_sched.feeds.publication import hashed
from perinat_sched.people.access import Actor
from perinat_sched.storage.changes import LOOK_EVERY
from perinat_sched.storage.database import Database, Tx
from perinat_sched.web.services import Services
from perinat_sched.zones import TZDATA_VERSION, utc_now

ROOT = Path(__file__).parent.parent
DAY = timedelta(days=1)


@dataclass(frozen=True)
class House:
    """A service, one feed of it, and the sessions in that feed."""

    services: Services
    secret: str
    sessions: list[Session]

    async def read(self, asked: Asked) -> bytes:
        _, told = await self.services.publisher.publish(hashed(self.secret), asked, Options())
        return told.body

    async def change(self, number: int) -> None:
        """One session gets another title."""
        before = self.sessions[number]
        after = replace(before, revision=before.revision + 1, title=f"Visio {before.revision + 1}")
        self.sessions[number] = after
        await self.services.database.write(lambda tx: booking_store.replace(tx, after, None, {}))


@asynccontextmanager
async def house(url: str, sessions: int) -> AsyncIterator[House]:
    environment = {
        "PERINAT_CONFIG_DIR": str(ROOT / "config"),
        "PERINAT_CALENDARS_DIR": str(ROOT / "calendars"),
        "PERINAT_DATABASE_URL": url,
    }
    configured = replace(settings.load(environment), feed_reads_per_minute=settings.MOST_A_MINUTE)
    async with app.opened(configured) as database, database.watching():
        services = app.assemble(configured, database, utc_now)
        _, row = await services.tokens.create(role="admin", name="benchmark")
        booked = [a_session(number) for number in range(sessions)]
        await database.write(lambda tx: _add(tx, booked))
        secret = await _a_feed(services, row.actor)
        await settled(database)
        yield House(services, secret, booked)


async def _add(tx: Tx, booked: list[Session]) -> None:
    for session in booked:
        await booking_store.add(tx, session, [], {})


async def _a_feed(services: Services, actor: Actor) -> str:
    _, secret = await services.feeds.create(actor, "site", "lille", "full", "", "fr")
    return secret


async def settled(database: Database) -> None:
    """Until nothing that was written is news any longer."""
    before = None
    while database.changes.stamp() is None or database.changes.stamp() != before:
        before = database.changes.stamp()
        await asyncio.sleep(3 * LOOK_EVERY)


def a_session(number: int) -> Session:
    """An hour in Lille with Calais, on one of 300 days to come."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = now.replace(minute=0, second=0) + (number % 300 + 1) * DAY + timedelta(hours=number % 8)
    wall = start.replace(tzinfo=None)
    places = (("lille", "lille-1"), ("calais", "calais-1"))
    return Session(
        id=f"00000000-0000-4000-8000-{number:012}",
        uid=f"00000000-0000-4000-8000-{number:012}@perinat.example",
        revision=0, sequence=0, status="confirmed", kind="staff", title="Visio Périnat — staff",
        description="Ordre du jour : organisation des staffs du trimestre.", network="perinat", host_site="lille",
        wall_start=wall, timezone="UTC", fold=0, start=start, duration=timedelta(hours=1),
        tzdata_version=TZDATA_VERSION,
        participations=tuple(
            Participation(site=site, required=True, room=room, answer="accepted", held=True) for site, room in places
        ),
        bridge=None, ports=0, join_url=f"https://visio.example/{number}", access_code=None, override_reason=None,
        created_at=now, updated_at=now,
    )  # fmt: skip
