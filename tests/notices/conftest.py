"""Deliveries over a real database, by a clock that is moved by hand, of sessions written straight into their tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.notices import store
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import Mailer
from perinat_sched.notices.notice import Notice
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import notices
from tests.notices.examples import BOOKED, MAIL_FROM, Mailbox, network


@dataclass
class PostRoom:
    """Who books, and who delivers."""

    database: Database
    directory: Directory = field(default_factory=network)
    now: datetime = BOOKED
    mailbox: Mailbox = field(default_factory=Mailbox)

    def delivery(self, mailer: Mailer | None = None, **more: Any) -> Delivery:
        """One that delivers; several may at once."""
        return Delivery(
            database=self.database,
            directory=self.directory,
            mailer=mailer or self.mailbox,
            clock=lambda: self.now,
            mail_from=MAIL_FROM,
            **{"chance": lambda low, high: 1.0} | more,
        )

    async def book(self, session: Session) -> Session:
        """The session as it was booked, without what it holds: nobody asks here."""
        await self.database.write(lambda tx: booking.add(tx, session, (), {}))
        return session

    async def change(self, session: Session) -> Session:
        """Write a changed session; the clock is no earlier than its change."""
        self.now = max(self.now, session.updated_at)
        await self.database.write(lambda tx: booking.replace(tx, session, (), {}))
        return session

    async def rows(self, session: Session) -> list[Notice]:
        async with self.database.read() as tx:
            return (await store.of_sessions(tx, [session.id]))[session.id]

    async def row(self, session: Session, kind: str, recipient: str) -> Notice:
        """The last of a kind for a recipient; of two planned at one moment, the one that stands."""
        found = [row for row in await self.rows(session) if (row.kind, row.recipient) == (kind, recipient)]
        return max(found, key=lambda row: (row.place, row.state != "skipped"))

    async def alter(self, notice: Notice, **values: Any) -> None:
        """What a process that died left behind."""

        async def work(tx: Tx) -> None:
            await tx.execute(update(notices).where(notices.c.id == notice.id).values(values))

        await self.database.write(work)

    def passes(self, **time: float) -> None:
        """The clock goes on."""
        self.now += timedelta(**time)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what others do meanwhile, at most five seconds."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("five seconds have gone by")


@pytest.fixture
def room(database: Database) -> PostRoom:
    return PostRoom(database)
