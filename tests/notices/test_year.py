"""Every reminder exactly once, at the right wall time, through a year with faults.

`TEST_PERINAT_YEARS` (6) seeds are lived through; `TEST_PERINAT_SEED` replays one. A seed gives the same year each time.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from perinat_sched.notices.notice import Notice
from tests.conftest import opened
from tests.notices.conftest import PostRoom
from tests.notices.examples import BOOKED, read
from tests.notices.year import Door, Year

YEARS = int(os.environ.get("TEST_PERINAT_YEARS", "6"))
SEEDS = [int(os.environ["TEST_PERINAT_SEED"])] if "TEST_PERINAT_SEED" in os.environ else list(range(YEARS))


@pytest.fixture
def engine() -> str:
    """A real file; what differs between engines is shown beside the deliveries and in the races."""
    return "sqlite"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_year_reminds_everybody_once_at_the_right_hour(room: PostRoom, seed: int) -> None:
    year = Year(seed, room)
    await year.run()
    rows = [row for truths in year.truths.values() for row in await room.rows(truths[-1].session)]
    reminders = {(row.session_id, row.starts, row.recipient, row.lead): row for row in rows if row.kind == "reminder"}
    letters = Letters(year, list(reminders.values()))
    must = 0
    for one in year.reminders():
        row = reminders.get((one.truths[0].session.id, one.start, one.reader, one.lead))
        sent = letters.steps(row) if row else []
        if row:
            assert row.due_at in one.dues, f"at the right hour: {one}"
            assert len(sent) <= 1 or row.ambiguous, f"once: {one}"
        for step in sent:
            assert row and year.steps[step].clock >= row.due_at, f"not before its hour: {one}"
            assert year.steps[step].clock < one.start, f"not after the start: {one}"
            assert one.true_at(step), f"never for what is cancelled, moved or declined: {one}"
        if one.is_a_must():
            must += 1
            assert row, f"planned: {one}"
            if not sent:
                assert row.state == "failed", f"not lost: {one}"
                assert letters.was_refused(row), f"only what the relay refused has failed: {one}"
    assert must > 30, "there is something to tell"
    letters.check_words()
    opened = 0
    for door in year.codes():
        steps, doubts = letters.with_code(door, rows)
        assert len(steps) <= door.occasions() + doubts, f"once: {door}"
        assert all(door.accepted_at(step) for step in steps), f"only to who accepted: {door}"
        if door.must_open():
            opened += 1
            assert steps or letters.refused_the_code(door, rows), f"told: {door}"
    assert opened > 3
    assert {"booked", "move", "cancel", "answer", "restart", "relay", "jump"} <= set(year.happened)


class Letters:
    """The reminders that were handed over. A letter may carry several of one reader's: it then counts for each."""

    def __init__(self, year: Year, rows: list[Notice]) -> None:
        self.year = year
        self.rows = rows
        self.carriers: dict[tuple[str, datetime | None], Notice] = {
            (row.recipient, row.sent_at): row for row in rows if row.message_id in year.handed
        }

    def steps(self, row: Notice) -> list[int]:
        """When a reminder was handed over, by its own mail or in that of another."""
        if row.message_id in self.year.handed:
            return self.year.handed[row.message_id]
        carrier = self.carriers.get((row.recipient, row.sent_at)) if row.state == "sent" else None
        return self.year.handed[carrier.message_id] if carrier else []

    def with_code(self, door: Door, rows: list[Notice]) -> tuple[list[int], int]:
        """When a reader was told the code of a session that takes place, and how many of these are copies in doubt."""
        mails = {row.message_id: row for row in rows if row.recipient == door.reader}
        code = door.session.access_code
        assert code
        told = [id for id in mails if id in self.year.copies and code in words(self.year.copies[id])]
        again = sum(len(self.year.handed[id]) - 1 for id in told if mails[id].ambiguous)
        return [step for id in told for step in self.year.handed[id]], again

    def refused_the_code(self, door: Door, rows: list[Notice]) -> bool:
        return any(
            row.message_id in self.year.refused
            for row in rows
            if (row.recipient, row.session_id) == (door.reader, door.session.id)
        )

    def was_refused(self, row: Notice) -> bool:
        return row.message_id in self.year.refused

    def check_words(self) -> None:
        """The hour in the mail is the reader's own."""
        letters = Counter(row.message_id for row in self.rows)
        for row in self.rows:
            if row.message_id in self.year.copies and letters[row.message_id] == 1:
                site = self.year.room.directory.sites[row.site]
                local = row.starts.astimezone(ZoneInfo(site.timezone))
                hour = f"{local.hour}\\s?h\\s?{local:%M}" if site.language == "fr" else f"{local:%H:%M}"
                first_line = words(self.year.copies[row.message_id]).splitlines()[0]
                assert re.search(rf"\b{hour}\b", first_line), row
                assert re.search(rf"\b{local.day}(er)?\b", first_line), row


@lru_cache(maxsize=4096)  # a year's
def words(message: bytes) -> str:
    """A mail as text."""
    body = read(message).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_seed_gives_the_same_year_again(
    room: PostRoom, database_url: str, tmp_path: Path, sqlite_template: str
) -> None:
    shutil.copyfile(sqlite_template.removeprefix("sqlite:///"), tmp_path / "again.db")
    year, until = Year(1, room), BOOKED + timedelta(days=60)
    await year.run(until)
    async with opened(f"sqlite:///{tmp_path}/again.db") as another:
        again = Year(1, PostRoom(another))
        await again.run(until)
    assert (again.steps, again.truths, again.handed, again.copies) == (
        year.steps,
        year.truths,
        year.handed,
        year.copies,
    )
    assert len(year.handed) > 10
