"""Where a booked session could go instead, once a closure falls on it.

First the same hour of another day, because people keep their habits; then the soonest hour at all. Its own places
count as free, and everybody is asked as for a new session. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

from perinat_sched import zones
from perinat_sched.availability import slots
from perinat_sched.availability.ground import Ground
from perinat_sched.availability.slots import Slot, SlotQuery
from perinat_sched.booking.request import Changes, redraft
from perinat_sched.booking.rules import Request
from perinat_sched.booking.session import Session
from perinat_sched.sites.network import MINUTES_A_DAY, Directory

WITHIN = timedelta(days=60)
OFFERED = 3
A_MINUTE = timedelta(minutes=1)


def query(session: Session, closed_room: str | None, directory: Directory, now: datetime) -> SlotQuery | None:
    """The search for another hour, or for another room than the one that is closed, even where it was asked for.

    None where kind, host or a site have left the configuration.
    """
    known = session.kind in directory.kinds and session.sites <= directory.sites.keys()
    if not known:
        return None
    draft = redraft(Changes(), session, directory, now)
    request = Request(draft=draft, before=session, own_sites=frozenset(), directory=directory, now=now)
    anywhere = request.elsewhere()
    rooms = {site: room for site, room in anywhere.rooms.items() if room != closed_room}
    first = zones.to_local(max(session.start, now), session.timezone).date()
    return SlotQuery(
        proposal=replace(anywhere, rooms=rooms),
        timezone=session.timezone,
        first_day=first,
        last_day=first + WITHIN,
    )


def other_slots(session: Session, asked: SlotQuery, ground: Ground) -> Sequence[Slot]:
    """Up to three slots to go to, the earliest first; the present hour among them where another room is free then."""
    free = ground.without({session.id})
    after = session.start - A_MINUTE
    found = [*_same_hour(session, asked, free, after)[: OFFERED - 1], *slots.alternatives(free, asked, after)]
    by_start = {slot.start: slot for slot in found[:OFFERED]}
    return [by_start[start] for start in sorted(by_start)]


def _same_hour(session: Session, asked: SlotQuery, ground: Ground, after: datetime) -> Sequence[Slot]:
    begins = session.wall_start.hour * 60 + session.wall_start.minute
    ends = begins + session.duration // A_MINUTE
    if ends > MINUTES_A_DAY:
        return []
    hour = time(session.wall_start.hour, session.wall_start.minute)
    return slots.alternatives(ground, replace(asked, after=hour, before=ends), after)
