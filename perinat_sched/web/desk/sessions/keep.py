"""What one does about a session without changing it: take its event along, ring a site, send a mail again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched.errors import InvalidRequest, RevisionMismatch
from perinat_sched.feeds.calendar import Cover, render_feed
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.sessions import session
from perinat_sched.web.desk.stale import SeenForm


async def calendar(visit: Visit[PageQuery, None]) -> web.Response:
    """The session as its feeds show it, as much as the visitor sees, from her own site if that takes part."""
    services = visit.services
    found = await services.enquiries.get(visit.actor, visit.path("id"))
    sight = services.enquiries.sight(visit.actor, found)
    own = [part.site for part in found.participations if part.site in visit.actor.sites]
    view = Viewpoint(language=visit.language, site=next(iter(own), None))
    cover = Cover(name="Périnat", zone=found.timezone, view=view, organizer=services.publisher.organizer)
    text = render_feed(cover, [(found, "full" if sight == "full" else "kind")], services.directory)
    return web.Response(
        body=text,
        headers={
            "Content-Type": "text/calendar; charset=utf-8",
            "Content-Disposition": f'attachment; filename="perinat-{found.wall_start:%Y-%m-%d}.ics"',
            "Cache-Control": "no-store",
        },
    )


class CallForm(SeenForm):
    """Who was rung."""

    site: str = Field(default="", max_length=40)


async def ring(visit: Visit[PageQuery, CallForm]) -> web.Response:
    """Note that a site was rung about the session as the page showed it."""
    services, form, session_id = visit.services, visit.form, visit.path("id")
    try:
        await services.history.call(visit.actor, session_id, form.site, form.sequence)
    except RevisionMismatch:
        return await session.changed(visit)
    except InvalidRequest as error:
        return await _wrong(visit, error)
    return html.see(visit.request, f"/sessions/{session_id}?done=rung")


async def send_again(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """Have a failed mail sent again."""
    services = visit.services
    try:
        mail = await services.notices.retry(visit.actor, visit.path("mail"))
    except InvalidRequest as error:
        return await _wrong(visit, error)
    services.delivery.wake()
    return html.see(visit.request, f"/sessions/{mail.session_id}?done=sent")


async def _wrong(visit: Visit[Any, Any], error: InvalidRequest) -> web.Response:
    """The page of the session, with what is wrong."""
    found = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    wrongs = visit.wrongs(error)
    return await session.page(visit, found, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
