"""A series as a caller asks for it, checked: its session, its dates, what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking import request as booking
from perinat_sched.booking.session import Draft
from perinat_sched.errors import InvalidRequest
from perinat_sched.intervals import Interval
from perinat_sched.series import recurrence
from perinat_sched.series.series import WALL, OnConflict, Series
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory

A_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A series as it is asked for: nothing is checked."""

    session: booking.Asked
    rrule: str | None = None
    dates: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    exclude_holidays_of: tuple[str, ...] = ()
    on_conflict: OnConflict = "refuse"
    override: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dates:
    """The wall times of a series, and the exclusions that concern none."""

    times: tuple[datetime, ...]
    unmatched: tuple[str, ...]


def drafted(asked: booking.Asked, directory: Directory, now: datetime, *, fresh: frozenset[str] | None = None) -> Draft:
    """The session of a series at the hour of its first occurrence, whether or not that date has such an hour.

    A skipped hour is a verdict on its date, so the rest is checked at noon, which every date has.
    """
    host = directory.sites.get(asked.host_site)
    zone = asked.timezone or (host.timezone if host else "UTC")
    noon = replace(asked, start="2027-01-04T12:00", fold=None)
    try:
        zone = zones.canonical(zone)
    except zones.UnknownZone:
        zone = "UTC"  # `draft` says so, with everything else
    draft = booking.draft(noon, directory, now, fresh=fresh)
    wall, _ = booking.wall_time(asked.start, zone, directory.defaults.grid_minutes, now)
    return replace(
        draft, wall_start=wall, fold=asked.fold or 0, start=wall.replace(tzinfo=zones.zone(zone)).astimezone(UTC)
    )


def series(asked: Asked, directory: Directory, now: datetime, *, series_id: str, uid: str) -> Series:
    """A new series; its dates are not looked at yet. Raises InvalidRequest and its kin."""
    if (asked.rrule is None) == (asked.dates is None):
        raise either_or()
    return Series(
        id=series_id,
        uid=uid,
        revision=0,
        session=drafted(asked.session, directory, now),
        fold=asked.session.fold,
        rrule=asked.rrule,
        dates=asked.dates or (),
        exclude=asked.exclude,
        exclude_holidays_of=asked.exclude_holidays_of,
        on_conflict=asked.on_conflict,
        override=asked.override,
        created_at=now,
        updated_at=now,
    )


def either_or() -> InvalidRequest:
    return InvalidRequest.of("rrule", "Say when: give either rrule or dates, and not both.")


def dates(of: Series, directory: Directory, calendars: Calendars) -> Dates:
    """The dates of a series, without what is excluded. Raises InvalidRequest where there is none, or too many."""
    if of.override and not of.session.override_reason:
        raise InvalidRequest.of("override_reason", "Dates to override need a reason: give override_reason.")
    start, zone = of.session.wall_start, of.session.timezone
    if of.rrule is not None:
        times = recurrence.expand(recurrence.parse(of.rrule, zone), start)
    else:
        times = recurrence.listed(of.dates, start)
    excluded = recurrence.spans(of.exclude)
    closed = _holidays(of.exclude_holidays_of, zone, times, directory, calendars)
    left = tuple(
        one
        for one in times
        if one.date() not in closed and not any(span.first <= one.date() <= span.last for span in excluded)
    )
    if not left:
        raise InvalidRequest.of("exclude", "Nothing is left: exclude fewer dates.")
    if len(left) > recurrence.MOST_OCCURRENCES:
        raise InvalidRequest.of(
            "rrule" if of.rrule is not None else "dates",
            "A series has at most {most} dates: end it earlier, and make a second one.",
            most=recurrence.MOST_OCCURRENCES,
        )
    known = {f"{one:{WALL}}" for one in left}
    for position, text in enumerate(of.override):
        if text not in known:
            raise InvalidRequest.of(f"override[{position}]", "The series has no such date: take a recurrence_id of it.")
    return Dates(times=left, unmatched=tuple(recurrence.unmatched(of.exclude, times)))


def _holidays(
    names: Sequence[str], zone: str, times: Sequence[datetime], directory: Directory, calendars: Calendars
) -> set[date]:
    """The days on which a site keeps a public holiday, or that a file of calendars/ (school holidays) closes."""
    first = times[0].replace(tzinfo=UTC) - 2 * A_DAY
    window = Interval(first, times[-1].replace(tzinfo=UTC) + 2 * A_DAY)
    found: set[date] = set()
    for position, name in enumerate(names):
        if site := directory.sites.get(name):
            there = site.timezone
            closures = [one for one in calendars.of_site(site, window) if one.source == "public-holiday"]
        elif name in calendars.agendas:
            there, closures = zone, calendars.of_calendar(name, zone, window)
        else:
            raise InvalidRequest.of(
                f"exclude_holidays_of[{position}]",
                "There is neither a site nor a calendar {name}: take a site, or a file of calendars/.",
                name=repr(name),
            )
        for closure in closures:
            day = zones.to_local(closure.interval.start, there).date()
            while zones.start_of_day(day, there) < closure.interval.end:
                found.add(day)
                day += A_DAY
    return found


def asked_again(series: Series) -> booking.Asked:
    """The session of a series as it would be asked for."""
    draft = series.session
    return booking.Asked(
        kind=draft.kind,
        host_site=draft.host_site,
        start=f"{draft.wall_start:{WALL}}",
        title=draft.title,
        description=draft.description,
        network=draft.network,
        timezone=draft.timezone,
        fold=series.fold,
        duration_minutes=int(draft.duration.total_seconds() // 60),
        required_sites=draft.required_sites,
        optional_sites=draft.optional_sites,
        rooms=draft.rooms,
        join_url=draft.join_url,
        access_code=draft.access_code,
        override_reason=draft.override_reason,
    )


def on_the_same_days(rule: str, before: Draft, after: Draft) -> str:
    """A rule whose hour or zone becomes another one, and which names no other days for that."""
    parsed = recurrence.parse(rule, before.timezone)
    moved = recurrence.at_another_hour(parsed, before.wall_start.time(), after.wall_start.time())
    return rule if (moved, before.timezone) == (parsed, after.timezone) else recurrence.written(moved, after.timezone)
