"""A bad relay, in a real SMTP conversation by a clock that is moved by hand (reliability.md § 2 and § 4)."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from perinat_sched.notices import patience
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import SmtpMailer
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.outbox import BATCH
from perinat_sched.notices.patience import Patience
from perinat_sched.notices.settling import PAUSES
from tests.notices.conftest import PostRoom
from tests.notices.examples import BOOKED, read, session
from tests.notices.relay import Relay, running_relay

READER = "staff@calais.example"
FROM = "visio@perinat.example"


@pytest.fixture
def engine() -> str:
    """What the relay does is the same to both engines; what differs is tested beside the deliveries."""
    return "sqlite"


async def booked(room: PostRoom, number: int) -> None:
    """So many sessions, four readers each, long before they take place."""
    for one in range(number):
        await room.book(session(id=f"session-{one}", uid=f"session-{one}@perinat.example"))


async def invitations(room: PostRoom, number: int) -> list[Notice]:
    sessions = [session(id=f"session-{one}") for one in range(number)]
    return [row for each in sessions for row in await room.rows(each) if row.kind == "invitation"]


def counts(relay: Relay) -> Counter[str]:
    return Counter(str(read(content)["Message-ID"]) for _, content in relay.taken)


async def test_what_a_relay_puts_off_is_tried_again_on_schedule_within_a_fifth(room: PostRoom):
    await booked(room, 1)
    dice = random.Random(3)
    async with running_relay() as relay:
        relay.answers = {READER: ["450 4.2.0 greylisted", "data 452 4.3.1 full"] * 4}
        delivery = room.delivery(SmtpMailer(relay.url, sender=FROM), chance=dice.uniform)
        pauses = []
        for _ in range(8):
            await delivery.run_once()
            [row] = [row for row in await invitations(room, 1) if row.recipient == READER]
            assert (row.state, row.ambiguous, row.handed_at) == ("due", False, None)
            pauses.append(row.try_at - room.now)
            room.now = row.try_at
        await delivery.run_once()
    for pause, minutes in zip(pauses, (1, 2, 5, 15, 30, 60, 60, 60), strict=True):
        assert timedelta(minutes=minutes * 0.8) <= pause <= timedelta(minutes=minutes * 1.2)
    assert len(set(pauses)) == 8
    assert relay.recipients.count(READER) == 1


async def test_a_relay_that_is_silent_after_the_final_dot_leaves_a_doubt_and_the_others_their_mail(room: PostRoom):
    await booked(room, 1)
    async with running_relay() as relay:
        relay.answers = {READER: ["stall"]}
        delivery = room.delivery(SmtpMailer(relay.url, sender=FROM, data_seconds=0.2))
        await delivery.run_once()
        assert len(set(relay.recipients)) == 4
        [row] = [row for row in await invitations(room, 1) if row.recipient == READER]
        assert (row.state, row.ambiguous, row.handed_at) == ("due", True, BOOKED)
        room.passes(minutes=2)
        await delivery.run_once()
    assert {row.state for row in await invitations(room, 1)} == {"sent"}
    assert [row.recipient for row in await invitations(room, 1) if row.ambiguous] == [READER]
    assert sorted(counts(relay).values()) == [1, 1, 1, 2], "the copy is the same mail"


async def test_a_recipient_who_is_refused_costs_the_others_neither_time_nor_a_connection(room: PostRoom):
    await booked(room, 4)
    async with running_relay() as relay:
        relay.answers = {READER: ["550 5.1.1 unknown"] * 4}
        await room.delivery(SmtpMailer(relay.url, sender=FROM)).run_once()
        assert (len(relay.taken), relay.sessions) == (12, 1)
    states = Counter((row.state, row.last_error) for row in await invitations(room, 4))
    assert states == Counter({("sent", None): 12, ("failed", "550 5.1.1 unknown"): 4})


async def test_a_relay_that_is_away_for_hours_is_called_seldom_and_not_flooded_when_it_is_back(room: PostRoom):
    """One mail asks for it, at most every six minutes; then all leave within minutes, in batches of one connection."""
    await booked(room, 20)
    async with running_relay() as relay:
        port = int(relay.url.rpartition(":")[2])
    delivery, calls = room.delivery(SmtpMailer(relay.url, sender=FROM), chance=random.Random(1).uniform), 0
    back = room.now + timedelta(hours=6)
    while room.now < back:
        before = delivery.tally.retried.total()
        await delivery.run_once()
        calls += delivery.tally.retried.total() - before
        room.passes(seconds=60)
    rows = await invitations(room, 20)
    assert {row.state for row in rows} == {"due"}
    assert 6 * 60 / 6 <= calls <= 6 * 60 / 4 + 2
    assert sum(row.attempts for row in rows) == calls
    assert all(row.try_at <= room.now + patience.LONGEST for row in rows), "none is in a long pause of its own"
    async with running_relay(port) as relay:
        while room.now < back + patience.LONGEST + timedelta(minutes=1):
            await delivery.run_once()
            room.passes(seconds=60)
        assert relay.sessions <= 1 + 80 / BATCH + 1
    assert {row.state for row in await invitations(room, 20)} == {"sent"}
    assert set(counts(relay).values()) == {1}
    assert delivery.tally.ambiguous == 0


async def test_the_first_mail_after_an_absence_goes_alone(room: PostRoom):
    await booked(room, 2)
    async with running_relay() as relay:
        port = int(relay.url.rpartition(":")[2])
    delivery = room.delivery(SmtpMailer(relay.url, sender=FROM))
    await delivery.run_once()
    room.passes(minutes=1)
    async with running_relay(port) as relay:
        assert await delivery.deliver() == 1
        assert len(relay.taken) == 1
        assert await delivery.deliver() == 7


async def test_a_relay_that_cuts_every_connection_is_left_alone_like_one_that_is_away(room: PostRoom):
    await booked(room, 10)
    async with running_relay() as relay:
        relay.otherwise = lambda: "cut"
        await room.delivery(SmtpMailer(relay.url, sender=FROM)).run_once()
        assert relay.sessions == 3
    rows = await invitations(room, 10)
    assert Counter((row.state, row.attempts, row.ambiguous) for row in rows) == Counter(
        {("due", 1, True): 3, ("due", 0, False): 37}
    )


def test_a_clock_that_is_put_back_does_not_make_the_relay_wait():
    waiting = Patience(lambda low, high: high)
    until = waiting.away(BOOKED)
    assert until == BOOKED + timedelta(minutes=1.2)
    assert [waiting.limit(at, BATCH) for at in (BOOKED, until - timedelta(seconds=1), until)] == [0, 0, 1]
    assert waiting.limit(BOOKED - timedelta(days=1), BATCH) == 1
    waiting.there()
    assert waiting.limit(BOOKED, BATCH) == BATCH


@pytest.mark.parametrize("seed", range(2))
async def test_a_bad_relay_loses_nothing_and_every_refusal_is_visible(room: PostRoom, seed: int):
    """4xx 20 %, 5xx 2 %, cut after DATA 5 %, six hours away: 0 lost, each copy flagged (reliability.md § 4)."""
    await booked(room, 25)
    dice = random.Random(seed)
    refused = 0

    def answer() -> str:
        nonlocal refused
        chance = dice.random()
        if chance < 0.02:
            refused += 1
            return dice.choice(["550 5.1.1 unknown", "data 554 5.7.1 no"])
        if chance < 0.07:
            return dice.choice(["cut", "cut-after"])
        return dice.choice(["450 4.2.0 later", "data 451 4.3.0 busy"]) if chance < 0.27 else "250 OK"

    relay = Relay()
    relay.otherwise = answer
    async with running_relay(relay=relay):
        port, url = int(relay.url.rpartition(":")[2]), relay.url
        delivery: Delivery = room.delivery(SmtpMailer(url, sender=FROM), chance=dice.uniform)
        await delivery.run_once()
    await until_settled(room, delivery, room.now + timedelta(hours=6))
    async with running_relay(port, relay=relay):
        await until_settled(room, delivery, room.now + timedelta(hours=12))
    rows = await invitations(room, 25)
    copies = counts(relay)
    assert Counter(row.state for row in rows) == Counter(sent=100 - refused, failed=refused)
    assert all(row.last_error and row.last_error[0] == "5" for row in rows if row.state == "failed")
    assert all(copies[row.message_id] >= 1 for row in rows if row.state == "sent")
    assert {id for id, number in copies.items() if number > 1} <= {row.message_id for row in rows if row.ambiguous}
    assert delivery.tally.failed.total() == refused > 0
    assert delivery.tally.ambiguous == sum(row.ambiguous for row in rows)


async def until_settled(room: PostRoom, delivery: Delivery, end: datetime) -> None:
    """The clock goes on, and the delivery looks every quarter of an hour."""
    while room.now < end:
        room.passes(minutes=15)
        await delivery.run_once()


def test_the_schedule_is_that_of_the_requirements():
    assert [pause.total_seconds() / 60 for pause in PAUSES] == [1, 2, 5, 15, 30, 60]
