"""When a site is open: opening hours, public holidays, and the closures its operators keep in calendars/*.ics.

Hours are local: a site is open at each instant at which its own clocks show an hour between opening and closing, on
the nights of the change of clocks too. A public holiday is the whole local day. Everything leaves here in UTC, and
years that were worked out once are kept, for a search asks for the same ones again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from perinat_sched import zones
from perinat_sched.errors import ConfigurationProblem
from perinat_sched.intervals import Interval, intersection, union
from perinat_sched.sites import quarantine
from perinat_sched.sites.agenda import Agenda
from perinat_sched.sites.network import MINUTES_A_DAY, Directory, OpeningHours, Site

Source = Literal["public-holiday", "calendar", "entered"]

A_DAY = timedelta(minutes=MINUTES_A_DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """A time during which a site or bridge is closed, or a room busy elsewhere."""

    interval: Interval
    reason: str
    source: Source


def open_at(site: Site, interval: Interval) -> bool:
    """Whether a site's opening hours (local time) contain the whole of `interval`."""
    return open_hours(site, interval) == [interval]


def open_hours(site: Site, window: Interval) -> list[Interval]:
    """A site's opening hours within `window`: UTC, sorted, as few intervals as possible, cut at its ends."""
    first, last = (zones.to_local(instant, site.timezone).year for instant in (window.start, window.end))
    years = (_hours_of_year(site.timezone, site.opening_hours, year) for year in range(first, last + 1))
    return union(
        Interval(max(hours.start, window.start), min(hours.end, window.end))
        for year in years
        for hours in year
        if hours.overlaps(window)
    )


@lru_cache(maxsize=4096)
def _hours_of_year(zone: str, opening_hours: tuple[OpeningHours, ...], year: int) -> tuple[Interval, ...]:
    """Opening hours of a local year, merged."""
    spans: list[Interval] = []
    day, midnight = date(year, 1, 1), zones.start_of_day(date(year, 1, 1), zone)
    while day.year == year:
        tomorrow = day + timedelta(days=1)
        next_midnight = zones.start_of_day(tomorrow, zone)
        for hours in opening_hours:
            if day.weekday() in hours.weekdays and midnight < next_midnight:  # Samoa had no 30 December 2011
                spans += _hours_of_day(day, Interval(midnight, next_midnight), hours, zone)
        day, midnight = tomorrow, next_midnight
    return tuple(union(spans))


def _hours_of_day(day: date, whole: Interval, hours: OpeningHours, zone: str) -> list[Interval]:
    """The instants of one local day (`whole`) at which the clocks show `hours`."""
    opens, closes = timedelta(minutes=hours.opens), timedelta(minutes=hours.closes)
    if whole.duration == A_DAY:
        return [Interval(whole.start + opens, whole.start + closes)]
    # A night of the change of clocks: in each part of the day the clocks run evenly, so that there an hour of the
    # clock is one instant; a skipped hour is in no part, a repeated one in two.
    wall_midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    parts: list[Interval] = []
    for part in zones.even_parts(whole, zone):
        midnight = wall_midnight - zones.offset(part.start, zone)
        parts += intersection([part], [Interval(midnight + opens, midnight + closes)])
    return parts


@dataclass(frozen=True, kw_only=True)
class Calendars:
    """The closures that are known without asking the database: public holidays and calendars/*.ics."""

    agendas: Mapping[str, Agenda]  # by file name, without .ics
    room_zones: Mapping[str, str]  # room code → the time zone of its site

    @classmethod
    def read(cls, folder: Path, directory: Directory, problems: list[ConfigurationProblem]) -> Calendars:
        """Read every .ics file of a folder; what is wrong with them is noted in `problems`."""
        return cls(
            agendas={one.name: one for one in quarantine.agendas(sorted(folder.glob("*.ics")), problems)},
            room_zones={room.code: site.timezone for site in directory.sites.values() for room in site.rooms},
        )

    def of_site(self, site: Site, window: Interval) -> list[Closure]:
        """Public holidays, the site's own calendar and the shared ones it lists; those that overlap `window`."""
        names = dict.fromkeys((site.code, *site.calendars))
        found = [closure for name in names for closure in self._kept(name, site.timezone, window)]
        if site.holidays:
            found += _within(lambda year: _public_holidays(site.holidays, site.timezone, year), window)
        return sorted(found, key=lambda closure: closure.interval)

    def of_room(self, code: str, window: Interval) -> list[Closure]:
        """When a room is busy elsewhere: its own calendar, as far as it overlaps `window`."""
        return self._kept(code, self.room_zones.get(code, "UTC"), window)

    def of_calendar(self, name: str, zone: str, window: Interval) -> list[Closure]:
        """What one file says, its days being those of `zone`; nothing where there is no such file."""
        return self._kept(name, zone, window)

    def _kept(self, name: str, zone: str, window: Interval) -> list[Closure]:
        kept = self.agendas.get(name)
        if kept is None:
            return []
        return list(_within(lambda year: _year_of(kept, zone, year), window))


def _within(years: Callable[[int], tuple[Closure, ...]], window: Interval) -> Iterator[Closure]:
    """The closures of sorted years that overlap `window`; one that lasts over New Year once."""
    first = window.start.year
    for year in range(first, window.end.year + 1):
        for closure in years(year):
            if closure.interval.start >= window.end:
                break
            if closure.interval.overlaps(window) and (year == first or closure.interval.start.year == year):
                yield closure


@lru_cache(maxsize=4096)
def _year_of(kept: Agenda, zone: str, year: int) -> tuple[Closure, ...]:
    """What overlaps a year (UTC) of a calendar, sorted."""
    busy = sorted(kept.busy(zone, year))
    return tuple(Closure(interval=interval, reason=reason, source="calendar") for interval, reason in busy)


@lru_cache(maxsize=4096)
def _public_holidays(code: str, zone: str, year: int) -> tuple[Closure, ...]:
    """The public holidays that overlap a year (UTC), sorted; named in French where the package can."""
    import holidays  # 0.1 s to import: only where a site keeps any

    country, _, region = code.partition("-")
    usual = holidays.country_holidays(country, subdiv=region or None)
    language = "fr" if "fr" in usual.supported_languages else usual.default_language  # else the machine's
    days = holidays.country_holidays(country, subdiv=region or None, years=range(year - 1, year + 2), language=language)
    whole = Interval(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
    closures = (
        Closure(interval=_local_day(day, zone), reason=name.replace("'", "’"), source="public-holiday")
        for day, name in sorted(days.items())
    )
    return tuple(closure for closure in closures if closure.interval.overlaps(whole))


def _local_day(day: date, zone: str) -> Interval:
    return Interval(zones.start_of_day(day, zone), zones.start_of_day(day + timedelta(days=1), zone))
