"""A series as it is asked for, changed, answered and read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from perinat_sched.series.recurrence import MOST_EXCLUSIONS, MOST_OCCURRENCES
from perinat_sched.web.schemas.base import Asked, QueryBool, Revision, SiteCode, Told, WallTime
from perinat_sched.web.schemas.sessions import EXAMPLE as SESSION_EXAMPLE
from perinat_sched.web.schemas.sessions import (
    AnswerRequest,
    CancellationRequest,
    Confirmed,
    Line,
    SessionPatch,
    SessionRequest,
    WarningOut,
)
from perinat_sched.web.schemas.slots import ConflictOut, SlotOut

Rule = Annotated[
    str, Field(max_length=500, description="RFC 5545", examples=["FREQ=WEEKLY;BYDAY=TH;UNTIL=20271216T235900Z"])
]
DayText = Annotated[str, Field(max_length=10, examples=["2027-01-28"])]
Days = Annotated[list[DayText], Field(min_length=1, max_length=MOST_OCCURRENCES)]
Excluded = Annotated[
    list[Annotated[str, Field(max_length=21, description="A day, or two with a slash between them, both included")]],
    Field(max_length=MOST_EXCLUSIONS, examples=[["2027-05-06", "2027-07-29/2027-08-26"]]),
]
Holidays = Annotated[
    list[SiteCode],
    Field(max_length=50, description="Sites: their public holidays; files of calendars/: all of their days"),
]
OnConflict = Literal["refuse", "leave_out"]
RecurrenceId = Annotated[str, Field(max_length=16, examples=["2027-09-02T13:00"])]
RecurrenceIds = Annotated[list[RecurrenceId], Field(max_length=MOST_OCCURRENCES)]

EXAMPLE: JsonDict = {
    **SESSION_EXAMPLE,
    "rrule": "FREQ=WEEKLY;BYDAY=TH;COUNT=10",
    "exclude": ["2027-04-15/2027-04-22"],
    "on_conflict": "leave_out",
}


class SeriesRequest(SessionRequest):
    """A series to be booked: a session, and when."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    rrule: Rule | None = None
    dates: Days | None = None
    exclude: Excluded = Field(default_factory=list)
    exclude_holidays_of: Holidays = Field(default_factory=list)
    on_conflict: OnConflict = "refuse"
    override: RecurrenceIds = Field(default_factory=list)


class SeriesPatch(SessionPatch):
    """The fields of a series to be replaced; with `from`, in a new series that begins there."""

    since: RecurrenceId | None = Field(default=None, alias="from")
    rrule: Rule | None = None
    dates: Days | None = None
    exclude: Excluded | None = None
    exclude_holidays_of: Holidays | None = None
    on_conflict: OnConflict | None = None
    override: RecurrenceIds | None = None


class SeriesCancellation(CancellationRequest):
    """Why what is still to come, or all from one date on, does not take place."""

    since: RecurrenceId | None = Field(default=None, alias="from")


class SeriesAnswer(AnswerRequest):
    """One answer for all dates to come, until a day, but for some."""

    until: DayText | None = None
    but: RecurrenceIds = Field(default_factory=list, alias="except")


class DateRequest(Asked):
    """A date that was left out, to be booked now."""

    recurrence_id: RecurrenceId
    override_reason: Line | None = None
    no_patient_data: Confirmed = False


class CopyRequest(Asked):
    """Another year: the days between which the same series is proposed."""

    since: DayText = Field(alias="from")
    until: DayText


class DryRun(Asked):
    """Whether anything is to be booked."""

    dry_run: QueryBool = False


class OccurrenceOut(Told):
    """What becomes, or became, of one date."""

    recurrence_id: WallTime
    verdict: Literal["booked", "bookable", "left_out", "conflict"]
    session: str | None
    status: Literal["tentative", "confirmed", "cancelled"] | None
    conflicts: list[ConflictOut]
    warnings: list[WarningOut]
    nearest: SlotOut | None


class SeriesWarningOut(Told):
    """An exclusion that concerns no date of the series."""

    code: Literal["exclusion-matches-nothing"]
    detail: str


class SeriesOut(Told):
    """A series; where the caller may only know its kind and times, texts are empty and places null."""

    id: str | None
    uid: str | None
    revision: Revision
    status: Literal["tentative", "confirmed", "cancelled"]
    kind: str
    title: str
    description: str
    network: str
    host_site: str | None
    start: WallTime
    timezone: str
    fold: int | None
    duration_minutes: int
    required_sites: list[str]
    optional_sites: list[str]
    rooms: dict[str, str]
    join_url: str | None
    rrule: str | None
    dates: list[str] | None
    exclude: list[str]
    exclude_holidays_of: list[str]
    on_conflict: OnConflict
    override: list[str]
    override_reason: str | None
    follows: str | None
    occurrences: list[OccurrenceOut]
    warnings: list[SeriesWarningOut]
    told: list[str] = Field(description="The sites that are told of what was just done")
    created_at: str
    updated_at: str
    access_code: str | None = Field(default=None, description="Only there for those who may change the series")


class SeriesList(Told):
    items: list[SeriesOut]
    next: str | None
