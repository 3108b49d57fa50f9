"""How the service is, for its administrators: its parts, its mails, and the weeks in which clocks differ otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from aiohttp import web

from perinat_sched import i18n, zones
from perinat_sched.i18n import Message
from perinat_sched.intervals import Interval
from perinat_sched.web import operation
from perinat_sched.web.desk import clocks, html
from perinat_sched.web.desk.page import PageQuery, Visit

AHEAD = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the service, and whether it is as it should be."""

    name: Message
    state: Message
    good: bool
    more: str = ""


@dataclass(frozen=True, kw_only=True)
class OddClocks:
    """A period in which two clocks are not as far apart as usual."""

    places: str
    first: str
    last: str
    unusual: str
    usual: str


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    services = visit.services
    readiness = await operation.readiness(services)
    backlog = await services.notices.backlog()
    last_pass, away = services.delivery.last_pass, services.delivery.away_until
    running, by_relay = readiness.delivery == "running", readiness.mail == "smtp"
    mail = Message("by a relay") if by_relay else Message("to files: nobody receives them")
    parts = [
        Part(
            name=Message("Database"),
            state=Message("reachable") if readiness.database == "reachable" else Message("away"),
            good=readiness.database == "reachable",
        ),
        Part(
            name=Message("Guards against double booking"),
            state=Message("in place") if readiness.guards == "present" else Message("missing"),
            good=readiness.guards == "present",
        ),
        Part(
            name=Message("Delivery of mails"),
            state=Message("running") if running else Message("standing still"),
            good=running,
            more=clocks.moment(visit, last_pass) if last_pass else "",
        ),
        Part(
            name=Message("Mails leave"),
            state=Message("by a relay that does not answer") if by_relay and away else mail,
            good=by_relay and away is None,
        ),
    ]
    return html.respond(
        visit.request,
        "admin/health.html.j2",
        ready=readiness.status == "ready",
        parts=parts,
        version=readiness.version,
        tzdata=readiness.tzdata,
        backlog=backlog,
        waiting_since=clocks.moment(visit, backlog.waiting_since) if backlog.waiting_since else None,
        last_sent=clocks.moment(visit, backlog.last_sent) if backlog.last_sent else None,
        odd=_odd_clocks(visit),
        example=await services.example.state(visit.actor),
        until=i18n.day(zones.to_local(services.clock() + AHEAD, visit.zone), visit.language),
    )


def _odd_clocks(visit: Visit[PageQuery, None]) -> Sequence[OddClocks]:
    """The periods of the coming year, of every pair of clocks in the network; one's own is named first."""
    now = visit.services.clock()
    sites = [site for site in visit.services.directory.sites.values() if site.active]
    cities = {site.timezone: site.city for site in reversed(sites)}
    names = {zone: i18n.place_of(zone, visit.language, city) for zone, city in cities.items()}
    pairs = combinations(sorted(cities, key=lambda zone: (zone != visit.zone, names[zone])), 2)
    found = [
        (period, one, other)
        for one, other in pairs
        for period in zones.odd_periods(Interval(now, now + AHEAD), one, other)
    ]
    return [
        OddClocks(
            places=f"{names[one]} – {names[other]}",
            first=i18n.day(zones.to_local(period.start, one), visit.language),
            last=i18n.day(zones.to_local(period.end - timedelta(seconds=1), one), visit.language),
            unusual=clocks.apart(period.start, one, other),
            usual=clocks.apart(period.start - timedelta(seconds=1), one, other),
        )
        for period, one, other in sorted(found, key=lambda entry: (entry[0].start, entry[1:]))
    ]
