"""Many sessions put upon one ground, one after the other: each stands in the way of the next, and each sees all others.

The ground is loaded once for the whole series; each date is shown only what lies near it, so that the work grows with
the number of dates and not with its square.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from perinat_sched.availability.conflicts import Conflict, Fit, fit
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.proposal import Proposal
from perinat_sched.booking import answers, rules
from perinat_sched.booking.session import Answer, Draft, Session
from perinat_sched.booking.store import Held, held_by
from perinat_sched.errors import RepeatedLocalTime, SkippedLocalTime
from perinat_sched.intervals import Interval
from perinat_sched.series.series import Series
from perinat_sched.sites.closures import Closure
from perinat_sched.sites.network import Directory

A_DAY = timedelta(days=1)
MARGIN = A_DAY  # no set-up or release is longer


class Standing:
    """A ground whose holds change while a series is put upon it; found by day."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._holds: dict[date, dict[str, dict[str, Hold]]] = {}  # day (UTC) → room or bridge → session → hold
        self._days: dict[str, list[tuple[date, str]]] = {}  # session → where it stands
        self._closures: dict[date, dict[str, dict[int, Closure]]] = {}
        for code, holds in ground.holds.items():
            for hold in holds:
                self._put(code, hold)
        for code, closures in ground.closures.items():
            for number, closure in enumerate(closures):
                for day in _days(closure.interval):
                    self._closures.setdefault(day, {}).setdefault(code, {})[number] = closure

    def near(self, interval: Interval) -> Ground:
        """What can touch a session then."""
        holds: dict[str, dict[str, Hold]] = {}
        closures: dict[str, dict[int, Closure]] = {}
        for day in _days(interval.widened(MARGIN, MARGIN)):
            for code, found in self._holds.get(day, {}).items():
                holds.setdefault(code, {}).update(found)
            for code, closed in self._closures.get(day, {}).items():
                closures.setdefault(code, {}).update(closed)
        return replace(
            self._ground,
            holds={code: sorted(found.values(), key=_start) for code, found in holds.items()},
            closures={code: list(found.values()) for code, found in closures.items()},
        )

    def whole(self) -> Ground:
        """Everything as it stands now."""
        holds: dict[str, dict[str, Hold]] = {}
        for by_code in self._holds.values():
            for code, found in by_code.items():
                holds.setdefault(code, {}).update(found)
        return replace(self._ground, holds={code: sorted(found.values(), key=_start) for code, found in holds.items()})

    def take(self, session: Session, taken: Iterable[Held]) -> None:
        for held in taken:
            hold = Hold(
                session=session.id,
                host=session.host_site,
                network=session.network,
                interval=held.interval,
                around=held.around,
                units=held.units,
            )
            self._put(held.resource[1], hold)

    def free(self, session_id: str) -> None:
        for day, code in self._days.pop(session_id, ()):
            del self._holds[day][code][session_id]

    def _put(self, code: str, hold: Hold) -> None:
        for day in _days(hold.around):
            self._holds.setdefault(day, {}).setdefault(code, {})[hold.session] = hold
            self._days.setdefault(hold.session, []).append((day, code))


def _start(hold: Hold) -> datetime:
    return hold.interval.start


def _days(interval: Interval) -> list[date]:
    first, last = interval.start.date(), interval.end.date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One date, tried."""

    recurrence: datetime
    session: Session | None  # as it would be; None where the date has no such hour
    before: Session | None  # what it replaces
    taken: Sequence[Held] | None  # None: it keeps what it holds
    conflicts: Sequence[Conflict] = ()
    proposal: Proposal | None = None

    @property
    def changes(self) -> bool:
        return self.session is not None and self.session is not self.before

    @property
    def changes_face(self) -> bool:
        """Whether others must know: a new session, or another iCalendar SEQUENCE."""
        return self.session is not None and (self.before is None or self.session.sequence != self.before.sequence)


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Puts dates upon a standing ground, in order, on behalf of one caller."""

    standing: Standing
    directory: Directory
    own_sites: frozenset[str]
    now: datetime
    new_id: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))

    def book(self, series: Series, times: Sequence[datetime]) -> list[Placed]:
        """Each date as a new session; one with conflicts takes nothing."""
        return [self._new(series, wall) for wall in times]

    def _new(self, series: Series, wall: datetime) -> Placed:
        try:
            draft = series.on(wall)
        except (SkippedLocalTime, RepeatedLocalTime) as error:
            return Placed(recurrence=wall, session=None, before=None, taken=None, conflicts=[_of_clock(error)])
        request = self._request(draft, None)
        place = self._fit(request.proposal(), draft)
        session = rules.booked(request, place, session_id=self.new_id(), uid=series.uid)
        session = replace(session, series=series.id, recurrence=wall)
        return self._settled(wall, session, None, place, request, draft.override_reason)

    def change(self, wall: datetime, before: Session, drafted: Callable[[], Draft], reason: str | None) -> Placed:
        """An occurrence as it is asked for now; `reason` is given with this change to override what speaks against it.

        What it holds must have been freed from the ground before, unless it keeps its places.
        """
        try:
            draft = drafted()
        except (SkippedLocalTime, RepeatedLocalTime) as error:
            return Placed(recurrence=wall, session=before, before=before, taken=None, conflicts=[_of_clock(error)])
        request = self._request(draft, before)
        if not request.needs_places:
            after = rules.changed(request, None)
            return Placed(recurrence=wall, session=after, before=before, taken=None)
        place = self._fit(request.proposal(), draft)
        return self._settled(wall, rules.changed(request, place), before, place, request, reason)

    def answer(self, before: Session, site: str, answer: Answer, room: str | None, comment: str) -> Placed:
        """One site's answer to one occurrence, which keeps its hour."""
        self.standing.free(before.id)
        joining = answer != "declined"
        proposal = answers.standing(before, site, joining=joining, room=room, directory=self.directory)
        place = fit(self.standing.near(before.interval), proposal, before.start) if proposal else None
        refused = answers.against_joining(before, site, place) if place and joining else []
        after = answers.answered(before, site, answer, comment, room, place, self.now)
        taken = held_by(place)
        if not refused:
            self.standing.take(after, taken)
        return Placed(
            recurrence=before.recurrence or before.wall_start,
            session=after,
            before=before,
            taken=taken,
            conflicts=refused,
            proposal=rules.afresh(proposal) if proposal and refused else None,
        )

    def _request(self, draft: Draft, before: Session | None) -> rules.Request:
        return rules.Request(
            draft=draft, before=before, own_sites=self.own_sites, directory=self.directory, now=self.now
        )

    def _fit(self, proposal: Proposal, draft: Draft) -> Fit:
        return fit(self.standing.near(draft.interval), proposal, draft.start)

    def _settled(
        self,
        wall: datetime,
        session: Session,
        before: Session | None,
        place: Fit,
        request: rules.Request,
        reason: str | None,
    ) -> Placed:
        refused = () if reason and place.overridable else place.conflicts
        taken = held_by(place)
        if not refused:
            self.standing.take(session, taken)
        return Placed(
            recurrence=wall,
            session=session,
            before=before,
            taken=taken,
            conflicts=refused,
            proposal=request.elsewhere() if refused else None,
        )


def _of_clock(error: SkippedLocalTime | RepeatedLocalTime) -> Conflict:
    skipped = isinstance(error, SkippedLocalTime)
    return Conflict(code="skipped_local_time" if skipped else "repeated_local_time", message=error.message)


def by_date(sessions: Iterable[Session]) -> Mapping[date, Session]:
    """The occurrences of a series by the date of their recurrence: a date has at most one."""
    return {session.recurrence.date(): session for session in sessions if session.recurrence}
