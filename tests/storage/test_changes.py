"""What is news: counted by the database for every program, seen by every process within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text, update

from perinat_sched.booking import store as booking_store
from perinat_sched.storage.changes import TRUSTED_FOR, Changes, Look, writes
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import meta, sessions
from tests.conftest import opened
from tests.feeds.examples import session

NOW = datetime(2027, 1, 15, 10, tzinfo=UTC)


@asynccontextmanager
async def node(url: str) -> AsyncIterator[Database]:
    """Another process' view of the database, watching."""
    async with opened(url) as database, database.watching():
        await quiet(database)
        yield database


async def quiet(database: Database) -> int:
    """The stamp, once it rests."""
    before = None
    while (now := database.changes.stamp()) is None or now != before:
        before = now
        await asyncio.sleep(TRUSTED_FOR)
    return now


async def another(database: Database, before: int) -> None:
    """Wait for another stamp; the test run's own limit is the only clock here."""
    while database.changes.stamp() in (None, before):  # noqa: ASYNC110 - nothing tells when another process writes
        await asyncio.sleep(0.01)


async def book(database: Database) -> None:
    await database.write(lambda tx: booking_store.add(tx, session(), [], {}))


async def unrelated(database: Database, key: str) -> None:
    await database.write(lambda tx: tx.execute(meta.insert().values(key=key, value="")))


async def test_nothing_may_be_used_unasked_while_nobody_looks(database: Database) -> None:
    assert database.changes.stamp() is None


async def test_what_this_process_writes_is_news_at_once(database: Database) -> None:
    async with database.watching():
        before = await quiet(database)
        await book(database)
        assert database.changes.stamp() != before


async def test_what_another_process_writes_is_news(database: Database, database_url: str) -> None:
    async with node(database_url) as other:
        before = await quiet(other)
        await book(database)
        await another(other, before)


async def test_planning_mails_and_other_tables_are_no_news(database: Database, database_url: str) -> None:
    async def plan(tx: Tx) -> None:
        await tx.execute(update(sessions).values(planned_revision=sessions.c.revision))
        await tx.execute(meta.insert().values(key="a", value="b"))

    await book(database)
    async with node(database_url) as other, database.watching():
        before, ours = await quiet(other), await quiet(database)
        await database.write(plan)
        assert (await quiet(other), await quiet(database)) == (before, ours)


async def test_what_is_rolled_back_is_no_news_here(database: Database) -> None:
    """PostgreSQL's sequence has moved all the same: its watchers ask once for nothing."""

    async def fail(tx: Tx) -> None:
        await booking_store.add(tx, session(), [], {})
        raise ValueError

    async with database.watching():
        before = await quiet(database)
        with pytest.raises(ValueError):
            await database.write(fail)
        after = await quiet(database)
        assert (after == before) is (database.dialect == "sqlite")
        await unrelated(database, "a")
        assert await quiet(database) == after


async def test_a_transaction_that_stays_open_long_is_news_until_it_has_ended(
    database: Database, database_url: str
) -> None:
    """Others that begin and end meanwhile do not hide it: SQLite's are not seen before, PostgreSQL's all the time."""
    async with node(database_url) as other:
        before = await quiet(other)
        async with database._engines.writer.connect() as tx:
            await booking_store.add(tx, session(), [], {})
            for number in range(3 if database.dialect == "postgresql" else 0):
                await another(other, before)
                await unrelated(database, str(number))
                before = other.changes.stamp() or before
            before = other.changes.stamp() or before
            await tx.commit()
        await another(other, before)
        ended = await quiet(other)
        await unrelated(database, "last")
        assert await quiet(other) == ended


async def test_who_stops_while_the_database_is_asked_is_stopped(database: Database) -> None:
    """Whatever it was doing: a node that is told to end does not go on looking."""

    async def ask() -> None:
        async with database.read() as tx:
            while True:
                await tx.execute(text("SELECT 1"))

    for moment in range(60):
        asking = asyncio.create_task(ask())
        await asyncio.sleep(moment / 10_000)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_copy_that_lost_its_triggers_is_asked_every_time(database: Database) -> None:
    if database.dialect == "sqlite":
        drop = "DROP TRIGGER changed_feeds_update"
    else:
        drop = "DROP TRIGGER changed_feeds ON feeds"
    await database.write(lambda tx: tx.execute(text(drop)))
    async with database.watching():
        await asyncio.sleep(TRUSTED_FOR)
        assert database.changes.stamp() is None


def test_a_look_is_trusted_for_a_second_from_its_beginning() -> None:
    now = [100.0]
    changes = Changes(seconds=lambda: now[0])
    changes.seen(Look(1, 5, 5), 100.0)
    assert changes.stamp() is not None
    now[0] = 100.0 + TRUSTED_FOR
    assert changes.stamp() is None


def test_the_count_is_news_until_all_that_may_have_moved_it_has_ended() -> None:
    changes = Changes(seconds=lambda: 0.0)
    stamps = []
    for look in (Look(1, 5, 5), Look(1, 5, 0), Look(1, 5, 0), Look(2, 6, 9), Look(2, 7, 0), Look(2, 8, 0),
                 Look(2, 9, 0), Look(2, 9, 0)):  # fmt: skip
        changes.seen(look, 0.0)
        stamps.append(changes.stamp())
    assert stamps == [1, 2, 2, 3, 4, 5, 6, 6]
    changes.lost()
    assert changes.stamp() is None
    changes.seen(Look(2, 9, 9), 0.0)
    assert changes.stamp() == 7


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("INSERT INTO sessions (id) VALUES (?)", True),
        ("DELETE FROM sessions WHERE true", True),
        ("UPDATE sessions SET uid=?, revision=? WHERE sessions.id = ?", True),
        ("UPDATE sessions SET planned_revision=? WHERE sessions.revision = ?", False),
        ("UPDATE tokens SET revoked_at=?", True),
        ("UPDATE feeds SET revoked_at=?", True),
        ("INSERT INTO tokens (id) VALUES (?)", False),
        ("INSERT INTO feed_readings (feed) VALUES (?)", False),
        ("UPDATE feed_editions SET digest=?", False),
        ("SELECT sessions.revision FROM sessions", False),
    ],
)
def test_only_what_a_reader_could_see_is_counted(statement: str, counted: bool) -> None:
    assert writes(statement) is counted
