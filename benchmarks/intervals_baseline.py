"""The yardstick of the slot search: the same question answered with sorted lists of intervals, in plain Python.

This is how such a search is usually written, with care: times are integers (minutes), every list is sorted and merged
once beforehand, every step is one pass over sorted lists, and what is counted is counted by arithmetic. It finds the
same starts, the same first slots with the same rooms, and how many starts would come back without each site or the
bridge, with the reasons. Of the product's rules it knows those that occur in the benchmark.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Span = tuple[int, int]  # [start, end) in minutes
Spans = list[Span]  # sorted, apart from one another


@dataclass(frozen=True)
class Room:
    code: str
    around: Spans  # sessions with their set-up and release
    taken: Spans  # sessions alone


@dataclass(frozen=True)
class Prepared:
    """A year of a network, everything sorted and merged."""

    open: list[Spans]  # for each site
    closed: list[Spans]  # for each site
    rooms: list[list[Room]]  # for each site
    loads: list[tuple[int, int, int]]  # of the bridge: start, end, ports in use
    ports: int


@dataclass(frozen=True)
class Found:
    starts: int
    bookable: int
    slots: list[tuple[int, tuple[str, ...]]]  # the first ones, each with the room of each site
    blocking: list[tuple[int, tuple[str, ...]]]  # for each site, then for the bridge: starts that come back, reasons


def merged(spans: Sequence[Span]) -> Spans:
    """Sorted, overlapping and touching ones joined."""
    found: Spans = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def search(prepared: Prepared, asked: Spans, *, length: int, set_up: int, release: int, step: int, limit: int) -> Found:
    """The starts among `asked` (spans of allowed starts) at which all sites and the bridge are free."""
    first, last = asked[0][0] - set_up, asked[-1][1] + length + release
    room_starts = [
        [(room.code, _starts(_gaps(room.around, first, last), set_up, length + release)) for room in rooms]
        for rooms in prepared.rooms
    ]
    roomy = [_both(merged([span for _, starts in rooms for span in starts]), asked) for rooms in room_starts]
    in_hours = [_both(_starts(open, 0, length), asked) for open in prepared.open]
    unclosed = [_both(_starts(_gaps(closed, first, last), 0, length), asked) for closed in prepared.closed]
    refusals: list[tuple[int, int]] = []  # (minute, number of a site): from here on it refuses, or (~site) does no more
    for site, spans in enumerate(roomy):
        for start, end in without(asked, _both(_both(spans, in_hours[site]), unclosed[site])):
            refusals.append((start, site))
            refusals.append((end, ~site))
    agreed, alone = _levels(refusals, asked, len(roomy))
    carried = _carried(prepared, len(roomy), asked, length + release, set_up)
    easier = _carried(prepared, len(roomy) - 1, asked, length + release, set_up)
    bookable = _both(agreed, carried)
    stuck = without(agreed, bookable)

    blocking = []
    for site, spans in enumerate(alone):
        back = _both(merged([*spans, *stuck]), easier)
        no_room = without(back, _both(back, roomy[site]))
        obtainable = (
            span for room in prepared.rooms[site] for span in _starts(_gaps(room.taken, first, last), 0, length)
        )
        overlap = _both(no_room, merged(list(obtainable)))
        reasons = {
            "set_up_overlap": overlap,
            "room_taken": without(no_room, overlap),
            "outside_hours": without(back, _both(back, in_hours[site])),
            "site_closed": without(back, _both(back, unclosed[site])),
            "ports_exhausted": without(back, _both(back, carried)),
        }
        blocking.append((_count(back, step), _ranked({code: _count(where, step) for code, where in reasons.items()})))
    costs = _count(stuck, step)
    return Found(
        starts=_count(asked, step),
        bookable=_count(bookable, step),
        slots=list(_listed(bookable, room_starts, step, limit)),
        blocking=[*blocking, (costs, _ranked({"ports_exhausted": costs}))],
    )


def _ranked(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted((code for code, count in counts.items() if count), key=lambda code: (-counts[code], code)))


def _gaps(busy: Spans, first: int, last: int) -> Spans:
    """What a sorted list leaves free between two minutes."""
    found, since = [], first
    for start, end in busy:
        if start > since:
            found.append((since, start))
        if end > since:
            since = end
    if since < last:
        found.append((since, last))
    return found


def _starts(free: Spans, before: int, after: int) -> Spans:
    """The starts for which everything from `before` them until `after` them is free."""
    return [(start + before, end - after + 1) for start, end in free if end - start >= before + after]


def _both(left: Spans, right: Spans) -> Spans:
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        (a, b), (c, d) = left[i], right[j]
        start, end = (a if a > c else c), (b if b < d else d)
        if start < end:
            found.append((start, end))
        if b <= d:
            i += 1
        else:
            j += 1
    return found


def without(spans: Spans, others: Spans) -> Spans:
    """`spans` without `others`, which lie within them."""
    found, j = [], 0
    for start, end in spans:
        while j < len(others) and others[j][0] < end:
            if others[j][0] > start:
                found.append((start, others[j][0]))
            start = others[j][1]
            j += 1
        if start < end:
            found.append((start, end))
    return found


def _levels(refusals: list[tuple[int, int]], asked: Spans, sites: int) -> tuple[Spans, list[Spans]]:
    """Where no site refuses, and for each site where it alone does: one sweep over all their changes."""
    refusals.sort()
    agreed, since = [], asked[0][0]
    alone: list[Spans] = [[] for _ in range(sites)]
    refusing, who = 0, 0  # how many, and the sum of their numbers: of one, its number
    for minute, site in refusals:
        if minute > since:
            if refusing == 0:
                agreed.append((since, minute))
            elif refusing == 1:
                alone[who].append((since, minute))
            since = minute
        if site >= 0:
            refusing += 1
            who += site
        else:
            refusing -= 1
            who -= ~site
    if since < asked[-1][1]:
        agreed.append((since, asked[-1][1]))
    return _both(agreed, asked), alone


def _carried(prepared: Prepared, ports: int, asked: Spans, after: int, before: int) -> Spans:
    """The starts for which the bridge has so many ports free, margins included."""
    if ports <= 2:
        return asked
    if ports > prepared.ports:
        return []
    crowded = merged([(start, end) for start, end, units in prepared.loads if units + ports > prepared.ports])
    return _both(_starts(_gaps(crowded, asked[0][0] - before, asked[-1][1] + after), before, after), asked)


def _count(spans: Spans, step: int) -> int:
    """How many multiples of `step` lie in sorted spans."""
    return sum(-(-end // step) + -start // step for start, end in spans)


def _listed(
    bookable: Spans, room_starts: list[list[tuple[str, Spans]]], step: int, limit: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The first slots, each with the first free room of each site."""
    left = limit
    for first, end in bookable:
        for start in range(-(-first // step) * step, end, step):
            if left == 0:
                return
            left -= 1
            yield start, tuple(next(code for code, spans in rooms if _holds(spans, start)) for rooms in room_starts)


def _holds(spans: Spans, minute: int) -> bool:
    place = bisect_right(spans, (minute, 1 << 62)) - 1
    return place >= 0 and minute < spans[place][1]
