"""A running service on a real socket: one a database, refused tokens, backups, a clean end, a log without secrets."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from perinat_sched.web.reading import LARGEST_BODY
from tests.acceptance.test_command_line import command
from tests.service import Service
from tests.web.callers import BOOKING


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The service with the example network, running."""
    running = Service(tmp_path, f"sqlite:///{tmp_path}/perinat.db")
    await running.start()
    yield running
    await running.stop(signal.SIGKILL)


async def book(client: aiohttp.ClientSession, **given: Any) -> aiohttp.ClientResponse:
    async with client.post("sessions", json={**BOOKING, **given}) as response:
        await response.read()
        return response


async def test_a_second_service_and_a_restore_on_the_same_file_are_refused(service: Service, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert (await command(service, "backup", str(copy)))[0] == 0

    for arguments in (["serve", "--port", "0"], ["restore", str(copy)]):
        status, _, err = await command(service, *arguments)
        assert status == 2 and "perinat.db" in err.splitlines()[-1] and "Traceback" not in err


async def test_a_port_that_is_taken_is_named(service: Service, tmp_path: Path) -> None:
    other = Service(tmp_path / "other", f"sqlite:///{tmp_path}/other.db")

    status, _, err = await command(other, "serve", "--port", service.url.rpartition(":")[2])

    assert status == 2 and service.url.removeprefix("http://") in err


async def test_a_revoked_token_is_refused_within_a_second(service: Service) -> None:
    token = await service.token()
    async with service.client(token) as client:
        async with client.get("me") as response:
            token_id = (await response.json())["token"]
        await service.run("token", "revoke", token_id)
        revoked = time.monotonic()

        while (await client.get("me")).status == 200:
            assert time.monotonic() - revoked < 1
            await asyncio.sleep(0.02)


async def test_what_is_under_way_when_it_is_told_to_stop_is_finished(service: Service) -> None:
    async with service.client(await service.token()) as client:
        starts = [f"2027-03-{day:02}T{hour:02}:00" for day in (15, 16, 17, 18) for hour in (9, 11, 14, 16)]
        under_way = [asyncio.create_task(book(client, start=start)) for start in starts]
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)

        began = time.monotonic()
        status = await service.stop()

        answers = await asyncio.gather(*under_way, return_exceptions=True)
    assert (status, time.monotonic() - began < 30) == (0, True)
    answered = [answer.status for answer in answers if isinstance(answer, aiohttp.ClientResponse)]
    assert set(answered) == {201}
    # What had not arrived yet was not accepted: the connection was refused or closed, never cut in an answer.
    assert all(
        isinstance(answer, aiohttp.ClientConnectionError) for answer in answers if isinstance(answer, BaseException)
    )
    await service.start()
    async with service.client(await service.token()) as client, client.get("sessions") as response:
        assert len((await response.json())["items"]) >= len(answered)


async def test_it_stops_at_once_where_clients_only_keep_their_connections(service: Service) -> None:
    async with service.client(await service.token()) as client:
        (await client.get("me")).release()
        began = time.monotonic()

        assert await service.stop() == 0
        assert time.monotonic() - began < 5


async def test_a_backup_taken_under_way_goes_back_with_what_was_acknowledged(service: Service, tmp_path: Path) -> None:
    token = await service.token()
    async with service.client(token) as client:
        assert (await book(client)).status == 201
        await service.run("backup", str(tmp_path / "copy.db"))
        assert (await book(client, start="2027-03-19T15:00")).status == 201
    await service.stop()

    told = await service.run("restore", str(tmp_path / "copy.db"))

    assert "kept as" in told
    await service.start()
    async with service.client(token) as client, client.get("sessions") as response:
        assert [session["wall_start"] for session in (await response.json())["items"]] == ["2027-03-18T15:00"]


RAW = {
    "no HTTP": b"canary-0\r\n\r\n",
    "another method": b"FOO /canary-1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "length and chunks": b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary-2\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\ncanary",
    "two lengths": b"POST /canary-3 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\ncanar",
    "a bare line feed": b"GET /canary-4 HTTP/1.1\nHost: x\n\n",
    "9 kB of header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Canary: " + b"canary-5" * 1200 + b"\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary-6\x00\r\n\r\n",
    "a broken chunk": b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"zz\r\ncanary-7\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary-8\r\n\r\n",
    "escapes for a terminal": b"GET /\x1b[31mcanary-9 HTTP/1.1\r\nHost: x\r\nUser-Agent: \x1b[2Jcanary\r\n\r\n",
}


async def send(service: Service, raw: bytes) -> bytes:
    """The beginning of the answer to bytes that are no proper request; empty where the connection was closed."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(raw)
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read(15)
    finally:
        writer.close()


async def test_no_secret_is_ever_logged(service: Service) -> None:
    token = await service.token()
    canaries = ["canary", token, token[3:]]
    async with service.client(token) as client:
        await book(client, title="canary title", description="canary description")
        await book(client, title="Mme Canary", host_site="canary", extra="canary")
        await client.post("sessions", data=b'{"canary"')
        async with client.post("feeds", json={"scope": "site", "of": "calais", "label": "canary"}) as response:
            address = (await response.json())["url"].rpartition("/")[2]
        canaries.append(address.removesuffix(".ics"))
        for path in (f"feeds/{address}", f"feeds/{address}x", "feeds/canary.ics", "canary?canary=canary"):
            await client.get(f"{service.url}/{path}", headers={"User-Agent": "canary", "X-Request-Id": "canary canary"})
        await client.get("me", headers={"Authorization": "Bearer canary"})
    for name, raw in RAW.items():
        answer = await send(service, raw)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.0 4"), name

    assert await service.stop() == 0
    log = service.log.read_text()
    assert not [line for line in log.splitlines() if any(canary in line.lower() for canary in map(str.lower, canaries))]
    assert "request" in [json.loads(line).get("action") for line in log.splitlines()] and "Traceback" not in log


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(service: Service) -> None:
    head = (
        "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {await service.token()}\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
    )

    assert await send(service, head.encode()) == b"HTTP/1.1 413 Re"
