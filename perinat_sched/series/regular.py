"""The rule behind a list of dates: every Thursday but for some, every third Tuesday.

People write a year's plan as a list. Booked by a rule it reads as what it is, is published as one entry, and can be
copied to the next year.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import gcd

from perinat_sched.errors import InvalidRequest
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import WEEKDAYS, Rule

FEWEST = 3  # two dates are regular whatever they are
DAYS = tuple(WEEKDAYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Regular:
    """A rule that has all of some dates, and the dates that it has besides."""

    rule: Rule
    others: tuple[datetime, ...]


def rule_of(times: Sequence[datetime]) -> Regular | None:
    """The rule of some wall times (in order) that has fewest others, at most half as many; None: there is none."""
    if len(times) < FEWEST:
        return None
    wanted, found = set(times), []
    for rule in _candidates(times):
        try:
            expanded = recurrence.expand(rule, times[0])
        except InvalidRequest:  # too many, too far, or not from this start on
            continue
        others = tuple(one for one in expanded if one not in wanted)
        if wanted <= set(expanded) and 2 * len(others) <= len(times):
            found.append(Regular(rule=rule, others=others))
    return min(found, key=lambda one: len(one.others), default=None)


def _candidates(times: Sequence[datetime]) -> Iterator[Rule]:
    """A month's rule comes first: every third Thursday is more likely meant than every fourth week."""
    start, until = times[0], times[-1]
    months = gcd(*((one.year - start.year) * 12 + one.month - start.month for one in times)) or 1
    weekdays = sorted({one.weekday() for one in times})
    if len(weekdays) == 1:
        day = DAYS[weekdays[0]]
        for ordinals in ({(one.day - 1) // 7 + 1 for one in times}, {_from_the_end(one) for one in times}):
            if len(ordinals) == 1:
                by_day = ((ordinals.pop(), day),)
                yield Rule(frequency="MONTHLY", interval=months, until=until, by_day=by_day)
    if len({one.day for one in times}) == 1:
        yield Rule(frequency="MONTHLY", interval=months, until=until, by_month_day=(start.day,))
    monday = start.date() - timedelta(days=start.weekday())
    weeks = gcd(*((one.date() - monday).days // 7 for one in times)) or 1
    yield Rule(frequency="WEEKLY", interval=weeks, until=until, by_day=tuple((0, DAYS[day]) for day in weekdays))


def _from_the_end(one: datetime) -> int:
    """-1 for the last such weekday of its month."""
    number = 0
    month, moved = one.month, one
    while moved.month == month:
        number, moved = number - 1, moved + timedelta(days=7)
    return number


def parts(times: Sequence[datetime]) -> Iterator[Sequence[datetime]]:
    """Some wall times (in order) in as few parts as a series may be long."""
    rest = list(times)
    while rest:
        last = recurrence.last_after(rest[0])
        part = [one for one in rest if one <= last][: recurrence.MOST_OCCURRENCES]
        yield part
        rest = rest[len(part) :]
