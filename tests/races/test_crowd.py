"""No double booking, whatever the crowd: real processes, real sockets, both engines.

`TEST_PERINAT_ATTEMPTS` (5,000) and `TEST_PERINAT_KILLS` (10) make the run longer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from perinat_sched.storage.database import Database
from tests.races.crowd import PORTS, Crowd, check
from tests.service import Service

ATTEMPTS = int(os.environ.get("TEST_PERINAT_ATTEMPTS", "5000"))
KILLS = int(os.environ.get("TEST_PERINAT_KILLS", "10"))


@pytest.fixture
async def services(database_url: str, tmp_path: Path) -> AsyncIterator[list[Service]]:
    """One process on SQLite, four on PostgreSQL."""
    started = []
    for number in range(4 if database_url.startswith("postgresql") else 1):
        folder = tmp_path / f"node{number}"
        folder.mkdir()
        started.append(await Service(folder, database_url).start())
    yield started
    for service in started:
        assert await service.stop() == 0, service.log.read_text()


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    await database.close()


async def test_a_crowd_never_books_a_room_or_a_port_twice(services: list[Service], opened: Database) -> None:
    token = await services[0].token()
    crowd = Crowd(seed=1)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(service.client(token)) for service in services]
        await crowd.storm(clients, ATTEMPTS)
    assert sum(crowd.statuses.values()) == ATTEMPTS
    assert set(crowd.statuses) <= {200, 201, 409}, crowd.statuses
    assert crowd.statuses[201] > 50
    assert await check(opened, crowd) == PORTS, "the bridge was filled to its last port"


async def test_what_is_acknowledged_survives_kill_9(database_url: str, tmp_path: Path, opened: Database) -> None:
    service = Service(tmp_path, database_url)
    token = await service.token()
    crowd = Crowd(seed=2, days=28)
    for _ in range(KILLS):
        await service.start()
        async with service.client(token) as client:
            storm = asyncio.create_task(crowd.storm([client], attempts=10_000))
            await crowd.has_booked(crowd.random.randint(5, 40))
            await service.stop(signal.SIGKILL)
            await storm
        await check(opened, crowd, killed=True)
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_backup_under_load_keeps_what_was_acknowledged_before_it(tmp_path: Path) -> None:
    service = await Service(tmp_path, f"sqlite:///{tmp_path / 'perinat.db'}").start()
    token = await service.token()
    before, during = Crowd(seed=3, days=14), Crowd(seed=4, days=28)
    async with service.client(token) as client:
        await before.storm([client], attempts=200)
        storm = asyncio.create_task(during.storm([client], attempts=400))
        await service.run("backup", "copy.db")
        await storm
    await service.stop(signal.SIGKILL)
    await service.run("restore", "copy.db")
    restored = await Database.open(f"sqlite:///{tmp_path / 'perinat.db'}")
    try:
        during.acknowledged = before.acknowledged  # what came during the copy may or may not be in it
        during.unanswered = 400
        await check(restored, during, killed=True)
    finally:
        await restored.close()
    await service.start()
    assert await service.stop() == 0
