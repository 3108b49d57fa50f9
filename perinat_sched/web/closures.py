"""Closures that people enter and take back."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from perinat_sched.booking.closures import ClosureAsked, Scope
from perinat_sched.errors import InvalidRequest
from perinat_sched.sites.network import Directory
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery
from perinat_sched.web.schemas.closures import ClosureEntered, ClosureRequest
from perinat_sched.web.views import written


async def enter(call: Call[NoQuery, ClosureRequest]) -> web.Response:
    scope, code = _place(call.body)
    entered, hits = await call.services.closures.enter(
        call.actor,
        ClosureAsked(
            scope=scope,
            code=code,
            start=call.body.since,
            until=call.body.until,
            reason=call.body.reason,
            no_patient_data=call.body.no_patient_data,
        ),
    )
    zone = _zone(call.services.directory, scope, code)
    told = ClosureEntered(
        id=entered.id,
        site=call.body.site,
        room=call.body.room,
        bridge=call.body.bridge,
        since=written(entered.interval.start, zone),
        until=written(entered.interval.end, zone),
        reason=entered.reason,
        hits=hits,
    )
    return answer(told, HTTPStatus.CREATED)


async def remove(call: Call[NoQuery, None]) -> web.Response:
    await call.services.closures.remove(call.actor, call.path("id"))
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _place(body: ClosureRequest) -> tuple[Scope, str]:
    """The one place that is named."""
    asked: list[tuple[Scope, str | None]] = [("site", body.site), ("room", body.room), ("bridge", body.bridge)]
    named = [(scope, code) for scope, code in asked if code is not None]
    if len(named) != 1:
        raise InvalidRequest.of("site", "Name one site, one room or one bridge.")
    return named[0]


def _zone(directory: Directory, scope: Scope, code: str) -> str:
    match scope:
        case "site":
            return directory.sites[code].timezone
        case "room":
            return directory.sites[directory.rooms[code].site].timezone
        case "bridge":
            return "UTC"
