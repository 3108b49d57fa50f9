"""A year of time as bits: what the search for common slots stands on.

Time is cut into cells of a few minutes and a set of cells is one Python integer, a bit a cell, so that "free at all of
these places" is an AND over a year at once. A cell is so long that every start, length and margin is a whole number
of cells: what a session needs is then exactly a run of cells, and something that touches a cell, even by a second,
takes all of it. Nothing here knows a proposal or the hour it is, so a timetable may serve many searches of one ground.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from struct import iter_unpack

from perinat_sched.availability.ground import Ground
from perinat_sched.intervals import Interval, difference, usage
from perinat_sched.sites.closures import open_hours
from perinat_sched.sites.network import Bridge, OpeningHours, Site

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Cells:
    """Time cut into cells of equal length, numbered from 0; a set of them is an integer, bit i for cell i."""

    origin: datetime  # UTC, a whole number of cells after the epoch
    length: timedelta  # divides 15 minutes, of which every zone's offset is a multiple
    count: int

    @classmethod
    def over(cls, window: Interval, length: timedelta) -> Cells:
        """The cells that touch `window`."""
        first, last = (window.start - EPOCH) // length, -((EPOCH - window.end) // length)
        return cls(EPOCH + first * length, length, last - first)

    @property
    def all(self) -> int:
        return (1 << self.count) - 1

    @property
    def window(self) -> Interval:
        return Interval(self.origin, self.instant(self.count))

    def instant(self, cell: int) -> datetime:
        """Where a cell starts."""
        return self.origin + cell * self.length

    def before(self, instant: datetime) -> int:
        """The cells that start before an instant."""
        return (1 << min(max(-((self.origin - instant) // self.length), 0), self.count)) - 1

    def touched(self, intervals: Iterable[Interval]) -> int:
        """The cells that any of `intervals` touches. Intervals may lie in any order, overlap and leave the window."""
        origin, count = self.origin, self.count
        seconds = int(self.length.total_seconds())
        a_day = DAY_SECONDS // seconds
        marks = bytearray(count // 8 + 1)
        for interval in intervals:  # a year has thousands: whole numbers are twice as fast as datetimes
            since, until = interval.start - origin, interval.end - origin
            first = since.days * a_day + since.seconds // seconds
            last = until.days * a_day - (-until.seconds // seconds)  # the first cell after it
            if until.microseconds and until.seconds % seconds == 0:
                last += 1
            if first < 0:
                first = 0
            if last > count:
                last = count
            if first < last:
                low, high = first >> 3, last >> 3
                if low == high:
                    marks[low] |= (1 << (last & 7)) - (1 << (first & 7))
                else:
                    marks[low] |= 256 - (1 << (first & 7))
                    marks[low + 1 : high] = b"\xff" * (high - low - 1)
                    marks[high] |= (1 << (last & 7)) - 1
        return int.from_bytes(marks, "little")


def minus(bits: int, others: int) -> int:
    """What is in one set and not in another (five times as fast as `bits & ~others` on long sets)."""
    return bits ^ (bits & others)


def numbers(bits: int) -> Iterator[int]:
    """The numbers of the cells in a set, in order."""
    data = bits.to_bytes((bits.bit_length() + 63) // 64 * 8, "little")
    for place, (word,) in enumerate(iter_unpack("<Q", data)):
        while word:
            lowest = word & -word
            yield place * 64 + lowest.bit_length() - 1
            word ^= lowest


def cells_of(numbered: Iterable[int], count: int) -> int:
    """The set of the cells with these numbers, all below `count`."""
    marks = bytearray(count // 8 + 1)
    for number in numbered:
        marks[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(marks, "little")


class Runs:
    """A set of free cells, asked for runs of them.

    Runs of 1, 2, 4, 8 … cells are found once, each from the one before it, and kept; a run of any other length is two
    of these that overlap: one shift and one AND.
    """

    __slots__ = ("_powers",)

    def __init__(self, free: int) -> None:
        self._powers = {0: free}  # power p: where 2^p free cells begin

    def starts(self, length: int) -> int:
        """The cells at which `length` free cells begin."""
        power = length.bit_length() - 1
        bits = self._powers.get(power) or self._power(power)
        rest = length - (1 << power)
        return bits & (bits >> rest) if rest else bits

    def _power(self, power: int) -> int:
        if power not in self._powers:
            half = self._power(power - 1)
            self._powers[power] = half & (half >> (1 << (power - 1)))
        return self._powers[power]


class Timetable:
    """What a ground leaves free in a window, cell by cell; each piece is made when it is first asked for.

    `ground` must hold every closure and every hold, with its set-up and release, that touches the window. What lies
    outside the window counts as not free.
    """

    def __init__(self, ground: Ground, window: Interval, cell: timedelta) -> None:
        self.ground = ground
        self.cells = Cells.over(window, cell)
        self.always = Runs(self.cells.all)
        self._same = {0: self.always}  # by the cells that are not free: who keeps the same days shares one object
        self._pieces: dict[tuple[str, str, int], Runs] = {}
        self._loads: dict[str, list[tuple[Interval, int]]] = {}

    def open(self, site: Site) -> Runs:
        """Within the opening hours of a site; one and the same object for all sites that keep the same hours."""
        return _open(_Hours(site.opening_hours, site.timezone, site), self.cells)

    def unclosed(self, code: str) -> Runs:
        """Without a closure of a site or bridge, or with a room not busy elsewhere."""
        closures = self.ground.closures.get(code, ())
        return self._kept("closures", code, 0, lambda: (closure.interval for closure in closures))

    def untaken(self, room: str) -> Runs:
        """Without another session in a room."""
        holds = self.ground.holds.get(room, ())
        return self._kept("taken", room, 0, lambda: (hold.interval for hold in holds))

    def undisturbed(self, room: str) -> Runs:
        """Without another session in a room, nor its set-up or release."""
        holds = self.ground.holds.get(room, ())
        return self._kept("around", room, 0, lambda: (hold.around for hold in holds))

    def spare(self, bridge: Bridge, ports: int) -> Runs:
        """With `ports` free ports on a bridge that has as many."""

        def crowded() -> Iterator[Interval]:
            return (interval for interval, units in self.loads(bridge.code) if units + ports > bridge.ports)

        return self._kept("ports", bridge.code, ports, crowded)

    def loads(self, bridge: str) -> list[tuple[Interval, int]]:
        """How many ports of a bridge are in use, and when: sorted, only where any is."""
        if bridge not in self._loads:
            holds = self.ground.holds.get(bridge, ())
            self._loads[bridge] = usage((hold.interval, hold.units) for hold in holds)
        return self._loads[bridge]

    def load(self, bridge: str, interval: Interval) -> int:
        """The most ports of a bridge that are in use at any instant of `interval`."""
        loads = self.loads(bridge)
        first = bisect_right(loads, interval.start, key=lambda load: load[0].end)
        during = takewhile(lambda load: load[0].start < interval.end, islice(loads, first, None))
        return max((units for _, units in during), default=0)

    def _kept(self, what: str, code: str, number: int, busy: Callable[[], Iterator[Interval]]) -> Runs:
        key = what, code, number
        if key not in self._pieces:
            touched = self.cells.touched(busy())
            if touched not in self._same:
                self._same[touched] = Runs(self.cells.all ^ touched)
            self._pieces[key] = self._same[touched]
        return self._pieces[key]


@dataclass(frozen=True, slots=True)
class _Hours:
    """What decides when a site is open, whichever site it is."""

    opening_hours: tuple[OpeningHours, ...]
    timezone: str
    site: Site = field(compare=False)


@lru_cache(maxsize=128)
def _open(hours: _Hours, cells: Cells) -> Runs:
    window = cells.window
    return Runs(cells.all ^ cells.touched(difference([window], open_hours(hours.site, window))))
