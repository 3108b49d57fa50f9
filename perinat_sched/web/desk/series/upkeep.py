"""A series ended, from a date on, or answered: one answer of a site for all dates, but for some."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n
from perinat_sched.booking.session import CancellationCode
from perinat_sched.errors import Forbidden, InvalidRequest, RevisionMismatch
from perinat_sched.people.access import may
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import MOST_OCCURRENCES
from perinat_sched.series.series import SeriesRefused, Whole
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.series.change import FromQuery
from perinat_sched.web.desk.series.dates import Date, dates
from perinat_sched.web.desk.series.new import address, when
from perinat_sched.web.desk.series.overview import answering, missing
from perinat_sched.web.desk.stale import SeenForm, Stale, numbered
from perinat_sched.web.desk.words import ANSWERS, REASONS
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs


class CancelForm(SeenForm):
    """Why, and from which date on; empty: all that is still to come."""

    since: str = Field(default="", max_length=16)
    code: CancellationCode = "cancelled"
    reason: str = Field(default="", max_length=3000)
    no_patient_data: Literal["", "true"] = ""


class AnswerQuery(PageQuery):
    """For which site, where one comes from its page."""

    site: str = Field(default="", max_length=40)


class AnswerForm(SeenForm):
    """What a site says to all dates, until a day, but for some."""

    site: str = Field(default="", max_length=40)
    answer: Literal["accepted", "tentative", "declined"] = "accepted"
    until: str = Field(default="", max_length=10)
    but: list[str] = Field(default_factory=list, max_length=MOST_OCCURRENCES)
    room: str = Field(default="", max_length=40)
    comment: str = Field(default="", max_length=3000)
    no_patient_data: Literal["", "true"] = ""


async def ask_cancel(visit: Visit[FromQuery, None]) -> web.Response:
    whole = await visit.services.series.get(visit.actor, visit.path("id"))
    return await _cancel_page(visit, whole, CancelForm(since=visit.query.since))


async def cancel(visit: Visit[PageQuery, CancelForm]) -> web.Response:
    """Cancel what is still to come. Sent twice, it cancels once."""
    form, services, series_id = visit.form, visit.services, visit.path("id")
    sure = bool(form.no_patient_data)
    try:
        done = await services.series_upkeep.cancel(
            visit.actor, series_id, form.since or None, form.code, form.reason, sure=sure, sequence=form.sequence
        )
    except RevisionMismatch:
        whole = await services.series.get(visit.actor, series_id)
        return await _cancel_page(visit, whole, form, stale=Stale())
    except ABOUT_FORMS as error:
        whole = await services.series.get(visit.actor, series_id)
        return await _cancel_page(visit, whole, form, wrongs=visit.wrongs(error))
    services.delivery.wake()
    return html.see(visit.request, address(done.series, "cancelled", done.changed, services.directory))


async def ask_answer(visit: Visit[AnswerQuery, None]) -> web.Response:
    whole = await visit.services.series.get(visit.actor, visit.path("id"))
    return await _answer_page(visit, whole, AnswerForm(site=visit.query.site))


async def answer(visit: Visit[PageQuery, AnswerForm]) -> web.Response:
    """Note the answer for every date, or for none. The same answer twice is the same."""
    form, services, series_id = visit.form, visit.services, visit.path("id")
    try:
        done = await services.series_upkeep.answer(
            visit.actor,
            series_id,
            form.site,
            form.answer,
            form.room or None,
            form.comment,
            until=recurrence.day(form.until, "until") if form.until else None,
            but=tuple(form.but),
            sure=bool(form.no_patient_data),
            sequence=form.sequence,
        )
    except RevisionMismatch:
        whole = await services.series.get(visit.actor, series_id)
        return await _answer_page(visit, whole, form, HTTPStatus.PRECONDITION_FAILED, stale=Stale())
    except SeriesRefused as refused:
        whole = await services.series.get(visit.actor, series_id)
        against = [one for one in await dates(visit, refused.whole) if one.reasons]
        return await _answer_page(visit, whole, form, HTTPStatus.CONFLICT, against=against)
    except ABOUT_FORMS as error:
        whole = await services.series.get(visit.actor, series_id)
        wrongs = visit.wrongs(error)
        return await _answer_page(visit, whole, form, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    services.delivery.wake()
    return html.see(visit.request, address(done.series, "answered", done.changed, services.directory))


def takes_place(one: Date) -> bool:
    """Whether a date is still to come."""
    return one.session is not None and one.verdict != "cancelled" and not one.past


async def _cancel_page(
    visit: Visit[Any, Any],
    whole: Whole,
    form: CancelForm,
    *,
    wrongs: Wrongs | None = None,
    stale: Stale | None = None,
) -> web.Response:
    directory = visit.services.directory
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrongs else HTTPStatus.PRECONDITION_FAILED if stale else HTTPStatus.OK
    if not may(visit.actor, "change", whole.series.subject, directory):
        raise Forbidden
    every = [one for one in await dates(visit, whole) if one.id >= form.since]
    first = next(
        (one.recurrence for one in whole.occurrences if f"{one.recurrence:%Y-%m-%dT%H:%M}" == form.since), None
    )
    if form.since and first is None:
        raise InvalidRequest.of("from", "The series has no such date: take a recurrence_id of it.")
    return html.respond(
        visit.request,
        "series/cancellation.html.j2",
        status,
        series=whole.series,
        seen=form.seen if wrongs else numbered(whole.series),
        stale=stale,
        when=when(whole.series, directory, visit.language),
        since=i18n.day(first, visit.language) if first else "",
        dates=[one for one in every if takes_place(one)],
        missing=any(missing(one) for one in every),
        form=form,
        reasons=REASONS,
        wrongs=wrongs or Wrongs(),
    )


async def _answer_page(
    visit: Visit[Any, Any],
    whole: Whole,
    form: AnswerForm,
    status: int = HTTPStatus.OK,
    *,
    wrongs: Wrongs | None = None,
    against: Sequence[Date] = (),
    stale: Stale | None = None,
) -> web.Response:
    sites = answering(visit, whole)
    if not sites:
        raise Forbidden
    return html.respond(
        visit.request,
        "series/answer.html.j2",
        status,
        series=whole.series,
        seen=form.seen if wrongs else numbered(whole.series),
        stale=stale,
        when=when(whole.series, visit.services.directory, visit.language),
        sites=sites,
        chosen=form.site or sites[0].code,
        dates=[one for one in await dates(visit, whole) if takes_place(one)],
        form=form,
        answers={name: ANSWERS[name] for name in ("accepted", "tentative", "declined")},
        wrongs=wrongs or Wrongs(),
        against=against,
    )
