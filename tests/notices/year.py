"""A year of a network in virtual time, from a seed: what happens in it, and an oracle that knows what must be told.

The deliveries are the real ones over a real database; clock and relay are not. The oracle knows neither rows nor
rules: it keeps what was true of each session at each step of the clock, and computes hours with zoneinfo alone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from perinat_sched.booking.session import Answer, Participation, Session
from perinat_sched.errors import RepeatedLocalTime, SkippedLocalTime
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import Away, Connection, Refused, TryLater
from perinat_sched.storage.tables import notices
from tests.builders import A_DAY_BEFORE
from tests.notices.conftest import PostRoom
from tests.notices.examples import A_WEEK_BEFORE, BOOKED, changed, network, part, read, session

END = datetime(2028, 1, 10, tzinfo=UTC)
SESSIONS = 30
ZONES = ("Europe/Paris", "America/Toronto", "Indian/Reunion", "Pacific/Noumea")
SITES = ("lille", "calais", "sainte-justine", "childrens", "reunion", "noumea")
LEADS = {"P1D": 1, "P7D": 7}
SWITCHES = ("2027-03-14", "2027-03-28", "2027-10-31", "2027-11-07")  # Montréal, Paris, Paris, Montréal
SLACK = timedelta(hours=6)  # after the relay is back: pauses, lapsed leases, a clock that was put back
MINUTE = timedelta(minutes=1)


class Died(BaseException):
    """The process is gone, between two instructions."""


@dataclass(frozen=True)
class Step:
    """A moment at which the service looked, by its own clock and by the true one."""

    clock: datetime
    true: datetime
    relay_is_there: bool


@dataclass(frozen=True)
class Truth:
    """What was so from a step on."""

    step: int
    at: datetime  # by the clock
    session: Session

    def concerns(self, site: str, start: datetime) -> bool:
        part = self.session.participation(site)
        comes = part is not None and part.answer != "declined"
        return self.session.status != "cancelled" and self.session.start == start and comes


@dataclass
class Year:
    """One seed's year."""

    seed: int
    room: PostRoom
    steps: list[Step] = field(default_factory=list)
    truths: dict[str, list[Truth]] = field(default_factory=dict)
    handed: dict[str, list[int]] = field(default_factory=dict)  # Message-ID → steps
    copies: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)  # Message-IDs → after how many changes
    refused: set[str] = field(default_factory=set)  # Message-IDs the relay refused for good
    happened: Counter[str] = field(default_factory=Counter)
    name: str = "a relay with moods"

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.room.directory = network(reminders=(A_DAY_BEFORE, A_WEEK_BEFORE))
        self.true = self.room.now = BOOKED
        self.skew = timedelta()
        self.relay_is_there = True
        self.delivery = self._delivery()
        self.agenda: list[tuple[datetime, int, Callable[[], object]]] = []

    def _delivery(self) -> Delivery:
        return self.room.delivery(self, chance=self.dice.uniform)

    # The relay

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self

    async def connect(self) -> None:
        pass

    async def send(self, message: bytes, recipient: str) -> None:
        if not self.relay_is_there:
            raise Away("no relay")
        id, mood = str(read(message)["Message-ID"]), self.dice.random()
        if mood < 0.06:
            raise TryLater("451 busy")
        if mood < 0.07:
            self.refused.add(id)
            raise Refused("550 unknown")
        taken = mood > 0.08 or self.dice.random() < 0.5
        if taken:
            known = self.copies.setdefault(id, message), self.written.setdefault(id, self._changes)
            # What has changed meanwhile and is no news for the reader, another site's answer, is told as it is now.
            assert known == (message, self._changes) or known[1] < self._changes, (
                "a second copy is the same to the byte"
            )
            self.handed.setdefault(id, []).append(len(self.steps) - 1)
        if mood < 0.085:
            raise TryLater("cut after the final dot", ambiguous=True)
        if mood < 0.09:
            raise Died

    @property
    def _changes(self) -> int:
        return sum(map(len, self.truths.values()))

    # What happens

    async def run(self, end: datetime = END) -> None:
        """Live through the year, or a part of it."""
        self._fill_the_agenda()
        while self.true < end:
            await self._happenings()
            await self._look()
            self.true = min(await self._next(), end)
        self._move_the_clock()

    def _fill_the_agenda(self) -> None:
        days = (END - BOOKED).days - 20
        for number in range(SESSIONS):
            at = BOOKED + timedelta(days=self.dice.uniform(0, days))
            self._plan(at, partial(self._book, number))
        for _ in range(8):
            self._plan(BOOKED + timedelta(days=self.dice.uniform(0, days)), self._restart)
        for _ in range(4):
            begins = BOOKED + timedelta(days=self.dice.uniform(0, days))
            self._plan(begins, lambda: self._relay(there=False))
            self._plan(begins + timedelta(hours=6), lambda: self._relay(there=True))
        for _ in range(3):  # put back by up to an hour, and right again two hours later
            begins = BOOKED + timedelta(days=self.dice.uniform(0, days))
            self._plan(begins, lambda: self._jump(-self.dice.uniform(1, 60) * MINUTE))
            self._plan(begins + timedelta(hours=2), lambda: self._jump(timedelta()))

    def _plan(self, at: datetime, what: Callable[[], object]) -> None:
        self.agenda.append((at, len(self.agenda), what))
        self.agenda.sort(key=lambda entry: entry[:2])

    async def _happenings(self) -> None:
        while self.agenda and self.agenda[0][0] <= self.true:
            what = self.agenda.pop(0)[2]()
            if what is not None:
                await what  # type: ignore[misc]

    def _move_the_clock(self) -> None:
        self.room.now = self.true + self.skew

    async def _look(self) -> None:
        """One pass of the service; one that dies over it begins anew."""
        self._move_the_clock()
        self.steps.append(Step(self.room.now, self.true, self.relay_is_there))
        try:
            await self.delivery.run_once()
        except Died:
            self._restart()

    async def _next(self) -> datetime:
        """When something is due or happens, at the latest in a day."""
        times = [self.true + timedelta(days=1)]
        if self.agenda:
            times.append(self.agenda[0][0])
        waits = func.coalesce(notices.c.leased_until, notices.c.try_at)
        waiting = select(func.min(waits)).where(notices.c.state.in_(("due", "leased")))
        async with self.room.database.read() as tx:
            ahead = (await tx.execute(waiting.where(waits > self.room.now))).scalar()
            left = (await tx.execute(waiting.where(waits <= self.room.now))).scalar()
        if ahead:
            times.append(ahead - self.skew)
        if left:
            times.append(self.true + 5 * MINUTE)  # the relay is left alone for a while
        return max(min(times), self.true + timedelta(seconds=1))

    def _restart(self) -> None:
        self.happened["restart"] += 1
        self.delivery = self._delivery()

    def _relay(self, *, there: bool) -> None:
        self.happened["relay"] += 1
        self.relay_is_there = there

    def _jump(self, skew: timedelta) -> None:
        self.happened["jump"] += 1
        self.skew = skew
        self._move_the_clock()

    # Sessions

    async def _book(self, number: int) -> None:
        self._move_the_clock()
        sites = self.dice.sample(SITES, self.dice.randint(2, 4))
        wall, zone, fold = self._an_hour()
        booked = session(
            wall,
            timezone=zone,
            fold=fold,
            id=f"session-{number}",
            uid=f"session-{number}@perinat.example",
            host_site=sites[0],
            access_code=self._a_code(),
            participations=tuple(part(site, self._answer() if site != sites[0] else "accepted") for site in sites),
            created_at=self.room.now,
            updated_at=self.room.now,
        )
        self.happened["booked"] += 1
        await self.room.book(booked)
        self._so(booked)
        ahead = booked.start - self.room.now
        for _ in range(self.dice.randint(0, 4)):
            self._plan(self.true + self.dice.random() * ahead, lambda: self._change(booked.id))
        for _ in range(self.dice.randint(0, 2)):
            self._plan(self.true + ahead - self.dice.random() * timedelta(days=1), lambda: self._change(booked.id))

    def _a_code(self) -> str:
        """One that no other session has, and none had before."""
        return f"K{self.dice.randrange(10**12)}Z"

    def _answer(self) -> Answer:
        answers: list[Answer] = ["accepted", "accepted", "pending", "tentative"]
        return self.dice.choice(answers)

    def _an_hour(self) -> tuple[str, str, int]:
        """A wall time from tomorrow to in eight weeks, many of them just after a night in which clocks change."""
        day = (self.room.now + timedelta(days=self.dice.uniform(1, 56))).date()
        switches = [datetime.fromisoformat(one).date() for one in SWITCHES]
        near = [one for one in switches if timedelta(days=1) < one - self.room.now.date() < timedelta(days=80)]
        if near and self.dice.random() < 0.7:
            day = near[0] + timedelta(days=self.dice.choice([0, 0, 1, 1, 2, 7]))
        hour = self.dice.choice([1, 2, 2, 3, 8, 9, 10, 14, 15, 17, 23])
        wall = f"{day}T{hour:02}:{self.dice.choice([0, 30]):02}"
        zone, fold = self.dice.choice(ZONES), 0
        try:
            session(wall, timezone=zone, fold=None)
        except SkippedLocalTime:
            return self._an_hour()
        except RepeatedLocalTime:
            fold = self.dice.choice([0, 1])
        return wall, zone, fold

    async def _change(self, session_id: str) -> None:
        """A coordinator does something to a session that is still to come."""
        self._move_the_clock()
        before = self.truths[session_id][-1].session
        if before.start <= self.room.now:
            return
        what = self.dice.choice(["move", "move", "cancel", "answer", "answer", "answer", "title", "code"])
        after: Session
        if before.status == "cancelled":
            what, after = "resume", changed(before, status="confirmed")
        elif what == "move":
            wall, zone, fold = self._an_hour()
            moved = session(wall, timezone=zone, fold=fold)
            after = changed(before, wall_start=moved.wall_start, timezone=zone, fold=fold, start=moved.start)
        elif what == "cancel":
            after = changed(before, status="cancelled", cancellation_code="no_case")
        elif what == "answer":
            after = changed(before, sequence=before.sequence, participations=tuple(self._answered(before)))
        elif what == "code":
            after = changed(before, sequence=before.sequence, access_code=self._a_code())
        else:
            after = changed(before, sequence=before.sequence, title=f"Titre {self.dice.randrange(100)}")
        after = replace(after, updated_at=self.room.now)
        self.happened[what] += 1
        await self.room.change(after)
        self._so(after)

    def _answered(self, before: Session) -> Iterator[Participation]:
        who = self.dice.choice([one.site for one in before.participations if one.site != before.host_site])
        for one in before.participations:
            answers: list[Answer] = ["accepted", "declined"]
            other = self.dice.choice([answer for answer in answers if answer != one.answer])
            yield part(one.site, other if one.site == who else one.answer)

    def _so(self, now: Session) -> None:
        """True from the next step on."""
        self.truths.setdefault(now.id, []).append(Truth(len(self.steps), self.room.now, now))

    # The oracle

    def reminders(self) -> Iterator[Expectation]:
        """Every reminder that any state of any session could call for, each once."""
        for truths in self.truths.values():
            found: dict[tuple[datetime, str, str], Expectation] = {}
            for truth in truths:
                one = truth.session
                for place in one.participations:
                    for reader in self.room.directory.sites[place.site].contacts:
                        for lead, days in LEADS.items():
                            wall = one.wall_start - timedelta(days=days)
                            due = wall.replace(tzinfo=ZoneInfo(one.timezone)).astimezone(UTC)
                            key = one.start, reader, lead
                            before = found[key].dues if key in found else frozenset()
                            found[key] = Expectation(
                                self, truths, place.site, reader, one.start, lead, due, before | {due}
                            )
            yield from found.values()

    def first(self, at: datetime) -> int | None:
        """The first step at or after an hour of the clock."""
        return next((number for number, step in enumerate(self.steps) if step.clock >= at), None)

    def latest(self, first: int) -> int | None:
        """The step by which what is due has arrived: SLACK after the relay was there, for those who wait for it."""
        steps = self.steps
        there = next((at for at in range(first, len(steps)) if steps[at].relay_is_there), None)
        if there is None:
            return None
        return next((at for at in range(there, len(steps)) if steps[at].true >= steps[there].true + SLACK), None)

    def codes(self) -> Iterator[Door]:
        """Every reader of every session that took place, with the code that opened it."""
        for truths in self.truths.values():
            told = [truth for truth in truths if truth.at < truth.session.start]
            if not told:
                continue
            for place in told[-1].session.participations:
                for reader in self.room.directory.sites[place.site].contacts:
                    yield Door(self, truths, told, place.site, reader)


@dataclass(frozen=True)
class Door:
    """A session as one of its readers stands before it."""

    year: Year
    truths: list[Truth]
    told: list[Truth]  # what was so before its start
    site: str
    reader: str

    @property
    def session(self) -> Session:
        return self.told[-1].session

    def accepted(self, truth: Truth) -> bool:
        one = truth.session.participation(self.site)
        return truth.session.status != "cancelled" and one is not None and one.answer == "accepted"

    def accepted_at(self, step: int) -> bool:
        standing = [truth for truth in self.truths if truth.step <= step]
        return bool(standing) and self.accepted(standing[-1])

    def occasions(self) -> int:
        """How often its last code was to be told: at each acceptance, and at each hour, anew."""
        code = self.session.access_code
        told = [(truth.session.access_code == code, self.accepted(truth), truth.session.start) for truth in self.truths]
        return sum(1 for (known, accepted, _), _ in groupby(told) if known and accepted)

    def must_open(self) -> bool:
        """Whether its last code held, and the site had accepted, for long enough before the start."""
        now = self.session
        wall = now.wall_start - timedelta(days=min(LEADS.values()))
        hour = wall.replace(tzinfo=ZoneInfo(now.timezone)).astimezone(UTC)
        since = self.told[-1].at
        for truth in reversed(self.told):
            same = (truth.session.start, truth.session.access_code) == (now.start, now.access_code)
            if not (same and self.accepted(truth)):
                break
            since = truth.at
        first = self.year.first(max(since, hour))
        last = self.year.latest(first) if first is not None else None
        in_time = last is not None and self.year.steps[last].clock < now.start
        return in_time and self.accepted(self.told[-1])

    def __str__(self) -> str:
        history = [f"{t.at:%m-%d %H:%M} {t.session.access_code} {self.accepted(t)}" for t in self.truths]
        return f"seed {self.year.seed}: {self.session.id} at {self.session.start}, {self.reader}: {history}"


@dataclass(frozen=True)
class Expectation:
    """A reminder that somebody may have to get."""

    year: Year
    truths: list[Truth]
    site: str
    reader: str
    start: datetime
    lead: str
    due: datetime  # by the clock by which it was set last
    dues: frozenset[datetime]  # by all by which it was set for that same start

    def true_at(self, step: int) -> bool:
        """Whether the session was to take place then, at that hour, with that site."""
        standing = [truth for truth in self.truths if truth.step <= step]
        return bool(standing) and standing[-1].concerns(self.site, self.start)

    def is_a_must(self) -> bool:
        """Whether it was due, and true from long enough before until long enough after."""
        first = self.year.first(self.due)
        if first is None or not self.true_at(first):
            return False
        last = self.year.latest(first)
        if last is None or self.year.steps[last].clock >= self.start:
            return False  # the year, or its time, was over before it had to arrive
        settled = all(truth.at <= self.due for truth in self.truths if truth.step <= first)
        return settled and all(self.true_at(step) for step in range(first, last + 1))

    def __str__(self) -> str:
        history = [
            f"{t.step}@{t.at:%m-%d %H:%M} {t.session.status} {t.session.start:%m-%d %H:%M} "
            f"{[(p.site, p.answer) for p in t.session.participations]}"
            for t in self.truths
        ]
        return f"seed {self.year.seed}: {self.lead} to {self.reader}, start {self.start}, due {self.due}: {history}"
