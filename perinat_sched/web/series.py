"""Series: tried out, booked, read."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web

from perinat_sched.booking.request import Asked, checked_text
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.series import recurrence, request
from perinat_sched.series.base import Plan
from perinat_sched.series.changes import Changes
from perinat_sched.series.series import WALL, Series, Whole
from perinat_sched.storage.idempotency import StoredAnswer
from perinat_sched.web import reading, refusals, replays
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery, Paging
from perinat_sched.web.schemas.series import (
    CopyRequest,
    DateRequest,
    DryRun,
    SeriesAnswer,
    SeriesCancellation,
    SeriesList,
    SeriesPatch,
    SeriesRequest,
)
from perinat_sched.web.sessions import expected, fields_of
from perinat_sched.web.views import View
from perinat_sched.web.views_series import SeriesView

OF_THE_SERIES = ("rrule", "dates", "exclude", "exclude_holidays_of", "on_conflict", "override")


async def book(call: Call[DryRun, SeriesRequest]) -> web.Response:
    asked, replay = _asked(call.body), replays.replay(call, "POST /series", partial(_booked, call))
    if call.query.dry_run:
        return await told(call, await call.services.series.try_out(call.actor, asked), proposed=True)
    series = call.services.series
    if replay is None:
        kept = await _told_of_booked(call, await series.book(call.actor, asked))
    else:
        kept = await series.book_once(call.actor, asked, replay)
    call.services.delivery.wake()
    return replays.sent(kept)


async def _booked(call: Call[DryRun, SeriesRequest], plan: Plan) -> StoredAnswer:
    return await _told_of_booked(call, call.services.series.booked(plan))


async def _told_of_booked(call: Call[DryRun, SeriesRequest], booked: Whole) -> StoredAnswer:
    view = await _view(call, [booked])
    headers = {"Location": address(booked.series), **etag_of(booked.series)}
    return replays.stored(view.series(booked), HTTPStatus.CREATED, headers)


async def listed(call: Call[Paging, None]) -> web.Response:
    cursors, context = call.services.cursors, call.context()
    after = cursors.open(context, call.query.cursor) if call.query.cursor else None
    found, more = await call.services.series.page(call.actor, (after[0], after[1]) if after else None, call.query.limit)
    view = await _view(call, found)
    last = found[-1].series if found else None
    following = cursors.seal(context, [f"{last.session.wall_start:{WALL}}", last.id]) if more and last else None
    return answer(SeriesList(items=[view.series(one) for one in found], next=following))


async def read(call: Call[NoQuery, None]) -> web.Response:
    whole = await call.services.series.get(call.actor, call.path("id"))
    etag = etag_of(whole.series)
    if reading.none_match(call.request, str(whole.series.revision)):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=etag)
    return await told(call, whole, headers=etag)


async def change(call: Call[DryRun, SeriesPatch]) -> web.Response:
    """Change a series, or (`dry_run`) say what would become of each date."""

    async def present() -> int:
        return (await call.services.series.get(call.actor, call.path("id"))).series.revision

    series_id, revision = call.path("id"), await expected(call, present)
    given = fields_of(call.body)
    since = given.pop("since", None)
    own = {name: given.pop(name) for name in OF_THE_SERIES if name in given}
    changes = Changes(session=SessionChanges(**given), **own)
    if call.query.dry_run:
        tried = await call.services.series_changes.try_out(call.actor, series_id, revision, changes, since)
        return await told(call, tried, proposed=tried.series.id != series_id)
    changed = await call.services.series_changes.change(call.actor, series_id, revision, changes, since)
    return await _changed(call, changed)


async def cancel(call: Call[NoQuery, SeriesCancellation]) -> web.Response:
    body = call.body
    cancelled = await call.services.series_upkeep.cancel(
        call.actor, call.path("id"), body.since, body.code, body.reason, sure=body.no_patient_data
    )
    return await _changed(call, cancelled)


async def reply(call: Call[NoQuery, SeriesAnswer]) -> web.Response:
    body = call.body
    answered = await call.services.series_upkeep.answer(
        call.actor,
        call.path("id"),
        call.path("site"),
        body.answer,
        body.room,
        body.comment,
        until=recurrence.day(body.until, "until") if body.until is not None else None,
        but=tuple(body.but),
        sure=body.no_patient_data,
    )
    return await _changed(call, answered)


async def complete(call: Call[NoQuery, DateRequest]) -> web.Response:
    reason = call.body.override_reason
    if reason is not None:
        reason = checked_text("override_reason", reason, call.services.directory, sure=call.body.no_patient_data)
    booked = await call.services.series_upkeep.book_later(call.actor, call.path("id"), call.body.recurrence_id, reason)
    call.services.delivery.wake()
    view = View(actor=call.actor, directory=call.services.directory, language=call.language)
    headers = {"Location": f"/api/v1/sessions/{booked.id}", "ETag": f'"{booked.revision}"'}
    return answer(view.session(booked), status=HTTPStatus.CREATED, headers=headers)


async def restore(call: Call[NoQuery, None]) -> web.Response:
    await call.services.series_upkeep.back_to_rule(call.actor, call.path("id"))
    call.services.delivery.wake()
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def copy(call: Call[NoQuery, CopyRequest]) -> web.Response:
    first, last = recurrence.day(call.body.since, "from"), recurrence.day(call.body.until, "until")
    asked = await call.services.series.copy(call.actor, call.path("id"), first, last)
    return await told(call, await call.services.series.try_out(call.actor, asked), proposed=True)


async def _changed(call: Call[Any, Any], whole: Whole) -> web.Response:
    """What was done to the series of the address, or the new one that begins where it ends, with its own address."""
    call.services.delivery.wake()
    headers = etag_of(whole.series)
    if whole.series.id != call.path("id"):
        headers |= {"Location": address(whole.series), "Content-Location": address(whole.series)}
    return await told(call, whole, headers=headers)


async def told(
    call: Call[Any, Any], whole: Whole, *, headers: dict[str, str] | None = None, proposed: bool = False
) -> web.Response:
    """A series as its caller reads it; one that is only proposed has no address yet."""
    view = await _view(call, [whole])
    return answer(view.series(whole, proposed=proposed), headers=headers)


def address(series: Series) -> str:
    return f"/api/v1/series/{series.id}"


def etag_of(series: Series) -> dict[str, str]:
    return {"ETag": f'"{series.revision}"'}


async def _view(call: Call[Any, Any], shown: list[Whole]) -> SeriesView:
    conflicts = [conflict for whole in shown for one in whole.occurrences for conflict in one.conflicts]
    seen = await refusals.sights(call.services, call.actor, conflicts)
    view = View(actor=call.actor, directory=call.services.directory, language=call.language)
    return SeriesView(view=view, seen=seen)


def _asked(body: SeriesRequest) -> request.Asked:
    given = fields_of(body)
    own = {name: given.pop(name) for name in OF_THE_SERIES if name in given}
    return request.Asked(session=Asked(**given), **own)
