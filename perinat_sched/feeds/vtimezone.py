"""A time zone as calendar programs understand it: one winter, at most one summer, each with a yearly rule.

Outlook reads exactly one STANDARD and one DAYLIGHT with a simple RRULE and ignores RDATE; ical.js reads only the
first value of an RDATE list. A VTIMEZONE made of past changes therefore shows every summer meeting an hour wrong. So
it is written here in rule form, from the last line of the zone's TZif file (a POSIX TZ string), which says what holds
from now on. A zone whose rule is not "the nth weekday of a month" has none, and its sessions are written in UTC.
(standards.md ICS-10 to ICS-13; RFC 5545 § 3.6.5; RFC 9636 § 3.3.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources

from perinat_sched import zones

BASE_YEAR = 2007  # the rules' DTSTART: North America's present ones began then, Europe's are older
WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")  # as POSIX numbers them
LAST_WEEK = 5  # POSIX: the last one of the month
KEPT = 256  # zones, and hours of sessions, at hand

_NAME = r"(<[^>]+>|[A-Za-z]{3,})"
_OFFSET = r"([+-]?\d{1,2}(?::\d{2}){0,2})"
_ONSET = r",M(\d+)\.(\d)\.(\d)(?:/([+-]?[\d:]+))?"
_FOOTER = re.compile(f"{_NAME}{_OFFSET}(?:{_NAME}{_OFFSET}?{_ONSET}{_ONSET})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Onset:
    """A day and hour of every year: "the last Sunday of March at 02:00", on the clock that is about to change."""

    month: int
    week: int  # 1 to 4; 5 is the last
    weekday: int  # 0 Sunday … 6 Saturday
    hour: timedelta  # from midnight, within the day

    def of_year(self, year: int) -> datetime:
        """The naive wall time of a year."""
        first = date(year, self.month, 1)
        day = first + timedelta(days=(self.weekday - first.isoweekday()) % 7 + 7 * (self.week - 1))
        if day.month != self.month:  # there is no fifth one: the fourth is the last
            day -= timedelta(days=7)
        return datetime(day.year, day.month, day.day) + self.hour  # noqa: DTZ001 - a wall time

    @property
    def rrule(self) -> str:
        week = -1 if self.week == LAST_WEEK else self.week
        return f"FREQ=YEARLY;BYMONTH={self.month};BYDAY={week}{WEEKDAYS[self.weekday]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Half:
    """One half of a zone's year, or all of it: the offset from UTC that holds, and since when."""

    name: str
    offset: timedelta
    before: timedelta  # the offset until the onset: the clock in which the onset is told
    onset: Onset | None  # None: it always holds

    def begins(self, year: int) -> datetime:
        """The instant (UTC) at which it begins in a year."""
        if self.onset is None:
            return datetime(year, 1, 1, tzinfo=UTC)
        return self.onset.of_year(year).replace(tzinfo=UTC) - self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a client that follows the VTIMEZONE believes of a zone's clocks, whatever the year."""

    zone: str
    halves: tuple[Half, ...]  # STANDARD, then DAYLIGHT if there is one

    def __hash__(self) -> int:
        return hash(self.zone)  # quickly: a feed asks it of every session

    def offset(self, instant: datetime) -> timedelta:
        """The offset from UTC that holds at an instant, by the rules."""
        years = (instant.year - 1, instant.year)
        begun = [(half.begins(year), half.offset) for half in self.halves for year in years]
        return max(b for b in begun if b[0] <= instant)[1]

    def instant(self, wall: datetime) -> datetime | None:
        """The instant (UTC) that a naive wall time means; None where it means none or two: clients disagree there."""
        utc = wall.replace(tzinfo=UTC)
        found = {utc - half.offset for half in self.halves if self.offset(utc - half.offset) == half.offset}
        return found.pop() if len(found) == 1 else None

    @property
    def text(self) -> str:
        """The VTIMEZONE component, CRLF at the end of each line; no line is longer than 75 octets."""
        return _text(self)


@lru_cache(maxsize=KEPT)
def _text(rules: Rules) -> str:
    lines = ["BEGIN:VTIMEZONE", f"TZID:{rules.zone}", f"X-LIC-LOCATION:{rules.zone}"]
    for component, half in zip(("STANDARD", "DAYLIGHT"), rules.halves, strict=False):
        lines += [f"BEGIN:{component}", *_lines(half), f"END:{component}"]
    return "".join(f"{line}\r\n" for line in [*lines, "END:VTIMEZONE"])


def _lines(half: Half) -> Iterator[str]:
    if half.onset is None:
        yield "DTSTART:19700101T000000"
    else:
        yield f"DTSTART:{half.onset.of_year(BASE_YEAR):%Y%m%dT%H%M%S}"
        yield f"RRULE:{half.onset.rrule}"
    yield f"TZNAME:{half.name}"
    yield f"TZOFFSETFROM:{_offset_text(half.before)}"
    yield f"TZOFFSETTO:{_offset_text(half.offset)}"


def _offset_text(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02d}{minutes % 60:02d}"


@lru_cache(maxsize=KEPT)
def rules(zone_name: str) -> Rules | None:
    """The rules of a zone, or None where they cannot be written in rule form. Raises zones.UnknownZone.

    They say nothing of the past, nor of a law that changes later: compare `Rules.instant` with the truth before
    you rely on them for a day.
    """
    zones.canonical(zone_name)  # raises for a name that is no zone, and for a path that leaves the package
    file = resources.files("tzdata").joinpath("zoneinfo", *zone_name.split("/"))
    halves = parse(file.read_bytes().rstrip(b"\n").rsplit(b"\n", 1)[1].decode("ascii"))
    return Rules(zone=zone_name, halves=halves) if halves else None


@lru_cache(maxsize=KEPT)
def clock(zone_name: str, start: datetime, end: datetime) -> Rules | None:
    """The clock in which to write the hours of something that lasts from `start` to `end` (UTC); None: in UTC, because
    some clients would read another instant.

    So it is where the zone has no rule form, where the start or the end falls into a skipped or repeated hour
    (TZID cannot say which pass, ICS-16), where the clock changes in between (Evolution adds the length to the wall
    time: an hour short, ICS-18), and in years for which the zone's present rules do not hold.
    """
    found = rules(zone_name)
    local = [zones.to_local(instant, zone_name) for instant in (start, end)]
    if found is None or local[0].utcoffset() != local[1].utcoffset():
        return None
    read = [found.instant(hour.replace(tzinfo=None, fold=0)) for hour in local]
    return found if read == [start, end] else None


def parse(footer: str) -> tuple[Half, ...]:
    """A POSIX TZ string such as `CET-1CEST,M3.5.0,M10.5.0/3` → its halves; empty where the rule form lacks words."""
    match = _FOOTER.fullmatch(footer)
    if match is None:
        return ()
    name, offset, other_name, other_offset, *onsets = match.groups()
    first = -_seconds(offset)  # POSIX counts west of Greenwich
    if other_name is None:
        halves = [Half(name=name.strip("<>"), offset=first, before=first, onset=None)]
    else:
        other = -_seconds(other_offset) if other_offset else first + timedelta(hours=1)
        halves = [
            Half(name=name.strip("<>"), offset=first, before=other, onset=_onset(*onsets[4:])),
            Half(name=other_name.strip("<>"), offset=other, before=first, onset=_onset(*onsets[:4])),
        ]
    halves.sort(key=lambda half: half.offset)  # Dublin's law calls the summer "standard"; no client expects it
    return tuple(halves) if all(_expressible(half) for half in halves) else ()


def _expressible(half: Half) -> bool:
    """Whether the onset falls on the weekday it names, and no offset has seconds (Home Assistant refuses those)."""
    hour = half.onset.hour if half.onset else timedelta()
    whole = half.offset % timedelta(minutes=1) == half.before % timedelta(minutes=1) == timedelta()
    return whole and timedelta() <= hour < timedelta(days=1)


def _onset(month: str, week: str, weekday: str, hour: str | None) -> Onset:
    return Onset(month=int(month), week=int(week), weekday=int(weekday), hour=_seconds(hour or "2"))


def _seconds(text: str) -> timedelta:
    """`[+-]h[h][:mm[:ss]]`."""
    hours, minutes, seconds = ([int(part) for part in text.lstrip("+-").split(":")] + [0, 0])[:3]
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -size if text.startswith("-") else size
