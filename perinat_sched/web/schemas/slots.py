"""The search: common free time, and what stands in its way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from perinat_sched.availability.conflicts import Code as ConflictCode
from perinat_sched.web.schemas.base import (
    CLOCK_TIME,
    MOST_ITEMS,
    MOST_SITES,
    RFC3339,
    Asked,
    Id,
    KindCode,
    NetworkCode,
    QueryBool,
    QueryDay,
    QueryInt,
    SiteCode,
    Sites,
    Told,
    Zone,
)
from perinat_sched.web.schemas.directory import Weekday

Minutes = Annotated[int, Field(ge=1, le=1440, examples=[60])]
RoomOfSite = Annotated[str, Field(pattern=r"^[^:]+:[^:]+$", max_length=81, examples=["calais:calais-1"])]


class SlotQuery(Asked):
    """Which sites, how long, when."""

    site: Annotated[
        list[SiteCode],
        Field(min_length=1, max_length=MOST_SITES, examples=[["lille", "calais"]], description="The first is the host"),
    ]
    optional_site: Sites = Field(default_factory=list)
    duration_minutes: Annotated[QueryInt, Field(ge=1, le=1440)] | None = None
    first: QueryDay = Field(alias="from")
    last: QueryDay = Field(alias="to")
    kind: KindCode | None = None
    room: Annotated[list[RoomOfSite], Field(max_length=MOST_SITES)] = Field(default_factory=list)
    timezone: Zone | None = None
    after: Annotated[str, Field(pattern=CLOCK_TIME)] | None = None
    before: Annotated[str, Field(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] | None = None
    weekday: Annotated[list[Weekday], Field(max_length=7)] = Field(default_factory=list)
    network: NetworkCode | None = None
    order: Literal["earliest", "best"] = "earliest"
    limit: Annotated[QueryInt, Field(ge=1, le=MOST_ITEMS)] = 20
    step_minutes: Annotated[QueryInt, Field(ge=1, le=1440)] | None = None
    include_overridable: QueryBool = False
    except_session: Id | None = None


class ContactOut(Told):
    """Whom to ring."""

    name: str
    phone: str | None


class ConflictOut(Told):
    """One reason to refuse; null where the caller may not see the session in the way."""

    code: ConflictCode
    site: str | None
    room: str | None
    bridge: str | None
    since: RFC3339 | None = Field(serialization_alias="from")
    until: RFC3339 | None
    session: str | None
    contact: ContactOut | None
    detail: str
    overridable: bool


class SlotSiteOut(Told):
    """A site's place in a slot."""

    site: str
    required: bool
    free: bool
    room: str | None
    local_start: RFC3339
    local_end: RFC3339
    timezone: str


class SlotOut(Told):
    """A start at which the session could be booked at once."""

    start: RFC3339
    end: RFC3339
    timezone: str
    sites: list[SlotSiteOut]
    optional_free: int
    ports_left: int | None
    conflicts: list[ConflictOut]


class BlockingOut(Told):
    """How many more starts there would be without this site or bridge, and why."""

    site: str | None
    bridge: str | None
    slots_without: int
    reasons: list[ConflictCode]


class SearchedOut(Told):
    """The instants searched, and how many starts were looked at."""

    since: RFC3339 = Field(serialization_alias="from")
    until: RFC3339 = Field(serialization_alias="to")
    starts: int


class SlotList(Told):
    slots: list[SlotOut]
    blocking: list[BlockingOut]
    searched: SearchedOut
