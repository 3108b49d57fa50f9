"""Notices in rows: planned under a unique key, claimed with a lease, settled under its token.

Several processes may deliver from one PostgreSQL. A session is planned by the one that locks it; a row is claimed by
the one that locks it; whoever comes second skips what is locked. On SQLite a write transaction is alone anyway. A
lease that lapses gives the row back: if it had been handed over already, nobody can know whether it arrived, and the
row says so for ever (RFC 1047).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, and_, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from perinat_sched.notices.facts import about_of, as_json
from perinat_sched.notices.notice import Notice, OddPeriod, Reason
from perinat_sched.notices.policy import Plan
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, sessions
from perinat_sched.storage.tables import unsubscribed as unsubscribed_addresses

_COLUMNS = [column.name for column in notices.columns]


# Planning


async def unplanned(tx: Tx, limit: int) -> list[Session]:
    """Sessions that changed since their notices were planned, kept from change until the transaction ends."""
    query = select(sessions.c.id).where(sessions.c.planned_revision < sessions.c.revision)
    query = query.order_by(sessions.c.updated_at).limit(limit).with_for_update(skip_locked=True)
    ids = (await tx.execute(query)).scalars().all()
    return await booking.sessions_where(tx, sessions.c.id.in_(ids)) if ids else []


async def of_sessions(tx: Tx, ids: Sequence[str], *, lock: bool = False) -> dict[str, list[Notice]]:
    """The notices of sessions, as they were planned. `lock`: nobody claims or settles one meanwhile."""
    query = (
        select(notices).where(notices.c.session_id.in_(ids)).order_by("revision", "created_at", "due_at", "recipient")
    )
    found: dict[str, list[Notice]] = {session_id: [] for session_id in ids}
    for row in await tx.execute(query.with_for_update() if lock else query):
        found[row.session_id].append(notice_of(row))
    return found


async def write(tx: Tx, plans: Sequence[tuple[Session, Plan]]) -> None:
    """Write what was planned, and up to which revision."""
    await add(tx, [row for _, plan in plans for row in plan.new])
    for session, plan in plans:
        for row in plan.changed:
            values = {"state": row.state, "site": row.site, "facts": as_json(row.facts), "last_error": row.last_error}
            lease = {"lease": row.lease, "leased_until": row.leased_until}
            await tx.execute(update(notices).where(notices.c.id == row.id).values(values | lease))
        planned = {"planned_revision": session.revision}
        await tx.execute(update(sessions).where(sessions.c.id == session.id).values(planned))


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
    return await booking.sessions_where(tx, sessions.c.id.in_(ids))


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


# Delivering


async def take_back(tx: Tx, now: datetime, *, everything: bool = False) -> int:
    """Leases that lapsed (`everything`: all of them) come back; how many may have been sent all the same."""
    lapsed = notices.c.state == "leased"
    if not everything:
        lapsed = and_(lapsed, notices.c.leased_until <= now)
    ambiguous = await tx.execute(update(notices).where(lapsed, notices.c.handed_at.is_not(None)).values(ambiguous=True))
    await tx.execute(update(notices).where(lapsed).values(state="due", lease=None, leased_until=None))
    return ambiguous.rowcount


async def expire(tx: Tx, now: datetime) -> list[Notice]:
    """What waits and helps nobody any more: skipped, or failed where an attempt was made. The rows as they were."""
    useless = and_(notices.c.state == "due", notices.c.try_at <= now, notices.c.expires_at <= now)
    query = select(notices).where(useless).with_for_update(skip_locked=True)
    rows = [notice_of(row) for row in await tx.execute(query)]
    for row in rows:
        values = {"state": "failed"} if row.attempts else {"state": "skipped", "last_error": "too-late"}
        await tx.execute(update(notices).where(notices.c.id == row.id).values(values))
    return rows


async def claim(tx: Tx, now: datetime, *, until: datetime, limit: int) -> list[Notice]:
    """Lease the notices whose time has come, the oldest first; with a reminder all that make one mail with it.

    A reader's mails about one session leave one after the other: while one is in flight the next one waits. Of the
    reminders of one reader and minute only the first may be claimed by itself, so that two workers never share them.
    """
    ready = _ready(notices, now)
    sibling = notices.alias("sibling")
    first = or_(
        notices.c.kind != "reminder",
        ~exists().where(_one_mail(sibling, notices), _ready(sibling, now), sibling.c.id < notices.c.id),
    )
    query = select(notices).where(ready, first)
    query = query.order_by("try_at", "revision", "id").limit(limit).with_for_update(skip_locked=True, of=notices)
    rows = [notice_of(row) for row in await tx.execute(query)]
    leaders = [row.id for row in rows if row.kind == "reminder"]
    if leaders:
        leader = notices.alias("leader")
        others = select(notices).where(
            ready,
            notices.c.id.not_in(leaders),
            exists().where(_one_mail(leader, notices), leader.c.id.in_(leaders)),
        )
        others = others.order_by("try_at", "revision", "id").with_for_update(of=notices)
        rows += [notice_of(row) for row in await tx.execute(others)]
    lease = str(uuid.uuid4())
    values = {"state": "leased", "lease": lease, "leased_until": until}
    await tx.execute(update(notices).where(notices.c.id.in_([row.id for row in rows])).values(values))
    return [replace(row, state="leased", lease=lease, leased_until=until) for row in rows]


def _ready(row: FromClause, now: datetime) -> ColumnElement[bool]:
    """Due, and no other mail about the session is on its way to the reader."""
    other = notices.alias()
    in_flight = exists().where(
        other.c.session_id == row.c.session_id, other.c.recipient == row.c.recipient, other.c.state == "leased"
    )
    return and_(row.c.state == "due", row.c.try_at <= now, ~in_flight)


def _one_mail(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Whether a row is a reminder to the same reader at the same moment."""
    return and_(
        one.c.kind == "reminder",
        other.c.kind == "reminder",
        one.c.recipient == other.c.recipient,
        one.c.due_at == other.c.due_at,
    )


async def hand_over(
    tx: Tx, mail: Sequence[Notice], about: Sequence[Session], now: datetime, *, until: datetime
) -> bool:
    """Note that the mail of these rows leaves now. False: a lease is lost, or a session is not as it was rendered.

    Nothing must be kept of it then: let the transaction fail.
    """
    revisions = select(sessions.c.id, sessions.c.revision).where(sessions.c.id.in_([each.id for each in about]))
    found = {(row.id, row.revision) for row in await tx.execute(revisions)}
    if found != {(each.id, each.revision) for each in about}:
        return False
    values = {"handed_at": now, "leased_until": until, "attempts": notices.c.attempts + 1}
    held = or_(*(_held(row) for row in mail))
    noted = await tx.execute(update(notices).where(held).values(values | {"message_id": mail[0].message_id}))
    return noted.rowcount == len(mail)


async def release(tx: Tx, claimed: Sequence[Notice]) -> None:
    """Give back what was claimed and not tried."""
    for notice in claimed:
        await _settle(tx, notice, state="due")


async def sent(tx: Tx, mail: Sequence[Notice], now: datetime) -> None:
    for notice in mail:
        await _settle(tx, notice, state="sent", sent_at=now, last_error=None)


async def failed(tx: Tx, mail: Sequence[Notice], error: str) -> None:
    for notice in mail:
        await _settle(tx, notice, state="failed", last_error=error, **_doubt(notice))


async def later(tx: Tx, mail: Sequence[Notice], error: str, *, try_at: datetime) -> None:
    """Another attempt at `try_at`."""
    for notice in mail:
        values = {"attempts": notice.attempts + 1, "try_at": try_at, "last_error": error}
        await _settle(tx, notice, state="due", **values, **_doubt(notice))


async def skipped(tx: Tx, notice: Notice, reason: Reason) -> None:
    """Not sent. Its session is planned once more, for what is right to send may differ from what was planned."""
    await _settle(tx, notice, state="skipped", last_error=reason)
    await tx.execute(update(sessions).where(sessions.c.id == notice.session_id).values(planned_revision=-1))


def _doubt(notice: Notice) -> dict[str, Any]:
    """Where it may have arrived all the same, the row keeps the hour at which it left; else it never left."""
    return {"ambiguous": True} if notice.ambiguous else {"handed_at": None}


async def _settle(tx: Tx, notice: Notice, **values: Any) -> None:
    await tx.execute(update(notices).where(_held(notice)).values(lease=None, leased_until=None, **values))


def _held(notice: Notice) -> ColumnElement[bool]:
    """A claimed notice, while the lease stands: whose it is is decided by the token alone."""
    return and_(notices.c.id == notice.id, notices.c.lease == notice.lease, notices.c.state == "leased")


# Rows ↔ values


def notice_of(row: Row[Any]) -> Notice:
    """A row of the table, or of a query that holds all its columns."""
    return Notice(**{name: getattr(row, name) for name in _COLUMNS if name != "facts"}, facts=about_of(row.facts))


def _values(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in _COLUMNS} | {"facts": as_json(notice.facts)}
