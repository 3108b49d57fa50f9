"""No double booking, whatever program writes: only the guards stand between these writers and the tables."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Executable, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from perinat_sched.errors import GuardViolation, MissingGuards
from perinat_sched.storage import guards
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import audit, holds, resources
from tests.conftest import opened
from tests.storage.holding import (
    BRIDGE,
    PORTS,
    ROOM,
    add_places,
    at,
    count,
    filled,
    hold,
    most_held,
    rush,
    write_hold,
)

WRITERS = 32


@pytest.fixture
async def network(database: Database) -> Database:
    """A database with a room and a bridge of five ports."""
    await add_places(database)
    return database


@pytest.fixture
async def nodes(network: Database) -> AsyncIterator[list[Database]]:
    """The same database opened four times: 32 connections that write on PostgreSQL, four on SQLite."""
    async with AsyncExitStack() as stack:
        yield [network, *[await stack.enter_async_context(opened(network.address.url)) for _ in range(3)]]


# What fits beside a hold of 10:00–12:00, in units of a bridge of five ports
ROOM_CASES = {
    "ends when the other begins": (9, 10, True),
    "begins when the other ends": (12, 13, True),
    "far away": (20, 21, True),
    "the same": (10, 12, False),
    "inside": (10.5, 11, False),
    "around": (9, 13, False),
    "over its start": (9, 10.5, False),
    "over its end": (11.5, 13, False),
}


@pytest.mark.parametrize("case", ROOM_CASES)
async def test_a_room_is_held_by_one_session_at_a_time(network: Database, case: str) -> None:
    start, end, fits = ROOM_CASES[case]
    await write_hold(network, ROOM, 10, 12, margin=2)
    if fits:
        await write_hold(network, ROOM, start, end, margin=2)
    else:
        with pytest.raises(GuardViolation):
            await write_hold(network, ROOM, start, end, margin=2)
    assert await count(network, holds) == (2 if fits else 1)


BRIDGE_CASES: dict[str, tuple[list[tuple[float, float, int]], tuple[float, float, int], bool]] = {
    "all that is left": ([(10, 12, 3)], (10, 12, 2), True),
    "one too many": ([(10, 12, 3)], (10, 12, 3), False),
    "more than it has": ([], (10, 12, 6), False),
    "all of it": ([], (10, 12, 5), True),
    "the rise comes later": ([(11, 12, 4)], (10, 13, 2), False),
    "two rises, one after the other": ([(10, 11, 3), (11, 12, 3)], (10, 12, 2), True),
    "two rises that meet inside": ([(10, 11.5, 2), (11, 12, 2)], (9, 13, 2), False),
    "it touches a full hour": ([(10, 12, 5)], (12, 13, 5), True),
    "one that began a month ago": ([(-700, 12, 5)], (11, 13, 1), False),
}


@pytest.mark.parametrize("case", BRIDGE_CASES)
async def test_a_bridge_never_gives_more_ports_than_it_has(network: Database, case: str) -> None:
    before, (start, end, units), fits = BRIDGE_CASES[case]
    for hour, until, ports in before:
        await write_hold(network, BRIDGE, hour, until, units=ports)
    if fits:
        await write_hold(network, BRIDGE, start, end, units=units)
    else:
        with pytest.raises(GuardViolation):
            await write_hold(network, BRIDGE, start, end, units=units)


async def change(database: Database, session: str, **values: object) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(update(holds).where(holds.c.session_id == session).values(values))

    await database.write(work)


async def test_a_hold_may_move_within_its_own_time_but_not_into_anothers(network: Database) -> None:
    mine = await write_hold(network, ROOM, 10, 12)
    await write_hold(network, ROOM, 13, 14)
    await change(network, mine, starts=at(10.5), ends=at(12.5), around_ends=at(12.5))
    with pytest.raises(GuardViolation):
        await change(network, mine, starts=at(11), ends=at(13.5), around_ends=at(13.5))
    with pytest.raises(GuardViolation):
        await write_hold(network, ROOM, 12, 12.5)


async def test_more_ports_are_refused_to_a_hold_when_there_are_no_more(network: Database) -> None:
    mine = await write_hold(network, BRIDGE, 10, 12, units=2)
    await write_hold(network, BRIDGE, 11, 13, units=2)
    await change(network, mine, units=3)
    with pytest.raises(GuardViolation):
        await change(network, mine, units=4)


async def test_a_bridge_may_shrink_below_what_is_held_and_then_only_more_is_refused(network: Database) -> None:
    mine = await write_hold(network, BRIDGE, 10, 12, units=5)

    async def shrink(tx: Tx) -> None:
        await tx.execute(update(resources).where(resources.c.id == BRIDGE).values(capacity=2))

    await network.write(shrink)
    await change(network, mine, units=4)
    await change(network, mine, around_starts=at(9))
    await change(network, mine, starts=at(10.5))
    with pytest.raises(GuardViolation):
        await change(network, mine, starts=at(10))
    with pytest.raises(GuardViolation):
        await write_hold(network, BRIDGE, 11, 13)


SHAPES: dict[str, dict[str, Any]] = {
    "ends when it starts": {"ends": at(10)},
    "ends before it starts": {"ends": at(9)},
    "no units": {"units": 0},
    "a room that is not exclusive": {"exclusive": False},
    "margins inside the session": {"around_starts": at(10.5)},
    "ends after its margins": {"around_ends": at(11)},
    "longer than a month": {"around_ends": at(800)},
}


@pytest.mark.parametrize("case", SHAPES)
async def test_a_hold_that_makes_no_sense_is_refused(network: Database, case: str) -> None:
    with pytest.raises(IntegrityError, match="guard_holds_shape"):
        await write_hold(network, ROOM, 10, 12, **SHAPES[case])
    assert await count(network, holds) == 0


async def test_a_bridge_cannot_be_held_like_a_room(network: Database) -> None:
    with pytest.raises(IntegrityError, match="guard_holds_shape"):
        await write_hold(network, BRIDGE, 10, 12, exclusive=True)


@pytest.mark.parametrize(("place", "capacity"), [(ROOM, 1), (BRIDGE, PORTS)], ids=["room", "bridge"])
async def test_of_32_writers_at_once_as_many_succeed_as_there_are_places(
    nodes: list[Database], place: int, capacity: int
) -> None:
    accepted, refused = await rush(write_hold(nodes[n % 4], place, 10, 12) for n in range(WRITERS))
    assert (accepted, refused) == (capacity, WRITERS - capacity)
    assert await most_held(nodes[0], place) == capacity


async def test_hundreds_of_random_holds_at_once_never_exceed_a_place(nodes: list[Database]) -> None:
    dice = random.Random(5)

    async def writer(node: Database) -> tuple[int, int]:
        accepted = refused = 0
        for _ in range(12):
            place, start = dice.choice([ROOM, BRIDGE]), dice.randrange(0, 40) / 2
            length, units = dice.randrange(1, 8) / 2, dice.randrange(1, 4)
            try:
                await write_hold(node, place, start, start + length, units=1 if place == ROOM else units)
                accepted += 1
            except GuardViolation:
                refused += 1
        return accepted, refused

    results = await asyncio.gather(*[writer(nodes[n % 4]) for n in range(WRITERS)])
    assert sum(accepted for accepted, _ in results) == await count(nodes[0], holds) > 20
    assert sum(refused for _, refused in results) > 100
    assert (await most_held(nodes[0], ROOM), await most_held(nodes[0], BRIDGE)) == (1, PORTS)


@pytest.mark.parametrize("place", [ROOM, BRIDGE], ids=["room", "bridge"])
async def test_without_guards_and_locks_check_then_insert_does_double_book(nodes: list[Database], place: int) -> None:
    """The control: the harness sees a race where there is one."""
    await nodes[0].write(guards.drop)

    async def book(node: Database) -> None:
        async with node.read() as tx:
            held = (await tx.execute(select(holds.c.units).where(holds.c.resource_id == place))).scalars().all()
        if sum(held) < (1 if place == ROOM else PORTS):
            await write_hold(node, place, 10, 12)

    await rush(book(nodes[n % 4]) for n in range(WRITERS))
    assert await most_held(nodes[0], place) > (1 if place == ROOM else PORTS)


async def test_with_the_lock_check_then_insert_never_double_books_even_without_guards(nodes: list[Database]) -> None:
    await nodes[0].write(guards.drop)

    async def book(node: Database) -> None:
        async def work(tx: Tx) -> None:
            await node.lock(tx, [BRIDGE, ROOM])
            held = (await tx.execute(select(holds.c.units).where(holds.c.resource_id == BRIDGE))).scalars().all()
            if sum(held) < PORTS:
                await hold(tx, BRIDGE, 10, 12)

        await node.write(work)

    await rush(book(nodes[n % 4]) for n in range(WRITERS))
    assert await most_held(nodes[0], BRIDGE) == PORTS


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_a_transaction_with_an_old_snapshot_cannot_slip_past_the_guards(network: Database) -> None:
    old = await asyncpg.connect(network.address.url)
    try:
        await old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert await old.fetchval("SELECT count(*) FROM holds") == 0
        await write_hold(network, BRIDGE, 10, 12, units=PORTS)
        other = await write_hold(network, BRIDGE, 20, 21)  # gives the old transaction a session to name
        with pytest.raises(asyncpg.SerializationError):
            await old.execute(
                "INSERT INTO holds"
                " (session_id, resource_id, exclusive, starts, ends, around_starts, around_ends, units)"
                " VALUES ($1, $2, false, $3, $4, $3, $4, 1)",
                other,
                BRIDGE,
                int(at(10).timestamp()),
                int(at(12).timestamp()),
            )
    finally:
        await old.close()


AUDIT_CHANGES: dict[str, Executable] = {
    "update": update(audit).values(actor="somebody else"),
    "delete": delete(audit),
    "replace": text("INSERT OR REPLACE INTO audit SELECT * FROM audit"),
    "truncate": text("TRUNCATE audit"),
}


@pytest.mark.parametrize(
    ("engine", "change"),
    [
        *[("sqlite", change) for change in ("update", "delete", "replace")],
        *[pytest.param("postgresql", c, marks=pytest.mark.postgres) for c in ("update", "delete", "truncate")],
    ],
    indirect=["engine"],
)
async def test_what_was_done_stays_done(database: Database, change: str) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(insert(audit).values(filled(audit, id=1, actor="me", details={})))

    await database.write(work)
    with pytest.raises(IntegrityError, match="guard_audit"):
        await database.write(lambda tx: tx.execute(AUDIT_CHANGES[change]))
    async with database.read() as tx:
        assert (await tx.execute(select(audit.c.actor))).scalars().all() == ["me"]


async def test_a_new_database_has_every_guard(database: Database) -> None:
    await database.check_guards()


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        *[("sqlite", name) for name in guards.NAMES["sqlite"]],
        *[pytest.param("postgresql", n, marks=pytest.mark.postgres) for n in guards.NAMES["postgresql"]],
    ],
    indirect=["engine"],
)
async def test_a_guard_that_is_gone_is_named_and_put_back(database: Database, name: str) -> None:
    if database.dialect == "sqlite":
        statement = f"DROP TRIGGER {name}"
    elif name == "guard_holds_rooms":
        statement = f"ALTER TABLE holds DROP CONSTRAINT {name}"
    else:
        statement = f"DROP TRIGGER {name} ON {'audit' if 'audit' in name else 'holds'}"
    await database.write(lambda tx: tx.exec_driver_sql(statement))
    with pytest.raises(MissingGuards) as caught:
        await database.check_guards()
    assert caught.value.message.values["guards"] == name
    await database.mend_guards()
    await database.check_guards()


WEAKENED = {
    "sqlite": [
        "DROP TRIGGER guard_audit_delete",
        "CREATE TRIGGER guard_audit_delete BEFORE DELETE ON audit BEGIN SELECT 1; END",
    ],
    "postgresql": ["ALTER TABLE audit DISABLE TRIGGER guard_audit"],
}


async def test_a_guard_that_was_weakened_counts_as_missing(database: Database) -> None:
    async def work(tx: Tx) -> None:
        for statement in WEAKENED[database.dialect]:
            await tx.exec_driver_sql(statement)

    await database.write(work)
    with pytest.raises(MissingGuards, match="double booking"):
        await database.check_guards()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_alembic_batch_mode_loses_the_triggers_and_we_notice(database: Database) -> None:
    def rebuild(connection: Connection) -> None:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("holds", recreate="always"):
            pass

    await database.write(lambda tx: tx.run_sync(rebuild))
    with pytest.raises(MissingGuards) as caught:
        await database.check_guards()
    assert "guard_holds_capacity_insert" in caught.value.message.values["guards"]


async def test_guards_are_not_put_back_over_a_room_that_is_held_twice(network: Database) -> None:
    await network.write(guards.drop)
    await write_hold(network, ROOM, 10, 12)
    await write_hold(network, ROOM, 11, 13)
    with pytest.raises(MissingGuards) as caught:
        await network.mend_guards()
    assert caught.value.message.values["rooms"] == "lille-1"
