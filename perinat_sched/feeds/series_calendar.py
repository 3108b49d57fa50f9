"""A series as a calendar has it: one rule, the dates on which it does not hold, the dates on which it is otherwise.

What a reader sees of a series is a choice of its sessions: a site that takes no part on one date does not see it, and
what was cancelled long ago is gone. The components made here expand to exactly these sessions, to the second: the
rule runs from the first to the last of them, every other date of the rule is an EXDATE, and a session that differs
from the rest, be it in a word, has a component of its own (ICS-14, ICS-21). So has one in an odd week, whose
description tells other hours, and one that must be written in UTC. Pure: `calendar` writes the bytes.

Where the dates follow no rule there is none: each date is a component with a recurrence id (RFC 5546 § 3.2.2), as for
somebody who was invited to these dates alone. RDATE would say the same, but Outlook does not read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from icalendar import Event, vRecur

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.feeds import vtimezone
from perinat_sched.feeds.face import Face
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import WEEKDAYS, Rule
from perinat_sched.series.series import Series


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A session of a series, and what is said of it to one reader."""

    session: Session
    seen: Face
    own: str = ""  # what else is said to this reader alone

    @property
    def said(self) -> tuple[object, ...]:
        """Everything but its hour."""
        return (self.seen, self.session.duration, self.own)


@dataclass(frozen=True, kw_only=True)
class Component:
    """One VEVENT of a series: the master, with a rule, or a date that is otherwise, with a recurrence id."""

    session: Session  # when, and in which revision: of the master, at its first date
    seen: Face
    clock: vtimezone.Rules | None  # in which its hours are written; None: in UTC
    rrule: str | None = None
    exdates: tuple[datetime, ...] = ()  # naive, in the zone of the series
    recurrence: datetime | None = None  # naive, likewise


def components(series: Series, shown: Sequence[Shown]) -> list[Component]:
    """The components for the sessions of a series that a reader is shown: the master first, the others by date."""
    zone, hour = series.session.timezone, series.session.wall_start.time()
    by_wall = {datetime.combine(one.session.recurrence.date(), hour): one for one in shown if one.session.recurrence}
    rule, usual = _rule(series, by_wall), _usual(by_wall, zone)
    first = min(by_wall)
    alone = [_alone(series, wall, one) for wall, one in sorted(by_wall.items())]
    if rule is None or usual is None:
        return alone
    start = zones.near(first, zone)
    clock = vtimezone.clock(zone, start, start + usual.session.duration)
    if clock is None:  # what begins in a repeated hour, or while the clocks change, is no pattern for others
        return alone
    master = Component(
        session=replace(
            usual.session,
            wall_start=first,
            start=start,
            fold=0,
            sequence=series.sequence,
            created_at=series.created_at,
            updated_at=max([series.updated_at, *(one.session.updated_at for one in shown)]),
        ),
        seen=usual.seen,
        clock=clock,
        rrule=recurrence.written(rule, zone),
        exdates=tuple(wall for wall in recurrence.spelled(rule, first) if wall not in by_wall),
    )
    otherwise = {wall for wall, one in by_wall.items() if not _regular(one, wall, zone) or one.said != usual.said}
    return [master, *(one for one in alone if one.recurrence in otherwise)]


def _alone(series: Series, wall: datetime, one: Shown) -> Component:
    """A date by itself, which is never behind the rule that it replaces."""
    session = replace(one.session, sequence=max(one.session.sequence, series.sequence))
    clock = vtimezone.clock(session.timezone, session.start, session.end)
    return Component(session=session, seen=one.seen, clock=clock, recurrence=wall)


def _usual(by_wall: dict[datetime, Shown], zone: str) -> Shown | None:
    """A session that stands where the rule has it and says what most of these say; what takes place before the rest."""
    regular = [one for wall, one in by_wall.items() if _regular(one, wall, zone)]
    regular = [one for one in regular if one.session.status != "cancelled"] or regular
    if not regular:
        return None
    most, _ = Counter(one.said for one in regular).most_common(1)[0]
    return next(one for one in regular if one.said == most)


def _regular(one: Shown, wall: datetime, zone: str) -> bool:
    """Whether every reader finds the hour of this session by the rule alone."""
    session = one.session
    stands = (session.timezone, session.wall_start, session.start) == (zone, wall, zones.near(wall, zone))
    return stands and vtimezone.clock(zone, session.start, session.end) is not None


def _rule(series: Series, walls: Collection[datetime]) -> Rule | None:
    """A rule that has all these dates, from the first to the last, and not more than twice as many.

    The rule of the series where it still has them all; else (dates that were given one by one, past dates of an
    earlier rule) every week on their weekdays.
    """
    first, last = min(walls), max(walls)
    if first == last:
        return None
    weekdays = [name for number, name in enumerate(WEEKDAYS) if number in {wall.weekday() for wall in walls}]
    weekly = Rule(frequency="WEEKLY", until=last, by_day=tuple((0, name) for name in weekdays))
    if series.rrule is not None:
        own = recurrence.parse(series.rrule, series.session.timezone)
        own = replace(recurrence.fixed(own, series.session.wall_start), count=None, until=last)
        if set(walls) <= set(times := recurrence.spelled(own, first)) and times[0] == first:
            return own
    return weekly if len(recurrence.spelled(weekly, first)) <= 2 * len(walls) else None


def dress(event: Event, component: Component, series: Series) -> None:
    """Write what makes an event one of a series, all in the zone of the series, UNTIL in UTC (RFC 5545 § 3.3.10)."""
    zone = series.session.timezone

    def at(wall: datetime) -> datetime:
        """The same in every component, whatever the clock of the component (ICS-14)."""
        local = wall.replace(tzinfo=zones.zone(zone))
        return local if vtimezone.rules(zone) else local.astimezone(UTC)

    if component.recurrence is not None:
        event.add("recurrence-id", at(component.recurrence))
    if component.rrule is not None:
        event.add("rrule", vRecur.from_ical(component.rrule))
        if component.exdates:
            event.add("exdate", [at(wall) for wall in component.exdates])
    if series.follows is not None:
        event.add("related-to", f"{series.follows}@perinat-sched")


def clocks_of(series: Series, made: Sequence[Component]) -> frozenset[vtimezone.Rules | None]:
    """Every time zone that these components name; None: UTC."""
    return frozenset([vtimezone.rules(series.session.timezone), *(one.clock for one in made)])
