"""A session as it is asked for, changed, answered and read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from perinat_sched.booking.request import LONGEST_REASON
from perinat_sched.texts import LONGEST_URL
from perinat_sched.web.schemas.base import (
    MOST_SITES,
    RFC3339,
    Asked,
    KindCode,
    NetworkCode,
    Paging,
    QueryDay,
    Revision,
    RoomCode,
    SiteCode,
    Sites,
    Start,
    Told,
    WallTime,
    Zone,
)
from perinat_sched.web.schemas.slots import Minutes

Line = Annotated[str, Field(max_length=200)]
Paragraph = Annotated[str, Field(max_length=10_000)]
Reason = Annotated[str, Field(max_length=LONGEST_REASON)]
Title = Annotated[Line, Field(examples=["Visio Périnat — staff"])]
Rooms = Annotated[dict[SiteCode, RoomCode], Field(max_length=MOST_SITES, examples=[{"calais": "calais-1"}])]
JoinUrl = Annotated[str, Field(max_length=LONGEST_URL, description="https, without user, password or passcode")]
Fold = Annotated[int, Field(ge=0, le=1, description="Which pass of a repeated hour: 0 the first, 1 the second")]
Confirmed = Annotated[bool, Field(description="The texts were read again: they say nothing about a patient")]
Status = Literal["tentative", "confirmed", "cancelled"]


EXAMPLE: JsonDict = {
    "kind": "staff",
    "title": "Visio Périnat — staff",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-03-18T15:00",
    "timezone": "Europe/Paris",
    "duration_minutes": 60,
    "required_sites": ["calais"],
    "optional_sites": ["sainte-justine"],
    "rooms": {"calais": "calais-1"},
}


class SessionRequest(Asked):
    """A session to be booked."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    kind: KindCode
    title: Title | None = None
    description: Paragraph = ""
    network: NetworkCode | None = None
    host_site: SiteCode
    start: Start
    timezone: Zone | None = None
    fold: Fold | None = None
    duration_minutes: Minutes | None = None
    required_sites: Sites = Field(default_factory=list)
    optional_sites: Sites = Field(default_factory=list)
    rooms: Rooms = Field(default_factory=dict)
    join_url: JoinUrl | None = None
    access_code: Line | None = None
    override_reason: Line | None = None
    no_patient_data: Confirmed = False


def _without_defaults(schema: JsonDict) -> None:
    """A field of a change that is left out has no default: it stays as it is."""
    properties = schema["properties"]
    assert isinstance(properties, dict)
    for field in properties.values():
        assert isinstance(field, dict)
        field.pop("default", None)


class SessionPatch(Asked):
    """The fields of a session to be replaced; the host site never is."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    kind: KindCode = ""
    title: Title | None = None
    description: Paragraph = ""
    network: NetworkCode = ""
    start: Start = ""
    timezone: Zone = ""
    fold: Fold | None = None
    duration_minutes: Minutes | None = None
    required_sites: Sites = Field(default_factory=list)
    optional_sites: Sites = Field(default_factory=list)
    rooms: Rooms = Field(default_factory=dict)
    join_url: JoinUrl | None = None
    access_code: Line | None = None
    override_reason: Line | None = None
    no_patient_data: Confirmed = False


class SessionFilter(Paging):
    """Which sessions; days are both included, in each host's own zone."""

    site: SiteCode | None = None
    network: NetworkCode | None = None
    kind: KindCode | None = None
    status: Status | None = None
    first: QueryDay | None = Field(default=None, alias="from")
    last: QueryDay | None = Field(default=None, alias="to")


class CancellationRequest(Asked):
    """Why a session does not take place."""

    code: Literal["cancelled", "postponed", "no_case", "no_show", "staffing", "technical"] = "cancelled"
    reason: Reason = ""
    no_patient_data: Confirmed = False


class AnswerRequest(Asked):
    """A site's answer; `room` where it takes another of its rooms."""

    answer: Literal["accepted", "declined", "tentative"]
    room: RoomCode | None = None
    comment: Reason = ""
    no_patient_data: Confirmed = False


class ParticipationOut(Told):
    """One site's part."""

    site: str
    role: Literal["host", "participant"]
    required: bool
    room: str | None
    answer: Literal["pending", "accepted", "declined", "tentative"]
    local_start: RFC3339
    local_end: RFC3339
    timezone: str


class WarningOut(Told):
    """What a reader should notice."""

    code: Literal["unusual-local-time", "optional-site-not-free", "place-lost"]
    site: str | None = Field(description="Null: the bridge")
    detail: str


class SessionOut(Told):
    """A session; where the caller may only know its kind and time, texts are empty and places null."""

    id: str
    uid: str
    revision: Revision
    sequence: int
    series: str | None
    recurrence_id: WallTime | None
    status: Status
    kind: str
    title: str
    description: str
    network: str
    host_site: str | None
    wall_start: WallTime
    timezone: str
    duration_minutes: int
    start: RFC3339
    end: RFC3339
    participations: list[ParticipationOut]
    bridge: str | None
    ports: int
    join_url: str | None
    warnings: list[WarningOut]
    created_at: RFC3339 | None
    updated_at: RFC3339 | None
    access_code: str | None = Field(default=None, description="Only there for those who may change the session")


class SessionList(Told):
    items: list[SessionOut]
    next: str | None
