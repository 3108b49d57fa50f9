"""Sessions and what they hold, in rows.

Reading many sessions costs two statements, whatever their number. Every change of a session is written here, whole:
row, participations, holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from perinat_sched import zones
from perinat_sched.availability.conflicts import Fit
from perinat_sched.availability.store import LONGEST_HOLD, EnteredClosure
from perinat_sched.booking.session import Participation, Session
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, networks_of
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import holds, meta, participations, series, sessions

WALL = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionFilter:
    """What a list of sessions is narrowed to; days are those of each session's host, both included."""

    site: str | None = None
    network: str | None = None
    kind: str | None = None
    status: str | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A room or bridge that a session takes."""

    resource: tuple[str, str]  # ("room" | "bridge", code)
    interval: Interval
    around: Interval
    units: int


def held_by(fit: Fit | None) -> list[Held]:
    """What a session takes where it fits: the rooms of the places it holds, and the ports. None: nothing."""
    if fit is None:
        return []
    taken = [
        Held(resource=("room", place.room.code), interval=fit.interval, around=place.around(fit.interval), units=1)
        for place in fit.places
        if place.held and place.room
    ]
    if fit.bridge and fit.bridge_interval:
        window = fit.bridge_interval
        taken.append(Held(resource=("bridge", fit.bridge), interval=window, around=window, units=fit.ports))
    return taken


async def sessions_where(tx: Tx, condition: ColumnElement[bool], *, limit: int | None = None) -> list[Session]:
    """Sessions by start, then id. Two statements, whatever the number."""
    rows = (await tx.execute(select(sessions).where(condition).order_by("starts", "id").limit(limit))).all()
    chosen = select(sessions.c.id).where(condition)
    if limit is not None:
        chosen = chosen.where(sessions.c.id.in_([row.id for row in rows]))
    query = select(participations).where(participations.c.session_id.in_(chosen)).order_by("session_id", "position")
    return _whole(rows, await tx.execute(query))


async def sessions_of(tx: Tx, ids: Sequence[str]) -> list[Session]:
    """The sessions of a few ids, likewise; one statement, put once, for feeds that look at one session anew."""
    rows = (await tx.execute(_OF_IDS, {"ids": ids})).all()
    return _whole({row.id: row for row in rows}.values(), rows)


_OF_IDS = (
    select(sessions, participations)
    .join(participations, participations.c.session_id == sessions.c.id)  # every session has its host's
    .where(sessions.c.id.in_(bindparam("ids", expanding=True)))
    .order_by("starts", "id", "position")
)


def _whole(rows: Iterable[Row[Any]], of_all: Iterable[Row[Any]]) -> list[Session]:
    """Sessions from their rows and those of their participations."""
    parts: dict[str, list[Participation]] = {}
    for row in of_all:
        parts.setdefault(row.session_id, []).append(_participation(row))
    return [_session(row, parts.get(row.id, ())) for row in rows]


async def session(tx: Tx, session_id: str) -> Session | None:
    found = await sessions_where(tx, sessions.c.id == session_id)
    return found[0] if found else None


async def lock_session(tx: Tx, session_id: str) -> Session | None:
    """The session, kept from concurrent change until the transaction ends. On SQLite the writer is alone anyway.

    Its series before it, as everybody locks them: a change of the session may count there, too.
    """
    its_series = select(sessions.c.series).where(sessions.c.id == session_id).scalar_subquery()
    await tx.execute(select(series.c.id).where(series.c.id == its_series).with_for_update())
    await lock_sessions(tx, sessions.c.id == session_id)
    return await session(tx, session_id)


async def lock_sessions(tx: Tx, condition: ColumnElement[bool]) -> None:
    """Keep sessions from concurrent change until the transaction ends.

    In the order of their ids, so that of two who do so one waits for the other.
    """
    await tx.execute(select(sessions.c.id).where(condition).order_by("id").with_for_update(key_share=True))


def hit_by(closure: EnteredClosure) -> ColumnElement[bool]:
    """The sessions, not cancelled, that take place in what is closed."""
    taking_part = select(participations.c.session_id).where(
        participations.c.site == closure.code, participations.c.answer != "declined"
    )
    in_place = {
        "site": sessions.c.id.in_(taking_part),
        "room": where_room(closure.code),
        "bridge": sessions.c.bridge == closure.code,
    }
    return and_(overlapping(closure.interval), sessions.c.status != "cancelled", in_place[closure.scope])


async def add(tx: Tx, new: Session, taken: Iterable[Held], resource_ids: Mapping[tuple[str, str], int]) -> None:
    """Insert a session with its participations and holds."""
    await add_many(tx, [(new, taken)], resource_ids)


async def add_many(
    tx: Tx, new: Sequence[tuple[Session, Iterable[Held]]], resource_ids: Mapping[tuple[str, str], int]
) -> None:
    """Insert sessions with what they hold. Three statements, whatever their number."""
    if new:
        await tx.execute(insert(sessions), [_row(session) for session, _ in new])
        await _write_parts(tx, new, resource_ids)


async def replace(
    tx: Tx, new: Session, taken: Iterable[Held] | None, resource_ids: Mapping[tuple[str, str], int]
) -> None:
    """Write a changed session; `taken` None leaves what it holds as it is."""
    await replace_many(tx, [(new, taken)], resource_ids)


async def replace_many(
    tx: Tx, changed: Sequence[tuple[Session, Iterable[Held] | None]], resource_ids: Mapping[tuple[str, str], int]
) -> None:
    """Write changed sessions, as `replace` writes one. Five statements, whatever their number.

    What they all held is freed before any takes something anew, so that they may change places with one another.
    """
    if not changed:
        return
    everyone = [{"row": session.id} for session, _ in changed]
    freed = [{"row": session.id} for session, taken in changed if taken is not None]
    rows = [_row(session) | {"row": session.id} for session, _ in changed]
    await tx.execute(update(sessions).where(sessions.c.id == bindparam("row")), rows)
    await tx.execute(delete(participations).where(participations.c.session_id == bindparam("row")), everyone)
    if freed:
        await tx.execute(delete(holds).where(holds.c.session_id == bindparam("row")), freed)
    await _write_parts(tx, changed, resource_ids)


async def _write_parts(
    tx: Tx, written: Sequence[tuple[Session, Iterable[Held] | None]], resource_ids: Mapping[tuple[str, str], int]
) -> None:
    """Participations and holds; these resource by resource, as every writer takes them."""
    parts = [_part(session, position) for session, _ in written for position in range(len(session.participations))]
    await tx.execute(insert(participations), parts)
    rows = {(resource_ids[held.resource], session.id): held for session, taken in written for held in taken or ()}
    if rows:
        await tx.execute(
            insert(holds), [_hold(owner, resource, rows[resource, owner]) for resource, owner in sorted(rows)]
        )


def matching(
    wanted: SessionFilter, actor: Actor, directory: Directory, after: tuple[datetime, str] | None
) -> ColumnElement[bool]:
    """The sessions of a list: those the caller sees, narrowed, behind a (start, id)."""
    conditions = [_seen_by(actor, directory)]
    if wanted.site is not None:
        # Asking by site would tell who takes part, so it finds only what the caller sees in full.
        conditions += [where_site([wanted.site]), _seen_in_full_by(actor)]
    for name in ("network", "kind", "status"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(sessions.c[name] == value)
    if wanted.first_day or wanted.last_day:
        conditions.append(_on_days(wanted.first_day, wanted.last_day, directory))
    if after is not None:
        start, last = after
        conditions.append(or_(sessions.c.starts > start, and_(sessions.c.starts == start, sessions.c.id > last)))
    return and_(*conditions)


def _on_days(first: date | None, last: date | None, directory: Directory) -> ColumnElement[bool]:
    """Starts on these days by the clock of each session's host."""
    by_zone: dict[str, list[str]] = {}
    for site in directory.sites.values():
        by_zone.setdefault(site.timezone, []).append(site.code)

    def in_zone(zone: str, hosts: list[str]) -> ColumnElement[bool]:
        return and_(sessions.c.host_site.in_(hosts), _between(zone, first, last))

    known = or_(*(in_zone(zone, hosts) for zone, hosts in by_zone.items()))
    gone = sessions.c.host_site.not_in(list(directory.sites))  # left the configuration: its clock is not known
    return or_(known, and_(gone, _between("UTC", first, last)))


def _between(zone: str, first: date | None, last: date | None) -> ColumnElement[bool]:
    days: list[ColumnElement[bool]] = [true()]
    if first:
        days.append(sessions.c.starts >= zones.start_of_day(first, zone))
    if last:
        days.append(sessions.c.starts < zones.start_of_day(last + timedelta(days=1), zone))
    return and_(*days)


def _seen_by(actor: Actor, directory: Directory) -> ColumnElement[bool]:
    """`access.sight` other than "none", as a condition."""
    if actor.role != "coordinator":
        return _seen_in_full_by(actor)
    networks = actor.networks | networks_of(actor.sites, directory)
    return or_(sessions.c.network.in_(sorted(networks)), where_site(actor.sites))


def _seen_in_full_by(actor: Actor) -> ColumnElement[bool]:
    """`access.sight` "full", as a condition."""
    if actor.role == "admin":
        return true()
    if actor.role == "clinician":
        return where_site(actor.sites)
    return or_(sessions.c.network.in_(sorted(actor.networks)), where_site(actor.sites))


def standing(
    window: Interval, actor: Actor, directory: Directory, *, site: str | None, room: str | None, network: str | None
) -> ColumnElement[bool]:
    """The sessions of a place within a window that the caller sees, but the cancelled ones."""
    wanted = SessionFilter(site=directory.rooms[room].site if room else site, network=network)
    conditions = [matching(wanted, actor, directory, None), overlapping(window), sessions.c.status != "cancelled"]
    return and_(*conditions, where_room(room) if room else true())


def with_ids(ids: Iterable[str]) -> ColumnElement[bool]:
    return sessions.c.id.in_(sorted(ids))


def waiting_for(site: str, now: datetime) -> ColumnElement[bool]:
    """Sessions to come for which a site has not said yes or no, or has lost the place it had."""
    undecided = or_(participations.c.answer.in_(("pending", "tentative")), participations.c.lost)
    asked = select(participations.c.session_id).where(participations.c.site == site, undecided)
    return and_(sessions.c.ends > now, sessions.c.status != "cancelled", sessions.c.id.in_(asked))


def to_come(now: datetime, within: Interval | None = None) -> ColumnElement[bool]:
    """Sessions, cancelled ones included, that begin after now; and, where it is given, within a span of time."""
    begins = [sessions.c.starts >= within.start, sessions.c.starts < within.end] if within else []
    return and_(sessions.c.starts > now, *begins)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a session stands in time, and the hour that was agreed upon."""

    interval: Interval  # with what it holds: set-up and release too
    wall_start: datetime
    timezone: str
    fold: int
    duration: timedelta


async def standings(tx: Tx, condition: ColumnElement[bool]) -> list[Standing]:
    """Where sessions stand. One statement."""
    s, first, last = sessions.c, func.min(holds.c.around_starts), func.max(holds.c.around_ends)
    query = select(s.starts, s.ends, s.wall_start, s.timezone, s.fold, first, last)
    query = query.outerjoin(holds, holds.c.session_id == s.id).where(condition).group_by(s.id)
    return [
        Standing(
            interval=Interval(min(starts, held_from or starts), max(ends, held_until or ends)),
            wall_start=datetime.fromisoformat(wall_start),
            timezone=timezone,
            fold=fold,
            duration=ends - starts,
        )
        for starts, ends, wall_start, timezone, fold, held_from, held_until in await tx.execute(query)
    ]


async def any_reckoned_otherwise(tx: Tx, condition: ColumnElement[bool], tzdata_version: str) -> bool:
    """Whether another version of the rules of clocks gave the instant of one of these sessions."""
    query = select(sessions.c.id).where(condition, sessions.c.tzdata_version != tzdata_version)
    return (await tx.execute(query.limit(1))).first() is not None


async def stamp(tx: Tx, condition: ColumnElement[bool], tzdata_version: str) -> None:
    """Note that this version of the rules of clocks gives the instants of these sessions."""
    other = sessions.c.tzdata_version != tzdata_version
    await tx.execute(update(sessions).where(condition, other).values(tzdata_version=tzdata_version))


async def count_series(tx: Tx, ids: Iterable[str], *, moved_at: datetime | None = None) -> None:
    """Count what changed of some dates in their series; `moved_at`: their rule says something else since then.

    Everybody locks a series before its sessions; who does not is alone in the database.
    """
    if chosen := sorted(set(ids)):
        counted: dict[str, Any] = {"revision": series.c.revision + 1}
        if moved_at is not None:
            counted |= {"sequence": series.c.sequence + 1, "updated_at": moved_at}
        await tx.execute(update(series).where(series.c.id.in_(chosen)).values(**counted))


async def plan_again(tx: Tx, condition: ColumnElement[bool]) -> None:
    """Let delivery look at these sessions again: who reads of them may have changed."""
    await tx.execute(update(sessions).where(condition, sessions.c.status != "cancelled").values(planned_revision=-1))


async def ground(tx: Tx) -> str | None:
    """The mark of the ground on which all sessions stood last."""
    return (await tx.execute(select(meta.c.value).where(meta.c.key == "ground"))).scalar_one_or_none()


async def note_ground(tx: Tx, mark: str) -> None:
    """Keep the mark of the ground on which all sessions stand now."""
    await tx.execute(delete(meta).where(meta.c.key == "ground"))
    await tx.execute(insert(meta).values(key="ground", value=mark))


def overlapping(window: Interval) -> ColumnElement[bool]:
    """Sessions that overlap a window of time."""
    return and_(
        sessions.c.starts < window.end,
        sessions.c.ends > window.start,
        sessions.c.starts > window.start - LONGEST_HOLD,
    )


def of_series(*series_ids: str) -> ColumnElement[bool]:
    """The occurrences of these series that were booked, cancelled ones included."""
    return sessions.c.series.in_(series_ids)


def where_site(sites: Iterable[str]) -> ColumnElement[bool]:
    """Sessions in which one of these sites takes part."""
    return sessions.c.id.in_(select(participations.c.session_id).where(participations.c.site.in_(sorted(sites))))


def where_room(room: str) -> ColumnElement[bool]:
    """Sessions that stand in a room, cancelled ones included."""
    return sessions.c.id.in_(select(participations.c.session_id).where(participations.c.room == room))


def _row(of: Session) -> dict[str, Any]:
    return {
        "id": of.id,
        "uid": of.uid,
        "revision": of.revision,
        "sequence": of.sequence,
        "status": of.status,
        "kind": of.kind,
        "title": of.title,
        "description": of.description,
        "network": of.network,
        "host_site": of.host_site,
        "wall_start": of.wall_start.strftime(WALL),
        "timezone": of.timezone,
        "fold": of.fold,
        "starts": of.start,
        "ends": of.end,
        "tzdata_version": of.tzdata_version,
        "bridge": of.bridge,
        "ports": of.ports,
        "bridge_lost": of.bridge_lost,
        "join_url": of.join_url,
        "access_code": of.access_code,
        "override_reason": of.override_reason,
        "series": of.series,
        "recurrence_id": of.recurrence.strftime(WALL) if of.recurrence else None,
        "cancellation_code": of.cancellation_code,
        "cancellation_reason": of.cancellation_reason,
        "created_at": of.created_at,
        "updated_at": of.updated_at,
    }


def _hold(session_id: str, resource_id: int, held: Held) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "resource_id": resource_id,
        "exclusive": held.resource[0] == "room",
        "starts": held.interval.start,
        "ends": held.interval.end,
        "around_starts": held.around.start,
        "around_ends": held.around.end,
        "units": held.units,
    }


def _part(of: Session, position: int) -> dict[str, Any]:
    part = of.participations[position]
    return {
        "session_id": of.id,
        "site": part.site,
        "position": position,
        "required": part.required,
        "room": part.room,
        "room_asked": part.room_asked,
        "answer": part.answer,
        "held": part.held,
        "overridden": part.overridden,
        "comment": part.comment,
        "lost": part.lost,
        "lost_room": part.lost_room,
    }


def _participation(row: Row[Any]) -> Participation:
    return Participation(
        site=row.site,
        required=row.required,
        room=row.room,
        room_asked=row.room_asked,
        answer=row.answer,
        held=row.held,
        overridden=row.overridden,
        comment=row.comment,
        lost=row.lost,
        lost_room=row.lost_room,
    )


def _session(row: Row[Any], parts: Sequence[Participation]) -> Session:
    return Session(
        id=row.id,
        uid=row.uid,
        revision=row.revision,
        sequence=row.sequence,
        status=row.status,
        kind=row.kind,
        title=row.title,
        description=row.description,
        network=row.network,
        host_site=row.host_site,
        wall_start=datetime.fromisoformat(row.wall_start),
        timezone=row.timezone,
        fold=row.fold,
        start=row.starts,
        duration=row.ends - row.starts,
        tzdata_version=row.tzdata_version,
        participations=tuple(parts),
        bridge=row.bridge,
        ports=row.ports,
        bridge_lost=row.bridge_lost,
        join_url=row.join_url,
        access_code=row.access_code,
        override_reason=row.override_reason,
        series=row.series,
        recurrence=datetime.fromisoformat(row.recurrence_id) if row.recurrence_id else None,
        cancellation_code=row.cancellation_code,
        cancellation_reason=row.cancellation_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
