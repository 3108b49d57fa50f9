"""The starts a search looks at: wall times of one zone, as bits of a timetable.

People ask in wall time ("weekdays, between nine and five, every quarter of an hour") and wall time is a week that
repeats itself between two changes of the clocks. So a week is written once and laid over each stretch of constant
offset: a skipped hour has no start, a repeated one has each start twice, without a word about either.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache

from perinat_sched.availability.slot import SlotQuery
from perinat_sched.availability.timetable import EPOCH, Cells, Runs
from perinat_sched.intervals import Interval
from perinat_sched.sites.network import MINUTES_A_DAY
from perinat_sched.zones import even_parts, offset, to_local

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MONDAY = EPOCH + timedelta(days=4)  # any Monday at midnight: where a week's bits begin
MINUTE = timedelta(minutes=1)
NINE, FIVE = timedelta(hours=9), timedelta(hours=17)


def starts(query: SlotQuery, step: int, cells: Cells) -> int:
    """The starts at the wall times asked for, every `step` minutes from local midnight."""
    length, duration = cells.length // MINUTE, query.proposal.duration
    latest = MINUTES_A_DAY - 1 if query.before is None else query.before - duration // MINUTE
    minutes = range(-(-_minute(query.after) // step) * step, latest + 1, step)
    week = _week(sum(1 << minute // length for minute in minutes), query.weekdays, cells)
    stretches = _stretches(query.timezone, cells.window)
    found = 0
    for stretch, ahead in stretches:
        first = datetime.combine(query.first_day, time(), tzinfo=UTC) - ahead
        days = Interval(first, first + (query.last_day - query.first_day) + DAY)
        if days.overlaps(stretch):
            found |= _laid(week, max(days.start, stretch.start), min(days.end, stretch.end), ahead, cells)
    if query.before is not None:
        for stretch, _ in stretches[1:]:
            found = _asked_again(found, query, step, stretch.start, cells)
    return found


@lru_cache(maxsize=256)
def office_hours(timezone: str, cells: Cells) -> Runs:
    """From nine to five by the clocks of a zone, every day: the hours that suit people best."""
    day = (1 << FIVE // cells.length) - (1 << NINE // cells.length)
    week = _week(day, frozenset(), cells)
    found = 0
    for stretch, ahead in _stretches(timezone, cells.window):
        found |= _laid(week, stretch.start, stretch.end, ahead, cells)
    return Runs(found)


def _week(day: int, weekdays: frozenset[int], cells: Cells) -> bytes:
    """The bits of a week from Monday at midnight, from those of a day; no weekdays: all of them."""
    length = DAY // cells.length  # a multiple of 8 is seven times this, whatever divides 15 minutes
    return sum(day << (weekday * length) for weekday in weekdays or range(7)).to_bytes(7 * length // 8, "little")


def _laid(week: bytes, start: datetime, end: datetime, ahead: timedelta, cells: Cells) -> int:
    """A week repeated from start to end, where clocks are `ahead` of UTC."""
    phase = ((start + ahead - MONDAY) % WEEK) // cells.length
    count = (end - start) // cells.length
    weeks = -(-(phase + count) * cells.length // WEEK)
    bits = (int.from_bytes(week * weeks, "little") >> phase) & ((1 << count) - 1)
    return bits << ((start - cells.origin) // cells.length)


def _asked_again(found: int, query: SlotQuery, step: int, change: datetime, cells: Cells) -> int:
    """The sessions that a change of the clocks falls into end by the clocks after it: each is asked by itself."""
    first = max((change - query.proposal.duration - cells.origin) // cells.length + 1, 0)
    last = (change - cells.origin) // cells.length
    bits = found & ~(((1 << (last - first)) - 1) << first) if first < last else found
    for cell in range(first, last):
        if _allows(query, step, cells.instant(cell)):
            bits |= 1 << cell
    return bits


def _allows(query: SlotQuery, step: int, start: datetime) -> bool:
    """Whether one instant is a start, by the clocks at its start and at its end."""
    wall = to_local(start, query.timezone).replace(tzinfo=None)
    midnight = datetime.combine(wall.date(), time())
    minute = (wall - midnight) // MINUTE
    end = to_local(start + query.proposal.duration, query.timezone).replace(tzinfo=None)
    return (
        query.first_day <= wall.date() <= query.last_day
        and (not query.weekdays or wall.weekday() in query.weekdays)
        and minute % step == 0
        and minute >= _minute(query.after)
        and (query.before is None or end <= midnight + query.before * MINUTE)
    )


def _minute(wall: time | None) -> int:
    """Of the day, rounded up."""
    return 0 if wall is None else wall.hour * 60 + wall.minute + bool(wall.second or wall.microsecond)


@lru_cache(maxsize=256)
def _stretches(timezone: str, window: Interval) -> list[tuple[Interval, timedelta]]:
    """The window cut where the clocks of a zone change, each piece with what they are ahead of UTC."""
    stretches: list[tuple[Interval, timedelta]] = []
    start = window.start
    while start < window.end:
        week = Interval(start, min(start + WEEK, window.end))
        for part in even_parts(week, timezone):
            ahead = offset(part.start, timezone)
            if stretches and stretches[-1][1] == ahead:
                stretches[-1] = Interval(stretches[-1][0].start, part.end), ahead
            else:
                stretches.append((part, ahead))
        start = week.end
    return stretches
