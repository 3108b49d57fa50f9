"""The outbox: mails that are noted leave one after the other, while the next ones are written.

One connection serves a batch. Of a flood, once the relay has taken a batch as fast as it came, each of a few more
takes the next mail that waits: while the relay thinks about one mail, it is told of another.

At most `BATCH` mails are noted and not yet settled: so many a death leaves in doubt. Behind them at most one batch
waits that is written, and one is being written, so that the relay never waits for us nor we for it. Each mail begins
to leave within half a second of its note, while what it says is fresh; what a slow relay leaves lying longer, be it
while it greets us, is given back, for others or for later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from perinat_sched.notices.drafting import Draft
from perinat_sched.notices.mailer import Away, Connection, Mailer, Refused, TryLater
from perinat_sched.notices.patience import Patience
from perinat_sched.notices.settling import Settling
from perinat_sched.zones import Clock

BATCH = 20
CONNECTIONS = 4  # at most, of a flood
FRESH = 0.5  # seconds

Note = Callable[[Sequence[Draft]], Awaitable[Sequence[bool]]]  # which of these leave now, and settle what has left


class _NoMore(Exception):
    """The relay takes no more connections than it has."""


@dataclass(frozen=True, slots=True, eq=False)
class _Noted:
    draft: Draft
    at: float  # by the loop's clock
    begun: int  # how many had begun to leave


class Outbox:
    """Of one process."""

    def __init__(self, *, settling: Settling, patience: Patience, clock: Clock) -> None:
        self.settling = settling
        self.patience = patience
        self.clock = clock
        self.fresh = FRESH
        self.pace = BATCH  # how many mails the relay takes while what they say is fresh
        self.given_back = 0  # mails, since it was opened
        self.open = False
        self._waiting: deque[_Noted] = deque()
        self._taking: asyncio.Task[None] | None = None
        self._written = 0  # taken, and not all noted
        self._leaving = 0  # one a connection, or none
        self._begun = 0
        self._fluent = 0  # how many the relay has taken since it was opened, or last dawdled
        self._dawdles = False
        self._waits: list[tuple[Callable[[], object], asyncio.Future[None]]] = []  # for a condition

    # While it is open

    @asynccontextmanager
    async def sending(self, mailer: Mailer) -> AsyncIterator[None]:
        """While this lasts, what is taken leaves; at the end all of it has left or is given back, and is settled.

        Where there is no relay, or it is closed, it takes nothing more. Whoever is cancelled cuts the mail that is on
        its way; any other failure lets it arrive.
        """
        self.open, self.given_back, self._dawdles, self._fluent = True, 0, False, 0
        sending = [self._send(mailer, more=number > 0) for number in range(CONNECTIONS)]
        senders = [asyncio.create_task(each, name="outbox") for each in sending]
        watch = asyncio.create_task(self._watch(), name="outbox-watch")
        try:
            yield
            await self._taken()
            await self._until(self._is_empty)
        except asyncio.CancelledError:
            for sender in senders:
                sender.cancel()
            raise
        finally:
            self.close()
            watch.cancel()
            await asyncio.gather(*senders, watch, self._taken(), return_exceptions=True)
            await self._give_back([self._waiting.popleft().draft for _ in range(len(self._waiting))])
        for sender in senders:
            sender.result()

    def close(self) -> None:
        """Nothing leaves any more but what is on its way."""
        self.open = False
        self._stir()

    async def ready(self) -> bool:
        """Whether it takes mails. Where the relay dawdles or has to be asked for, only when all before have left."""
        if self._dawdles or self.patience.until:
            await self._until(self._is_empty)
            self._dawdles = False
        return self.open

    async def take(self, drafts: Sequence[Draft], note: Note) -> None:
        """Have these noted, some at a time, and let them leave; what finds no room in time is given back.

        Returns when that has begun: the next may be written meanwhile, and wait until these are noted.
        """
        try:
            await self._taken()
        except BaseException:
            await self._give_back(drafts)
            raise
        self._written = len(drafts)
        self._taking = asyncio.create_task(self._take(drafts, note), name="outbox-take")

    # Within

    async def _taken(self) -> None:
        """What was taken is noted or given back. Raises what went wrong, once."""
        taking, self._taking = self._taking, None
        if taking:
            await taking

    async def _take(self, drafts: Sequence[Draft], note: Note) -> None:
        rest = list(drafts)
        try:
            while rest and await self._has_room():
                some = rest[: self._step]
                leaves = await note(some)
                rest = rest[len(some) :]
                noted_at = asyncio.get_running_loop().time()
                for draft, goes in zip(some, leaves, strict=True):
                    if goes:
                        self._waiting.append(_Noted(draft, noted_at, self._begun))
                self.settling.untouched(draft.rows for draft, goes in zip(some, leaves, strict=True) if not goes)
                self._stir()
        finally:
            self._written = 0
            self._stir()
            if rest:
                await self._give_back(rest)

    @property
    def _step(self) -> int:
        """How many are noted at once: half of what may be noted and not settled, so that half of it is leaving."""
        return max(1, self.pace // 2)

    async def _has_room(self) -> bool:
        def room() -> bool:
            return not self.open or len(self._waiting) + self._leaving + self._step <= max(1, self.pace)

        try:
            async with asyncio.timeout(self.fresh):
                await self._until(room)
        except TimeoutError:
            self._dawdles, self._fluent = True, 0
            return False
        return self.open

    async def _send(self, mailer: Mailer, *, more: bool) -> None:
        """One after the other, until it is closed. What one recipient's server says does not concern the next.

        `more`: than the first connection; one that the relay does not take is left out.
        """

        def wanted() -> bool:
            return bool(self._waiting) and (not more or self._fluent >= BATCH)

        try:
            await self._until(wanted)
            if self.open:
                async with mailer.connection() as connection:
                    while self.open:
                        await self._next(connection, more=more)
                        await self._until(wanted)
        except _NoMore:
            return
        except Away:  # nobody to speak to: no other mail would do better now
            self.close()
        except BaseException:
            self.close()
            raise

    async def _next(self, connection: Connection, *, more: bool) -> None:
        noted = self._waiting.popleft()
        self._leaving += 1
        self._begun += 1
        self.pace = min(self.pace + 1, BATCH)
        try:
            await self._hand_over(connection, noted, more=more)
        except _NoMore:
            self._begun -= 1
            self._waiting.appendleft(noted)
            raise
        else:
            self._fluent += 1
        finally:
            self._leaving -= 1
            self._stir()

    async def _hand_over(self, connection: Connection, noted: _Noted, *, more: bool) -> None:
        """Send one mail and settle its rows, all alike; give it back where the relay was slow to greet us.

        Raises Away where there is no relay, _NoMore where it does not take `more` connections, or not at once: then
        the mail has not left.
        """
        draft = noted.draft
        try:
            await self._connect(connection, more=more)
            if asyncio.get_running_loop().time() - noted.at > self.fresh:
                await self._give_back([draft])
                return
            await connection.send(draft.message, draft.rows[0].recipient)
        except Away as error:
            if more and not error.ambiguous:
                raise _NoMore from error
            await self.settling.put_off(draft.rows, error, try_at=self.patience.away(self.clock()))
            raise
        except Refused as error:
            await self.settling.fail(draft.rows, str(error))
        except TryLater as error:
            await self.settling.put_off(draft.rows, error)
        else:
            self.settling.sent(draft.rows)
        self.patience.there()

    async def _connect(self, connection: Connection, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self.fresh if more else None):
                await connection.connect()
        except TimeoutError as error:
            raise _NoMore from error

    async def _watch(self) -> None:
        """Give back what waits too long, and write down what has left, should nothing else do so."""
        while True:
            await asyncio.sleep(self.fresh / 2)
            late = asyncio.get_running_loop().time() - self.fresh / 2
            stale = [noted for noted in self._waiting if noted.at <= late]
            if stale:
                for noted in stale:
                    self._waiting.remove(noted)
                self.pace = max(1, self._begun - stale[0].begun)
                self._dawdles, self._fluent = True, 0
            with suppress(Exception):  # it is written the next time
                await self._give_back([noted.draft for noted in stale])

    async def _give_back(self, drafts: Sequence[Draft]) -> None:
        self.given_back += len(drafts)
        self._stir()
        await self.settling.give_back(draft.rows for draft in drafts)

    def _is_empty(self) -> bool:
        return not self._written and not self._waiting and not self._leaving

    async def _until(self, condition: Callable[[], object]) -> None:
        """Wait until this is so, or it is closed."""
        while self.open and not condition():
            wait = condition, asyncio.get_running_loop().create_future()
            self._waits.append(wait)
            try:
                await wait[1]
            finally:
                self._waits.remove(wait)

    def _stir(self) -> None:
        """Something has moved: wake those whose condition holds now, who look again themselves."""
        for condition, woken in self._waits:
            if not woken.done() and (not self.open or condition()):
                woken.set_result(None)
