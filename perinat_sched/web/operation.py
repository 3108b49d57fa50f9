"""How the service is, for those who run it: alive, ready, counted; and its own description."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Literal

from aiohttp import web

import perinat_sched
from perinat_sched.errors import MissingGuards, NotFound, Unavailable
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import NoQuery
from perinat_sched.web.schemas.operation import Health, Readiness
from perinat_sched.web.services import Services
from perinat_sched.zones import TZDATA_VERSION

STANDSTILL = timedelta(minutes=5)  # since delivery's last round: it makes one every few seconds

SWAGGER = "flask_swagger_ui"  # the package whose dist/ folder holds Swagger UI's files; it is never imported
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
DOCS_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the arrows in Swagger UI's own style sheet
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


async def healthz(call: Call[NoQuery, None]) -> web.Response:
    return answer(Health(status="alive"))


async def readyz(call: Call[NoQuery, None]) -> web.Response:
    told = await readiness(call.services)
    return answer(told, HTTPStatus.OK if told.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE)


async def readiness(services: Services) -> Readiness:
    """Whether the service can do its work, part by part."""
    reachable = await services.database.ready()
    guards = await _guards(services) if reachable else "unknown"
    delivers = _delivers(services)
    ready = reachable and guards == "present" and delivers and not services.course.draining
    return Readiness(
        status="ready" if ready else "not ready",
        database="reachable" if reachable else "unreachable",
        guards=guards,
        delivery="running" if delivers else "stopped",
        mail="smtp" if services.settings.smtp_url else "to files",
        tzdata=TZDATA_VERSION,
        version=perinat_sched.__version__,
    )


async def _guards(services: Services) -> Literal["present", "missing", "unknown"]:
    try:
        await services.database.check_guards()
    except MissingGuards:
        return "missing"
    except Unavailable:
        return "unknown"
    return "present"


def _delivers(services: Services) -> bool:
    last = services.delivery.last_pass
    return last is not None and services.clock() - last < STANDSTILL


async def metrics(call: Call[NoQuery, None]) -> web.Response:
    return web.Response(
        body=call.services.metrics.text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"},
    )


async def openapi(call: Call[NoQuery, None]) -> web.Response:
    return web.Response(body=_document(), content_type="application/json")


@lru_cache(maxsize=1)
def _document() -> bytes:
    from perinat_sched.web.openapi import document  # it describes this handler too

    return json.dumps(document(), ensure_ascii=False).encode()


async def docs(call: Call[NoQuery, None]) -> web.Response:
    return static("docs.html", "text/html", DOCS_POLICY)


async def asset(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("name")
    if name == "init.js":
        return static("docs-init.js", "text/javascript", DOCS_POLICY)
    if name not in ASSETS:
        raise NotFound
    body = await _swagger_file(name)
    return web.Response(body=body, headers={"Content-Type": ASSETS[name], "Cache-Control": "public, max-age=86400"})


async def _swagger_file(name: str) -> bytes:
    spec = importlib.util.find_spec(SWAGGER)
    if spec is None or not spec.submodule_search_locations:
        raise NotFound
    return await asyncio.to_thread((Path(spec.submodule_search_locations[0]) / "dist" / name).read_bytes)


def static(name: str, content_type: str, policy: str) -> web.Response:
    """A file of ours, as it lies in the package."""
    text = resources.files("perinat_sched.web").joinpath("static", name).read_text("utf-8")
    return web.Response(text=text, content_type=content_type, headers={"Content-Security-Policy": policy})
