"""The start page: what this is, how to get a token, where the documentation is. In French, or in English."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from perinat_sched.web.call import Call
from perinat_sched.web.operation import static
from perinat_sched.web.schemas.base import Asked, NoQuery

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class PageQuery(Asked):
    """In which language, when not the browser's."""

    lang: Literal["fr", "en"] | None = None


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("perinat_sched.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def template(name: str) -> Template:
    """A page's template."""
    return _templates().get_template(name)


async def start(call: Call[PageQuery, None]) -> web.Response:
    language = call.query.lang or call.language
    networks = [network.name for network in call.services.directory.networks.values()]
    return web.Response(
        text=template(f"start.{language}.html").render(networks=networks, public_url=call.services.settings.public_url),
        content_type="text/html",
        headers={
            "Content-Language": language,
            "Content-Security-Policy": PAGE_POLICY,
            "Vary": "Accept-Language",
        },
    )


async def style(call: Call[NoQuery, None]) -> web.Response:
    return static("site.css", "text/css", PAGE_POLICY)
