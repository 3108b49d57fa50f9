"""A session to be read, and a day on the bridge: who, where, how to dial, and everybody's own hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Answer, CancellationCode, Participation, Session, Status
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.notices.notice import NoticeView
from perinat_sched.sites.network import Language
from perinat_sched.web.desk import html
from perinat_sched.web.desk.clocks import noon
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.schemas.base import MOST_ITEMS, QueryDay
from perinat_sched.web.views import View

STATUSES: Mapping[Status, Message] = {
    "tentative": Message("To be confirmed"),
    "confirmed": Message("Confirmed"),
    "cancelled": Message("Cancelled"),
}
ANSWERS: Mapping[Answer, Message] = {
    "pending": Message("no answer yet"),
    "accepted": Message("accepted"),
    "declined": Message("declined"),
    "tentative": Message("perhaps"),
}
REASONS: Mapping[CancellationCode, Message] = {
    "cancelled": Message("cancelled"),
    "postponed": Message("postponed"),
    "no_case": Message("no case to discuss"),
    "no_show": Message("nobody came"),
    "staffing": Message("lack of staff"),
    "technical": Message("technical trouble"),
}
NOTICES: Mapping[str, Message] = {
    "invitation": Message("Invitation"),
    "update": Message("Change"),
    "cancellation": Message("Cancellation"),
    "reminder": Message("Reminder"),
    "declined": Message("A site declined"),
    "place-lost": Message("Place lost"),
    "drift": Message("Hours that drift"),
}
STATES: Mapping[str, Message] = {
    "due": Message("due"),
    "sent": Message("sent"),
    "failed": Message("failed"),
    "skipped": Message("not sent: out of date"),
}


class BridgeQuery(PageQuery):
    """Which bridge, on which day."""

    bridge: str = Field(default="", max_length=40)  # the first
    day: QueryDay | None = None  # today, where the visitor is


@dataclass(frozen=True, kw_only=True)
class Part:
    """A site's part in a session, as people read it."""

    site: str
    host: bool
    required: bool
    room: str | None
    endpoint: str | None  # what the bridge dials
    phone: str | None
    hour: str  # by the site's own clock
    pre_test: str  # likewise: when its set-up begins
    answer: Message
    comment: str


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A notice, as people read it."""

    kind: Message
    recipient: str
    state: Message
    when: str


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    """As much as the reader sees: all of it, or kind and time."""
    services, language = visit.services, visit.language
    session = await services.enquiries.get(visit.actor, visit.path("id"))
    full = services.enquiries.sight(visit.actor, session) == "full"
    mails = await services.notices.of_session(visit.actor, session) if full else []
    kind = services.directory.kinds.get(session.kind)
    network = services.directory.networks.get(session.network)
    bridge = services.directory.bridges.get(session.bridge or "")
    return html.respond(
        visit.request,
        "session.html.j2",
        session=View(actor=visit.actor, directory=services.directory, language=language).session(session),
        kind=kind.name[language] if kind else session.kind,
        network=network.name if network else session.network,
        bridge=bridge.name if bridge else session.bridge,
        when=_moment(visit, session.start, session.timezone, session.host_site if full else None),
        state=STATUSES[session.status],
        reason=REASONS[session.cancellation_code] if full and session.cancellation_code else None,
        explanation=session.cancellation_reason if full else "",
        parts=[_part(visit, session, part) for part in session.participations] if full else [],
        mails=[_mail(visit, mail) for mail in mails],
    )


async def bridge(visit: Visit[BridgeQuery, None]) -> web.Response:
    """The sessions of a day on a bridge, as its operator connects them."""
    directory, query = visit.services.directory, visit.query
    if query.bridge and query.bridge not in directory.bridges:
        wrong = repr(query.bridge)
        raise InvalidRequest.of("bridge", "There is no {code} here: take a code of the configuration.", code=wrong)
    chosen = directory.bridges.get(query.bridge) or next(iter(directory.bridges.values()), None)
    day = query.day or zones.to_local(visit.services.clock(), visit.zone).date()
    page = await visit.services.enquiries.sessions(
        visit.actor, SessionFilter(first_day=day, last_day=day), after=None, limit=MOST_ITEMS
    )
    mine = [
        session
        for session in page.sessions
        if chosen and session.bridge == chosen.code and session.status != "cancelled"
    ]
    return html.respond(
        visit.request,
        "bridge.html.j2",
        chosen=chosen,
        bridges=list(directory.bridges.values()),
        day=day,
        day_name=i18n.day(noon(day, visit.zone), visit.language),
        sessions=[_call(visit, session) for session in mine],
    )


@dataclass(frozen=True, kw_only=True)
class Call:
    """A session as the bridge's operator needs it; without sites where the reader knows its kind and time alone."""

    id: str | None
    name: str
    when: str
    ports: int
    parts: Sequence[Part]


def _call(visit: Visit[Any, Any], session: Session) -> Call:
    full = visit.services.enquiries.sight(visit.actor, session) == "full"
    kind = visit.services.directory.kinds.get(session.kind)
    return Call(
        id=session.id if full else None,
        name=session.title if full else (kind.name[visit.language] if kind else session.kind),
        when=_moment(visit, session.start, session.timezone, session.host_site if full else None),
        ports=session.ports,
        parts=[_part(visit, session, part) for part in session.taking_part()] if full else [],
    )


def _part(visit: Visit[Any, Any], session: Session, part: Participation) -> Part:
    directory, language = visit.services.directory, visit.language
    site, room = directory.sites.get(part.site), directory.rooms.get(part.room or "")
    zone = site.timezone if site else session.timezone
    margins = directory.margins(directory.kinds.get(session.kind), site, room) if site else None
    before = session.start - margins.set_up if margins else session.start
    return Part(
        site=site.name if site else part.site,
        host=part.site == session.host_site,
        required=part.required,
        room=room.name if room else part.room,
        endpoint=room.endpoint if room else None,
        phone=site.phone if site else None,
        hour=_hour(language, session.start, zone, site.city if site else None),
        pre_test=_hour(language, before, zone, site.city if site else None),
        answer=ANSWERS[part.answer],
        comment=part.comment,
    )


def _mail(visit: Visit[Any, Any], notice: NoticeView) -> Mail:
    return Mail(
        kind=NOTICES[notice.kind],
        recipient=notice.recipient,
        state=STATES[notice.state],
        when=_moment(visit, notice.sent_at or notice.due_at, visit.zone, None),
    )


def _hour(language: Language, instant: datetime, zone: str, city: str | None) -> str:
    return i18n.hour(zones.to_local(instant, zone), language, i18n.place_of(zone, language, city))


def _moment(visit: Visit[Any, Any], instant: datetime, zone: str, site: str | None) -> str:
    """A day and hour in a zone, called after the city of `site` where that is in it."""
    place = visit.services.directory.sites.get(site or "")
    city = place.city if place and place.timezone == zone else None
    name = i18n.place_of(zone, visit.language, city)
    return i18n.moment(zones.to_local(instant, zone), visit.language, name)
