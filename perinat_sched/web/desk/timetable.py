"""A week as a table: hours by days of one place's clock, with what stands in each hour. No I/O.

Everything is compared in UTC. An hour of the table is a wall hour: in spring one may not exist, in autumn one lasts
two. A second clock is a column a difference, because in the week of a change of clocks one column would be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from perinat_sched import zones
from perinat_sched.intervals import Interval, peak

HOUR = timedelta(hours=1)
USUAL_HOURS = range(8, 19)
DAYS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Something that takes time: a session, or one that the reader may not see."""

    interval: Interval
    around: Interval  # with set-up and release
    name: str
    detail: str
    tentative: bool = False
    session: str | None = None  # its id, where the reader may open it
    series: str | None = None  # in which it is, likewise


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """A bridge, and what of it is held when."""

    name: str
    ports: int
    loads: Sequence[tuple[Interval, int]]

    def used(self, window: Interval) -> int:
        """The most ports held at once within a window."""
        return peak(self.loads, window)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One hour of one day."""

    exists: bool  # False: clocks go forward over it
    closed: bool
    begins: Sequence[Block] = ()
    goes_on: Sequence[Block] = ()
    prepares: Sequence[Block] = ()  # set-up or release alone
    ports: Sequence[tuple[Ports, int]] = ()  # bridges in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One hour of every day."""

    hour: datetime  # in the zone of the table, on its first day
    others: Sequence[datetime]  # the second clock, one for each of its differences
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """Days of a week on which a second clock is equally far away."""

    days: Sequence[date]


def monday(day: date) -> date:
    """The first day of the week of a day."""
    return day - timedelta(days=day.weekday())


def week(first: date, zone: str) -> Interval:
    """Seven local days."""
    return Interval(zones.start_of_day(first, zone), zones.start_of_day(first + timedelta(days=DAYS), zone))


def days(first: date) -> list[date]:
    return [first + timedelta(days=number) for number in range(DAYS)]


def clocks(first: date, zone: str, other: str) -> list[Clocks]:
    """The days of a week, grouped by how far the other clock is away at noon."""
    groups: dict[timedelta, list[date]] = {}
    for day in days(first):
        noon = zones.instants(datetime.combine(day, time(12)), zone)[0]
        groups.setdefault(zones.offset(noon, other) - zones.offset(noon, zone), []).append(day)
    return [Clocks(days=group) for group in groups.values()]


def rows(
    first: date,
    zone: str,
    *,
    blocks: Sequence[Block],
    open_hours: Sequence[Interval] | None,
    bridges: Sequence[Ports],
    other: str | None,
) -> list[Row]:
    """The table. `open_hours` None: of many places, none is closed as a whole."""
    groups = clocks(first, zone, other) if other else []
    return [
        Row(
            hour=_at(first, hour, zone),
            others=[zones.to_local(_at(group.days[0], hour, zone), other) for group in groups if other],
            cells=[_cell(_spans(day, hour, zone), blocks, open_hours, bridges) for day in days(first)],
        )
        for hour in _hours(first, zone, blocks)
    ]


def _hours(first: date, zone: str, blocks: Sequence[Block]) -> range:
    """The usual hours, and as many more as the blocks need."""
    shown = week(first, zone)
    hours = {USUAL_HOURS.start, USUAL_HOURS.stop - 1}
    for block in blocks:
        last = zones.to_local(min(block.interval.end, shown.end) - timedelta(minutes=1), zone)
        start = zones.to_local(max(block.interval.start, shown.start), zone)
        hours |= {start.hour, last.hour} if start.date() == last.date() else {0, 23}
    return range(min(hours), max(hours) + 1)


def _at(day: date, hour: int, zone: str) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=zones.zone(zone))


def _spans(day: date, hour: int, zone: str) -> Interval | None:
    """What a wall hour covers; None where it does not exist."""
    instants = zones.instants(datetime.combine(day, time(hour)), zone)
    return Interval(instants[0], instants[-1] + HOUR) if instants else None


def _cell(
    span: Interval | None, blocks: Sequence[Block], open_hours: Sequence[Interval] | None, bridges: Sequence[Ports]
) -> Cell:
    if span is None:
        return Cell(exists=False, closed=False)
    near = [block for block in blocks if block.around.overlaps(span)]
    within = [block for block in near if block.interval.overlaps(span)]
    begins = [block for block in within if block.interval.start >= span.start]
    return Cell(
        exists=True,
        closed=open_hours is not None and not any(hours.overlaps(span) for hours in open_hours),
        begins=begins,
        goes_on=[block for block in within if block not in begins],
        prepares=[block for block in near if block not in within],
        ports=[(bridge, used) for bridge in bridges if (used := bridge.used(span))],
    )
