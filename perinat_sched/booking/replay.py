"""How a booking that may be sent twice is answered: the same key, the same words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer


@dataclass(frozen=True, kw_only=True)
class Replay:
    """An Idempotency-Key, and how the answer that is kept under it is written."""

    key: IdempotencyKey
    render: Callable[[Session], StoredAnswer]
    render_refusal: Callable[[BookingRefused], Awaitable[StoredAnswer]]
