"""A series at another time: the same weekdays, as it may be asked for again. Values only."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from perinat_sched.errors import InvalidRequest
from perinat_sched.series import recurrence, request
from perinat_sched.series.request import Asked
from perinat_sched.series.series import WALL, Series

A_WEEK = timedelta(weeks=1)


def between(old: Series, first: date, last: date) -> Asked:
    """What a series asks for, between two days, both included. Reasons to override, and days that were excluded, are
    of the old dates, so they stay behind; holidays do not.

    Raises InvalidRequest on `from` and `until`.
    """
    if last < first:
        raise InvalidRequest.of("until", "This day is before the first.")
    start, rule, dates = _by_rule(old, first, last) if old.rrule is not None else _by_dates(old, first, last)
    if start is None:
        raise InvalidRequest.of("from", "No date of the series lies between these days: choose a longer time.")
    if last > recurrence.last_after(start).date():
        raise InvalidRequest.of(
            "until", "A series lasts at most {years} years: end it earlier, and make a second one.",
            years=recurrence.YEARS,
        )  # fmt: skip
    return Asked(
        session=replace(request.asked_again(old), start=f"{start:{WALL}}", override_reason=None),
        rrule=rule,
        dates=dates,
        exclude_holidays_of=old.exclude_holidays_of,
        on_conflict=old.on_conflict,
    )


Times = tuple[datetime | None, str | None, tuple[str, ...] | None]  # first, rule, dates


def _by_rule(old: Series, first: date, last: date) -> Times:
    draft, end = old.session, datetime.combine(last, time(23, 59, 59))
    assert old.rrule is not None
    rule = recurrence.fixed(recurrence.parse(old.rrule, draft.timezone), draft.wall_start)
    rule = replace(rule, count=None, until=end)
    start = recurrence.first(rule, datetime.combine(first, draft.wall_start.time()), end)
    return start, recurrence.written(rule, draft.timezone), None


def _by_dates(old: Series, first: date, last: date) -> Times:
    """The first date on the first such weekday, the others as far behind it as they were."""
    excluded = recurrence.spans(old.exclude)
    listed = sorted({date.fromisoformat(text) for text in old.dates})
    days = [day for day in listed if not any(span.first <= day <= span.last for span in excluded)]
    if not days:
        return None, None, None
    weeks = -((days[0] - first) // A_WEEK)
    days = [day + weeks * A_WEEK for day in days if day + weeks * A_WEEK <= last]
    start = datetime.combine(days[0], old.session.wall_start.time()) if days else None
    return start, None, tuple(f"{day}" for day in days)
