"""What runs by the clock, and how often: all of it on this page.

APScheduler only wakes: its jobs live in memory, run late rather than never and never twice at once, and whatever they
do finds its work in the database. So a restart forgets nothing, and a machine that slept wakes up to one run of each.
All intervals, no hours of a local day: a job at 02:30 would run twice in autumn and not at all in spring.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from perinat_sched.notices.delivery import Delivery

logger = logging.getLogger(__name__)

LOOK_FOR_MAIL = timedelta(seconds=2)  # what is due is handed to the relay within 5 s
DRAIN_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Chore:
    """Something done again and again."""

    name: str
    every: timedelta
    work: Callable[[], Awaitable[object]]


class Jobs:
    """The delivery of mail and the chores, from `start` to `stop`."""

    def __init__(self, *, delivery: Delivery, chores: Sequence[Chore] = ()) -> None:
        self._delivery = delivery
        self._chores = chores
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        )
        self._delivering: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running loop. What became due while nothing ran goes out at once."""
        self._delivering = asyncio.create_task(self._delivery.run(), name="delivery")
        self._delivery.wake()
        self._scheduler.add_job(self._wake_delivery, "interval", seconds=LOOK_FOR_MAIL.total_seconds())
        for chore in self._chores:
            self._scheduler.add_job(_done, "interval", seconds=chore.every.total_seconds(), args=[chore])
        self._scheduler.start()

    async def stop(self) -> None:
        """Claim nothing more and finish what is in flight, within 30 s; a mail cut off then is sent again, flagged."""
        self._scheduler.shutdown(wait=False)
        self._delivery.drain()
        if self._delivering is not None:
            await asyncio.wait([self._delivering], timeout=DRAIN_SECONDS)
            self._delivering.cancel()
            with suppress(asyncio.CancelledError):
                await self._delivering

    async def _wake_delivery(self) -> None:  # a coroutine function: APScheduler runs others in a thread
        self._delivery.wake()


async def _done(chore: Chore) -> None:
    try:
        await chore.work()
    except Exception:
        logger.exception("A chore failed: %s", chore.name, extra={"action": "chore_failed"})
