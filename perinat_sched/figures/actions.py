"""The report of a network's year, for its coordinators and for administrators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from perinat_sched import zones
from perinat_sched.availability import store as ground_store
from perinat_sched.errors import Forbidden
from perinat_sched.figures import store
from perinat_sched.figures.reckoning import MINUTE, Figures, reckon
from perinat_sched.intervals import Interval, difference, union
from perinat_sched.people.access import Actor, NetworkRef, may
from perinat_sched.sites.closures import Calendars, open_hours
from perinat_sched.sites.network import Directory, Network, Room, Site
from perinat_sched.storage.database import Database
from perinat_sched.zones import Clock


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a report says, but for words."""

    network: Network
    year: int
    figures: Figures
    mails: Mapping[tuple[str, str], int]  # by kind and state


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Reading what a network did."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock

    def networks(self, actor: Actor) -> list[Network]:
        """Those whose figures somebody may read."""
        return [
            network
            for network in self.directory.networks.values()
            if may(actor, "figures", NetworkRef(network.code), self.directory)
        ]

    async def of(self, actor: Actor, code: str, year: int) -> Report:
        """The figures of a configured network's year. Four statements, whatever it did. Raises Forbidden."""
        if not may(actor, "figures", NetworkRef(code), self.directory):
            raise Forbidden
        sites = [site for site in self.directory.sites.values() if code in site.networks and site.active]
        whole = self._year(year, sites)
        async with self.database.read() as tx:
            facts = await store.facts(tx, code, year)
            mails = await store.mails(tx, code, year)
            entered = await ground_store.entered_closures(tx, self._closable(sites, code), whole)
        closed: dict[str, list[Interval]] = {}
        for place, closure in entered:
            closed.setdefault(place, []).append(closure.interval)
        open_by_site = {site.code: self._open(site, closed.get(site.code, []), year) for site in sites}
        rooms = {
            room.code: self._minutes(open_by_site[site.code], self._busy(room, closed, whole))
            for site in sites
            for room in site.rooms
        }
        anybody = union(span for spans in open_by_site.values() for span in spans)
        figures = reckon(
            facts,
            now=self.clock(),
            sites=[site.code for site in sites],
            rooms=rooms,
            bridges={
                bridge.code: (bridge.ports, self._minutes(anybody, closed.get(bridge.code, [])))
                for bridge in self.directory.bridges_of(code)
            },
        )
        return Report(network=self.directory.networks[code], year=year, figures=figures, mails=Counter(mails))

    def _closable(self, sites: Sequence[Site], network: str) -> list[str]:
        rooms = [room.code for site in sites for room in site.rooms]
        return [*(site.code for site in sites), *rooms, *(bridge.code for bridge in self.directory.bridges_of(network))]

    def _year(self, year: int, sites: Sequence[Site]) -> Interval:
        """From the first of its beginnings to the last of its ends, on all clocks."""
        spans = [self._local(year, zone) for zone in {site.timezone for site in sites} or {"UTC"}]
        return Interval(min(span.start for span in spans), max(span.end for span in spans))

    def _local(self, year: int, zone: str) -> Interval:
        return Interval(zones.start_of_day(date(year, 1, 1), zone), zones.start_of_day(date(year + 1, 1, 1), zone))

    def _open(self, site: Site, entered: Sequence[Interval], year: int) -> list[Interval]:
        """When a site was open in a year, until now."""
        whole = self._local(year, site.timezone)
        until = min(whole.end, self.clock())
        if until <= whole.start:
            return []
        window = Interval(whole.start, until)
        closed = [closure.interval for closure in self.calendars.of_site(site, window)]
        return difference(open_hours(site, window), [*closed, *entered])

    def _busy(self, room: Room, entered: Mapping[str, Sequence[Interval]], whole: Interval) -> list[Interval]:
        kept = [closure.interval for closure in self.calendars.of_room(room.code, whole)]
        return [*kept, *entered.get(room.code, ())]

    @staticmethod
    def _minutes(spans: Sequence[Interval], closed: Sequence[Interval]) -> int:
        return sum(span.duration // MINUTE for span in difference(spans, closed))
