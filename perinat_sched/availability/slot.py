"""A slot, and the question that asks for slots: values only, the search is in `slots`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.availability.proposal import Proposal

Order = Literal["earliest", "best"]


@dataclass(frozen=True, kw_only=True)
class SlotQuery:
    """What is searched: a proposal, and the wall times at which it may start."""

    proposal: Proposal
    timezone: str  # in which days and wall times are meant
    first_day: date
    last_day: date  # included
    after: time | None = None  # the earliest local start
    before: int | None = None  # the latest local end, on the day of the start, in minutes after midnight
    weekdays: frozenset[int] = frozenset()  # 0 Monday … 6 Sunday; none: all
    order: Order = "earliest"
    limit: int = 20
    step_minutes: int | None = None  # between starts, from local midnight; a multiple of the grid, else the grid
    include_overridable: bool = False  # also starts that a reason given by the coordinator would allow


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotPlace:
    """A site's place in a slot."""

    site: str
    required: bool  # the host is
    free: bool  # it would hold its place, and nothing speaks against that
    room: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A time at which the session could be."""

    start: datetime  # UTC
    end: datetime
    places: tuple[SlotPlace, ...]  # host, required, optional, in order
    optional_free: int
    bridge: str | None
    ports_left: int | None  # on its bridge, else the network's first, at the busiest moment, once this is booked
    conflicts: tuple[Conflict, ...] = ()  # all of them overridable
