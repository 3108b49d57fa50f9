"""The face of a session: what of it a reader may see, in words.

The same in a feed and in the calendar part of a mail, so that a session looks alike wherever it is met. Three levels
of detail: `full` for who takes part, `kind` (what sort of meeting, and when) for the network, `busy` for others.
What is free text, a link or a place stands in `full` alone; the access code stands in none. (standards.md § A.3, A.5)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched import i18n, zones
from perinat_sched.booking.rules import warnings
from perinat_sched.booking.session import Participation, Session, Status, WarningCode
from perinat_sched.i18n import Message, say
from perinat_sched.people.access import Detail
from perinat_sched.sites.network import Directory, Language, Site

BRIDGE_LOST = Message("⚠ No bridge carries this session any more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewpoint:
    """From where, and how, a session is looked at. A site sees the room it goes to, a room's calendar that room."""

    language: Language
    site: str | None = None
    room: str | None = None
    observer: bool = False  # a network's calendar is for information: it takes nobody's time
    alarm: int | None = None  # minutes before the start; None: the reader's own programs remind, or nobody


@dataclass(frozen=True, kw_only=True, slots=True)
class Face:
    """The words for a session. Empty where the level of detail does not show them."""

    status: Status
    summary: str
    description: str = ""
    location: str = ""
    link: str | None = None  # to join by video
    observer: bool = False  # the reader's time is not taken
    alarm: int | None = None  # minutes before the start; never of what is cancelled


def face(session: Session, directory: Directory, detail: Detail, view: Viewpoint) -> Face:
    """What `view` sees of a session at a level of detail."""
    words = session.title if detail == "full" else _sort(session, directory, detail, view)
    bare = Face(
        status=session.status,
        summary=_summary(session, words, view),
        observer=view.observer,
        alarm=None if session.status == "cancelled" else view.alarm,
    )
    if detail != "full":
        return bare
    return replace(
        bare,
        description="\n".join(_description(session, directory, view)),
        location=location(session, directory, view),
        link=session.join_url,
    )


def _sort(session: Session, directory: Directory, detail: Detail, view: Viewpoint) -> str:
    """What may be said of a session one does not take part in: its kind, or only that the time is taken."""
    if detail == "busy":
        return say(Message("Busy"), view.language)
    kind = directory.kinds.get(session.kind)
    return kind.name.get(view.language, session.kind) if kind else session.kind


def _summary(session: Session, words: str, view: Viewpoint) -> str:
    match session.status:
        case "cancelled":
            return say(Message("CANCELLED – {title}", title=words), view.language)
        case "tentative":
            return say(Message("[To be confirmed] {title}", title=words), view.language)
        case "confirmed":
            return words


def location(session: Session, directory: Directory, view: Viewpoint) -> str:
    """The room to go to and the link, in one line: Outlook, Apple and Thunderbird show no CONFERENCE (ICS-40)."""
    own = session.participation(view.site) if view.site else None
    room = directory.rooms.get(view.room or (own.room if own else None) or "")
    known = directory.sites.get(room.site) if room else None
    words = [room.name if room else "", known.name if known else "", session.join_url or ""]
    return " – ".join(word for word in words if word) or say(Message("Videoconference"), view.language)


def _description(session: Session, directory: Directory, view: Viewpoint) -> Iterator[str]:
    if session.join_url:
        yield session.join_url
    if session.status == "cancelled" and session.cancellation_reason:
        yield say(Message("Reason: {reason}", reason=session.cancellation_reason), view.language)
    if session.description:
        yield session.description
    for part in session.taking_part():
        yield _hour_of(part, session, directory, view)
    yield from _warnings(session, directory, view)


def _hour_of(part: Participation, session: Session, directory: Directory, view: Viewpoint) -> str:
    """`15:00 Lille (heure de Paris) · CHU de Lille · Salle de staff`: a site's own hour first (ICS-41)."""
    site, room = directory.sites.get(part.site), directory.rooms.get(part.room or "")
    local = zones.to_local(session.start, site.timezone if site else session.timezone)
    hour = f"{local:%H:%M} {_city(site, local, view.language)} ({_whose(site, local, view.language)})"
    if local.date() != session.wall_start.date():  # Nouméa's night
        hour += f", {i18n.day(local, view.language)}"
    waiting = part.answer in ("pending", "tentative") and session.status != "cancelled"
    words = [
        hour,
        site.name if site else part.site,
        room.name if room else "",
        say(Message("to be confirmed"), view.language) if waiting else "",
    ]
    return " · ".join(word for word in words if word)


def _warnings(session: Session, directory: Directory, view: Viewpoint) -> Iterator[str]:
    """What a reader should notice, a line each; of the sites of one zone the first speaks for all."""
    clocks: set[str] = set()
    for code, at in warnings(session, directory):
        site = directory.sites.get(at or "")
        if code == "unusual-local-time" and site:
            if site.timezone in clocks:
                continue
            clocks.add(site.timezone)
        if line := warning_line(code, at, session, directory, view):
            yield line


def warning_line(code: WarningCode, at: str | None, session: Session, directory: Directory, view: Viewpoint) -> str:
    """A warning that concerns the site `at` (None: the bridge), in words; none where its line says it."""
    site = directory.sites.get(at or "")
    match code:
        case "unusual-local-time":
            host = directory.sites.get(session.host_site)
            here = zones.to_local(session.start, session.timezone)
            there = zones.to_local(session.start, site.timezone if site else session.timezone)
            message = Message(
                "⚠ Unusual difference on this date: {difference} between {here} and {there}",
                difference=i18n.apart((here.utcoffset() or timedelta()) - (there.utcoffset() or timedelta())),
                here=_city(host if host and host.timezone == session.timezone else None, here, view.language),
                there=_city(site, there, view.language),
            )
        case "place-lost":
            message = Message("⚠ Room or port lost: {site}", site=site.name if site else at) if at else BRIDGE_LOST
        case "optional-site-not-free":  # "to be confirmed" stands beside it
            return ""
    return say(message, view.language)


def _city(site: Site | None, local: datetime, language: Language) -> str:
    """Where a site is: its city, else the place its clock is named after."""
    return (site.city if site else None) or i18n.place_of(str(local.tzinfo), language)


def _whose(site: Site | None, local: datetime, language: Language) -> str:
    """`heure de Paris`; in an hour that comes twice also which of the two: `heure de Paris, UTC+1`."""
    place = i18n.place_of(str(local.tzinfo), language, site.city if site else None)
    words = say(Message("{place} time", place=i18n.of_place(place) if language == "fr" else place), language)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{words}, {i18n.offset(local)}" if twice else words
