"""Book: what a session would be like, whether it can be, what speaks against it, and what could be taken instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched.booking.enquiries import Trial
from perinat_sched.booking.replay import Replay
from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused, IdempotencyKeyReused, NotFound
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.clocks import hour
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sessions.sheet import Sheet, SheetForm, guests, rooms
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import MOST_SITES

ROUTE = "POST /book"


class BookQuery(PageQuery):
    """What the form begins with; `again` names a session that is to be booked once more."""

    kind: str = Field(default="", max_length=40)
    host: str = Field(default="", max_length=40)
    network: str = Field(default="", max_length=40)
    site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    optional_site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    room: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    start: str = Field(default="", max_length=40)
    fold: str = Field(default="", max_length=10)
    duration_minutes: str = Field(default="", max_length=10)
    again: str = Field(default="", max_length=64)


class BookForm(SheetForm):
    """A session to be booked, once: `key` is made with the form."""

    key: str = Field(min_length=1, max_length=100)


async def show(visit: Visit[BookQuery, None]) -> web.Response:
    sheet = await _first(visit)
    return await _page(visit, sheet.within(visit.services.directory))


async def send(visit: Visit[PageQuery, BookForm]) -> web.Response:
    """Book, or say why not. The same form sent again is answered as before."""
    sheet, key = Sheet.sent(visit.form).within(visit.services.directory), visit.form.key
    if visit.form.do == "check":
        return await _page(visit, sheet, key=key)
    if visit.form.do == "override" and not sheet.override_reason.strip():
        return await _page(visit, sheet, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=Wrongs.no_reason(), key=key)
    try:
        done = await visit.services.bookings.book(visit.actor, sheet.asked(), _replay(visit, sheet))
    except BookingRefused:
        return await _page(visit, sheet, HTTPStatus.CONFLICT)
    except ABOUT_FORMS as error:
        used = isinstance(error, IdempotencyKeyReused)
        return await _page(
            visit,
            sheet,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            wrongs=visit.wrongs(error),
            key=None if used else key,
        )
    visit.services.delivery.wake()
    if isinstance(done, Session):
        return html.see(visit.request, _address(done))
    if done.status == HTTPStatus.SEE_OTHER:
        return html.see(visit.request, done.headers["Location"])
    return await _page(visit, sheet, HTTPStatus.CONFLICT)


def _replay(visit: Visit[Any, BookForm], sheet: Sheet) -> Replay[Session]:
    """Where one was sent is kept, and that one was refused; why is looked up again, as it is then."""

    async def done(session: Session) -> StoredAnswer:
        return StoredAnswer(status=HTTPStatus.SEE_OTHER, body="", headers={"Location": _address(session)})

    async def refused(_: BookingRefused) -> StoredAnswer:
        return StoredAnswer(status=HTTPStatus.CONFLICT, body="", headers={})

    return Replay(
        key=IdempotencyKey.of(visit.actor.token, ROUTE, visit.form.key, json.dumps(asdict(sheet))),
        render=done,
        render_refusal=refused,
    )


def _address(session: Session) -> str:
    return f"/sessions/{session.id}?done=booked"


async def _first(visit: Visit[BookQuery, None]) -> Sheet:
    """What the address asks for, over the session to be booked again, a week later."""
    query, directory = visit.query, visit.services.directory
    sheet = Sheet(kind=next(iter(directory.kinds)), host=visit.site.code, rooms={})
    if query.again:
        session = await visit.services.enquiries.get(visit.actor, query.again)
        if visit.services.enquiries.sight(visit.actor, session) != "full":
            raise NotFound
        next_week = f"{session.wall_start + timedelta(days=7):%Y-%m-%dT%H:%M}"
        sheet = replace(Sheet.of(session), start=next_week, fold="", access_code="")
    if query.host:
        sheet = replace(
            sheet,
            kind=query.kind or sheet.kind,
            host=query.host,
            network=query.network,
            sites=guests(query.site, query.host),
            optional_sites=guests(query.optional_site, query.host),
            rooms=rooms(query.room, {query.host, *query.site, *query.optional_site}),
            duration_minutes=query.duration_minutes,
        )
    return replace(sheet, start=query.start, fold=query.fold) if query.start else sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """A site's place, if the session were booked."""

    site: str
    host: bool
    required: bool
    hour: str
    room: str
    free: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """Where the session would stand, and what speaks against it."""

    when: str
    others: Sequence[str]
    stands: Sequence[Stand]
    bridge: str
    ports: int
    refusal: Refusal | None


async def _outlook(visit: Visit[Any, Any], tried: Trial) -> Outlook:
    directory, language, draft = visit.services.directory, visit.language, tried.draft
    zone, codes = draft.timezone, [place.site.code for place in tried.fit.places]
    conflicts = tried.fit.conflicts
    return Outlook(
        when=offers.moment(draft.start, zone, directory, language, codes),
        others=offers.clocks(draft.start, zone, directory, language, codes),
        stands=[
            Stand(
                site=place.site.name,
                host=place.site.code == draft.host_site,
                required=place.required,
                hour=hour(language, draft.start, place.site.timezone, place.site.city),
                room=place.room.name if place.room else "",
                free=place.free and place.held,
            )
            for place in tried.fit.places
        ],
        bridge=directory.bridges[tried.fit.bridge].name if tried.fit.bridge else "",
        ports=tried.fit.ports,
        refusal=await refusal(visit, conflicts, tried.alternatives, zone) if conflicts else None,
    )


async def _page(
    visit: Visit[Any, Any],
    sheet: Sheet,
    status: int = HTTPStatus.OK,
    *,
    wrongs: Wrongs | None = None,
    key: str | None = None,
) -> web.Response:
    """The form, with what booking would find now."""
    outlook = None
    if sheet.start:
        try:
            outlook = await _outlook(visit, await visit.services.enquiries.trial(visit.actor, sheet.asked()))
        except ABOUT_FORMS as error:
            wrongs, status = wrongs or visit.wrongs(error), HTTPStatus.UNPROCESSABLE_ENTITY
    kind = visit.services.directory.kinds.get(sheet.kind)
    host = visit.services.directory.sites.get(sheet.host)
    return html.respond(
        visit.request,
        "finding/book.html.j2",
        status,
        sheet=sheet,
        outlook=outlook,
        refused=outlook.refusal if outlook else None,
        wrongs=wrongs or Wrongs(),
        key=key or html.fresh_key(),
        directory=visit.services.directory,
        neutral=kind.title[host.language] if kind and host else "",
    )
