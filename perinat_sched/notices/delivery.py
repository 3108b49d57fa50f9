"""Delivery: finds what is due, hands each mail over once, and settles it.

`booking` does not know of mails: a committed session is the message, and what it calls for is found here (`plan`).
The promise is that every mail whose time has come is handed to the relay at least once, and that a second copy is
possible only when a process, the network or the machine failed between the last byte and the relay's answer; each
such case is flagged in its row (reliability.md § 2). So a mail is claimed, its session read again, rendered, noted as
handed over, sent, settled; and no transaction is open while the relay is spoken to.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from perinat_sched.errors import Unavailable
from perinat_sched.notices import messages, store
from perinat_sched.notices.drafting import Draft, Drafting
from perinat_sched.notices.mailer import Away, Connection, Mailer, Refused, TryLater
from perinat_sched.notices.mime import UnsafeHeader
from perinat_sched.notices.notice import Kind, Notice, Reason
from perinat_sched.notices.patience import JITTER, Patience
from perinat_sched.notices.planning import Planning
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=15)  # longer than one mail may take (mailer.DATA_SECONDS)
BATCH = 20  # mails over one connection, sessions planned in one transaction
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60)]  # after the 1st, 2nd … failed attempt
RENDERINGS = 4  # of a mail whose session changes meanwhile, before it waits for the next pass


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of mails since the start, for metrics."""

    sent: Counter[Kind] = field(default_factory=Counter)
    failed: Counter[Kind] = field(default_factory=Counter)
    retried: Counter[Kind] = field(default_factory=Counter)
    skipped: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    ambiguous: int = 0  # may have been handed over twice


class Delivery:
    """Plans and delivers the notices of one database; any number of processes may do so at once."""

    def __init__(
        self,
        *,
        database: Database,
        directory: Directory,
        mailer: Mailer,
        clock: Clock,
        mail_from: str,
        settle: timedelta = timedelta(),
        stop_url: Callable[[str], str] | None = None,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.database = database
        self.directory = directory
        self.mailer = mailer
        self.clock = clock
        self.mail_from = mail_from
        self.drafting = Drafting(directory=directory, mail_from=mail_from, stop_url=stop_url)
        self.planning = Planning(
            database=database, directory=directory, clock=clock, domain=messages.domain_of(mail_from), settle=settle
        )
        self.chance = chance
        self.tally = Tally()
        self._patience = Patience(chance)  # with the relay
        self.last_pass: datetime | None = None  # when a whole pass last ended
        self._awake = asyncio.Event()
        self._draining = False

    # Running

    def wake(self) -> None:
        """Something may be due: look now."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver at each wake-up until `drain`. What goes wrong in a pass is logged; the next pass tries again."""
        if self.database.dialect == "sqlite":  # one service a file: what is leased is from a process that died
            await self._guarded(self._take_back_all)
        while not self._draining:
            await self._awake.wait()
            self._awake.clear()
            await self._guarded(self.run_once)

    def drain(self) -> None:
        """Claim nothing more; `run` ends when what is in flight is settled."""
        self._draining = True
        self.wake()

    async def run_once(self) -> None:
        """One whole pass: plan what sessions call for and deliver what is due, in turns, until there is neither.

        In turns, so that mails leave however fast sessions change meanwhile.
        """
        await self.planning.plan_odd_weeks()
        while await self._plan_some() + await self.deliver():
            self.last_pass = self.clock()
        self.last_pass = self.clock()

    async def _guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Unavailable:
            logger.warning("The database is away; mails wait.", extra={"action": "delivery_waits"})
        except Exception:
            logger.exception("A pass of the delivery failed.", extra={"action": "delivery_failed"})

    # Planning

    async def plan(self) -> None:
        """Insert the notices that changed sessions call for."""
        while await self._plan_some():
            pass

    async def _plan_some(self) -> int:
        """A batch of them; how many sessions that was."""
        if self._draining:
            return 0
        plans = await self.planning.plan()
        for row in (row for plan in plans for row in (*plan.new, *plan.changed)):
            if row.state == "skipped":
                self._count_skipped(row, row.last_error)
        return len(plans)

    # Delivering

    async def deliver(self) -> int:
        """Claim a batch whose time has come and hand it over, over one connection; how many mails that settled.

        None is settled where there is nothing to do, or no relay to speak to: so ends a pass.
        """
        limit = 0 if self._draining else self._patience.limit(self.clock(), BATCH)
        batch = await self._claim(limit) if limit else []
        if not batch:
            return 0
        async with self.mailer.connection() as connection:
            return await self._hand_over_all(connection, batch)

    async def _claim(self, limit: int = BATCH) -> list[Notice]:
        now = self.clock()

        async def work(tx: Tx) -> tuple[int, list[Notice], list[Notice]]:
            ambiguous = await store.take_back(tx, now)
            return ambiguous, await store.expire(tx, now), await store.claim(tx, now, until=now + LEASE, limit=limit)

        ambiguous, expired, claimed = await self.database.write(work)
        self.tally.ambiguous += ambiguous
        for notice in expired:
            if notice.attempts:
                self._count_failed(notice, "its time is over")
            else:
                self._count_skipped(notice, "too-late")
        return claimed

    async def _take_back_all(self) -> None:
        now = self.clock()
        self.tally.ambiguous += await self.database.write(lambda tx: store.take_back(tx, now, everything=True))

    async def _hand_over_all(self, connection: Connection, batch: Sequence[Notice]) -> int:
        """One after the other; what one recipient's server says does not concern the next."""
        waiting, settled = _mails(batch), 0
        try:
            while waiting and not self._draining:
                mail = waiting.pop(0)
                try:
                    await self._hand_over(connection, mail)
                    settled += 1
                except Away as error:  # nobody to speak to: no other mail would do better now
                    await self._later(mail, error, try_at=self._patience.away(self.clock()))
                    return 0
            return settled
        finally:
            if waiting:
                left = [notice for mail in waiting for notice in mail]
                await self.database.write(lambda tx: store.release(tx, left))

    async def _hand_over(self, connection: Connection, mail: Sequence[Notice]) -> None:
        """Send one mail and settle its rows, all alike. Raises Away, with the mail unsettled."""
        try:
            draft = await self._prepare(mail)
        except Unavailable:
            raise
        except Exception as error:
            reason = f"unsafe {error}" if isinstance(error, UnsafeHeader) else type(error).__name__
            extra = {"action": "notice_unwritten", "notice": mail[0].id}
            logger.exception("A mail could not be written.", extra=extra)
            await self._failed(mail, reason)
            return
        if draft is None:
            return
        try:
            await connection.send(draft.message, draft.rows[0].recipient)
        except Away:
            raise
        except Refused as error:
            await self._failed(draft.rows, str(error))
        except TryLater as error:
            await self._later(draft.rows, error)
        else:
            now = self.clock()
            await self.database.write(lambda tx: store.sent(tx, draft.rows, now))
            for row in draft.rows:
                self.tally.sent[row.kind] += 1
        self._patience.there()

    async def _prepare(self, mail: Sequence[Notice]) -> Draft | None:
        """The mail, noted as handed over; None: it is not to be sent, or no longer ours.

        It says what holds at the moment it is noted: where a session changes while it is rendered, it is rendered
        again.
        """
        for _ in range(RENDERINGS):
            now = self.clock()
            async with self.database.read() as tx:
                draft = await self.drafting.draft(tx, mail, now)
            for row, reason in draft.against:
                await self._skip(row, reason)
            if not draft.rows:
                return None
            if await self._noted(draft, now):
                return draft
            mail = draft.rows
        left = mail
        await self.database.write(lambda tx: store.release(tx, left))
        return None

    async def _noted(self, draft: Draft, now: datetime) -> bool:
        async def work(tx: Tx) -> None:
            if not await store.hand_over(tx, draft.rows, draft.about, now, until=now + LEASE):
                raise _NotAsDrafted

        try:
            await self.database.write(work)
        except _NotAsDrafted:
            return False
        return True

    # Settling

    async def _skip(self, notice: Notice, reason: Reason) -> None:
        await self.database.write(lambda tx: store.skipped(tx, notice, reason))
        self._count_skipped(notice, reason)

    async def _failed(self, mail: Sequence[Notice], error: str) -> None:
        await self.database.write(lambda tx: store.failed(tx, mail, error))
        for notice in mail:
            self._count_failed(notice, error)

    async def _later(self, mail: Sequence[Notice], error: TryLater, try_at: datetime | None = None) -> None:
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
            await self._failed(too_late, str(error))
        again = [notice for notice in mail if try_at < notice.expires_at]
        if not again:
            return
        await self.database.write(lambda tx: store.later(tx, again, str(error), try_at=try_at))
        for notice in again:
            self.tally.retried[notice.kind] += 1
            extra = {"action": "notice_later", "notice": notice.id}
            logger.warning("A mail is tried again later: %s", error, extra=extra)

    def _count_failed(self, notice: Notice, error: str) -> None:
        self.tally.failed[notice.kind] += 1
        logger.error("A mail has failed: %s", error, extra={"action": "notice_failed", "notice": notice.id})

    def _count_skipped(self, notice: Notice, reason: str | None) -> None:
        self.tally.skipped[notice.kind, reason or ""] += 1


class _NotAsDrafted(Exception):
    """The lease is lost, or a session changed while its mail was written: nothing is noted."""


def _mails(claimed: Sequence[Notice]) -> list[list[Notice]]:
    """Claimed rows as mails: the reminders of one reader and moment make one, everything else one each."""
    mails: dict[object, list[Notice]] = {}
    for row in claimed:
        mails.setdefault((row.recipient, row.due_at) if row.kind == "reminder" else row.id, []).append(row)
    return list(mails.values())
