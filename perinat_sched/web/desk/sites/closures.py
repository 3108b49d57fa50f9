"""A closure and its sessions in one screen: entered on the page of a site, then each session goes elsewhere or stays.

Nothing is cancelled by itself. A session that somebody else hosts is moved by them: their telephone stands beside it,
and the site may decline for itself.
"""

from __future__ import annotations

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
from perinat_sched.errors import BookingRefused, InvalidRequest, NotFound, RevisionMismatch
from perinat_sched.people.access import SiteRef, may
from perinat_sched.sites.network import Site
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.once import once
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sites.shut import place_of, shut, when
from perinat_sched.web.desk.sites.site import ClosureForm, Mistake, chosen, page
from perinat_sched.web.desk.stale import SeenForm, Stale, meanwhile, seen
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import LONGEST_CODE

DECLINE = "decline"


class ClosureQuery(PageQuery):
    """What has just been done with one of its sessions."""

    done: Literal["", "moved", "declined"] = ""


class MoveForm(SeenForm):
    """Where a session is to go."""

    session: str = Field(max_length=64)
    to: str = Field(max_length=100)  # an instant; an instant, a space and a room; or "decline"


class RemovalForm(PageForm):
    """On whose page one is afterwards."""

    site: str = Field(default="", max_length=LONGEST_CODE)


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
    seen: str  # as its form carries it
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
        closure, _ = await visit.services.closures.enter(visit.actor, asked(form), once(visit, "POST /site/closures"))
    except ABOUT_FORMS as error:
        mistake = Mistake(wrongs=visit.wrongs(error), closure=form)
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
            await bookings.answer(
                visit.actor, form.session, site, "declined", None, closure.reason, sure=True, sequence=form.sequence
            )
        else:
            revision = form.revision if form.revision is not None else hit.session.revision
            await bookings.change(visit.actor, form.session, revision, _changes(visit, closure, hit))
    except BookingRefused as refused:
        why = await refusal(visit, refused.conflicts, (), refused.timezone)
        return await _page(visit, HTTPStatus.CONFLICT, refused=form.session, why=why)
    except RevisionMismatch:
        old = await meanwhile(visit, hit.session, form)
        return await _page(visit, HTTPStatus.PRECONDITION_FAILED, refused=form.session, stale=old)
    except ABOUT_FORMS as error:
        wrongs = visit.wrongs(error)
        return await _page(visit, HTTPStatus.UNPROCESSABLE_ENTITY, refused=form.session, wrongs=wrongs)
    visit.services.delivery.wake()
    done = "declined" if form.to == DECLINE else "moved"
    return html.see(visit.request, f"/closures/{closure.id}?done={done}")


async def remove(visit: Visit[PageQuery, RemovalForm]) -> web.Response:
    """Take it back. Sent twice, the second is led to the page of the site."""
    try:
        closure = await visit.services.closures.remove(visit.actor, visit.path("id"))
    except NotFound:
        return html.see(visit.request, f"/site?site={chosen(visit, visit.form.site).code}")
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
    stale: Stale | None = None,
    wrongs: Wrongs | None = None,
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
        stale=stale,
        wrongs=wrongs or Wrongs(),
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
        seen=seen(session),
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
