"""The example programme: one button on an empty database, and one that takes it away without a trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import func, select

from perinat_sched import app
from perinat_sched.errors import Unavailable
from perinat_sched.example import programme
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import holds, left_out, notices, participations, series, sessions
from perinat_sched.web.server import application
from tests.web.callers import NOW, Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

LOAD, REMOVE = "Charger le programme d’exemple", "Retirer le programme d’exemple"


async def pressed(visitor: Visitor, path: str) -> Any:
    return await visitor.post(path, {"form_token": await visitor.form_token()})


async def counts(api: Api) -> list[int]:
    async with api.services.database.read() as tx:
        tables = (sessions, participations, holds, notices, series, left_out)
        return [(await tx.execute(select(func.count()).select_from(table))).scalar_one() for table in tables]


async def test_an_empty_database_offers_a_year_and_takes_it_away_again(api: Api) -> None:
    visitor = await signed_in(api)
    assert LOAD in words((await visitor.get("/week")).body) and LOAD in words((await visitor.get("/admin")).body)

    loaded = await pressed(visitor, "/admin/example")
    assert (loaded.status, loaded.headers["Location"]) == (303, "/week?of=network%3Aperinat&day=2027-01-11")
    await api.services.delivery.plan()
    booked, _, held, mails, rules, _ = await counts(api)
    assert booked > 150 and held > 2 * booked and mails > booked and rules == len(programme.MEETINGS)
    week = words((await visitor.get(loaded.headers["Location"])).body)
    assert "Visio Périnat — staff" in week and LOAD not in week
    states = {row.status for row in await _sessions(api)}
    assert states == {"confirmed", "tentative"}

    assert REMOVE in words((await visitor.get("/admin")).body)
    assert (await pressed(visitor, "/admin/example/removal")).status == 303
    assert await counts(api) == [0, 0, 0, 0, 0, 0]
    assert LOAD in words((await visitor.get("/admin")).body)
    assert "Programme d’exemple retiré" in words((await visitor.get("/admin/audit?action=example_removed")).body)


async def test_pressed_twice_it_is_loaded_once_and_what_people_booked_stays(api: Api) -> None:
    visitor, admin = await signed_in(api), await api.of("admin")
    await pressed(visitor, "/admin/example")
    before = await counts(api)
    assert (await pressed(visitor, "/admin/example")).status == 303
    assert await counts(api) == before

    own = await admin.book(start="2027-02-06T10:00", override_reason="Test")
    [first, *_] = (await admin("GET", "/series")).json["items"]
    later = first["occurrences"][3]["recurrence_id"]
    changed = await admin(
        "PATCH",
        f"/series/{first['id']}",
        {"from": later, "description": "x"},
        headers={"If-Match": f'"{first["revision"]}"'},
    )
    assert changed.status == 200, changed.body.decode()
    await pressed(visitor, "/admin/example/removal")
    assert [row.id for row in await _sessions(api)] == [own["id"]] and (await counts(api))[4] == 0
    assert (await pressed(visitor, "/admin/example/removal")).status == 303


async def test_what_breaks_half_way_leaves_nothing(api: Api) -> None:
    class Broken(SeriesUpkeep):
        async def answer(self, *given: Any, **more: Any) -> Any:
            raise Unavailable

    example, visitor = api.services.example, await signed_in(api)
    assert visitor.token
    upkeep = example.upkeep
    broken = Broken(
        database=upkeep.database,
        directory=upkeep.directory,
        calendars=upkeep.calendars,
        clock=upkeep.clock,
        enquiries=upkeep.enquiries,
    )
    with pytest.raises(Unavailable):
        await replace(example, upkeep=broken).load(visitor.token.actor)
    assert await counts(api) == [0, 0, 0, 0, 0, 0] and await example.state(visitor.token.actor) == "offered"


async def test_it_is_not_for_a_database_in_use_nor_for_other_people(api: Api) -> None:
    coordinator = await signed_in(api, "coordinator", networks=["perinat"])
    assert LOAD not in words((await coordinator.get("/week")).body)
    assert (await pressed(coordinator, "/admin/example")).status == 403

    await (await api.of("admin")).book()
    visitor = await signed_in(api)
    assert LOAD not in words((await visitor.get("/week")).body + (await visitor.get("/admin")).body)
    refused = await pressed(visitor, "/admin/example")
    assert refused.status == 422 and "base vide" in words(refused.body)


@pytest.mark.parametrize("contact", ["staff@chu-lille.fr", "staff@lille.example.org"])
async def test_a_network_in_which_somebody_real_would_be_written_to_is_never_offered_it(
    database: Database, configured: Settings, contact: str
) -> None:
    directory = configured.directory
    sites = {**directory.sites, "douai": replace(directory.sites["douai"], contacts=(contact,))}
    services = app.assemble(replace(configured, directory=replace(directory, sites=sites)), database, lambda: NOW)
    await database.sync_resources(directory)
    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, services))
        assert LOAD not in words((await visitor.get("/week")).body)
        assert (await pressed(visitor, "/admin/example")).status == 422


async def _sessions(api: Api) -> Any:
    async with api.services.database.read() as tx:
        return (await tx.execute(select(sessions))).all()
