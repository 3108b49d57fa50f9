"""What became of a spreadsheet, as the API writes it for one reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from perinat_sched.i18n import Message, say
from perinat_sched.notices.readers import told_of
from perinat_sched.people.access import Sight
from perinat_sched.series.importing import Imported, Verdict
from perinat_sched.series.series import WALL
from perinat_sched.web.schemas.operation import FieldErrorOut
from perinat_sched.web.schemas.planning import ImportedSeries, ImportOut, LineOut, UnreadColumn
from perinat_sched.web.views import View
from perinat_sched.web.views_series import SeriesView

UNREAD = Message("The column {heading} means nothing here and was not read.")


@dataclass(frozen=True, kw_only=True)
class PlanningView:
    """Through whose eyes; `seen` is how much she sees of the sessions in the way."""

    view: View
    seen: Mapping[str, Sight]

    def imported(self, imported: Imported, *, proposed: bool) -> ImportOut:
        """A file; what is only proposed has no id yet."""
        language = self.view.language
        return ImportOut(
            lines=[self.line(one, proposed=proposed) for one in imported.verdicts],
            series=[
                ImportedSeries(
                    id=None if proposed else one.id,
                    lines=[verdict.number for verdict in imported.verdicts if verdict.series is one],
                    title=one.session.title,
                    kind=one.session.kind,
                    rrule=one.rrule,
                    dates=list(one.dates) if one.rrule is None else None,
                    exclude=list(one.exclude),
                )
                for one in imported.series
            ],
            warnings=[
                UnreadColumn(code="column-not-read", detail=say(Message(UNREAD.text, heading=repr(one)), language))
                for one in imported.unread
            ],
            told=sorted(told_of(imported.booked, self.view.directory)),
        )

    def line(self, verdict: Verdict, *, proposed: bool) -> LineOut:
        """A line of a file."""
        language, one = self.view.language, verdict.occurrence
        zone = one.session.timezone if one and one.session else None
        date = SeriesView(view=self.view, seen=self.seen).occurrence(one, zone or "UTC", full=True) if one else None
        series = verdict.series.id if verdict.series else None
        return LineOut(
            line=verdict.number,
            verdict=verdict.said,
            start=f"{one.recurrence:{WALL}}" if one else None,
            timezone=zone,
            series=None if proposed else series,
            session=date.session if date else None,
            errors=[FieldErrorOut(field=error.field, detail=say(error.message, language)) for error in verdict.errors],
            conflicts=date.conflicts if date else [],
            warnings=date.warnings if date else [],
            nearest=date.nearest if date else None,
        )
