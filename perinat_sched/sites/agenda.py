"""One `calendars/*.ics` file: events an operator keeps by hand or exports from another program.

Any VEVENT counts, once or recurring, with its exceptions, additional dates and moved occurrences, unless it is
cancelled. An all-day event lasts the local day, and an hour without a zone is local, at the place that is asked
about: one shared file serves places with different clocks. Files are foreign, so whatever would hang or hide an
event is refused when the file is read, by its name.
"""

from __future__ import annotations

import hashlib
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import recurring_ical_events
from icalendar.error import IncompleteComponent, InvalidCalendar

from perinat_sched import zones
from perinat_sched.errors import ConfigurationProblem
from perinat_sched.intervals import Interval
from perinat_sched.reading import LONGEST_TEXT, Wrong

LARGEST_FILE = 1_000_000  # bytes
MOST_COMPONENTS = 2_000
FIRST_YEAR, LAST_YEAR = 1970, 2100  # of an event
PATIENCE = 3.0  # seconds of processor time for all the rules of a file
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


@dataclass(frozen=True, eq=False)
class Agenda:
    """The events of one file; `events` counts them, a recurring one once."""

    name: str
    events: int
    digest: str  # of the file: another one, other events
    _query: recurring_ical_events.CalendarQuery

    def busy(self, zone: str, year: int) -> Iterator[tuple[Interval, str]]:
        """When and why, for a place in `zone`: everything that overlaps a year (UTC), in no order."""
        whole = Interval(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
        margin = timedelta(days=2)  # zones are applied here, so the query looks a little further
        for event in self._query.between(whole.start.date() - margin, whole.end.date() + margin):
            start, end = _instant(event.start, zone), _instant(event.end, zone)
            # an end before its start: less than an hour written inside the hour that spring skips
            if event.get("STATUS") != "CANCELLED" and start < end and Interval(start, end).overlaps(whole):
                yield Interval(start, end), _reason(event)


def _instant(moment: date | datetime, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        return zones.start_of_day(moment, zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zones.zone(zone))
    return moment.astimezone(UTC)


def _reason(event: icalendar.Event) -> str:
    """What the event says of itself, as one short line."""
    hidden = ("Cc", "Cf", "Cs")  # controls and line ends, invisible marks, lone surrogates
    signs = (" " if unicodedata.category(sign) in hidden else sign for sign in str(event.get("SUMMARY", "")))
    return "".join(signs).strip()[:LONGEST_TEXT]


def read(path: Path, problems: list[ConfigurationProblem]) -> Agenda | None:
    """Read one file; None, with its problems noted, where it cannot be trusted."""
    before = len(problems)

    def complain(key: str, wrong: Wrong) -> None:
        problems.append(ConfigurationProblem(str(path), key, wrong.reason, wrong.mend))

    try:
        calendar = _parsed(path)
        for key, wrong in _wrong_events(calendar, path.name):
            complain(key, wrong)
        if len(problems) > before:
            return None
        query = _tried(calendar, {event.start.year for event in calendar.events})
    except Wrong as wrong:
        complain("the file", wrong)
        return None
    return Agenda(path.stem, len(calendar.events), hashlib.sha256(path.read_bytes()).hexdigest(), query)


def _wrong_events(calendar: icalendar.Calendar, name: str) -> Iterator[tuple[str, Wrong]]:
    """Each event that cannot be trusted, by what a person finds it by. Gives the ones without a UID their own."""
    began = time.process_time()
    masters: set[str] = set()
    for number, event in enumerate(calendar.events, start=1):
        event.setdefault("UID", icalendar.vText(f"{number}@{name}"))
        try:
            _check(event)
            _tried(event, [event.start.year])
            if "RECURRENCE-ID" not in event:
                if event.uid in masters:
                    raise Wrong("it has the UID of an event before it", "give each event its own UID")
                masters.add(event.uid)
        except Wrong as wrong:
            yield _called(number, event), wrong
        if time.process_time() - began > PATIENCE:
            yield (
                _called(number, event),
                Wrong("here the file has taken too long", "write fewer rules, or simpler ones"),
            )
            return


def _called(number: int, event: icalendar.Event) -> str:
    return f'event {number} "{_reason(event)[:40]}"'


def _parsed(path: Path) -> icalendar.Calendar:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Wrong("is larger than 1 MB", "remove past events from it")
        data = path.read_bytes()
    except OSError as error:
        raise Wrong(f"cannot be read ({error.strerror})", "let the service's user read it") from None
    if data.upper().count(b"BEGIN:") > MOST_COMPONENTS:
        raise Wrong(f"has more than {MOST_COMPONENTS} components", "remove past events from it")
    try:
        parsed = icalendar.Calendar.from_ical(data, multiple=True)  # bytes: of a text it would open a file
    except Exception as error:  # whatever the parser meets in garbage
        raise Wrong(f"is no iCalendar file ({error})"[:LONGEST_TEXT], "export it again as .ics, in UTF-8") from None
    if len(parsed) != 1 or not isinstance(parsed[0], icalendar.Calendar):
        raise Wrong("does not hold one VCALENDAR", "write BEGIN:VCALENDAR … END:VCALENDAR once, around all events")
    if parsed[0].get("CALSCALE", "GREGORIAN").upper() != "GREGORIAN":
        raise Wrong("is not a Gregorian calendar", "export it with CALSCALE:GREGORIAN")
    return parsed[0]


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


def _tried(component: icalendar.Component, years: Iterable[int]) -> recurring_ical_events.CalendarQuery:
    """Work out some years of an event or a calendar, so that a mistake shows now, not in a search. Raises Wrong."""
    try:
        query = recurring_ical_events.of(component)
        for year in sorted(years):
            list(query.between(date(year, 1, 1), date(year + 1, 1, 1)))
    except Exception as error:  # a foreign file in a foreign library: whatever it is, the file is to blame
        reason = f"it cannot be worked out ({type(error).__name__})"
        raise Wrong(reason, "correct its dates and its rule, or export it again") from None
    return query
