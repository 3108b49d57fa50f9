"""A refused booking as its caller may read it: every reason, and slots that would do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.errors import BookingRefused
from perinat_sched.people.access import Actor, Sight
from perinat_sched.series.importing import ImportRefused
from perinat_sched.series.series import SeriesRefused
from perinat_sched.sites.network import Language
from perinat_sched.web.services import Services
from perinat_sched.web.views import View
from perinat_sched.web.views_planning import PlanningView
from perinat_sched.web.views_series import SeriesView


async def extensions(services: Services, actor: Actor, refused: BookingRefused, language: Language) -> dict[str, Any]:
    """`conflicts` and `alternatives` of the problem."""
    view = View(actor=actor, directory=services.directory, language=language)
    seen = await sights(services, actor, refused.conflicts)
    zone = refused.timezone
    told: dict[str, Any] = {
        "conflicts": [view.conflict(one, zone, seen).model_dump(by_alias=True) for one in refused.conflicts],
        "alternatives": [view.slot(slot, zone, seen).model_dump(by_alias=True) for slot in refused.alternatives],
    }
    if isinstance(refused, SeriesRefused):
        dates = SeriesView(view=view, seen=seen)
        told["occurrences"] = [
            dates.occurrence(one, zone, full=True).model_dump(by_alias=True) for one in refused.whole.occurrences
        ]
    if isinstance(refused, ImportRefused):
        lines = PlanningView(view=view, seen=seen)
        told["lines"] = [lines.line(one, proposed=True).model_dump(by_alias=True) for one in refused.imported.verdicts]
    return told


async def sights(services: Services, actor: Actor, conflicts: Iterable[Conflict]) -> dict[str, Sight]:
    """How much the caller sees of the sessions in the way. One statement or two, however many."""
    ids = {conflict.hold.session for conflict in conflicts if conflict.hold}
    return await services.enquiries.sight_of(actor, sorted(ids)) if ids else {}
