"""Notices in rows, planned under a unique key; `delivery_store` claims and settles them.

Several processes may plan on one PostgreSQL: a session is planned by the one that locks it, and whoever comes second
skips what is locked. On SQLite a write transaction is alone anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from perinat_sched.notices.bundle import Course
from perinat_sched.notices.facts import about_of, as_json
from perinat_sched.notices.notice import Notice, OddPeriod
from perinat_sched.notices.policy import Plan
from perinat_sched.series import store as series_store
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, series, sessions
from perinat_sched.storage.tables import unsubscribed as unsubscribed_addresses

_COLUMNS = [column.name for column in notices.columns]


# Planning


async def unplanned(tx: Tx, limit: int) -> list[Session]:
    """Sessions that changed since their notices were planned, kept from change until the transaction ends."""
    ids = (await tx.execute(_UNPLANNED, {"most": limit})).scalars().all()
    return await booking.sessions_of(tx, ids) if ids else []


_UNPLANNED = (
    select(sessions.c.id)
    .where(sessions.c.planned_revision < sessions.c.revision)
    .order_by(sessions.c.updated_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


async def of_sessions(tx: Tx, ids: Sequence[str], *, locked: bool = False) -> dict[str, list[Notice]]:
    """The notices of sessions, as they were planned. `locked`: nobody claims or settles one meanwhile."""
    if locked:
        await lock(tx, notices.c.session_id.in_(ids))
    found: dict[str, list[Notice]] = {session_id: [] for session_id in ids}
    for row in await tx.execute(_OF_SESSIONS, {"ids": ids}):
        found[row.session_id].append(notice_of(row))
    return found


_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_OF_SESSIONS = (
    select(notices).where(notices.c.session_id.in_(_IDS)).order_by("revision", "created_at", "due_at", "recipient")
)


async def lock(tx: Tx, condition: ColumnElement[bool]) -> set[tuple[str, str | None]]:
    """Keep rows from all others until the transaction ends; their ids and leases. One order for all: no deadlock."""
    query = select(notices.c.id, notices.c.lease).where(condition).order_by(notices.c.id).with_for_update()
    return {(row.id, row.lease) for row in await tx.execute(query)}


async def write(tx: Tx, plans: Sequence[tuple[Session, Plan]]) -> None:
    """Write what was planned, and up to which revision."""
    await add(tx, [row for _, plan in plans for row in plan.new])
    for row in (row for _, plan in plans for row in plan.changed):
        values: dict[str, Any] = {"state": row.state, "site": row.site, "facts": as_json(row.facts)}
        values |= {"due_at": row.due_at, "try_at": row.try_at, "last_error": row.last_error}
        values |= {"lease": row.lease, "leased_until": row.leased_until}
        await tx.execute(update(notices).where(notices.c.id == row.id).values(values))
    if plans:
        planned = update(sessions).where(sessions.c.id == bindparam("row"))
        revisions = [{"row": session.id, "planned_revision": session.revision} for session, _ in plans]
        await tx.execute(planned, revisions)


async def add(tx: Tx, rows: Sequence[Notice]) -> None:
    """Insert new rows. One that another planner has written already stands."""
    if rows:
        insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
        statement = insert(notices).on_conflict_do_nothing(index_elements=["key"])
        await tx.execute(statement, [_values(row) for row in rows])


async def zones_of_sessions(tx: Tx, span: Interval) -> list[str]:
    """By which clocks the sessions that begin in a span are set."""
    query = select(sessions.c.timezone).where(_begins_in(span)).distinct()
    return list((await tx.execute(query)).scalars())


async def sessions_by_id(tx: Tx, ids: Sequence[str]) -> list[Session]:
    return await booking.sessions_of(tx, ids)


async def courses(tx: Tx, session_ids: Sequence[str], uids: Collection[str]) -> dict[str, Course]:
    """The series that sessions are in, and those of some UIDs, with all their sessions, by UID. Three statements."""
    theirs = select(sessions.c.series).where(sessions.c.id.in_(session_ids))
    known = await series_store.where(tx, or_(series.c.id.in_(theirs), series.c.uid.in_(sorted(uids))))
    found: dict[str, list[Session]] = {one.id: [] for one in known}
    for session in await booking.sessions_where(tx, sessions.c.series.in_(sorted(found))):
        found[session.series or ""].append(session)
    return {one.uid: Course(series=one, sessions=found[one.id]) for one in known}


async def sessions_of(tx: Tx, period: OddPeriod) -> list[Session]:
    """The sessions that begin in an odd period, by the clock it concerns."""
    condition = and_(_begins_in(Interval(period.start, period.end)), sessions.c.timezone == period.zone)
    return await booking.sessions_where(tx, condition)


def _begins_in(span: Interval) -> ColumnElement[bool]:
    return and_(sessions.c.starts >= span.start, sessions.c.starts < span.end, sessions.c.status != "cancelled")


async def keys_of(tx: Tx, keys: Sequence[str]) -> set[str]:
    """Those of these keys that have a row."""
    return set((await tx.execute(select(notices.c.key).where(notices.c.key.in_(keys)))).scalars())


# Who wants no reminders


async def unsubscribed(tx: Tx, addresses: Sequence[str]) -> set[str]:
    """Those of these addresses that want no reminders, casefolded."""
    query = select(unsubscribed_addresses.c.address).where(
        unsubscribed_addresses.c.address.in_([address.casefold() for address in addresses])
    )
    return set((await tx.execute(query)).scalars())


async def set_unsubscribed(tx: Tx, address: str, since: datetime | None) -> bool:
    """No reminders to an address any more (None: again); whether that is new."""
    folded = address.casefold()
    if since is None:
        gone = delete(unsubscribed_addresses).where(unsubscribed_addresses.c.address == folded)
        return (await tx.execute(gone)).rowcount == 1
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    statement = insert(unsubscribed_addresses).on_conflict_do_nothing(index_elements=["address"])
    return (await tx.execute(statement.values(address=folded, since=since))).rowcount == 1


# Rows ↔ values


def notice_of(row: Row[Any], **otherwise: Any) -> Notice:
    """A row of the table, or of a query that begins with all its columns; with some values that it is about to have."""
    values = dict(zip(_COLUMNS, row, strict=False))
    return Notice(**values | {"facts": about_of(row.facts)} | otherwise)


def _values(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in _COLUMNS} | {"facts": as_json(notice.facts)}
