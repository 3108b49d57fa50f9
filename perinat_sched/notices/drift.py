"""Odd weeks: twice a year the clocks of two countries change on different days, and a site's hours move by it.

Two weeks before, each contact whose sessions fall otherwise is told so, once a period; sessions booked later say it
in their invitations. The notice hangs on the first session it is about and reads all of them anew when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Address, Notice, OddPeriod, fresh, planned
from perinat_sched.notices.readers import readers_of
from perinat_sched.sites.network import Directory

AHEAD = timedelta(days=14)  # how long before an odd period it is told


def periods(session_zones: Iterable[str], directory: Directory, now: datetime) -> Iterator[OddPeriod]:
    """The odd periods between sessions' clocks and sites' that have begun or begin within two weeks."""
    site_zones = {site.timezone for site in directory.sites.values() if site.active and site.contacts}
    for zone, other in sorted((zone, other) for zone in session_zones for other in site_zones):
        seen: set[datetime] = set()
        for days in range(AHEAD.days + 1):
            found = zones.odd_period(now + timedelta(days=days), zone, other)
            if found and found.start - AHEAD <= now and found.start not in seen:
                seen.add(found.start)
                yield OddPeriod(zone=zone, other=other, start=found.start, end=found.end)


def concerned(sessions: Iterable[Session], directory: Directory, period: OddPeriod) -> dict[str, list[Session]]:
    """By reader (casefolded): the sessions of a period whose hour is odd for the reader's site."""
    found: dict[str, list[Session]] = {}
    for session in sessions:
        for address, to in readers_of(session, directory).items():
            if directory.sites[to.site].timezone == period.other:
                found.setdefault(address, []).append(session)
    return found


def warnings(
    period: OddPeriod, sessions: Sequence[Session], directory: Directory, *, now: datetime, domain: str
) -> list[Notice]:
    """What a period calls for: one notice a reader, about the sessions that were booked before it was due."""
    due_at = period.start - AHEAD
    booked = [session for session in sessions if session.created_at <= due_at and session.start > now]
    return [
        planned(
            "drift",
            theirs[0],
            _address(theirs[0], directory, address),
            key=f"drift:{period.zone}:{period.other}:{int(period.start.timestamp())}:{address}",
            domain=domain,
            now=now,
            due_at=fresh(due_at, now),
            expires_at=max(session.start for session in theirs),
            facts=period,
        )
        for address, theirs in concerned(booked, directory, period).items()
    ]


def usual_hour(period: OddPeriod, local: datetime) -> datetime:
    """The wall time (naive) a session would have instead of `local` at the site, were the difference the usual one."""
    odd, usual = (_ahead(instant, period) for instant in (period.start, period.start - timedelta(seconds=1)))
    return local.replace(tzinfo=None) - odd + usual


def _ahead(instant: datetime, period: OddPeriod) -> timedelta:
    """How far the site's clocks are ahead of the sessions'."""
    return zones.offset(instant, period.other) - zones.offset(instant, period.zone)


def _address(session: Session, directory: Directory, address: str) -> Address:
    return readers_of(session, directory)[address]
