"""A closure and its sessions in one screen: entered on the page of a site, then each session goes elsewhere or stays.

Nothing is cancelled by itself. A session that somebody else hosts is moved by them: their telephone stands beside it,
and the site may decline for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.availability.slots import Slot
from perinat_sched.availability.store import EnteredClosure
from perinat_sched.booking.closures import REFERENCES, ClosureAsked, Hit, Scope
from perinat_sched.booking.request import Changes
from perinat_sched.errors import BookingRefused, InvalidRequest, NotFound, PerinatError, RevisionMismatch
from perinat_sched.people.access import SiteRef, may
from perinat_sched.sites.network import Site
from perinat_sched.storage.idempotency import IdempotencyKey
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sites.shut import place_of, shut, when
from perinat_sched.web.desk.sites.site import ClosureForm, Mistake, chosen, page
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import QueryInt

DECLINE = "decline"


class ClosureQuery(PageQuery):
    """What has just been done with one of its sessions."""

    done: Literal["", "moved", "declined"] = ""


class MoveForm(PageForm):
    """Where a session is to go."""

    session: str = Field(max_length=64)
    revision: QueryInt
    to: str = Field(max_length=100)  # an instant; an instant, a space and a room; or "decline"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A slot that a session may go to."""

    value: str  # as the form writes it
    when: str  # by the clock of the site that closes
    others: Sequence[str]  # what the other clocks show
    room: str | None  # of the site, where one of its rooms is closed


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A session that the closure falls on."""

    id: str
    revision: int
    full: bool  # the visitor sees more than its kind and time
    name: str
    when: str
    host: str
    phone: str | None
    moves: bool  # the visitor may move it
    declines: bool  # the visitor may decline for the site
    choices: Sequence[Choice]


async def enter(visit: Visit[PageQuery, ClosureForm]) -> web.Response:
    """Enter a closure, and go on to the sessions that it hits."""
    form = visit.form
    site = chosen(visit, form.site)
    try:
        closure, _ = await visit.services.closures.enter(
            visit.actor, asked(form), once(visit, form, "POST /site/closures")
        )
    except ABOUT_FORMS as error:
        mistake = Mistake(wrongs=Wrongs.told_by(error, visit.language), closure=form)
        return await page(visit, site.code, HTTPStatus.UNPROCESSABLE_ENTITY, mistake=mistake)
    return html.see(visit.request, f"/closures/{closure.id}")


async def show(visit: Visit[ClosureQuery, None]) -> web.Response:
    return await _page(visit, done=visit.query.done)


async def settle(visit: Visit[PageQuery, MoveForm]) -> web.Response:
    """Move one session, or decline it for the site."""
    form, bookings = visit.form, visit.services.bookings
    closure, hits = await visit.services.closures.hits(visit.actor, visit.path("id"))
    hit = next((hit for hit in hits if hit.session.id == form.session), None)
    if hit is None:  # settled already: this form was sent before
        return html.see(visit.request, f"/closures/{closure.id}")
    try:
        if form.to == DECLINE:
            site = _site(visit, closure).code
            await bookings.answer(visit.actor, form.session, site, "declined", None, closure.reason, sure=True)
        else:
            await bookings.change(visit.actor, form.session, form.revision, _changes(visit, closure, hit))
    except BookingRefused as refused:
        why = await refusal(visit, refused.conflicts, (), refused.timezone)
        return await _page(visit, HTTPStatus.CONFLICT, refused=form.session, why=why)
    except RevisionMismatch as error:
        return await _page(visit, HTTPStatus.PRECONDITION_FAILED, refused=form.session, error=error)
    visit.services.delivery.wake()
    done = "declined" if form.to == DECLINE else "moved"
    return html.see(visit.request, f"/closures/{closure.id}?done={done}")


async def remove(visit: Visit[PageQuery, PageForm]) -> web.Response:
    closure = await visit.services.closures.remove(visit.actor, visit.path("id"))
    return html.see(visit.request, f"/site?site={_site(visit, closure).code}&done=removed")


def asked(form: ClosureForm, timezone: str | None = None) -> ClosureAsked:
    """What a form of a closure asks for. Raises InvalidRequest without a first day."""
    named, _, code = form.place.partition(":")
    scope: Scope = next((scope for scope in REFERENCES if scope == named), "site")
    if not form.first:
        raise InvalidRequest.of("from", "This is required.")
    last = form.last or form.first
    return ClosureAsked(
        scope=scope,
        code=code,
        start=f"{form.first}T{form.first_at}" if form.first_at else form.first,
        until=f"{last}T{form.last_at}" if form.last_at else last,
        reason=form.reason,
        timezone=timezone,
        no_patient_data=form.no_patient_data == "yes",
    )


def once(visit: Visit[Any, Any], form: ClosureForm, route: str) -> IdempotencyKey | None:
    """What makes the same form sent twice close once."""
    if not form.key:
        return None
    meant = form.model_dump_json(exclude={"key", "form_token"})
    return IdempotencyKey(
        token=visit.actor.token,
        route=route,
        key=form.key,
        fingerprint=hashlib.sha256(meant.encode()).hexdigest(),
    )


def _changes(visit: Visit[Any, Any], closure: EnteredClosure, hit: Hit) -> Changes:
    start, _, room = visit.form.to.partition(" ")
    if not room:
        return Changes(start=start)
    return Changes(start=start, rooms={**hit.session.rooms_asked, _site(visit, closure).code: room})


def _site(visit: Visit[Any, Any], closure: EnteredClosure) -> Site:
    """The site that is closed, or whose room is. Raises NotFound for a bridge: it is closed elsewhere."""
    directory = visit.services.directory
    room = directory.rooms.get(closure.code)
    code = closure.code if closure.scope == "site" else room.site if room else ""
    if code not in directory.sites:
        raise NotFound
    return directory.sites[code]


async def _page(
    visit: Visit[Any, Any],
    status: int = HTTPStatus.OK,
    *,
    done: str = "",
    refused: str = "",
    why: Refusal | None = None,
    error: PerinatError | None = None,
) -> web.Response:
    closure, hits = await visit.services.closures.hits(visit.actor, visit.path("id"))
    site = _site(visit, closure)
    return html.respond(
        visit.request,
        "sites/closure.html.j2",
        status,
        site=site,
        closure=shut(visit, site, closure.interval, closure.reason, closure.id, closure.scope, closure.code),
        struck=[_struck(visit, site, closure, hit) for hit in hits],
        done=done,
        refused=refused,
        why=why,
        error=error.message if error else None,
    )


def _struck(visit: Visit[Any, Any], site: Site, closure: EnteredClosure, hit: Hit) -> Struck:
    directory, session, actor = visit.services.directory, hit.session, visit.actor
    full = visit.services.enquiries.sight(actor, session) == "full"
    host = directory.sites.get(session.host_site)
    kind = directory.kinds.get(session.kind)
    moves = may(actor, "change", session.subject, directory)
    hosted = session.host_site == site.code
    return Struck(
        id=session.id,
        revision=session.revision,
        full=full,
        name=session.title if full else kind.name[visit.language] if kind else session.kind,
        when=when(visit.language, session, site),
        host=host.name if host else session.host_site,
        phone=host.phone if host else None,
        moves=moves,
        declines=not hosted and may(actor, "answer", SiteRef(site.code, session.subject), directory),
        choices=list(_choices(visit, site, closure, hit)) if moves else [],
    )


def _choices(visit: Visit[Any, Any], site: Site, closure: EnteredClosure, hit: Hit) -> Iterator[Choice]:
    directory = visit.services.directory
    sites = [part.site for part in hit.session.taking_part()]
    for slot in hit.slots:
        room = _room(site, closure, slot)
        local = zones.to_local(slot.start, site.timezone)
        named = directory.rooms[room].name if room else None
        yield Choice(
            value=f"{slot.start:%Y-%m-%dT%H:%M:%SZ}" + (f" {room}" if room else ""),
            when=i18n.moment(local, visit.language, place_of(visit.language, site)),
            others=offers.clocks(slot.start, site.timezone, directory, visit.language, sites),
            room=named,
        )


def _room(site: Site, closure: EnteredClosure, slot: Slot) -> str | None:
    """Where a room is closed, the one that the session would take."""
    if closure.scope != "room":
        return None
    return next((place.room for place in slot.places if place.site == site.code), None)
