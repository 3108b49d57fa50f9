"""Series: tried out, booked, read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web

from perinat_sched.booking.request import Asked
from perinat_sched.series import request
from perinat_sched.series.series import WALL, Series, Whole
from perinat_sched.web import refusals
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery, Paging
from perinat_sched.web.schemas.series import DryRun, SeriesList, SeriesRequest
from perinat_sched.web.sessions import fields_of
from perinat_sched.web.views import View
from perinat_sched.web.views_series import SeriesView

OF_THE_SERIES = ("rrule", "dates", "exclude", "exclude_holidays_of", "on_conflict", "override")


async def book(call: Call[DryRun, SeriesRequest]) -> web.Response:
    asked = _asked(call.body)
    if call.query.dry_run:
        return await told(call, await call.services.series.try_out(call.actor, asked), proposed=True)
    booked = await call.services.series.book(call.actor, asked)
    call.services.delivery.wake()
    location = {"Location": f"/api/v1/series/{booked.series.id}"}
    return await told(call, booked, status=HTTPStatus.CREATED, headers=location)


async def listed(call: Call[Paging, None]) -> web.Response:
    cursors, context = call.services.cursors, call.context()
    after = cursors.open(context, call.query.cursor) if call.query.cursor else None
    found, more = await call.services.series.page(call.actor, (after[0], after[1]) if after else None, call.query.limit)
    view = await _view(call, found)
    last = found[-1].series if found else None
    following = cursors.seal(context, [f"{last.session.wall_start:{WALL}}", last.id]) if more and last else None
    return answer(SeriesList(items=[view.series(one) for one in found], next=following))


async def read(call: Call[NoQuery, None]) -> web.Response:
    return await told(call, await call.services.series.get(call.actor, call.path("id")))


async def told(
    call: Call[Any, Any],
    whole: Whole,
    *,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    proposed: bool = False,
) -> web.Response:
    """A series as its caller reads it; one that is only proposed has no address yet."""
    view = await _view(call, [whole])
    etag = {} if proposed else etag_of(whole.series)
    return answer(view.series(whole, proposed=proposed), status=status, headers={**(headers or {}), **etag})


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
