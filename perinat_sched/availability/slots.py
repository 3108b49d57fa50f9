"""The search for common slots: when everybody can meet, and what stands in the way when they cannot.

Every start is asked at once, in bits (`timetable`); the rules are those of `conflicts`, and property tests hold the
two together, so that a slot without conflicts can be booked at once by the same request. Searching needs neither I/O
nor a clock: the caller loads the ground that lies in `window(…)`, without the session that is being moved.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from math import gcd

from perinat_sched.availability.blocking import Agreement, Blocking, explain
from perinat_sched.availability.candidates import MINUTE, office_hours, starts
from perinat_sched.availability.conflicts import Code
from perinat_sched.availability.ground import Ground
from perinat_sched.availability.listing import clear_slots, overridable_slots
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.prospects import Bridging, Question, SiteProspect
from perinat_sched.availability.seating import Seating
from perinat_sched.availability.slot import Order, Slot, SlotPlace, SlotQuery
from perinat_sched.availability.timetable import Timetable, cells_of, minus, numbers
from perinat_sched.intervals import Interval
from perinat_sched.sites.network import Directory, Margins
from perinat_sched.zones import start_of_day

__all__ = [
    "Blocking",
    "Order",
    "Search",
    "Slot",
    "SlotPlace",
    "SlotQuery",
    "alternatives",
    "nearest",
    "prepare",
    "search",
    "survey",
    "window",
]

ALTERNATIVES = 3
ZONE_MINUTES = 15  # every zone's offset is a multiple of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What a search found."""

    slots: tuple[Slot, ...]
    blocking: tuple[Blocking, ...]  # each needed site, in order, and the bridge where one is needed
    rules: tuple[tuple[Code, int], ...]  # too_late, too_long: how many starts each refuses, where any
    starts: int  # searched: at the wall times asked for, none in the past
    bookable: int  # of these, without conflict


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One start that a search looked at, and who could come."""

    at: datetime  # UTC
    missing: tuple[str, ...]  # of the sites asked for, those that are not free, in the order asked
    bookable: bool
    reason: Code | None  # what speaks against the session as a whole: too late, too long, no bridge


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a search found, and every start that it looked at."""

    search: Search
    starts: tuple[Start, ...]


def window(directory: Directory, query: SlotQuery) -> Interval:
    """What a search looks at: its ground holds each closure, and each hold by its `around`, that touches this."""
    first = start_of_day(query.first_day, query.timezone)
    last = start_of_day(query.last_day + timedelta(days=1), query.timezone) + query.proposal.duration
    margins = _margins(directory, query.proposal)
    return Interval(first - max(m.set_up for m in margins), last + max(m.release for m in margins))


def prepare(ground: Ground, query: SlotQuery) -> Timetable:
    """The timetable of a search; it may serve another whose window it covers and whose times its cells divide."""
    margins = _margins(ground.directory, query.proposal)
    spans = [query.proposal.duration, *(m.set_up for m in margins), *(m.release for m in margins)]
    cell = gcd(ZONE_MINUTES, _step(ground.directory, query), *(span // MINUTE for span in spans))
    return Timetable(ground, window(ground.directory, query), cell * MINUTE)


def search(ground: Ground, query: SlotQuery, timetable: Timetable | None = None) -> Search:
    """The first slots in the order asked for, and the reasons why there are not more.

    `ground` is loaded for `window(…)`; `timetable` is one prepared earlier from the same closures and holds.
    """
    return _Outlook(ground, query, timetable or prepare(ground, query)).search()


def survey(ground: Ground, query: SlotQuery) -> Survey:
    """A search, and every start it looked at, the earliest first: for a period of some weeks and a step of half hours,
    not for a year of them."""
    outlook = _Outlook(ground, query, prepare(ground, query))
    return Survey(search=outlook.search(), starts=tuple(outlook.surveyed()))


def alternatives(ground: Ground, query: SlotQuery, after: datetime) -> list[Slot]:
    """Up to three bookable slots that start after an instant (UTC), the earliest first; none overlaps another.

    None is further off than the days that the query spans.
    """
    outlook = _Outlook(ground, query, prepare(ground, query))
    cells, length = outlook.question.timetable.cells, outlook.question.length
    last = max(after, ground.now) + (query.last_day - query.first_day)
    chosen: list[int] = []
    for number in numbers(minus(outlook.bookable & cells.before(last + MINUTE), cells.before(after + MINUTE))):
        if not chosen or number >= chosen[-1] + length:
            chosen.append(number)
        if len(chosen) == ALTERNATIVES:
            break
    return outlook.slots(chosen)


def nearest(ground: Ground, query: SlotQuery, asked: Sequence[datetime], within: timedelta) -> dict[datetime, Slot]:
    """For each instant (UTC) the bookable slot whose start is nearest, the later of two; none where all are too far.

    One search for all of them, whatever their number.
    """
    outlook = _Outlook(ground, query, prepare(ground, query))
    cells = outlook.question.timetable.cells
    free = list(numbers(outlook.bookable))
    chosen: dict[datetime, int] = {}
    for instant in asked:
        place = bisect_left(free, -((cells.origin - instant) // cells.length))
        around = [(abs(cells.instant(number) - instant), -number) for number in free[max(place - 1, 0) : place + 1]]
        if around and min(around)[0] <= within:
            chosen[instant] = -min(around)[1]
    listed = sorted(set(chosen.values()))
    slots = dict(zip(listed, outlook.slots(listed), strict=True))
    return {instant: slots[number] for instant, number in chosen.items()}


class _Outlook:
    """Everybody's answer to one query."""

    def __init__(self, ground: Ground, query: SlotQuery, timetable: Timetable) -> None:
        proposal, sites = query.proposal, ground.directory.sites
        asked = starts(query, _step(ground.directory, query), timetable.cells)
        past = timetable.cells.before(ground.now) if "in_the_past" in proposal.timing else 0
        self.query = query
        self.question = Question(ground, timetable, proposal, minus(asked, past))
        self.needed = [SiteProspect(self.question, sites[code]) for code in proposal.needed]
        self.optional = [SiteProspect(self.question, sites[code]) for code in proposal.optional]
        self.bridging = Bridging(self.question)
        self.agreement = Agreement.of(self.question, self.needed, self.bridging)
        self.bookable = self.agreement.bookable

    def search(self) -> Search:
        return Search(
            slots=tuple(self.slots(list(islice(self.in_order(), self.query.limit)))),
            blocking=explain(self.agreement, self.needed, self.bridging),
            rules=tuple((code, where.bit_count()) for code, where in self.rules() if where),
            starts=self.question.starts.bit_count(),
            bookable=self.bookable.bit_count(),
        )

    def surveyed(self) -> Iterator[Start]:
        """Every start, with the sites that are not free, and else what is in the way of all of them."""
        asked = self.question.starts
        free = [(site.site.code, site.free()) for site in self.needed]
        free += [(site.site.code, site.joining()) for site in self.optional]
        missing = [(code, set(numbers(minus(asked, where)))) for code, where in free]
        shortage: Code = "ports_exhausted" if self.bridging.bridges else "no_bridge"
        in_the_way = [*self.rules(), (shortage, minus(asked, self.agreement.carried))]
        reasons = [(code, set(numbers(asked & where))) for code, where in in_the_way]
        bookable = set(numbers(self.bookable))
        for number in numbers(asked):
            yield Start(
                at=self.question.timetable.cells.instant(number),
                missing=tuple(code for code, where in missing if number in where),
                bookable=number in bookable,
                reason=next((code for code, where in reasons if number in where), None),
            )

    @cached_property
    def allowed(self) -> int:
        """The starts that may be listed."""
        if not self.query.include_overridable:
            return self.bookable
        found = self.agreement.carried
        for site in self.needed:
            found &= site.possible()
        return found

    @cached_property
    def seating(self) -> Seating:
        return Seating.of(self.needed, self.optional, self.bridging, self.allowed)

    def in_order(self) -> Iterator[int]:
        """The starts to list, as numbers of cells, the first one first."""
        if self.query.order == "earliest":
            yield from numbers(self.allowed)
            return
        suiting = self._suiting()
        for group in (self.bookable, minus(self.allowed, self.bookable)):
            for held in sorted({seats.held for seats in self.seating.seats}, reverse=True):
                where = group & sum(seats.where for seats in self.seating.seats if seats.held == held)
                yield from numbers(where & suiting)
                yield from numbers(minus(where, suiting))

    def _suiting(self) -> int:
        """The starts at which it is between nine and five, by their own clocks, for all who take part."""
        found = self.allowed
        cells = self.question.timetable.cells
        for zone in {site.site.timezone for site in self.needed}:
            found &= self.question.shared(office_hours(zone, cells))
        for site in self.optional:
            suiting = self.question.shared(office_hours(site.site.timezone, cells))
            found = minus(found, minus(self.seating.optional[site.site.code], suiting))
        return found

    def slots(self, listed: list[int]) -> list[Slot]:
        """The slots at these starts, in the same order."""
        clear = set(numbers(self.bookable & cells_of(listed, self.question.timetable.cells.count)))
        found = [
            *clear_slots(sorted(clear), self.question, self.needed, self.optional, self.seating),
            *overridable_slots([number for number in listed if number not in clear], self.question),
        ]
        by_start = {slot.start: slot for slot in found}
        return [by_start[self.question.timetable.cells.instant(number)] for number in listed]

    def rules(self) -> Iterator[tuple[Code, int]]:
        """What is asked of the whole session, and the starts that each rule refuses."""
        late, too_long = self.question.late, 0
        for site in self.needed:
            late |= site.late()
            too_long |= site.too_long_to_book()
        yield "too_late", late
        yield "too_long", too_long


def _step(directory: Directory, query: SlotQuery) -> int:
    return query.step_minutes or directory.defaults.grid_minutes


def _margins(directory: Directory, proposal: Proposal) -> set[Margins]:
    """All margins that places of a proposal may bring."""
    sites = [directory.sites[code] for code in (*proposal.needed, *proposal.optional)]
    return {directory.margins(proposal.kind, site, room) for site in sites for room in (site.rooms or (None,))}
