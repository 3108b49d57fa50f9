"""Spans of time, half-open and in UTC.

`[start, end)` contains its start and not its end, so that a session that ends at 12:15 touches, without conflict,
one that begins at 12:15. Everything that is compared, merged or subtracted is compared here, in UTC; wall time
exists only at the edge (`zones`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """`[start, end)`; both aware, in UTC; never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"an interval ends after it starts: {self.start} … {self.end}")

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: Interval) -> bool:
        return self.start <= other.start and other.end <= self.end

    def widened(self, before: timedelta, after: timedelta) -> Interval:
        """Longer by `before` at its start and `after` at its end: a session with its set-up and release."""
        return Interval(self.start - before, self.end + after)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants, sorted, as few intervals as possible (touching ones are joined)."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].end:
            if interval.end > merged[-1].end:
                merged[-1] = Interval(merged[-1].start, interval.end)
        else:
            merged.append(interval)
    return merged


def difference(whole: Iterable[Interval], minus: Iterable[Interval]) -> list[Interval]:
    """What is in `whole` and in none of `minus`."""
    taken = union(minus)
    left: list[Interval] = []
    first = 0
    for interval in union(whole):
        start = interval.start
        while first < len(taken) and taken[first].end <= start:
            first += 1
        for hole in taken[first:]:
            if hole.start >= interval.end:
                break
            if start < hole.start:
                left.append(Interval(start, hole.start))
            start = max(start, hole.end)
        if start < interval.end:
            left.append(Interval(start, interval.end))
    return left


def intersection(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    """What is in both."""
    ones, others = union(left), union(right)
    common: list[Interval] = []
    i = j = 0
    while i < len(ones) and j < len(others):
        start, end = max(ones[i].start, others[j].start), min(ones[i].end, others[j].end)
        if start < end:
            common.append(Interval(start, end))
        if ones[i].end <= others[j].end:
            i += 1
        else:
            j += 1
    return common


def usage(loads: Iterable[tuple[Interval, int]]) -> list[tuple[Interval, int]]:
    """Units in use over time, sorted, where more than none are: `(interval, units)`, one entry a change."""
    changes: dict[datetime, int] = {}
    for interval, units in loads:
        changes[interval.start] = changes.get(interval.start, 0) + units
        changes[interval.end] = changes.get(interval.end, 0) - units
    steps: list[tuple[Interval, int]] = []
    level, since = 0, None
    for instant in sorted(changes):
        if changes[instant] == 0:
            continue
        if since is not None and level > 0:
            steps.append((Interval(since, instant), level))
        level, since = level + changes[instant], instant
    return steps


def peak(loads: Iterable[tuple[Interval, int]], window: Interval) -> int:
    """The most units in use at any instant of `window`."""
    return max((units for interval, units in usage(loads) if interval.overlaps(window)), default=0)
