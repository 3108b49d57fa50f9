"""The dates of a series as people read them: what becomes of each, why, whom to ring, and whose hour drifts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from perinat_sched import i18n, zones
from perinat_sched.booking.session import Session
from perinat_sched.i18n import Message, say
from perinat_sched.notices import drift
from perinat_sched.notices.notice import OddPeriod
from perinat_sched.people.access import Sight
from perinat_sched.series import merging
from perinat_sched.series.series import WALL, Occurrence, Series, Whole
from perinat_sched.sites.network import Directory, Language
from perinat_sched.web import refusals
from perinat_sched.web.desk import offers
from perinat_sched.web.desk.page import Visit
from perinat_sched.web.desk.words import STATUSES
from perinat_sched.web.schemas.slots import ConflictOut
from perinat_sched.web.views import View

VERDICTS: Mapping[str, Message] = {
    "bookable": Message("can be booked"),
    "conflict": Message("conflict"),
    "left_out": Message("left out"),
    "booked": Message("booked"),
    "exists": Message("booked before"),
    "invalid": Message("cannot be read"),
}
DIFFERENCES: Mapping[str, Message] = {  # what an exception may have of its own
    "kind": Message("another kind"),
    "title": Message("another title"),
    "description": Message("another description"),
    "duration": Message("another length"),
    "required_sites": Message("other sites"),
    "optional_sites": Message("other optional sites"),
    "rooms": Message("other rooms"),
    "join_url": Message("another link"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a date cannot be booked."""

    text: str
    session: str | None  # in the way, where the reader may open it
    ring: str | None
    phone: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Date:
    """One date."""

    id: str  # the recurrence id
    on: date
    day: str
    verdict: str  # bookable, conflict, left_out, or the status of its session
    words: Message
    session: Session | None
    reasons: Sequence[Reason]
    overridable: bool
    nearest: str  # when it could be instead
    hours: Sequence[str]  # what unusual clocks show
    moved: str  # when it takes place instead
    differs: Sequence[Message]
    past: bool

    @property
    def exception(self) -> bool:
        return bool(self.moved or self.differs)

    @property
    def agreed(self) -> int:
        """The sites that have accepted."""
        return sum(part.answer == "accepted" for part in self.session.participations) if self.session else 0


async def dates(visit: Visit[Any, Any], whole: Whole) -> list[Date]:
    """All dates, as much of them as the visitor may know. One statement or two."""
    conflicts = [conflict for one in whole.occurrences for conflict in one.conflicts]
    seen = await refusals.sights(visit.services, visit.actor, conflicts)
    view = View(actor=visit.actor, directory=visit.services.directory, language=visit.language)
    now = visit.services.clock()
    return [_date(one, whole.series, view, seen, now) for one in whole.occurrences]


def _date(one: Occurrence, series: Series, view: View, seen: Mapping[str, Sight], now: datetime) -> Date:
    draft, language, directory = series.session, view.language, view.directory
    booked = one.session if one.verdict == "booked" else None
    reasons = reasons_of(one, draft.timezone, view, seen)
    sites = [draft.host_site, *draft.required_sites]
    return Date(
        id=f"{one.recurrence:{WALL}}",
        on=one.recurrence.date(),
        day=i18n.day(one.recurrence, language),
        verdict=booked.status if booked else one.verdict,
        words=STATUSES[booked.status] if booked else VERDICTS[one.verdict],
        session=booked,
        reasons=reasons,
        overridable=bool(reasons) and all(conflict.overridable for conflict in one.conflicts),
        nearest=offers.moment(one.nearest.start, draft.timezone, directory, language, sites) if one.nearest else "",
        hours=list(odd_hours(one.session, directory, language)) if one.session else [],
        moved=_moved(booked, series, directory, language) if booked else "",
        differs=list(_differences(booked, series)) if booked else [],
        past=zones.near(one.recurrence, draft.timezone) <= now,
    )


def reasons_of(one: Occurrence, zone: str, view: View, seen: Mapping[str, Sight]) -> list[Reason]:
    """Why a date cannot be booked, as much as the reader may know."""
    return [_reason(view.conflict(conflict, zone, seen), seen) for conflict in one.conflicts]


def _reason(conflict: ConflictOut, seen: Mapping[str, Sight]) -> Reason:
    contact = conflict.contact
    session = conflict.session if conflict.session and seen.get(conflict.session) == "full" else None
    return Reason(
        text=conflict.detail,
        session=session,
        ring=contact.name if contact else None,
        phone=contact.phone if contact else None,
    )


def _moved(session: Session, series: Series, directory: Directory, language: Language) -> str:
    if (session.wall_start, session.timezone) == (session.recurrence, series.session.timezone):
        return ""
    return offers.moment(session.start, session.timezone, directory, language, [session.host_site])


def _differences(session: Session, series: Series) -> Iterator[Message]:
    here, rule = merging.as_drafted(session), series.session
    for name, message in DIFFERENCES.items():
        if getattr(here, name) != getattr(rule, name):
            yield message


def odd_hours(session: Session, directory: Directory, language: Language) -> Iterator[str]:
    """`10 h 00 (heure de Montréal)` for each clock that is not as far away as usual."""
    for zone, city in _unusual(session, directory):
        place = i18n.place_of(zone, language, city)
        yield i18n.hour(zones.to_local(session.start, zone), language, place)


def _unusual(session: Session, directory: Directory) -> list[tuple[str, str | None]]:
    """The zones, each with the city of a site in it."""
    found: dict[str, str | None] = {}
    for part in session.taking_part():
        site = directory.sites.get(part.site)
        if site and zones.is_unusual(session.start, session.timezone, site.timezone):
            found.setdefault(site.timezone, site.city)
    return list(found.items())


@dataclass(frozen=True, slots=True)
class _Drift:
    """Dates on which a clock shows an unusual hour, until it does no more."""

    zone: str
    city: str | None
    until: datetime
    hour: str
    usual: str


def drifts(sessions: Iterable[Session], directory: Directory, language: Language) -> list[str]:
    """The weeks in which another site's hour is not the usual one, each once."""
    groups: dict[_Drift, list[datetime]] = {}
    for session in sessions:
        for zone, city in _unusual(session, directory):
            odd = zones.odd_period(session.start, session.timezone, zone)
            if odd is None:
                continue
            local = zones.to_local(session.start, zone)
            period = OddPeriod(zone=session.timezone, other=zone, start=odd.start, end=odd.end)
            usual = drift.usual_hour(period, local).replace(tzinfo=local.tzinfo)
            place = i18n.place_of(zone, language, city)
            key = _Drift(zone, city, odd.end, i18n.hour(local, language, place), i18n.time_of_day(usual, language))
            groups.setdefault(key, []).append(local)
    return [_told(key, days, language) for key, days in groups.items()]


def _told(one: _Drift, days: Sequence[datetime], language: Language) -> str:
    first, last = (i18n.day(day, language) for day in (min(days), max(days)))
    if first == last:
        when = Message("on {day}", day=first)
    else:
        when = Message("from {first} to {last}", first=first, last=last)
    return say(Message("{when}: {hour} instead of {usual}", when=when, hour=one.hour, usual=one.usual), language)
