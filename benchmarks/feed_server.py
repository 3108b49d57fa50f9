"""The service of benchmarks.feeds in a process of its own, which tells its CPU time, and clients to load it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

from aiohttp import web

from benchmarks.feed_house import house
from perinat_sched import logs
from perinat_sched.feeds.edition import Asked, Options
from perinat_sched.feeds.publication import hashed
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application


@dataclass(frozen=True)
class Shop:
    """Where the process listens, the feed's path, and what it is made of."""

    bare: int
    behind: int
    path: str
    etag: str  # of the compressed bytes
    plain: bytes


class Server:
    """The process, from outside."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.shop: Shop = pipe.recv()

    def spent(self) -> tuple[float, int]:
        """The CPU seconds and the SQL statements so far."""
        self._pipe.send(None)
        told: tuple[float, int] = self._pipe.recv()
        return told


@contextmanager
def serving(url: str, sessions: int) -> Iterator[Server]:
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, sessions, theirs))
    process.start()
    theirs.close()  # whose end is then seen here, should it fail
    try:
        yield Server(pipe)
    finally:
        process.terminate()
        process.join()


def _serve(url: str, sessions: int, pipe: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        logs.set_up("INFO", nowhere)
        asyncio.run(_serving(url, sessions, pipe))


async def _serving(url: str, sessions: int, pipe: Connection) -> None:
    async with house(url, sessions) as made:
        plain, packed = await made.read(Asked()), await made.read(Asked(accept_gzip=True))
        _, told = await made.services.publisher.publish(
            hashed(made.secret), Asked(head=True, accept_gzip=True), Options()
        )

        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        async def ready(request: web.Request) -> web.Response:
            """The very answer of the feed, without finding out whether it may be given."""
            return web.Response(body=packed, headers=told.headers)

        bare = web.Application()
        bare.router.add_get("/hello", hello)
        behind = application(made.services)
        behind.router.add_get("/hello", hello)
        behind.router.add_get("/ready", ready)
        behind.router.add_get("/readies/{secret}.ics", ready)
        ports = [await _listening(each) for each in (bare, behind)]
        etag = dict(told.headers)["ETag"]
        path = f"/feeds/{made.secret}.ics"
        pipe.send(Shop(bare=ports[0], behind=ports[1], path=path, etag=etag, plain=plain))
        await _answer(pipe, made.services.database)


async def _listening(application: web.Application) -> int:
    runner = web.AppRunner(application, access_log=None, auto_decompress=False, keepalive_timeout=75)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


async def _answer(pipe: Connection, database: Database) -> None:
    """The CPU seconds and the statements so far, whenever asked, until asked no more."""
    asked: asyncio.Queue[None] = asyncio.Queue()
    asyncio.get_running_loop().add_reader(pipe.fileno(), lambda: asked.put_nowait(pipe.recv()))
    with database.counting() as count, suppress(EOFError):
        while True:
            await asked.get()
            pipe.send((process_time(), count.total))


class Client:
    """One connection that is kept open, and no more work than needed."""

    def __init__(self, port: int, path: str, *headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._request = asking("GET", path, *headers)

    def __call__(self) -> bytes:
        """Send, and read the whole answer."""
        self._socket.sendall(self._request)
        return answered(self._socket)


def asking(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """A request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode() + body


def answered(connection: socket.socket) -> bytes:
    """One whole answer."""
    answer = connection.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    parts, missing = [body], length - len(body)
    while missing > 0 and b" 304 " not in lines[0]:
        parts.append(connection.recv(1 << 20))
        missing -= len(parts[-1])
    return head + b"\r\n\r\n" + b"".join(parts)
