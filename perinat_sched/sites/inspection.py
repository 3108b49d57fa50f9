"""A `calendars/*.ics` file, judged: what would hang, fail or hide an event is refused, by the event's name.

Files are foreign. What passes is written anew, with nothing in it but what says when a place is closed and why, and
worked out once, for the years in which its events begin and one far ahead. This runs in a process with limits of its
own (`quarantine`); whoever reads the new calendar afterwards does no more than was done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import icalendar
import recurring_ical_events
from icalendar.error import IncompleteComponent, InvalidCalendar

from perinat_sched.reading import LONGEST_TEXT, Wrong
from perinat_sched.sites.agenda import Agenda, parsed, reason

MOST_COMPONENTS = 2_000
MOST_VALUES = 30_000  # lines, and values that commas part: reading more takes longer than a file has
FIRST_YEAR, LAST_YEAR = 1970, 2100  # of an event
FAR_YEAR = 2050  # tried too: a rule is worked out from its beginning, so that each year costs more than the one before
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
KEPT = ("UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "STATUS")


class OutOfTime(BaseException):
    """The file's time is over: raised from outside, wherever the work is; no library's `except Exception` holds it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was found: the calendar written anew, or else what is wrong (key, reason, mend)."""

    calendar: bytes = b""
    wrong: tuple[tuple[str, str, str], ...] = ()


def judge(data: bytes, name: str) -> Verdict:
    """The verdict on the bytes of a file of this name."""
    try:
        calendar = _parsed(data)
        wrong = [*_wrong_events(calendar, name)] or [*_wrong_when_worked_out(plain := _plain(calendar))]
    except Wrong as whole:
        wrong = [("the file", whole)]
    if wrong:
        return Verdict(wrong=tuple((key, each.reason, each.mend) for key, each in wrong))
    return Verdict(calendar=plain)


def _plain(calendar: icalendar.Calendar) -> bytes:
    """The same closures in a calendar of our own: no text but the reasons, no component but events and their zones."""
    plain = icalendar.Calendar()
    plain.add("version", "2.0")
    plain.add("prodid", "-//perinat-sched//inspected//EN")
    if "X-WR-TIMEZONE" in calendar:  # recurring-ical-events moves by it what is written in UTC
        plain["X-WR-TIMEZONE"] = calendar["X-WR-TIMEZONE"]
    for timezone in calendar.timezones:
        plain.add_component(timezone)
    for event in calendar.events:
        kept = icalendar.Event()
        kept.update({name: event[name] for name in KEPT if name in event})
        kept.add("summary", reason(event))
        plain.add_component(kept)
    written: bytes = plain.to_ical()
    return written


def _wrong_events(calendar: icalendar.Calendar, name: str) -> Iterator[tuple[str, Wrong]]:
    """Each event that cannot be trusted, by what a person finds it by. Gives the ones without a UID their own."""
    masters: set[str] = set()
    for number, event in enumerate(calendar.events, start=1):
        event.setdefault("UID", icalendar.vText(f"{number}@{name}"))
        try:
            _check(event)
            if "RECURRENCE-ID" not in event:
                if event.uid in masters:
                    raise Wrong("it has the UID of an event before it", "give each event its own UID")
                masters.add(event.uid)
        except Wrong as wrong:
            yield _called(number, event), wrong


def _wrong_when_worked_out(plain: bytes) -> Iterator[tuple[str, Wrong]]:
    """Read the new calendar and work it out as the service will: each rule with its exceptions, the rest by years."""
    calendar = parsed(plain)
    numbered = list(enumerate(calendar.events, start=1))
    recurring = {event.uid for _, event in numbered if not set(event).isdisjoint(("RRULE", "RDATE", "RECURRENCE-ID"))}
    groups: dict[str | int, list[tuple[int, icalendar.Event]]] = {}
    for number, event in numbered:
        groups.setdefault(event.uid if event.uid in recurring else event.start.year, []).append((number, event))
    zone = {name: calendar[name] for name in ("X-WR-TIMEZONE",) if name in calendar}
    for key, group in groups.items():
        years = {event.start.year for _, event in group} | ({FAR_YEAR} if key in recurring else set())
        called = _called(*group[0]) if key in recurring else f"the events of {key}"
        alone = icalendar.Calendar(zone)
        alone.subcomponents = [event for _, event in group]
        try:
            agenda = Agenda("", "", recurring_ical_events.of(alone))
            for year in sorted(years):
                list(agenda.busy("Europe/Paris", year))
        except OutOfTime:
            yield called, Wrong("here the file has taken too long", "write fewer rules, or simpler ones")
            return
        except MemoryError:
            raise
        except Exception as error:  # a foreign file in a foreign library: whatever it is, the file is to blame
            mend = "correct its dates and its rule, or export it again"
            yield called, Wrong(f"it cannot be worked out ({type(error).__name__})", mend)


def _called(number: int, event: icalendar.Event) -> str:
    return f'event {number} "{reason(event)[:40]}"'


def _parsed(data: bytes) -> icalendar.Calendar:
    if data.upper().count(b"BEGIN:") > MOST_COMPONENTS:
        raise Wrong(f"has more than {MOST_COMPONENTS} components", "remove past events from it")
    if data.count(b"\n") + data.count(b",") > MOST_VALUES:
        raise Wrong(f"has more than {MOST_VALUES} lines and listed values", "remove past events from it")
    try:
        found = icalendar.Calendar.from_ical(data, multiple=True)  # bytes: of a text it would open a file
    except MemoryError:
        raise
    except Exception as error:  # whatever the parser meets in garbage
        raise Wrong(f"is no iCalendar file ({error})"[:LONGEST_TEXT], "export it again as .ics, in UTF-8") from None
    if len(found) != 1 or not isinstance(found[0], icalendar.Calendar):
        raise Wrong("does not hold one VCALENDAR", "write BEGIN:VCALENDAR … END:VCALENDAR once, around all events")
    if found[0].get("CALSCALE", "GREGORIAN").upper() != "GREGORIAN":
        raise Wrong("is not a Gregorian calendar", "export it with CALSCALE:GREGORIAN")
    return found[0]


def _check(event: icalendar.Event) -> None:
    """Refuse what would hang, fail or vanish later. Raises Wrong."""
    for name, error in event.errors:
        raise Wrong(f"its {name} cannot be read ({error})"[:LONGEST_TEXT], "correct the line")
    try:
        start, end = event.start, event.end
        backwards = start >= end  # TypeError: one has a zone, the other none
    except (IncompleteComponent, InvalidCalendar, TypeError) as error:
        reason = f"its start and end do not fit together ({error})"[:LONGEST_TEXT]
        raise Wrong(reason, "correct DTSTART and DTEND") from None
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        zone = _unknown_zone(event.get(name))
        if zone is not None:
            raise Wrong(f"its time zone {zone[:60]!r} is not known", "write an IANA name: TZID=Europe/Paris")
    if start.year < FIRST_YEAR or end.year > LAST_YEAR:
        raise Wrong(f"it is not between {FIRST_YEAR} and {LAST_YEAR}", "correct DTSTART and DTEND")
    if backwards:
        raise Wrong("it ends when it begins, or before", "add DTEND, or DURATION, after DTSTART")
    rule = event.get("RRULE")
    if "EXRULE" in event or isinstance(rule, list):
        raise Wrong("it has EXRULE, or more than one RRULE", "write one RRULE, and the exceptions as EXDATE")
    if isinstance(rule, icalendar.vRecur):
        _check_rule(rule)


def _unknown_zone(written: object) -> str | None:
    """The TZID of a date and hour that the parser, not knowing it, took for an hour without a zone."""
    if isinstance(written, icalendar.vDDDTypes) and isinstance(written.dt, datetime) and written.dt.tzinfo is None:
        return str(written.params["TZID"]) if "TZID" in written.params else None
    return None


def _check_rule(rule: icalendar.vRecur) -> None:
    """Refuse what a search would not get to the end of. Raises Wrong."""
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    if frequency not in FREQUENCIES:
        raise Wrong(f"it recurs {frequency or 'without FREQ'}", f"write FREQ={' or '.join(FREQUENCIES)}")
    if rule.get("INTERVAL", [1])[0] < 1 or rule.get("COUNT", [1])[0] < 1:
        raise Wrong("its INTERVAL or COUNT is less than 1", "write 1 or more, or leave it out")
    parts = {str(name).upper() for name in rule}
    if parts & {"BYHOUR", "BYMINUTE", "BYSECOND"}:
        raise Wrong("it recurs within the day", "write one event an hour, each with its DTSTART")
    # A day that never comes ("30 February") is sought day by day until the year 9999, UNTIL or not.
    if frequency in ("DAILY", "WEEKLY") and parts & {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}:
        raise Wrong(f"it recurs {frequency} on days of the month or year", "write FREQ=MONTHLY or FREQ=YEARLY")
