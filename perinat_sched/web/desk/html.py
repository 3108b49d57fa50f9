"""Pages as HTML: one template environment, the words of the catalogue, addresses that keep the language chosen.

Everything is escaped unless a template of ours says otherwise, and none does; an undefined value is an error. Nothing
is inline and nothing comes from another host, so the policy begins with `default-src 'none'`. Links are built from
`public_url`, never from the request's Host.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from perinat_sched.i18n import Message, say
from perinat_sched.people.sign_in import own_path
from perinat_sched.sites.network import Language
from perinat_sched.web.desk.page import MISTAKEN, SIGNED_IN, chosen_language
from perinat_sched.web.desk.wrongs import Wrongs
from perinat_sched.web.services import SERVICES

UNTOLD = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def policy(*, scripts: bool = False) -> str:
    """The Content-Security-Policy of a page; scripts, of our own alone, where it has any."""
    directives = (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        *(["script-src 'self'"] if scripts else []),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return "; ".join(directives)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of the pages."""
    return Environment(
        loader=PackageLoader("perinat_sched.web", "templates/desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def address(request: web.Request, path: str, **asked: str | Sequence[str] | None) -> str:
    """A path of ours with its question, under the path of `public_url`; the language chosen goes along.

    A name with several values is asked once a value.
    """
    path, _, question = path.partition("?")
    wanted: dict[str, list[str]] = {"lang": request.query.getall("lang", [])[:1]}
    wanted |= parse_qs(question, keep_blank_values=True)
    for name, value in asked.items():
        wanted[name] = [value] if isinstance(value, str) else list(value or ())
    question = urlencode(wanted, doseq=True)
    return root(request) + quote(path, safe="/~") + (f"?{question}" if question else "")


def root(request: web.Request) -> str:
    """The path under which the service is reached: empty unless `public_url` has one."""
    return urlsplit(request.app[SERVICES].settings.public_url).path


def respond(
    request: web.Request,
    template: str,
    status: int = HTTPStatus.OK,
    *,
    language: Language | None = None,
    scripts: Sequence[str] = (),
    untold: bool = False,
    **values: Any,
) -> web.Response:
    """A page, said in the visitor's language, or in that of what it shows.

    `scripts` names those that it loads; `untold`: its address is told to no other page, nor to search engines.
    """
    language = language or chosen_language(request)

    def words(text: str, **places: object) -> str:
        return say(Message(text, **places), language)

    def said(message: Message) -> str:
        return say(message, language)

    def link(path: str, **asked: str | Sequence[str] | None) -> str:
        return address(request, path, **asked)

    mistaken = request.get(MISTAKEN, Wrongs())
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistaken and status == HTTPStatus.OK else status
    page = environment().get_template(template)
    text = page.render(
        _=words,
        said=said,
        link=link,
        root=root(request),
        here_at=request.path,
        language=language,
        other=_in_other_language(request, language),
        visitor=request.get(SIGNED_IN),
        scripts=scripts,
        mistaken=mistaken,
        files_only=not request.app[SERVICES].settings.smtp_url,
        **values,
    )
    headers = _headers(language, policy(scripts=bool(scripts))) | (UNTOLD if untold else {})
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def fresh_key() -> str:
    """For a form whose sending twice must do once (`storage.idempotency`)."""
    return secrets.token_urlsafe(16)


def see(request: web.Request, path: str) -> web.Response:
    """Go on to another page of ours."""
    return web.Response(
        status=HTTPStatus.SEE_OTHER, headers={"Location": address(request, path), "Cache-Control": "no-store"}
    )


def _in_other_language(request: web.Request, language: Language) -> str:
    """This page in the other language. Of the answer to a form, which nobody can ask for again: the page at the same
    address, else the first one."""
    other = "en" if language == "fr" else "fr"
    path = own_path(request.path) if _can_be_read(request) else ""  # "//host" is no path of ours
    kept = [(name, value) for name, value in request.query.items() if name != "lang"] if path else []
    return root(request) + (path or "/") + "?" + urlencode([*kept, ("lang", other)])


def _can_be_read(request: web.Request) -> bool:
    """Whether the address has a page of its own, besides the answer to a form."""
    resource = request.match_info.route.resource
    return request.method in ("GET", "HEAD") or any(route.method == "GET" for route in resource or ())


def _headers(language: Language, policy: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",  # with no-referrer, browsers write "Origin: null" on our own forms
        "Vary": "Accept-Language, Cookie",
    }
