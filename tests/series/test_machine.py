"""Whatever people do to series, in whatever order: the service does what a plain dictionary of dates says.

The model knows days, hours, titles and who meets; two sessions that share a site and are less than an hour apart are
in conflict. Past days never change. `TEST_PERINAT_MACHINE` (10 examples of 30 steps) makes the run longer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from perinat_sched.booking import store as booking
from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.request import Asked as SessionAsked
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused, InvalidRequest
from perinat_sched.people.access import Actor
from perinat_sched.series.actions import SeriesBookings
from perinat_sched.series.changes import Changes, SeriesChanges
from perinat_sched.series.request import Asked
from perinat_sched.series.series import Whole
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.sites.network import OpeningHours
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import holds, left_out, notices, participations, series, sessions
from tests.builders import NO_CALENDARS, a_directory, a_site

T = TypeVar("T")

EXAMPLES, STEPS = int(os.environ.get("TEST_PERINAT_MACHINE", "10")), 30
ADMIN = Actor(token="admin", role="admin")
ALWAYS = (OpeningHours(weekdays=frozenset(range(7)), opens=0, closes=24 * 60),)
SITES = ("a", "b", "c")
DIRECTORY = a_directory(*(a_site(code, opening_hours=ALWAYS) for code in SITES), set_up_minutes=0, release_minutes=0)
FIRST = date(2027, 2, 1)

HOURS = st.sampled_from(["09:00", "09:30", "11:00"])  # the first two overlap
TITLES = st.sampled_from(["Visio un", "Visio deux", "Visio trois"])
MEETING = st.sampled_from([("a", "b"), ("b", "c"), ("a", "b", "c"), ("c",)])
PICK = st.integers(0, 99)


@dataclass(kw_only=True)
class One:
    """A session as the model knows it."""

    series: str | None
    day: date
    hour: str
    meant: str  # the hour that its series has
    title: str
    sites: tuple[str, ...]
    cancelled: bool = False


@dataclass(kw_only=True)
class Rule:
    """A series as the model knows it."""

    first: date  # of the rule, whether or not it is still a date of the series
    days: list[date]
    hour: str
    title: str
    sites: tuple[str, ...]
    lenient: bool
    left: dict[date, str] = field(default_factory=dict)  # day → the hour at which it did not fit


class Machine(RuleBasedStateMachine):
    """One installation and its model."""

    runner: asyncio.Runner
    database: Database

    @initialize()
    def begin(self) -> None:
        self.today = FIRST
        self.ones: dict[str, One] = {}  # by session
        self.known: dict[str, Rule] = {}  # by series
        given: dict[str, Any] = {
            "database": self.database,
            "directory": DIRECTORY,
            "calendars": NO_CALENDARS,
            "clock": lambda: datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC),
        }
        given["enquiries"] = Enquiries(**given)
        self.bookings, self.series = Bookings(**given), SeriesBookings(**given)
        self.changes, self.upkeep = SeriesChanges(**given), SeriesUpkeep(**given)
        self.run(self._wipe())
        # Something to work upon: a series, one that leaves out where it meets the first, and a session alone.
        self.try_and_book("09:00", "Visio un", ("a", "b"), 1, 5, 1, {2}, lenient=False)
        self.try_and_book("09:30", "Visio deux", ("b", "c"), 2, 5, 2, set(), lenient=True)
        self.book_alone("11:00", "Visio trois", ("c",), 2)

    async def _wipe(self) -> None:
        async def work(tx: Tx) -> None:
            for table in (notices, holds, participations, sessions, left_out, series):
                await tx.execute(delete(table))

        await self.database.write(work)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # The model's only rule

    def free(self, day: date, hour: str, sites: tuple[str, ...], but: str | None = None) -> bool:
        return not any(
            one.day == day and not one.cancelled and id != but and set(one.sites) & set(sites) and near(one.hour, hour)
            for id, one in self.ones.items()
        )

    def of(self, series_id: str) -> dict[str, One]:
        return {id: one for id, one in self.ones.items() if one.series == series_id}

    def to_come(self, series_id: str, since: date = date.min) -> dict[str, One]:
        first = max(since, self.today)
        return {id: one for id, one in self.of(series_id).items() if one.day >= first and not one.cancelled}

    def ended(self, series_id: str, model: Rule) -> bool:
        """Whether all that was booked is cancelled, or nothing was and nothing can be any more."""
        mine = self.of(series_id).values()
        return all(one.cancelled for one in mine) if mine else not model.left

    # What people do

    @rule(
        hour=HOURS,
        title=TITLES,
        sites=MEETING,
        ahead=st.integers(0, 3),
        count=st.integers(1, 5),
        gap=st.sampled_from([1, 2]),
        away=st.sets(st.integers(1, 4)),
        lenient=st.booleans(),
    )
    def book(
        self,
        hour: str,
        title: str,
        sites: tuple[str, ...],
        ahead: int,
        count: int,
        gap: int,
        away: set[int],
        lenient: bool,
    ) -> None:
        self.try_and_book(hour, title, sites, ahead, count, gap, away, lenient=lenient)

    def try_and_book(
        self,
        hour: str,
        title: str,
        sites: tuple[str, ...],
        ahead: int,
        count: int,
        gap: int,
        away: set[int],
        *,
        lenient: bool,
    ) -> None:
        every = [self.today + timedelta(days=ahead + gap * number) for number in range(count)]
        days = [day for number, day in enumerate(every) if number not in away]
        asked = Asked(
            session=self._session(days[0], hour, title, sites),
            rrule=f"FREQ=DAILY;INTERVAL={gap};COUNT={count}",
            exclude=tuple(f"{day}" for day in every if day not in days),
            on_conflict="leave_out" if lenient else "refuse",
        )
        fits = [day for day in days if self.free(day, hour, sites)]
        tried = self.run(self.series.try_out(ADMIN, asked))
        assert [one.recurrence.date() for one in tried.occurrences if one.verdict == "bookable"] == fits
        booked = self.outcome(self.series.book(ADMIN, asked))
        assert (booked is not None) == (lenient or fits == days)
        if booked:
            left = {day: hour for day in days if day not in fits}
            model = Rule(first=days[0], days=days, hour=hour, title=title, sites=sites, lenient=lenient, left=left)
            self.known[booked.series.id] = model
            self._learn(booked, model)

    @rule(hour=HOURS, title=TITLES, sites=MEETING, ahead=st.integers(0, 6))
    def book_alone(self, hour: str, title: str, sites: tuple[str, ...], ahead: int) -> None:
        day = self.today + timedelta(days=ahead)
        booked = self.outcome(self.bookings.book(ADMIN, self._session(day, hour, title, sites)))
        assert (booked is not None) == self.free(day, hour, sites)
        if isinstance(booked, Session):
            self.ones[booked.id] = One(series=None, day=day, hour=hour, meant=hour, title=title, sites=sites)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, hour=st.none() | HOURS, title=st.none() | TITLES)
    def change_all_to_come(self, pick: int, hour: str | None, title: str | None) -> None:
        self._change(pick, hour, title, None)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, hour=st.none() | HOURS, title=st.none() | TITLES, where=PICK)
    def change_this_and_the_following(self, pick: int, hour: str | None, title: str | None, where: int) -> None:
        self._change(pick, hour, title, where)

    def _change(self, pick: int, hour: str | None, title: str | None, where: int | None) -> None:
        id, model = self._a_series(pick)
        coming = [day for day in model.days if day >= self.today]
        if where is not None and not coming:
            return
        since = coming[where % len(coming)] if where is not None else None
        if self.ended(id, model):
            assert self.refused(self._patch(id, {}, since, model)) == ["status"]
            return
        cut = since if since != model.days[0] else None
        first = cut or model.first
        new = replace(model, hour=hour or model.hour, title=title or model.title)
        given: dict[str, Any] = {"title": title} if title else {}
        given |= {"start": f"{first}T{hour}"} if hour else {}
        mine = self.to_come(id, first)
        moving = {key: one for key, one in mine.items() if one.hour == one.meant}
        tried = [day for day in model.left if day >= max(first, self.today)] if new.hour != model.hour else []
        fits = all(self.free(one.day, new.hour, one.sites, key) for key, one in moving.items())

        changed = self.outcome(self._patch(id, given, since, model))

        assert (changed is not None) == fits
        if changed is None:
            return
        if new == model:  # nothing else was asked for: not even a series of its own
            assert (changed.series.id, list(changed.changed)) == (id, [])
            return
        for one in moving.values():
            one.hour = new.hour
        for one in self.of(id).values():
            if one.day >= max(first, self.today):
                one.meant = new.hour  # also of what was cancelled alone
        for one in mine.values():
            one.title = new.title if one.title == model.title else one.title
        left = {day: at for day, at in model.left.items() if day >= first}
        for day in tried:
            left.pop(day)
            if not self.free(day, new.hour, new.sites):
                left[day] = new.hour
        if cut:
            model.days, new.days = [d for d in model.days if d < cut], [d for d in model.days if d >= cut]
            new.first = cut
            new.left, model.left = left, {day: at for day, at in model.left.items() if day < cut}
            assert changed.series.follows == id
            for one in self.of(id).values():
                if one.day >= cut:
                    one.series = changed.series.id
        else:
            new.left = left
        self.known[changed.series.id] = new
        self._learn(changed, new)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, where=st.none() | PICK)
    def end(self, pick: int, where: int | None) -> None:
        id, model = self._a_series(pick)
        day = model.days[where % len(model.days)] if where is not None and model.days else None
        since = self._recurrence(id, day) if day else None
        self.run(self.upkeep.cancel(ADMIN, id, since, "cancelled", "", sure=True))
        for one in self.to_come(id, day or date.min).values():
            one.cancelled = True
        for gone in [left for left in model.left if left >= max(day or date.min, self.today)]:
            del model.left[gone]
            model.days.remove(gone)
        if not self.of(id) and day is None:
            model.left, model.days = {}, []

    @precondition(lambda self: self.ones)
    @rule(pick=PICK, hour=HOURS)
    def move_one(self, pick: int, hour: str) -> None:
        id, one = self._a_session(pick)
        if one.day < self.today or one.cancelled:
            return
        fits = hour == one.hour or self.free(one.day, hour, one.sites, id)
        asked = SessionChanges(start=f"{one.day}T{hour}")
        done = self.outcome(self.bookings.change(ADMIN, id, self._now(id).revision, asked))
        assert (done is not None) == fits
        if fits:
            one.hour = hour
            one.meant = one.meant if one.series else hour

    @precondition(lambda self: self.ones)
    @rule(pick=PICK, title=TITLES)
    def name_one(self, pick: int, title: str) -> None:
        id, one = self._a_session(pick)
        if not one.cancelled:
            self.run(self.bookings.change(ADMIN, id, self._now(id).revision, SessionChanges(title=title)))
            one.title = title

    @precondition(lambda self: self.ones)
    @rule(pick=PICK)
    def cancel_one(self, pick: int) -> None:
        id, one = self._a_session(pick)
        self.run(self.bookings.cancel(ADMIN, id, "cancelled", "", sure=True))
        one.cancelled = True

    @precondition(lambda self: self.ones)
    @rule(pick=PICK)
    def resume_one(self, pick: int) -> None:
        id, one = self._a_session(pick)
        if one.day < self.today or not one.cancelled:
            return
        fits = self.free(one.day, one.hour, one.sites)
        assert (self.outcome(self.bookings.resume(ADMIN, id)) is not None) == fits
        one.cancelled = not fits

    @precondition(lambda self: any(one.series for one in self.ones.values()))
    @rule(pick=PICK)
    def back_to_the_rule(self, pick: int) -> None:
        id, one = self._a_session(pick, of_series=True)
        if one.day < self.today or one.cancelled:
            assert self.refused(self.upkeep.back_to_rule(ADMIN, id)) == ["status"]
            return
        model = self.known[one.series or ""]
        fits = self.free(one.day, model.hour, one.sites, id)
        done = self.outcome(self._back(id))
        assert (done is not None) == fits
        if fits:
            one.hour = one.meant = model.hour
            one.title = model.title

    @precondition(lambda self: any(rule.left for rule in self.known.values()))
    @rule(pick=PICK)
    def book_later(self, pick: int) -> None:
        left = [(id, day) for id, model in self.known.items() for day in model.left if day >= self.today]
        if not left:
            return
        id, day = left[pick % len(left)]
        model = self.known[id]
        fits = self.free(day, model.hour, model.sites)
        done = self.outcome(self.upkeep.book_later(ADMIN, id, f"{day}T{model.hour}", None))
        assert (done is not None) == fits
        if isinstance(done, Session):
            del model.left[day]
            self.ones[done.id] = One(
                series=id, day=day, hour=model.hour, meant=model.hour, title=model.title, sites=model.sites
            )

    @rule(days=st.integers(1, 3))
    def time_passes(self, days: int) -> None:
        self.today += timedelta(days=days)

    # What must be so

    @invariant()
    def sessions_are_those_of_the_model(self) -> None:
        async def read() -> list[Session]:
            async with self.database.read() as tx:
                return await booking.sessions_where(tx, booking.with_ids(self.ones))

        for one in self.run(read()):
            assert told(one) == self.ones[one.id]
        page = self.run(self.bookings.enquiries.sessions(ADMIN, booking.SessionFilter(), after=None, limit=500))
        assert {one.id for one in page.sessions} == set(self.ones)

    @invariant()
    def series_have_each_of_their_days_once(self) -> None:
        found, _ = self.run(self.series.page(ADMIN, None, 500))
        assert {one.series.id for one in found} == set(self.known)
        for whole in found:
            model = self.known[whole.series.id]
            assert [one.recurrence.date() for one in whole.occurrences] == model.days
            left = {one.recurrence.date(): f"{one.recurrence:%H:%M}" for one in whole.occurrences if not one.session}
            assert left == model.left
            assert whole.series.session.title == model.title

    # Helpers

    def _learn(self, whole: Whole, model: Rule) -> None:
        """The ids of what was booked."""
        for one in whole.occurrences:
            if one.verdict == "booked" and one.session and one.session.id not in self.ones:
                self.ones[one.session.id] = One(
                    series=whole.series.id, day=one.recurrence.date(), hour=model.hour, meant=model.hour,
                    title=model.title, sites=model.sites,
                )  # fmt: skip

    def _session(self, day: date, hour: str, title: str, sites: tuple[str, ...]) -> SessionAsked:
        return SessionAsked(
            kind="staff", host_site=sites[0], start=f"{day}T{hour}", title=title, required_sites=sites[1:]
        )

    async def _patch(self, id: str, given: dict[str, Any], since: date | None, model: Rule) -> Whole:
        revision = (await self.series.get(ADMIN, id)).series.revision
        from_ = f"{since}T{model.hour}" if since else None
        return await self.changes.change(ADMIN, id, revision, Changes(session=SessionChanges(**given)), from_)

    async def _back(self, id: str) -> bool:
        await self.upkeep.back_to_rule(ADMIN, id)
        return True

    def _recurrence(self, id: str, day: date) -> str:
        whole = self.run(self.series.get(ADMIN, id))
        return next(f"{one.recurrence:%Y-%m-%dT%H:%M}" for one in whole.occurrences if one.recurrence.date() == day)

    def _now(self, id: str) -> Session:
        return self.run(self.bookings.enquiries.get(ADMIN, id))

    def _a_series(self, pick: int) -> tuple[str, Rule]:
        return list(self.known.items())[pick % len(self.known)]

    def _a_session(self, pick: int, *, of_series: bool = False) -> tuple[str, One]:
        known = [(id, one) for id, one in self.ones.items() if one.series or not of_series]
        return known[pick % len(known)]

    def outcome(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What was done; None: it was refused for a conflict."""
        try:
            return self.run(work)
        except BookingRefused:
            return None

    def refused(self, work: Coroutine[Any, Any, object]) -> list[str]:
        """The fields of an invalid request."""
        try:
            self.run(work)
        except InvalidRequest as invalid:
            return [one.field for one in invalid.errors]
        return []


def near(one: str, other: str) -> bool:
    """Less than an hour apart."""
    minutes = [int(hour[:2]) * 60 + int(hour[3:]) for hour in (one, other)]
    return abs(minutes[0] - minutes[1]) < 60


def told(session: Session) -> One:
    """A session in the model's words."""
    hour = f"{session.wall_start:%H:%M}"
    return One(
        series=session.series,
        day=session.wall_start.date(),
        hour=hour,
        meant=f"{session.recurrence:%H:%M}" if session.recurrence else hour,
        title=session.title,
        sites=tuple(part.site for part in session.participations),
        cancelled=session.status == "cancelled",
    )


def test_the_service_does_what_a_dictionary_of_dates_says(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(database_url))
        try:
            runner.run(database.sync_resources(DIRECTORY))
            Machine.runner, Machine.database = runner, database
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(database.close())
