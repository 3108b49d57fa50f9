"""Sheets of paper: the week of a room for its door, and who was there, site by site, to be signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Participation, Session
from perinat_sched.errors import NotFound
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.sites.shut import place_of
from perinat_sched.web.desk.weeks.week import hours_of, place_named, span, standing
from perinat_sched.web.desk.words import STATUSES
from perinat_sched.web.schemas.base import LONGEST_CODE, QueryDay

LINES = 14  # to sign: what fits on a page of A4 with its head


class DoorQuery(PageQuery):
    """Any day of the week; today."""

    day: QueryDay | None = None


class AttendanceQuery(PageQuery):
    """The sheet of one site; else of all."""

    site: str = Field(default="", max_length=LONGEST_CODE)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What one site signs."""

    site: str
    when: str  # by its own clock
    until: str
    room: str | None
    host: bool


async def door(visit: Visit[DoorQuery, None]) -> web.Response:
    """The week of a room."""
    directory = visit.services.directory
    room = directory.rooms.get(visit.path("code"))
    if room is None:
        raise NotFound
    site = directory.sites[room.site]
    place = place_named(visit, f"room:{room.code}")
    read = await standing(visit, place, visit.query.day)
    now = zones.to_local(visit.services.clock(), site.timezone)
    return html.respond(
        visit.request,
        "weeks/door.html.j2",
        room=room,
        site=site,
        days=read.days,
        hours=hours_of(visit.language, place, read.first),
        previous=read.first - timedelta(days=7),
        following=read.first + timedelta(days=7),
        printed=i18n.moment(now, visit.language, place_of(visit.language, site)),
        span=lambda block: span(visit.language, block.interval, place.zone),
    )


async def attendance(visit: Visit[AttendanceQuery, None]) -> web.Response:
    """A sheet for each site that takes part, for those who see the whole session."""
    services = visit.services
    session = await services.enquiries.get(visit.actor, visit.path("id"))
    if services.enquiries.sight(visit.actor, session) != "full":
        raise NotFound
    parts = [part for part in session.taking_part() if visit.query.site in ("", part.site)]
    if not parts:
        raise NotFound
    kind = services.directory.kinds.get(session.kind)
    return html.respond(
        visit.request,
        "weeks/attendance.html.j2",
        session=session,
        kind=kind.name[visit.language] if kind else session.kind,
        state=STATUSES[session.status],
        sheets=[_sheet(visit, session, part) for part in parts],
        others=_names(visit, session) if len(parts) > 1 else [],
        lines=range(1, LINES + 1),
    )


def _names(visit: Visit[Any, Any], session: Session) -> Sequence[tuple[str, str]]:
    sites = visit.services.directory.sites
    return [(part.site, sites[part.site].name if part.site in sites else part.site) for part in session.taking_part()]


def _sheet(visit: Visit[Any, Any], session: Session, part: Participation) -> Sheet:
    directory, language = visit.services.directory, visit.language
    site, room = directory.sites.get(part.site), directory.rooms.get(part.room or "")
    zone = site.timezone if site else session.timezone
    clock = place_of(language, site) if site else None
    return Sheet(
        site=site.name if site else part.site,
        when=i18n.moment(zones.to_local(session.start, zone), language, clock),
        until=i18n.hour(zones.to_local(session.end, zone), language, clock),
        room=room.name if room else part.room,
        host=part.site == session.host_site,
    )
