"""Book a series: what is asked for, the verdict on each date before anything is booked, then all or what fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.booking.replay import Replay
from perinat_sched.errors import Forbidden, IdempotencyKeyReused, InvalidRequest
from perinat_sched.i18n import Message, say
from perinat_sched.notices.readers import told_of
from perinat_sched.people.access import Subject, may
from perinat_sched.series import wording
from perinat_sched.series.base import Plan
from perinat_sched.series.recurrence import WEEKDAYS
from perinat_sched.series.series import Change, Series, SeriesRefused, Whole
from perinat_sched.sites.network import Directory, Language, Site
from perinat_sched.storage.idempotency import StoredAnswer
from perinat_sched.web.desk import html
from perinat_sched.web.desk.once import once
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.series import form as series_form
from perinat_sched.web.desk.series.dates import VERDICTS, Date, dates, drifts
from perinat_sched.web.desk.series.form import SeriesForm
from perinat_sched.web.desk.words import REPEATS
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.schemas.base import QueryDay

ROUTE = "POST /series/new"
SOON = timedelta(days=7)  # after today: when the first date is proposed


class NewQuery(PageQuery):
    """`again`: a series that is proposed for other days."""

    again: str = Field(default="", max_length=64)
    first: QueryDay | None = Field(default=None, alias="from")
    last: QueryDay | None = Field(default=None, alias="to")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of each date when it was tried."""

    when: str
    without: Sequence[str]
    dates: Sequence[Date]
    drifts: Sequence[str]
    unmatched: Sequence[str]

    @property
    def fitting(self) -> int:
        return sum(one.verdict == "bookable" for one in self.dates)

    @property
    def asked(self) -> int:
        """The dates that are to be booked or changed."""
        return sum(one.verdict in VERDICTS for one in self.dates)

    @property
    def overridable(self) -> bool:
        return any(one.overridable for one in self.dates)


async def show(visit: Visit[NewQuery, None]) -> web.Response:
    """The form; with `again`, filled for other days and tried at once."""
    hosts = hosts_of(visit)
    query, today = visit.query, zones.to_local(visit.services.clock(), visit.zone).date()
    if not query.again:
        form = SeriesForm(
            key=html.fresh_key(),
            kind=next(iter(visit.services.directory.kinds)),
            host=visit.site.code if visit.site in hosts else hosts[0].code,
            start=f"{today + SOON}",
        )
        return page(visit, form, hosts)
    whole = await visit.services.series.get(visit.actor, query.again)
    first, last = query.first, query.last
    if first is None or last is None:  # the same days of the year after
        year = timedelta(days=364)
        days = [one.recurrence.date() for one in whole.occurrences] or [whole.series.session.wall_start.date()]
        first, last = first or days[0] + year, last or days[-1] + year
    asked = await visit.services.series.copy(visit.actor, query.again, first, last)
    form = series_form.filled(asked, whole.series.session.timezone, visit.language, key=html.fresh_key())
    return page(visit, form, hosts, tried=await tried(visit, await visit.services.series.try_out(visit.actor, asked)))


async def send(visit: Visit[PageQuery, SeriesForm]) -> web.Response:
    """Try the dates, or book them. The same form sent twice books once."""
    form, hosts, series = visit.form, hosts_of(visit), visit.services.series
    try:
        asked = series_form.asked(series_form.within(form, visit.services.directory))
        if form.do == "try":
            return page(visit, form, hosts, tried=await tried(visit, await series.try_out(visit.actor, asked)))
        done = await series.book_once(visit.actor, asked, _replay(visit))
    except SeriesRefused as refused:
        return page(visit, form, hosts, HTTPStatus.CONFLICT, tried=await tried(visit, refused.whole))
    except ABOUT_FORMS as error:
        if isinstance(error, IdempotencyKeyReused):
            form = form.model_copy(update={"key": html.fresh_key()})
        wrongs = visit.wrongs(error)
        return page(visit, form, hosts, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    visit.services.delivery.wake()
    return html.see(visit.request, done.headers["Location"])


def _replay(visit: Visit[PageQuery, SeriesForm]) -> Replay[Plan]:
    """Where one was sent is kept; why one was refused is looked up again, as it is then."""
    directory, key = visit.services.directory, once(visit, ROUTE)
    if key is None:
        raise InvalidRequest.of("form", "This form cannot be read: open the page again.")

    async def booked(plan: Plan) -> StoredAnswer:
        location = address(plan.series, "booked", plan.new, directory)
        return StoredAnswer(status=HTTPStatus.SEE_OTHER, body="", headers={"Location": location})

    return Replay(key=key, render=booked)


def address(series: Series, done: str, changed: Iterable[Change], directory: Directory) -> str:
    """The page of a series to which something was just done, with the sites that are told of it."""
    return f"/series/{series.id}?" + "&".join(
        [f"done={done}", *(f"told={code}" for code in sorted(told_of(changed, directory)))]
    )


async def tried(visit: Visit[Any, Any], whole: Whole) -> Tried:
    """A series that was tried, as people read it."""
    directory, language = visit.services.directory, visit.language
    return Tried(
        when=when(whole.series, directory, language),
        without=wording.without(whole.series, language),
        dates=await dates(visit, whole),
        drifts=drifts((one.session for one in whole.occurrences if one.session), directory, language),
        unmatched=whole.unmatched,
    )


def when(series: Series, directory: Directory, language: Language) -> str:
    """The rule in words, its hour called after a city of the series that keeps its clock."""
    draft = series.session
    sites = (directory.sites.get(code) for code in (draft.host_site, *draft.required_sites))
    city = next((site.city for site in sites if site and site.timezone == draft.timezone), None)
    return wording.when(series, language, city)


def page(
    visit: Visit[Any, Any],
    form: SeriesForm,
    hosts: Sequence[Site],
    status: int = HTTPStatus.OK,
    *,
    tried: Tried | None = None,
    wrongs: Wrongs | None = None,
) -> web.Response:
    return html.respond(
        visit.request,
        "series/new.html.j2",
        status,
        form=form,
        tried=tried,
        wrongs=wrongs or Wrongs(),
        hosts=hosts,
        **choices(visit, form),
    )


def choices(visit: Visit[Any, Any], form: SeriesForm) -> dict[str, Any]:
    """What the fields of a series choose from."""
    directory, language = visit.services.directory, visit.language
    holidays: dict[str, Site] = {}  # one site a calendar of public holidays
    for site in sorted(directory.sites.values(), key=lambda site: site.code not in form.exclude_holidays_of):
        if site.holidays and site.active:
            holidays.setdefault(site.holidays, site)
    calendars = visit.services.settings.calendars.agendas
    places = {site.timezone: i18n.place_of(site.timezone, language, site.city) for site in directory.sites.values()}
    return {
        "directory": directory,
        "holidays": [(site.code, Message("public holidays of {site}", site=site.name)) for site in holidays.values()],
        "calendars": [name for name in calendars if name not in directory.rooms and name not in directory.sites],
        "zones": [("", say(Message("the host’s"), language)), *((name, place) for name, place in places.items())],
        "repeats": [(code, say(words, language)) for code, words in REPEATS.items()],
        "weekdays": [(code, wording.weekday(code, language)) for code in WEEKDAYS],
    }


def hosts_of(visit: Visit[Any, Any]) -> list[Site]:
    """The sites for which the visitor may book. Raises Forbidden where there is none."""
    found = may_book(visit)
    if not found:
        raise Forbidden
    return found


def may_book(visit: Visit[Any, Any]) -> list[Site]:
    """The sites for which the visitor may book."""
    directory = visit.services.directory
    return [
        site
        for site in directory.sites.values()
        if site.active
        and any(may(visit.actor, "book", Subject.of(site.code, (), name), directory) for name in site.networks)
    ]
