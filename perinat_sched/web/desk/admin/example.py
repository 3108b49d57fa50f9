"""The example programme: one button loads it, one takes it away."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from perinat_sched import zones
from perinat_sched.errors import InvalidRequest
from perinat_sched.example.programme import NETWORK
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit


async def load(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """Sent twice, it is loaded once. Shows the first whole week of it."""
    services = visit.services
    try:
        if await services.example.state(visit.actor) != "loaded":
            await services.example.load(visit.actor)
            services.delivery.wake()
    except InvalidRequest:
        if await services.example.state(visit.actor) != "loaded":  # by somebody else, or by this form, at this moment
            raise
    next_week = zones.to_local(services.clock(), visit.zone).date() + timedelta(days=7)
    return html.see(visit.request, f"/week?of=network:{NETWORK}&day={next_week}")


async def remove(visit: Visit[PageQuery, PageForm]) -> web.Response:
    await visit.services.example.remove(visit.actor)
    return html.see(visit.request, "/admin")
