"""Holds written straight into the tables, past every check of the service: only the guards stand in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Boolean, Integer, Table, insert, select

from perinat_sched.errors import GuardViolation
from perinat_sched.intervals import Interval, peak
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import Instant, holds, resources, sessions

ROOM, BRIDGE = 1, 2
PORTS = 5
DAY = datetime(2027, 3, 18, tzinfo=UTC)


def at(hour: float) -> datetime:
    """An hour of the day on which everything happens."""
    return DAY + timedelta(hours=hour)


def filled(table: Table, **values: Any) -> dict[str, Any]:
    """A row of a table: what is not said is empty, zero or the day itself."""
    plain: dict[type, Any] = {Instant: DAY, Boolean: False, Integer: 0}
    row = {c.name: plain.get(type(c.type), "") for c in table.columns if not c.nullable and not c.foreign_keys}
    return row | values


async def add_places(database: Database) -> None:
    """A room and a bridge of five ports."""

    async def work(tx: Tx) -> None:
        await tx.execute(insert(resources).values(id=ROOM, kind="room", code="lille-1", capacity=1))
        await tx.execute(insert(resources).values(id=BRIDGE, kind="bridge", code="mcu-lille", capacity=PORTS))

    await database.write(work)


async def hold(
    tx: Tx, place: int, start: float, end: float, *, units: int = 1, margin: float = 0, **values: Any
) -> str:
    """A new session that holds a place, in hours of the day; its id."""
    session = str(uuid4())
    await tx.execute(insert(sessions).values(filled(sessions, id=session, starts=at(start), ends=at(end))))
    row = {
        "session_id": session,
        "resource_id": place,
        "exclusive": place == ROOM,
        "starts": at(start),
        "ends": at(end),
        "around_starts": at(start - margin),
        "around_ends": at(end + margin),
        "units": units,
    }
    await tx.execute(insert(holds).values(row | values))
    return session


async def write_hold(database: Database, place: int, start: float, end: float, **values: Any) -> str:
    """`hold` in a transaction of its own."""
    return await database.write(lambda tx: hold(tx, place, start, end, **values))


async def rush(attempts: Iterable[Awaitable[object]]) -> tuple[int, int]:
    """All at once: how many succeeded, and how many a guard refused. Any other error is raised."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, GuardViolation):
            raise result
    refused = sum(isinstance(result, GuardViolation) for result in results)
    return len(results) - refused, refused


async def most_held(database: Database, place: int) -> int:
    """The most units of a place that are held at one instant, by a sweep that knows nothing of the guards'."""
    async with database.read() as tx:
        rows = (await tx.execute(select(holds).where(holds.c.resource_id == place))).all()
    return peak([(Interval(row.starts, row.ends), row.units) for row in rows], Interval(at(-1000), at(1000)))


async def count(database: Database, table: Table) -> int:
    async with database.read() as tx:
        return len((await tx.execute(select(table))).all())
