"""What a caller sees of places that were lost when the ground moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer
from icalendar import Calendar

from perinat_sched import app
from perinat_sched.settings import Settings
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import Api


def without_calais(configured: Settings) -> Settings:
    """Calais is closed for good, and every bridge keeps two ports."""
    directory = configured.directory
    calais = replace(directory.sites["calais"], active=False)
    smaller = replace(
        directory,
        sites={**directory.sites, "calais": calais},
        bridges={code: replace(bridge, ports=2) for code, bridge in directory.bridges.items()},
    )
    return replace(configured, directory=smaller)


async def moved(services: Services, configured: Settings) -> None:
    """The service starts again with this configuration."""
    await services.database.sync_resources(configured.directory)
    await app.where_the_ground_moved(configured, services)


async def test_a_lost_place_and_a_lost_bridge_are_warnings_in_both_languages(
    api: Api, services: Services, configured: Settings
) -> None:
    coordinator = await api.of("coordinator", sites=("lille",))
    booked = await coordinator.book(required_sites=["calais", "lens", "arras"])
    assert (booked["bridge"], booked["ports"], booked["warnings"]) == ("mcu-lille", 4, [])
    await moved(services, without_calais(configured))

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


@pytest.mark.parametrize(
    ("language", "site", "bridge"),
    [
        ("fr", "⚠ Salle ou port perdu\u00a0: CH de Calais", "⚠ Plus aucun pont ne porte cette séance"),
        ("en", "⚠ Room or port lost: CH de Calais", "⚠ No bridge carries this session any more"),
    ],
)
async def test_a_feed_says_what_was_lost_to_who_has_the_calendar_of_before(
    language: str, site: str, bridge: str, api: Api, services: Services, configured: Settings
) -> None:
    admin = await api.of("admin")
    booked = await admin.book(required_sites=["calais", "lens", "arras"])
    for code in ("calais", "lens", "arras"):
        await admin("PUT", f"/sessions/{booked['id']}/participations/{code}/answer", {"answer": "accepted"})
    asked = {"scope": "site", "of": "lens", "detail": "full", "language": language}
    url = (await admin("POST", "/feeds", asked)).json["url"]
    path = f"/{url.removeprefix('http://127.0.0.1:8080')}"
    before = await api.anybody("GET", path)
    [event] = Calendar.from_ical(before.body).events
    assert (event["STATUS"], "⚠" in str(event["DESCRIPTION"])) == ("CONFIRMED", False)

    await moved(services, without_calais(configured))
    after = await api.anybody("GET", path, headers={"If-None-Match": before.headers["ETag"]})

    assert after.status == 200
    [event] = Calendar.from_ical(after.body).events
    assert (event["UID"], event["STATUS"]) == (booked["uid"], "TENTATIVE")
    assert {site, bridge} <= set(str(event["DESCRIPTION"]).splitlines())
    again = await api.anybody("GET", path, headers={"If-None-Match": after.headers["ETag"]})
    assert again.status == 304


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
