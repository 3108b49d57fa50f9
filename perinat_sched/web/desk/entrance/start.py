"""The start page: what this is and how to get in; to a visitor who is in, the way to her pages."""

from __future__ import annotations

from aiohttp import web

from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    directory = visit.services.directory
    return html.respond(
        visit.request,
        "entrance/start.html.j2",
        networks=[network.name for network in directory.networks.values()],
        public_url=visit.services.settings.public_url,
    )
