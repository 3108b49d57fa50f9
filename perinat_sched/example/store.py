"""Where the example programme notes which series are its own, and how they are taken away."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update

from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import holds, left_out, meta, notices, participations, series, sessions

KEY = "example"  # in meta: the ids of its series, as JSON


async def empty(tx: Tx) -> bool:
    """Whether nothing was ever booked."""
    return (await tx.execute(select(sessions.c.id).limit(1))).first() is None


async def noted(tx: Tx) -> list[str] | None:
    """The series of the programme; None where it is not loaded."""
    found = (await tx.execute(select(meta.c.value).where(meta.c.key == KEY))).scalar_one_or_none()
    return None if found is None else [str(one) for one in json.loads(found)]


async def begin(tx: Tx) -> None:
    """Note that the programme is being loaded; whoever begins at the same time fails, and begins again."""
    await tx.execute(insert(meta).values(key=KEY, value="[]"))


async def note(tx: Tx, ids: Sequence[str]) -> None:
    await tx.execute(update(meta).where(meta.c.key == KEY).values(value=json.dumps(list(ids))))


async def remove(tx: Tx, ids: Sequence[str]) -> int:
    """Take these series away, those that go on from them, and everything about their sessions; how many sessions."""
    every = set(ids)
    while (
        following := set((await tx.execute(select(series.c.id).where(series.c.follows.in_(every)))).scalars()) - every
    ):
        every |= following
    theirs = select(sessions.c.id).where(sessions.c.series.in_(every))
    for table in (notices, holds, participations):
        await tx.execute(delete(table).where(table.c.session_id.in_(theirs)))
    gone = await tx.execute(delete(sessions).where(sessions.c.series.in_(every)))
    await tx.execute(delete(left_out).where(left_out.c.series_id.in_(every)))
    await tx.execute(delete(series).where(series.c.id.in_(every)))
    await tx.execute(delete(meta).where(meta.c.key == KEY))
    return gone.rowcount
