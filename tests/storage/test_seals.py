"""The chain of the audit's seals: what was changed, removed or slipped in behind the guards is found."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from perinat_sched.storage import audit, guards
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.seals import Seals
from perinat_sched.storage.tables import audit as lines
from perinat_sched.storage.tables import audit_seals
from tests.conftest import opened

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
KEY = b"k" * 32


async def written(database: Database, count: int, first: int = 0) -> None:
    async def work(tx: Tx) -> None:
        for number in range(first, first + count):
            details = {"sites": ["lille"], "number": number, "é": None}
            await audit.record(
                tx, at=NOON, actor="me", action="booked", object_type="session", object_id=f"s{number}", details=details
            )

    await database.write(work)


def seals_of(database: Database, key: bytes = KEY) -> Seals:
    return Seals(database, key, lambda: NOON + timedelta(minutes=5))


async def behind_the_guards(database: Database, *statements: Any) -> None:
    """As somebody does who has the database itself."""
    async with database._engines.writer.begin() as tx:
        await guards.drop(tx)
        for statement in statements:
            await tx.execute(statement)


async def test_every_line_is_sealed_once_and_the_chain_is_whole(database: Database) -> None:
    seals = seals_of(database)
    await written(database, 1201)
    assert (await seals.verify()).unsealed == 1201
    assert (await seals.seal(), await seals.seal()) == (1201, 0)
    await written(database, 1, first=1201)
    assert await seals.seal() == 1

    verdict = await seals_of(database).verify()
    assert verdict.whole and (verdict.sealed, verdict.unsealed) == (1202, 0)


@pytest.mark.parametrize("field", ["actor", "action", "object_id", "details", "at"])
async def test_a_line_that_was_changed_is_found(database: Database, field: str) -> None:
    await written(database, 5)
    await seals_of(database).seal()
    value = {"details": {"number": 7}, "at": NOON + timedelta(seconds=1)}.get(field, "x")
    await behind_the_guards(database, update(lines).where(lines.c.object_id == "s2").values({field: value}))

    assert (await seals_of(database).verify()).broken == (3,)


async def test_lines_that_were_removed_are_found_with_their_seals_or_without(database: Database) -> None:
    await written(database, 9)
    await seals_of(database).seal()
    async with database.read() as tx:
        ids = list((await tx.execute(select(lines.c.id).order_by(lines.c.id))).scalars())
    await behind_the_guards(database, delete(lines).where(lines.c.id == ids[1]))
    assert (await seals_of(database).verify()).broken == (2,)

    await behind_the_guards(
        database,
        delete(lines).where(lines.c.id == ids[5]),
        delete(audit_seals).where(audit_seals.c.audit_id == ids[5]),
    )
    assert (await seals_of(database).verify()).broken == (2, 7)


async def test_a_seal_made_without_the_key_is_none(database: Database) -> None:
    await written(database, 3)
    await seals_of(database).seal()
    forged = {"at": NOON, "actor": "x", "action": "x", "object_type": "x", "object_id": "x", "details": {}}
    await behind_the_guards(
        database,
        insert(lines).values(id=50, **forged),
        insert(audit_seals).values(position=4, audit_id=50, mac="f" * 64),
    )
    assert (await seals_of(database).verify()).broken == (4,)
    assert (await seals_of(database, b"another key" * 3).verify()).broken == (1, 2, 3, 4)


async def test_a_line_that_is_committed_after_later_ones_is_sealed_too(database: Database) -> None:
    """Numbers are drawn before transactions end."""
    now = [NOON]
    seals = Seals(database, KEY, lambda: now[0])

    async def line(number: int) -> None:
        values = {"at": NOON, "actor": "x", "action": "x", "object_type": "x", "object_id": "x", "details": {}}
        await database.write(lambda tx: tx.execute(insert(lines).values(id=number, **values)))

    await line(90)
    assert await seals.seal() == 1
    await line(50)
    assert await seals.seal() == 1
    now[0] += timedelta(hours=1)
    with database.counting() as count:
        assert (await seals.seal(), len(count.statements)) == (0, 1)
    verdict = await seals.verify()
    assert verdict.whole and verdict.sealed == 2


async def test_nodes_that_seal_at_once_make_one_chain(database: Database, database_url: str) -> None:
    await written(database, 700)
    async with opened(database_url) as other:
        await asyncio.gather(*(seals_of(one).seal() for one in (database, other, database, other)))

    verdict = await seals_of(database).verify()
    assert verdict.whole and verdict.sealed == 700


async def test_the_head_is_logged_for_who_keeps_it_elsewhere(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await written(database, 2)
    seals = seals_of(database)
    await seals.seal()
    with caplog.at_level(logging.INFO):
        await seals.tell_head()

    [record] = [record for record in caplog.records if getattr(record, "action", "") == "audit_sealed"]
    assert (vars(record)["lines"], vars(record)["head"]) == (2, (await seals.verify()).head)
