"""Feeds in rows: what each shows and whose it is, under the SHA-256 of the secret in its address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, String, and_, func, insert, or_, select, true, update

from perinat_sched.booking import store as booking_store
from perinat_sched.feeds import calendar
from perinat_sched.people.access import Detail
from perinat_sched.sites.network import Language
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import feeds, participations, sessions

Scope = Literal["site", "room", "network"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """A feed without its secret: what it shows, how much of it, in which language, and since when."""

    id: str
    owner: str  # the id of the token it was made with: what that may see caps what is shown
    scope: Scope
    of: str  # the code of the site, room or network
    detail: Detail  # as asked for
    label: str  # what its owner calls it; may be empty
    language: Language
    kinds: tuple[str, ...]  # only these; empty: all
    created_at: datetime
    revoked_at: datetime | None = None


async def add(tx: Tx, feed: Feed, hashed: str) -> None:
    """Keep a new feed under its secret's hash (SHA-256, hexadecimal)."""
    await tx.execute(
        insert(feeds).values(
            id=feed.id,
            hash=hashed,
            owner=feed.owner,
            scope=feed.scope,
            of=feed.of,
            detail=feed.detail,
            label=feed.label,
            language=feed.language,
            kinds=list(feed.kinds),
            created_at=feed.created_at,
        )
    )


async def by_hash(tx: Tx, hashed: str) -> Feed | None:
    """The feed with this hash (SHA-256, hexadecimal), revoked ones included."""
    return _one(await _where(tx, feeds.c.hash == hashed))


async def by_id(tx: Tx, feed_id: str) -> Feed | None:
    """The feed with this id, revoked ones included."""
    return _one(await _where(tx, feeds.c.id == feed_id))


async def of_owner(tx: Tx, owner: str | None) -> Sequence[Feed]:
    """The feeds that are not revoked, of one token or (None) of all, the oldest first."""
    return await _where(tx, and_(feeds.c.revoked_at.is_(None), feeds.c.owner == owner if owner else true()))


async def revoke(tx: Tx, feed_id: str, at: datetime) -> bool:
    """Revoke a feed; False where it is revoked already, or unknown."""
    living = and_(feeds.c.id == feed_id, feeds.c.revoked_at.is_(None))
    done = await tx.execute(update(feeds).where(living).values(revoked_at=at))
    return done.rowcount == 1


def shown(feed: Feed, day: date) -> ColumnElement[bool]:
    """The sessions that a feed shows on a day (UTC)."""
    return and_(
        booking_store.overlapping(calendar.window(day)),
        or_(sessions.c.status != "cancelled", sessions.c.ends > calendar.cancelled_kept_since(day)),
        sessions.c.kind.in_(feed.kinds) if feed.kinds else true(),
        _in_scope(feed),
    )


def _in_scope(feed: Feed) -> ColumnElement[bool]:
    match feed.scope:
        case "network":
            return sessions.c.network == feed.of
        case "room":  # a place that is freed loses its room; a cancelled session still says where it was
            there = participations.c.room == feed.of
        case "site":
            there = participations.c.site == feed.of
    taking_part = select(participations.c.session_id).where(there, participations.c.answer != "declined")
    return sessions.c.id.in_(taking_part)


async def fingerprint(tx: Tx, condition: ColumnElement[bool]) -> str:
    """Which sessions in which revisions: another text whenever anything in them changed, on whatever node."""
    found = select(sessions.c.id, sessions.c.revision).where(condition).order_by(sessions.c.id).subquery()
    listed = func.aggregate_strings(found.c.id + ":" + found.c.revision.cast(String), ",")
    return hashlib.sha256(str(await tx.scalar(select(listed))).encode()).hexdigest()


async def _where(tx: Tx, condition: ColumnElement[bool]) -> Sequence[Feed]:
    rows = await tx.execute(select(feeds).where(condition).order_by(feeds.c.created_at, feeds.c.id))
    return [_feed(row) for row in rows]


def _one(found: Iterable[Feed]) -> Feed | None:
    return next(iter(found), None)


def _feed(row: Row[Any]) -> Feed:
    return Feed(
        id=row.id,
        owner=row.owner,
        scope=row.scope,
        of=row.of,
        detail=row.detail,
        label=row.label,
        language=row.language,
        kinds=tuple(row.kinds),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
