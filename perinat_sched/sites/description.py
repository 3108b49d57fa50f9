"""What was understood of a network, site by site, defaults included: the text that `check` prints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from perinat_sched import zones
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Calendars, Closure
from perinat_sched.sites.network import Directory, Kind, OpeningHours, Room, Site
from perinat_sched.sites.values import WEEKDAYS


def describe_directory(directory: Directory, calendars: Calendars, year: Interval) -> Iterator[str]:
    """The lines, in the order of the file; closures are listed as far as they overlap `year`."""
    yield f"grid            starts and lengths are multiples of {directory.defaults.grid_minutes} min"
    for network in directory.networks.values():
        members = [site.code for site in directory.sites.values() if network.code in site.networks]
        yield f"network         {network.code} “{network.name}”: {', '.join(members) or 'no site'}"
    for bridge in directory.bridges.values():
        yield f"bridge          {bridge.code} “{bridge.name}”: {bridge.ports} ports; {', '.join(bridge.networks)}"
    for kind in directory.kinds.values():
        yield f"kind            {kind.code}: {_kind(kind, directory)}"
    for site in directory.sites.values():
        yield ""
        yield f"site            {site.code} “{site.name}”{'' if site.active else ' — INACTIVE'}"
        for label, text in _site(site, directory, calendars, year):
            yield f"  {label:14}{text}"
    if unused := _unused(directory, calendars):
        yield ""
        yield f"Calendars that close nothing, because no site, room or list names them: {', '.join(unused)}"


def _kind(kind: Kind, directory: Directory) -> str:
    said = kind.limits
    own = {
        "set-up {} min": said.set_up_minutes,
        "release {} min": said.release_minutes,
        "notice {} h": said.minimum_notice_hours,
        "at most {} min": said.max_duration_minutes,
    }
    parts = [
        f"{kind.duration_minutes} min, {kind.priority}",
        f"reminders {', '.join(lead.text for lead in kind.reminders) or 'none'}",
        *(text.format(number) for text, number in own.items() if number is not None),
        f"“{kind.title['fr']}” / “{kind.title['en']}”",
    ]
    return ", ".join(parts)


def _site(site: Site, directory: Directory, calendars: Calendars, year: Interval) -> Iterator[tuple[str, str]]:
    levels = [f"level {level.level} since {level.since}" for level in site.levels]
    yield "what", ", ".join([site.kind, site.legal_status, *levels])
    yield "where", ", ".join(filter(None, [site.city, f"FINESS {site.finess}" if site.finess else "no FINESS"]))
    yield "reached", ", ".join([site.phone or "no telephone", *(site.contacts or ["no contact: gets no mail"])])
    yield "time", f"{site.timezone}, speaks {site.language}, answers {site.answers.replace('_', ' ')}"
    yield "networks", ", ".join(site.networks)
    yield "open", "; ".join(_hours(hours) for hours in site.opening_hours)
    notice = directory.minimum_notice(None, [site]) // timedelta(hours=1)
    yield "times", f"{_margins(directory, site, None)}, notice {notice} h"
    for room in site.rooms:
        details = [room.name, f"{room.seats} seats" if room.seats else "", room.endpoint or "no endpoint"]
        yield "room", f"{room.code}: {', '.join(filter(None, [*details, _margins(directory, site, room)]))}"
        for busy in calendars.of_room(room.code, year):
            yield "  busy", _closure(busy, site)
    if not site.rooms:
        yield "room", "none: takes a port and holds no room"
    own = [f"{name}.ics" for name in (site.code, *site.calendars) if name in calendars.agendas]
    yield "closures", f"public holidays of {site.holidays or 'nowhere'}; {', '.join(own) or 'no calendar'}"
    for closure in calendars.of_site(site, year):
        yield "  closed", _closure(closure, site)


def _margins(directory: Directory, site: Site, room: Room | None) -> str:
    margins = directory.margins(None, site, room)
    a_minute = timedelta(minutes=1)
    longest = directory.max_duration(None, site, room)
    return (
        f"set-up {margins.set_up // a_minute} min, release {margins.release // a_minute} min,"
        f" at most {longest // a_minute} min"
    )


def _hours(hours: OpeningHours) -> str:
    days = " ".join(WEEKDAYS[weekday] for weekday in sorted(hours.weekdays))
    opens, closes = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (hours.opens, hours.closes))
    return f"{days} {opens}–{closes}"


def _closure(closure: Closure, site: Site) -> str:
    """A closure in local time: as days where it is whole days."""
    start, end = (zones.to_local(i, site.timezone) for i in (closure.interval.start, closure.interval.end))
    if (start.hour, start.minute, end.hour, end.minute) == (0, 0, 0, 0):
        last = (end - timedelta(days=1)).date()
        span = f"{start.date()}" if last == start.date() else f"{start.date()} to {last}"
    else:
        span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
    return f"{span} {closure.reason}".rstrip()


def _unused(directory: Directory, calendars: Calendars) -> list[str]:
    listed = {name for site in directory.sites.values() for name in site.calendars}
    used = listed | directory.sites.keys() | directory.rooms.keys()
    return [f"{name}.ics" for name in calendars.agendas if name not in used]
