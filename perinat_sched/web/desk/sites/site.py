"""My site: what waits for its answer, the weeks ahead, and what is closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Participation, Session
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import BookingRefused, NotFound, RevisionMismatch
from perinat_sched.i18n import Message, say
from perinat_sched.people.access import RoomRef, SiteRef, may
from perinat_sched.series.series import SeriesRefused
from perinat_sched.sites.closures import Closure
from perinat_sched.sites.network import Site
from perinat_sched.web.desk import html, timetable
from perinat_sched.web.desk.clocks import noon
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sites import many
from perinat_sched.web.desk.sites.many import ManyForm
from perinat_sched.web.desk.sites.shut import Shut, place_of, shut, when
from perinat_sched.web.desk.stale import SeenForm, Stale, meanwhile, seen
from perinat_sched.web.desk.words import ANSWERS
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import LONGEST_CODE, MOST_ITEMS

WEEKS = 4


class SiteQuery(PageQuery):
    """Which site, and what has just been done there."""

    site: str = Field(default="", max_length=LONGEST_CODE)
    done: Literal["", "answered", "removed"] = ""


class AnswerForm(SeenForm):
    """A site's answer."""

    site: str = Field(default="", max_length=LONGEST_CODE)
    session: str = Field(default="", max_length=64)
    answer: Literal["accepted", "declined", "tentative"]
    room: str = Field(default="", max_length=LONGEST_CODE)  # empty: as it is booked
    comment: str = Field(default="", max_length=4000)
    no_patient_data: Literal["", "yes"] = ""


class ClosureForm(PageForm):
    """A closure, as it is typed."""

    site: str = Field(default="", max_length=LONGEST_CODE)  # on whose page
    place: str = Field(default="", max_length=60)  # site:calais, room:calais-1
    first: str = Field(default="", max_length=20)
    first_at: str = Field(default="", max_length=20)  # empty: from the beginning of the day
    last: str = Field(default="", max_length=20)  # empty: the first day
    last_at: str = Field(default="", max_length=20)  # empty: the day included
    reason: str = Field(default="", max_length=1000)
    no_patient_data: Literal["", "yes"] = ""
    key: str = Field(default="", max_length=60)  # the same form sent twice closes once


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A session as its site reads it."""

    id: str
    seen: str  # as forms about it carry it
    name: str
    when: str
    host: str
    phone: str | None
    others: str
    answer: Message
    hosted: bool  # by the site itself, which cannot decline
    lost: bool
    may: bool  # the visitor answers for the site
    room: str | None
    rooms: Sequence[tuple[str, str]]  # other rooms to choose from


@dataclass(frozen=True, kw_only=True)
class Week:
    """A week ahead."""

    first: date
    name: str
    entries: Sequence[Entry]
    closures: Sequence[Shut]


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A form that was refused, and why."""

    wrongs: Wrongs = field(default_factory=Wrongs)
    refused: Refusal | None = None
    stale: Stale | None = None
    answer: AnswerForm | None = None
    closure: ClosureForm | None = None
    series: str = ""  # of which the answer was for all dates


async def show(visit: Visit[SiteQuery, None]) -> web.Response:
    return await page(visit, visit.query.site, done=visit.query.done)


async def answer(visit: Visit[PageQuery, AnswerForm]) -> web.Response:
    """A site accepts, declines or says perhaps."""
    form = visit.form
    site = chosen(visit, form.site)
    try:
        await visit.services.bookings.answer(
            visit.actor,
            form.session,
            site.code,
            form.answer,
            form.room or None,
            form.comment,
            sure=form.no_patient_data == "yes",
            sequence=form.sequence,
        )
    except RevisionMismatch:
        found = await visit.services.enquiries.get(visit.actor, form.session)
        mistake = Mistake(stale=await meanwhile(visit, found, form), answer=form)
        return await page(visit, site.code, HTTPStatus.PRECONDITION_FAILED, mistake=mistake)
    except ABOUT_FORMS as error:
        mistake = Mistake(wrongs=visit.wrongs(error), answer=form)
        return await page(visit, site.code, HTTPStatus.UNPROCESSABLE_ENTITY, mistake=mistake)
    except BookingRefused as error:
        why = await refusal(visit, error.conflicts, (), error.timezone)
        mistake = Mistake(refused=why, answer=form)
        return await page(visit, site.code, HTTPStatus.CONFLICT, mistake=mistake)
    visit.services.delivery.wake()
    return html.see(visit.request, f"/site?site={site.code}&done=answered")


async def answer_all(visit: Visit[PageQuery, ManyForm]) -> web.Response:
    """One answer for all dates, or none where one of them speaks against it. Given twice, it is the same."""
    form, services = visit.form, visit.services
    site = chosen(visit, form.site)
    try:
        await services.series_upkeep.answer(
            visit.actor,
            form.series,
            site.code,
            form.answer,
            None,
            "",
            until=None,
            but=(),
            sure=False,
            sequence=form.sequence,
        )
    except RevisionMismatch:
        mistake = Mistake(stale=Stale(), series=form.series)
        return await page(visit, site.code, HTTPStatus.PRECONDITION_FAILED, mistake=mistake)
    except SeriesRefused as refused:
        why = await refusal(visit, refused.conflicts, (), refused.timezone)
        mistake = Mistake(refused=why, series=form.series)
        return await page(visit, site.code, HTTPStatus.CONFLICT, mistake=mistake)
    services.delivery.wake()
    return html.see(visit.request, f"/site?site={site.code}&done=answered")


def chosen(visit: Visit[Any, Any], code: str) -> Site:
    """The site that is named, or the first of the visitor's. Raises NotFound where it is none of hers."""
    sites = _sites(visit)
    found = sites.get(code) if code else next(iter(sites.values()), None)
    if found is None:
        raise NotFound
    return found


def _sites(visit: Visit[Any, Any]) -> dict[str, Site]:
    """The visitor's sites, her own first, then those of her networks; all of them for an administrator."""
    directory, actor = visit.services.directory, visit.actor
    everything = {code: site for code, site in directory.sites.items() if site.active}
    own = {code: site for code, site in everything.items() if code in actor.sites}
    near = {
        code: site
        for code, site in everything.items()
        if actor.role == "admin" or actor.networks.intersection(site.networks)
    }
    return own | near


async def page(
    visit: Visit[Any, Any],
    code: str,
    status: int = HTTPStatus.OK,
    *,
    done: str = "",
    mistake: Mistake | None = None,
) -> web.Response:
    """The page of a site; after a form was refused, with what was typed."""
    services, site = visit.services, chosen(visit, code)
    today = zones.to_local(services.clock(), site.timezone).date()
    last = timetable.monday(today) + timedelta(days=7 * WEEKS - 1)
    waiting = await services.enquiries.waiting(visit.actor, site.code, limit=MOST_ITEMS)
    series = await many.waiting(visit, site, waiting)
    ahead = await services.enquiries.sessions(
        visit.actor, SessionFilter(site=site.code, first_day=today, last_day=last), after=None, limit=MOST_ITEMS
    )
    known = await services.closures.of_site(site.code, today, last)
    entered = await services.closures.entered(site)
    return html.respond(
        visit.request,
        "sites/site.html.j2",
        status,
        site=site,
        sites=[(each.code, each.name) for each in _sites(visit).values()],
        clock=i18n.whose(noon(today, site.timezone), visit.language, place_of(visit.language, site)),
        waiting=[_entry(visit, site, session) for session in waiting],
        series=series,
        of_series={session.id: session.series for session in waiting},
        weeks=list(_weeks(visit, site, today, ahead.sessions, known)),
        entered=[shut(visit, site, each.interval, each.reason, each.id, each.scope, each.code) for each in entered],
        places=[*_places(visit, site)],
        mistake=mistake or Mistake(),
        closing_wrongs=mistake.wrongs if mistake and mistake.closure else Wrongs(),
        closing=mistake.closure if mistake and mistake.closure else ClosureForm(place=f"site:{site.code}"),
        done=done,
        key=html.fresh_key(),
    )


def _places(visit: Visit[Any, Any], site: Site) -> Iterator[tuple[str, str]]:
    """What of a site the visitor may close."""
    if may(visit.actor, "close", SiteRef(site.code), visit.services.directory):
        yield f"site:{site.code}", say(Message("{site}, the whole site", site=site.name), visit.language)
    for room in site.rooms:
        if may(visit.actor, "close", RoomRef(room.code), visit.services.directory):
            yield f"room:{room.code}", room.name


def _weeks(
    visit: Visit[Any, Any], site: Site, today: date, sessions: Sequence[Session], closures: Iterable[Closure]
) -> Iterator[Week]:
    now = visit.services.clock()
    known = list(closures)
    for number in range(WEEKS):
        first = timetable.monday(today) + timedelta(days=7 * number)
        window = timetable.week(first, site.timezone)
        yield Week(
            first=first,
            name=i18n.day(noon(first, site.timezone), visit.language),
            entries=[
                _entry(visit, site, session)
                for session in sessions
                if window.start <= session.start < window.end and session.end > now and session.status != "cancelled"
            ],
            closures=[
                shut(visit, site, each.interval, each.reason) for each in known if each.interval.overlaps(window)
            ],
        )


def _entry(visit: Visit[Any, Any], site: Site, session: Session) -> Entry:
    directory, language = visit.services.directory, visit.language
    part = session.participation(site.code)
    assert part is not None  # it was asked by site
    host = directory.sites.get(session.host_site)
    names = [directory.sites[each.site].name if each.site in directory.sites else each.site
             for each in session.taking_part() if each.site not in (site.code, session.host_site)]  # fmt: skip
    return Entry(
        id=session.id,
        seen=seen(session),
        name=session.title,
        when=when(language, session, site),
        host=host.name if host else session.host_site,
        phone=host.phone if host else None,
        others=", ".join(names),
        answer=ANSWERS[part.answer],
        hosted=session.host_site == site.code,
        lost=part.lost,
        may=may(visit.actor, "answer", SiteRef(site.code, session.subject), directory),
        room=_room(visit, part),
        rooms=[(room.code, room.name) for room in site.rooms if room.code != part.room],
    )


def _room(visit: Visit[Any, Any], part: Participation) -> str | None:
    room = visit.services.directory.rooms.get(part.room or "")
    return room.name if room else part.room
