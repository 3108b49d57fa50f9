"""Feeds as calendar programs poll them: rows 1, 2, 3 and 9 of the project's table of speed.

`python -m benchmarks.feeds`, on SQLite and on a PostgreSQL of its own. A feed of 1,000 sessions. CPU time of the
service's process, not of the client's or of PostgreSQL; works take turns, and each counts at its best.

- *304*: an unchanged feed, to a client that has it. Yardsticks, in the same process on sockets of their own: a bare
  aiohttp hello, and a hello behind the same middlewares (log line, metrics, headers, request id).
- *200*: the whole feed, unchanged, gzip. Yardstick: the same bytes, ready, behind the same middlewares.
- *rebuild*: one session of the 1,000 has changed, and the feed is asked for: SQL, the new piece, joining, hashing,
  gzip, recording the change. Yardstick: icalendar's `to_ical` of the same calendar.
- *growth*: each of these, and a feed made for the first time, with ten times the sessions.
"""

from __future__ import annotations

import asyncio
import gzip
import multiprocessing
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

from aiohttp import web
from icalendar import Calendar

from perinat_sched import app, logs, settings
from perinat_sched.booking import store as booking_store
from perinat_sched.booking.session import Participation, Session
from perinat_sched.feeds.edition import Asked, Options
from perinat_sched.feeds.publication import hashed
from perinat_sched.people.access import Actor
from perinat_sched.storage.changes import LOOK_EVERY
from perinat_sched.storage.database import Database, Tx
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from perinat_sched.zones import TZDATA_VERSION, utc_now
from tests.postgres import create_database, running_postgres

HELLO, BARE, READY, REBUILD, GROWTH = 0.85, 0.5, 0.90, 0.03, 12
SESSIONS = 1000
REQUESTS, ROUNDS = 400, 12
ROOT = Path(__file__).parent.parent
DAY = timedelta(days=1)


# A service with a feed of so many sessions


@dataclass(frozen=True)
class House:
    """A service, one feed of it, and the sessions in that feed."""

    services: Services
    secret: str
    sessions: list[Session]

    async def read(self, asked: Asked) -> bytes:
        _, told = await self.services.publisher.publish(hashed(self.secret), asked, Options())
        return told.body

    async def change(self, number: int) -> None:
        """One session gets another title."""
        before = self.sessions[number]
        after = replace(before, revision=before.revision + 1, title=f"Visio {before.revision + 1}")
        self.sessions[number] = after
        await self.services.database.write(lambda tx: booking_store.replace(tx, after, None, {}))


@asynccontextmanager
async def house(url: str, sessions: int) -> AsyncIterator[House]:
    environment = {
        "PERINAT_CONFIG_DIR": str(ROOT / "config"),
        "PERINAT_CALENDARS_DIR": str(ROOT / "calendars"),
        "PERINAT_DATABASE_URL": url,
    }
    configured = replace(settings.load(environment), feed_reads_per_minute=settings.MOST_A_MINUTE)
    async with app.opened(configured) as database, database.watching():
        services = app.assemble(configured, database, utc_now)
        _, row = await services.tokens.create(role="admin", name="benchmark")
        booked = [a_session(number) for number in range(sessions)]
        await database.write(lambda tx: _add(tx, booked))
        secret = await a_feed(services, row.actor)
        await settled(database)
        yield House(services, secret, booked)


async def _add(tx: Tx, booked: list[Session]) -> None:
    for session in booked:
        await booking_store.add(tx, session, [], {})


async def a_feed(services: Services, actor: Actor) -> str:
    _, secret = await services.feeds.create(actor, "site", "lille", "full", "", "fr")
    return secret


async def settled(database: Database) -> None:
    """Until nothing that was written is news any longer."""
    before = None
    while database.changes.stamp() is None or database.changes.stamp() != before:
        before = database.changes.stamp()
        await asyncio.sleep(3 * LOOK_EVERY)


def a_session(number: int) -> Session:
    """An hour in Lille with Calais, on one of 300 days to come."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = now.replace(minute=0, second=0) + (number % 300 + 1) * DAY + timedelta(hours=number % 8)
    wall = start.replace(tzinfo=None)
    places = (("lille", "lille-1"), ("calais", "calais-1"))
    return Session(
        id=f"00000000-0000-4000-8000-{number:012}",
        uid=f"00000000-0000-4000-8000-{number:012}@perinat.example",
        revision=0, sequence=0, status="confirmed", kind="staff", title="Visio Périnat — staff",
        description="Ordre du jour : organisation des staffs du trimestre.", network="perinat", host_site="lille",
        wall_start=wall, timezone="UTC", fold=0, start=start, duration=timedelta(hours=1),
        tzdata_version=TZDATA_VERSION,
        participations=tuple(
            Participation(site=site, required=True, room=room, answer="accepted", held=True) for site, room in places
        ),
        bridge=None, ports=0, join_url=f"https://visio.example/{number}", access_code=None, override_reason=None,
        created_at=now, updated_at=now,
    )  # fmt: skip


# Over HTTP: the service in a process of its own, which tells its CPU time


@dataclass(frozen=True)
class Shop:
    """Where the process listens, and the feed's path."""

    bare: int
    behind: int
    path: str
    etag: str


def _serve(url: str, sessions: int, pipe: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        logs.set_up("INFO", nowhere)
        asyncio.run(_serving(url, sessions, pipe))


async def _serving(url: str, sessions: int, pipe: Connection) -> None:
    async with house(url, sessions) as made:
        packed = await made.read(Asked(accept_gzip=True))
        _, told = await made.services.publisher.publish(
            hashed(made.secret), Asked(head=True, accept_gzip=True), Options()
        )

        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        async def ready(request: web.Request) -> web.Response:
            return web.Response(body=packed, headers={"Content-Type": "text/calendar", "Content-Encoding": "gzip"})

        bare = web.Application()
        bare.router.add_get("/hello", hello)
        behind = application(made.services)
        behind.router.add_get("/hello", hello)
        behind.router.add_get("/ready", ready)
        ports = [await _listening(each) for each in (bare, behind)]
        etag = dict(told.headers)["ETag"]
        pipe.send(Shop(bare=ports[0], behind=ports[1], path=f"/feeds/{made.secret}.ics", etag=etag))
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
        self._request = "\r\n".join((f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()

    def __call__(self) -> bytes:
        """Send, and read the whole answer."""
        self._socket.sendall(self._request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length and b" 304 " not in head[:20]:
            body += self._socket.recv(1 << 20)
        return head + b"\r\n\r\n" + body


def over_http(url: str, sessions: int) -> dict[str, float]:
    """CPU microseconds a request, of each work at its best."""
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, sessions, theirs))
    process.start()
    try:
        shop: Shop = pipe.recv()

        def spent() -> tuple[float, int]:
            pipe.send(None)
            told: tuple[float, int] = pipe.recv()
            return told

        gzipped = "Accept-Encoding: gzip"
        works = {
            "bare": Client(shop.bare, "/hello", gzipped),
            "hello": Client(shop.behind, "/hello", gzipped),
            "304": Client(shop.behind, shop.path, gzipped, f"If-None-Match: {shop.etag}"),
            "ready": Client(shop.behind, "/ready", gzipped),
            "200": Client(shop.behind, shop.path, gzipped),
        }
        assert works["304"]().startswith(b"HTTP/1.1 304 "), "known bytes are not sent again"
        assert works["200"]().partition(b"\r\n\r\n")[2] == works["ready"]().partition(b"\r\n\r\n")[2]
        whole = gzip.decompress(works["200"]().partition(b"\r\n\r\n")[2])
        assert whole.count(b"BEGIN:VEVENT") == sessions, "every session is there"
        statements = spent()[1]
        costs: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                before = spent()[0]
                for _ in range(REQUESTS):
                    work()
                costs[name].append((spent()[0] - before) / REQUESTS * 1e6)
        assert spent()[1] == statements, "an unchanged feed costs no statement"
        return {name: min(found) for name, found in costs.items()}
    finally:
        process.terminate()
        process.join()


# In this process: what a change costs


async def rebuilt(url: str, sessions: int) -> dict[str, float]:
    """CPU milliseconds of a feed made for the first time, after one change, and of icalendar's own writing."""
    async with house(url, sessions) as made:
        costs: dict[str, list[float]] = {
            "first": [await cpu(lambda: made.read(Asked()))],
            "rebuild": [],
            "icalendar": [],
        }
        parsed = Calendar.from_ical(await made.read(Asked()))
        for number in range(7):
            await made.change(number)
            costs["rebuild"].append(await cpu(lambda: made.read(Asked(accept_gzip=True))))
            body = await made.read(Asked())
            assert body.count(b"SUMMARY:Visio 1\r\n") == number + 1, "the change is there"
            assert body.count(b"BEGIN:VEVENT") == sessions
            began = process_time()
            parsed.to_ical()
            costs["icalendar"].append((process_time() - began) * 1000)
    return {name: min(found) for name, found in costs.items()}


async def cpu(work: Callable[[], Awaitable[object]]) -> float:
    """CPU milliseconds of this process, its threads included."""
    began = process_time()
    await work()
    return (process_time() - began) * 1000


def measure(engine: str, url: Callable[[], str]) -> list[str]:
    """Print one engine's rows; what was missed."""
    http, more = over_http(url(), SESSIONS), over_http(url(), 10 * SESSIONS)
    made, tenfold = asyncio.run(rebuilt(url(), SESSIONS)), asyncio.run(rebuilt(url(), 10 * SESSIONS))
    ratios = {
        f"304 ≥ {HELLO} of a hello behind the same middlewares": (http["hello"] / http["304"], HELLO),
        f"304 ≥ {BARE} of a bare hello": (http["bare"] / http["304"], BARE),
        f"200 ≥ {READY} of ready bytes behind the same middlewares": (http["ready"] / http["200"], READY),
        f"rebuild ≤ {REBUILD} of icalendar's writing": (made["rebuild"] / made["icalendar"], -REBUILD),
    }
    works = [("304", http, more), ("200", http, more), ("rebuild", made, tenfold), ("first", made, tenfold)]
    for name, at_n, at_ten_n in works:
        ratios[f"{name}: ten times the sessions ≤ {GROWTH} times the cost"] = (at_ten_n[name] / at_n[name], -GROWTH)
    print(f"{engine}: µs a request: " + ", ".join(f"{name} {cost:.0f}" for name, cost in http.items()))
    print(f"{engine}: ms: " + ", ".join(f"{name} {cost:.1f}" for name, cost in made.items()))
    missed = []
    for name, (ratio, limit) in ratios.items():
        reached = ratio >= limit if limit > 0 else ratio <= -limit
        print(f"  {ratio:7.3f}  {name}{'' if reached else '  MISSED'}")
        missed += [] if reached else [f"{engine}: {name} ({ratio:.3f})"]
    return missed


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_postgres(fsync=True) as server:
        numbers = iter(range(100))
        missed = measure("sqlite", lambda: f"sqlite:///{folder}/{next(numbers)}.db")
        missed += measure("postgresql", lambda: create_database(server, f"feeds_{os.getpid()}_{next(numbers)}"))
    assert not missed, "; ".join(missed)


if __name__ == "__main__":
    main()
