"""How the service is, what went wrong, who did what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from perinat_sched.web.schemas.base import RFC3339, Told
from perinat_sched.web.schemas.slots import ConflictOut, SlotOut


class Health(Told):
    """The process answers."""

    status: Literal["alive"]


class Readiness(Told):
    """Whether the service can do its work, part by part."""

    status: Literal["ready", "not ready"]
    database: Literal["reachable", "unreachable"]
    guards: Literal["present", "missing", "unknown"]
    delivery: Literal["running", "stopped"]
    mail: Literal["to files", "smtp"]
    tzdata: str
    version: str


class FieldErrorOut(Told):
    """One wrong input, and how to mend it."""

    field: str
    detail: str


class Problem(Told):
    """What went wrong, as RFC 9457 writes it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:perinat-sched:problem:not-found"])
    title: str
    status: int
    detail: str


class InvalidRequestProblem(Problem):
    """422: some with the fields that are wrong, some with the instants meant, some with the field that was read."""

    errors: list[FieldErrorOut] = Field(default_factory=list)
    candidates: list[RFC3339] = Field(default_factory=list)
    field: str | None = None
    pattern: str | None = None


class BookingRefusedProblem(Problem):
    """409: every reason at once, and slots that would do."""

    conflicts: list[ConflictOut]
    alternatives: list[SlotOut]


class AuditOut(Told):
    """Who did what, when, to which object."""

    id: int
    at: RFC3339
    actor: str
    action: str
    object_type: str
    object_id: str
    details: dict[str, Any]


class AuditList(Told):
    items: list[AuditOut]
    next: str | None
