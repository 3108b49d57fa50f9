"""A refusal, explained where it is met: every reason, whom to ring, what could be taken instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.availability.slots import Slot
from perinat_sched.i18n import Message
from perinat_sched.web import refusals
from perinat_sched.web.desk.clocks import span
from perinat_sched.web.desk.offers import Offer, called, offer
from perinat_sched.web.desk.page import Visit
from perinat_sched.web.views import visible, whom_to_ring


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason to refuse."""

    place: str | None  # whose room it is about: its name alone would not say
    message: Message
    when: str | None
    session: str | None  # in the way, where the reader may open it
    ring: str | None  # the name of a site
    phone: str | None
    overridable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """All of them."""

    reasons: Sequence[Reason]
    alternatives: Sequence[Offer]

    @property
    def overridable(self) -> bool:
        """Whether a reason given by the coordinator is enough."""
        return all(reason.overridable for reason in self.reasons)


async def refusal(
    visit: Visit[Any, Any], conflicts: Sequence[Conflict], alternatives: Sequence[Slot], zone: str
) -> Refusal:
    """What speaks against a session, as much as the visitor may know; hours by the clock of `zone`."""
    directory, language = visit.services.directory, visit.language
    place = called(zone, directory, language)
    seen = await refusals.sights(visit.services, visit.actor, conflicts)

    def told(conflict: Conflict) -> Reason:
        interval, session = visible(conflict, seen)
        site = directory.sites.get(whom_to_ring(conflict) or "")
        return Reason(
            place=directory.sites[conflict.site].name if conflict.site and conflict.room else None,
            message=conflict.message,
            when=span(interval, zone, language, place) if interval else None,
            session=session if session and seen[session] == "full" else None,
            ring=site.name if site else None,
            phone=site.phone if site else None,
            overridable=conflict.overridable,
        )

    return Refusal(
        reasons=[told(conflict) for conflict in conflicts],
        alternatives=[offer(slot, zone, directory, language) for slot in alternatives],
    )
