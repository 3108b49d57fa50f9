"""Feeds in rows: what each shows and whose it is, under the SHA-256 of the secret in its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from perinat_sched.booking import store as booking_store
from perinat_sched.feeds.edition import Facts
from perinat_sched.feeds.window import Window
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Detail
from perinat_sched.people.store import TokenRow
from perinat_sched.sites.network import Directory, Language, Network, Room, Site
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import feed_editions, feed_readings, feeds, participations, series, sessions, tokens

Scope = Literal["site", "room", "network"]

LATELY = 256  # questions about feeds that are kept as they were put: putting one is dearer than asking it


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """When a feed was read, and by which calendar program ("" where it did not say)."""

    at: datetime
    by: str


def places(scope: Scope, directory: Directory) -> Mapping[str, Site] | Mapping[str, Room] | Mapping[str, Network]:
    """Whose feeds there may be, by code."""
    match scope:
        case "site":
            return directory.sites
        case "room":
            return directory.rooms
        case "network":
            return directory.networks


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What stands behind an address."""

    feed: Feed
    owner: TokenRow
    recorded: tuple[str, Facts] | None  # what the variant was made from when last made (SHA-256); what is said of it


async def find(tx: Tx, hashed: str, variant: str) -> Found | None:
    """The feed with this hash (SHA-256, hexadecimal), revoked ones included. One statement: most rebuilds need no more
    of all this than to see that it is as it was."""
    row = (await tx.execute(_FIND, {"secret": hashed, "as_variant": variant})).one_or_none()
    if row is None:
        return None
    return Found(feed=_feed(row), owner=people_store.read(row), recorded=None if row.state is None else _recorded(row))


async def by_id(tx: Tx, feed_id: str) -> Feed | None:
    """The feed with this id, revoked ones included."""
    return _one(await _where(tx, feeds.c.id == feed_id))


async def of_owner(tx: Tx, owner: str | None) -> Sequence[Feed]:
    """The feeds that are not revoked, of one token or (None) of all, the oldest first."""
    return await _where(tx, and_(feeds.c.revoked_at.is_(None), feeds.c.owner == owner if owner else true()))


async def rename(tx: Tx, feed_id: str, label: str) -> None:
    await tx.execute(update(feeds).where(feeds.c.id == feed_id).values(label=label))


async def revoke(tx: Tx, feed_id: str, at: datetime) -> str | None:
    """Revoke a feed; its secret's hash, or None where it is revoked already, or unknown."""
    living = and_(feeds.c.id == feed_id, feeds.c.revoked_at.is_(None))
    ended: str | None = await tx.scalar(update(feeds).where(living).values(revoked_at=at).returning(feeds.c.hash))
    return ended


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shown:
    """The sessions that a feed shows: two conditions, of a session and of the place at which it is seen."""

    session: ColumnElement[bool]
    place: ColumnElement[bool] | None  # of a session at most one place fits; None: it is seen wherever it is

    @property
    def where(self) -> ColumnElement[bool]:
        """Both, of a session."""
        if self.place is None:
            return self.session
        return and_(self.session, sessions.c.id.in_(select(participations.c.session_id).where(self.place)))


@lru_cache(maxsize=LATELY)
def shown(feed: Feed, day: date, window: Window, *, cancelled: bool = True) -> Shown:
    """What a feed shows on a day (UTC), with or without cancelled sessions.

    A series of which one date is within the window is shown with all its dates: its rule, its first date and its
    exceptions stay as they are while the window moves over it.
    """
    within = booking_store.overlapping(window.on(day))
    running = select(sessions.c.series).where(within, sessions.c.series.is_not(None)).correlate(None)
    ended_late = sessions.c.ends > window.cancelled_since(day) if cancelled else false()
    conditions = (
        or_(within, sessions.c.series.in_(running)),
        or_(sessions.c.status != "cancelled", ended_late),
        sessions.c.kind.in_(feed.kinds) if feed.kinds else true(),
    )
    match feed.scope:
        case "network":
            return Shown(session=and_(*conditions, sessions.c.network == feed.of), place=None)
        case "room":  # a place that is freed loses its room; a cancelled session still says where it was
            there = participations.c.room == feed.of
        case "site":
            there = participations.c.site == feed.of
    return Shown(session=and_(*conditions), place=and_(there, participations.c.answer != "declined"))


async def listed(tx: Tx, shown: Shown) -> str:
    """Which sessions in which revisions, as `id:revision,…`: another text whenever anything in them changed.

    A date of a series says so: `id:revision:series:revision`.
    """
    return await tx.scalar(_listing(shown)) or ""


@lru_cache(maxsize=LATELY)
def _listing(shown: Shown) -> Select[tuple[str]]:
    """Read from the places, whose index is in the order of the list: so nothing is sorted, or gathered before."""
    counted = select(series.c.revision.cast(String)).where(series.c.id == sessions.c.series).scalar_subquery()
    date = ":" + sessions.c.series + ":" + func.coalesce(counted, "")
    of_series = case((sessions.c.series.is_(None), ""), else_=date)
    entry = (sessions.c.id + ":" + sessions.c.revision.cast(String) + of_series).label("entry")
    entries = select(entry).where(shown.session)
    if shown.place is None:
        ordered = entries.order_by(sessions.c.id).subquery()
    else:
        of_session = sessions.c.id == participations.c.session_id
        seen = entries.join_from(participations, sessions, of_session).where(shown.place)
        ordered = seen.order_by(participations.c.session_id).subquery()
    return select(func.aggregate_strings(ordered.c.entry, ","))


def _recorded(row: Row[Any]) -> tuple[str, Facts]:
    return row.state, Facts(
        digest=row.digest, plain_bytes=row.plain_bytes, packed_bytes=row.packed_bytes, changed_at=row.changed_at
    )


async def record_edition(
    tx: Tx, feed_id: str, variant: str, state: str, made: Facts, now: datetime, before: tuple[str, Facts] | None
) -> Facts:
    """Keep what was made; gives it with the instant at which its bytes last changed.

    `before` is what was last read of it. Where another node has written something else since, that is read again.
    """
    name = {"of_feed": feed_id, "as_variant": variant}
    if before is not None:
        told = _dated(made, before[1].digest, before[1].changed_at, now)
        known = {"known_digest": before[1].digest, "known_since": before[1].changed_at}
        if (await tx.execute(_IF_KNOWN, name | known | {"state": state, **asdict(told)})).rowcount:
            return told
    row = (await tx.execute(_LOCKED, name)).one_or_none()
    if row is None:
        told = _dated(made, None, None, now)
        await tx.execute(insert(feed_editions), {"feed": feed_id, "variant": variant, "state": state, **asdict(told)})
    else:
        told = _dated(made, row.digest, row.changed_at, now)
        await tx.execute(_UPDATE, name | {"state": state, **asdict(told)})
    return told


def _dated(made: Facts, digest: str | None, changed_at: datetime | None, now: datetime) -> Facts:
    """What was made, with the instant since which its bytes are so, where those before had a digest and instant.

    It rises by a second at least with every change, whatever the clocks of the nodes say: a client compares seconds.
    """
    if digest == made.digest or changed_at is None:
        return replace(made, changed_at=changed_at or now.replace(microsecond=0))
    return replace(made, changed_at=max(now.replace(microsecond=0), changed_at + timedelta(seconds=1)))


_FEED = [column.label(f"feed_{column.name}") for column in feeds.c]
_FIND = (
    select(tokens, *_FEED, *(feed_editions.c[name] for name in ("state", *Facts.__slots__)))
    .join_from(feeds, tokens, tokens.c.id == feeds.c.owner)
    .outerjoin(
        feed_editions, and_(feed_editions.c.feed == feeds.c.id, feed_editions.c.variant == bindparam("as_variant"))
    )
    .where(feeds.c.hash == bindparam("secret"))
)
_THIS = and_(feed_editions.c.feed == bindparam("of_feed"), feed_editions.c.variant == bindparam("as_variant"))
_LOCKED = select(feed_editions).where(_THIS).with_for_update()
_UPDATE = update(feed_editions).where(_THIS)
_IF_KNOWN = _UPDATE.where(
    feed_editions.c.digest == bindparam("known_digest"), feed_editions.c.changed_at == bindparam("known_since")
)


async def readings(tx: Tx, feed_ids: Iterable[str]) -> dict[str, Reading]:
    """Who read each of these feeds last; one that was never read is not in it."""
    rows = await tx.execute(select(feed_readings).where(feed_readings.c.feed.in_(sorted(feed_ids))))
    return {row.feed: Reading(at=row.last_read_at, by=row.last_read_by) for row in rows}


async def record_readings(tx: Tx, found: Mapping[str, Reading]) -> None:
    """Keep who read each feed last, unless another node knows of a later reading."""
    known = await readings(tx, found)
    for feed_id, reading in sorted(found.items()):
        values = {"last_read_at": reading.at, "last_read_by": reading.by}
        if feed_id not in known:
            await tx.execute(insert(feed_readings).values(feed=feed_id, **values))
        elif known[feed_id].at < reading.at:
            await tx.execute(update(feed_readings).where(feed_readings.c.feed == feed_id).values(**values))


async def _where(tx: Tx, condition: ColumnElement[bool]) -> Sequence[Feed]:
    rows = await tx.execute(select(*_FEED).where(condition).order_by(feeds.c.created_at, feeds.c.id))
    return [_feed(row) for row in rows]


def _one(found: Iterable[Feed]) -> Feed | None:
    return next(iter(found), None)


def _feed(row: Row[Any]) -> Feed:
    return Feed(
        id=row.feed_id,
        owner=row.feed_owner,
        scope=row.feed_scope,
        of=row.feed_of,
        detail=row.feed_detail,
        label=row.feed_label,
        language=row.feed_language,
        kinds=tuple(row.feed_kinds),
        created_at=row.feed_created_at,
        revoked_at=row.feed_revoked_at,
    )
