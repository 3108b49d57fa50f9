"""A site answers: what it takes when it says yes, what it frees when it declines.

Only what is never overridden counts here: everybody else agreed to the hour, and the site itself agrees by answering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from perinat_sched.availability.conflicts import Conflict, Fit
from perinat_sched.availability.proposal import Proposal
from perinat_sched.booking.rules import pinned, revised, seated
from perinat_sched.booking.session import Answer, Participation, Session
from perinat_sched.sites.network import Directory


def standing(before: Session, site: str, *, joining: bool, room: str | None, directory: Directory) -> Proposal | None:
    """The places a session needs at its own hour when one site joins, stays or (not `joining`) leaves.

    Only what is never overridden counts: everybody else agreed to the hour, and the site itself agrees by answering.
    None where nobody holds a place any more: the others lost theirs.
    """
    known = [p for p in before.participations if p.site in directory.sites]
    parts = [p for p in known if (joining if p.site == site else p.held)]
    if not parts:
        return None
    proposal = as_held(before, parts, directory)
    return replace(
        proposal,
        rooms={**proposal.rooms, **({site: room} if room else {})},
        roomless=proposal.roomless - ({site} if room else set()),
        settled=frozenset(p.site for p in parts),
    )


def as_held(session: Session, parts: Sequence[Participation], directory: Directory) -> Proposal:
    """The places of these sites, at least one, at the session's own hour: the rooms that they hold, the same bridge if
    it can be."""
    sites = [p.site for p in parts]
    return Proposal(
        network=session.network,
        kind=directory.kinds.get(session.kind),
        duration=session.duration,
        host=sites[0],  # the first that holds one: the host may have lost its own
        required=tuple(sites[1:]),
        rooms=pinned((p for p in parts if p.held), directory),
        roomless=frozenset(p.site for p in parts if p.held and p.room is None),
        kept_bridge=session.bridge,
        timing=frozenset(),
    )


def against_joining(before: Session, site: str, fit: Fit) -> list[Conflict]:
    """What keeps a site from answering yes: its room or its port is taken; others are not asked.

    A site that holds its place may agree even while the session waits for a bridge: it takes nothing more.
    """
    part = before.participation(site)
    waits = before.bridge_lost and part is not None and part.held
    concerned = (site,) if waits else (site, None)
    return [conflict for conflict in fit.conflicts if conflict.site in concerned]


def stands(before: Session, site: str, answer: Answer, comment: str, room: str | None) -> bool:
    """Whether this is what the site has answered already."""
    part = before.participation(site)
    return part is not None and (part.answer, part.comment) == (answer, comment) and room in (None, part.room)


def answered(
    before: Session, site: str, answer: Answer, comment: str, room: str | None, fit: Fit | None, now: datetime
) -> Session:
    """One site's answer, with what it takes or frees; `fit` None where nobody holds a place."""
    places = fit.places if fit else ()
    place = next((place for place in places if place.site.code == site), None)
    part = before.participation(site)
    assert part is not None
    part = replace(
        part,
        answer=answer,
        comment=comment,
        held=place is not None,
        room=place.room.code if place and place.room else None,
        room_asked=part.room_asked or room is not None,
        overridden=part.overridden or (place is not None and place.overlooked),
        lost=False,
        lost_room=None,
    )
    parts = tuple(part if p.site == site else p for p in before.participations)
    return revised(before, seated(before, parts, fit), now)
