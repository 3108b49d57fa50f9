"""More mails than a batch: a few connections share them, as long as the relay takes both."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from perinat_sched.notices.mailer import Away, Connection, Refused, SmtpMailer, TryLater
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.outbox import BATCH, CONNECTIONS
from tests.notices.conftest import PostRoom, until
from tests.notices.examples import MAIL_FROM, Mailbox, changed, numbered
from tests.notices.relay import Relay, running_relay

SESSIONS = 20
MAILS = 4 * SESSIONS


@pytest.fixture
async def flooded(room: PostRoom) -> PostRoom:
    for number in range(SESSIONS):
        await room.book(numbered(number))
    return room


async def rows(room: PostRoom) -> list[Notice]:
    found = [row for number in range(SESSIONS) for row in await room.rows(numbered(number))]
    return [row for row in found if not row.lead]


class Relays(Mailbox):
    """Takes a mail at the loop's next turn, and counts how many are on their way, one a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: list[int] = []  # connections, at each mail
        self._on_their_way = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.connections += 1
        yield _Line(self, self.connections)

    async def taking(self, line: int, message: bytes, recipient: str) -> None:
        self._on_their_way += 1
        self.busy.append(self._on_their_way)
        try:
            await self.takes(line)
            self.raw.append((recipient, message))
        finally:
            self._on_their_way -= 1

    async def greets(self, line: int) -> None:
        pass

    async def takes(self, line: int) -> None:
        await asyncio.sleep(0.001)


class _Line:
    def __init__(self, relay: Relays, number: int) -> None:
        self._relay = relay
        self._number = number
        self._speaks = False

    async def connect(self) -> None:
        await self._relay.greets(self._number)

    async def send(self, message: bytes, recipient: str) -> None:
        assert not self._speaks, "one mail after the other on one connection"
        self._speaks = True
        try:
            await self._relay.taking(self._number, message, recipient)
        finally:
            self._speaks = False


async def test_a_batch_leaves_over_one_connection_and_a_flood_over_a_few(flooded: PostRoom) -> None:
    relay = Relays()
    delivery = flooded.delivery(relay)
    await delivery.run_once()
    assert set(relay.busy[:BATCH]) == {1}
    assert 1 < max(relay.busy) <= relay.connections == CONNECTIONS
    assert Counter(Counter(relay.raw).values()) == {1: MAILS}
    assert {(row.state, row.attempts, row.ambiguous) for row in await rows(flooded)} == {("sent", 1, False)}


async def test_a_relay_that_takes_one_connection_has_all_mails_over_that_one(flooded: PostRoom) -> None:
    class OneLine(Relays):
        async def takes(self, line: int) -> None:
            if line > 1:
                raise Away("no relay: 421 4.7.0 too many connections")
            await super().takes(line)

    relay = OneLine()
    delivery = flooded.delivery(relay)
    await delivery.run_once()
    assert relay.connections == CONNECTIONS
    assert Counter(Counter(relay.raw).values()) == {1: MAILS}
    assert {(row.state, row.attempts, row.last_error) for row in await rows(flooded)} == {("sent", 1, None)}
    assert delivery.away_until is None


async def test_a_relay_that_is_slow_to_greet_another_connection_has_all_mails_over_the_first(flooded: PostRoom) -> None:
    class OneLine(Relays):
        speaks_to = 0

        async def greets(self, line: int) -> None:
            if self.speaks_to and line != self.speaks_to:
                await asyncio.sleep(3600)
            self.speaks_to = line

        @asynccontextmanager
        async def connection(self) -> AsyncIterator[Connection]:
            async with super().connection() as connection:
                line = self.connections
                yield connection
            if self.speaks_to == line:
                self.speaks_to = 0

    relay = OneLine()
    async with asyncio.timeout(30):
        await flooded.delivery(relay).run_once()
    assert set(relay.busy) == {1}
    assert Counter(Counter(relay.raw).values()) == {1: MAILS}
    assert {(row.state, row.attempts, row.ambiguous) for row in await rows(flooded)} == {("sent", 1, False)}


async def test_while_a_relay_is_slow_to_greet_what_mails_say_does_not_grow_old(flooded: PostRoom) -> None:
    """A session that is cancelled meanwhile invites nobody; readers whose mail was noted are told that it is off."""

    class Slow(Relays):
        greeted = False

        async def greets(self, line: int) -> None:
            if not self.greeted:
                self.greeted = True
                for number in range(SESSIONS):
                    await flooded.change(changed(numbered(number), status="cancelled"))
                await asyncio.sleep(0.3)

    relay = Slow()
    delivery = flooded.delivery(relay)
    delivery.outbox.fresh = 0.2
    await delivery.run_once()
    assert relay.greeted
    assert {subject for _, subject in relay.subjects} == {"Annulation"}
    assert len(relay.raw) <= BATCH
    assert Counter(row.kind for row in await rows(flooded) if row.state == "skipped") == {"invitation": MAILS}


@pytest.mark.parametrize("dies", ["first", "any"])
async def test_a_relay_that_goes_away_in_a_flood_costs_no_mail(flooded: PostRoom, dies: str) -> None:
    """What was on its way arrives, or is tried again; all others never left, or left over another connection."""

    class Going(Relays):
        async def takes(self, line: int) -> None:
            await super().takes(line)
            if len(self.raw) > 2 * BATCH and (line == 1 or dies == "any"):
                raise Away("the connection broke", ambiguous=dies == "any")

    relay = Going()
    delivery = flooded.delivery(relay)
    await delivery.run_once()
    assert (delivery.away_until is not None) == (dies == "any")
    left = Counter(row.state for row in await rows(flooded))
    assert left == {"sent": len(relay.raw), "due": MAILS - len(relay.raw)}
    tried = [row for row in await rows(flooded) if row.state == "due" and row.attempts]
    assert 1 <= len(tried) <= CONNECTIONS
    assert {row.ambiguous for row in tried} == {dies == "any"}
    flooded.passes(minutes=10)
    await flooded.delivery().run_once()
    assert len(relay.raw) + len(flooded.mailbox.raw) == MAILS
    assert {row.state for row in await rows(flooded)} == {"sent"}


async def test_refusals_in_a_flood_concern_their_own_mails_alone(flooded: PostRoom) -> None:
    class Choosy(Relays):
        async def takes(self, line: int) -> None:
            number = len(self.busy)
            await super().takes(line)
            match number % 10:
                case 3:
                    raise Refused("550 no")
                case 7:
                    raise TryLater("450 later")

    relay = Choosy()
    delivery = flooded.delivery(relay)
    await delivery.run_once()
    states = Counter(row.state for row in await rows(flooded))
    assert states["sent"] == len(relay.raw) and min(states["failed"], states["due"]) > 3
    assert len(relay.busy) == MAILS


async def test_a_relay_that_begins_to_dawdle_in_a_flood_has_one_connection_again(flooded: PostRoom) -> None:
    class Tiring(Relays):
        async def takes(self, line: int) -> None:
            await super().takes(line)
            if 2 * BATCH < len(self.raw) < 3 * BATCH:
                await asyncio.sleep(0.2)

    relay = Tiring()
    delivery = flooded.delivery(relay)
    delivery.outbox.fresh = 0.1
    await delivery.run_once()
    slow = relay.busy[2 * BATCH + 2 * CONNECTIONS : 3 * BATCH]
    assert slow and set(slow) == {1}
    assert Counter(Counter(relay.raw).values()) == {1: MAILS}
    assert {(row.state, row.attempts, row.ambiguous) for row in await rows(flooded)} == {("sent", 1, False)}


async def test_a_flood_that_is_cut_short_leaves_in_doubt_what_was_on_its_way_and_nothing_else(
    flooded: PostRoom,
) -> None:
    class Stuck(Relays):
        def __init__(self) -> None:
            super().__init__()
            self.stuck = 0

        async def takes(self, line: int) -> None:
            if len(self.raw) >= 2 * BATCH:
                self.stuck += 1
                await asyncio.sleep(3600)
            await super().takes(line)

    relay = Stuck()
    running = asyncio.create_task(flooded.delivery(relay).run_once())
    await until(lambda: relay.stuck == CONNECTIONS)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    found = Counter((row.state, row.handed_at is not None) for row in await rows(flooded))
    assert found["leased", True] == CONNECTIONS
    assert found["sent", True] == len(relay.raw)
    untouched = found["due", False] + found["leased", False]  # claimed, of which the lease lapses
    assert untouched == MAILS - CONNECTIONS - len(relay.raw)


async def test_a_real_relay_is_spoken_to_over_a_few_connections_and_has_each_mail_once(flooded: PostRoom) -> None:
    relay = Relay()
    async with running_relay(relay=relay):
        await flooded.delivery(SmtpMailer(relay.url, sender=MAIL_FROM)).run_once()
    assert relay.sessions == CONNECTIONS
    assert Counter(Counter(relay.taken).values()) == {1: MAILS}


async def test_a_real_relay_that_takes_few_mails_a_connection_has_them_all_at_once(flooded: PostRoom) -> None:
    relay = Relay()
    relay.mails_a_session = 7
    async with running_relay(relay=relay):
        delivery = flooded.delivery(SmtpMailer(relay.url, sender=MAIL_FROM))
        await delivery.run_once()
    assert relay.sessions >= MAILS // 7
    assert Counter(Counter(relay.taken).values()) == {1: MAILS}
    assert {(row.state, row.attempts) for row in await rows(flooded)} == {("sent", 1)}
    assert delivery.away_until is None
