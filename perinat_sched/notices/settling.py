"""Settling: what became of mails, written down and counted.

What the relay has taken is written down in the transaction that notes the next mails, and before anything else is
claimed should the database have been away. Everything else is rare, and written down at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from perinat_sched.notices import delivery_store
from perinat_sched.notices.drafting import Draft
from perinat_sched.notices.mailer import TryLater
from perinat_sched.notices.notice import Kind, Notice, Reason
from perinat_sched.notices.patience import JITTER
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

logger = logging.getLogger(__name__)

PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60)]  # after the 1st, 2nd … failed attempt


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of mails since the start, for metrics."""

    sent: Counter[Kind] = field(default_factory=Counter)
    failed: Counter[Kind] = field(default_factory=Counter)
    retried: Counter[Kind] = field(default_factory=Counter)
    skipped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    ambiguous: int = 0  # may have been handed over twice


class Settling:
    """Settles what one process claims."""

    def __init__(self, *, database: Database, clock: Clock, chance: Callable[[float, float], float]) -> None:
        self.database = database
        self.clock = clock
        self.chance = chance
        self.tally = Tally()
        self._taken: list[tuple[Notice, datetime]] = []  # by the relay, and not yet written down, like the next
        self._untouched: list[Notice] = []

    def sent(self, mail: Sequence[Notice]) -> None:
        """The relay has taken a mail: to be written down with others."""
        now = self.clock()
        self._taken += [(row, now) for row in mail]
        for row in mail:
            self.tally.sent[row.kind] += 1

    def untouched(self, mails: Iterable[Sequence[Notice]]) -> None:
        """Claimed and not begun: others may have them, once that is written down with what the relay takes."""
        self._untouched += [row for mail in mails for row in mail]

    async def give_back(self, mails: Iterable[Sequence[Notice]]) -> None:
        """Claimed and not begun: others may have them now. Writes down what the relay has taken, too."""
        self.untouched(mails)
        await self.write()

    async def write(self) -> None:
        """Write down what is not written down yet. What the database does not take now, it is given the next time."""
        if self._taken or self._untouched:
            await self.note(())

    async def note(self, drafts: Sequence[Draft], *, lease: timedelta = timedelta()) -> list[bool]:
        """Note which of these mails leave now, leased for so long; write down what is not written down yet with it."""
        taken, self._taken = self._taken, []
        untouched, self._untouched = self._untouched, []
        now = self.clock()

        async def work(tx: Tx) -> list[bool]:
            ours = await delivery_store.hold(tx, [*(row for row, _ in taken), *untouched], drafts)
            await delivery_store.sent(tx, taken)
            await delivery_store.release(tx, untouched)
            return await delivery_store.hand_over(tx, ours, drafts, now, until=now + lease)

        try:
            return await self.database.write(work)
        except BaseException:
            self._taken, self._untouched = taken + self._taken, untouched + self._untouched
            raise

    async def skip(self, notice: Notice, reason: Reason) -> None:
        await self.database.write(lambda tx: delivery_store.skipped(tx, notice, reason))
        self.count_skipped(notice, reason)

    async def fail(self, mail: Sequence[Notice], error: str) -> None:
        await self.database.write(lambda tx: delivery_store.failed(tx, mail, error))
        for notice in mail:
            self.count_failed(notice, error)

    async def put_off(self, mail: Sequence[Notice], error: TryLater, try_at: datetime | None = None) -> None:
        """Again after a pause that grows (or at `try_at`); failed where that would be too late to help anybody."""
        if error.ambiguous and not all(notice.ambiguous for notice in mail):
            mail = [replace(notice, ambiguous=True) for notice in mail]
            self.tally.ambiguous += 1
        if try_at is None:
            attempts = max(notice.attempts for notice in mail)
            pause = PAUSES[min(attempts, len(PAUSES) - 1)] * self.chance(1 - JITTER, 1 + JITTER)
            try_at = self.clock() + pause
        too_late = [notice for notice in mail if try_at >= notice.expires_at]
        if too_late:
            await self.fail(too_late, str(error))
        again = [notice for notice in mail if try_at < notice.expires_at]
        if not again:
            return
        await self.database.write(lambda tx: delivery_store.later(tx, again, str(error), try_at=try_at))
        for notice in again:
            self.tally.retried[notice.kind] += 1
            extra = {"action": "notice_later", "notice": notice.id}
            logger.warning("A mail is tried again later: %s", error, extra=extra)

    def count_failed(self, notice: Notice, error: str) -> None:
        self.tally.failed[notice.kind] += 1
        logger.error("A mail has failed: %s", error, extra={"action": "notice_failed", "notice": notice.id})

    def count_skipped(self, notice: Notice, reason: str | None) -> None:
        self.tally.skipped[notice.kind, reason or ""] += 1
