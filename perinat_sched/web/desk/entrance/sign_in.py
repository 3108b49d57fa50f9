"""Getting in and out: ask for a link, open it, see who one is, sign out."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from pydantic import Field

from perinat_sched.errors import FieldError, InvalidRequest
from perinat_sched.people.sign_in import own_path
from perinat_sched.web.desk import html
from perinat_sched.web.desk.clocks import moment
from perinat_sched.web.desk.door import cookie_name, let_in, let_out
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.schemas.base import Asked

AFTER = "/week"  # where one is after signing in, unless one was on the way elsewhere
EVERYBODY = "everybody"  # the limit of sign-in requests is one for all: nobody is known yet, and no IP is counted


class SignInQuery(PageQuery):
    """Where to go afterwards."""

    next: str = Field(default="", max_length=600)


class AddressForm(Asked):
    """An address to send a link to."""

    address: str = Field(default="", max_length=400)
    next: str = Field(default="", max_length=600)


class OpenForm(Asked):
    """Where to go after the link has been opened."""

    next: str = Field(default="", max_length=600)


async def ask(visit: Visit[SignInQuery, None]) -> web.Response:
    return _form(visit, next=own_path(visit.query.next), address="")


async def send(visit: Visit[PageQuery, AddressForm]) -> web.Response:
    """The same answer for every address, known or not."""
    form = visit.form
    visit.services.sign_in_requests.count(EVERYBODY)
    try:
        await visit.services.sign_ins.ask(form.address, visit.language, form.next)
    except InvalidRequest as error:
        return _form(
            visit,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            next=own_path(form.next),
            address=form.address,
            wrong=error.errors[0],
        )
    return html.respond(visit.request, "entrance/sent.html.j2", address=form.address.strip())


async def link(visit: Visit[SignInQuery, None]) -> web.Response:
    """A page with one button: whoever only follows links, as mail scanners do, uses nothing up."""
    response = html.respond(
        visit.request,
        "entrance/link.html.j2",
        untold=True,
        secret=visit.path("secret"),
        next=own_path(visit.query.next),
    )
    # Its address stands in no Referer, not even in that of our style sheet, which a proxy logs; and yet browsers that
    # know no Sec-Fetch-Site say where its form comes from.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


async def open_link(visit: Visit[PageQuery, OpenForm]) -> web.Response:
    services, request = visit.services, visit.request
    cookie, _ = await services.sign_ins.open(visit.path("secret"), request.cookies.get(cookie_name(services)))
    response = html.see(request, own_path(visit.form.next) or AFTER)
    let_in(response, services, cookie)
    return response


async def account(visit: Visit[PageQuery, None]) -> web.Response:
    token, directory = visit.who.token, visit.services.directory
    places = [directory.sites[code].name for code in token.sites if code in directory.sites]
    networks = [directory.networks[code].name for code in token.networks if code in directory.networks]
    return html.respond(
        visit.request,
        "entrance/account.html.j2",
        token=token,
        sites=places,
        networks=networks,
        until=moment(visit, visit.who.until),
        token_until=moment(visit, token.expires_at),
    )


async def leave(visit: Visit[PageQuery, PageForm]) -> web.Response:
    await visit.services.sign_ins.end(visit.who)
    return _left(visit)


async def leave_everywhere(visit: Visit[PageQuery, PageForm]) -> web.Response:
    await visit.services.sign_ins.end_everywhere(visit.who)
    return _left(visit)


async def accessibility(visit: Visit[PageQuery, None]) -> web.Response:
    return html.respond(visit.request, "entrance/accessibility.html.j2")


async def privacy(visit: Visit[PageQuery, None]) -> web.Response:
    return html.respond(visit.request, "entrance/privacy.html.j2", cookie=cookie_name(visit.services))


def _left(visit: Visit[PageQuery, PageForm]) -> web.Response:
    response = html.see(visit.request, "/sign-in")
    let_out(response, visit.services)
    return response


def _form(
    visit: Visit[SignInQuery, None] | Visit[PageQuery, AddressForm],
    status: int = HTTPStatus.OK,
    *,
    next: str,
    address: str,
    wrong: FieldError | None = None,
) -> web.Response:
    return html.respond(
        visit.request, "entrance/sign_in.html.j2", status, next=next, address=address, wrong=wrong, why=None
    )
