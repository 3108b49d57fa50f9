"""Which sessions of a series go with which of its dates, when these become others. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from perinat_sched import zones
from perinat_sched.availability.conflicts import Conflict
from perinat_sched.booking.session import Session
from perinat_sched.series import splitting
from perinat_sched.series.base import Plan, adopted
from perinat_sched.series.planning import Placed, by_date
from perinat_sched.series.request import Dates
from perinat_sched.series.series import Series

LeftOut = Mapping[datetime, Sequence[Conflict]]


def cancelled_before(sessions: Sequence[Session], new: Series, when: Dates, now: datetime) -> list[Session]:
    """Dates to come that were cancelled alone, as dates of the series as it is now: nobody books them again for it."""
    days = {wall.date(): wall for wall in when.times if to_come(wall, new, now)}
    found = []
    for one in sessions:
        if one.status == "cancelled" and one.start > now and one.recurrence and one.recurrence.date() in days:
            placed = Placed(recurrence=days[one.recurrence.date()], session=one, before=one, taken=None)
            after = adopted(placed, new, now).session
            found += [after] if after and after is not one else []
    return found


def waiting(left: LeftOut, old: Series, plan: Plan, when: Dates, now: datetime) -> dict[datetime, Sequence[Conflict]]:
    """The dates that stay left out: neither those tried again, nor those to come that are no dates any more."""
    new, tried = plan.series, {one.recurrence.date() for one in plan.placed}
    days = {wall.date() for wall in when.times}

    def stays(wall: datetime) -> bool:
        before = new.id != old.id and wall < splitting.cut_of(new, old)  # stays with the series that ends
        return before or wall.date() in days or not to_come(wall, old, now)

    return {wall: why for wall, why in left.items() if wall.date() not in tried and stays(wall)}


def to_come(wall: datetime, series: Series, now: datetime) -> bool:
    """A date without such an hour counts by the hour the clocks show instead."""
    return zones.near(wall, series.session.timezone) > now


def paired(sessions: Sequence[Session], times: Sequence[datetime]) -> dict[datetime, Session]:
    """Which session goes with which date: by the day; where no day is the same, one after the other."""
    known = by_date(sessions)
    pairs = {wall: known[wall.date()] for wall in times if wall.date() in known}
    if pairs:
        return pairs
    alive = [one for one in sessions if one.status != "cancelled"]
    return dict(zip(times, alive, strict=False))
