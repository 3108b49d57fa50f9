"""Mail arrives once, whatever dies: real processes, a real relay, both engines.

`TEST_PERINAT_KILLS` (10), `TEST_PERINAT_MAILS` (300) and `TEST_PERINAT_CHANGES` (500) make the run longer.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from perinat_sched.notices.outbox import BATCH
from perinat_sched.storage.database import Database
from tests.notices.relay import Relay, running_relay
from tests.races import post
from tests.service import Service

KILLS = int(os.environ.get("TEST_PERINAT_KILLS", "10"))
MAILS = int(os.environ.get("TEST_PERINAT_MAILS", "300"))
WITHOUT_FAULTS = MAILS * 10 // 3


def nodes(database_url: str) -> int:
    """Processes: one on SQLite, four on PostgreSQL."""
    return 4 if database_url.startswith("postgresql") else 1


def the_services(database_url: str, folder: Path, relay: Relay) -> list[Service]:
    found = []
    for number in range(nodes(database_url)):
        place = folder / f"node{number}"
        place.mkdir()
        found.append(Service(place, database_url, environment={"PERINAT_SMTP_URL": relay.url}))
    return found


async def wait_for(condition: Callable[[], object], relay: Relay) -> None:
    """Wait, as long as mails arrive; raise AssertionError when none has for a minute."""
    taken, patience = len(relay.taken), 60_000
    while not condition():
        await asyncio.sleep(0.001)
        patience = 60_000 if len(relay.taken) > taken else patience - 1
        taken = len(relay.taken)
        assert patience, f"no mail for long, after {taken}"


def has_taken(relay: Relay, mails: int) -> bool:
    return len(relay.taken) >= mails


async def all_settled(database: Database) -> bool:
    return {state for state, _ in (await post.invitations(database)).values()} == {"sent"}


async def deliver_the_rest(services: list[Service], database: Database, relay: Relay) -> None:
    """Everything runs until everything is settled, then ends in good order."""
    await asyncio.gather(*(service.start() for service in services))
    for _ in range(600):
        if await all_settled(database):
            break
        await asyncio.sleep(0.2)
    for service in services:
        assert await service.stop() == 0, service.log.read_text()


async def test_without_faults_every_mail_arrives_exactly_once(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    async with post.assembled(database_url, tmp_path) as [parts]:
        for number in range(WITHOUT_FAULTS // post.MAILS):
            await post.book(parts, number, post.in_a_month())
    async with running_relay() as relay:
        services = the_services(database_url, tmp_path, relay)
        await asyncio.gather(*(service.start() for service in services))
        expected = WITHOUT_FAULTS // post.MAILS * post.MAILS
        await wait_for(partial(has_taken, relay, expected), relay)
        for service in services:
            assert await service.stop() == 0, service.log.read_text()
        taken = post.copies(relay)
    rows = await post.invitations(database)
    assert len(rows) == expected
    assert set(rows.values()) == {("sent", False)}
    assert taken == dict.fromkeys(rows, 1)


async def test_a_mail_survives_kill_9_and_each_second_copy_is_flagged(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    dice = random.Random(KILLS)
    async with post.assembled(database_url, tmp_path) as [parts]:
        for number in range(MAILS // post.MAILS):
            await post.book(parts, number, post.in_a_month())
    async with running_relay() as relay:
        relay.hesitates = 0.005  # between having a mail and saying so: where a death leaves a doubt
        services = the_services(database_url, tmp_path, relay)
        living: set[int] = set()
        deaths = 0
        for kill in range(KILLS):
            if not living:  # all were dead: their leases lapse
                await post.a_quarter_of_an_hour_passes(database)
            dead = set(range(len(services))) - living
            await asyncio.gather(*(services[number].start() for number in dead))
            living = set(range(len(services)))
            aim = MAILS // post.MAILS * post.MAILS * (kill + 1) // (KILLS + 1)
            await wait_for(partial(has_taken, relay, aim), relay)
            victims = set(dice.sample(sorted(living), dice.randint(1, len(living)) if kill % 2 else len(living)))
            await asyncio.gather(*(services[number].stop(signal.SIGKILL) for number in victims))
            living -= victims
            deaths += len(victims)
        deaths += len(living)
        await asyncio.gather(*(services[number].stop(signal.SIGKILL) for number in living))
        await post.a_quarter_of_an_hour_passes(database)
        await deliver_the_rest(services, database, relay)
        taken = post.copies(relay)
    rows = await post.invitations(database)
    assert len(rows) == MAILS // post.MAILS * post.MAILS
    assert {state for state, _ in rows.values()} == {"sent"}, "0 undelivered"
    assert set(taken) == set(rows)
    flagged = {id for id, (_, ambiguous) in rows.items() if ambiguous}
    assert {id for id, number in taken.items() if number > 1} <= flagged, "each second copy is flagged"
    assert 0 < len(flagged) <= deaths * BATCH, "the deaths fell where they leave a doubt, each about one batch"
