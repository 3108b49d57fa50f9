"""What one takes along of a session: its event for a calendar; and a mail that is sent again."""

from __future__ import annotations

from aiohttp import web

from perinat_sched.errors import InvalidRequest
from perinat_sched.feeds.calendar import Cover, render_feed
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.sessions import session
from perinat_sched.web.desk.wrongs import Wrongs


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


async def send_again(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """Have a failed mail sent again."""
    services, session_id = visit.services, visit.path("id")
    try:
        await services.notices.retry(visit.actor, visit.path("mail"))
    except InvalidRequest as error:
        found = await services.enquiries.get(visit.actor, session_id)
        return await session.page(visit, found, 422, wrongs=Wrongs.told_by(error, visit.language))
    services.delivery.wake()
    return html.see(visit.request, f"/sessions/{session_id}?done=sent")
