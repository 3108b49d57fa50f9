"""A network's year in rows: its sessions as far as they count, and what became of its mails. Three statements."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import ColumnElement, and_, func, select

from perinat_sched.figures.reckoning import Fact, Part
from perinat_sched.intervals import Interval
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, participations, sessions


async def facts(tx: Tx, network: str, year: int) -> list[Fact]:
    """The sessions of a network that begin in a year by their own clocks."""
    s, p = sessions.c, participations.c
    parts: dict[str, list[Part]] = {}
    of_year = select(p.session_id, p.site, p.room, p.held, p.answer).join(sessions).where(_of(network, year))
    for row in await tx.execute(of_year):
        room = row.room if row.held else None
        parts.setdefault(row.session_id, []).append(Part(site=row.site, room=room, answer=row.answer))
    columns = (
        s.id, s.kind, s.host_site, s.wall_start, s.starts, s.ends, s.status, s.cancellation_code, s.bridge, s.ports,
    )  # fmt: skip
    return [
        Fact(
            kind=row.kind,
            host=row.host_site,
            month=int(row.wall_start[5:7]),
            interval=Interval(row.starts, row.ends),
            status=row.status,
            cancellation=row.cancellation_code,
            bridge=row.bridge,
            ports=row.ports,
            parts=parts.get(row.id, ()),
        )
        for row in await tx.execute(select(*columns).where(_of(network, year)))
    ]


async def mails(tx: Tx, network: str, year: int) -> Counter[tuple[str, str]]:
    """How many mails about these sessions, by kind and state; one that is claimed is still due."""
    n = notices.c
    query = select(n.kind, n.state, func.count()).join(sessions).where(_of(network, year)).group_by(n.kind, n.state)
    found: Counter[tuple[str, str]] = Counter()
    for kind, state, count in await tx.execute(query):
        found[kind, "due" if state == "leased" else state] += count
    return found


def _of(network: str, year: int) -> ColumnElement[bool]:
    first, after = f"{year:04}-01-01T00:00", f"{year + 1:04}-01-01T00:00"
    return and_(sessions.c.network == network, sessions.c.wall_start >= first, sessions.c.wall_start < after)
