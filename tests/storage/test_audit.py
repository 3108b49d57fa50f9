"""Who did what, when: written with the change, read newest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from perinat_sched.storage import audit
from perinat_sched.storage.audit import AuditRow
from perinat_sched.storage.database import Database, Tx

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


async def record(tx: Tx, number: int) -> None:
    at = NOON + timedelta(minutes=number)
    await audit.record(tx, at=at, actor="me", action="session_booked", object_type="session", object_id=f"s{number}")


async def page(database: Database, after: int | None, limit: int) -> list[str]:
    async with database.read() as tx:
        return [row.object_id for row in await audit.read(tx, after=after, limit=limit)]


async def test_a_row_reads_as_it_was_written(database: Database) -> None:
    details = {"sites": ["lille", "calais"], "ports": 2}

    async def work(tx: Tx) -> None:
        await audit.record(
            tx, at=NOON, actor="me", action="book", object_type="session", object_id="s", details=details
        )

    await database.write(work)
    async with database.read() as tx:
        assert await audit.read(tx, after=None, limit=10) == [
            AuditRow(id=1, at=NOON, actor="me", action="book", object_type="session", object_id="s", details=details)
        ]


async def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repetition(database: Database) -> None:
    for number in range(1, 6):
        await database.write(partial(record, number=number))
    assert await page(database, None, 2) == ["s5", "s4"]
    assert await page(database, 4, 2) == ["s3", "s2"]
    assert await page(database, 2, 2) == ["s1"]


async def test_what_was_not_done_is_not_noted(database: Database) -> None:
    async def work(tx: Tx) -> None:
        await record(tx, 1)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    assert await page(database, None, 10) == []
