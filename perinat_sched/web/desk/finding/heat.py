"""A map of hours: for each half hour of each day, how many of the sites could meet. No I/O.

A week a table, as people plan; rows are wall hours of the host, so in autumn one cell may hold two starts and in
spring one may hold none. Days and hours at which the host is never free are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from perinat_sched import zones
from perinat_sched.availability.slots import Start
from perinat_sched.web.desk import timetable


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One half hour of every day shown."""

    hour: datetime  # by the host's clock, on any of the days
    others: Sequence[datetime]  # what the other clocks show then
    cells: Sequence[Sequence[Start]]  # one a day


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """One table."""

    first: date  # its Monday
    days: Sequence[date]
    rows: Sequence[Row]


def weeks(starts: Sequence[Start], zone: str, host: str, others: Sequence[str]) -> list[Week]:
    """The tables of a survey, by the clock of `zone`; `others` are the zones of further clocks."""
    found: dict[date, dict[tuple[time, date], list[Start]]] = {}
    for start in starts:
        local = zones.to_local(start.at, zone)
        cells = found.setdefault(timetable.monday(local.date()), {})
        cells.setdefault((local.time(), local.date()), []).append(start)
    return [table for first, cells in found.items() if (table := _week(first, cells, zone, host, others))]


def _week(
    first: date, cells: dict[tuple[time, date], list[Start]], zone: str, host: str, others: Sequence[str]
) -> Week | None:
    kept = [key for key, starts in cells.items() if any(host not in start.missing for start in starts)]
    if not kept:
        return None
    earliest, latest = min(hour for hour, _ in kept), max(hour for hour, _ in kept)
    days = sorted({day for _, day in kept})
    groups = [(other, group.days[0]) for other in others for group in timetable.clocks(first, zone, other)]
    return Week(
        first=first,
        days=days,
        rows=[
            Row(
                hour=_at(days[0], hour, zone),
                others=[zones.to_local(_at(day, hour, zone), other) for other, day in groups],
                cells=[cells.get((hour, day), ()) for day in days],
            )
            for hour in sorted({hour for hour, _ in cells})
            if earliest <= hour <= latest
        ],
    )


def _at(day: date, hour: time, zone: str) -> datetime:
    return datetime.combine(day, hour, tzinfo=zones.zone(zone))
