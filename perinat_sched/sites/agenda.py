"""The events of one `calendars/*.ics` file: events an operator keeps by hand or exports from another program.

Any VEVENT counts, once or recurring, with its exceptions, additional dates and moved occurrences, unless it is
cancelled. An all-day event lasts the local day, and an hour without a zone is local, at the place that is asked
about: one shared file serves places with different clocks.

What is read here was written by `inspection` and worked out once in `quarantine`: nothing foreign comes this far.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import icalendar
import recurring_ical_events
from icalendar.timezone import tzp

from perinat_sched import zones
from perinat_sched.intervals import Interval
from perinat_sched.reading import LONGEST_TEXT


@dataclass(frozen=True, eq=False)
class Agenda:
    """The events of one file."""

    name: str
    digest: str  # of its events: another one, other events
    _query: recurring_ical_events.CalendarQuery

    @classmethod
    def of(cls, name: str, calendar: bytes) -> Agenda:
        """What an inspected calendar says."""
        return cls(name, hashlib.sha256(calendar).hexdigest(), recurring_ical_events.of(parsed(calendar)))

    def busy(self, zone: str, year: int) -> Iterator[tuple[Interval, str]]:
        """When and why, for a place in `zone`: everything that overlaps a year (UTC), in no order."""
        whole = Interval(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
        margin = timedelta(days=2)  # zones are applied here, so the query looks a little further
        for event in self._query.between(whole.start.date() - margin, whole.end.date() + margin):
            start, end = _instant(event.start, zone), _instant(event.end, zone)
            # an end before its start: less than an hour written inside the hour that spring skips
            if event.get("STATUS") != "CANCELLED" and start < end and Interval(start, end).overlaps(whole):
                yield Interval(start, end), reason(event)


def parsed(calendar: bytes) -> icalendar.Calendar:
    """The calendar, with the zones that it defines itself and no other file's of the same names."""
    tzp.use_default()
    return icalendar.Calendar.from_ical(calendar)


def _instant(moment: date | datetime, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        return zones.start_of_day(moment, zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zones.zone(zone))
    return moment.astimezone(UTC)


def reason(event: icalendar.Event) -> str:
    """What the event says of itself, as one short line."""
    hidden = ("Cc", "Cf", "Cs")  # controls and line ends, invisible marks, lone surrogates
    signs = (" " if unicodedata.category(sign) in hidden else sign for sign in str(event.get("SUMMARY", "")))
    return "".join(signs).strip()[:LONGEST_TEXT]
