"""Clocks in words: second clocks, and weeks in which two of them are not as far apart as usual."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from itertools import combinations
from typing import Any

from perinat_sched import i18n, zones
from perinat_sched.i18n import Message, say
from perinat_sched.intervals import Interval
from perinat_sched.sites.network import Directory, Language, Site
from perinat_sched.web.desk import timetable
from perinat_sched.web.desk.page import Visit


def unusual(language: Language, first: date, zone: str, sites: Iterable[Site]) -> Iterable[str]:
    """Each pair of clocks whose difference is not the usual one on some day of the week, and on which days."""
    cities = {site.timezone: site.city for site in reversed(list(sites))}
    for one, other in combinations(sorted(cities, key=lambda name: name != zone), 2):
        odd = [day for day in timetable.days(first) if zones.is_unusual(noon(day, zone), one, other)]
        if not odd:
            continue
        midday = noon(odd[0], zone)
        last = i18n.day(noon(odd[-1], zone), language)
        when = Message("from {first} to {last}", first=i18n.day(midday, language), last=last)
        message = Message(
            "Unusual difference of clocks: {apart} between {one} and {other}, {when}.",
            apart=apart(midday, one, other),
            one=i18n.place_of(one, language, cities[one]),
            other=i18n.place_of(other, language, cities[other]),
            when=when if len(odd) > 1 else last,
        )
        yield say(message, language)


def apart(instant: datetime, one: str, other: str) -> str:
    """How far two clocks are apart: `5 h`, `9 h 30`."""
    return i18n.apart(zones.offset(instant, one) - zones.offset(instant, other))


def heads(language: Language, first: date, zone: str, clock: Site | None) -> list[str]:
    """The heads of the second clock's columns; where there are two, each with its days."""
    if clock is None:
        return []
    name = i18n.whose(noon(first, clock.timezone), language, i18n.place_of(clock.timezone, language, clock.city))
    groups = timetable.clocks(first, zone, clock.timezone)
    if len(groups) == 1:
        return [name]
    spans = [
        (i18n.weekday(noon(g.days[0], zone), language), i18n.weekday(noon(g.days[-1], zone), language)) for g in groups
    ]
    return [f"{name}, {one if one == last else f'{one}–{last}'}" for one, last in spans]


def choices(language: Language, directory: Directory, zone: str) -> list[tuple[str, str]]:
    """A site for each clock that differs from this one."""
    found: dict[str, Site] = {}
    for site in directory.sites.values():
        if site.timezone != zone and site.active:
            found.setdefault(site.timezone, site)
    return [(site.code, i18n.place_of(name, language, site.city)) for name, site in found.items()]


def moment(visit: Visit[Any, Any], instant: datetime) -> str:
    """A day and hour by the visitor's clock, which is named."""
    return i18n.moment(zones.to_local(instant, visit.zone), visit.language, visit.place)


def noon(day: date, zone: str) -> datetime:
    """The hour at which a day is named: no zone changes its clocks at noon."""
    return datetime.combine(day, time(12), tzinfo=zones.zone(zone))


def hour(language: Language, instant: datetime, zone: str, city: str | None) -> str:
    """What a clock shows at an instant; of a zone that is not a whole country's, called after the city."""
    return i18n.hour(zones.to_local(instant, zone), language, i18n.place_of(zone, language, city))


def span(interval: Interval, zone: str, language: Language, place: str) -> str:
    """`jeudi 18 mars 2027, 15 h 00–16 h 00 (heure de Paris)`; whole days as days; over midnight, both ends in full."""
    start, end = (zones.to_local(instant, zone) for instant in (interval.start, interval.end))
    if interval.start == zones.start_of_day(start.date(), zone) and interval.end == zones.start_of_day(
        end.date(), zone
    ):
        first, last = (i18n.day(noon(day, zone), language) for day in (start.date(), end.date() - timedelta(days=1)))
    elif start.date() == end.date():
        return f"{i18n.day(start, language)}, {i18n.time_of_day(start, language)}–{i18n.hour(end, language, place)}"
    else:
        first, last = (i18n.moment(local, language, place) for local in (start, end))
    return first if first == last else say(Message("from {first} to {last}", first=first, last=last), language)
