"""The page behind the link of a reminder: stop them, or get them again.

Opening it changes nothing, because mail scanners follow links; its button does, and so does the one click of a mail
program (RFC 8058), which sends the same POST without a login. The address is signed: whoever has it has the mail.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import AnyQuery, Visit


async def show(visit: Visit[AnyQuery, None]) -> web.Response:
    return _page(visit, stopped=await visit.services.unsubscribing.stopped(visit.path("token")))


async def stop(visit: Visit[AnyQuery, None]) -> web.Response:
    await visit.services.unsubscribing.stop(visit.path("token"))
    return _page(visit, stopped=True)


async def resume(visit: Visit[AnyQuery, None]) -> web.Response:
    await visit.services.unsubscribing.resume(visit.path("token"))
    return _page(visit, stopped=False)


def _page(visit: Visit[Any, Any], *, stopped: bool) -> web.Response:
    action = f"/unsubscribe/{visit.path('token')}" + ("/undo" if stopped else "")
    return html.respond(visit.request, "calendars/unsubscribe.html.j2", untold=True, stopped=stopped, action=action)
