"""The network as it is configured, and the closures of a year: what the operators' files say, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.sites.closures import Closure, Source
from perinat_sched.sites.network import OpeningHours, Site
from perinat_sched.web.desk import html
from perinat_sched.web.desk.clocks import span
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.schemas.base import FIRST_YEAR, LAST_YEAR, QueryInt
from perinat_sched.web.views import MINUTE

SOURCES: Mapping[Source, Message] = {
    "public-holiday": Message("public holiday"),
    "calendar": Message("calendar file"),
    "entered": Message("entered here"),
}
NOTHING_SAID = datetime(2001, 1, 1)  # noqa: DTZ001 - a Monday of no zone, to name weekdays and hours


class ClosuresQuery(PageQuery):
    """Of which site, in which year."""

    site: str = Field(default="", max_length=40)  # the first
    year: Annotated[QueryInt, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None = None  # this one


@dataclass(frozen=True, kw_only=True)
class Told:
    """A closure, as people read it."""

    when: str
    reason: str
    source: Message
    past: bool


async def sites(visit: Visit[PageQuery, None]) -> web.Response:
    directory = visit.services.directory
    return html.respond(
        visit.request,
        "admin/sites.html.j2",
        directory=directory,
        sites=[(site, _hours(visit, site), _margins(visit, site)) for site in directory.sites.values()],
    )


async def closures(visit: Visit[ClosuresQuery, None]) -> web.Response:
    directory, query = visit.services.directory, visit.query
    if query.site and query.site not in directory.sites:
        wrong = repr(query.site)
        raise InvalidRequest.of("site", "There is no {code} here: take a code of the configuration.", code=wrong)
    site = directory.sites[query.site or next(iter(directory.sites))]
    now = visit.services.clock()
    year = query.year or zones.to_local(now, site.timezone).year
    found = await visit.services.closures.of_site(site.code, date(year, 1, 1), date(year, 12, 31))
    return html.respond(
        visit.request,
        "admin/closures.html.j2",
        site=site,
        sites=list(directory.sites.values()),
        year=year,
        years=(FIRST_YEAR, LAST_YEAR),
        place=i18n.place_of(site.timezone, visit.language, site.city),
        closures=[_told(visit, site, closure, now) for closure in found],
    )


def _told(visit: Visit[Any, Any], site: Site, closure: Closure, now: datetime) -> Told:
    """By the site's clock: as days where it is whole days."""
    place = i18n.place_of(site.timezone, visit.language, site.city)
    return Told(
        when=span(closure.interval, site.timezone, visit.language, place),
        reason=closure.reason,
        source=SOURCES[closure.source],
        past=closure.interval.end <= now,
    )


def _hours(visit: Visit[Any, Any], site: Site) -> Sequence[str]:
    """`lun.–ven. 8 h 00–19 h 00`, a line an entry."""
    return [
        f"{_days(visit, hours)} {_clock(visit, hours.opens)}–{_clock(visit, hours.closes)}"
        for hours in site.opening_hours
    ]


def _days(visit: Visit[Any, Any], hours: OpeningHours) -> str:
    days = sorted(hours.weekdays)
    names = [i18n.short_weekday(day, visit.language) for day in days]
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def _clock(visit: Visit[Any, Any], minutes: int) -> str:
    if minutes == 24 * 60:
        return "24\u00a0h\u00a000" if visit.language == "fr" else "24:00"
    return i18n.time_of_day(NOTHING_SAID + timedelta(minutes=minutes), visit.language)


def _margins(visit: Visit[Any, Any], site: Site) -> Message:
    margins = visit.services.directory.margins(None, site, None)
    return Message(
        "Set-up {before} min, release {after} min", before=margins.set_up // MINUTE, after=margins.release // MINUTE
    )
