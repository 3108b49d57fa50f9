"""The figures of a network's year: who may read them, and that page, picture and file say the same numbers."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched import app
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from tests.web.callers import Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

LATER = datetime(2027, 6, 1, 8, tzinfo=UTC)
PATHS = ["/figures", "/figures/sessions.csv", "/figures/rooms.svg"]
YEAR = "network=perinat&year=2027"


@pytest.fixture
async def year(api: Api, database: Database, configured: Settings) -> Any:
    """A service in June, with two sessions in March, one cancelled, one in autumn."""
    admin = await api.of("admin")
    await admin.book(required_sites=["calais", "lens", "sainte-justine"])
    await admin.book(start="2027-03-19T10:00", kind="rcp", duration_minutes=90)
    gone = await admin.book(start="2027-04-20T10:00")
    await admin("POST", f"/sessions/{gone['id']}/cancellation", {"code": "no_case"})
    await admin.book(start="2027-10-20T10:00")
    await api.services.delivery.plan()
    services = app.assemble(configured, database, lambda: LATER)
    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        yield Api(client, services)


async def table(visitor: Visitor, name: str, **more: str) -> dict[str, list[str]]:
    """A table as a spreadsheet reads it, by the first cell of each line."""
    question = YEAR + "".join(f"&{key}={value}" for key, value in more.items())
    answer = await visitor.get(f"/figures/{name}.csv?{question}")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(answer.body.decode("utf-8-sig").splitlines(), delimiter="," if more else ";"))
    return {line[0]: line[1:] for line in lines}


async def test_they_are_for_administrators_and_coordinators_of_the_network(api: Api) -> None:
    for path in PATHS:
        statuses = [
            (await (await signed_in(api, role, **given)).get(f"{path}?{YEAR}")).status
            for role, given in (
                ("admin", {}),
                ("coordinator", {"networks": ["perinat"]}),
                ("coordinator", {"networks": ["hpsm"]}),
                ("coordinator", {"sites": ["lille"]}),
                ("clinician", {"sites": ["lille"]}),
            )
        ]
        assert statuses == [200, 200, 403, 403, 403]
        assert (await Visitor(api.anybody).get(path)).status == 401
    hpsm = await signed_in(api, "coordinator", networks=["hpsm"])
    assert "Groupement HPSM" in words((await hpsm.get("/figures")).body)
    assert (await hpsm.get("/figures?network=nowhere")).status == 422
    assert (await (await signed_in(api, "coordinator", sites=["lille"])).get("/figures")).status == 403
    assert (await (await signed_in(api)).get(f"/figures/nothing.csv?{YEAR}")).status == 404
    assert (await (await signed_in(api)).get(f"/figures/mails.svg?{YEAR}")).status == 404


async def test_the_page_says_what_took_place_and_what_is_still_to_come(year: Api) -> None:
    page = words((await (await signed_in(year)).get(f"/figures?{YEAR}")).body)

    assert "| 2 Séances |" in page and "| 2,5 Heures |" in page and "| 6 Participations de sites |" in page
    assert "| 1 Annulations |" in page and "| 1 Encore à venir cette année |" in page
    assert "Staff de périnatalité | 0 | 0 | 1 | 0" in page and "Aucun dossier | 0 | 0 | 0 | 1" in page
    assert "CHU de Lille – Jeanne de Flandre | 2 | 2 | 2,5 | 0 | 0" in page
    assert "Invitation | " in page and "au mardi 1er juin 2027" in page


async def test_a_file_has_the_numbers_of_the_page_as_its_readers_spreadsheet_writes_them(year: Api) -> None:
    visitor = await signed_in(year)
    french, english = await table(visitor, "hours"), await table(visitor, "hours", lang="en")

    assert french["Total"][2] == "2,5" and english["Total"][2] == "2.5"
    assert french["Type"][:3] == ["janv.", "févr.", "mars"] and english["Kind"][:3] == ["Jan", "Feb", "Mar"]
    rooms = await table(visitor, "rooms")
    used, opened, share = (float(cell.replace(",", ".")) for cell in rooms["CH de Calais – Salle de visioconférence"])
    assert used == 2.5 and 900 < opened < 1200 and share == pytest.approx(used / opened, abs=0.001)
    assert (await table(visitor, "ports"))["Pont multipoint du CHU"][2:4] == ["12", "4"]
    name = (await visitor.get(f"/figures/rooms.csv?{YEAR}")).headers["Content-Disposition"]
    assert name == 'attachment; filename="perinat-2027-rooms.csv"'


async def test_a_picture_is_a_file_of_its_own_that_loads_and_runs_nothing(year: Api) -> None:
    visitor = await signed_in(year)
    page = (await visitor.get(f"/figures?{YEAR}")).body.decode()
    pictures = re.findall(r'<img class="picture" src="([^"]+)"[^>]* alt="([^"]+)"', page)

    assert len(pictures) == 5 and all(alt.startswith("Image du tableau") for _, alt in pictures)
    for source, _ in pictures:
        answer = await visitor.get(source.replace("&amp;", "&"))
        assert answer.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
        tree = ElementTree.fromstring(answer.body)
        assert {node.tag.partition("}")[2] for node in tree.iter()} <= {"svg", "rect", "line", "text"}
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_what_a_spreadsheet_would_compute_is_text(database: Database, configured: Settings) -> None:
    directory = configured.directory
    kinds = {**directory.kinds, "staff": replace(directory.kinds["staff"], name={"fr": "=1+1", "en": "<script>"})}
    services = app.assemble(replace(configured, directory=replace(directory, kinds=kinds)), database, lambda: LATER)
    await database.sync_resources(directory)
    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        api = Api(client, services)
        booked = await (await api.of("admin")).book(start="2027-10-20T10:00")
        assert booked
        later = replace(services, reports=replace(services.reports, clock=lambda: datetime(2028, 1, 1, tzinfo=UTC)))
    async with TestClient(TestServer(application(later)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, later))
        assert "'=1+1" in await table(visitor, "sessions")
        for path in ("/figures", "/figures/sessions.svg"):
            assert b"<script" not in (await visitor.get(f"{path}?{YEAR}&lang=en")).body


async def test_a_year_costs_the_same_statements_whatever_it_holds(year: Api) -> None:
    visitor = await signed_in(year)

    async def cost() -> int:
        with year.services.database.counting() as count:
            assert (await visitor.get(f"/figures?{YEAR}")).status == 200
        return len(count.statements)

    before = await cost()
    admin = await year.of("admin")
    for day in range(1, 10):
        await admin.book(start=f"2027-09-{day:02}T10:00", required_sites=["calais"], override_reason="Test")
    assert await cost() == before == 5
