"""Series to be read, and one with its dates; a date booked after all, a date taken back to the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched.booking.request import checked_text
from perinat_sched.errors import InvalidRequest, RevisionMismatch
from perinat_sched.i18n import Message, say
from perinat_sched.people.access import SiteRef, may
from perinat_sched.series import wording
from perinat_sched.series.series import WALL, Series, SeriesRefused, Whole
from perinat_sched.sites.network import Site
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.series.dates import Date, dates, drifts
from perinat_sched.web.desk.series.new import address, may_book, when
from perinat_sched.web.desk.stale import SeenForm, Stale, meanwhile, numbered, seen
from perinat_sched.web.desk.words import STATUSES
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import MOST_SITES

A_PAGE = 50
DONE = {
    "booked": Message("The series is booked."),
    "changed": Message("The series is changed."),
    "cancelled": Message("What was still to come is cancelled."),
    "answered": Message("The answer is noted for every date."),
    "later": Message("The date is booked."),
    "back": Message("The date is as the series has it again."),
}


class ListQuery(PageQuery):
    """From which series on; how many sessions a plan has just booked, and who is told."""

    after: str = Field(default="", max_length=100)
    booked: str = Field(default="", max_length=6, pattern="^[0-9]*$")
    told: list[str] = Field(default_factory=list, max_length=MOST_SITES)


class SeriesQuery(PageQuery):
    """What was just done, and who is told."""

    done: Literal["", "booked", "changed", "cancelled", "answered", "later", "back"] = ""
    told: list[str] = Field(default_factory=list, max_length=MOST_SITES)


class LaterForm(SeenForm):
    """A date that was left out, to be booked now."""

    date: str = Field(default="", max_length=16)
    override_reason: str = Field(default="", max_length=300)
    no_patient_data: Literal["", "true"] = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series in the list."""

    id: str
    title: str
    when: str
    host: str
    state: Message
    left: int  # dates still to come
    missing: int  # dates that were left out


async def listed(visit: Visit[ListQuery, None]) -> web.Response:
    """The series one sees, by first date."""
    start, _, series_id = visit.query.after.partition(" ")
    after = (start, series_id) if series_id else None
    found, more = await visit.services.series.page(visit.actor, after, A_PAGE)
    last = found[-1].series if found else None
    return html.respond(
        visit.request,
        "series/list.html.j2",
        lines=[_line(visit, one) for one in found],
        after=f"{last.session.wall_start:{WALL}} {last.id}" if more and last else None,
        may_book=may_book(visit),
        booked=visit.query.booked,
        told=_told(visit, visit.query.told),
    )


def _line(visit: Visit[Any, Any], whole: Whole) -> Line:
    directory, language, series = visit.services.directory, visit.language, whole.series
    full = visit.services.series.sight(visit.actor, series) == "full"
    kind = directory.kinds.get(series.session.kind)
    host = directory.sites.get(series.session.host_site)
    now = visit.services.clock()
    alive = [one.session for one in whole.occurrences if one.session and one.session.status != "cancelled"]
    return Line(
        id=series.id,
        title=series.session.title if full else (kind.name[language] if kind else series.session.kind),
        when=when(series, directory, language),
        host=(host.name if host else series.session.host_site) if full else "",
        state=STATUSES[whole.status],
        left=sum(session.start > now for session in alive),
        missing=sum(one.verdict == "left_out" for one in whole.occurrences),
    )


async def show(visit: Visit[SeriesQuery, None]) -> web.Response:
    whole = await visit.services.series.get(visit.actor, visit.path("id"))
    done = DONE[visit.query.done] if visit.query.done else None
    return await page(visit, whole, done=done, told=_told(visit, visit.query.told))


def _told(visit: Visit[Any, Any], codes: Sequence[str]) -> list[str]:
    """The names of the sites that an address says are told."""
    sites = visit.services.directory.sites
    return [sites[code].name for code in codes if code in sites]


async def later(visit: Visit[PageQuery, LaterForm]) -> web.Response:
    """Book a date that was left out."""
    form, services, series_id = visit.form, visit.services, visit.path("id")
    reason = form.override_reason.strip() or None
    try:
        if reason is not None:
            sure = bool(form.no_patient_data)
            reason = checked_text("override_reason", reason, services.directory, sure=sure)
        booked = await services.series_upkeep.book_later(visit.actor, series_id, form.date, reason, form.sequence)
    except SeriesRefused as refused:
        return await _refused(visit, refused, form.date)
    except RevisionMismatch:
        return await changed(visit, series_id)
    except ABOUT_FORMS as error:
        whole = await services.series.get(visit.actor, series_id)
        wrongs = visit.wrongs(error)
        return await page(visit, whole, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs, tried=form.date, form=form)
    services.delivery.wake()
    whole = await services.series.get(visit.actor, series_id)
    return html.see(visit.request, address(whole.series, "later", [(None, booked)], services.directory))


async def back(visit: Visit[PageQuery, SeenForm]) -> web.Response:
    """Take a date back to the rule."""
    services = visit.services
    session = await services.enquiries.get(visit.actor, visit.path("id"))
    if session.series is None:
        raise InvalidRequest.of("form", "This session is in no series.")
    try:
        await services.series_upkeep.back_to_rule(visit.actor, session.id, visit.form.sequence)
    except SeriesRefused as refused:
        recurrence = f"{session.recurrence:{WALL}}"
        return await _refused(visit, refused, recurrence, series_id=session.series)
    except RevisionMismatch:
        return await changed(visit, session.series, await meanwhile(visit, session, visit.form))
    except ABOUT_FORMS as error:
        whole = await services.series.get(visit.actor, session.series)
        wrongs = visit.wrongs(error)
        return await page(visit, whole, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    services.delivery.wake()
    return html.see(visit.request, f"/series/{session.series}?done=back")


async def changed(visit: Visit[Any, Any], series_id: str, stale: Stale | None = None) -> web.Response:
    """The series as it is now, after a form of it that was older."""
    whole = await visit.services.series.get(visit.actor, series_id)
    return await page(visit, whole, HTTPStatus.PRECONDITION_FAILED, stale=stale or Stale())


async def _refused(
    visit: Visit[Any, Any], refused: SeriesRefused, recurrence: str, *, series_id: str | None = None
) -> web.Response:
    """The series with what speaks against one of its dates now."""
    whole = await visit.services.series.get(visit.actor, series_id or visit.path("id"))
    form = visit.form if isinstance(visit.form, LaterForm) else None
    against = await dates(visit, refused.whole)
    return await page(visit, whole, HTTPStatus.CONFLICT, against=against, tried=recurrence, form=form)


async def page(
    visit: Visit[Any, Any],
    whole: Whole,
    status: int = HTTPStatus.OK,
    *,
    done: Message | None = None,
    told: Sequence[str] = (),
    wrongs: Wrongs | None = None,
    against: Sequence[Date] = (),
    tried: str = "",
    form: LaterForm | None = None,
    stale: Stale | None = None,
) -> web.Response:
    """One series, as much as the visitor sees: all of it, or kind and times."""
    services, language, series = visit.services, visit.language, whole.series
    directory, draft = services.directory, series.session
    full = services.series.sight(visit.actor, series) == "full"
    kind, network = directory.kinds.get(draft.kind), directory.networks.get(draft.network)
    shown = await dates(visit, whole)
    booked = [one.session for one in whole.occurrences if one.session and one.session.status != "cancelled"]
    return html.respond(
        visit.request,
        "series/overview.html.j2",
        status,
        series=series,
        full=full,
        kind=kind.name[language] if kind else draft.kind,
        network=network.name if network else draft.network,
        when=when(series, directory, language),
        without=[*wording.without(series, language), *(_holidays(visit, series) if full else ())],
        state=STATUSES[whole.status],
        sites=_names(visit, [draft.host_site, *draft.required_sites]),
        optional_sites=_names(visit, draft.optional_sites),
        dates=[one for one in shown if one.session],
        left_out=[one for one in shown if one.verdict == "left_out"] if full else [],
        drifts=drifts((one for one in booked if one.start > services.clock()), directory, language) if full else [],
        minutes=int(draft.duration.total_seconds() // 60),
        may_change=may(visit.actor, "change", series.subject, directory),
        answering=answering(visit, whole),
        to_come=any(one.start > services.clock() for one in booked) or any(missing(one) for one in shown),
        done=done,
        told=told,
        wrongs=wrongs or Wrongs(),
        against=against,
        tried=tried,
        form=form or LaterForm(),
        seen=numbered(series),
        seen_session=seen,
        stale=stale,
    )


def missing(one: Date) -> bool:
    """Whether a date was left out that may still be booked."""
    return one.verdict == "left_out" and not one.past


def answering(visit: Visit[Any, Any], whole: Whole) -> list[Site]:
    """The sites of a series for which the visitor may answer."""
    directory, subject = visit.services.directory, whole.series.subject
    present = {part.site for one in whole.occurrences if one.session for part in one.session.participations}
    return [
        site
        for code, site in directory.sites.items()
        if code in present and may(visit.actor, "answer", SiteRef(code, subject), directory)
    ]


def _names(visit: Visit[Any, Any], codes: Sequence[str]) -> list[str]:
    sites = visit.services.directory.sites
    return [sites[code].name if code in sites else code for code in codes]


def _holidays(visit: Visit[Any, Any], series: Series) -> list[str]:
    """Whose holidays are left out."""
    sites = visit.services.directory.sites
    messages = [
        Message("public holidays of {site}", site=sites[name].name)
        if name in sites
        else Message("calendar {name}", name=name)
        for name in series.exclude_holidays_of
    ]
    return [say(one, visit.language) for one in messages]
