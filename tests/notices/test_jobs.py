"""The clock-work, over a real delivery."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

from perinat_sched.jobs import Chore, Jobs
from tests.notices.conftest import PostRoom, until
from tests.notices.examples import Mailbox, session


async def test_what_is_due_at_the_start_goes_out_at_once(room: PostRoom):
    await room.book(session())
    jobs = Jobs(delivery=room.delivery())
    jobs.start()
    await until(lambda: len(room.mailbox.raw) == 4)
    await jobs.stop()


async def test_what_becomes_due_goes_out_without_anybody_asking(room: PostRoom):
    delivery = room.delivery()
    jobs = Jobs(delivery=delivery)
    jobs.start()
    await until(lambda: delivery.last_pass)
    await room.book(session())
    await until(lambda: len(room.mailbox.raw) == 4)
    await jobs.stop()


async def test_a_chore_that_fails_is_done_again(room: PostRoom):
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        raise RuntimeError("not today")

    jobs = Jobs(delivery=room.delivery(), chores=[Chore(name="test", every=timedelta(seconds=0.05), work=work)])
    jobs.start()
    await until(lambda: done >= 2)
    await jobs.stop()


async def test_stopping_finishes_what_is_in_flight_and_begins_nothing(room: PostRoom):
    class Slow(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            self.connections = 100
            await asyncio.sleep(0.2)
            await super().send(message, recipient)

    slow = Slow()
    first = await room.book(session())
    jobs = Jobs(delivery=room.delivery(slow))
    jobs.start()
    await until(lambda: slow.connections == 100)
    await jobs.stop()
    assert len(slow.raw) == 1
    states = Counter(row.state for row in await room.rows(first) if not row.lead)
    assert states == Counter(sent=1, due=3)
