"""What a caller sees of places that were lost when the ground moved."""

from __future__ import annotations

from dataclasses import replace

from aiohttp.test_utils import TestClient, TestServer

from perinat_sched import app
from perinat_sched.settings import Settings
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import Api


async def test_a_lost_place_and_a_lost_bridge_are_warnings_in_both_languages(
    api: Api, services: Services, configured: Settings
) -> None:
    coordinator = await api.of("coordinator", sites=("lille",))
    booked = await coordinator.book(required_sites=["calais", "lens", "arras"])
    assert (booked["bridge"], booked["ports"], booked["warnings"]) == ("mcu-lille", 4, [])
    directory = configured.directory
    calais = replace(directory.sites["calais"], active=False)
    smaller = replace(
        directory,
        sites={**directory.sites, "calais": calais},
        bridges={code: replace(bridge, ports=2) for code, bridge in directory.bridges.items()},
    )
    await services.database.sync_resources(smaller)
    await app.where_the_ground_moved(replace(configured, directory=smaller), services)

    seen = (await coordinator("GET", f"/sessions/{booked['id']}")).json

    assert (seen["status"], seen["bridge"], seen["ports"]) == ("tentative", None, 0)
    assert {p["site"]: p["room"] for p in seen["participations"]}["calais"] is None
    assert [(warning["code"], warning["site"]) for warning in seen["warnings"]] == [
        ("place-lost", "calais"),
        ("place-lost", None),
    ]
    in_english = await coordinator("GET", f"/sessions/{booked['id']}", headers={"Accept-Language": "en"})
    assert [warning["detail"] for warning in in_english.json["warnings"]] == [
        "CH de Calais has lost its place: answer for it again, choose another room, or another hour.",
        "The session has lost its bridge: choose another hour, or take fewer sites.",
    ]
    assert all("a perdu s" in warning["detail"] for warning in seen["warnings"])
    metrics = (await api.anybody("GET", "//metrics")).body.decode()
    assert 'perinat_ground_moved_total{what="lost"} 2.0' in metrics


async def test_a_session_whose_site_is_gone_is_renamed_and_its_sites_are_looked_up_when_they_change(
    services: Services, configured: Settings
) -> None:
    async with TestClient(TestServer(application(services))) as client:
        admin = await Api(client, services).of("admin")
        booked = await admin.book(required_sites=["calais", "lens"])
    sites = {code: site for code, site in configured.directory.sites.items() if code != "calais"}
    smaller = replace(configured, directory=replace(configured.directory, sites=sites))
    later = app.assemble(smaller, services.database, services.clock)
    async with TestClient(TestServer(application(later))) as client:
        admin = replace(admin, client=client)
        change = {"title": "Staff", "join_url": "https://visio.example/salle"}
        renamed = await admin("PATCH", f"/sessions/{booked['id']}", change, headers={"If-Match": '"0"'})
        assert (renamed.status, renamed.json["title"]) == (200, "Staff")
        moved = await admin(
            "PATCH", f"/sessions/{booked['id']}", {"start": "2027-03-19T15:00"}, headers={"If-Match": '"1"'}
        )
        assert (moved.status, moved.fields) == (422, ["required_sites[0]"])
        without = await admin(
            "PATCH", f"/sessions/{booked['id']}", {"required_sites": ["lens"]}, headers={"If-Match": '"1"'}
        )
        assert [p["site"] for p in without.json["participations"]] == ["lille", "lens"]
