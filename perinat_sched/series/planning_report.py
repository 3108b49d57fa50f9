"""What became of a spreadsheet, as an operator reads it on a terminal: a line for each of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from perinat_sched import zones
from perinat_sched.i18n import say
from perinat_sched.series.importing import Imported, Verdict


def told(imported: Imported) -> Iterator[str]:
    """Line, hour, verdict and reasons, in English; then how many of each."""
    for heading in imported.unread:
        yield f"the column {heading!r} means nothing here and was not read"
    for verdict in imported.verdicts:
        reasons = "; ".join(_reasons(verdict))
        yield f"{verdict.number:5}  {_when(verdict):33}  {verdict.said}" + (f": {reasons}" if reasons else "")
    counted = Counter(one.said for one in imported.verdicts)
    yield ", ".join(f"{number} {said}" for said, number in counted.items())


def _when(verdict: Verdict) -> str:
    one = verdict.occurrence
    if one is None:
        return "-"
    return f"{one.recurrence:%Y-%m-%d %H:%M}" + (f" {one.session.timezone}" if one.session else "")


def _reasons(verdict: Verdict) -> Iterator[str]:
    yield from (f"{error.field}: {say(error.message, 'en')}" for error in verdict.errors)
    one = verdict.occurrence
    if one is None:
        return
    for conflict in one.conflicts:
        where = conflict.room or conflict.bridge or conflict.site
        yield f"{where}: {say(conflict.message, 'en')}" if where else say(conflict.message, "en")
    if one.nearest and one.session:
        yield f"nearest {zones.to_local(one.nearest.start, one.session.timezone):%Y-%m-%d %H:%M}"
