"""The command line as an operator has it: what it prints, where, and with which exit status."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from perinat_sched.storage import migrations
from tests.conftest import opened
from tests.service import Service

# Thursdays of next year, whatever year that is
PLANNED = [f"{date(datetime.now(UTC).year + 1, 3, 1) + timedelta(days=days)}" for days in range(31)]
PLANNED = [day for day in PLANNED if date.fromisoformat(day).weekday() == 3][:3]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A configured folder; nothing runs yet, and there is no database."""
    return Service(tmp_path, f"sqlite:///{tmp_path}/data/perinat.db")


async def command(service: Service, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perinat_sched", *arguments,
        cwd=service.folder, env=service.variables(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_key_that_cannot_be_used_is_named(service: Service) -> None:
    (service.folder / "secret.key").write_text("short")

    status, _, err = await command(service, "serve", "--port", "0")

    assert status == 2 and "secret.key" in err and "too short" in err


async def test_check_says_so_where_the_database_is_of_an_earlier_version(service: Service) -> None:
    await service.token()
    async with opened(service.database_url) as database:
        await database.write(lambda tx: tx.run_sync(migrations.downgrade, "0001"))

    status, out, _ = await command(service, "check")

    assert status == 0 and "not known: the database is of an earlier version" in out


async def test_a_database_that_lost_a_guard_is_not_served_until_it_is_put_back(service: Service) -> None:
    await service.token()
    with sqlite3.connect(service.folder / "data" / "perinat.db") as database:
        [name] = next(database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' LIMIT 1"))
        database.execute(f'DROP TRIGGER "{name}"')
    database.close()

    status, _, err = await command(service, "serve", "--port", "0")
    assert status == 2 and name in err
    assert (await command(service, "guards"))[0] == 0

    await service.start()
    assert await service.stop() == 0


async def test_a_link_of_token_create_signs_in_on_the_running_service(service: Service) -> None:
    link = await service.run("token", "create", "--role", "admin", "--name", "Anne", "--link")
    await service.start()
    try:
        here = link.replace("http://127.0.0.1:8080", service.url)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(here) as page:
                assert page.status == 200
            async with browser.post(here, data={"next": "/account"}, headers={"Sec-Fetch-Site": "same-origin"}) as page:
                assert (page.status, page.url.path) == (200, "/account") and "Anne" in await page.text()
    finally:
        await service.stop()
    assert link.rpartition("/")[2] not in service.log.read_text()


async def test_a_running_service_mails_the_link_that_is_asked_for(service: Service) -> None:
    await service.token("admin", "--email", "anne@lille.example")
    await service.start()
    try:
        async with (
            aiohttp.ClientSession(headers={"Sec-Fetch-Site": "same-origin"}) as browser,
            browser.post(f"{service.url}/sign-in", data={"address": "anne@lille.example"}) as page,
        ):
            assert page.status == 200
        mails: list[Path] = []
        async with asyncio.timeout(30):
            while not mails:
                await asyncio.sleep(0.1)
                mails = list((service.folder / "var" / "mail").glob("*.eml"))
    finally:
        await service.stop()
    assert b"/sign-in/" in mails[0].read_bytes()
    assert "anne@lille.example" not in service.log.read_text()


PLAN = "Date;Heure;Type;Hôte;Sites;Titre\n" + "".join(f"{day};13h00;staff;lille;calais;{{title}}\n" for day in PLANNED)


async def test_a_plan_is_imported_as_it_is_over_http_with_a_verdict_a_line(service: Service) -> None:
    file = service.folder / "planning.csv"
    file.write_text(PLAN.format(title=""), encoding="latin-1")
    admin = await service.token()

    tried, booked, again = [
        await command(service, "import", *options, "planning.csv") for options in (["--dry-run"], [], [])
    ]

    for (status, out, err), said in ((tried, "bookable"), (booked, "booked"), (again, "exists")):
        assert (status, err) == (0, ""), err
        lines = out.splitlines()
        assert lines[:-1] == [
            f"{number:5}  {day} 13:00 Europe/Paris      {said}" for number, day in enumerate(PLANNED, 2)
        ]
        assert lines[-1] == f"3 {said}"
    await service.start()
    try:
        async with service.client(admin) as client, client.get("series") as response:
            (series,) = (await response.json())["items"]
    finally:
        await service.stop()
    assert [one["recurrence_id"] for one in series["occurrences"]] == [f"{day}T13:00" for day in PLANNED]


async def test_a_plan_with_conflicts_or_mistakes_is_refused_line_by_line(service: Service) -> None:
    file = service.folder / "planning.csv"
    other = f"Date;Heure;Type;Sites\n{PLANNED[1]};13:30;staff;calais\n"
    file.write_text(other)
    assert (await command(service, "import", "planning.csv"))[0] == 0
    file.write_text(PLAN.format(title=""), encoding="latin-1")

    status, out, err = await command(service, "import", "planning.csv")

    assert (status, "Nothing was booked" in err, "Traceback" in err) == (2, True, False)
    assert [line.split()[4].strip(":") for line in out.splitlines()[:3]] == ["bookable", "conflict", "bookable"]
    assert "calais-1" in out.splitlines()[1] and "nearest" in out.splitlines()[1]
    status, out, _ = await command(service, "import", "--leave-out", "planning.csv")
    assert (status, out.splitlines()[-1]) == (0, "2 booked, 1 left_out")

    file.write_text(PLAN.format(title="Mme Durand"), encoding="latin-1")
    status, out, err = await command(service, "import", "planning.csv")
    assert (status, out) == (2, "") and err.count("Titre") == 3 and "Durand" not in err
    for wrong in ("missing.csv", "."):
        status, _, err = await command(service, "import", wrong)
        assert status == 2 and f"{wrong} cannot be read" in err
