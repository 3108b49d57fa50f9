"""A year's plan: spreadsheets in, spreadsheets out."""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import web

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import NotFound
from perinat_sched.i18n import Message, say
from perinat_sched.series import sheet
from perinat_sched.sites.network import Site
from perinat_sched.web import refusals
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.planning import ImportQuery, YearQuery
from perinat_sched.web.views import View
from perinat_sched.web.views_planning import PlanningView

A_PAGE = 500
A_DAY = timedelta(days=1)
HEADINGS = (
    Message("Date"), Message("Start"), Message("End"), Message("Time zone"), Message("Kind"), Message("Title"),
    Message("Host"), Message("Sites"), Message("Optional sites"), Message("Network"),
    Message("Room"), Message("Answer"),
    Message("Status"), Message("Series"), Message("Session"),
)  # fmt: skip
SEPARATOR = {"fr": ";", "en": ","}  # what a double click in Excel expects
STATES = {
    "pending": Message("pending"),
    "accepted": Message("accepted"),
    "declined": Message("declined"),
    "tentative": Message("tentative"),
    "confirmed": Message("confirmed"),
    "cancelled": Message("cancelled"),
}


async def read_in(call: Call[ImportQuery, bytes]) -> web.Response:
    """Book a file, or (`dry_run`) say what would become of it."""
    query, importing = call.query, call.services.series_import
    work = importing.try_out if query.dry_run else importing.book
    imported = await work(call.actor, call.body, query.on_conflict, sure=query.no_patient_data)
    call.services.delivery.wake()
    seen = await refusals.sights(call.services, call.actor, imported.conflicts)
    view = View(actor=call.actor, directory=call.services.directory, language=call.language)
    told = PlanningView(view=view, seen=seen).imported(imported, proposed=query.dry_run)
    return answer(told, status=HTTPStatus.CREATED if imported.booked else HTTPStatus.OK)


async def written_out(call: Call[YearQuery, None]) -> web.Response:
    """A site's sessions of a year that the caller sees in full, by the clock of the site."""
    site = call.services.directory.sites.get(call.path("code"))
    if site is None:
        raise NotFound
    year = call.query.year
    wanted = SessionFilter(site=site.code, first_day=date(year, 1, 1) - A_DAY, last_day=date(year, 12, 31) + A_DAY)
    found, after = list[Session](), None
    while True:
        page = await call.services.enquiries.sessions(call.actor, wanted, after=after, limit=A_PAGE)
        found += page.sessions
        after = page.next
        if after is None:
            break
    rows = [_row(call, one, site) for one in found if zones.to_local(one.start, site.timezone).year == year]
    header = [say(heading, call.language) for heading in HEADINGS]
    return web.Response(
        body=sheet.written(header, rows, SEPARATOR[call.language]),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{site.code}-{year}.csv"'},
    )


def _row(call: Call[Any, Any], session: Session, site: Site) -> list[str]:
    """A session as the lines of an import have it, and what became of it; sites by their codes."""
    start, end = (zones.to_local(one, site.timezone) for one in (session.start, session.end))
    here = session.participation(site.code)
    kind = call.services.directory.kinds.get(session.kind)
    others = session.participations[1:]
    return [
        f"{start:%Y-%m-%d}",
        f"{start:%H:%M}",
        f"{end:%H:%M}",
        site.timezone,
        kind.name[call.language] if kind else session.kind,
        session.title,
        session.host_site,
        ", ".join(one.site for one in others if one.required),
        ", ".join(one.site for one in others if not one.required),
        session.network,
        here.room or "" if here else "",
        say(STATES[here.answer], call.language) if here else "",
        say(STATES[session.status], call.language),
        session.series or "",
        session.id,
    ]
