"""What a search found, as a page shows it: slots to take, a map of hours, what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from perinat_sched import i18n, zones
from perinat_sched.availability.slots import Blocking, Search, Slot, SlotQuery, Start, Survey
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory, Language, Site
from perinat_sched.web.desk import clocks
from perinat_sched.web.desk.finding import heat
from perinat_sched.web.desk.offers import REASONS, Offer, as_typed, offer

DAYS_OFFERED = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """What stands in the way of how many more slots, and why."""

    what: Literal["host", "site", "bridge"]
    code: str | None  # None: the network has no bridge
    name: str
    gain: int
    reasons: Sequence[Message]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One start in the map."""

    start: str  # as a form writes it
    fold: str | None
    hour: str
    free: int
    missing: Sequence[str]  # the cities, or names, of the sites that could not come
    bookable: bool
    reason: Message | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A week of the map."""

    days: Sequence[str]
    heads: Sequence[str]  # of the further clocks
    rows: Sequence[tuple[str, Sequence[str], Sequence[Sequence[Cell]]]]  # hour, further hours, days


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """All of it."""

    bookable: int  # starts
    starts: int
    rules: Sequence[tuple[Message, int]]  # how many starts come too late, or are too long
    offers: Sequence[Offer]
    obstacles: Sequence[Obstacle]  # the worst first
    tables: Sequence[Table]
    of: int  # sites asked for
    hours: str  # whose clock


def found(survey: Survey, query: SlotQuery, directory: Directory, language: Language) -> Found:
    """The answer to a query, by the clock that it names."""
    proposal, search, zone = query.proposal, survey.search, query.timezone
    codes = (*proposal.needed, *proposal.optional)
    sites = [directory.sites[code] for code in codes]
    others = list({site.timezone: site for site in reversed(sites) if site.timezone != zone}.values())
    weeks = heat.weeks(survey.starts, zone, proposal.host, [site.timezone for site in others])
    city = next((site.city for site in sites if site.timezone == zone), None)
    return Found(
        bookable=search.bookable,
        starts=search.starts,
        rules=[(REASONS[code], count) for code, count in search.rules],
        offers=[offer(slot, zone, directory, language) for slot in _best_of_days(search.slots, zone)],
        obstacles=sorted(_obstacles(directory, search, proposal.host), key=lambda one: -one.gain),
        tables=[_table(week, zone, codes, others, directory, language) for week in weeks],
        of=len(codes),
        hours=i18n.whose(clocks.noon(query.first_day, zone), language, i18n.place_of(zone, language, city)),
    )


def _best_of_days(slots: Sequence[Slot], zone: str) -> list[Slot]:
    """The first slot of each day, of some days: half past nine beside nine o'clock would not be another choice."""
    days: dict[date, Slot] = {}
    for slot in slots:
        days.setdefault(zones.to_local(slot.start, zone).date(), slot)
    return list(days.values())[:DAYS_OFFERED]


def _table(
    week: heat.Week, zone: str, codes: Sequence[str], others: Sequence[Site], directory: Directory, language: Language
) -> Table:
    def told(start: Start) -> Cell:
        wall, fold = as_typed(start.at, zone)
        return Cell(
            start=wall,
            fold=fold,
            hour=i18n.time_of_day(zones.to_local(start.at, zone), language),
            free=len(codes) - len(start.missing),
            missing=[directory.sites[code].city or directory.sites[code].name for code in start.missing],
            bookable=start.bookable,
            reason=REASONS[start.reason] if start.reason else None,
        )

    return Table(
        days=[i18n.day(clocks.noon(day, zone), language) for day in week.days],
        heads=[head for site in others for head in clocks.heads(language, week.first, zone, site)],
        rows=[
            (
                i18n.time_of_day(row.hour, language),
                [i18n.time_of_day(local, language) for local in row.others],
                [[told(start) for start in cell] for cell in row.cells],
            )
            for row in week.rows
        ],
    )


def _obstacles(directory: Directory, search: Search, host: str) -> list[Obstacle]:
    def obstacle(one: Blocking) -> Obstacle:
        name = directory.sites[one.site].name if one.site else directory.bridges[one.bridge].name if one.bridge else ""
        return Obstacle(
            what="bridge" if one.site is None else "host" if one.site == host else "site",
            code=one.site or one.bridge,
            name=name,
            gain=one.slots_without,
            reasons=[REASONS[code] for code in one.reasons],
        )

    return [obstacle(one) for one in search.blocking if one.slots_without]
