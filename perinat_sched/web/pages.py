"""The start page: what this is, how to get a token, where the documentation is. In French, or in English."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from perinat_sched.i18n import Language
from perinat_sched.web.call import Call
from perinat_sched.web.operation import static
from perinat_sched.web.schemas.base import Asked, NoQuery


def policy(*, scripts: bool = False, forms: bool = False) -> str:
    """The Content-Security-Policy of a page: our own style sheet, and our own scripts and forms where it has any."""
    directives = (
        "default-src 'none'",
        "style-src 'self'",
        *(["script-src 'self'"] if scripts else []),
        "base-uri 'none'",
        "form-action 'self'" if forms else "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return "; ".join(directives)


PAGE_POLICY = policy()


class PageQuery(Asked):
    """In which language, when not the browser's."""

    lang: Literal["fr", "en"] | None = None


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("perinat_sched.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def page(template: str, language: Language, policy: str, **values: object) -> web.Response:
    """A template as an answer. `root` among the values leads from the page to the start page."""
    return web.Response(
        text=_templates().get_template(f"{template}.html").render(language=language, **values),
        content_type="text/html",
        headers={"Content-Language": language, "Content-Security-Policy": policy, "Vary": "Accept-Language"},
    )


async def start(call: Call[PageQuery, None]) -> web.Response:
    language = call.query.lang or call.language
    networks = [network.name for network in call.services.directory.networks.values()]
    public_url = call.services.settings.public_url
    return page(f"start.{language}", language, PAGE_POLICY, root="", networks=networks, public_url=public_url)


async def style(call: Call[NoQuery, None]) -> web.Response:
    return static("site.css", "text/css", PAGE_POLICY)
