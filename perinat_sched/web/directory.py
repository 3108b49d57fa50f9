"""Who one is, and the configured network: sites, rooms, bridges, networks, kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web

from perinat_sched.errors import NotFound
from perinat_sched.sites.network import Directory, OpeningHours, Room, Site
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery, Paging
from perinat_sched.web.schemas.directory import (
    BridgeList,
    BridgeOut,
    ClosureList,
    ClosureOut,
    Days,
    InLanguages,
    KindList,
    KindOut,
    LevelOut,
    Me,
    NetworkList,
    NetworkOut,
    OpeningHoursOut,
    RoomList,
    RoomOut,
    SiteList,
    SiteOut,
    Weekday,
)
from perinat_sched.web.views import MINUTE, written

T = TypeVar("T")

WEEKDAYS: tuple[Weekday, ...] = ("mo", "tu", "we", "th", "fr", "sa", "su")


async def me(call: Call[NoQuery, None]) -> web.Response:
    token = await call.services.tokens.read(call.actor.token)
    return answer(
        Me(
            token=token.id,
            name=token.name,
            role=token.role,
            sites=list(token.sites),
            networks=list(token.networks),
            person=token.person,
            expires_at=written(token.expires_at, "UTC"),
        )
    )


async def sites(call: Call[Paging, None]) -> web.Response:
    directory = call.services.directory
    page, following = paged(call, list(directory.sites.values()))
    return answer(SiteList(items=[_site(directory, site) for site in page], next=following))


async def site(call: Call[NoQuery, None]) -> web.Response:
    directory = call.services.directory
    found = directory.sites.get(call.path("code"))
    if found is None:
        raise NotFound
    return answer(_site(directory, found))


async def rooms(call: Call[Paging, None]) -> web.Response:
    directory = call.services.directory
    page, following = paged(call, list(directory.rooms.values()))
    return answer(RoomList(items=[_room(directory, room) for room in page], next=following))


async def bridges(call: Call[Paging, None]) -> web.Response:
    page, following = paged(call, list(call.services.directory.bridges.values()))
    items = [BridgeOut(code=b.code, name=b.name, ports=b.ports, networks=list(b.networks)) for b in page]
    return answer(BridgeList(items=items, next=following))


async def networks(call: Call[Paging, None]) -> web.Response:
    page, following = paged(call, list(call.services.directory.networks.values()))
    return answer(NetworkList(items=[NetworkOut(code=n.code, name=n.name) for n in page], next=following))


async def kinds(call: Call[Paging, None]) -> web.Response:
    page, following = paged(call, list(call.services.directory.kinds.values()))
    items = [
        KindOut(
            code=kind.code,
            name=InLanguages(**kind.name),
            title=InLanguages(**kind.title),
            priority=kind.priority,
            duration_minutes=kind.duration_minutes,
            minimum_notice_hours=kind.limits.minimum_notice_hours,
            reminders=[reminder.text for reminder in kind.reminders],
        )
        for kind in page
    ]
    return answer(KindList(items=items, next=following))


async def closures(call: Call[Days, None]) -> web.Response:
    found = await call.services.closures.of_site(call.path("code"), call.query.first, call.query.last)
    zone = call.services.directory.sites[call.path("code")].timezone
    page, following = paged(call, found)
    items = [
        ClosureOut(
            since=written(closure.interval.start, zone),
            until=written(closure.interval.end, zone),
            reason=closure.reason,
            source=closure.source,
        )
        for closure in page
    ]
    return answer(ClosureList(items=items, next=following))


P = TypeVar("P", bound=Paging)


def paged(call: Call[P, None], items: Sequence[T]) -> tuple[Sequence[T], str | None]:
    """A part of a short list, and the cursor of the next part."""
    cursors, context = call.services.cursors, call.context()
    first = int(cursors.open(context, call.query.cursor)[0]) if call.query.cursor else 0
    last = first + call.query.limit
    return items[first:last], cursors.seal(context, [str(last)]) if last < len(items) else None


def _room(directory: Directory, room: Room) -> RoomOut:
    margins = directory.margins(None, directory.sites[room.site], room)
    return RoomOut(
        code=room.code,
        site=room.site,
        name=room.name,
        seats=room.seats,
        endpoint=room.endpoint,
        set_up_minutes=margins.set_up // MINUTE,
        release_minutes=margins.release // MINUTE,
    )


def _site(directory: Directory, site: Site) -> SiteOut:
    margins = directory.margins(None, site, None)
    return SiteOut(
        code=site.code,
        name=site.name,
        kind=site.kind,
        legal_status=site.legal_status,
        levels=[LevelOut(since=level.since.isoformat(), level=level.level) for level in site.levels],
        finess=site.finess,
        city=site.city,
        phone=site.phone,
        timezone=site.timezone,
        holidays=site.holidays,
        language=site.language,
        networks=list(site.networks),
        answers=site.answers,
        active=site.active,
        opening_hours=[_hours(hours) for hours in site.opening_hours],
        rooms=[_room(directory, room) for room in site.rooms],
        set_up_minutes=margins.set_up // MINUTE,
        release_minutes=margins.release // MINUTE,
        minimum_notice_hours=directory.minimum_notice(None, [site]) // (60 * MINUTE),
        max_duration_minutes=directory.max_duration(None, site) // MINUTE,
    )


def _hours(hours: OpeningHours) -> OpeningHoursOut:
    return OpeningHoursOut(
        days=[WEEKDAYS[day] for day in sorted(hours.weekdays)],
        opens=_clock(hours.opens),
        closes=_clock(hours.closes),
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
