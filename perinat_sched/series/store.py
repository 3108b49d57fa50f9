"""Series in rows: what was asked for, and the dates left out with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, true, tuple_, update

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.availability.ground import Hold
from perinat_sched.booking.session import Draft
from perinat_sched.i18n import Message
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, networks_of
from perinat_sched.series.series import WALL, Series
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import left_out, series

MINUTE = timedelta(minutes=1)
LeftOut = Mapping[datetime, Sequence[Conflict]]  # recurrence → why


async def find(tx: Tx, series_id: str, *, lock: bool = False) -> Series | None:
    """`lock`: kept from concurrent change until the transaction ends."""
    query = select(series).where(series.c.id == series_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    return _series(row) if row else None


async def with_ids(tx: Tx, ids: Iterable[str]) -> dict[str, Series]:
    """Series by their ids; no statement where there are none."""
    wanted = sorted(set(ids))
    return {one.id: one for one in await where(tx, series.c.id.in_(wanted))} if wanted else {}


async def where(tx: Tx, condition: ColumnElement[bool]) -> list[Series]:
    return [_series(row) for row in await tx.execute(select(series).where(condition))]


async def page(tx: Tx, actor: Actor, directory: Directory, after: tuple[str, str] | None, limit: int) -> list[Series]:
    """The series the caller sees in a network or hosts, by first date, then id."""
    conditions = [_seen_by(actor, directory)]
    if after is not None:
        conditions.append(tuple_(series.c.wall_start, series.c.id) > after)
    query = select(series).where(and_(*conditions)).order_by("wall_start", "id").limit(limit)
    return [_series(row) for row in await tx.execute(query)]


def _seen_by(actor: Actor, directory: Directory) -> ColumnElement[bool]:
    """A superset of what `access.sight` shows: sites stand in lists here, so the caller looks again."""
    if actor.role == "admin":
        return true()
    networks = actor.networks | networks_of(actor.sites, directory)
    return or_(series.c.network.in_(sorted(networks)), series.c.host_site.in_(sorted(actor.sites)))


async def left_out_of(tx: Tx, series_id: str) -> LeftOut:
    return (await left_out_of_all(tx, [series_id])).get(series_id, {})


async def left_out_of_all(tx: Tx, series_ids: Sequence[str]) -> dict[str, dict[datetime, list[Conflict]]]:
    """By series, where it has any."""
    found: dict[str, dict[datetime, list[Conflict]]] = {}
    for row in await tx.execute(select(left_out).where(left_out.c.series_id.in_(series_ids))):
        dates = found.setdefault(row.series_id, {})
        dates[datetime.fromisoformat(row.recurrence_id)] = [_conflict(one) for one in row.conflicts]
    return found


async def add(tx: Tx, new: Series, left: LeftOut) -> None:
    await tx.execute(insert(series).values(**_row(new)))
    await _leave_out(tx, new.id, left)


async def replace(tx: Tx, changed: Series, left: LeftOut) -> None:
    await tx.execute(update(series).where(series.c.id == changed.id).values(**_row(changed)))
    await tx.execute(delete(left_out).where(left_out.c.series_id == changed.id))
    await _leave_out(tx, changed.id, left)


async def _leave_out(tx: Tx, series_id: str, left: LeftOut) -> None:
    rows = [
        {"series_id": series_id, "recurrence_id": f"{wall:{WALL}}", "conflicts": [_kept(one) for one in conflicts]}
        for wall, conflicts in left.items()
    ]
    if rows:
        await tx.execute(insert(left_out), rows)


def _row(of: Series) -> dict[str, Any]:
    draft = of.session
    return {
        "id": of.id,
        "uid": of.uid,
        "revision": of.revision,
        "sequence": of.sequence,
        "kind": draft.kind,
        "title": draft.title,
        "description": draft.description,
        "network": draft.network,
        "host_site": draft.host_site,
        "wall_start": f"{draft.wall_start:{WALL}}",
        "timezone": draft.timezone,
        "fold": of.fold,
        "duration_minutes": draft.duration // MINUTE,
        "required_sites": list(draft.required_sites),
        "optional_sites": list(draft.optional_sites),
        "rooms": dict(draft.rooms),
        "join_url": draft.join_url,
        "access_code": draft.access_code,
        "override_reason": draft.override_reason,
        "rrule": of.rrule,
        "dates": list(of.dates),
        "exclude": list(of.exclude),
        "exclude_holidays_of": list(of.exclude_holidays_of),
        "on_conflict": of.on_conflict,
        "override": list(of.override),
        "follows": of.follows,
        "created_at": of.created_at,
        "updated_at": of.updated_at,
    }


def _series(row: Row[Any]) -> Series:
    wall = datetime.fromisoformat(row.wall_start)
    return Series(
        id=row.id,
        uid=row.uid,
        revision=row.revision,
        sequence=row.sequence,
        session=Draft(
            kind=row.kind,
            title=row.title,
            description=row.description,
            network=row.network,
            host_site=row.host_site,
            wall_start=wall,
            timezone=row.timezone,
            fold=row.fold or 0,
            start=wall.replace(tzinfo=UTC),  # of no date in particular
            duration=row.duration_minutes * MINUTE,
            required_sites=tuple(row.required_sites),
            optional_sites=tuple(row.optional_sites),
            rooms=row.rooms,
            join_url=row.join_url,
            access_code=row.access_code,
            override_reason=row.override_reason,
        ),
        fold=row.fold,
        rrule=row.rrule,
        dates=tuple(row.dates),
        exclude=tuple(row.exclude),
        exclude_holidays_of=tuple(row.exclude_holidays_of),
        on_conflict=row.on_conflict,
        override=tuple(row.override),
        follows=row.follows,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _kept(one: Conflict) -> dict[str, Any]:
    """A reason as it is kept: the texts of the day, and whom to ring."""
    return {
        "code": one.code,
        "text": one.message.text,
        "values": {name: value if isinstance(value, int) else str(value) for name, value in one.message.values.items()},
        "site": one.site,
        "room": one.room,
        "bridge": one.bridge,
        "interval": _seconds(one.interval) if one.interval else None,
        "hold": [one.hold.session, one.hold.host, one.hold.network, _seconds(one.hold.around)] if one.hold else None,
    }


def _conflict(kept: Mapping[str, Any]) -> Conflict:
    hold = None
    if kept["hold"]:
        session, host, network, around = kept["hold"]
        span = _interval(around)
        hold = Hold(session=session, host=host, network=network, interval=span, around=span)
    return Conflict(
        code=kept["code"],
        message=Message(kept["text"], **kept["values"]),
        site=kept["site"],
        room=kept["room"],
        bridge=kept["bridge"],
        interval=_interval(kept["interval"]) if kept["interval"] else None,
        hold=hold,
    )


def _seconds(interval: Interval) -> list[int]:
    return [int(interval.start.timestamp()), int(interval.end.timestamp())]


def _interval(seconds: Iterable[int]) -> Interval:
    start, end = (datetime.fromtimestamp(second, UTC) for second in seconds)
    return Interval(start, end)
