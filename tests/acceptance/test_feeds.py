"""Feeds of running services: other nodes, commands beside them, restarts, and a database that is stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.postgres import PostgresServer
from tests.service import Service
from tests.web.callers import BOOKING

THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.1"


Seen = Callable[[int, bytes], bool]  # of a status and a body


def shows(text: str) -> Seen:
    return lambda status, body: status == 200 and text.encode() in body


class Reader:
    """A calendar program: it knows addresses and nothing else."""

    def __init__(self, session: aiohttp.ClientSession, secret: str) -> None:
        self.session = session
        self.secret = secret

    async def __call__(
        self, service: Service, method: str = "GET", end: str = ".ics", **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        url = f"{service.url}/feeds/{self.secret}{end}"
        async with self.session.request(method, url, headers=headers) as response:
            return response, await response.read()

    async def until(self, service: Service, seen: Seen, end: str = ".ics") -> None:
        """Read until that is seen, which must be so within a second."""
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            response, body = await self(service, end=end)
            if seen(response.status, body):
                return
            assert asked - began < 1, f"read more than a second later: {response.status}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(client: aiohttp.ClientSession, **given: Any) -> AsyncIterator[tuple[Reader, str]]:
    """Who reads a new feed of Calais, and the feed's id."""
    async with client.post("feeds", json={"scope": "site", "of": "calais", **given}) as response:
        opened = await response.json()
    async with aiohttp.ClientSession(headers={"User-Agent": THUNDERBIRD}) as session:
        yield Reader(session, opened["url"].rpartition("/")[2].removesuffix(".ics")), opened["id"]


async def send(client: aiohttp.ClientSession, method: str, path: str, body: Any = None, **headers: str) -> Any:
    async with client.request(method, path, json=body, headers=headers) as response:
        assert response.status < 300, await response.text()
        return await response.json() if response.status != 204 else None


@pytest.fixture
async def nodes(engine: str, database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Service, Service]]:
    """Two nodes on one PostgreSQL; on SQLite, which has one service a file, twice the same."""
    key = tmp_path / "secret.key"
    key.write_text("k" * 64)
    running = []
    for name in ("one", "two") if engine == "postgresql" else ("one",):
        service = Service(tmp_path / name, database_url, environment={"PERINAT_SECRET_KEY_FILE": str(key)})
        running.append(await service.start())
    yield running[0], running[-1]
    for service in running:
        await service.stop(signal.SIGKILL)


async def test_a_change_on_one_node_is_in_the_feed_of_the_other_within_a_second(
    nodes: tuple[Service, Service],
) -> None:
    one, two = nodes
    async with one.client(await one.token()) as client, reading(client) as (reader, _):
        booked = await send(client, "POST", "sessions", BOOKING)
        await reader.until(two, shows(booked["uid"]))
        for number in range(3):
            await asyncio.sleep(0.3 * number)  # wherever the other is between two looks
            for node in nodes:
                await reader(node)  # what both now keep is old a moment later
            title = {"title": f"Visio — {number}"}
            await send(client, "PATCH", f"sessions/{booked['id']}", title, **{"If-Match": f'"{number}"'})
            await reader.until(two, shows(f"Visio — {number}"))


async def test_a_cancelled_session_leaves_every_nodes_feed_within_a_second(nodes: tuple[Service, Service]) -> None:
    """Where cancelled sessions are not wanted; elsewhere it is shown as cancelled by then."""
    async with nodes[0].client(await nodes[0].token()) as client, reading(client) as (reader, _):
        booked = await send(client, "POST", "sessions", BOOKING)
        shown = shows(booked["uid"])
        for node in nodes:
            await reader.until(node, shown)
            await reader.until(node, shown, ".ics?cancelled=no")
        await send(client, "POST", f"sessions/{booked['id']}/cancellation", {})
        await asyncio.gather(
            *(reader.until(node, shows("STATUS:CANCELLED")) for node in nodes),
            *(reader.until(node, lambda *answer: not shown(*answer), ".ics?cancelled=no") for node in nodes),
        )


async def test_what_is_revoked_is_gone_on_every_node_within_a_second__http_07(nodes: tuple[Service, Service]) -> None:
    """A feed by its owner, and all feeds of a token by the command beside the services."""
    one, two = nodes
    async with one.client(await one.token()) as client:
        token = (await send(client, "GET", "me"))["token"]
        async with reading(client) as (reader, feed), reading(client) as (other, _):
            revocations: list[tuple[Reader, Callable[[], Awaitable[Any]]]] = [
                (reader, lambda: send(client, "DELETE", f"feeds/{feed}")),
                (other, lambda: one.run("token", "revoke", token)),
            ]
            for revoked, revoke in revocations:
                for node in nodes:
                    assert (await revoked(node))[0].status == 200
                await revoke()
                for node in nodes:
                    await revoked.until(node, lambda status, body: status == 410)
                assert {(await revoked(two, end=end))[0].status for end in (".ics", ".ics?alarm=15", "")} == {410}


async def test_after_a_restart_what_a_program_has_is_still_known_and_who_read_it__http_02_03_07(
    engine: str, nodes: tuple[Service, Service]
) -> None:
    service = nodes[0]
    token = await service.token()
    async with service.client(token) as client, reading(client) as (reader, feed):
        await send(client, "POST", "sessions", BOOKING)
        before, whole = await reader(service)
        assert await service.stop() == 0
        await service.start()
        head, _ = await reader(service, "HEAD")
        by_etag, _ = await reader(service, **{"If-None-Match": before.headers["ETag"]})
        by_date, _ = await reader(service, **{"If-Modified-Since": before.headers["Last-Modified"]})
        assert (head.status, by_etag.status, by_date.status) == (200, 304, 304)
        same = ("ETag", "Last-Modified")
        for answer in (head, by_etag, by_date):
            assert [answer.headers[name] for name in same] == [before.headers[name] for name in same]
        assert (await reader(service))[1] == whole
    async with service.client(token) as client:
        [listed] = (await send(client, "GET", "feeds"))["items"]
    assert (listed["id"], listed["last_read_by"]) == (feed, "Thunderbird")
    assert listed["last_read_at"] is not None
    assert reader.secret not in service.log.read_text()


async def test_feeds_answer_while_postgresql_is_stopped_and_follow_again_afterwards__http_06(tmp_path: Path) -> None:
    with PostgresServer() as server:
        service = await Service(tmp_path, server.create_database("perinat")).start()
        try:
            async with service.client(await service.token()) as client, reading(client) as (reader, _):
                await _while_it_is_stopped(server, service, client, reader)
        finally:
            await service.stop(signal.SIGKILL)


async def _while_it_is_stopped(
    server: PostgresServer, service: Service, client: aiohttp.ClientSession, reader: Reader
) -> None:
    booked = await send(client, "POST", "sessions", BOOKING)
    async with reading(client) as (revoked, feed), reading(client) as (unread, _):
        before, whole = await reader(service)
        await revoked(service)
        await send(client, "DELETE", f"feeds/{feed}")
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(1)  # nothing that was looked up before counts any more
        answer, body = await reader(service)
        assert (answer.status, body, answer.headers["ETag"]) == (200, whole, before.headers["ETag"])
        assert (await reader(service, **{"If-None-Match": before.headers["ETag"]}))[0].status == 304
        assert (await reader(service, "HEAD"))[0].status == 200
        assert (await revoked(service))[0].status == 410
        for end, kind in ((".ics", "application/problem+json"), ("", "text/html; charset=utf-8")):
            unknown, _ = await unread(service, end=end)
            assert (unknown.status, unknown.headers["Content-Type"]) == (503, kind)
            assert int(unknown.headers["Retry-After"]) > 0

        await asyncio.to_thread(server.start)
        assert (await unread(service))[0].status == 200
        assert (await reader(service))[1] == whole
        await send(client, "PATCH", f"sessions/{booked['id']}", {"title": "Visio — après"}, **{"If-Match": '"0"'})
        await reader.until(service, shows("Visio — après"))
    log = service.log.read_text()
    assert '"feed_from_memory"' in log and '"changes_unseen"' in log
    assert not [secret for secret in (reader.secret, revoked.secret, unread.secret) if secret in log]
