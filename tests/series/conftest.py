"""The API in this process on either engine, with the example network and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched import app, settings
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import NOW, Api

EXAMPLE = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def example() -> Settings:
    """The example configuration, without limits."""
    loaded = settings.load(
        {"PERINAT_CONFIG_DIR": str(EXAMPLE / "config"), "PERINAT_CALENDARS_DIR": str(EXAMPLE / "calendars")}
    )
    return replace(loaded, writes_per_minute=0, feed_reads_per_minute=0)


@pytest.fixture
def configured(example: Settings, database_url: str, tmp_path: Path) -> Settings:
    """What this test's service is told."""
    return replace(example, database_url=database_url, secret_key_file=tmp_path / "secret.key")


@pytest.fixture
async def services(database: Database, configured: Settings) -> Services:
    """A service put together, with its rooms and bridges known."""
    await database.sync_resources(configured.directory)
    return app.assemble(configured, database, lambda: NOW)


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    """The service behind a socket; `api.of(role, …)` gives callers."""
    async with TestClient(TestServer(application(services))) as client:
        yield Api(client, services)
