"""Closures in words, and hours by the clock of a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from perinat_sched.people.access import RoomRef, SiteRef, may
from perinat_sched.sites.network import Language, Site
from perinat_sched.web.desk.clocks import span
from perinat_sched.web.desk.page import Visit


@dataclass(frozen=True, kw_only=True)
class Shut:
    """A closure in words."""

    id: str | None
    when: str
    place: str
    reason: str
    may: bool


def when(language: Language, session: Session, site: Site) -> str:
    """When a session begins, by a site's clock."""
    return i18n.moment(zones.to_local(session.start, site.timezone), language, place_of(language, site))


def place_of(language: Language, site: Site) -> str:
    """Whose hour a site's is, in words."""
    return i18n.place_of(site.timezone, language, site.city)


def shut(
    visit: Visit[Any, Any],
    site: Site,
    interval: Interval,
    reason: str,
    closure_id: str | None = None,
    scope: str = "site",
    code: str = "",
) -> Shut:
    """A closure in words: in whole days where it is whole days."""
    directory = visit.services.directory
    room = directory.rooms.get(code) if scope == "room" else None
    return Shut(
        id=closure_id,
        when=span(interval, site.timezone, visit.language, place_of(visit.language, site)),
        place=room.name if room else site.name,
        reason=reason,
        may=may(visit.actor, "close", RoomRef(room.code) if room else SiteRef(site.code), directory),
    )
