"""The project's own lint of a calendar: what no library checks, and some client falls over (standards.md § A)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from icalendar import Calendar, Component, vRecur

ONCE = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "SEQUENCE", "LAST-MODIFIED", "CREATED")
SIGNS = {  # STATUS: TRANSP, X-MICROSOFT-CDO-BUSYSTATUS, what a title begins with
    "TENTATIVE": ("OPAQUE", "TENTATIVE", ("[À confirmer] ", "[To be confirmed] ")),
    "CONFIRMED": ("OPAQUE", "BUSY", ("",)),
    "CANCELLED": ("TRANSPARENT", "FREE", ("ANNULÉ – ", "CANCELLED – ")),
}
OF_A_HALF = {"DTSTART", "RRULE", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO"}
YEARLY = re.compile(r"FREQ=YEARLY;BYDAY=-?\d[A-Z]{2};BYMONTH=\d+")  # in icalendar's order
HOURS = ("DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE")


def lint(ics: bytes) -> list[str]:
    """Every fault, with the number of what it offends; an empty list where there is none."""
    faults = [*_bytes(ics)]
    return faults or [*_lines(ics.decode().replace("\r\n ", "").split("\r\n")), *_calendar(Calendar.from_ical(ics))]


def _bytes(ics: bytes) -> Iterator[str]:
    if not ics.startswith(b"BEGIN:VCALENDAR\r\n") or not ics.endswith(b"END:VCALENDAR\r\n"):
        yield "ICS-30: something before or behind the calendar"
    for number, line in enumerate(ics.split(b"\r\n"), 1):
        if len(line) > 75:
            yield f"ICS-30: line {number} has {len(line)} octets"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield f"ICS-30: line {number} is folded within a character"
            continue
        if re.search("[\x00-\x08\x0a-\x1f\x7f]", text):
            yield f"ICS-31: line {number} has a control character"


def _lines(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if "^'" in line.partition(":")[0]:
            yield f"ICS-35: a double quote in a parameter: {line}"
        if re.match('CONFERENCE.*;FEATURE="', line) or re.match("CONFERENCE(?!.*;VALUE=URI)", line):
            yield f"ICS-34: {line}"
    if lines.count("BEGIN:VCALENDAR") != 1:
        yield "ICS-30: not one calendar"
    zones = [number for number, line in enumerate(lines) if line == "END:VTIMEZONE"]
    if zones and "BEGIN:VEVENT" in lines and lines.index("BEGIN:VEVENT") < zones[-1]:
        yield "ICS-11: a VTIMEZONE behind a VEVENT"


def _calendar(calendar: Component) -> Iterator[str]:
    yield from _faults_of(calendar, once=("VERSION", "PRODID", "CALSCALE", "METHOD"))
    if "UID" in calendar:
        yield "ICS-42: the calendar has a UID"
    if not str(calendar["PRODID"]).isascii():
        yield "ICS-42: PRODID beyond ASCII"
    published = calendar["METHOD"] == "PUBLISH"
    if "REFRESH-INTERVAL" in calendar and calendar["REFRESH-INTERVAL"].params.get("VALUE") != "DURATION":
        yield "ICS-33: REFRESH-INTERVAL without VALUE=DURATION"
    if not calendar.subcomponents:
        yield "HTTP-06: no component"
    zones, events = calendar.walk("VTIMEZONE"), calendar.walk("VEVENT")
    for zone in zones:
        yield from _zone(zone)
    for event in events:
        yield from _event(event, attendees=0 if published else 1)
    for name, count in Counter(str(zone["TZID"]) for zone in zones).items():
        if count > 1:
            yield f"ICS-11: {name} twice"
    told = {str(zone["TZID"]) for zone in zones}
    used = {event[hour].params.get("TZID") for event in events for hour in ("DTSTART", "DTEND")} - {None}
    if used - told:
        yield f"ICS-11: no VTIMEZONE of {used - told}"
    recurrences = Counter((str(event["UID"]), str(event.get("RECURRENCE-ID"))) for event in events)
    if max(recurrences.values(), default=1) > 1:
        yield "ICS-02: an event twice"


def _zone(zone: Component) -> Iterator[str]:
    halves = sorted((str(half.name) for half in zone.subcomponents), reverse=True)
    if halves not in (["STANDARD"], ["STANDARD", "DAYLIGHT"]):
        yield f"ICS-11: {zone['TZID']} has {halves}"
    if set(zone) - {"TZID", "X-LIC-LOCATION"}:
        yield f"ICS-11: {zone['TZID']} says more than it may"
    for half in zone.subcomponents:
        if set(half) - OF_A_HALF or OF_A_HALF - set(half) - {"RRULE"}:
            yield f"ICS-11: {zone['TZID']} {half.name} has {sorted(half)}"
        rule = vRecur(half.get("RRULE", {})).to_ical().decode()
        if rule and not YEARLY.fullmatch(rule):
            yield f"ICS-11: {zone['TZID']} {half.name} repeats by {rule}"
        if bool(rule) != (len(halves) == 2):
            yield f"ICS-11: {zone['TZID']} {half.name}: a rule where there is one half, or none where there are two"


def _event(event: Component, *, attendees: int) -> Iterator[str]:
    yield from _faults_of(event, once=ONCE)
    for hour in HOURS:
        values = event.get(hour, [])
        for value in values if isinstance(values, list) else [values]:
            if "TZID" not in value.params and not value.to_ical().endswith(b"Z"):
                yield f"ICS-10: {hour} is nobody's hour"
    status = str(event["STATUS"])
    transparency, busy, beginnings = SIGNS[status]
    if (event["TRANSP"], event["X-MICROSOFT-CDO-BUSYSTATUS"]) != (transparency, busy):
        yield f"ICS-20: {status}, and {event['TRANSP']}, {event['X-MICROSOFT-CDO-BUSYSTATUS']}"
    if not str(event["SUMMARY"]).startswith(beginnings):
        yield f"ICS-20: {status} does not show in the title"
    listed = event.get("ATTENDEE", [])
    if (len(listed) if isinstance(listed, list) else 1) != attendees or "ORGANIZER" not in event:
        yield "ICS-45: ORGANIZER and ATTENDEE do not fit the method"


def _faults_of(component: Component, *, once: tuple[str, ...]) -> Iterator[str]:
    for name in once:
        if name not in component or isinstance(component[name], list):
            yield f"ICS-05: {component.name} has {name} not once"
    for where, what in component.errors:
        yield f"ICS-38: {component.name} {where}: {what}"
