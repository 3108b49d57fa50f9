"""A session to be read, and a day on the bridge: who, where, how to dial, and everybody's own hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Participation, Session
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.notices.notice import NoticeView
from perinat_sched.people.access import SiteRef, may
from perinat_sched.web.desk import html
from perinat_sched.web.desk.clocks import hour, moment, noon
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal
from perinat_sched.web.desk.sessions.deeds import call_list, told
from perinat_sched.web.desk.stale import Stale, meanwhile, seen
from perinat_sched.web.desk.words import ANSWERS, NOTICES, REASONS, STATES, STATUSES, failure
from perinat_sched.web.desk.wrongs import Wrongs
from perinat_sched.web.schemas.base import MOST_ITEMS, QueryDay
from perinat_sched.web.views import View

DONE: Mapping[str, Message] = {
    "booked": Message("Booked. The sites are told by mail."),
    "changed": Message("Changed. Whom it concerns is told by mail."),
    "cancelled": Message("Cancelled. The sites are told by mail; the cancellation can be undone below."),
    "resumed": Message("The cancellation is undone. The sites are told by mail."),
    "answered": Message("The answer is noted."),
    "rung": Message("The call is noted."),
    "sent": Message("The mail is on its way again."),
}


class SessionQuery(PageQuery):
    """What was done last, to be said once more."""

    done: Literal["", "booked", "changed", "cancelled", "resumed", "answered", "rung", "sent"] = ""


class BridgeQuery(PageQuery):
    """Which bridge, on which day."""

    bridge: str = Field(default="", max_length=40)  # the first
    day: QueryDay | None = None  # today, where the visitor is


@dataclass(frozen=True, kw_only=True)
class Part:
    """A site's part in a session, as people read it."""

    code: str
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
    may_answer: bool


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A notice, as people read it."""

    id: str
    failed: bool
    error: str  # what the relay said of a failed one
    kind: Message
    recipient: str
    state: Message
    when: str


async def show(visit: Visit[SessionQuery, None]) -> web.Response:
    """As much as the reader sees: all of it, or kind and time."""
    session = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    return await page(visit, session, done=DONE.get(visit.query.done))


async def page(
    visit: Visit[Any, Any],
    session: Session,
    status: int = HTTPStatus.OK,
    *,
    done: Message | None = None,
    wrongs: Wrongs | None = None,
    refused: Refusal | None = None,
    stale: Stale | None = None,
) -> web.Response:
    """The page of a session; `refused`: why its cancellation could not be undone; `stale`: a form of it was too old."""
    services, language = visit.services, visit.language
    full = services.enquiries.sight(visit.actor, session) == "full"
    changes = may(visit.actor, "change", session.subject, services.directory)
    mails = await services.notices.of_session(visit.actor, session) if full else []
    deeds = await services.history.of(visit.actor, session) if changes else []
    kind = services.directory.kinds.get(session.kind)
    network = services.directory.networks.get(session.network)
    bridge = services.directory.bridges.get(session.bridge or "")
    return html.respond(
        visit.request,
        "sessions/session.html.j2",
        status,
        session=View(actor=visit.actor, directory=services.directory, language=language).session(session),
        kind=kind.name[language] if kind else session.kind,
        network=network.name if network else session.network,
        bridge=bridge.name if bridge else session.bridge,
        when=_moment(visit, session.start, session.timezone, session.host_site if full else None),
        state=STATUSES[session.status],
        reason=REASONS[session.cancellation_code] if full and session.cancellation_code else None,
        explanation=session.cancellation_reason if full else "",
        overridden=session.override_reason if full else None,
        parts=[_part(visit, session, part) for part in session.participations] if full else [],
        mails=[_mail(visit, mail) for mail in mails],
        full=full,
        changes=changes,
        books=visit.actor.role != "clinician",
        calls=call_list(visit, session, deeds) if changes else [],
        history=[told(visit, deed) for deed in reversed(deeds)],
        done=done,
        wrongs=wrongs or Wrongs(),
        refused=refused,
        seen=seen(session),
        stale=stale,
    )


async def changed(visit: Visit[Any, Any]) -> web.Response:
    """The page of a session that was changed after a form of it was opened: nothing is done yet."""
    session = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    return await page(visit, session, HTTPStatus.PRECONDITION_FAILED, stale=await meanwhile(visit, session, visit.form))


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
        "sessions/bridge.html.j2",
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
    subject = SiteRef(part.site, session.subject)
    return Part(
        code=part.site,
        site=site.name if site else part.site,
        host=part.site == session.host_site,
        required=part.required,
        room=room.name if room else part.room,
        endpoint=room.endpoint if room else None,
        phone=site.phone if site else None,
        hour=hour(language, session.start, zone, site.city if site else None),
        pre_test=hour(language, before, zone, site.city if site else None),
        answer=ANSWERS[part.answer],
        comment=part.comment,
        may_answer=bool(site) and session.status != "cancelled" and may(visit.actor, "answer", subject, directory),
    )


def _mail(visit: Visit[Any, Any], notice: NoticeView) -> Mail:
    return Mail(
        id=notice.id,
        failed=notice.state == "failed",
        error=failure(notice.last_error, visit.language) if notice.state == "failed" else "",
        kind=NOTICES[notice.kind],
        recipient=notice.recipient,
        state=STATES[notice.state],
        when=moment(visit, notice.sent_at or notice.due_at),
    )


def _moment(visit: Visit[Any, Any], instant: datetime, zone: str, site: str | None) -> str:
    """A day and hour in a zone, called after the city of `site` where that is in it."""
    place = visit.services.directory.sites.get(site or "")
    city = place.city if place and place.timezone == zone else None
    name = i18n.place_of(zone, visit.language, city)
    return i18n.moment(zones.to_local(instant, zone), visit.language, name)
