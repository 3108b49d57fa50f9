"""Why a session cannot be as somebody wishes, in words: each reason, and whom to ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perinat_sched.errors import BookingRefused
from perinat_sched.web import refusals
from perinat_sched.web.desk.page import Visit
from perinat_sched.web.views import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason, as far as the visitor may know it."""

    words: str
    contact: str | None
    phone: str | None


async def reasons(visit: Visit[Any, Any], refused: BookingRefused) -> Sequence[Reason]:
    """All that speaks against it; counted as the API's refusals are."""
    view = View(actor=visit.actor, directory=visit.services.directory, language=visit.language)
    seen = await refusals.sights(visit.services, visit.actor, refused.conflicts)
    told = []
    for conflict in refused.conflicts:
        visit.services.metrics.refused(conflict.code)
        shown = view.conflict(conflict, refused.timezone, seen)
        contact = shown.contact
        told.append(
            Reason(
                words=shown.detail,
                contact=contact.name if contact else None,
                phone=contact.phone if contact else None,
            )
        )
    return told
