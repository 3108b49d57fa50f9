"""Notices in rows, while they are delivered: claimed with a lease, settled under its token.

Several processes may deliver from one PostgreSQL. A row is claimed by the one that locks it; whoever comes second
skips what is locked. On SQLite a write transaction is alone anyway. A lease that lapses gives the row back: if it had
been handed over already, nobody can know whether it arrived, and the row says so for ever (RFC 1047).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Update, and_, bindparam, exists, or_, select, update

from perinat_sched.booking.session import Session
from perinat_sched.notices.facts import as_json
from perinat_sched.notices.notice import Notice, Reason
from perinat_sched.notices.store import lock, notice_of
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, sessions

Mail = tuple[Sequence[Notice], Sequence[Session]]  # its rows, and the sessions it is about


async def take_back(tx: Tx, now: datetime, *, everything: bool = False) -> int:
    """Leases that lapsed (`everything`: all of them) come back; how many may have been sent all the same."""
    lapsed = notices.c.state == "leased"
    if not everything:
        lapsed = and_(lapsed, notices.c.leased_until <= now)
    doubtful = or_(notices.c.ambiguous, notices.c.handed_at.is_not(None))
    free = {"state": "due", "lease": None, "leased_until": None, "ambiguous": doubtful}
    back = await tx.execute(update(notices).where(lapsed).values(free).returning(notices.c.handed_at))
    return sum(handed_at is not None for handed_at in back.scalars())


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
    rows that make one mail only the first may be claimed by itself, so that two workers never share them.
    Mails about one session stand together, so that its words are at hand.
    """
    ready = _ready(notices, now)
    sibling = notices.alias("sibling")
    shares = or_(notices.c.kind == "reminder", notices.c.bundle.is_not(None))
    first = or_(
        ~shares,
        ~exists().where(_one_mail(sibling, notices), _ready(sibling, now), sibling.c.id < notices.c.id),
    )
    query = select(notices).where(ready, first).order_by("try_at").limit(limit)  # as in the index: nothing is sorted
    query = query.with_for_update(skip_locked=True, of=notices)
    rows = [notice_of(row) for row in await tx.execute(query)]
    if not rows:
        return []
    leaders = [row.id for row in rows if row.kind == "reminder" or row.bundle]
    if leaders:
        leader = notices.alias("leader")
        others = select(notices).where(
            ready,
            notices.c.id.not_in(leaders),
            exists().where(_one_mail(leader, notices), leader.c.id.in_(leaders)),
        )
        others = others.with_for_update(of=notices)
        rows += [notice_of(row) for row in await tx.execute(others)]
    rows.sort(key=lambda row: (row.try_at, row.session_id, row.revision, row.id))
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
    return and_(row.c.state == "due", row.c.try_at <= now, ~in_flight, or_(row.c.bundle.is_(None), ~_incomplete(row)))


def _incomplete(row: FromClause) -> ColumnElement[bool]:
    """Whether what leaves with a row is on its way already, or not all of it is planned."""
    other, own, sibling = notices.alias(), sessions.alias(), sessions.alias()
    in_flight = exists().where(
        other.c.bundle == row.c.bundle, other.c.recipient == row.c.recipient, other.c.state == "leased"
    )
    unplanned = exists().where(
        own.c.id == row.c.session_id,
        sibling.c.series == own.c.series,
        sibling.c.planned_revision < sibling.c.revision,
    )
    return or_(in_flight, unplanned)


def _one_mail(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Whether two rows of one reader leave together: reminders of one moment, news of one series."""
    reminders = and_(one.c.kind == "reminder", other.c.kind == "reminder", one.c.due_at == other.c.due_at)
    return and_(one.c.recipient == other.c.recipient, or_(reminders, one.c.bundle == other.c.bundle))


async def hold(tx: Tx, settled: Sequence[Notice], mails: Sequence[Mail]) -> set[tuple[str, str | None]]:
    """Keep the rows that are settled, and those of the mails that are to leave, from all others; whose lease stands."""
    ids = [row.id for row in (*settled, *(row for rows, _ in mails for row in rows))]
    return await lock(tx, and_(notices.c.id.in_(ids), notices.c.state == "leased"))


async def hand_over(
    tx: Tx, ours: Set[tuple[str, str | None]], mails: Sequence[Mail], now: datetime, *, until: datetime
) -> list[bool]:
    """Note which of these mails leave now. `ours`: the rows whose lease stands, with it.

    Not those of which a lease is lost, or a session is not as it was when the mail was written.
    """
    if not mails:
        return []
    about = {session.id for _, theirs in mails for session in theirs}
    revisions = await tx.execute(select(sessions.c.id, sessions.c.revision).where(sessions.c.id.in_(about)))
    unchanged = {(row.id, row.revision) for row in revisions}
    leaves = [
        all((row.id, row.lease) in ours for row in rows)
        and all((session.id, session.revision) in unchanged for session in theirs)
        for rows, theirs in mails
    ]
    noted = [row for (rows, _), good in zip(mails, leaves, strict=True) if good for row in rows]
    if noted:
        shared = {"at": now, "until": until}
        await tx.execute(_HANDED, [_as_written(row) | shared for row in noted])
    return leaves


_HANDED = (
    update(notices)
    .where(notices.c.id == bindparam("row"))
    .values(
        handed_at=bindparam("at"),
        leased_until=bindparam("until"),
        message_id=bindparam("named"),
        facts=bindparam("told"),
        attempts=notices.c.attempts + 1,
    )
)


def _as_written(row: Notice) -> dict[str, Any]:
    return {"row": row.id, "named": row.message_id, "told": as_json(row.facts)}


async def release(tx: Tx, claimed: Sequence[Notice]) -> None:
    """Give back what was claimed and not tried, as it was when it was claimed."""
    await _settle_all(tx, _RELEASED, [(row, {"at": row.handed_at, "tried": row.attempts}) for row in claimed])


async def sent(tx: Tx, taken: Sequence[tuple[Notice, datetime]]) -> None:
    """The relay has taken these, each at its moment."""
    await _settle_all(tx, _SENT, [(row, {"at": at}) for row, at in taken])


async def _settle_all(tx: Tx, statement: Update, rows: Sequence[tuple[Notice, dict[str, Any]]]) -> None:
    """Many rows, in the order in which they are locked."""
    if rows:
        ordered = sorted(rows, key=lambda entry: entry[0].id)
        await tx.execute(statement, [values | {"row": row.id, "held": row.lease} for row, values in ordered])


_FREED = (
    update(notices)
    .where(notices.c.id == bindparam("row"), notices.c.lease == bindparam("held"), notices.c.state == "leased")
    .values(lease=None, leased_until=None)
)
_RELEASED = _FREED.values(state="due", handed_at=bindparam("at"), attempts=bindparam("tried"))
_SENT = _FREED.values(state="sent", sent_at=bindparam("at"), last_error=None)


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
