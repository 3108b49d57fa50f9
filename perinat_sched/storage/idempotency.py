"""Idempotency keys: the same request sent twice is carried out once and answered twice.

A key belongs to a token and a route and is kept for a day. It is claimed at the start of the request's own
transaction, so that of a hundred identical requests at once one acts and the others wait for its answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update

from perinat_sched.errors import IdempotencyKeyReused
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import idempotency

KEPT = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotencyKey:
    """The caller's key, whose it is, and what it was sent with."""

    token: str
    route: str
    key: str
    fingerprint: str  # SHA-256 of the request's body

    @classmethod
    def of(cls, token: str, route: str, key: str, meant: str) -> IdempotencyKey:
        """The key of a request that means `meant`."""
        return cls(token=token, route=route, key=key, fingerprint=hashlib.sha256(meant.encode()).hexdigest())


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """An answer as it went out."""

    status: int
    body: str
    headers: Mapping[str, str]


async def claim(tx: Tx, key: IdempotencyKey, now: datetime) -> StoredAnswer | None:
    """Take the key, or give the answer it already has. Raises IdempotencyKeyReused for another request.

    A second transaction waits at the insert for the first; where it then finds the key taken, `Database.write` begins
    it again.
    """
    await tx.execute(delete(idempotency).where(idempotency.c.created_at < now - KEPT))
    row = (await tx.execute(select(idempotency).where(_is(key)))).one_or_none()
    if row is not None:
        if row.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        return StoredAnswer(status=row.status, body=row.body, headers=row.headers)
    await tx.execute(
        insert(idempotency).values(
            token=key.token, route=key.route, key=key.key, fingerprint=key.fingerprint, created_at=now
        )
    )
    return None


async def settle(tx: Tx, key: IdempotencyKey, answer: StoredAnswer) -> None:
    """Keep the answer of a claimed key."""
    await tx.execute(
        update(idempotency).where(_is(key)).values(status=answer.status, body=answer.body, headers=dict(answer.headers))
    )


def _is(key: IdempotencyKey) -> ColumnElement[bool]:
    columns = idempotency.c
    return (columns.token == key.token) & (columns.route == key.route) & (columns.key == key.key)
