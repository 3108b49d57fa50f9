"""The door of the pages: who visits, does the form come from one of our pages, what does it say; then the handler.

A form is accepted only from our own origin, as the browser itself testifies (Sec-Fetch-Site, else Origin), and once
signed in only with the token that stands in the pages of this sign-in. Errors are told by `errors`, in the middleware.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from perinat_sched.errors import FieldError, Forbidden, InvalidRequest, Unauthenticated
from perinat_sched.i18n import Message
from perinat_sched.people.sign_in import LONGEST, SignedIn
from perinat_sched.web import reading
from perinat_sched.web.call import CALLER
from perinat_sched.web.desk.page import MISTAKEN, SIGNED_IN, Page, PageForm, PageQuery, Visit, chosen_language
from perinat_sched.web.desk.wrongs import Wrongs
from perinat_sched.web.schemas.base import Asked
from perinat_sched.web.services import SERVICES, Services

FORM = "application/x-www-form-urlencoded"
WITH_FILES = "multipart/form-data"
MOST_FIELDS = 600  # a series has up to 366 dates to tick, and 50 sites
FIELD = re.compile(r"[.\[]")  # what ends the name of a field: weekday[0]
FOREIGN = Message("This form was not sent from a page of this service: open the page again and send it from there.")


def door(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of a page as aiohttp calls it."""

    async def enter(request: web.Request) -> web.Response:
        services = request.app[SERVICES]
        visitor = await _visitor(request, services)
        if page.signed_in and visitor is None:
            raise Unauthenticated(Message("Sign in to go on."))
        if page.administrators and visitor is not None and visitor.actor.role != "admin":
            raise Forbidden
        form = None
        if page.method == "POST":
            _check_sender(page, request, services)
            model = page.form or (PageForm if page.signed_in else None)
            form = await _form(page, model, request, visitor if page.signed_in else None) if model else None
            if visitor is not None:
                services.writes.count(visitor.token.id)
        visit = Visit(
            request=request,
            services=services,
            language=chosen_language(request),
            query=_question(page, request),
            form=form,
        )
        return await page.handler(visit)

    return enter


def _question(page: Page, request: web.Request) -> PageQuery:
    """What the address asks. Where it is a form of the page that asks it, what is wrong is left out and told there."""
    try:
        return reading.query(page.query, request)
    except InvalidRequest as error:
        wrong = [FieldError(FIELD.split(one.field)[0], one.message) for one in error.errors]
        names = {one.field for one in wrong}
        fields = {field.alias or name for name, field in page.query.model_fields.items()}
        if not page.asks or names - fields:
            raise
        request[MISTAKEN] = Wrongs(found=tuple(wrong))
        asked = [(name, text) for name, text in request.query.items() if name not in names]
        return reading.parameters(page.query, asked)


async def _visitor(request: web.Request, services: Services) -> SignedIn | None:
    cookie = request.cookies.get(cookie_name(services))
    if not cookie:
        return None
    try:
        visitor = await services.sign_ins.authenticate(cookie)
    except Unauthenticated:
        return None
    request[SIGNED_IN], request[CALLER] = visitor, visitor.actor
    return visitor


def _check_sender(page: Page, request: web.Request, services: Services) -> None:
    """Raises Forbidden unless the browser says that the form comes from us; who says nothing is no browser."""
    site, sent = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "null")
    ours = site == "same-origin" if site else sent == origin(services)
    silent = site is None and sent == "null"
    if not (ours or page.takes == "everybody" or (silent and page.takes == "no other pages")):
        raise Forbidden(FOREIGN)


async def _form(page: Page, model: type[Asked], request: web.Request, visitor: SignedIn | None) -> Any:
    """The form; from a visitor, with the token that stands in the pages of her sign-in."""
    try:
        pairs = await _pairs(page, request)
    except ValueError:  # no UTF-8, broken, or too many fields
        raise InvalidRequest.of("form", "This form cannot be read: open the page again.") from None
    form = reading.parameters(model, pairs)
    if visitor is not None:
        sent = dict(pairs).get("form_token", "")
        if not hmac.compare_digest(sent.encode(), visitor.form_token.encode()):
            raise Forbidden(FOREIGN)
    return form


async def _pairs(page: Page, request: web.Request) -> list[tuple[str, str]]:
    """Names and values of a form. Raises ValueError."""
    if not (page.files and request.content_type == WITH_FILES):
        raw = await reading.body(request, FORM)
        return parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    raw = await reading.body(request, WITH_FILES)
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if not 0 < len(parts) <= MOST_FIELDS:
        raise ValueError
    return [_pair(part) for part in parts]


def _pair(part: Part) -> tuple[str, str]:
    name, value = part.get_param("name", header="Content-Disposition"), part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(value, bytes):
        raise ValueError
    return name, value.decode("latin-1" if part.get_filename() is not None else "utf-8")


def origin(services: Services) -> str:
    """Scheme, host and port under which we are known."""
    parts = urlsplit(services.settings.public_url)
    return f"{parts.scheme}://{parts.netloc}"


def secure(services: Services) -> bool:
    return services.settings.public_url.startswith("https:")


def cookie_name(services: Services) -> str:
    """With `__Host-` browsers take the cookie from this host alone, over https alone."""
    return "__Host-perinat" if secure(services) else "perinat"


def let_in(response: web.Response, services: Services, cookie: str) -> None:
    """Give the browser its cookie."""
    response.set_cookie(
        cookie_name(services),
        cookie,
        path="/",
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        secure=secure(services),
        samesite="Lax",
    )


def let_out(response: web.Response, services: Services) -> None:
    """Take the cookie back."""
    response.del_cookie(cookie_name(services), path="/", httponly=True, secure=secure(services), samesite="Lax")
