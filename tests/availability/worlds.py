"""Small random worlds: networks, closures, other people's sessions, and a search through them.

Days lie around the nights on which some zone changes its clocks; times have odd seconds where the world has them
(calendars, older sessions), and whole grid steps where the rules ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from perinat_sched.availability.conflicts import Fit, fit
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.proposal import RULES_OF_TIME, Proposal
from perinat_sched.availability.slots import SlotQuery
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Closure
from perinat_sched.sites.network import Bridge, Directory, Limits, OpeningHours, Site
from perinat_sched.zones import to_local
from tests.builders import a_directory, a_kind, a_site

ZONES = (
    "Europe/Paris",
    "America/Toronto",
    "Indian/Reunion",
    "America/Miquelon",
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Kathmandu",  # 5:45 ahead
)
DAYS = (
    date(2027, 5, 5),  # an ordinary Wednesday
    date(2027, 3, 14),  # Toronto and Miquelon go forward
    date(2027, 3, 28),  # Paris goes forward
    date(2027, 4, 4),  # Lord Howe goes back
    date(2027, 10, 3),  # Lord Howe goes forward
    date(2027, 10, 31),  # Paris goes back
    date(2027, 11, 7),  # Toronto and Miquelon go back
)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
OPEN_DAYS = (frozenset(range(7)), frozenset(range(7)), frozenset((2, 5, 6)))
OPEN_HOURS = ((0, 1440), (0, 1440), (480, 1140), (60, 150), (540, 1020), (483, 1160))  # minutes of the day


@dataclass(frozen=True)
class World:
    ground: Ground
    query: SlotQuery

    @property
    def directory(self) -> Directory:
        return self.ground.directory

    @property
    def proposal(self) -> Proposal:
        return self.query.proposal

    def candidates(self) -> list[datetime]:
        """Every start asked for, found by looking at the clock every five minutes."""
        query = self.query
        step = query.step_minutes or self.directory.defaults.grid_minutes
        found = []
        instant = datetime.combine(query.first_day, time(), tzinfo=UTC) - timedelta(days=1)
        while instant.date() <= query.last_day + timedelta(days=1):
            wall = to_local(instant, query.timezone)
            if (
                query.first_day <= wall.date() <= query.last_day
                and (wall.hour * 60 + wall.minute) % step == 0
                and (not query.weekdays or wall.weekday() in query.weekdays)
                and (query.after is None or wall.time() >= query.after)
                and (query.before is None or self._minute_of_end(instant, wall.date()) <= query.before)
                and ("in_the_past" not in query.proposal.timing or instant >= self.ground.now)
            ):
                found.append(instant)
            instant += 5 * MINUTE
        return found

    def _minute_of_end(self, start: datetime, day: date) -> int:
        """The local end, in minutes after the midnight with which `day` begins."""
        end = to_local(start + self.proposal.duration, self.query.timezone)
        return (end.date() - day).days * 1440 + end.hour * 60 + end.minute

    def fits(self) -> dict[datetime, Fit]:
        """What the rules say about every start, one by one."""
        return {start: fit(self.ground, self.proposal, start) for start in self.candidates()}


def worlds(**asked: Any) -> st.SearchStrategy[World]:
    """Worlds and a search of one or two days in each; `asked` are fields of the query.

    Hypothesis chooses the sizes, so that it can make a failure smaller; a seed chooses all the rest, which is much
    faster than as many draws.
    """
    return st.builds(
        lambda seed, sites, busy, crowded: _Maker(Random(seed), busy, crowded).world(sites, asked),
        seed=st.integers(0, 2**32),
        sites=st.integers(1, 6),
        busy=st.integers(0, 6),
        crowded=st.booleans(),
    )


@dataclass(frozen=True)
class _Maker:
    """Makes a world by the dice."""

    dice: Random
    busy: int  # how many holds and closures there are at most in one place
    crowded: bool  # everybody can meet, and the ports of small bridges are what is short

    def world(self, sites: int, asked: dict[str, Any]) -> World:
        choose = self.dice.choice
        directory = a_directory(
            *(self.site(f"site{number}") for number in range(sites)),
            bridges=[
                Bridge(code=f"bridge{n}", name=f"bridge{n}", ports=self.dice.randint(2, 8), networks=("perinat",))
                for n in range(choose((1, 2) if self.crowded else (0, 1, 1, 2, 2)))
            ],
            kinds=[replace(a_kind(), limits=self.limits(of="kind"))],
            grid_minutes=choose((5, 10, 15, 30)),
        )
        first = choose(DAYS) - timedelta(days=choose((0, 1)))
        midnight = datetime.combine(first, time(), tzinfo=UTC)
        around = Interval(midnight - timedelta(hours=14), midnight + timedelta(hours=62))
        codes = [*directory.sites, *directory.rooms, *directory.bridges]
        ground = Ground(
            directory=directory,
            now=midnight + timedelta(minutes=choose((-9999, -9999, -9999, -1500, -100, 613))),
            closures={code: self.closures(around) for code in codes if choose((True, False, False))},
            holds={code: self.holds(around, 1) for code in directory.rooms}
            | {bridge.code: self.holds(around, bridge.ports) for bridge in directory.bridges.values()},
        )
        query = SlotQuery(
            proposal=self.proposal(directory),
            timezone=choose(ZONES),
            first_day=first,
            last_day=first + timedelta(days=choose((0, 1))),
            after=choose((None, None, time(1, 30), time(9))),
            before=choose((None, None, 210, 1020, 1440)),
            weekdays=choose((frozenset(), frozenset(), frozenset((2, 5, 6)))),
            step_minutes=choose((30, 30, 60, None)),
            limit=10_000,
        )
        return World(ground, replace(query, **asked))

    def site(self, code: str) -> Site:
        """With no, one or several rooms, mostly long open."""
        choose = self.dice.choice
        site = a_site(
            code,
            rooms=[f"{code}-{number}" for number in range(choose((0, 1, 1, 2, 3)))],
            timezone=choose(ZONES),
            active=self.crowded or self.dice.random() < 0.93,
            opening_hours=tuple(
                OpeningHours(weekdays=choose(OPEN_DAYS), opens=opens, closes=closes)
                for opens, closes in self.dice.choices(OPEN_HOURS[: 2 if self.crowded else None], k=choose((1, 2)))
            ),
            limits=self.limits(of="site"),
        )
        return replace(site, rooms=tuple(replace(room, limits=self.limits(of="room")) for room in site.rooms))

    def limits(self, *, of: Literal["kind", "site", "room"]) -> Limits:
        """What is said again: mostly nothing."""
        if of != "kind" and self.dice.random() < 0.6:
            return Limits()
        minutes = (None, None, 0, 15, 30, 45, 7)
        return Limits(
            set_up_minutes=self.dice.choice(minutes),
            release_minutes=self.dice.choice(minutes),
            minimum_notice_hours=None if of == "room" else self.dice.choice((None, None, 0, 2, 30)),
            max_duration_minutes=self.dice.choice((None, None, None, 60, 120)),
        )

    def span(self, around: Interval, longest: int) -> Interval:
        """A span of up to `longest` minutes that begins in `around`; mostly on the quarter of an hour."""
        unit = self.dice.choice((SECOND, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE))
        start = around.start + self.dice.randrange(around.duration // unit) * unit
        return Interval(start, start + self.dice.randint(1, longest * MINUTE // unit) * unit)

    def closures(self, around: Interval) -> list[Closure]:
        spans = [self.span(around, 1000) for _ in range(self.dice.randint(0, self.busy) // 2)]
        return [Closure(interval=span, reason="travaux", source="entered") for span in spans]

    def holds(self, around: Interval, ports: int) -> list[Hold]:
        """Of a bridge with so many ports, or of a room, which has one."""
        most = self.busy if ports > 1 or not self.crowded else 1
        return [self.hold(self.span(around, 300), ports) for _ in range(self.dice.randint(0, most))]

    def hold(self, interval: Interval, ports: int) -> Hold:
        set_up, release = (self.dice.choice((0, 0, 7, 15, 30)) * MINUTE for _ in range(2))
        widened = interval.widened(set_up, release)
        return Hold(
            session=f"session at {interval.start}",
            host="site0",
            network="perinat",
            interval=widened if ports > 1 else interval,
            around=widened,
            units=self.dice.randint(1, ports),
        )

    def proposal(self, directory: Directory) -> Proposal:
        choose = self.dice.choice
        host, *others = self.dice.sample(sorted(directory.sites), len(directory.sites))
        required = self.dice.randint(0, len(others) // (2 if self.crowded else 1))
        rooms = [room for room in directory.rooms.values() if self.dice.random() < 0.2]
        return Proposal(
            network="perinat",
            kind=choose((None, *directory.kinds.values())),
            duration=choose((30, 60, 60, 90, 180)) * MINUTE,
            host=host,
            required=tuple(others[:required]),
            optional=tuple(others[required : required + choose((0, 1, 2, 3))]),
            rooms={room.site: room.code for room in rooms[::2]},
            kept_rooms={room.site: room.code for room in rooms[1::2]},
            kept_bridge=choose((None, *directory.bridges)),
            settled=frozenset(choose(((), (), (host,), others[-1:], others[required : required + 3 : 2]))),
            timing=choose((RULES_OF_TIME, RULES_OF_TIME, RULES_OF_TIME - {"too_late"}, frozenset())),
        )
