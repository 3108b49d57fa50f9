"""The application: every route of the table behind the same door.

The door: who are you (401), may you at all (403), not so fast (429), what do you ask and say (422), then the handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from perinat_sched.errors import Forbidden, Unauthenticated
from perinat_sched.web import middleware, reading
from perinat_sched.web.call import CALLER, Call
from perinat_sched.web.desk import routes as desk
from perinat_sched.web.route import Media, Policy, Route
from perinat_sched.web.routes import ROUTES
from perinat_sched.web.schemas.base import Asked, NoQuery
from perinat_sched.web.services import SERVICES, Services

BEARER = "bearer "


def application(services: Services) -> web.Application:
    """The aiohttp application of a running service."""
    app = web.Application(middlewares=[middleware.observing(services)], client_max_size=reading.LARGEST_BODY)
    app[SERVICES] = services
    for route in ROUTES:
        door = _door(route, services)
        if route.method == "GET":
            app.router.add_get(route.path, door, allow_head=True)
        else:
            app.router.add_route(route.method, route.path, door)
    desk.add_to(app)
    return app


def _door(route: Route, services: Services) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    handler, needs_token, asks, told = route.handler, route.policy.needs_token, route.query, route.body
    nothing_asked = _defaults(asks or NoQuery)

    async def enter(request: web.Request) -> web.StreamResponse:
        if needs_token:
            await _sign_in(route, request, services)
        query = nothing_asked
        if query is None or (asks and request.query_string):
            query = reading.query(asks or NoQuery, request)
        body = await _body(told, route.body_optional, request) if told else None
        return await handler(Call(request, services, query, body))

    return enter


def _defaults(model: type[Asked]) -> Asked | None:
    """What an address without parameters asks; None where some are needed."""
    needed = any(field.is_required() for field in model.model_fields.values())
    return None if needed else model()


async def _sign_in(route: Route, request: web.Request, services: Services) -> None:
    sent = request.headers.getall("Authorization", [])
    if len(sent) != 1 or not sent[0].lower().startswith(BEARER):
        raise Unauthenticated
    request[CALLER] = caller = await services.tokens.authenticate(sent[0][len(BEARER) :].strip())
    if route.policy is Policy.ADMINISTRATORS and caller.role != "admin":
        raise Forbidden
    if route.writes:
        services.writes.count(caller.token)


async def _body(told: type[Asked] | Media, optional: bool, request: web.Request) -> Asked | bytes:
    """What a route is told: a model, or a file as it is."""
    if isinstance(told, Media):
        return await reading.body(request, told.type)
    raw = await reading.body(request)
    return reading.validated(told, {} if optional and not raw else reading.json_object(raw))
