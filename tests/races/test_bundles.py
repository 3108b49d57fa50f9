"""A series is told in one mail a reader and change, whoever plans, sends and dies meanwhile: real processes.

Four workers on PostgreSQL, one on SQLite. `TEST_PERINAT_BUNDLES` (1) rounds of booking, moving and cancelling.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from icalendar import Calendar
from sqlalchemy import select

from perinat_sched.booking.request import Asked as SessionAsked
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.series.changes import Changes
from perinat_sched.series.request import Asked
from perinat_sched.series.series import Whole
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import notices
from perinat_sched.web.services import Services
from tests.notices.examples import content, read
from tests.notices.relay import Relay, running_relay
from tests.races import post
from tests.races.post import ADMIN, REASON
from tests.races.test_mails import nodes, wait_for
from tests.service import UNLIMITED, Service

ROUNDS = int(os.environ.get("TEST_PERINAT_BUNDLES", "1"))
WEEKS = 6
HOURS = ("08:30", "10:15", "12:00", "15:30")  # of the series, apart by an hour, set-up and release
MOVED = {"08:30": "09:00", "10:15": "10:45", "12:00": "12:30", "15:30": "16:00"}
AT_ONCE = UNLIMITED + "\n[mail]\nsettle_seconds = 0\n"


@dataclass
class Office:
    """Somebody who books series, and the workers who tell of them."""

    booking: Services
    database: Database
    relay: Relay
    workers: list[Service]
    dice: random.Random = field(default_factory=lambda: random.Random(ROUNDS))
    seen: int = 0  # mails of the changes before

    async def book(self, hour: str) -> Whole:
        first = datetime.now(UTC) + timedelta(days=30)
        day = first + timedelta(days=(2 - first.weekday()) % 7)
        session = SessionAsked(
            kind="staff", network="perinat", host_site="lille", start=f"{day:%Y-%m-%d}T{hour}",
            required_sites=post.SITES, override_reason=REASON,
        )  # fmt: skip
        asked = Asked(session=session, rrule=f"FREQ=WEEKLY;COUNT={WEEKS}")
        return await self.booking.series.book(ADMIN, asked)

    async def move(self, series: Whole) -> Whole:
        wall = series.series.session.wall_start
        hour = MOVED[f"{wall:%H:%M}"]
        changes = Changes(session=SessionChanges(start=f"{wall:%Y-%m-%d}T{hour}", override_reason=REASON))
        return await self.booking.series_changes.change(ADMIN, series.series.id, series.series.revision, changes, None)

    async def cancel(self, series: Whole) -> Whole:
        return await self.booking.series_upkeep.cancel(ADMIN, series.series.id, None, "cancelled", "", sure=True)

    async def told(self, changed: list[Whole], method: str) -> None:
        """Every reader has one mail of each; on the way there, all workers die twice."""
        expected = len(changed) * post.MAILS
        await wait_for(lambda: len(self.relay.taken) >= self.seen + expected // 2, self.relay)
        victims = self.dice.sample(self.workers, self.dice.randint(1, len(self.workers)))
        await asyncio.gather(*(worker.stop(signal.SIGKILL) for worker in victims))
        await asyncio.sleep(self.dice.uniform(0, 0.3))
        await asyncio.gather(*(worker.stop(signal.SIGKILL) for worker in self.workers))
        await post.a_quarter_of_an_hour_passes(self.database)
        await asyncio.gather(*(worker.start() for worker in self.workers))
        await wait_for_none(self.database)

        mails = self.relay.taken[self.seen :]
        self.seen = len(self.relay.taken)
        copies = Counter(str(BytesHeaderParser().parsebytes(mail)["Message-ID"]) for _, mail in mails)
        by_id = {str(BytesHeaderParser().parsebytes(mail)["Message-ID"]): said(to, mail) for to, mail in mails}
        assert Counter(by_id.values()) == Counter(
            (to, one.series.uid, method, dates(one)) for one in changed for to in {to for to, _ in mails}
        )
        assert len(by_id) == expected
        doubtful = await flagged(self.database)
        assert {id for id, number in copies.items() if number > 1} <= doubtful, "each second copy is flagged"


def dates(series: Whole) -> int:
    """How many dates a letter tells."""
    return len([one for one in series.occurrences if one.session])


def said(to: str, mail: bytes) -> tuple[str, str, str, int]:
    """Whom a mail is for, which event it is about, what it does to it, and on how many dates."""
    [part] = [part for part in read(mail).walk() if part.get_content_type() == "text/calendar"]
    calendar: Any = Calendar.from_ical(content(part))
    plain = read(mail).get_body(("plain",))
    assert plain is not None
    days = plain.get_content().count("\n- mercredi")
    return to, str(calendar.walk("VEVENT")[0]["UID"]), str(calendar["METHOD"]), days


async def wait_for_none(database: Database) -> None:
    """Until no news waits."""
    for _ in range(6000):
        async with database.read() as tx:
            states = set((await tx.execute(select(notices.c.state).where(notices.c.kind != "reminder"))).scalars())
        if not states & {"due", "leased"}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("mails still wait after ten minutes")


async def flagged(database: Database) -> set[str]:
    async with database.read() as tx:
        return set((await tx.execute(select(notices.c.message_id).where(notices.c.ambiguous))).scalars())


async def test_each_change_of_a_series_is_one_mail_a_reader_whoever_dies(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    async with running_relay() as relay, post.assembled(database_url, tmp_path) as [booking]:
        relay.hesitates = 0.005  # between having a mail and saying so: where a death leaves a doubt
        workers = []
        for number in range(nodes(database_url)):
            place = tmp_path / f"node{number}"
            place.mkdir()
            workers.append(Service(place, database_url, AT_ONCE, {"PERINAT_SMTP_URL": relay.url}))
        office = Office(booking, database, relay, workers)
        await asyncio.gather(*(worker.start() for worker in workers))
        for _ in range(ROUNDS):
            series = [await office.book(hour) for hour in HOURS]
            await office.told(series, "REQUEST")
            series = [await office.move(one) for one in reversed(series)]  # the last makes room for the one before
            await office.told(series, "REQUEST")
            series = [await office.cancel(one) for one in series]
            await office.told(series, "CANCEL")
        for worker in workers:
            assert await worker.stop() == 0, worker.log.read_text()
    async with database.read() as tx:
        failed = (await tx.execute(select(notices.c.id).where(notices.c.state == "failed"))).all()
    assert failed == []
