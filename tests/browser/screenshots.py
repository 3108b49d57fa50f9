"""The pictures of the README, `make screenshots`: the real pages, half a year after the example programme was loaded.

The clock stands still, so that what changes in a picture is what changed in the pages.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import async_playwright

from perinat_sched import app, settings
from perinat_sched.booking.store import SessionFilter
from perinat_sched.notices.mailer import FileMailer
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.browser.conftest import CHROMIUM, QUIET, ROOT
from tests.browser.readers import Reader
from tests.web.callers import Api

LOADED = datetime(2026, 9, 4, 8, tzinfo=UTC)
NOW = datetime(2027, 3, 12, 8, tzinfo=UTC)
ODD_DAY = date(2027, 3, 17)  # Montréal is five hours away


def service(configured: Settings, database: Database, now: datetime, mails: Path) -> Services:
    services = app.assemble(configured, database, lambda: now)
    services.delivery.mailer = FileMailer(mails)
    return services


async def take(services: Services, folder: Path) -> None:
    admin = (await services.tokens.create(role="admin", name="Anne"))[1].actor
    wanted = SessionFilter(kind="international", first_day=ODD_DAY, last_day=ODD_DAY)
    [session] = (await services.enquiries.sessions(admin, wanted, after=None, limit=1)).sessions
    pages = {
        "week": f"/week?of=network:perinat&day={ODD_DAY}&clock=sainte-justine&view=table",
        "session": f"/sessions/{session.id}",
        "figures": "/figures?network=perinat&year=2026",
    }
    async with (
        TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client,
        async_playwright() as playwright,
    ):
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--lang=fr-FR"])
        reader = await Reader.at(Api(client, services), chromium, "fr", 1280)
        await reader.sign_in(role="coordinator", networks=["perinat"], name="Anne")
        for name, path in pages.items():
            await reader.see(path)
            await reader.page.screenshot(path=folder / f"{name}.png")
        await chromium.close()


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        environment = {
            "PERINAT_CONFIG_DIR": str(ROOT / "config"),
            "PERINAT_CALENDARS_DIR": str(ROOT / "calendars"),
            "PERINAT_DATABASE_URL": f"sqlite:///{work}/perinat.db",
            "PERINAT_SMTP_URL": "smtp://relay.example",  # as in use; nothing is sent there
        }
        configured = replace(settings.load(environment), secret_key_file=Path(work) / "secret.key")
        async with app.opened(configured) as database:
            before, now = (service(configured, database, at, Path(work) / "mail") for at in (LOADED, NOW))
            _, row = await before.tokens.create(role="admin", name="Anne")
            await before.example.load(row.actor)
            for services in (before, now):
                await services.delivery.run_once()
            await take(now, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
