"""What every request passes: an id, a log line and a count on the way out, problems told, headers that protect.

The log line and the metrics know a request by its route's template: a path may carry a feed's secret, a query may
carry what somebody typed.
"""

from __future__ import annotations

import logging
import random
import re
import time
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict

from perinat_sched import logs
from perinat_sched.errors import BookingRefused, PerinatError
from perinat_sched.i18n import Language, language_of
from perinat_sched.web import problems, refusals
from perinat_sched.web.call import CALLER
from perinat_sched.web.desk import errors as desk
from perinat_sched.web.metrics import METHODS
from perinat_sched.web.routes import methods_of
from perinat_sched.web.services import SERVICES, Services

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
REQUEST_ID = "X-Request-Id"
UNMATCHED = "unmatched"

log = logging.getLogger("perinat_sched.web")
dice = random.Random()  # noqa: S311 - ids are no secrets

HEADERS: CIMultiDict[str] = CIMultiDict(
    (
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("Server", "perinat-sched"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    )
)


def observing(services: Services) -> Middleware:
    """Give a request an id, tell every error, then tell log and metrics what became of it.

    Errors are problem+json, to people a page; what nobody expected is logged, and told without its text.
    """

    @web.middleware
    async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        identity = _identity(request.headers.get(REQUEST_ID))
        mark = logs.request_id.set(identity)
        status = 499  # the client went away
        try:
            try:
                response = await handler(request)
            except Exception as error:
                response = await _problem(request, error, language_of(request.headers.get("Accept-Language")))
            status = response.status
            _protect(request, response)
            response.headers[REQUEST_ID] = identity
            if services.course.draining:
                response.force_close()
            return response
        finally:
            seconds = time.perf_counter() - began
            method = request.method if request.method in METHODS else "other"
            template = template_of(request)
            caller = request.get(CALLER)
            services.metrics.answered(method, template, status, seconds)
            logs.tell_answered(method, template, status, seconds, caller.token if caller else None)
            logs.request_id.reset(mark)

    return observed


def _identity(sent: str | None) -> str:
    """The id that a proxy gave the request, where it may stand in a header and the log; else one of our own."""
    if sent and SAFE_ID.fullmatch(sent) and logs.redacted(sent) == sent:
        return sent
    return f"{dice.getrandbits(128):032x}"


async def _problem(request: web.Request, error: Exception, language: Language) -> web.Response:
    match error:
        case BookingRefused() if desk.for_people(request):
            return await desk.refused(request, error)
        case BookingRefused():
            services = request.app[SERVICES]
            extensions = await refusals.extensions(services, request[CALLER], error, language)
            return problems.response(error, language, extensions)
        case PerinatError() if problems.type_of(error).status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return _told(request, error, language)
        case web.HTTPMethodNotAllowed():
            taken = methods_of(request.path) or error.allowed_methods
            allowed = ", ".join(sorted({*taken, "OPTIONS"}))
            if request.method == "OPTIONS":
                return web.Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
            return _told(request, problems.MethodNotAllowed(allowed), language)
        case web.HTTPException():
            return _told(request, problems.of_http(error), language)
    log.error("unexpected", extra={"action": "failed", "route": template_of(request)}, exc_info=error)
    return _told(request, problems.UnexpectedError(), language)


def _told(request: web.Request, error: PerinatError, language: Language) -> web.Response:
    return desk.page(request, error) if desk.for_people(request) else problems.response(error, language)


def template_of(request: web.Request) -> str:
    """The address as the table of routes writes it, or "unmatched"."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNMATCHED


def _protect(request: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers.merge(HEADERS)
    if "Cache-Control" not in headers and request.path.startswith("/api/"):
        headers["Cache-Control"] = "no-store"
