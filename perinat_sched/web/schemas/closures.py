"""Closures that people enter: a site closed, a room busy elsewhere, a bridge out of order."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from perinat_sched.web.schemas.base import RFC3339, Asked, BridgeCode, DayOrStart, RoomCode, SiteCode, Told
from perinat_sched.web.schemas.sessions import Confirmed, Line


class ClosureRequest(Asked):
    """Exactly one of site, room and bridge; hours are wall time of the site, or instants."""

    site: SiteCode | None = None
    room: RoomCode | None = None
    bridge: BridgeCode | None = None
    since: DayOrStart = Field(alias="from")
    until: DayOrStart
    reason: Annotated[Line, Field(min_length=1)]
    no_patient_data: Confirmed = False


class ClosureEntered(Told):
    """A closure as it was entered, and the sessions it hits; nothing is cancelled by itself."""

    id: str
    site: str | None
    room: str | None
    bridge: str | None
    since: RFC3339 = Field(serialization_alias="from")
    until: RFC3339
    reason: str
    hits: list[str]
