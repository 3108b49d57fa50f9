"""Delivery: finds what is due, hands each mail over once, and settles it.

`booking` does not know of mails: a committed session is the message, and what it calls for is found here (`plan`).
The promise is that every mail whose time has come is handed to the relay at least once, and that a second copy is
possible only when a process, the network or the machine failed while the mail, or one of the few that it was noted
with, was on its way; each such case is flagged in its row (reliability.md § 2). So mails are claimed, their sessions
read again, and they are written, a batch in few transactions; the outbox has them noted as handed over and sends them,
while the next batch is claimed, read and written. No transaction is open while the relay is spoken to.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from perinat_sched.errors import Unavailable
from perinat_sched.notices import delivery_store, messages
from perinat_sched.notices.drafting import Draft, Drafting, Known
from perinat_sched.notices.mailer import Mailer
from perinat_sched.notices.mime import UnsafeHeader
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.outbox import BATCH, Outbox
from perinat_sched.notices.patience import Patience
from perinat_sched.notices.planning import Planning
from perinat_sched.notices.settling import Settling, Tally
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=15)  # longer than one mail may take (mailer.DATA_SECONDS)
TURNS = 3  # of the loop, between two mails: from an answer of the relay to what it is told next


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
        self.settling = Settling(database=database, clock=clock, chance=chance)
        self._patience = Patience(chance)  # with the relay
        self.outbox = Outbox(settling=self.settling, patience=self._patience, clock=clock)
        self.last_pass: datetime | None = None  # when a whole pass last ended
        self._awake = asyncio.Event()
        self._draining = False

    @property
    def tally(self) -> Tally:
        """What became of mails since the start."""
        return self.settling.tally

    @property
    def away_until(self) -> datetime | None:
        """Until when this process leaves a relay alone that does not answer; None: it answered last."""
        return self._patience.until

    # Running

    def wake(self) -> None:
        """Something may be due: look now."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver at each wake-up until `drain`. What goes wrong in a pass is logged; the next pass tries again."""
        if self.database.dialect == "sqlite":  # one service a file: what is leased is from a process that died
            await self._guarded(lambda: self._take_back(everything=True))
        while not self._draining:
            await self._awake.wait()
            self._awake.clear()
            await self._guarded(self.run_once)

    def drain(self) -> None:
        """Claim nothing more; `run` ends when what is in flight is settled."""
        self._draining = True
        self.outbox.close()
        self.wake()

    async def run_once(self) -> None:
        """One whole pass: plan what sessions call for and deliver what is due, in turns, until there is neither."""
        await self.settling.write()  # should the database have been away, longer than a lease even
        await self.planning.plan_odd_weeks()
        await self._take_back()
        while await self._in_turns():  # what waited until a mail to the same reader was settled follows at once
            pass
        self.last_pass = self.clock()

    async def _in_turns(self) -> int:
        """Plan and deliver in turns, so that mails leave however fast sessions change; how many mails that was."""
        delivered = 0
        async with self.outbox.sending(self.mailer):
            while await self._plan_some() + (done := await self._deliver()):
                delivered += done
                self.last_pass = self.clock()
        return delivered

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
                self.settling.count_skipped(row, row.last_error)
        return len(plans)

    # Delivering

    async def deliver(self) -> int:
        """Claim a batch whose time has come and hand it over; how many mails that settled."""
        async with self.outbox.sending(self.mailer):
            mails = await self._deliver()
        return mails - self.outbox.given_back if mails else 0

    async def _deliver(self) -> int:
        """Claim a batch and let it leave; how many mails it is, none where there is nothing to do, or no relay."""
        if self._draining or not await self.outbox.ready():
            return 0
        limit = self._patience.limit(self.clock(), self.outbox.pace)
        batch = await self._claim(limit) if limit else []
        return await self._hand_over(batch) if batch else 0

    async def _claim(self, limit: int = BATCH) -> list[Notice]:
        now = self.clock()
        return await self.database.write(lambda tx: delivery_store.claim(tx, now, until=now + LEASE, limit=limit))

    async def _take_back(self, *, everything: bool = False) -> None:
        """Leases that lapsed (or all of them) come back; whose time is over goes."""
        now = self.clock()

        async def work(tx: Tx) -> tuple[int, list[Notice]]:
            ambiguous = await delivery_store.take_back(tx, now, everything=everything)
            return ambiguous, await delivery_store.expire(tx, now)

        ambiguous, expired = await self.database.write(work)
        self.tally.ambiguous += ambiguous
        for notice in expired:
            if notice.attempts:
                self.settling.count_failed(notice, "its time is over")
            else:
                self.settling.count_skipped(notice, "too-late")

    async def _hand_over(self, claimed: Sequence[Notice]) -> int:
        """Write these and let them leave; how many mails they are.

        They say what holds at the moment they are noted: where a session changes while a mail about it is written,
        the mail waits for the next batch, and those that are noted wait for none.
        """
        mails = _mails(claimed)
        try:
            drafts = await self._drafts(mails)
        except BaseException:
            await self.settling.give_back(mails)
            raise
        await self.outbox.take(drafts, self._noted)
        return len(mails)

    async def _drafts(self, mails: Sequence[Sequence[Notice]]) -> list[Draft]:
        """Those to be sent, written; the others are settled, or no longer ours."""
        async with self.database.read() as tx:
            known = await self.drafting.read(tx, mails)
        now = self.clock()
        return [draft for mail in mails if (draft := await self._draft(known, mail, now)).rows]

    async def _draft(self, known: Known, mail: Sequence[Notice], now: datetime) -> Draft:
        """The mail; without rows where none is to be sent, or none can be written."""
        for _ in range(TURNS):  # a batch of mails is long: others may have their turns, those that leave first
            await asyncio.sleep(0)
        try:
            draft = self.drafting.draft(known, mail, now)
        except Exception as error:
            reason = f"unsafe {error}" if isinstance(error, UnsafeHeader) else type(error).__name__
            extra = {"action": "notice_unwritten", "notice": mail[0].id}
            logger.exception("A mail could not be written.", extra=extra)
            await self.settling.fail(mail, reason)
            return Draft(rows=())
        for row, against in draft.against:
            await self.settling.skip(row, against)
        return draft

    async def _noted(self, drafts: Sequence[Draft]) -> list[bool]:
        """Which of them leave now."""
        return await self.settling.note(drafts, lease=LEASE)


def _mails(claimed: Sequence[Notice]) -> list[list[Notice]]:
    """Claimed rows as mails: one reader's reminders of one moment, or news of one series; everything else one each."""
    mails: dict[object, list[Notice]] = {}
    for row in claimed:
        together = row.due_at if row.kind == "reminder" else row.bundle
        mails.setdefault((row.recipient, together) if together else row.id, []).append(row)
    return list(mails.values())
