"""Cancel a session, with its reason by code and in words; and undo that."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args

from aiohttp import web
from pydantic import Field

from perinat_sched.booking.session import CancellationCode, Session
from perinat_sched.errors import BookingRefused, Forbidden, RevisionMismatch
from perinat_sched.i18n import Message
from perinat_sched.people.access import may
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.refusal import refusal
from perinat_sched.web.desk.sessions import session
from perinat_sched.web.desk.sessions.sheet import TEXT
from perinat_sched.web.desk.stale import SeenForm, Stale, meanwhile, seen
from perinat_sched.web.desk.words import REASONS
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs


class CancelForm(SeenForm):
    """Why it does not take place."""

    code: str = Field(default="", max_length=40)
    reason: str = Field(default="", max_length=TEXT)
    no_patient_data: str = Field(default="", max_length=10)


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    return await _page(visit, CancelForm(code="cancelled"))


async def send(visit: Visit[PageQuery, CancelForm]) -> web.Response:
    form, session_id = visit.form, visit.path("id")
    code: CancellationCode | None = next((each for each in get_args(CancellationCode) if each == form.code), None)
    if code is None:
        return await _page(visit, form, wrongs=Wrongs.of_one("code", Message("Choose a reason.")))
    try:
        await visit.services.bookings.cancel(
            visit.actor,
            session_id,
            code,
            form.reason,
            sure=form.no_patient_data == "true",
            sequence=form.sequence,
        )
    except RevisionMismatch:
        return await _page(visit, form, stale=await meanwhile(visit, await _session(visit), form))
    except ABOUT_FORMS as error:
        return await _page(visit, form, wrongs=visit.wrongs(error))
    visit.services.delivery.wake()
    return html.see(visit.request, f"/sessions/{session_id}?done=cancelled")


async def resume(visit: Visit[PageQuery, SeenForm]) -> web.Response:
    """Undo a cancellation, or say why the places are gone and where the session could be instead."""
    session_id, services = visit.path("id"), visit.services
    try:
        await services.bookings.resume(visit.actor, session_id, visit.form.sequence)
    except RevisionMismatch:
        return await session.changed(visit)
    except BookingRefused as error:
        why = await refusal(visit, error.conflicts, error.alternatives, error.timezone)
        found = await services.enquiries.get(visit.actor, session_id)
        return await session.page(visit, found, HTTPStatus.CONFLICT, refused=why)
    except ABOUT_FORMS as error:
        found = await services.enquiries.get(visit.actor, session_id)
        wrongs = visit.wrongs(error)
        return await session.page(visit, found, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    services.delivery.wake()
    return html.see(visit.request, f"/sessions/{session_id}?done=resumed")


async def _session(visit: Visit[Any, Any]) -> Session:
    """The session, for those who may cancel it. Raises NotFound, Forbidden."""
    found = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    if not may(visit.actor, "change", found.subject, visit.services.directory):
        raise Forbidden
    return found


async def _page(
    visit: Visit[Any, Any], form: CancelForm, *, wrongs: Wrongs | None = None, stale: Stale | None = None
) -> web.Response:
    """The form, about the session as it is now."""
    directory = visit.services.directory
    found = await _session(visit)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrongs else HTTPStatus.PRECONDITION_FAILED if stale else HTTPStatus.OK
    return html.respond(
        visit.request,
        "sessions/cancel.html.j2",
        status,
        session=found,
        seen=form.seen if wrongs else seen(found),
        stale=stale,
        when=offers.moment(found.start, found.timezone, directory, visit.language, [found.host_site]),
        form=form,
        codes=REASONS,
        wrongs=wrongs or Wrongs(),
    )
