"""Nobody is told what is no longer so: sessions move and are cancelled while their mails are being sent.

Several deliveries, both engines, a clock sixty times as fast, so that reminders fall due all the time.
`TEST_PERINAT_CHANGES` (500) makes the run longer.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from icalendar import Calendar
from sqlalchemy import select

from perinat_sched.booking.request import Asked, Changes
from perinat_sched.booking.session import Session
from perinat_sched.notices.mailer import Connection
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import notices
from perinat_sched.web.services import Services
from tests.notices.examples import network, read
from tests.races.post import ADMIN, REASON, assembled

CHANGES = int(os.environ.get("TEST_PERINAT_CHANGES", "500"))
SESSIONS, COORDINATORS = 40, 8
SPEED = 60
MONDAY = datetime(2027, 1, 4, 9, tzinfo=UTC)
SECOND = 1.0  # a mail may be wrong for so long

Told = tuple[datetime, bool]  # start, cancelled


@dataclass
class History:
    """What was true of a session: since when it may have been so, and until when."""

    session: Session
    truths: list[tuple[float, Told]]
    over: list[float] = field(default_factory=list)  # when the first, second … truth was known to be over

    def was_true(self, told: Told, since: float, until: float) -> bool:
        """Whether this was so at some moment between."""
        ends = [*self.over, float("inf")]
        return any(
            truth == told and began <= until and end >= since
            for (began, truth), end in zip(self.truths, ends, strict=True)
        )

    @property
    def now(self) -> Told:
        return self.truths[-1][1]


@dataclass
class Letterbox:
    """Takes mails from everybody and notes the moment."""

    name = "letterbox"
    dice: random.Random
    taken: list[tuple[float, str, bytes]] = field(default_factory=list)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self

    async def connect(self) -> None:
        pass

    async def send(self, message: bytes, recipient: str) -> None:
        self.taken.append((monotonic(), recipient, message))
        await asyncio.sleep(self.dice.uniform(0, 0.005))


class Lag:
    """How long the loop let somebody wait who wanted to sleep a moment: a busy machine is no wrong mail."""

    worst = 0.0

    async def watch(self) -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, monotonic() - before - 0.005)


@dataclass
class Office:
    """Coordinators who change their minds."""

    services: Services
    dice: random.Random
    histories: dict[str, History] = field(default_factory=dict)
    left: int = CHANGES

    def start(self) -> str:
        """Tomorrow, so that a reminder falls due in a moment, or just has."""
        at = self.services.clock() + timedelta(days=1, minutes=5 * self.dice.randint(0, 6))
        return at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0).isoformat()

    async def book(self) -> None:
        began = monotonic()
        session = await self.services.bookings.book(
            ADMIN,
            Asked(
                kind="staff", host_site="sainte-justine", required_sites=("reunion",), start=self.start(),
                timezone="UTC", override_reason=REASON,
            ),
        )  # fmt: skip
        assert isinstance(session, Session)
        self.histories[session.uid] = History(session, [(began, (session.start, False))])

    async def work(self, mine: list[History]) -> None:
        while self.left > 0:
            self.left -= 1
            history = self.dice.choice(mine)
            began = monotonic()
            history.session = session = await self._change(history)
            told = (session.start, session.status == "cancelled")
            if told != history.now:
                history.truths.append((began, told))
                history.over.append(monotonic())
            await asyncio.sleep(self.dice.uniform(0, 0.5))

    async def _change(self, history: History) -> Session:
        bookings, session = self.services.bookings, history.session
        if history.now[1]:
            return await bookings.resume(ADMIN, session.id)
        if self.dice.random() < 0.2:
            return await bookings.cancel(ADMIN, session.id, "no_case", "", sure=False)
        changes = Changes(start=self.start(), timezone="UTC", override_reason=REASON)
        return await bookings.change(ADMIN, session.id, session.revision, changes)


async def reminded(database: Database) -> dict[str, list[tuple[str, datetime]]]:
    """Sessions and starts that each reminder is about, by Message-ID."""
    found: dict[str, list[tuple[str, datetime]]] = {}
    async with database.read() as tx:
        for row in await tx.execute(select(notices).where(notices.c.kind == "reminder", notices.c.state == "sent")):
            found.setdefault(row.message_id, []).append((row.session_id, row.starts))
    return found


def in_calendar(message: bytes) -> tuple[str, Told] | None:
    """The UID and what a mail with a calendar part says; None where it has none."""
    for part in read(message).walk():
        if part.get_content_type() == "text/calendar":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            calendar: Any = Calendar.from_ical(content)
            event = calendar.walk("VEVENT")[0]
            return str(event["UID"]), (event["DTSTART"].dt.astimezone(UTC), str(calendar["METHOD"]) == "CANCEL")
    return None


async def test_no_mail_leaves_more_than_a_second_after_the_change_that_made_it_wrong(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    nodes = 4 if database_url.startswith("postgresql") else 1
    dice, lag, first = random.Random(CHANGES), Lag(), monotonic()

    def clock() -> datetime:
        return MONDAY + timedelta(seconds=(monotonic() - first) * SPEED)

    async with assembled(database_url, tmp_path, nodes, directory=network(), clock=clock) as parts:
        box, office = Letterbox(dice), Office(parts[0], dice)
        for _ in range(SESSIONS):
            await office.book()
        deliveries = [each.delivery for each in parts]
        for delivery in deliveries:
            delivery.mailer = box
        watching = asyncio.create_task(lag.watch())
        running = [asyncio.create_task(delivery.run()) for delivery in deliveries]
        all_of_them = list(office.histories.values())
        coordinators = asyncio.gather(*(office.work(all_of_them[one::COORDINATORS]) for one in range(COORDINATORS)))
        while not coordinators.done():
            for delivery in deliveries:
                delivery.wake()
            await asyncio.sleep(0.02)
        await coordinators
        for delivery in deliveries:
            delivery.drain()
        await asyncio.gather(*running)
        watching.cancel()
        about = await reminded(database)
    by_id = {history.session.id: history for history in all_of_them}

    wrong, seen = [], {"calendar": 0, "reminder": 0}
    for moment, recipient, message in box.taken:
        since = moment - SECOND - lag.worst
        said = in_calendar(message)
        seen["calendar" if said else "reminder"] += 1
        if said:
            claims = [(office.histories[said[0]], said[1])]
        else:  # a reminder may be about several
            claims = [(by_id[id], (start, False)) for id, start in about[str(read(message)["Message-ID"])]]
        for history, told in claims:
            # A cancellation is not about an hour: any will do.
            candidates = [truth for _, truth in history.truths if truth[1]] if told[1] else [told]
            if not any(history.was_true(each, since, moment) for each in candidates):
                wrong.append((recipient, told, history))
    print(f"{len(box.taken)} mails, {seen}, the loop's worst lag {lag.worst:.3f} s")
    assert wrong == []
    assert office.left == 0
    assert seen["calendar"] > CHANGES / 10
    assert seen["reminder"] > 0
