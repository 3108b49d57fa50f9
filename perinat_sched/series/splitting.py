"""A series cut in two at one of its dates: what ends before it, what begins there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from perinat_sched.series import recurrence
from perinat_sched.series.series import Series


def cut_of(new: Series, old: Series) -> datetime:
    """Where the new series takes over: at its first date, or at that of the old which it replaces."""
    return datetime.combine(new.session.wall_start.date(), datetime.min.time())


def beginning(old: Series, cut: datetime) -> Series:
    """The part of a series that begins at one of its dates."""
    rule = None
    if old.rrule is not None:
        zone = old.session.timezone
        parsed = recurrence.parse(old.rrule, zone)
        if parsed.count is not None:
            earlier = sum(one < cut for one in recurrence.expand(parsed, old.session.wall_start))
            parsed = replace(parsed, count=parsed.count - earlier)
        rule = recurrence.written(recurrence.fixed(parsed, old.session.wall_start), zone)
    return replace(
        old,
        session=replace(old.session, wall_start=cut),
        rrule=rule,
        dates=tuple(one for one in old.dates if one >= f"{cut:%Y-%m-%d}"),
    )


def ending(old: Series, cut: datetime) -> Series:
    """The part of a series that ends before one of its dates."""
    if old.rrule is None:
        return replace(old, dates=tuple(one for one in old.dates if one < f"{cut:%Y-%m-%d}"))
    zone = old.session.timezone
    parsed = recurrence.parse(old.rrule, zone)
    last = max(one for one in recurrence.expand(parsed, old.session.wall_start) if one < cut)
    return replace(old, rrule=recurrence.written(replace(parsed, count=None, until=last), zone))
