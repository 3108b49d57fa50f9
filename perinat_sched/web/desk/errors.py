"""What went wrong, as a page: the same words as the API's problem, with a way out.

Without a sign-in the sign-in page itself is shown, and leads back to where one wanted to go.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from perinat_sched import logs
from perinat_sched.errors import BookingRefused, InvalidRequest, PerinatError, Unauthenticated
from perinat_sched.people.sign_in import own_path
from perinat_sched.web import problems
from perinat_sched.web.desk import html
from perinat_sched.web.desk.door import origin
from perinat_sched.web.desk.page import PageQuery, Visit, chosen_language
from perinat_sched.web.desk.refusal import refusal
from perinat_sched.web.desk.routes import PATHS
from perinat_sched.web.services import SERVICES


def for_people(request: web.Request) -> bool:
    """Whether a page is asked for: by its address, or, where there is nothing at all, by a browser."""
    resource = request.match_info.route.resource
    if resource is not None:
        return resource.canonical in PATHS
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")


def page(request: web.Request, error: PerinatError) -> web.Response:
    """The page that tells of an error."""
    kind = problems.type_of(error)
    if isinstance(error, Unauthenticated):
        wanted = own_path(request.path_qs) if request.method == "GET" else ""
        response = html.respond(
            request, "entrance/sign_in.html.j2", kind.status, next=wanted, address="", why=error.message, wrong=None
        )
    else:
        details = [one.message for one in error.errors] if isinstance(error, InvalidRequest) else [error.message]
        response = html.respond(
            request,
            "error.html.j2",
            kind.status,
            untold=True,
            title=kind.title,
            details=details,
            refused=None,
            back=came_from(request),
            request_id=logs.request_id.get() if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
        )
    response.headers.update({name: value for name, value in problems.headers(error).items() if name != "Connection"})
    return response


async def refused(request: web.Request, error: BookingRefused) -> web.Response:
    """The page that tells why a booking was refused, where no page told it in place."""
    kind = problems.type_of(error)
    visit = Visit(
        request=request,
        services=request.app[SERVICES],
        language=chosen_language(request),
        query=PageQuery(),
        form=None,
    )
    return html.respond(
        request,
        "error.html.j2",
        kind.status,
        untold=True,
        title=kind.title,
        details=[error.message],
        refused=await refusal(visit, error.conflicts, error.alternatives, error.timezone),
        back=came_from(request),
        request_id=None,
    )


def came_from(request: web.Request) -> str:
    """The page of ours from which a visitor comes, as her browser says; empty where it says another, or none."""
    sent = urlsplit(request.headers.get("Referer", ""))
    if f"{sent.scheme}://{sent.netloc}" != origin(request.app[SERVICES]):
        return ""
    path = sent.path.removeprefix(html.root(request))
    return own_path(f"{path}?{sent.query}" if sent.query else path)
