"""Sessions → iCalendar (RFC 5545, 7986), the only place that writes it.

A feed (METHOD:PUBLISH) and an invitation (METHOD:REQUEST, CANCEL) are made by the same hands, and the same session
gives the same bytes: nothing here reads a clock or draws a number. icalendar escapes and folds; what it gets wrong is
not used (its VTIMEZONE, its new(), its quoting of lists) or done before (control characters, names of X- properties).
Clients are unforgiving: Google drops a whole feed for one bad fold. The numbers are those of standards.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from itertools import chain, pairwise
from typing import Literal, NamedTuple, Self
from zlib import crc32

from icalendar import Alarm, Calendar, Event, vCalAddress, vDuration, vText, vUri

from perinat_sched import zones
from perinat_sched.booking.session import Session, Status
from perinat_sched.feeds import series_calendar, vtimezone
from perinat_sched.feeds.face import Face, Viewpoint, face
from perinat_sched.feeds.packing import Sheet
from perinat_sched.feeds.series_calendar import Component, Shown
from perinat_sched.i18n import Message, say
from perinat_sched.people.access import Detail
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory, Language

PRODID = "-//perinat-sched//calendar//EN"  # ASCII
REFRESH = timedelta(hours=1)
COLOR = ("steelblue", "#4682B4")  # the same by name (RFC 7986) and, for Apple, by number

SHEET = 32  # pieces, about, that are compressed together
KEPT = 64  # heads of calendars, mailboxes that publish them
SHORT = 75  # octets: from here on a line is folded (RFC 5545 § 3.1)

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Cover:
    """What makes one feed besides its sessions: name, whose clock it shows, from where it looks, who publishes it."""

    name: str
    zone: str
    view: Viewpoint
    organizer: str  # the scheduling mailbox, `a@b` or `Name <a@b>`


class Piece(NamedTuple):
    """A session's event, or a series' events, ready to be put between others: as long as nothing in them changes.

    In the order of their fields they stand in the calendar.
    """

    start: datetime
    name: str  # the id of the session or of the series
    clocks: frozenset[vtimezone.Rules | None]  # the time zones it is written in; None: UTC
    text: bytes
    opens: bool  # a sheet

    @classmethod
    def of(cls, start: datetime, name: str, clocks: Iterable[vtimezone.Rules | None], text: bytes) -> Self:
        """Its name says whether a sheet begins with it: what comes or goes beside it moves no other sheet's edge."""
        return cls(start, name, frozenset(clocks), text, crc32(name.encode()) % SHEET == 0)


def piece(cover: Cover, session: Session, detail: Detail, directory: Directory) -> Piece:
    """A session at its level of detail. The same arguments give the same bytes."""
    clock = vtimezone.clock(session.timezone, session.start, session.end)
    seen = face(session, directory, detail, cover.view)
    event = event_of(session, seen, clock, cover.organizer, cover.view.language)
    return Piece.of(session.start, session.id, [clock], written(event))


def series_piece(
    cover: Cover, series: Series, sessions: Iterable[tuple[Session, Detail]], directory: Directory
) -> Piece:
    """What is shown of a series, its sessions, at least one, at their levels of detail."""
    shown = [Shown(session=each, seen=face(each, directory, detail, cover.view)) for each, detail in sessions]
    made = series_calendar.components(series, shown)
    text = b"".join(written(series_event(series, one, cover.organizer, cover.view.language)) for one in made)
    start = min(one.session.start for one in made)
    return Piece.of(start, series.id, series_calendar.clocks_of(series, made), text)


def sheets_of(cover: Cover, ordered: Sequence[Piece]) -> Iterator[Sheet]:
    """A whole calendar: its pieces, which are in order, in sheets of about `SHEET`."""
    # A calendar has at least one component (RFC 5545 § 3.6): the owner's clock. Nothing would wipe Thunderbird's.
    own = vtimezone.rules(cover.zone) or vtimezone.rules("Etc/UTC")
    clocks = frozenset([own]).union(*{each.clocks for each in ordered})
    # A hint that some follow too far: python's x-wr-timezone moves what is in UTC to that zone, and loses the second
    # pass of a repeated hour. Where something is written in UTC, it is left out (ICS-17 is a SHOULD).
    hint = cover.zone if None not in clocks else None
    yield _opening(head_of("PUBLISH", cover.name, hint, cover.view.language), clocks)
    edges = [at for at, each in enumerate(ordered) if each.opens]
    for first, last in pairwise([0, *edges, len(ordered)]):
        if first < last:
            yield tuple([each.text for each in ordered[first:last]])
    yield (END,)


def feed_of(cover: Cover, pieces: Iterable[Piece]) -> bytes:
    """A whole calendar: its pieces by start."""
    return b"".join(chain.from_iterable(sheets_of(cover, sorted(pieces))))


def render_feed(cover: Cover, sessions: Iterable[tuple[Session, Detail]], directory: Directory) -> bytes:
    """A whole calendar from sessions at their levels of detail."""
    return feed_of(cover, (piece(cover, session, detail, directory) for session, detail in sessions))


def publication(components: Iterable[bytes]) -> bytes:
    """A calendar of these components, in UTC and without a name: free/busy."""
    return assembled(head_of("PUBLISH"), (), components)


@lru_cache(maxsize=KEPT)
def head_of(method: Method, name: str | None = None, zone: str | None = None, language: Language = "fr") -> bytes:
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
        about = Message(
            "Videoconferences, kept up to date by the scheduler. Nothing that is changed here goes back to it."
        )
        calendar.add("x-wr-caldesc", vText(say(about, language)))
        calendar.add("color", COLOR[0])
        calendar.add("x-apple-calendar-color", vText(COLOR[1]))
        if zone:
            calendar.add("x-wr-timezone", vText(zone))
        calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})  # required (ICS-33)
        calendar.add("x-published-ttl", vDuration(REFRESH))
    whole: bytes = calendar.to_ical()
    return whole.removesuffix(END)


def written(event: Event) -> bytes:
    """An event as icalendar writes it."""
    return b"\r\n".join(map(_folded, event.content_lines()))


def _folded(line: str) -> bytes:
    """A line, folded where icalendar does it, which looks at each character: never behind a `\\` or `^`."""
    octets, begins = line.encode(), 0
    folded = []
    while len(octets) - begins >= SHORT:
        ends = begins + SHORT - 1
        while octets[ends] & 0xC0 == 0x80:  # within a character (RFC 3629)
            ends -= 1
        if octets[ends - 1] in b"\\^":
            ends -= 1
        folded.append(octets[begins:ends])
        begins = ends
    folded.append(octets[begins:])
    return b"\r\n ".join(folded)


def assembled(head: bytes, clocks: Iterable[vtimezone.Rules | None], events: Iterable[bytes]) -> bytes:
    """A whole calendar."""
    return b"".join([*_opening(head, clocks), *events, END])


def _opening(head: bytes, clocks: Iterable[vtimezone.Rules | None]) -> tuple[bytes, ...]:
    """Time zones before the first event, one a TZID (ICS-11). `None`, a clock without rules, has no component."""
    zoned = sorted((clock for clock in clocks if clock), key=lambda clock: clock.zone)
    return (head, *(clock.text.encode() for clock in zoned))


def event_of(session: Session, seen: Face, clock: vtimezone.Rules | None, organizer: str, language: Language) -> Event:
    """One VEVENT. Its DTSTAMP is the revision's, never the hour of rendering (ICS-04)."""
    event = Event()
    event.add("uid", one_line(session.uid))
    event.add("sequence", session.sequence)
    event.add("dtstamp", session.updated_at)
    event.add("last-modified", session.updated_at)
    event.add("created", session.created_at)
    for name, instant in (("dtstart", session.start), ("dtend", session.end)):
        event.add(name, zones.to_local(instant, session.timezone) if clock else instant)
    transparency, busy_status = ("TRANSPARENT", "FREE") if seen.observer else _FREE_OR_BUSY[seen.status]
    event.add("status", seen.status.upper())
    event.add("transp", transparency)
    event.add("x-microsoft-cdo-busystatus", vText(busy_status))
    event.add("organizer", mailbox(organizer))
    event.add("summary", one_line(seen.summary))
    if seen.location:
        event.add("location", one_line(seen.location))
    if seen.description:
        event.add("description", paragraph(seen.description))
    if seen.link:
        event.add("url", vUri(uri(seen.link)))
        event.add("conference", _conference(seen.link, language))
    if seen.alarm is not None:
        event.add_component(_alarm(seen.alarm, seen.summary))
    return event


def series_event(series: Series, component: Component, organizer: str, language: Language) -> Event:
    """One VEVENT of a series."""
    event = event_of(component.session, component.seen, component.clock, organizer, language)
    series_calendar.dress(event, component, series)
    return event


def _alarm(minutes: int, words: str) -> Alarm:
    """One reminder on the reader's screen; most subscriptions drop it, which is why mails remind (ICS-23)."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", timedelta(minutes=-minutes))
    alarm.add("description", one_line(words))
    return alarm


def _conference(link: str, language: Language) -> vUri:
    """icalendar's own builder quotes the list of features into one value (ICS-34)."""
    conference = vUri(uri(link))
    conference.params["VALUE"] = "URI"
    conference.params["FEATURE"] = ["AUDIO", "VIDEO"]
    conference.params["LABEL"] = parameter(say(Message("Videoconference"), language))
    conference.params["LANGUAGE"] = language
    return conference


@lru_cache(maxsize=KEPT)
def mailbox(written: str) -> vCalAddress:
    """The scheduling mailbox, who publishes and invites."""
    name, address = parseaddr(written)
    organizer = vCalAddress(f"mailto:{uri(address)}")
    if name:
        organizer.params["CN"] = parameter(name)
    return organizer


def paragraph(text: str) -> str:
    """Text that breaks lines as LF alone and holds nothing a parser could take for the end of a line (ICS-31)."""
    return _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))


def one_line(text: str) -> str:
    """The same on one line."""
    return paragraph(text).replace("\n", " ").replace("\t", " ")


def parameter(text: str) -> str:
    """What may stand in CN or LABEL: few know the escape of a double quote (ICS-35), some take `\\` for one."""
    return one_line(text).replace('"', "'").replace("\\", "/")


def uri(text: str) -> str:
    """A URI is written as it is: nothing in it may end the line."""
    return "".join(paragraph(text).split())
