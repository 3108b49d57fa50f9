"""What every calendar that leaves the house must be, whatever is in it (standards.md, ICS-38): a list of complaints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

from icalendar import Calendar, Event, Timezone

OF_AN_EVENT = (
    "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "SEQUENCE", "LAST-MODIFIED", "CREATED", "ORGANIZER",
)  # fmt: skip
OF_A_ZONE = {"TZID", "X-LIC-LOCATION"}
OF_AN_OBSERVANCE = {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME", "RRULE"}
RULE = re.compile(r"RRULE:FREQ=YEARLY;BYMONTH=\d+;BYDAY=-?\d(MO|TU|WE|TH|FR|SA|SU)")
OFFSET = re.compile(r"[+-]\d{4}")
UTC_TIME = re.compile(r"\d{8}T\d{6}Z")
LOCAL_TIME = re.compile(r"\d{8}T\d{6}")
BREAKS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
STATES = {  # TRANSP and X-MICROSOFT-CDO-BUSYSTATUS, by STATUS; an observer's time is free (table A.3)
    "TENTATIVE": ("OPAQUE", "TENTATIVE"),
    "CONFIRMED": ("OPAQUE", "BUSY"),
    "CANCELLED": ("TRANSPARENT", "FREE"),
}
CANCELLED_TITLES = ("ANNULÉ – ", "CANCELLED – ")
TENTATIVE_TITLES = ("[À confirmer] ", "[To be confirmed] ")


def complaints(feed: bytes) -> list[str]:
    """What is wrong with a feed, a mail's calendar or a free/busy calendar; nothing, if all is well."""
    found = [*_of_the_lines(feed)]
    if found:
        return found
    calendar = Calendar.from_ical(feed)
    if _plainly(calendar.to_ical()) != _plainly(feed):
        found.append("ICS-38: icalendar writes it otherwise")
    for component in calendar.walk():
        found += [f"{component.name}: {name} cannot be read ({why})" for name, why in component.errors]
    return [*found, *_of_the_calendar(calendar), *_of_the_zones(calendar, feed), *_of_the_events(calendar, feed)]


def _plainly(feed: bytes) -> Counter[str]:
    """The content lines; icalendar orders the properties of a component, and the parts of a rule, its own way."""
    return Counter(
        ":".join(";".join(sorted(part.split(";"))) for part in line.split(":")) if line.startswith("RRULE") else line
        for line in content_lines(feed)
    )


def _of_the_lines(feed: bytes) -> Iterator[str]:
    if not feed.startswith(b"BEGIN:VCALENDAR\r\n") or not feed.endswith(b"END:VCALENDAR\r\n"):
        yield "ICS-30: it does not begin and end as one VCALENDAR"
    if feed.count(b"BEGIN:VCALENDAR") != 1:
        yield "ICS-30: not one VCALENDAR"
    for line in feed.removesuffix(b"\r\n").split(b"\r\n"):
        if len(line) > 75 or not line or b"\n" in line or b"\r" in line:
            yield f"ICS-30: a line that is too long, empty or broken otherwise than by CRLF: {line[:80]!r}"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield f"ICS-30: a fold splits a character: {line!r}"
        else:
            if any(sign in BREAKS or (sign < " " and sign != "\t") or sign == "\x7f" for sign in text):
                yield f"ICS-31: a control character: {line!r}"


def written(value: Any) -> str:
    """A value as it stands in the file."""
    raw = value.to_ical() if value is not None else ""
    return raw if isinstance(raw, str) else raw.decode()  # of an offset it is a str


def content_lines(feed: bytes) -> list[str]:
    """The content lines, unfolded."""
    return feed.decode().replace("\r\n ", "").split("\r\n")[:-1]


def _of_the_calendar(calendar: Calendar) -> Iterator[str]:
    for name in ("VERSION", "PRODID", "CALSCALE", "METHOD"):
        if name not in calendar:
            yield f"ICS-42: no {name}"
    if "UID" in calendar:
        yield "ICS-42: a UID of the calendar itself"
    if not str(calendar.get("PRODID", "")).isascii():
        yield "ICS-42: PRODID is not ASCII"
    if "NAME" in calendar:
        if calendar["NAME"] != calendar.get("X-WR-CALNAME"):
            yield "ICS-42: two names"
        if calendar["REFRESH-INTERVAL"].params != {"VALUE": "DURATION"}:
            yield "ICS-33: REFRESH-INTERVAL without VALUE=DURATION"
    if not calendar.subcomponents:
        yield "HTTP-06: no component"


def _of_the_zones(calendar: Calendar, feed: bytes) -> Iterator[str]:
    names = [component.name for component in calendar.subcomponents]
    if "VEVENT" in names and "VTIMEZONE" in names[names.index("VEVENT") :]:
        yield "ICS-11: a VTIMEZONE after the first VEVENT"
    zones = [zone for zone in calendar.walk("VTIMEZONE") if isinstance(zone, Timezone)]
    defined = Counter(str(zone["TZID"]) for zone in zones)
    if any(many > 1 for many in defined.values()):
        yield f"ICS-11: a TZID defined twice: {defined}"
    used = set(
        re.findall(r"^[A-Z-]+(?:;[A-Z-]+=[^:;]+)*;TZID=([^:;]+)[:;]", feed.decode().replace("\r\n ", ""), re.MULTILINE)
    )
    if not used <= set(defined):
        yield f"ICS-10: TZIDs that are not defined: {used - set(defined)}"
    for line in content_lines(feed):  # icalendar drops the seconds of an offset when it reads one
        if line.startswith("TZOFFSET") and not OFFSET.fullmatch(line.partition(":")[2]):
            yield f"ICS-11: {line}"
    for zone in zones:
        halves = [half.name for half in zone.subcomponents]
        if halves not in (["STANDARD"], ["STANDARD", "DAYLIGHT"]):
            yield f"ICS-11: {halves}"
        if not set(zone.keys()) <= OF_A_ZONE:
            yield f"ICS-11: {set(zone.keys()) - OF_A_ZONE} in a VTIMEZONE"
        for half in zone.subcomponents:
            if not set(half.keys()) <= OF_AN_OBSERVANCE or not OF_AN_OBSERVANCE - {"RRULE"} <= set(half.keys()):
                yield f"ICS-11: {sorted(half.keys())} in {half.name}"
            if (len(halves) > 1) != ("RRULE" in half):
                yield "ICS-11: RRULE and DAYLIGHT go together"
            if "RRULE" in half and not RULE.fullmatch(f"RRULE:{_in_order(half)}"):
                yield f"ICS-11: {written(half['RRULE'])}"
            if not LOCAL_TIME.fullmatch(written(half["DTSTART"])):
                yield "ICS-11: the DTSTART of an observance is not local"


def _of_the_events(calendar: Calendar, feed: bytes) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    wrong: list[str] = []
    for event in calendar.events:
        identity = (str(event.get("UID")), written(event.get("RECURRENCE-ID")))
        if identity in seen:
            wrong.append(f"ICS-02: {identity} twice")
        seen.add(identity)
        wrong += (f"{identity[0]}: {complaint}" for complaint in _of_an_event(event, str(calendar["METHOD"])))
    yield from wrong
    if not wrong:
        yield from _of_the_order(calendar.events)
        for _, events in groupby(calendar.events, key=lambda event: str(event["UID"])):
            yield from _of_a_series(list(events))
    for line in content_lines(feed):
        name, _, value = line.partition(":")
        if name.startswith("CONFERENCE") and ("VALUE=URI" not in name or 'FEATURE="' in name):
            yield f"ICS-34: {name}"
        if name.startswith(("ORGANIZER", "ATTENDEE")) and ("^" in name or not value.startswith("mailto:")):
            yield f"ICS-35: {line}"


def _of_the_order(events: list[Event]) -> Iterator[str]:
    """What shares a UID stands together, the whole of it in the order of the first starts."""
    groups = [(uid, min(event.start for event in same)) for uid, same in groupby(events, lambda e: str(e["UID"]))]
    if len({uid for uid, _ in groups}) < len(groups):
        yield "ICS-02: a UID in two places"
    if any(after < before for (_, before), (_, after) in pairwise(groups)):
        yield "the events are not in the order of their starts"


def _of_a_series(events: list[Any]) -> Iterator[str]:
    """One master at most, which comes first; every exception and exclusion on its clock, none of them twice."""
    masters = [event for event in events if "RRULE" in event]
    if masters and masters != events[:1]:
        yield "ICS-14: the rule does not come first"
    if len(events) > 1 and any("RECURRENCE-ID" not in event for event in events[len(masters) :]):
        yield "ICS-02: one UID twice"
    if any("RANGE" in event["RECURRENCE-ID"].params for event in events if "RECURRENCE-ID" in event):
        yield "ICS-14: RANGE"
    for master in masters:
        zone, rule = master["DTSTART"].params.get("TZID"), dict(master["RRULE"])
        if zone is None or "RDATE" in master or "COUNT" in rule or "RECURRENCE-ID" in master:
            yield "ICS-14: the rule has no zone, or an RDATE, a COUNT, a RECURRENCE-ID"
        if not written(master["RRULE"]).partition("UNTIL=")[2].partition(";")[0].endswith("Z"):
            yield "ICS-14: UNTIL is not in UTC"
        excluded = written(master["EXDATE"]).split(",") if "EXDATE" in master else []
        exceptions = [event["RECURRENCE-ID"] for event in events[1:]]
        clocks = {one.params.get("TZID") for one in [*exceptions, *([master["EXDATE"]] if excluded else [])]}
        if not clocks <= {zone}:
            yield f"ICS-14: {clocks} in a series of {zone}"
        if len(set(excluded)) < len(excluded) or set(excluded) & {written(one) for one in exceptions}:
            yield "ICS-21: a date that is excluded twice, or is an exception too"


def _in_order(half: Any) -> str:
    """A rule as it is written here; icalendar has an order of its own."""
    parts = dict(part.split("=") for part in written(half["RRULE"]).split(";"))
    return ";".join(f"{name}={parts.pop(name)}" for name in ("FREQ", "BYMONTH", "BYDAY") if name in parts) + "".join(
        f";{name}={value}" for name, value in parts.items()
    )


def _of_an_event(event: Event, method: str) -> Iterator[str]:
    if missing := [name for name in OF_AN_EVENT if name not in event]:
        yield f"ICS-05: no {missing}"
        return
    for name in ("DTSTAMP", "CREATED", "LAST-MODIFIED"):
        if not UTC_TIME.fullmatch(written(event[name])):
            yield f"ICS-04: {name} is not in UTC, in whole seconds"
    start, end = event["DTSTART"], event["DTEND"]
    if start.params.get("TZID") != end.params.get("TZID") or "DURATION" in event:
        yield "ICS-10, ICS-18: start and end are not told by one clock"
        return
    for moment in (start, end):
        if not (LOCAL_TIME if "TZID" in moment.params else UTC_TIME).fullmatch(written(moment)):
            yield f"ICS-10: {written(moment)} floats"
    if not event.start < event.end:
        yield "ICS-10: it ends before it starts"
    status, summary = str(event["STATUS"]), str(event["SUMMARY"])
    signs = (str(event["TRANSP"]), str(event["X-MICROSOFT-CDO-BUSYSTATUS"]))
    if signs != STATES[status] and signs != STATES["CANCELLED"]:
        yield f"ICS-20: {signs} of {status}"
    if summary.startswith(CANCELLED_TITLES) != (status == "CANCELLED"):
        yield f"ICS-20: {summary} of {status}"
    if summary.startswith(TENTATIVE_TITLES) != (status == "TENTATIVE"):
        yield f"ICS-20: {summary} of {status}"
    if ("ATTENDEE" in event) == (method == "PUBLISH"):
        yield "ICS-45: an ATTENDEE in a feed, or none in a mail"
    alarms = event.walk("VALARM")
    if alarms and (len(alarms) > 1 or method != "PUBLISH" or status == "CANCELLED"):
        yield "ICS-23: an alarm too many"
    for alarm in alarms:
        if set(alarm.keys()) != {"ACTION", "TRIGGER", "DESCRIPTION"} or alarm["ACTION"] != "DISPLAY":
            yield f"ICS-23: {sorted(alarm.keys())}"
    if method == "PUBLISH" and ("URL" in event) != ("CONFERENCE" in event):
        yield "ICS-40: the link is not everywhere"
    if "URL" in event:
        link = str(event["URL"])
        if link not in str(event["LOCATION"]) or not str(event["DESCRIPTION"]).startswith(link):
            yield "ICS-40: the link is not everywhere"
