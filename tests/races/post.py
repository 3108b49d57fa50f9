"""Sessions booked as the service books them, without anybody who delivers their mails: that is for the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from pathlib import Path

from sqlalchemy import select, update

from perinat_sched import app, settings
from perinat_sched.booking.request import Asked
from perinat_sched.booking.session import Session
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import notices
from perinat_sched.web.services import Services
from perinat_sched.zones import Clock, utc_now
from tests.notices.relay import Relay
from tests.service import ROOT

ADMIN = Actor(token="test", role="admin")
SITES = ("roubaix", "tourcoing", "seclin", "calais")
MAILS = 6  # a session: two readers of Lille, who hosts, and one of each other site
REASON = "essai de charge"
BETWEEN = timedelta(hours=2)  # sessions, so that neither rooms nor set-up times meet


@asynccontextmanager
async def assembled(
    database_url: str, folder: Path, nodes: int = 1, *, directory: Directory | None = None, clock: Clock = utc_now
) -> AsyncIterator[list[Services]]:
    """The parts of so many services on one database, with the example network unless told otherwise; none runs."""
    example = settings.load(
        {"PERINAT_CONFIG_DIR": str(ROOT / "config"), "PERINAT_CALENDARS_DIR": str(ROOT / "calendars")}
    )
    configured = replace(
        example,
        database_url=database_url,
        secret_key_file=folder / "secret.key",
        directory=directory or example.directory,
    )
    found, databases = [], []
    try:
        for _ in range(nodes):
            databases.append(await Database.open(database_url))
            await databases[-1].sync_resources(configured.directory)
            found.append(app.assemble(configured, databases[-1], clock))
        yield found
    finally:
        for database in databases:
            await database.close()


async def book(services: Services, number: int, first: datetime) -> Session:
    """The session that is number so many, hours after the first."""
    start = first.replace(minute=0, second=0, microsecond=0) + number * BETWEEN
    booked = await services.bookings.book(
        ADMIN,
        Asked(
            kind="staff",
            network="perinat",
            host_site="lille",
            start=start.isoformat(),
            timezone="UTC",
            required_sites=SITES,
            override_reason=REASON,
        ),
    )
    assert isinstance(booked, Session)
    return booked


def in_a_month() -> datetime:
    """No reminder is due before."""
    return datetime.now(UTC) + timedelta(days=30)


async def a_quarter_of_an_hour_passes(database: Database) -> None:
    """For the leases of processes that died."""

    async def work(tx: Tx) -> None:
        lapsed = datetime.now(UTC) - timedelta(seconds=1)
        await tx.execute(update(notices).where(notices.c.state == "leased").values(leased_until=lapsed))

    await database.write(work)


async def invitations(database: Database) -> dict[str, tuple[str, bool]]:
    """State and doubt of each invitation, by its Message-ID."""
    async with database.read() as tx:
        rows = await tx.execute(select(notices).where(notices.c.kind == "invitation"))
        return {row.message_id: (row.state, row.ambiguous) for row in rows}


def copies(relay: Relay) -> Counter[str]:
    """How often the relay took each mail, by its Message-ID."""
    return Counter(str(BytesHeaderParser().parsebytes(content)["Message-ID"]) for _, content in relay.taken)
