"""A site answers for a session: it accepts, perhaps in another room, declines, or says perhaps."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, get_args

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Answer
from perinat_sched.errors import BookingRefused, Forbidden, NotFound, RevisionMismatch
from perinat_sched.i18n import Message
from perinat_sched.people.access import SiteRef, may
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sessions.sheet import TEXT
from perinat_sched.web.desk.stale import SeenForm, Stale, meanwhile, seen
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs


class AnswerForm(SeenForm):
    """The answer, and the room where it is another one."""

    answer: str = Field(default="", max_length=20)
    room: str = Field(default="", max_length=40)
    comment: str = Field(default="", max_length=TEXT)
    no_patient_data: str = Field(default="", max_length=10)


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    return await _page(visit, None)


async def send(visit: Visit[PageQuery, AnswerForm]) -> web.Response:
    form, session_id = visit.form, visit.path("id")
    given: Answer | None = next((each for each in get_args(Answer) if each == form.answer != "pending"), None)
    if given is None:
        return await _page(visit, form, wrongs=Wrongs.of_one("answer", Message("Choose an answer.")))
    try:
        await visit.services.bookings.answer(
            visit.actor,
            session_id,
            visit.path("site"),
            given,
            form.room or None,
            form.comment,
            sure=form.no_patient_data == "true",
            sequence=form.sequence,
        )
    except RevisionMismatch:
        found = await visit.services.enquiries.get(visit.actor, session_id)
        return await _page(visit, form, stale=await meanwhile(visit, found, form))
    except BookingRefused as error:
        why = await refusal(visit, error.conflicts, error.alternatives, error.timezone)
        return await _page(visit, form, refused=why)
    except ABOUT_FORMS as error:
        return await _page(visit, form, wrongs=visit.wrongs(error))
    visit.services.delivery.wake()
    return html.see(visit.request, f"/sessions/{session_id}?done=answered")


async def _page(
    visit: Visit[Any, Any],
    form: AnswerForm | None,
    *,
    wrongs: Wrongs | None = None,
    refused: Refusal | None = None,
    stale: Stale | None = None,
) -> web.Response:
    """The form; at first with the answer and the words that stand. Raises NotFound, Forbidden."""
    directory, language = visit.services.directory, visit.language
    session = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    part, site = session.participation(visit.path("site")), directory.sites.get(visit.path("site"))
    if part is None or site is None:
        raise NotFound
    if not may(visit.actor, "answer", SiteRef(site.code, session.subject), directory):
        raise Forbidden
    local = zones.to_local(session.start, site.timezone)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrongs else HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    status = HTTPStatus.PRECONDITION_FAILED if stale else status
    return html.respond(
        visit.request,
        "sessions/answer.html.j2",
        status,
        session=session,
        seen=form.seen if form and wrongs else seen(session),
        stale=stale,
        site=site,
        host=directory.sites.get(session.host_site),
        when=i18n.moment(local, language, i18n.place_of(site.timezone, language, site.city)),
        others=offers.clocks(session.start, site.timezone, directory, language, [session.host_site]),
        form=form or AnswerForm(answer="" if part.answer == "pending" else part.answer, comment=part.comment),
        part=part,
        wrongs=wrongs or Wrongs(),
        refused=refused,
    )
