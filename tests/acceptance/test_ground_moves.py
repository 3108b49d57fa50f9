"""The ground moves under a service: it stops under the clocks of 2025b, or another configuration, and starts anew."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from perinat_sched.zones import TZDATA_VERSION
from tests.older_clocks import write_package
from tests.service import Service

HOSTS = {  # where, its zone, the hour agreed upon, in UTC by the clocks of 2025b and by those of today
    "vancouver": ("America/Vancouver", "06:00", 14, 13),
    "edmonton": ("America/Edmonton", "07:00", 14, 13),
    "casablanca": ("Africa/Casablanca", "14:00", 13, 14),
    "paris": ("Europe/Paris", "14:00", 13, 13),
    "toronto": ("America/Toronto", "08:00", 13, 13),
}
MOVED = {"vancouver", "edmonton", "casablanca"}
NETWORK = """
[[networks]]
code = "world"
name = "Réseau mondial"

[[kinds]]
code = "staff"
name = { fr = "Staff", en = "Staff" }
title = { fr = "Visio", en = "Video" }
priority = "clinical"
duration_minutes = 60
"""
SITE = """
[[sites]]
code = "{code}"
name = "Maternité de {code}"
kind = "partner"
timezone = "{zone}"
networks = ["world"]
contacts = [{contacts}]
  [[sites.opening_hours]]
  days = ["mo", "tu", "we", "th", "fr"]
  from = "{opens}"
  to = "24:00"
"""


def a_winter_day() -> date:
    """The third Wednesday of next year's December: these zones' clocks differ every winter."""
    first = date(datetime.now(UTC).year + 1, 12, 15)
    return first + timedelta(days=(2 - first.weekday()) % 7)


def configure(
    service: Service, *, opens: str = "00:00", more_of_paris: str = "", guest: str = "Indian/Reunion"
) -> None:
    sites = {"guest": guest, **{code: zone for code, (zone, *_) in HOSTS.items()}}
    text = NETWORK
    for code, zone in sites.items():
        contacts = f'"staff@{code}.example"' + (more_of_paris if code == "paris" else "")
        text += SITE.format(code=code, zone=zone, contacts=contacts, opens=opens if code == "paris" else "00:00")
    (service.folder / "config" / "network.toml").write_text(text)


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    running = Service(tmp_path, database_url)
    configure(running)
    yield running
    if running.process is not None:
        await running.stop()


async def book_all(service: Service, token: str) -> dict[str, dict[str, Any]]:
    """A session hosted by each site, with the guest."""
    booked = {}
    async with service.client(token) as client:
        for code, (_, hour, *_) in HOSTS.items():
            body = {
                "kind": "staff",
                "host_site": code,
                "start": f"{a_winter_day()}T{hour}",
                "required_sites": ["guest"],
            }
            async with client.post("sessions", json=body) as response:
                assert response.status == 201, await response.text()
                booked[code] = await response.json()
    return booked


async def sessions_of(client: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
    async with client.get("sessions") as response:
        return {session["host_site"]: session for session in (await response.json())["items"]}


async def notices_of(client: aiohttp.ClientSession, session: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The mails about a session, reminders apart, when there are so many and all of them have left."""
    async with asyncio.timeout(60):
        while True:
            async with client.get(f"sessions/{session['id']}/notices") as response:
                items = [item for item in (await response.json())["items"] if item["kind"] != "reminder"]
            if len(items) >= count and all(item["state"] == "sent" for item in items):
                return items
            await asyncio.sleep(0.1)


def hour_of(session: dict[str, Any]) -> int:
    return datetime.fromisoformat(session["start"]).astimezone(UTC).hour


def mails(service: Service) -> dict[str, str]:
    """Subject and text of every mail that was written, by its Message-ID; with plain spaces."""
    read = {}
    for path in (service.folder / "var" / "mail").glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        read[mail["Message-ID"]] = f"{mail['Subject']}\n{body.get_content()}".replace("\u00a0", " ")
    return read


async def test_tz04_tz09_other_clocks_move_exactly_these_sessions_and_tell_exactly_these_people(
    service: Service, tmp_path: Path
) -> None:
    service.environment["PYTHONPATH"] = str(write_package(tmp_path / "yesterday"))
    await service.start()
    token = await service.token()
    before = await book_all(service, token)
    assert {code: hour_of(session) for code, session in before.items()} == {c: h[2] for c, h in HOSTS.items()}
    async with service.client(token) as client, client.get(f"{service.url}/readyz") as response:
        assert (await response.json())["tzdata"] == "2025b"
        for session in before.values():
            assert {item["kind"] for item in await notices_of(client, session, 2)} == {"invitation"}
    await service.stop()

    del service.environment["PYTHONPATH"]
    await service.start()
    async with service.client(token) as client:
        after = await sessions_of(client)
        for code in MOVED:
            await notices_of(client, after[code], 4)
        told = {code: await notices_of(client, session, 2) for code, session in after.items()}
        async with client.get("audit") as response:
            audited = {i["object_id"] for i in (await response.json())["items"] if i["action"] == "session_resettled"}
    assert {code: hour_of(session) for code, session in after.items()} == {c: h[3] for c, h in HOSTS.items()}
    assert {code: session["sequence"] for code, session in after.items()} == {code: code in MOVED for code in HOSTS}
    assert {code: session["wall_start"][11:] for code, session in after.items()} == {c: h[1] for c, h in HOSTS.items()}
    assert audited == {after[code]["id"] for code in MOVED}
    written = mails(service)
    for code, items in told.items():
        updates = [item for item in items if item["kind"] == "update"]
        expected = {f"staff@{code}.example", "staff@guest.example"} if code in MOVED else set()
        assert {item["recipient"] for item in updates} == expected
        for item in updates:
            if item["recipient"] == "staff@guest.example":  # before and after in their own hour: Réunion is at UTC+4
                was, now = HOSTS[code][2:]
                assert f"{was + 4} h 00" in written[item["message_id"]]
                assert f"{now + 4} h 00" in written[item["message_id"]]
    moved = [json.loads(line) for line in service.log.read_text().splitlines() if '"ground_moved"' in line]
    assert [(entry["moved"], entry["lost"]) for entry in moved] == [(3, 0)]

    await service.stop()
    await service.start()
    async with service.client(token) as client:
        assert await sessions_of(client) == after
        async with client.get(f"{service.url}/readyz") as response:
            assert (await response.json())["tzdata"] == TZDATA_VERSION


async def test_other_hours_and_another_contact_are_announced_by_check_and_done_by_the_next_start(
    service: Service,
) -> None:
    await service.start()
    token = await service.token()
    before = await book_all(service, token)
    async with service.client(token) as client:
        await notices_of(client, before["paris"], 2)
    await service.stop()

    configure(service, opens="15:00", more_of_paris=', "second@paris.example"')
    listed = (await service.run("check")).partition("Future sessions that no longer fit")[2].strip().splitlines()
    assert len(listed) == 1 and before["paris"]["id"] in listed[0] and "not open" in listed[0]
    await service.start()
    async with service.client(token) as client:
        after = await sessions_of(client)
        paris = after.pop("paris")
        assert after == {code: session for code, session in before.items() if code != "paris"}
        assert paris["status"] == "tentative"
        assert paris["start"] == before["paris"]["start"]
        (warning,) = [warning for warning in paris["warnings"] if warning["code"] == "place-lost"]
        assert warning["site"] == "paris" and "a perdu sa place" in warning["detail"]
        headers = {"Accept-Language": "en"}
        async with client.get(f"sessions/{paris['id']}", headers=headers) as response:
            details = [warning["detail"] for warning in (await response.json())["warnings"]]
            assert any("has lost its place" in detail for detail in details)
        told = await notices_of(client, paris, 3)
        invited = [item["recipient"] for item in told if item["kind"] == "invitation"]
        assert sorted(invited) == ["second@paris.example", "staff@guest.example", "staff@paris.example"]
        async with client.get(f"{service.url}/metrics") as response:
            assert 'perinat_ground_moved_total{what="lost"} 1.0' in await response.text()
    assert "no longer fit\n  none" in await service.run("check")


async def test_a_site_whose_time_zone_is_mended_is_told_its_hour_before_and_after_and_nobody_else_is(
    service: Service,
) -> None:
    configure(service, guest="Europe/Paris")
    await service.start()
    token = await service.token()
    before = (await book_all(service, token))["paris"]
    async with service.client(token) as client:
        await notices_of(client, before, 2)
    await service.stop()

    configure(service)
    await service.start()
    async with service.client(token) as client:
        after = (await sessions_of(client))["paris"]
        assert (after["start"], after["sequence"]) == (before["start"], before["sequence"])
        told = await notices_of(client, after, 3)
    [update] = [item for item in told if item["kind"] == "update"]
    assert update["recipient"] == "staff@guest.example"
    text = mails(service)[update["message_id"]]
    assert "à 14 h 00 (heure de Paris) » à « " in text
    assert "à 17 h 00 (heure de La Réunion) »" in text
