"""Slots as people read them: when by the host's clock, what everybody else's clock shows, and who could not come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from perinat_sched import i18n, zones
from perinat_sched.availability.conflicts import Code
from perinat_sched.availability.slots import Slot
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory, Language

REASONS: Mapping[Code, Message] = {
    "room_taken": Message("room taken"),
    "ports_exhausted": Message("bridge full"),
    "no_bridge": Message("no bridge"),
    "site_inactive": Message("does not take part at present"),
    "in_the_past": Message("past"),
    "outside_hours": Message("outside opening hours"),
    "site_closed": Message("closed"),
    "room_busy_elsewhere": Message("room busy elsewhere"),
    "set_up_overlap": Message("set-up or release would overlap"),
    "too_late": Message("too late to book"),
    "too_long": Message("too long"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A slot that can be taken."""

    start: str  # as a form writes it
    fold: str | None
    when: str
    others: Sequence[str]  # what the other clocks show
    free: int
    of: int
    missing: Sequence[str]  # names


def offer(slot: Slot, zone: str, directory: Directory, language: Language) -> Offer:
    """One slot, by the clock of `zone`."""
    start, fold = as_typed(slot.start, zone)
    sites = [place.site for place in slot.places]
    return Offer(
        start=start,
        fold=fold,
        when=moment(slot.start, zone, directory, language, sites),
        others=clocks(slot.start, zone, directory, language, sites),
        free=sum(place.free for place in slot.places),
        of=len(slot.places),
        missing=[directory.sites[place.site].name for place in slot.places if not place.free],
    )


def as_typed(instant: datetime, zone: str) -> tuple[str, str | None]:
    """An instant as a form writes it: the wall time, and which pass of it where the hour comes twice."""
    local = zones.to_local(instant, zone)
    twice = len(zones.instants(local.replace(tzinfo=None, fold=0), zone)) > 1
    return f"{local:%Y-%m-%dT%H:%M}", str(local.fold) if twice else None


def moment(instant: datetime, zone: str, directory: Directory, language: Language, sites: Iterable[str]) -> str:
    """A day and hour, called after the first of these sites that keeps this clock."""
    city = next((s.city for code in sites if (s := directory.sites.get(code)) and s.timezone == zone), None)
    return i18n.moment(zones.to_local(instant, zone), language, i18n.place_of(zone, language, city))


def called(zone: str, directory: Directory, language: Language) -> str:
    """What people call a clock: after the city of a site that keeps it, where its zone's own name is another."""
    city = next((site.city for site in directory.sites.values() if site.timezone == zone), None)
    return i18n.place_of(zone, language, city)


def clocks(instant: datetime, zone: str, directory: Directory, language: Language, sites: Iterable[str]) -> list[str]:
    """What every other clock among these sites shows, with the day where it is another one."""
    here = zones.to_local(instant, zone)
    cities: dict[str, str | None] = {}
    for site in (directory.sites[code] for code in sites if code in directory.sites):
        if site.timezone != zone:
            cities.setdefault(site.timezone, site.city)
    told = []
    for name, city in cities.items():
        local = zones.to_local(instant, name)
        words = i18n.moment if local.date() != here.date() else i18n.hour
        told.append(words(local, language, i18n.place_of(name, language, city)))
    return told


def typed(start: str, directory: Directory, language: Language, host: str) -> str:
    """A wall time as it was typed, in words, where it is one."""
    site = directory.sites.get(host)
    try:
        wall = zones.parse_wall(start, "start")
    except InvalidRequest:
        return start
    if site is None:
        return start
    place = i18n.place_of(site.timezone, language, site.city)
    return i18n.moment(wall.replace(tzinfo=zones.zone(site.timezone)), language, place)
