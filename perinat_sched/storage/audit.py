"""Who did what, when, to which object: a row for every change, in the change's own transaction.

Rows are only ever added; the database refuses everything else (`guards`). They carry codes and numbers, never a text
that somebody typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import insert, select

from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import audit

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """One thing that was done."""

    id: int  # grows with time
    at: datetime  # UTC
    actor: str  # a token's id, or "system"
    action: str
    object_type: str
    object_id: str
    details: Mapping[str, Any]


async def record(
    tx: Tx,
    *,
    at: datetime,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    details: Mapping[str, Any] = NOTHING,
) -> None:
    """Note what this transaction does."""
    await record_all(
        tx, at=at, actor=actor, action=action, object_type=object_type, details_by_object={object_id: details}
    )


async def record_all(
    tx: Tx,
    *,
    at: datetime,
    actor: str,
    action: str,
    object_type: str,
    details_by_object: Mapping[str, Mapping[str, Any]],
) -> None:
    """Note what this transaction does to several objects, at least one, in one statement."""
    common = {"at": at, "actor": actor, "action": action, "object_type": object_type}
    rows = [
        {**common, "object_id": object_id, "details": dict(details)} for object_id, details in details_by_object.items()
    ]
    await tx.execute(insert(audit), rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a reading of the audit is narrowed to; instants are in UTC."""

    actor: str | None = None
    action: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Wanted()


async def read(tx: Tx, wanted: Wanted = EVERYTHING, *, after: int | None, limit: int) -> list[AuditRow]:
    """The newest rows first; `after` is the id of the last row of the page before."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    for name in ("actor", "action", "object_id"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(audit.c[name] == value)
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if after is not None:
        query = query.where(audit.c.id < after)
    return [AuditRow(**row) for row in (await tx.execute(query)).mappings()]


async def of_object(tx: Tx, object_type: str, object_id: str, *, since: datetime) -> list[AuditRow]:
    """What was done to one object, which did not exist before `since`; the oldest first."""
    query = (
        select(audit)
        .where(audit.c.at >= since, audit.c.object_type == object_type, audit.c.object_id == object_id)
        .order_by(audit.c.id)
    )
    return [AuditRow(**row) for row in (await tx.execute(query)).mappings()]
