"""A series: what was asked for once, and what it became on each of its dates. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from perinat_sched import zones
from perinat_sched.availability.conflicts import Conflict
from perinat_sched.availability.slot import Slot
from perinat_sched.booking.session import Draft, Session, Status
from perinat_sched.errors import BookingRefused
from perinat_sched.i18n import Message
from perinat_sched.people.access import Subject

OnConflict = Literal["refuse", "leave_out"]
Verdict = Literal["booked", "bookable", "left_out", "conflict"]

WALL = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, kw_only=True)
class Series:
    """A rule or dates, and the session that is asked for on each."""

    id: str
    uid: str  # iCalendar's, shared by its sessions
    revision: int  # counts whatever changes in what is read of it, its dates included: the ETag
    sequence: int = 0  # iCalendar's SEQUENCE of the rule: those of them that change when or where people meet
    session: Draft  # the one asked for, at the hour of the first occurrence
    fold: int | None  # what a repeated hour means; None: it was not said
    rrule: str | None
    dates: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_holidays_of: tuple[str, ...] = ()
    on_conflict: OnConflict = "refuse"
    override: tuple[str, ...] = ()  # recurrence ids on which the reason to override applies
    follows: str | None = None  # the series that ended where this one begins
    created_at: datetime
    updated_at: datetime

    @property
    def subject(self) -> Subject:
        """What rights depend on in it."""
        draft = self.session
        sites = frozenset((draft.host_site, *draft.required_sites, *draft.optional_sites))
        return Subject(host_site=draft.host_site, sites=sites, network=draft.network)

    def on(self, wall: datetime) -> Draft:
        """What is asked for on one date. Raises SkippedLocalTime, RepeatedLocalTime."""
        draft = self.session
        start = zones.to_utc(wall, draft.timezone, self.fold)
        overrides = f"{wall:{WALL}}" in self.override
        return replace(
            draft,
            wall_start=wall,
            fold=zones.to_local(start, draft.timezone).fold,
            start=start,
            override_reason=draft.override_reason if overrides else None,
        )


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """What becomes, or became, of one date."""

    recurrence: datetime  # naive
    verdict: Verdict
    session: Session | None  # as it is, or would be, booked; None: nothing can be said about it
    conflicts: Sequence[Conflict] = ()
    nearest: Slot | None = None


Change = tuple[Session | None, Session]  # before (None: it was booked), after


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A series with all its dates, in order."""

    series: Series
    occurrences: tuple[Occurrence, ...]
    unmatched: tuple[str, ...] = ()  # exclusions that concern no date
    changed: Sequence[Change] = ()  # what was just done to its sessions, and to those it has given away

    @property
    def status(self) -> Status:
        """Cancelled when all is or nothing is left, confirmed when all that takes place is."""
        states = {one.session.status for one in self.occurrences if one.session and one.verdict == "booked"}
        alive = states - {"cancelled"}
        if not alive:
            return "cancelled" if states or not self.occurrences else "tentative"
        return "confirmed" if alive == {"confirmed"} else "tentative"


class SeriesRefused(BookingRefused):
    """The series cannot be booked like this: see what speaks against each date, and the nearest slot."""

    def __init__(self, whole: Whole) -> None:
        found = [one for one in whole.occurrences if one.verdict == "conflict"]
        nearest = dict.fromkeys(one.nearest for one in found if one.nearest)
        conflicts = [conflict for one in found for conflict in one.conflicts]
        super().__init__(conflicts, list(nearest)[:3], whole.series.session.timezone)
        self.message = Message("The series cannot be booked like this: see what speaks against each date.")
        self.whole = whole
