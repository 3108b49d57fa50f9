"""Closures of bridges: maintenance entered by an administrator, and the sessions that then lack their ports.

A bridge serves many networks, so its hours are told by the administrator's clock, which the page names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web

from perinat_sched import i18n
from perinat_sched.availability.store import EnteredClosure
from perinat_sched.booking.closures import Hit
from perinat_sched.errors import NotFound
from perinat_sched.web.desk import clocks, html, offers
from perinat_sched.web.desk.clocks import span
from perinat_sched.web.desk.offers import Offer
from perinat_sched.web.desk.once import once
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.sites.closures import asked
from perinat_sched.web.desk.sites.site import ClosureForm
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs

BRIDGES = "/admin/bridges"


class BridgesQuery(PageQuery):
    """What has just been done."""

    done: Literal["", "removed"] = ""


@dataclass(frozen=True, kw_only=True)
class Shut:
    """A closure of a bridge, in words."""

    id: str
    bridge: str
    when: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A session that the closure falls on, and where it could go."""

    id: str
    title: str
    when: str
    host: str
    phone: str | None
    choices: Sequence[Offer]


async def listed(visit: Visit[BridgesQuery, None]) -> web.Response:
    return await _page(visit, ClosureForm(), done=visit.query.done)


async def enter(visit: Visit[PageQuery, ClosureForm]) -> web.Response:
    """Close a bridge, and go on to the sessions that this hits."""
    form = visit.form
    try:
        closure, _ = await visit.services.closures.enter(
            visit.actor, asked(form, visit.zone), once(visit, f"POST {BRIDGES}")
        )
    except ABOUT_FORMS as error:
        wrongs = visit.wrongs(error)
        return await _page(visit, form, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    return html.see(visit.request, f"{BRIDGES}/{closure.id}")


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    """One closure and its sessions. Nothing is cancelled by itself."""
    closure, hits = await visit.services.closures.hits(visit.actor, visit.path("id"))
    return html.respond(
        visit.request, "admin/bridge.html.j2", closure=_shut(visit, closure), struck=list(_struck(visit, hits))
    )


async def remove(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """Take it back. Sent twice, the second is led to the same page."""
    with suppress(NotFound):
        await visit.services.closures.remove(visit.actor, visit.path("id"))
    return html.see(visit.request, f"{BRIDGES}?done=removed")


async def _page(
    visit: Visit[Any, Any],
    form: ClosureForm,
    status: int = HTTPStatus.OK,
    *,
    wrongs: Wrongs | None = None,
    done: str = "",
) -> web.Response:
    closures, directory = visit.services.closures, visit.services.directory
    return html.respond(
        visit.request,
        "admin/bridges.html.j2",
        status,
        closures=[_shut(visit, one) for one in await closures.of_bridges()],
        places=[(f"bridge:{bridge.code}", bridge.name) for bridge in directory.bridges.values()],
        clock=i18n.whose(clocks.noon(visit.services.clock().date(), visit.zone), visit.language, visit.place),
        form=form,
        wrongs=wrongs or Wrongs(),
        done=done,
        key=html.fresh_key(),
    )


def _shut(visit: Visit[Any, Any], closure: EnteredClosure) -> Shut:
    """Raises NotFound for what is no bridge: a site and its rooms have a page of their own."""
    if closure.scope != "bridge":
        raise NotFound
    bridge = visit.services.directory.bridges.get(closure.code)
    return Shut(
        id=closure.id,
        bridge=bridge.name if bridge else closure.code,
        when=span(closure.interval, visit.zone, visit.language, visit.place),
        reason=closure.reason,
    )


def _struck(visit: Visit[Any, Any], hits: Sequence[Hit]) -> Iterator[Struck]:
    directory, language = visit.services.directory, visit.language
    for hit in hits:
        session = hit.session
        host = directory.sites.get(session.host_site)
        sites = [session.host_site, *(part.site for part in session.taking_part())]
        yield Struck(
            id=session.id,
            title=session.title,
            when=offers.moment(session.start, session.timezone, directory, language, sites),
            host=host.name if host else session.host_site,
            phone=host.phone if host else None,
            choices=[offers.offer(slot, session.timezone, directory, language) for slot in hit.slots],
        )
