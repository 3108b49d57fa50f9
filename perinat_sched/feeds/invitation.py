"""Invitations and cancellations, the calendar part of a mail to one contact of a site (RFC 5546, 6047).

The same events as in the site's feed, with the reader as their only attendee. A series is one UID: sent as a whole
once, with its rule and the dates that are otherwise, and afterwards a changed date alone (ITIP-08).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from icalendar import vCalAddress, vDatetime, vText
from icalendar.parser import Contentline

from perinat_sched.booking.session import Answer, Session
from perinat_sched.feeds import series_calendar, vtimezone
from perinat_sched.feeds.calendar import assembled, event_of, head_of, one_line, parameter, series_event, uri, written
from perinat_sched.feeds.face import Viewpoint, face, location
from perinat_sched.feeds.series_calendar import Shown
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory, Language

Method = Literal["REQUEST", "CANCEL"]

GAP = "-"  # instead of what is a reader's own
KEPT = 512  # of their own lines: the same readers go to the same rooms again and again

_PARTSTAT: dict[Answer, str] = {
    "pending": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "declined": "DECLINED",
    "tentative": "TENTATIVE",
}


class Invitation:
    """The calendar parts of the mails about one session in one language: written once, what is a reader's own left out.

    `stamp`: the instant (UTC) of sending. `asked`: for sites that were asked to take part; others are told which
    session it was, and nothing of what is said in it now.
    """

    def __init__(
        self,
        session: Session,
        directory: Directory,
        *,
        method: Method,
        asked: bool,
        organizer: str,
        language: Language,
        stamp: datetime,
    ) -> None:
        self.session, self.directory, self.language = session, directory, language
        self.told = _told(session, method, asked=asked)
        clock = vtimezone.clock(self.told.timezone, self.told.start, self.told.end)
        seen = replace(face(self.told, directory, "full", Viewpoint(language=language)), location=GAP)
        event = event_of(self.told, seen, clock, organizer, language)
        event["DTSTAMP"] = vDatetime(stamp.astimezone(UTC))
        event["ATTENDEE"] = vText(GAP)
        whole = assembled(head_of(method), {clock}, [written(event)])
        self._before, rest = whole.split(_GAPS["ATTENDEE"], 1)
        self._between, self._after = rest.split(_GAPS["LOCATION"], 1)

    def to(self, site: str, attendee: str) -> bytes:
        """The calendar part for one contact of a site; `attendee`: the address the mail goes to."""
        where = location(self.told, self.directory, Viewpoint(language=self.language, site=site))
        whom = _attendee_line(attendee, *_part_of(site, self.session, self.directory))
        return b"".join([self._before, whom, self._between, _location_line(where), self._after])


def series_invitation(
    series: Series,
    sessions: Sequence[tuple[Session, str]],
    directory: Directory,
    *,
    method: Method,
    attendee: str,
    organizer: str,
    language: Language,
    stamp: datetime,
) -> bytes:
    """The same for dates of a series, at least one, each with the site that is written to: all that the reader is to
    have in the calendar of it, or one alone.

    To cancel a rule is to cancel all its dates, whatever was said of them: one component.
    """
    attendees = {one.id: _attendee(attendee, *_part_of(site, one, directory)) for one, site in sessions}
    shown = []
    for session, site in sessions:
        told = _told(session, method, asked=session.participation(site) is not None)
        seen = face(told, directory, "full", Viewpoint(language=language, site=site))
        shown.append(Shown(session=told, seen=seen, own=repr(attendees[session.id].params)))
    made = series_calendar.components(series, shown)
    if method == "CANCEL" and made[0].rrule:
        made = made[:1]
    events = []
    for component in made:
        event = series_event(series, component, organizer, language)
        event["DTSTAMP"] = vDatetime(stamp.astimezone(UTC))
        event["ATTENDEE"] = attendees[component.session.id]
        events.append(written(event))
    return assembled(head_of(method), series_calendar.clocks_of(series, made), events)


def _told(session: Session, method: Method, *, asked: bool) -> Session:
    """A session as the calendar of a site is told of it."""
    told = replace(session, status="cancelled") if method == "CANCEL" else session
    if not asked:
        told = replace(told, description="", join_url=None, cancellation_reason="", participations=())
    return told


def _whole_line(name: str, value: vText | vCalAddress) -> bytes:
    """One property as it stands in a calendar, with the ends of the lines before and after."""
    line: bytes = Contentline.from_parts(name, value.params, value).to_ical()
    return b"\r\n" + line + b"\r\n"


@lru_cache(maxsize=KEPT)
def _location_line(where: str) -> bytes:
    return _whole_line("LOCATION", vText(one_line(where)))


@lru_cache(maxsize=KEPT)
def _attendee_line(address: str, known_as: str, role: str, partstat: str) -> bytes:
    return _whole_line("ATTENDEE", _attendee(address, known_as, role, partstat))


def _attendee(address: str, known_as: str, role: str, partstat: str) -> vCalAddress:
    """The recipient, for a site, as the only attendee (ITIP-04). No reply is asked for until something reads it."""
    attendee = vCalAddress(f"mailto:{uri(address)}")
    attendee.params["CN"] = parameter(known_as)
    attendee.params["CUTYPE"] = "GROUP"
    attendee.params["ROLE"] = role
    attendee.params["PARTSTAT"] = partstat
    attendee.params["RSVP"] = "FALSE"
    return attendee


def _part_of(site: str, session: Session, directory: Directory) -> tuple[str, str, str]:
    """Of an attendee: as whom, in which role, and how they have answered."""
    part, known = session.participation(site), directory.sites.get(site)
    host, required = site == session.host_site, part is None or part.required
    role = "CHAIR" if host else "REQ-PARTICIPANT" if required else "OPT-PARTICIPANT"
    return known.name if known else site, role, _PARTSTAT[part.answer if part else "pending"]


_GAPS = {name: _whole_line(name, vText(GAP)) for name in ("ATTENDEE", "LOCATION")}
