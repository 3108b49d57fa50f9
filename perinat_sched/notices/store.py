"""Notices in rows: planned under a unique key, claimed with a lease, settled under its token.

Several processes may deliver from one PostgreSQL. A session is planned by the one that locks it; a row is claimed by
the one that locks it; whoever comes second skips what is locked. On SQLite a write transaction is alone anyway. A
lease that lapses gives the row back: if it had been handed over already, nobody can know whether it arrived, and the
row says so for ever (RFC 1047).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, or_, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Facts, Notice, NoticeView, Reason, Refusal, Seen
from perinat_sched.notices.policy import Plan
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, sessions

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
        found[row.session_id].append(_notice(row))
    return found


async def write(tx: Tx, plans: Sequence[tuple[Session, Plan]]) -> None:
    """Write what was planned, and up to which revision. A row that another planner has written already stands."""
    new = [_values(row) for _, plan in plans for row in plan.new]
    if new:
        insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
        await tx.execute(insert(notices).on_conflict_do_nothing(index_elements=["key"]), new)
    for session, plan in plans:
        for row in plan.changed:
            values = {"state": row.state, "site": row.site, "facts": _json(row.facts), "last_error": row.last_error}
            await tx.execute(update(notices).where(notices.c.id == row.id).values(values))
        planned = {"planned_revision": session.revision}
        await tx.execute(update(sessions).where(sessions.c.id == session.id).values(planned))


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
    rows = [_notice(row) for row in await tx.execute(select(notices).where(useless).with_for_update(skip_locked=True))]
    for row in rows:
        values = {"state": "failed"} if row.attempts else {"state": "skipped", "last_error": "too-late"}
        await tx.execute(update(notices).where(notices.c.id == row.id).values(values))
    return rows


async def claim(tx: Tx, now: datetime, *, until: datetime, limit: int) -> list[Notice]:
    """Lease the notices whose time has come, the oldest first.

    A reader's mails about one session leave one after the other: while one is in flight the next one waits.
    """
    other = notices.alias("other")
    in_flight = exists().where(
        other.c.session_id == notices.c.session_id,
        other.c.recipient == notices.c.recipient,
        other.c.state == "leased",
    )
    query = select(notices).where(notices.c.state == "due", notices.c.try_at <= now, ~in_flight)
    query = query.order_by("try_at", "revision", "id").limit(limit).with_for_update(skip_locked=True, of=notices)
    rows = [_notice(row) for row in await tx.execute(query)]
    lease = str(uuid.uuid4())
    values = {"state": "leased", "lease": lease, "leased_until": until}
    await tx.execute(update(notices).where(notices.c.id.in_([row.id for row in rows])).values(values))
    return [replace(row, state="leased", lease=lease, leased_until=until) for row in rows]


async def hand_over(tx: Tx, notice: Notice, session: Session, now: datetime, *, until: datetime) -> bool:
    """Note that the mail leaves now. False: the lease is lost, or the session is no longer as it was rendered."""
    unchanged = exists().where(sessions.c.id == session.id, sessions.c.revision == session.revision)
    values = {"handed_at": now, "leased_until": until, "attempts": notice.attempts + 1}
    result = await tx.execute(update(notices).where(_held(notice), unchanged).values(values))
    return result.rowcount == 1


async def release(tx: Tx, claimed: Sequence[Notice]) -> None:
    """Give back what was claimed and not tried."""
    for notice in claimed:
        await _settle(tx, notice, state="due")


async def sent(tx: Tx, notice: Notice, now: datetime) -> None:
    await _settle(tx, notice, state="sent", sent_at=now, last_error=None)


async def failed(tx: Tx, notice: Notice, error: str) -> None:
    await _settle(tx, notice, state="failed", last_error=error, **_doubt(notice))


async def later(tx: Tx, notice: Notice, error: str, *, try_at: datetime) -> None:
    """Another attempt at `try_at`."""
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


def _notice(row: Row[Any]) -> Notice:
    return Notice(**{name: getattr(row, name) for name in _COLUMNS if name != "facts"}, facts=_facts(row.facts))


def _values(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in _COLUMNS} | {"facts": _json(notice.facts)}


def _json(facts: Facts | Refusal | None) -> dict[str, Any]:
    match facts:
        case Facts():
            told = asdict(facts)
            return told | {
                "start": facts.start.isoformat(),
                "duration": facts.duration // timedelta(minutes=1),
                "sites": list(facts.sites),
            }
        case Refusal():
            return {"declined": facts.site, "over": facts.over}
        case None:
            return {}


def _facts(stored: Mapping[str, Any]) -> Facts | Refusal | None:
    if not stored:
        return None
    if "declined" in stored:
        return Refusal(site=stored["declined"], over=stored["over"])
    return Facts(
        site=stored["site"],
        start=datetime.fromisoformat(stored["start"]),
        duration=timedelta(minutes=stored["duration"]),
        timezone=stored["timezone"],
        join_url=stored["join_url"],
        room=stored["room"],
        sites=tuple(stored["sites"]),
        host=stored["host"],
    )


# Asked by people


async def seen(
    tx: Tx,
    actor: Actor,
    directory: Directory,
    state: Seen | None,
    after: tuple[datetime, str] | None,
    *,
    limit: int,
) -> list[NoticeView]:
    """The notices that somebody sees, the latest due first, behind a (due, id)."""
    query = select(notices, sessions.c.timezone).join(sessions).where(_seen_by(actor, directory))
    if state is not None:
        query = query.where(notices.c.state.in_(("due", "leased") if state == "due" else (state,)))
    if after is not None:
        query = query.where(tuple_(notices.c.due_at, notices.c.id) < after)
    query = query.order_by(notices.c.due_at.desc(), notices.c.id.desc()).limit(limit)
    return [NoticeView.of(_notice(row), row.timezone) for row in await tx.execute(query)]


def _seen_by(actor: Actor, directory: Directory) -> ColumnElement[bool]:
    """`access.may` "read_notices", as a condition."""
    if actor.role == "admin":
        return true()
    own = sorted(actor.sites)
    hosted = [
        and_(
            sessions.c.network == network,
            sessions.c.host_site.in_([site.code for site in directory.sites.values() if network in site.networks]),
        )
        for network in sorted(actor.networks)
    ]
    return or_(notices.c.site.in_(own), sessions.c.host_site.in_(own), *hosted)


async def locked(tx: Tx, notice_id: str) -> tuple[Notice | None, Session | None]:
    """A notice, kept from being claimed or settled until the transaction ends, and its session."""
    row = (await tx.execute(select(notices).where(notices.c.id == notice_id).with_for_update())).one_or_none()
    return (_notice(row), await booking.session(tx, row.session_id)) if row else (None, None)


async def retry(tx: Tx, notice: Notice, now: datetime) -> Notice:
    """A failed notice is due again now."""
    again = replace(notice, state="due", try_at=now)
    await tx.execute(update(notices).where(notices.c.id == notice.id).values(state=again.state, try_at=again.try_at))
    return again
