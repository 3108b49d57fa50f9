"""The pages in the system’s Chromium, on a real socket, with the example network and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, async_playwright

from perinat_sched import app, settings
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from tests.web.callers import NOW, Api

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]


@pytest.fixture
def engine() -> str:
    """Pages are the same on both engines."""
    return "sqlite"


@pytest.fixture(scope="session")
def example() -> Settings:
    """The example configuration, without limits."""
    loaded = settings.load(
        {"PERINAT_CONFIG_DIR": str(ROOT / "config"), "PERINAT_CALENDARS_DIR": str(ROOT / "calendars")}
    )
    return replace(loaded, writes_per_minute=0, feed_reads_per_minute=0)


@pytest.fixture
async def api(example: Settings, database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The service behind a socket."""
    configured = replace(example, database_url=database_url, secret_key_file=tmp_path / "secret.key")
    await database.sync_resources(configured.directory)
    services = app.assemble(configured, database, lambda: NOW)
    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        yield Api(client, services)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A fresh Chromium."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield chromium
        finally:
            await chromium.close()
