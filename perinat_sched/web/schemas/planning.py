"""A year's plan as a spreadsheet: what is asked beside the file, and what became of each of its lines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from perinat_sched.web.schemas.base import Asked, QueryBool, QueryInt, Told, WallTime
from perinat_sched.web.schemas.operation import FieldErrorOut
from perinat_sched.web.schemas.series import OnConflict
from perinat_sched.web.schemas.sessions import WarningOut
from perinat_sched.web.schemas.slots import ConflictOut, SlotOut


class ImportQuery(Asked):
    """How a file is to be taken."""

    dry_run: QueryBool = False
    on_conflict: OnConflict = "refuse"
    no_patient_data: QueryBool = False


class LineOut(Told):
    """What becomes, or became, of one line; `line` is the number that a spreadsheet shows."""

    line: int
    verdict: Literal["booked", "bookable", "exists", "left_out", "conflict", "invalid"]
    start: WallTime | None
    timezone: str | None
    series: str | None
    session: str | None
    errors: list[FieldErrorOut]
    conflicts: list[ConflictOut]
    warnings: list[WarningOut]
    nearest: SlotOut | None


class ImportedSeries(Told):
    """A series that was made of some lines, or would be."""

    id: str | None
    lines: list[int]
    title: str
    kind: str
    rrule: str | None
    dates: list[str] | None
    exclude: list[str]


class UnreadColumn(Told):
    """A column that means nothing here."""

    code: Literal["column-not-read"]
    detail: str


class ImportOut(Told):
    """A file, line by line."""

    lines: list[LineOut]
    series: list[ImportedSeries]
    warnings: list[UnreadColumn]
    told: list[str] = Field(description="The sites that are told of what was just booked")


class YearQuery(Asked):
    """Which year, by the clock of the site."""

    year: Annotated[QueryInt, Field(ge=2000, le=2200)]
