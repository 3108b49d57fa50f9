"""Sessions → iCalendar (RFC 5545, 7986), the only place that writes it.

A feed (METHOD:PUBLISH) and an invitation (METHOD:REQUEST, CANCEL) are made by the same hands, and the same session
gives the same bytes: nothing here reads a clock or draws a number. icalendar escapes and folds; what it gets wrong is
not used (its VTIMEZONE, its new(), its quoting of lists) or done before (control characters, names of X- properties).
Clients are unforgiving: Google drops a whole feed for one bad fold. The numbers are those of standards.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parseaddr
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vDatetime, vDuration, vText, vUri

from perinat_sched import zones
from perinat_sched.booking.session import Answer, Participation, Session, Status
from perinat_sched.feeds import vtimezone
from perinat_sched.feeds.face import Face, Viewpoint, face
from perinat_sched.i18n import Message, say
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Detail
from perinat_sched.sites.network import Directory, Language

PRODID = "-//perinat-sched//calendar//EN"  # ASCII
REFRESH = timedelta(hours=1)
PAST, FUTURE = timedelta(days=60), timedelta(days=400)  # the window of a feed, from today's first hour in UTC
CANCELLED_KEPT = timedelta(days=30)  # after its end a cancelled session leaves the feed

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]

END = b"END:VCALENDAR\r\n"
# What some parser takes for the end of a line (str.splitlines does), and what no calendar may hold.
_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")

_FREE_OR_BUSY: dict[Status, tuple[str, str]] = {  # TRANSP, X-MICROSOFT-CDO-BUSYSTATUS
    "tentative": ("OPAQUE", "TENTATIVE"),
    "confirmed": ("OPAQUE", "BUSY"),
    "cancelled": ("TRANSPARENT", "FREE"),
}
_PARTSTAT: dict[Answer, str] = {
    "pending": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "declined": "DECLINED",
    "tentative": "TENTATIVE",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cover:
    """What makes one feed besides its sessions: name, whose clock it shows, from where it looks, who publishes it."""

    name: str
    zone: str
    view: Viewpoint
    organizer: str  # the scheduling mailbox, `a@b` or `Name <a@b>`


def window(day: date) -> Interval:
    """The time a feed shows on a day (UTC): the only thing about it that moves by itself."""
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    return Interval(midnight - PAST, midnight + FUTURE)


def cancelled_kept_since(day: date) -> datetime:
    """The instant from which cancelled sessions are still shown on a day (UTC), by their end."""
    return datetime.combine(day, time(), tzinfo=UTC) - CANCELLED_KEPT


def render_feed(cover: Cover, sessions: Iterable[tuple[Session, Detail]], directory: Directory) -> bytes:
    """A whole calendar: every session at its level of detail, by start. The same arguments give the same bytes."""
    events: list[bytes] = []
    # A calendar has at least one component (RFC 5545 § 3.6): the owner's clock. Nothing would wipe Thunderbird's.
    clocks: set[vtimezone.Rules | None] = {vtimezone.rules(cover.zone) or vtimezone.rules("Etc/UTC")}
    for session, detail in sorted(sessions, key=lambda entry: (entry[0].start, entry[0].id)):
        clock = _clock(session)
        seen = face(session, directory, detail, cover.view)
        events.append(_event(session, seen, clock, cover.organizer, cover.view.language).to_ical())
        clocks.add(clock)
    # A hint that some follow too far: python's x-wr-timezone moves what is in UTC to that zone, and loses the second
    # pass of a repeated hour. Where something is written in UTC, it is left out (ICS-17 is a SHOULD).
    hint = cover.zone if None not in clocks else None
    return _assembled(_head("PUBLISH", cover.name, hint), clocks, events)


def invitation(
    session: Session,
    directory: Directory,
    *,
    method: Literal["REQUEST", "CANCEL"],
    site: str,
    attendee: str,
    organizer: str,
    language: Language,
    stamp: datetime,
) -> bytes:
    """The calendar part of a mail to one contact of a site (RFC 5546, 6047); the same event as in the site's feed.

    `attendee` is the address the mail goes to, `stamp` the instant (UTC) of sending. A site that no longer takes part
    is told which session it was, and nothing of what is said in it now.
    """
    part = session.participation(site)
    told = replace(session, status="cancelled") if method == "CANCEL" else session
    if part is None:
        told = replace(told, description="", join_url=None, cancellation_reason="", participations=())
    clock = _clock(told)
    seen = face(told, directory, "full", Viewpoint(language=language, site=site))
    event = _event(told, seen, clock, organizer, language)
    event["DTSTAMP"] = vDatetime(stamp.astimezone(UTC))
    known = directory.sites.get(site)
    event.add("attendee", _attendee(attendee, known.name if known else site, part, host=site == session.host_site))
    return _assembled(_head(method), {clock}, [event.to_ical()])


def _head(method: Method, name: str | None = None, zone: str | None = None) -> bytes:
    """The calendar's own properties: no UID, which vdirsyncer and khal take for the event's (ICS-42)."""
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODID)
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    if name is not None:
        escaped = vText(one_line(name))  # icalendar does not escape what it does not know (ICS-32)
        calendar.add("name", escaped)
        calendar.add("x-wr-calname", escaped)
        if zone:
            calendar.add("x-wr-timezone", vText(zone))
        calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})  # required (ICS-33)
        calendar.add("x-published-ttl", vDuration(REFRESH))
    whole: bytes = calendar.to_ical()
    return whole.removesuffix(END)


def _assembled(head: bytes, clocks: Iterable[vtimezone.Rules | None], events: Iterable[bytes]) -> bytes:
    """Time zones before the first event, one a TZID (ICS-11). `None`, a clock without rules, has no component."""
    zoned = sorted((clock for clock in clocks if clock), key=lambda clock: clock.zone)
    return b"".join([head, *(clock.text.encode() for clock in zoned), *events, END])


def _clock(session: Session) -> vtimezone.Rules | None:
    """The clock to write a session's hours in; None: in UTC, because some clients would read another instant.

    So it is where the zone has no rule form, where the start or the end falls into a skipped or repeated hour
    (TZID cannot say which pass, ICS-16), and in years for which the zone's present rules do not hold.
    """
    clock = vtimezone.rules(session.timezone)
    if clock is None:
        return None
    for instant in (session.start, session.end):
        if clock.instant(zones.to_local(instant, session.timezone).replace(tzinfo=None, fold=0)) != instant:
            return None
    return clock


def _event(session: Session, seen: Face, clock: vtimezone.Rules | None, organizer: str, language: Language) -> Event:
    """One VEVENT. Its DTSTAMP is the revision's, never the hour of rendering (ICS-04)."""
    event = Event()
    event.add("uid", one_line(session.uid))
    event.add("sequence", session.sequence)
    event.add("dtstamp", session.updated_at)
    event.add("last-modified", session.updated_at)
    event.add("created", session.created_at)
    if session.recurrence is not None:  # its series shares the UID (ICS-02)
        original = session.recurrence.replace(tzinfo=zones.zone(session.timezone))
        event.add("recurrence-id", original if clock else original.astimezone(UTC))
    for name, instant in (("dtstart", session.start), ("dtend", session.end)):
        event.add(name, zones.to_local(instant, session.timezone) if clock else instant)
    transparency, busy_status = _FREE_OR_BUSY[seen.status]
    event.add("status", seen.status.upper())
    event.add("transp", transparency)
    event.add("x-microsoft-cdo-busystatus", vText(busy_status))
    event.add("organizer", _organizer(organizer))
    event.add("summary", one_line(seen.summary))
    if seen.location:
        event.add("location", one_line(seen.location))
    if seen.description:
        event.add("description", paragraph(seen.description))
    if seen.link:
        event.add("url", vUri(_uri(seen.link)))
        event.add("conference", _conference(seen.link, language))
    return event


def _conference(link: str, language: Language) -> vUri:
    """icalendar's own builder quotes the list of features into one value (ICS-34)."""
    conference = vUri(_uri(link))
    conference.params["VALUE"] = "URI"
    conference.params["FEATURE"] = ["AUDIO", "VIDEO"]
    conference.params["LABEL"] = _parameter(say(Message("Videoconference"), language))
    conference.params["LANGUAGE"] = language
    return conference


def _organizer(mailbox: str) -> vCalAddress:
    name, address = parseaddr(mailbox)
    organizer = vCalAddress(f"mailto:{_uri(address)}")
    if name:
        organizer.params["CN"] = _parameter(name)
    return organizer


def _attendee(address: str, name: str, part: Participation | None, *, host: bool) -> vCalAddress:
    """The recipient, a site, as the only attendee (ITIP-04). No reply is asked for until something reads it."""
    attendee = vCalAddress(f"mailto:{_uri(address)}")
    required = part is None or part.required
    attendee.params["CN"] = _parameter(name)
    attendee.params["CUTYPE"] = "GROUP"
    attendee.params["ROLE"] = "CHAIR" if host else "REQ-PARTICIPANT" if required else "OPT-PARTICIPANT"
    attendee.params["PARTSTAT"] = _PARTSTAT[part.answer if part else "pending"]
    attendee.params["RSVP"] = "FALSE"
    return attendee


def paragraph(text: str) -> str:
    """Text that breaks lines as LF alone and holds nothing a parser could take for the end of a line (ICS-31)."""
    return _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))


def one_line(text: str) -> str:
    """The same on one line."""
    return paragraph(text).replace("\n", " ").replace("\t", " ")


def _parameter(text: str) -> str:
    """What may stand in CN or LABEL: few know the escape of a double quote (ICS-35), some take `\\` for one."""
    return one_line(text).replace('"', "'").replace("\\", "/")


def _uri(text: str) -> str:
    """A URI is written as it is: nothing in it may end the line."""
    return "".join(paragraph(text).split())
