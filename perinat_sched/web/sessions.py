"""Sessions: booked, read, changed, cancelled, answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from perinat_sched.booking.request import Asked, Changes
from perinat_sched.booking.session import Session
from perinat_sched.booking.store import SessionFilter as Wanted
from perinat_sched.errors import InvalidRequest, RevisionRequired
from perinat_sched.storage.idempotency import StoredAnswer
from perinat_sched.web import reading, replays
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery
from perinat_sched.web.schemas.sessions import (
    AnswerRequest,
    CancellationRequest,
    SessionFilter,
    SessionList,
    SessionPatch,
    SessionRequest,
)
from perinat_sched.web.views import View

NO_REVISION = -1  # no session ever has it


async def book(call: Call[NoQuery, SessionRequest]) -> web.Response:
    replay = replays.replay(call, "POST /sessions", partial(_booked, call))
    done = await call.services.bookings.book(call.actor, Asked(**fields_of(call.body)), replay)
    call.services.delivery.wake()
    return replays.sent(done if isinstance(done, StoredAnswer) else await _booked(call, done))


async def listed(call: Call[SessionFilter, None]) -> web.Response:
    query, cursors, context = call.query, call.services.cursors, call.context()
    after = cursors.open(context, query.cursor) if query.cursor else None
    page = await call.services.enquiries.sessions(
        call.actor,
        _wanted(call),
        after=(datetime.fromisoformat(after[0]), after[1]) if after else None,
        limit=query.limit,
    )
    following = cursors.seal(context, [page.next[0].isoformat(), page.next[1]]) if page.next else None
    view = _view(call)
    return answer(SessionList(items=[view.session(session) for session in page.sessions], next=following))


async def read(call: Call[NoQuery, None]) -> web.Response:
    session = await call.services.enquiries.get(call.actor, call.path("id"))
    if reading.none_match(call.request, str(session.revision)):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=_etag(session))
    return _told(call, session)


async def change(call: Call[NoQuery, SessionPatch]) -> web.Response:
    async def present() -> int:
        return (await call.services.enquiries.get(call.actor, call.path("id"))).revision

    revision = await expected(call, present)
    changed = await call.services.bookings.change(
        call.actor, call.path("id"), revision, Changes(**fields_of(call.body))
    )
    return _changed(call, changed)


async def cancel(call: Call[NoQuery, CancellationRequest]) -> web.Response:
    cancelled = await call.services.bookings.cancel(
        call.actor, call.path("id"), call.body.code, call.body.reason, sure=call.body.no_patient_data
    )
    return _changed(call, cancelled)


async def resume(call: Call[NoQuery, None]) -> web.Response:
    return _changed(call, await call.services.bookings.resume(call.actor, call.path("id")))


async def reply(call: Call[NoQuery, AnswerRequest]) -> web.Response:
    answered = await call.services.bookings.answer(
        call.actor,
        call.path("id"),
        call.path("site"),
        call.body.answer,
        call.body.room,
        call.body.comment,
        sure=call.body.no_patient_data,
    )
    return _changed(call, answered)


def fields_of(body: BaseModel) -> dict[str, Any]:
    """What the caller named, as the domain takes it: lists do not change afterwards."""
    named = ((name, getattr(body, name)) for name in body.model_fields_set)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in named}


def _view(call: Call[Any, Any]) -> View:
    return View(actor=call.actor, directory=call.services.directory, language=call.language)


def _wanted(call: Call[SessionFilter, None]) -> Wanted:
    query, directory = call.query, call.services.directory
    asked = {"site": query.site, "network": query.network, "kind": query.kind}
    known = {"site": directory.sites, "network": directory.networks, "kind": directory.kinds}
    for name, code in asked.items():
        if code is not None and code not in known[name]:
            raise InvalidRequest.of(name, "There is no {code} here: take a code of the configuration.", code=repr(code))
    if query.first and query.last and query.first > query.last:
        raise InvalidRequest.of("to", "This day is before the first.")
    return Wanted(**asked, status=query.status, first_day=query.first, last_day=query.last)


def _etag(session: Session) -> dict[str, str]:
    return {"ETag": f'"{session.revision}"'}


def _told(call: Call[Any, Any], session: Session) -> web.Response:
    return answer(_view(call).session(session), headers=_etag(session))


def _changed(call: Call[Any, Any], session: Session) -> web.Response:
    call.services.delivery.wake()
    return _told(call, session)


async def expected(call: Call[Any, Any], present: Callable[[], Awaitable[int]]) -> int:
    """The revision that If-Match names, `present` being the last one. Raises RevisionRequired without it."""
    sent = ",".join(call.request.headers.getall("If-Match", []))
    if not sent:
        raise RevisionRequired
    if sent.strip() != "*":
        tags = reading.etags(sent, "If-Match")
        if len(tags) == 1:
            return int(tags[0]) if tags[0].isdecimal() and len(tags[0]) < 10 else NO_REVISION
    else:
        tags = None
    revision = await present()
    return revision if tags is None or str(revision) in tags else NO_REVISION


async def _booked(call: Call[NoQuery, SessionRequest], session: Session) -> StoredAnswer:
    headers = {"Location": f"/api/v1/sessions/{session.id}", **_etag(session)}
    return replays.stored(_view(call).session(session), HTTPStatus.CREATED, headers)
