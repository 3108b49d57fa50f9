"""The search for common slots against sorted lists of intervals: row 4 of the project's table of speed.

`python -m benchmarks.slots`. One year, every start on the 5-minute grid between 8 and 19 on weekdays in Paris, for a
session of an hour with set-up and release; sites in three zones with three rooms each, 1,000 sessions a site and
year, holidays, and a bridge with a port for each and other sessions on it. CPU time, the best of several runs.

Both sides get the same year prepared in the form that suits them, and neither knows the question beforehand:

- *search* starts from there. The product is given a `Timetable` (bits of free time a room, site and bridge), the
  yardstick (`intervals_baseline`) sorted and merged lists of busy minutes. Both find the starts, the first 50 slots
  with a room for each site, and how many starts would come back without each site and the bridge, with the reasons.
- *with preparation* starts from closures and holds as they are loaded, on both sides.

The first search of each length also makes the runs of 2, 4, 8 … cells that later ones use again: it is measured apart.

Measured on two shared cores (ratios count, not times):

     sites   search by lists ratio    first search ratio    with preparation by lists ratio
        10        3       27     8               7     4                  50       80   1.6
       100       14      258    19              34     7                 255      740   2.9
     1,000      110    3,900    35             250    16               3,400    8,200   2.4

1,000 sites cost about eight times 100 sites. What is left of the cost with preparation is reading 100,000 sessions:
their datetimes become numbers of cells one by one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from time import process_time

from benchmarks import intervals_baseline as baseline
from perinat_sched.availability import slots
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slots import Search, SlotQuery
from perinat_sched.intervals import Interval, usage
from perinat_sched.sites.closures import Closure, open_hours
from perinat_sched.sites.network import Bridge, Defaults, Directory, Network, OpeningHours, Room, Site
from perinat_sched.zones import start_of_day

RATIO = 10  # times less CPU than the yardstick
GROWTH = 10  # 1,000 sites cost at most so many times 100
SITES = (10, 100, 1000)
ROOMS, SESSIONS, SLOTS = 3, 1000, 50
ZONES = ("Europe/Paris", "Europe/Paris", "Europe/Paris", "Indian/Reunion", "Indian/Mayotte")
ZONE = ZONES[0]
FIRST, LAST = date(2027, 1, 4), date(2028, 1, 3)  # 365 days
LENGTH, SET_UP, RELEASE, STEP = 60, 30, 15, 5  # minutes
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Year:
    """One year of a network, as it is loaded."""

    ground: Ground
    query: SlotQuery

    @property
    def sites(self) -> list[Site]:
        return [self.ground.directory.sites[code] for code in self.query.proposal.needed]


def a_year(sites: int) -> Year:
    """A network of so many sites, the same at every run."""
    dice = Random(sites)
    network = [_a_site(number) for number in range(sites)]
    bridge = Bridge(code="bridge", name="Bridge", ports=sites + sites // 5 + 2, networks=("all",))
    directory = Directory(
        networks={"all": Network(code="all", name="All")},
        bridges={bridge.code: bridge},
        kinds={},
        sites={site.code: site for site in network},
        rooms={room.code: room for site in network for room in site.rooms},
        defaults=Defaults(set_up_minutes=SET_UP, release_minutes=RELEASE, grid_minutes=STEP),
    )
    holidays = [FIRST + timedelta(days=dice.randrange(365)) for _ in range(11)]
    ground = Ground(
        directory=directory,
        now=datetime(2026, 11, 2, tzinfo=UTC),
        closures={site.code: [_a_holiday(day, site.timezone) for day in holidays] for site in network},
        holds={room.code: _sessions_of(room, dice) for room in directory.rooms.values()}
        | {bridge.code: [_on_the_bridge(bridge, dice) for _ in range(SESSIONS // 5)]},
    )
    first, *others = directory.sites
    query = SlotQuery(
        proposal=Proposal(network="all", kind=None, duration=LENGTH * MINUTE, host=first, required=tuple(others)),
        timezone=ZONE,
        first_day=FIRST,
        last_day=LAST,
        after=time(8),
        before=19 * 60,
        weekdays=frozenset(range(5)),
        limit=SLOTS,
    )
    return Year(ground, query)


def _a_site(number: int) -> Site:
    code = f"site{number}"
    return Site(
        code=code,
        name=code,
        timezone=ZONES[number % len(ZONES)],
        networks=("all",),
        opening_hours=(OpeningHours(weekdays=frozenset(range(5)), opens=8 * 60, closes=18 * 60),),
        rooms=tuple(Room(code=f"{code}-{room}", site=code, name=code) for room in range(ROOMS)),
    )


def _a_holiday(day: date, zone: str) -> Closure:
    whole = Interval(start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone))
    return Closure(interval=whole, reason="holiday", source="public-holiday")


def _sessions_of(room: Room, dice: Random) -> list[Hold]:
    """A third of a site's sessions, apart from one another; none on Fridays, so that there are slots in common."""
    found: list[Hold] = []
    start = datetime.combine(FIRST, time(5), tzinfo=UTC)
    spacing = 365 * 24 * 60 / (SESSIONS / ROOMS) * 4 / 7  # on four days of seven
    while start.date() <= LAST:
        start += timedelta(minutes=int(dice.uniform(0.2, 1.8) * spacing) // 5 * 5)
        start = start.replace(hour=5 + start.hour % 10)
        if found and start < found[-1].around.end + SET_UP * MINUTE:
            start = found[-1].around.end + SET_UP * MINUTE
        if start.weekday() < 4:
            interval = Interval(start, start + dice.choice((30, 60, 60, 90, 120)) * MINUTE)
            found.append(_a_hold(interval, interval.widened(SET_UP * MINUTE, RELEASE * MINUTE), 1))
    return found


def _on_the_bridge(bridge: Bridge, dice: Random) -> Hold:
    day = datetime.combine(FIRST, time(6), tzinfo=UTC) + timedelta(days=dice.randrange(365))
    start = day + dice.randrange(0, 600, 15) * MINUTE
    return _a_hold(around := Interval(start, start + 105 * MINUTE), around, dice.randint(1, bridge.ports // 3 + 1))


def _a_hold(interval: Interval, around: Interval, units: int) -> Hold:
    return Hold(session="", host="site0", network="all", interval=interval, around=around, units=units)


# The same year for the yardstick


def minutes(interval: Interval) -> baseline.Span:
    return (interval.start - EPOCH) // MINUTE, (interval.end - EPOCH) // MINUTE


def lists_of(year: Year) -> baseline.Prepared:
    """Everything merged and sorted, in minutes."""
    ground, window = year.ground, slots.window(year.ground.directory, year.query)
    hours = {site.timezone: [minutes(span) for span in open_hours(site, window)] for site in year.sites}
    bridge = ground.directory.bridges["bridge"]
    return baseline.Prepared(
        open=[hours[site.timezone] for site in year.sites],
        closed=[baseline.merged([minutes(c.interval) for c in ground.closures[site.code]]) for site in year.sites],
        rooms=[
            [
                baseline.Room(
                    code=room.code,
                    around=baseline.merged([minutes(hold.around) for hold in ground.holds[room.code]]),
                    taken=baseline.merged([minutes(hold.interval) for hold in ground.holds[room.code]]),
                )
                for room in site.rooms
            ]
            for site in year.sites
        ],
        loads=[
            (*minutes(span), units) for span, units in usage((h.interval, h.units) for h in ground.holds[bridge.code])
        ],
        ports=bridge.ports,
    )


def starts_asked(query: SlotQuery) -> baseline.Spans:
    """The spans of starts that the query allows, a day each."""
    spans = []
    for number in range((query.last_day - query.first_day).days + 1):
        day = query.first_day + timedelta(days=number)
        if day.weekday() in query.weekdays:
            midnight = (start_of_day(day, ZONE) - EPOCH) // MINUTE  # no clock changes on a weekday
            spans.append((midnight + 8 * 60, midnight + 19 * 60 - LENGTH + 1))
    return spans


def by_lists(year: Year, prepared: baseline.Prepared) -> baseline.Found:
    return baseline.search(
        prepared, starts_asked(year.query), length=LENGTH, set_up=SET_UP, release=RELEASE, step=STEP, limit=SLOTS
    )


def as_found(found: Search) -> baseline.Found:
    """The product's answer in the yardstick's words, to compare them."""
    return baseline.Found(
        starts=found.starts,
        bookable=found.bookable,
        slots=[
            ((slot.start - EPOCH) // MINUTE, tuple(place.room or "" for place in slot.places)) for slot in found.slots
        ],
        blocking=[(entry.slots_without, entry.reasons) for entry in found.blocking],
    )


# Measuring


def cost(work: Callable[[], object]) -> float:
    """CPU milliseconds of one run."""
    start = process_time()
    work()
    return (process_time() - start) * 1000


def best(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """CPU milliseconds of each work at its best; they take turns, so that a busy neighbour disturbs all of them."""
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            costs[name].append(cost(work))
    return {name: min(found) for name, found in costs.items()}


@dataclass(frozen=True)
class Row:
    sites: int
    search: float  # milliseconds: prepared, runs of cells known
    first: float  # prepared, first search
    whole: float  # with preparation
    lists: float
    lists_whole: float

    def __str__(self) -> str:
        return (
            f"{self.sites:6} {self.search:9.2f} {self.lists:9.1f} {self.lists / self.search:7.1f} {self.first:9.2f} "
            f"{self.lists / self.first:7.1f} {self.whole:9.1f} {self.lists_whole:9.1f} "
            f"{self.lists_whole / self.whole:7.1f}"
        )


def measure(sites: int) -> Row:
    year = a_year(sites)
    timetable, prepared = slots.prepare(year.ground, year.query), lists_of(year)
    gc.collect()
    gc.freeze()  # the year itself is no work for the collector, on either side
    found = slots.search(year.ground, year.query, timetable)
    assert as_found(found) == by_lists(year, prepared), "both sides find the same"
    assert len(found.slots) == SLOTS, "there is something to find"
    ready = best(
        3 if sites > 100 else 12,
        search=lambda: slots.search(year.ground, year.query, timetable),
        lists=lambda: by_lists(year, prepared),
    )
    whole = best(
        1 if sites > 100 else 3,
        search=lambda: slots.search(year.ground, year.query),
        lists=lambda: by_lists(year, lists_of(year)),
    )
    return Row(
        sites=sites,
        search=ready["search"],
        first=min(first_search(year) for _ in range(2 if sites > 100 else 5)),
        whole=whole["search"],
        lists=ready["lists"],
        lists_whole=whole["lists"],
    )


def first_search(year: Year) -> float:
    """On a timetable whose bits of free time are made, but no longer runs of them."""
    timetable = slots.prepare(year.ground, year.query)
    for site in year.sites:
        timetable.open(site)
        timetable.unclosed(site.code)
        for room in site.rooms:
            timetable.undisturbed(room.code)
            timetable.untaken(room.code)
            timetable.unclosed(room.code)
    for bridge in year.ground.directory.bridges.values():
        for ports in (len(year.sites), len(year.sites) - 1):
            timetable.spare(bridge, ports)
    return cost(lambda: slots.search(year.ground, year.query, timetable))


def main() -> None:
    print("CPU ms: prepared, by lists, ratio; first search, ratio; with preparation, by lists, ratio")
    rows = {sites: measure(sites) for sites in SITES}
    for row in rows.values():
        print(row)
    growth = rows[1000].search / rows[100].search
    print(f"1,000 sites cost {growth:.1f} times 100 sites")
    assert rows[100].lists / rows[100].search >= RATIO, f"at least {RATIO} times less than lists of intervals"
    assert growth <= GROWTH, f"1,000 sites cost at most {GROWTH} times 100"


if __name__ == "__main__":
    main()
