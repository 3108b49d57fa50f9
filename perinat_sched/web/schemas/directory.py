"""Who takes part, where, and over which bridges: the configuration as a signed-in caller reads it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from perinat_sched.web.schemas.base import RFC3339, Paging, QueryDay, Told

Language = Literal["fr", "en"]
Weekday = Literal["mo", "tu", "we", "th", "fr", "sa", "su"]


class Me(Told):
    """Whose token this is, and what it opens."""

    token: str = Field(description="The token's id, as `token list` shows it; never the token")
    name: str
    role: Literal["admin", "coordinator", "clinician"]
    sites: list[str]
    networks: list[str]
    person: str | None
    expires_at: RFC3339


class LevelOut(Told):
    """A maternity's level of care since a day."""

    since: str = Field(serialization_alias="from", json_schema_extra={"format": "date"})
    level: Literal["I", "IIA", "IIB", "III"]


class OpeningHoursOut(Told):
    """Open on these days, from and to in local time; 24:00 is the end of the day."""

    days: list[Weekday]
    opens: str = Field(serialization_alias="from")
    closes: str = Field(serialization_alias="to")


class RoomOut(Told):
    """A room holds one session at a time."""

    code: str
    site: str
    name: str
    seats: int | None
    endpoint: str | None
    set_up_minutes: int
    release_minutes: int


class SiteOut(Told):
    """An establishment that takes part."""

    code: str
    name: str
    kind: Literal["maternity", "hospital", "partner"]
    legal_status: Literal["public", "private", "espic"]
    levels: list[LevelOut]
    finess: str | None
    city: str | None
    phone: str | None
    timezone: str
    holidays: str
    language: Language
    networks: list[str]
    answers: Literal["automatic", "by_hand"]
    active: bool
    opening_hours: list[OpeningHoursOut]
    rooms: list[RoomOut]
    set_up_minutes: int
    release_minutes: int
    minimum_notice_hours: int
    max_duration_minutes: int


class BridgeOut(Told):
    """A multipoint bridge, one port a site."""

    code: str
    name: str
    ports: int
    networks: list[str]


class NetworkOut(Told):
    """A care network."""

    code: str
    name: str


class InLanguages(Told):
    """A text in both languages."""

    fr: str
    en: str


class KindOut(Told):
    """A kind of session and what it usually is."""

    code: str
    name: InLanguages
    title: InLanguages
    priority: Literal["clinical", "teaching", "administration", "technical"]
    duration_minutes: int
    minimum_notice_hours: int | None
    reminders: list[str]


class SiteList(Told):
    items: list[SiteOut]
    next: str | None


class RoomList(Told):
    items: list[RoomOut]
    next: str | None


class BridgeList(Told):
    items: list[BridgeOut]
    next: str | None


class NetworkList(Told):
    items: list[NetworkOut]
    next: str | None


class KindList(Told):
    items: list[KindOut]
    next: str | None


class Days(Paging):
    """A span of days, both included."""

    first: QueryDay = Field(alias="from")
    last: QueryDay = Field(alias="to")


class ClosureOut(Told):
    """A time during which a site is closed."""

    since: RFC3339 = Field(serialization_alias="from")
    until: RFC3339
    reason: str
    source: Literal["public-holiday", "calendar", "entered"]


class ClosureList(Told):
    items: list[ClosureOut]
    next: str | None
