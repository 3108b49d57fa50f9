"""A series as a calendar has it: one rule, the dates on which it does not hold, the dates on which it is otherwise.

What a feed shows of a series is a choice of its sessions: a site that takes no part on one date does not see it, and
what was cancelled long ago is gone. The components made here expand to exactly these sessions, to the second: the
rule runs from the first to the last of them, every other date of the rule is an EXDATE, and a session that differs
from the rest has a component of its own (ICS-14, ICS-21). Pure: `calendar` writes the bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from icalendar import Event, vRecur

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.series import recurrence
from perinat_sched.series.series import Series


@dataclass(frozen=True, kw_only=True)
class Component:
    """One VEVENT of a series. The master has a rule, the others a recurrence id; a single date has neither."""

    session: Session  # what is said and when: of the master, at its first date
    rrule: str | None = None
    exdates: tuple[datetime, ...] = ()  # naive, in the zone of the series
    recurrence: datetime | None = None  # naive, likewise


def components(series: Series, shown: Sequence[Session]) -> list[Component]:
    """The components for the sessions of a series that one feed shows: the master first, the others by date."""
    zone, hour = series.session.timezone, series.session.wall_start.time()
    by_wall = {datetime.combine(one.recurrence.date(), hour): one for one in shown if one.recurrence}
    usual = _usual(by_wall, zone)
    if series.rrule is None or usual is None:
        return [Component(session=one, recurrence=wall) for wall, one in sorted(by_wall.items())]
    first, last = min(by_wall), max(by_wall)
    rule = recurrence.fixed(recurrence.parse(series.rrule, zone), series.session.wall_start)
    rule = replace(rule, count=None, until=last)
    times = recurrence.expand(rule, first) if recurrence.first(rule, first, last) == first else []
    if not set(by_wall) <= set(times):  # a date that the present rule no longer has
        return [Component(session=one, recurrence=wall) for wall, one in sorted(by_wall.items())]
    master = Component(
        session=replace(
            usual,
            wall_start=first,
            start=zones.near(first, zone),
            fold=0,
            recurrence=None,
            sequence=max(one.sequence for one in shown),
            created_at=min(one.created_at for one in shown),
            updated_at=max(one.updated_at for one in shown),
        ),
        rrule=recurrence.written(rule, zone),
        exdates=tuple(wall for wall in times if wall not in by_wall),
    )
    facts = _facts(usual)
    others = [
        Component(session=one, recurrence=wall)
        for wall, one in sorted(by_wall.items())
        if _moved(one, wall, zone) or _facts(one) != facts
    ]
    return [master, *others]


def _usual(by_wall: dict[datetime, Session], zone: str) -> Session | None:
    """A session that stands where the rule has it and says what most of these say."""
    standing = [one for wall, one in by_wall.items() if not _moved(one, wall, zone) and one.status != "cancelled"]
    if not standing:
        return None
    most, _ = Counter(map(_facts, standing)).most_common(1)[0]
    return next(one for one in standing if _facts(one) == most)


def _moved(session: Session, wall: datetime, zone: str) -> bool:
    return session.timezone != zone or session.wall_start != wall or session.start != zones.near(wall, zone)


def _facts(session: Session) -> tuple[object, ...]:
    """What a calendar says of a session besides its hour."""
    parts = tuple((p.site, p.required, p.room, p.answer) for p in session.participations)
    return (
        session.status,
        session.kind,
        session.title,
        session.description,
        session.network,
        session.duration,
        parts,
        session.bridge,
        session.join_url,
        session.cancellation_reason,
    )


def dress(event: Event, component: Component, series: Series) -> None:
    """Write what makes an event one of a series, all in the zone of the series, UNTIL in UTC (RFC 5545 § 3.3.10)."""
    rules = zones.zone(series.session.timezone)
    event.pop("recurrence-id", None)
    if component.recurrence is not None:
        event.add("recurrence-id", component.recurrence.replace(tzinfo=rules))
    if component.rrule is not None:
        event.add("rrule", vRecur.from_ical(component.rrule))
        if component.exdates:
            event.add("exdate", [wall.replace(tzinfo=rules) for wall in component.exdates])
        if series.follows is not None:
            event.add("related-to", f"{series.follows}@perinat-sched")
    assert component.session.start.tzinfo is UTC
