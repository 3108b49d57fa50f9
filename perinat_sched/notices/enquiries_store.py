"""What people ask of notices, in rows: what became of a mail, and to have a failed one sent again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, true, tuple_, update

from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Notice, NoticeView, Seen
from perinat_sched.notices.store import notice_of
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices, sessions


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
    return [NoticeView.of(notice_of(row), row.timezone) for row in await tx.execute(query)]


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """How far delivery is with its mails."""

    waiting: int  # their time has come
    waiting_since: datetime | None  # the first of them
    failed: int
    to_come: int
    last_sent: datetime | None


async def backlog(tx: Tx, now: datetime) -> Backlog:
    """Counted in one statement."""
    c = notices.c
    open_, late = c.state.in_(("due", "leased")), c.due_at <= now
    query = select(
        func.count().filter(open_, late).label("waiting"),
        func.min(c.due_at).filter(open_, late).label("waiting_since"),
        func.count().filter(c.state == "failed").label("failed"),
        func.count().filter(open_, c.due_at > now).label("to_come"),
        func.max(c.sent_at).label("last_sent"),
    )
    return Backlog(**(await tx.execute(query)).mappings().one())


async def locked(tx: Tx, notice_id: str) -> tuple[Notice | None, Session | None]:
    """A notice, kept from being claimed or settled until the transaction ends, and its session."""
    row = (await tx.execute(select(notices).where(notices.c.id == notice_id).with_for_update())).one_or_none()
    return (notice_of(row), await booking.session(tx, row.session_id)) if row else (None, None)


async def failed_and_useful(tx: Tx, now: datetime) -> list[tuple[Notice, str]]:
    """The failed notices whose time is not over, each with its session, kept until the transaction ends."""
    useful = and_(notices.c.state == "failed", notices.c.expires_at > now)
    found = await tx.execute(select(notices).where(useful).order_by(notices.c.id).with_for_update())
    return [(notice_of(row), row.session_id) for row in found]


async def retry(tx: Tx, notice: Notice, now: datetime) -> Notice:
    """A failed notice is due again now."""
    again = replace(notice, state="due", try_at=now)
    await tx.execute(update(notices).where(notices.c.id == notice.id).values(state=again.state, try_at=again.try_at))
    return again
