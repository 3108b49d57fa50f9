"""How a booking that may be sent twice is answered: the same key, the same words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from perinat_sched.errors import BookingRefused
from perinat_sched.storage import idempotency
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Replay(Generic[T]):
    """An Idempotency-Key, and how the answer that is kept under it is written."""

    key: IdempotencyKey
    render: Callable[[T], Awaitable[StoredAnswer]]
    render_refusal: Callable[[BookingRefused], Awaitable[StoredAnswer]] | None = None  # None: a refusal is not kept

    async def once(self, tx: Tx, now: datetime, act: Callable[[], Awaitable[T]]) -> StoredAnswer:
        """Act and keep the answer, in the transaction of the act; or give the answer that is kept already."""
        if stored := await idempotency.claim(tx, self.key, now):
            return stored
        answer = await self.render(await act())
        await idempotency.settle(tx, self.key, answer)
        return answer

    async def refused(self, database: Database, refusal: BookingRefused, now: datetime) -> StoredAnswer | None:
        """Keep a refusal too, once all is rolled back; what is kept, where a twin was answered meanwhile."""
        if self.render_refusal is None:
            return None
        answer = await self.render_refusal(refusal)

        async def work(tx: Tx) -> StoredAnswer | None:
            stored = await idempotency.claim(tx, self.key, now)
            if stored is None:
                await idempotency.settle(tx, self.key, answer)
            return stored

        return await database.write(work)
