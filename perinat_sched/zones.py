"""Wall time ↔ UTC: the only place that knows a time zone.

What people agree upon is a wall time in a zone ("15:00 in Lille"); the instant follows from it, and follows again
when a country changes its clocks. Twice a year a wall time does not exist or comes twice: both are named here, never
guessed. The rules come from the pinned `tzdata` package alone: the system's own files, often older, would otherwise
win silently (standards.md, TZ-05).
"""

from __future__ import annotations

import difflib
import re
import time as system_time
import zoneinfo
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata

from perinat_sched.errors import InvalidRequest, RepeatedLocalTime, SkippedLocalTime
from perinat_sched.i18n import Message
from perinat_sched.intervals import Interval

zoneinfo.reset_tzpath(to=())

Clock = Callable[[], datetime]  # now, aware, in UTC; passed to whatever depends on the hour

TZDATA_VERSION: str = tzdata.IANA_VERSION
LONGEST_NAME = 64  # characters of a wrong name that are compared with the right ones
ODD_OFFSET_DAYS = 60  # an offset between two zones that holds on fewer days of a year is unusual


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def seconds_of(clock: Clock) -> Callable[[], float]:
    """A clock in seconds since 1970: the real one is read like that for a tenth of what an instant costs."""
    return system_time.time if clock is utc_now else lambda: clock().timestamp()


class UnknownZone(ValueError):
    """Not an IANA time zone; `nearest` is the closest name there is, or None."""

    def __init__(self, name: str) -> None:
        self.name = name
        close = difflib.get_close_matches(name[:LONGEST_NAME], sorted(_names()[0]), n=1)
        self.nearest = close[0] if close else None
        super().__init__(name)


@lru_cache(maxsize=1)
def _names() -> tuple[frozenset[str], dict[str, str]]:
    """Every zone name of tzdata, and the links among them: old name → name."""
    package = resources.files("tzdata")
    names = frozenset(package.joinpath("zones").read_text().split())
    lines = package.joinpath("zoneinfo", "tzdata.zi").read_text().splitlines()
    links = {line.split()[2]: line.split()[1] for line in lines if line.startswith("L ")}
    return names, links


@lru_cache(maxsize=1)
def _places() -> frozenset[str]:
    """The names that stand for a country's place (zone.tab): these are kept as they are, links or not."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
    return frozenset(line.split("\t")[2] for line in table.splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=1024)
def canonical(name: str) -> str:
    """The name a zone goes by: `America/Montreal` → `America/Toronto`, while `Indian/Reunion` stays itself.

    tzdb links Indian/Reunion to Asia/Dubai because their clocks agree today; a country's own place is kept, so that
    a change of its law reaches it. Raises UnknownZone.
    """
    names, links = _names()
    if name not in names:
        raise UnknownZone(name)
    while name not in _places() and name in links:
        name = links[name]
    return name


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The rules of a canonical zone. Raises UnknownZone."""
    return ZoneInfo(canonical(name))


def to_utc(wall: datetime, zone_name: str, fold: int | None = None) -> datetime:
    """The instant of a naive wall time in a zone.

    A skipped hour raises SkippedLocalTime (with the instants just before and after the gap); a repeated one raises
    RepeatedLocalTime, with both instants, unless `fold` says which: 0 the first, 1 the second.
    """
    rules = zone(zone_name)
    first, second = (wall.replace(tzinfo=rules, fold=f).astimezone(UTC) for f in (0, 1))
    if first == second:
        return first
    if first > second:  # in a gap the later offset is applied first
        raise SkippedLocalTime(
            Message(
                "{wall} does not exist in {zone}: clocks go forward over it. Take {before} or {after}.",
                wall=f"{wall:%Y-%m-%dT%H:%M}",
                zone=zone_name,
                before=f"{second.astimezone(rules):%H:%M}",
                after=f"{first.astimezone(rules):%H:%M}",
            ),
            [second.astimezone(rules), first.astimezone(rules)],
        )
    if fold is None:
        raise RepeatedLocalTime(
            Message(
                '{wall} comes twice in {zone}: clocks go back over it. Say "fold": 0 (first) or 1 (second).',
                wall=f"{wall:%Y-%m-%dT%H:%M}",
                zone=zone_name,
            ),
            [first.astimezone(rules), second.astimezone(rules)],
        )
    return second if fold else first


def to_utc_again(wall: datetime, zone_name: str, fold: int) -> datetime:
    """The instant of a wall time that was agreed upon, whatever the clocks of the zone have become.

    As RFC 5545 § 3.3.5 reads it: an hour that the clocks now skip, with the offset before the gap; one that comes
    twice is the first, unless `fold` says that the second was meant.
    """
    rules = zone(zone_name)
    first, second = (wall.replace(tzinfo=rules, fold=f).astimezone(UTC) for f in (0, 1))
    return second if fold and second > first else first


def to_local(instant: datetime, zone_name: str) -> datetime:
    """The aware local time of an instant; its `fold` is right."""
    return instant.astimezone(zone(zone_name))


def near(wall: datetime, zone_name: str) -> datetime:
    """The instant of a wall time, or of the hour the clocks show in its place where they go forward over it."""
    return wall.replace(tzinfo=zone(zone_name)).astimezone(UTC)


def start_of_day(day: date, zone_name: str) -> datetime:
    """The first instant (UTC) of a local day, also where midnight itself is skipped or comes twice."""
    rules = zone(zone_name)
    midnight = datetime.combine(day, time(), tzinfo=rules)
    start = midnight.astimezone(UTC)
    # Where midnight is skipped, fold 0 gives an instant after the gap written with the offset before it: the day
    # begins at the gap itself, which is the first instant whose local date is `day`.
    if start.astimezone(rules).replace(tzinfo=None) != midnight.replace(tzinfo=None):
        start = _first(start - timedelta(hours=3), start, lambda instant: instant.astimezone(rules).date() >= day)
    return start


def offset(instant: datetime, zone_name: str) -> timedelta:
    """How far a zone's clocks are ahead of UTC at an instant."""
    return instant.astimezone(zone(zone_name)).utcoffset() or timedelta()


def even_parts(span: Interval, zone_name: str) -> list[Interval]:
    """A span of at most some days, cut where the zone's clocks change: within each part they run evenly."""
    before, after = offset(span.start, zone_name), offset(span.end, zone_name)
    if before == after:
        return [span]
    change = _first(span.start, span.end, lambda instant: offset(instant, zone_name) != before)
    return [span] if change == span.end else [Interval(span.start, change), Interval(change, span.end)]


def _first(low: datetime, high: datetime, reached: Callable[[datetime], bool]) -> datetime:
    """The first whole second from `low` at which `reached`, which stays true once it is; `high` where none is."""
    seconds = range(int(low.timestamp()), int(high.timestamp()))
    index = bisect_left(seconds, True, key=lambda second: reached(datetime.fromtimestamp(second, UTC)))
    return low + timedelta(seconds=index)


def instants(wall: datetime, zone_name: str) -> list[datetime]:
    """Every instant (UTC) at which the clocks of a zone show `wall`: none, one or two."""
    rules = zone(zone_name)
    found = {wall.replace(tzinfo=rules, fold=f).astimezone(UTC) for f in (0, 1)}
    return sorted(i for i in found if i.astimezone(rules).replace(tzinfo=None, fold=0) == wall)


@lru_cache(maxsize=4096)
def _days_by_difference(zone_name: str, other: str, year: int) -> dict[timedelta, int]:
    """On how many days of a year (noon, first zone) each difference of the two zones' clocks holds."""
    days: dict[timedelta, int] = {}
    noon = datetime(year, 1, 1, 12, tzinfo=zone(zone_name))
    while noon.year == year:
        gap = _difference(noon, zone_name, other)
        days[gap] = days.get(gap, 0) + 1
        noon += timedelta(days=1)  # wall arithmetic: noon to noon
    return days


def _difference(instant: datetime, zone_name: str, other: str) -> timedelta:
    return offset(instant, zone_name) - offset(instant, other)


def is_unusual(instant: datetime, zone_name: str, other: str) -> bool:
    """Whether the difference between two zones at `instant` is rare in its (local) year: Montréal's odd weeks."""
    if zone_name == other:
        return False
    year = to_local(instant, zone_name).year
    return _days_by_difference(zone_name, other, year).get(_difference(instant, zone_name, other), 0) < ODD_OFFSET_DAYS


def odd_period(instant: datetime, zone_name: str, other: str) -> Interval | None:
    """While the unusual difference of two zones that holds at `instant` lasts; None: the difference is usual."""
    if not is_unusual(instant, zone_name, other):
        return None
    odd = _difference(instant, zone_name, other)
    a_day = timedelta(days=1)
    before, after = instant, instant
    while _difference(before, zone_name, other) == odd:
        before -= a_day
    while _difference(after, zone_name, other) == odd:
        after += a_day
    return Interval(
        _first(before, before + a_day, lambda moment: _difference(moment, zone_name, other) == odd),
        _first(after - a_day, after, lambda moment: _difference(moment, zone_name, other) != odd),
    )


def odd_periods(window: Interval, zone_name: str, other: str) -> list[Interval]:
    """The periods, whole, that begin before the end of a window and in which two zones differ otherwise than usual."""
    found: list[Interval] = []
    instant = window.start
    while instant < window.end:
        if period := odd_period(instant, zone_name, other):
            found.append(period)
        instant = period.end if period else instant + timedelta(days=1)
    return found


WALL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


def parse_wall(text: str, field: str) -> datetime:
    """`YYYY-MM-DDTHH:MM` → naive wall time. Raises InvalidRequest on `field`."""
    try:
        if WALL_TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass  # no such date or hour
    raise InvalidRequest.of(
        field, "Write a date and hour as YYYY-MM-DDTHH:MM, or an instant with its offset (RFC 3339)."
    )
