"""Notices in rows, while they are delivered: claimed with a lease, settled under its token.

Several processes may deliver from one PostgreSQL. A row is claimed by the one that locks it; whoever comes second
skips what is locked. On SQLite a write transaction is alone anyway. A lease that lapses gives the row back: if it had
been handed over already, nobody can know whether it arrived, and the row says so for ever (RFC 1047).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    or_,
    select,
    update,
)

from perinat_sched.notices.drafting import Draft
from perinat_sched.notices.facts import as_json
from perinat_sched.notices.notice import Notice, Reason
from perinat_sched.notices.store import lock, notice_of
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, sessions


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
    lease = str(uuid.uuid4())
    held = {"state": "leased", "lease": lease, "leased_until": until}
    rows = [notice_of(row, **held) for row in await tx.execute(_READY, {"now": now, "most": limit})]
    leaders = [row.id for row in rows if row.kind == "reminder" or row.bundle]
    if leaders:
        others = await tx.execute(_WITH_THEM, {"now": now, "leaders": leaders})
        rows += [notice_of(row, **held) for row in others]
    if rows:
        await tx.execute(_LEASED, {"ids": [row.id for row in rows], "until": until, "token": lease})
    return sorted(rows, key=lambda row: (row.try_at, row.session_id, row.revision, row.id))


def _ready(row: FromClause) -> ColumnElement[bool]:
    """Due, and no other mail about the session is on its way to the reader."""
    other = notices.alias()
    in_flight = exists().where(
        other.c.session_id == row.c.session_id, other.c.recipient == row.c.recipient, other.c.state == "leased"
    )
    due = and_(row.c.state == "due", row.c.try_at <= bindparam("now", type_=notices.c.try_at.type))
    return and_(due, ~in_flight, or_(row.c.bundle.is_(None), ~_incomplete(row)))


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


def _first() -> Select[Any]:
    """What may be claimed by itself, the oldest first, as in the index: nothing is sorted."""
    sibling = notices.alias("sibling")
    shares = or_(notices.c.kind == "reminder", notices.c.bundle.is_not(None))
    earlier = exists().where(_one_mail(sibling, notices), _ready(sibling), sibling.c.id < notices.c.id)
    query = select(notices).where(_ready(notices), or_(~shares, ~earlier)).order_by("try_at").limit(bindparam("most"))
    return query.with_for_update(skip_locked=True, of=notices)


def _with_them() -> Select[Any]:
    """What leaves with some that are claimed."""
    leader = notices.alias("leader")
    leaders: BindParameter[str] = bindparam("leaders", expanding=True)
    one_mail = exists().where(_one_mail(leader, notices), leader.c.id.in_(leaders))
    query = select(notices).where(_ready(notices), notices.c.id.not_in(leaders), one_mail)
    return query.with_for_update(of=notices)


# Put once: to put them together takes longer than to carry them out.
_READY, _WITH_THEM = _first(), _with_them()
_LEASED = (
    update(notices)
    .where(notices.c.id.in_(bindparam("ids", expanding=True)))
    .values(state="leased", lease=bindparam("token"), leased_until=bindparam("until"))
)


async def hold(tx: Tx, settled: Sequence[Notice], drafts: Sequence[Draft]) -> set[tuple[str, str | None]]:
    """Keep the rows that are settled, and those of the mails that are to leave, from all others; their leases now."""
    ids = [row.id for row in (*settled, *(row for draft in drafts for row in draft.rows))]
    return await lock(tx, notices.c.id.in_(ids))


async def hand_over(
    tx: Tx, ours: Set[tuple[str, str | None]], drafts: Sequence[Draft], now: datetime, *, until: datetime
) -> list[bool]:
    """Note which of these mails leave now. `ours`: the rows whose lease stands, with it.

    Not those of which a lease is lost, or a session is not as it was when the mail was written.
    """
    if not drafts:
        return []
    about = {session.id for draft in drafts for session in draft.about}
    unchanged = {(row.id, row.revision) for row in await tx.execute(_REVISIONS, {"ids": sorted(about)})}
    leaves = [
        all((row.id, row.lease) in ours for row in draft.rows)
        and all((session.id, session.revision) in unchanged for session in draft.about)
        for draft in drafts
    ]
    noted = [draft for draft, good in zip(drafts, leaves, strict=True) if good]
    if noted:
        ids = [row.id for draft in noted for row in draft.rows]
        await tx.execute(_HANDED, {"ids": ids, "at": now, "until": until})
    altered = [
        {"row": row.id, "named": row.message_id, "told": as_json(row.facts)} for draft in noted for row in draft.altered
    ]
    if altered:
        await tx.execute(_ALTERED, altered)
    return leaves


_REVISIONS = select(sessions.c.id, sessions.c.revision).where(sessions.c.id.in_(bindparam("ids", expanding=True)))
_HANDED = (
    update(notices)
    .where(notices.c.id.in_(bindparam("ids", expanding=True)))
    .values(handed_at=bindparam("at"), leased_until=bindparam("until"), attempts=notices.c.attempts + 1)
)
_ALTERED = (
    update(notices)
    .where(notices.c.id == bindparam("row"))
    .values(message_id=bindparam("named"), facts=bindparam("told"))
)


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
