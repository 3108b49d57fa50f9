"""Booked sessions that the configuration of today would refuse: a room gone, fewer ports, other hours, a new closure.

They keep their time; this only finds them, so that somebody can decide.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from perinat_sched.availability.conflicts import Conflict, fit
from perinat_sched.booking import answers, store
from perinat_sched.booking.enquiries import MARGIN, Enquiries
from perinat_sched.booking.session import Session
from perinat_sched.i18n import Message


async def misfits(enquiries: Enquiries) -> AsyncIterator[tuple[Session, Sequence[Conflict]]]:
    """The future sessions that no longer fit, in order, with what speaks against them.

    What was overridden with a reason when it was booked does not speak against it again.
    """
    async with enquiries.database.read() as tx:
        future = await store.sessions_where(tx, store.to_come(enquiries.clock()))
    for session in future:
        if found := await _against(enquiries, session):
            yield session, found


async def _against(enquiries: Enquiries, session: Session) -> Sequence[Conflict]:
    directory = enquiries.directory
    if gone := _gone(session, enquiries):
        return gone
    held = [p for p in session.participations if p.held]
    proposal = replace(
        answers.standing(session, session.host_site, joining=True, room=None, directory=directory),
        settled=frozenset(p.site for p in held if p.overridden),
    )
    ground = await enquiries.ground(proposal, session.interval.widened(MARGIN, MARGIN), session.id)
    return fit(ground, proposal, session.start).conflicts


def _gone(session: Session, enquiries: Enquiries) -> list[Conflict]:
    """Sites and rooms that are no longer configured."""
    directory = enquiries.directory
    found = []
    for part in session.participations:
        site = directory.sites.get(part.site)
        if site is None or (part.held and part.room not in {room.code for room in site.rooms} | {None}):
            found.append(
                Conflict(
                    code="site_inactive",
                    site=part.site,
                    room=part.room,
                    message=Message("{place} is no longer configured.", place=part.room if site else part.site),
                )
            )
    return found
