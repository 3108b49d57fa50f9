"""The week of a site, a room or a network: one page, as a table and as a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.availability.ground import Ground
from perinat_sched.booking.session import Session
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message, say
from perinat_sched.intervals import Interval, difference
from perinat_sched.people.access import networks_of
from perinat_sched.sites.closures import open_hours
from perinat_sched.sites.network import Directory, Language, Site
from perinat_sched.web.desk import clocks, html, timetable
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.timetable import Block, Ports
from perinat_sched.web.schemas.base import QueryDay


class WeekQuery(PageQuery):
    """Which place, which week, which second clock, table or list."""

    of: str = Field(default="", max_length=60)  # site:lille, room:lille-1, network:perinat; empty: one's own
    day: QueryDay | None = None  # any day of the week; today
    clock: str = Field(default="", max_length=40)  # a site
    view: Literal["", "table", "list"] = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a week is of."""

    value: str  # as the address writes it
    name: str
    zone: str
    sites: Sequence[Site]  # whose clocks and closures matter
    site: str | None = None
    room: str | None = None
    network: str | None = None


async def show(visit: Visit[WeekQuery, None]) -> web.Response:
    query, directory = visit.query, visit.services.directory
    place = place_named(visit, query.of)
    clock = _clock(directory, query.clock)
    read = await standing(visit, place, query.day)
    first = read.first
    shown = _shown_sites(directory, place, read.sessions, clock)
    rows = timetable.rows(
        first,
        place.zone,
        blocks=read.blocks,
        open_hours=_open(place, read.ground, timetable.week(first, place.zone)),
        bridges=_bridges(directory, place, read.ground),
        other=clock.timezone if clock else None,
    )
    return html.respond(
        visit.request,
        "weeks/week.html.j2",
        place=place,
        example=await visit.services.example.state(visit.actor) if not read.blocks else "none",
        choices=_choices(visit),
        clock=clock,
        clocks=clocks.heads(visit.language, first, place.zone, clock),
        clock_choices=clocks.choices(visit.language, directory, place.zone),
        days=read.days,
        rows=rows,
        view=query.view,
        shown_day=query.day or first,
        previous=first - timedelta(days=7),
        following=first + timedelta(days=7),
        hours=hours_of(visit.language, place, first),
        odd=list(clocks.unusual(visit.language, first, place.zone, shown)),
        time_of_day=lambda local: i18n.time_of_day(local, visit.language),
        span=lambda block: span(visit.language, block.interval, place.zone),
    )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a week holds, as far as the reader may know."""

    first: date
    sessions: Sequence[Session]
    ground: Ground
    blocks: Sequence[Block]
    days: Sequence[Day]


async def standing(visit: Visit[Any, Any], place: Place, day: date | None) -> Standing:
    """The week of a place in which a day lies; the present one without."""
    first = timetable.monday(day or zones.to_local(visit.services.clock(), place.zone).date())
    window = timetable.week(first, place.zone)
    sessions, ground = await visit.services.enquiries.standing(
        visit.actor, window, site=place.site, room=place.room, network=place.network
    )
    blocks = [*_blocks(visit, place, sessions, ground), *_hidden(visit.language, place, sessions, ground)]
    blocks.sort(key=lambda block: (block.interval, block.name))
    days = [Day.of(visit.language, each, place, blocks, ground) for each in timetable.days(first)]
    return Standing(first=first, sessions=sessions, ground=ground, blocks=blocks, days=days)


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of the week, for its heading and for the list."""

    on: date
    name: str
    blocks: Sequence[Block]
    closures: Sequence[str]

    @classmethod
    def of(cls, language: Language, day: date, place: Place, blocks: Sequence[Block], ground: Ground) -> Day:
        whole = _whole(day, place.zone)
        return cls(
            on=day,
            name=i18n.day(clocks.noon(day, place.zone), language),
            blocks=[block for block in blocks if block.interval.overlaps(whole)],
            closures=_closures(language, place, ground, day),
        )


def place_named(visit: Visit[Any, Any], named: str) -> Place:
    """What is asked for; without a word, one's own first site or network, else the first. Raises InvalidRequest."""
    directory, actor = visit.services.directory, visit.actor
    own = [*(f"site:{code}" for code in sorted(actor.sites)), *(f"network:{code}" for code in sorted(actor.networks))]
    value = named or next(iter([*own, *(f"network:{code}" for code in directory.networks)]))
    kind, _, code = value.partition(":")
    if kind == "site" and code in directory.sites:
        site = directory.sites[code]
        return Place(value=value, name=site.name, zone=site.timezone, sites=[site], site=code)
    if kind == "room" and code in directory.rooms:
        room = directory.rooms[code]
        site = directory.sites[room.site]
        return Place(value=value, name=f"{room.name} ({site.name})", zone=site.timezone, sites=[site], room=code)
    if kind == "network" and code in directory.networks:
        sites = [site for site in directory.sites.values() if code in site.networks and site.active]
        return Place(value=value, name=directory.networks[code].name, zone=visit.zone, sites=sites, network=code)
    raise InvalidRequest.of("of", "There is no {code} here: take a code of the configuration.", code=repr(value))


def _clock(directory: Directory, code: str) -> Site | None:
    if code and code not in directory.sites:
        raise InvalidRequest.of("clock", "There is no {code} here: take a code of the configuration.", code=repr(code))
    return directory.sites[code] if code else None


def _choices(visit: Visit[Any, Any]) -> list[tuple[Message, list[tuple[str, str]]]]:
    """Every place whose week there is, in groups: networks, sites, rooms. A clinician reads by site."""
    directory, actor = visit.services.directory, visit.actor
    networks = directory.networks if actor.role == "admin" else actor.networks | networks_of(actor.sites, directory)
    return [
        (
            Message("Networks"),
            [(f"network:{n.code}", n.name) for n in directory.networks.values() if n.code in networks],
        ),
        (Message("Sites"), [(f"site:{site.code}", site.name) for site in directory.sites.values() if site.active]),
        (
            Message("Rooms"),
            [
                (f"room:{room.code}", f"{directory.sites[room.site].name} – {room.name}")
                for room in directory.rooms.values()
                if directory.sites[room.site].active
            ],
        ),
    ]


def _blocks(visit: Visit[Any, Any], place: Place, sessions: Iterable[Session], ground: Ground) -> Iterable[Block]:
    """The sessions the reader sees: in full, or by kind and time."""
    directory, language = visit.services.directory, visit.language
    around = _around(ground)
    for session in sessions:
        full = visit.services.enquiries.sight(visit.actor, session) == "full"
        kind = directory.kinds.get(session.kind)
        words = kind.name[language] if kind else session.kind
        names = [directory.sites[p.site].city or directory.sites[p.site].name for p in session.taking_part()
                 if p.site in directory.sites]  # fmt: skip
        yield Block(
            interval=session.interval,
            around=around.get(session.id, session.interval),
            name=session.title if full else words,
            detail=", ".join(names) if full else "",
            tentative=session.status == "tentative",
            session=session.id if full else None,
            series=session.series if full else None,
        )


def _around(ground: Ground) -> dict[str, Interval]:
    """From the earliest set-up to the latest release of each session, in what the page is about."""
    found: dict[str, Interval] = {}
    for hold in (hold for holds in ground.holds.values() for hold in holds):
        known = found.get(hold.session, hold.around)
        found[hold.session] = Interval(min(known.start, hold.around.start), max(known.end, hold.around.end))
    return found


def _hidden(language: Language, place: Place, sessions: Iterable[Session], ground: Ground) -> Iterable[Block]:
    """The rooms of the site, or the room, held by sessions that the reader does not see."""
    if place.network:
        return
    seen = {session.id for session in sessions}
    rooms = [room for room in place.sites[0].rooms if place.room in (None, room.code)]
    for room in rooms:
        for hold in ground.holds.get(room.code, ()):
            if hold.session not in seen:
                name = say(Message("Busy"), language)
                yield Block(interval=hold.interval, around=hold.around, name=name, detail=room.name)


def _open(place: Place, ground: Ground, window: Interval) -> list[Interval] | None:
    """When the place is open and no closure falls on it; None for a network, whose sites each decide."""
    if place.network:
        return None
    [site] = place.sites
    codes = [site.code, *([place.room] if place.room else [])]
    closed = [closure.interval for code in codes for closure in ground.closed(code, window)]
    return difference(open_hours(site, window), closed)


def _bridges(directory: Directory, place: Place, ground: Ground) -> list[Ports]:
    if not place.network:
        return []
    return [
        Ports(
            name=bridge.name,
            ports=bridge.ports,
            loads=[(hold.around, hold.units) for hold in ground.holds.get(bridge.code, ())],
        )
        for bridge in directory.bridges_of(place.network)
    ]


def _closures(language: Language, place: Place, ground: Ground, day: date) -> list[str]:
    """The closures of a day, each reason once; of a network, with the number of sites, each by its own clock."""
    reasons: dict[str, int] = {}
    for site in place.sites:
        closures = [
            c for code in (site.code, place.room) if code for c in ground.closed(code, _whole(day, site.timezone))
        ]
        for reason in {closure.reason for closure in closures}:
            reasons[reason] = reasons.get(reason, 0) + 1
    told = [
        Message("Closed: {reason} (sites: {count} of {all})", reason=reason, count=count, all=len(place.sites))
        if place.network
        else Message("Closed: {reason}", reason=reason)
        for reason, count in sorted(reasons.items())
    ]
    return [say(message, language) for message in told]


def _shown_sites(directory: Directory, place: Place, sessions: Iterable[Session], clock: Site | None) -> Iterable[Site]:
    taking_part = {p.site for session in sessions for p in session.taking_part()}
    shown = {site.code for site in place.sites} | ({clock.code} if clock else set())
    return [site for site in directory.sites.values() if site.code in taking_part | shown]


def hours_of(language: Language, place: Place, first: date) -> str:
    """Whose hours the week of a place is told in."""
    city = next((site.city for site in place.sites if site.timezone == place.zone), None)
    return i18n.whose(clocks.noon(first, place.zone), language, i18n.place_of(place.zone, language, city))


def span(language: Language, interval: Interval, zone: str) -> str:
    """`15 h 00–16 h 00`, by the clock of the page."""
    ends = (zones.to_local(instant, zone) for instant in (interval.start, interval.end))
    return "–".join(i18n.time_of_day(local, language) for local in ends)


def _whole(day: date, zone: str) -> Interval:
    return Interval(zones.start_of_day(day, zone), zones.start_of_day(day + timedelta(days=1), zone))
