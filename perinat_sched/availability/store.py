"""The ground in rows: what sessions hold, and the closures people entered.

Loading it for a search or a booking costs two statements, whatever the number of sites, months and sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, true

from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Calendars, Closure
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import closures, holds, resources, sessions

LONGEST_HOLD = timedelta(days=3)  # no session lasts longer with its margins: bounds the look back in time


@dataclass(frozen=True, kw_only=True, slots=True)
class EnteredClosure:
    """A closure that somebody entered for a site, a room or a bridge."""

    id: str
    scope: Literal["site", "room", "bridge"]
    code: str
    interval: Interval
    reason: str


async def lock(
    tx: Tx, *, database: Database, directory: Directory, sites: Iterable[str], networks: Iterable[str]
) -> None:
    """Keep the rooms of these sites and the networks' bridges from others until the transaction ends."""
    rooms = [("room", room.code) for code in sites for room in directory.sites[code].rooms]
    bridges = [("bridge", bridge.code) for network in networks for bridge in directory.bridges_of(network)]
    await database.lock(tx, [database.resources[key] for key in (*rooms, *bridges)])


async def ground(
    tx: Tx,
    *,
    directory: Directory,
    calendars: Calendars,
    now: datetime,
    window: Interval,
    sites: Iterable[str],
    networks: Iterable[str],
    except_session: str | None = None,
) -> Ground:
    """What concerns these sites and the networks' bridges in `window`. Two statements, whatever their number."""
    places = [directory.sites[code] for code in dict.fromkeys(sites)]
    rooms = [room.code for site in places for room in site.rooms]
    bridges = list(dict.fromkeys(one.code for network in networks for one in directory.bridges_of(network)))
    closed: dict[str, list[Closure]] = {site.code: calendars.of_site(site, window) for site in places}
    closed |= {code: calendars.of_room(code, window) for code in rooms}
    codes = [site.code for site in places] + rooms + bridges
    for code, closure in await entered_closures(tx, codes, window):
        closed.setdefault(code, []).append(closure)

    condition = and_(resources.c.code.in_(rooms + bridges), holds.c.session_id != (except_session or ""))
    taken = await _holds(tx, window, condition)
    return Ground(directory=directory, now=now, closures=closed, holds=taken)


async def whole_ground(
    tx: Tx, *, directory: Directory, calendars: Calendars, now: datetime, window: Interval, sites: Iterable[str]
) -> Ground:
    """What everybody holds in `window`, and what is closed there by configuration: for booked sessions to stand upon.

    Of the closures that people entered only those of bridges, to which a session may still come. Two statements.
    """
    places = [directory.sites[code] for code in dict.fromkeys(sites) if code in directory.sites]
    closed: dict[str, list[Closure]] = {site.code: calendars.of_site(site, window) for site in places}
    closed |= {room.code: calendars.of_room(room.code, window) for site in places for room in site.rooms}
    for code, closure in await entered_closures(tx, list(directory.bridges), window):
        closed.setdefault(code, []).append(closure)
    return Ground(directory=directory, now=now, closures=closed, holds=await _holds(tx, window, true()))


async def _holds(tx: Tx, window: Interval, condition: ColumnElement[bool]) -> dict[str, list[Hold]]:
    """What sessions hold in `window`, by room or bridge. One statement."""
    query = (
        select(
            resources.c.code, holds.c.session_id, sessions.c.host_site, sessions.c.network,
            holds.c.starts, holds.c.ends, holds.c.around_starts, holds.c.around_ends, holds.c.units,
        )
        .join(holds, holds.c.resource_id == resources.c.id)
        .join(sessions, sessions.c.id == holds.c.session_id)
        .where(
            condition,
            holds.c.around_starts > window.start - LONGEST_HOLD,
            holds.c.around_starts < window.end,
            holds.c.around_ends > window.start,
        )
        .order_by(holds.c.starts)
    )  # fmt: skip
    taken: dict[str, list[Hold]] = {}
    for code, owner, host, of_network, starts, ends, around_starts, around_ends, units in await tx.execute(query):
        taken.setdefault(code, []).append(
            Hold(
                session=owner,
                host=host,
                network=of_network,
                interval=Interval(starts, ends),
                around=Interval(around_starts, around_ends),
                units=units,
            )
        )
    return taken


async def entered_closures(tx: Tx, codes: Sequence[str], window: Interval) -> list[tuple[str, Closure]]:
    """The closures people entered for these sites, rooms and bridges, with their code. One statement."""
    query = select(closures).where(
        closures.c.code.in_(codes), closures.c.starts < window.end, closures.c.ends > window.start
    )
    return [
        (row.code, Closure(interval=Interval(row.starts, row.ends), reason=row.reason, source="entered"))
        for row in await tx.execute(query.order_by(closures.c.starts))
    ]


async def closure(tx: Tx, closure_id: str) -> EnteredClosure | None:
    row = (await tx.execute(select(closures).where(closures.c.id == closure_id))).one_or_none()
    return None if row is None else _entered(row)


async def closures_after(tx: Tx, codes: Sequence[str], now: datetime) -> list[EnteredClosure]:
    """What was entered for these sites and rooms and is not over, the earliest first. One statement."""
    query = select(closures).where(closures.c.code.in_(codes), closures.c.ends > now)
    return [_entered(row) for row in await tx.execute(query.order_by(closures.c.starts, closures.c.id))]


def _entered(row: Row[Any]) -> EnteredClosure:
    return EnteredClosure(
        id=row.id, scope=row.scope, code=row.code, interval=Interval(row.starts, row.ends), reason=row.reason
    )


async def add_closure(tx: Tx, new: EnteredClosure, *, by: str, at: datetime) -> None:
    await tx.execute(
        insert(closures).values(
            id=new.id,
            scope=new.scope,
            code=new.code,
            starts=new.interval.start,
            ends=new.interval.end,
            reason=new.reason,
            created_by=by,
            created_at=at,
        )
    )


async def remove_closure(tx: Tx, closure_id: str) -> None:
    await tx.execute(delete(closures).where(closures.c.id == closure_id))
