"""A site answers: what it takes when it says yes, what it frees when it declines.

Only what is never overridden counts here: everybody else agreed to the hour, and the site itself agrees by answering.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from perinat_sched.availability.conflicts import Fit
from perinat_sched.availability.proposal import Proposal
from perinat_sched.booking.rules import Refused, afresh, pinned, revised, status_of
from perinat_sched.booking.session import Answer, Session
from perinat_sched.sites.network import Directory


def standing(before: Session, site: str, *, joining: bool, room: str | None, directory: Directory) -> Proposal:
    """The places a session needs at its own hour when one site joins, stays or (not `joining`) leaves.

    Only what is never overridden counts: everybody else agreed to the hour, and the site itself agrees by answering.
    """
    known = [p for p in before.participations if p.site in directory.sites]
    parts = [p for p in known if (joining if p.site == site else p.held)]
    sites = [p.site for p in parts]
    rooms = pinned((p for p in parts if p.held), directory) | ({site: room} if room else {})
    return Proposal(
        network=before.network,
        kind=directory.kinds.get(before.kind),
        duration=before.duration,
        host=before.host_site,
        required=tuple(code for code in sites if code != before.host_site),
        rooms=rooms,
        kept_bridge=before.bridge,
        settled=frozenset(sites),
        timing=frozenset(),
    )


def refuse_joining(before: Session, site: str, proposal: Proposal, fit: Fit) -> None:
    """Raise Refused where a site that answers yes finds its room or its port taken; others are not asked."""
    if conflicts := [conflict for conflict in fit.conflicts if conflict.site in (site, None)]:
        raise Refused(conflicts, afresh(proposal), before.start, before.timezone)


def answered(
    before: Session, site: str, answer: Answer, comment: str, room: str | None, fit: Fit, now: datetime
) -> Session:
    """One site's answer, with what it takes or frees."""
    place = next((place for place in fit.places if place.site.code == site), None)
    part = before.participation(site)
    assert part is not None
    part = replace(
        part,
        answer=answer,
        comment=comment,
        held=place is not None,
        room=place.room.code if place and place.room else None,
        room_asked=part.room_asked or room is not None,
    )
    parts = tuple(part if p.site == site else p for p in before.participations)
    after = replace(before, participations=parts, status=status_of(parts), bridge=fit.bridge, ports=fit.ports)
    return revised(before, after, now)
