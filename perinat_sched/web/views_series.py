"""Series as the API writes them, for one reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from perinat_sched.booking import rules
from perinat_sched.i18n import Message, say
from perinat_sched.notices.readers import told_of
from perinat_sched.people.access import Sight, may, sight
from perinat_sched.series.series import WALL, Occurrence, Whole
from perinat_sched.web.schemas.series import OccurrenceOut, SeriesOut, SeriesWarningOut
from perinat_sched.web.views import View, written

MINUTE = timedelta(minutes=1)
UNMATCHED = Message("{exclusion} concerns no date of this series: look whether it is the day that was meant.")


@dataclass(frozen=True, kw_only=True)
class SeriesView:
    """Through whose eyes; `seen` is how much she sees of the sessions in the way."""

    view: View
    seen: Mapping[str, Sight]

    def series(self, whole: Whole, *, proposed: bool = False) -> SeriesOut:
        series, draft = whole.series, whole.series.session
        subject, directory, actor = series.subject, self.view.directory, self.view.actor
        full = sight(actor, subject, directory) == "full"
        told = SeriesOut(
            id=None if proposed else series.id,
            uid=None if proposed else series.uid,
            revision=series.revision,
            status=whole.status,
            kind=draft.kind,
            title=draft.title if full else "",
            description=draft.description if full else "",
            network=draft.network,
            host_site=draft.host_site if full else None,
            start=f"{draft.wall_start:{WALL}}",
            timezone=draft.timezone,
            fold=series.fold,
            duration_minutes=draft.duration // MINUTE,
            required_sites=list(draft.required_sites) if full else [],
            optional_sites=list(draft.optional_sites) if full else [],
            rooms=dict(draft.rooms) if full else {},
            join_url=draft.join_url if full else None,
            rrule=series.rrule,
            dates=list(series.dates) if series.rrule is None else None,
            exclude=list(series.exclude),
            exclude_holidays_of=list(series.exclude_holidays_of) if full else [],
            on_conflict=series.on_conflict,
            override=list(series.override),
            override_reason=draft.override_reason if full else None,
            follows=series.follows,
            occurrences=[self.occurrence(one, draft.timezone, full=full) for one in whole.occurrences],
            warnings=[
                SeriesWarningOut(
                    code="exclusion-matches-nothing",
                    detail=say(Message(UNMATCHED.text, exclusion=text), self.view.language),
                )
                for text in whole.unmatched
            ],
            told=sorted(told_of(whole.changed, directory)) if full else [],
            created_at=written(series.created_at, draft.timezone),
            updated_at=written(series.updated_at, draft.timezone),
        )
        if not may(actor, "change", subject, directory):
            return told
        return told.model_copy(update={"access_code": draft.access_code})

    def occurrence(self, one: Occurrence, zone: str, *, full: bool) -> OccurrenceOut:
        booked = one.session if one.verdict == "booked" else None
        found = rules.warnings(one.session, self.view.directory) if one.session and full else []
        return OccurrenceOut(
            recurrence_id=f"{one.recurrence:{WALL}}",
            verdict=one.verdict,
            session=booked.id if booked else None,
            status=booked.status if booked else None,
            conflicts=[self.view.conflict(conflict, zone, self.seen) for conflict in one.conflicts] if full else [],
            warnings=[self.view.warning(one.session, *warning) for warning in found] if one.session else [],
            nearest=self.view.slot(one.nearest, zone, self.seen) if one.nearest and full else None,
        )
