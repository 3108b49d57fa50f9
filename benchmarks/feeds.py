"""Feeds as calendar programs poll them: rows 1, 2, 3 and 9 of the project's table of speed, and Radicale beside us.

`python -m benchmarks feeds`, on SQLite and on a PostgreSQL of its own; `python -m benchmarks.feeds http`, `rebuild` or
`radicale`: that alone, without growth. A feed of 1,000 sessions. CPU time of the
service's process, not of the client's or of PostgreSQL. Works take short turns, each ratio is the median of those of
all turns: other programs on the machine make a turn dear, and seldom the ratio.

- *304*: an unchanged feed, to a client that has it. Yardsticks, in the same process on sockets of their own: a bare
  aiohttp hello, and a hello behind the same middlewares (log line, metrics, headers, request id).
- *200*: the whole feed, unchanged, gzip. Yardstick: the very same answer, headers and bytes, ready in memory, behind
  the same middlewares at an address that is always the same; also printed: at one with a secret in it.
- *rebuild*: one session of the 1,000 has changed, and the feed is asked for: SQL, the new piece, joining, hashing,
  gzip, recording the change. Yardstick: icalendar's `to_ical` of the same calendar.
- *growth*: each of these, and a feed made for the first time, with ten times the sessions.
- *Radicale* serves the same 1,000 events as one collection; whole and conditional GET, a connection each.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import process_time

from icalendar import Calendar

from benchmarks import feed_peer
from benchmarks.feed_house import house
from benchmarks.feed_server import Client, asking, serving
from perinat_sched.feeds.edition import Asked
from tests.postgres import create_database, running_postgres

HELLO, BARE, READY, REBUILD, GROWTH = 0.85, 0.5, 0.90, 0.03, 12
SESSIONS = 1000
REQUESTS, ROUNDS = 100, 40  # of each work over HTTP
CHANGES = 15  # to rebuild after
PEER_REQUESTS, PEER_ROUNDS, PEER_TIMES = 4, 5, 50  # of Radicale's; we get so many times as many

Costs = dict[str, list[float]]  # of each work, turn by turn
Ratios = dict[str, tuple[float, float]]  # what was found, and the least; negative: the most


def over_http(url: str, sessions: int) -> Costs:
    """CPU microseconds a request."""
    with serving(url, sessions) as server:
        shop, gzipped = server.shop, "Accept-Encoding: gzip"
        works = {
            "bare": Client(shop.bare, "/hello", gzipped),
            "hello": Client(shop.behind, "/hello", gzipped),
            "304": Client(shop.behind, shop.path, gzipped, f"If-None-Match: {shop.etag}"),
            "ready": Client(shop.behind, "/ready", gzipped),
            "ready by secret": Client(shop.behind, shop.path.replace("/feeds/", "/readies/"), gzipped),
            "200": Client(shop.behind, shop.path, gzipped),
        }
        assert works["304"]().startswith(b"HTTP/1.1 304 "), "known bytes are not sent again"
        assert without_chance(works["200"]()) == without_chance(works["ready"]()), "the yardstick sends the same"
        whole = gzip.decompress(works["200"]().partition(b"\r\n\r\n")[2])
        assert whole.count(b"BEGIN:VEVENT") == sessions, "every session is there"
        for work in works.values():
            _many(work, REQUESTS)
        statements = server.spent()[1]
        costs: Costs = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                before = server.spent()[0]
                _many(work, REQUESTS)
                costs[name].append((server.spent()[0] - before) / REQUESTS * 1e6)
        assert server.spent()[1] == statements, "an unchanged feed costs no statement"
        return costs


def without_chance(answer: bytes) -> bytes:
    """An answer without its hour and the request's id."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b"Date:", b"X-Request-Id:"))]
    return b"\r\n".join([*sorted(lines), b"", body])


def _many(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


async def rebuilt(url: str, sessions: int) -> Costs:
    """CPU milliseconds of a feed made for the first time, after one change, and of icalendar's own writing."""
    async with house(url, sessions) as made:
        first = await cpu(lambda: made.read(Asked()))
        costs: Costs = {"first": [first], "rebuild": [], "icalendar": []}
        parsed = Calendar.from_ical(await made.read(Asked()))
        for number in range(CHANGES):
            await made.change(number)
            costs["rebuild"].append(await cpu(lambda: made.read(Asked(accept_gzip=True))))
            body = await made.read(Asked())
            assert body.count(b"SUMMARY:Visio 1\r\n") == number + 1, "the change is there"
            assert body.count(b"BEGIN:VEVENT") == sessions
            began = process_time()
            parsed.to_ical()
            costs["icalendar"].append((process_time() - began) * 1000)
    return costs


async def cpu(work: Callable[[], Awaitable[object]]) -> float:
    """CPU milliseconds of this process, its threads included."""
    began = process_time()
    await work()
    return (process_time() - began) * 1000


def beside_radicale(url: str) -> list[str]:
    """Print CPU milliseconds a request, ours and Radicale's, as a table for the README; what was missed."""
    with serving(url, SESSIONS) as server, feed_peer.serving(server.shop.plain) as peer:
        shop = server.shop
        gzipped, close = "Accept-Encoding: gzip", "Connection: close"

        def theirs(*headers: str) -> bytes:
            return feed_peer.once(peer.port, asking("GET", feed_peer.PATH, feed_peer.ANYBODY, close, *headers))

        def ours(*headers: str) -> bytes:
            return feed_peer.once(shop.behind, asking("GET", shop.path, close, *headers))

        whole = theirs()
        for answer in (whole, ours()):
            assert answer.count(b"BEGIN:VEVENT") == SESSIONS, "both serve the same events"
        etag = next(line for line in whole.split(b"\r\n") if line.lower().startswith(b"etag:"))[5:].decode().strip()
        works = {
            "whole": ((), ()),
            "whole, gzip": ((gzipped,), (gzipped,)),
            "conditional (If-None-Match)": ((gzipped, f"If-None-Match: {shop.etag}"), (f"If-None-Match: {etag}",)),
        }
        print(f"\n| GET of 1,000 events, CPU a request | perinat-sched | {feed_peer.NAME} | |\n|---|---|---|---|")
        missed = []
        for name, (of_ours, of_theirs) in works.items():
            we: list[float] = []
            they: list[float] = []
            for _ in range(PEER_ROUNDS):
                before = peer.spent()
                _many(lambda: theirs(*of_theirs), PEER_REQUESTS)  # noqa: B023 - called at once
                they.append((peer.spent() - before) / PEER_REQUESTS * 1000)
                before = server.spent()[0]
                _many(lambda: ours(*of_ours), PEER_TIMES * PEER_REQUESTS)  # noqa: B023
                we.append((server.spent()[0] - before) / PEER_TIMES / PEER_REQUESTS * 1000)
            said = tuple(answer.split(b" ")[1].decode() for answer in (ours(*of_ours), theirs(*of_theirs)))
            times = median(they) / median(we)
            print(f"| {name} | {median(we):.2f} ms ({said[0]}) | {median(they):.0f} ms ({said[1]}) | {times:,.0f} × |")
            missed += [] if times > 1 else [f"dearer than Radicale: {name}"]
        return missed


def ratio(one: list[float], other: list[float]) -> float:
    """The median of the ratios of all turns."""
    return median(mine / yours for mine, yours in zip(one, other, strict=True))


def http_ratios(url: Callable[[], str], engine: str) -> tuple[Ratios, Costs]:
    """Rows 1 and 2, and what they are made from."""
    http = over_http(url(), SESSIONS)
    print(f"{engine}: µs a request: " + ", ".join(f"{name} {median(costs):.0f}" for name, costs in http.items()))
    print(f"  {ratio(http['ready'], http['ready by secret']):7.3f}  ready bytes at an address with a secret in it")
    ratios = {
        f"304 ≥ {HELLO} of a hello behind the same middlewares": (ratio(http["hello"], http["304"]), HELLO),
        f"304 ≥ {BARE} of a bare hello": (ratio(http["bare"], http["304"]), BARE),
        f"200 ≥ {READY} of ready bytes behind the same middlewares": (ratio(http["ready"], http["200"]), READY),
    }
    return ratios, http


def rebuild_ratios(url: Callable[[], str], engine: str) -> tuple[Ratios, Costs]:
    """Row 3, and what it is made from."""
    made = asyncio.run(rebuilt(url(), SESSIONS))
    print(f"{engine}: ms: " + ", ".join(f"{name} {median(costs):.1f}" for name, costs in made.items()))
    found = ratio(made["rebuild"], made["icalendar"])
    return {f"rebuild ≤ {REBUILD} of icalendar's writing": (found, -REBUILD)}, made


def measure(engine: str, url: Callable[[], str], parts: Sequence[str]) -> list[str]:
    """Print one engine's rows; what was missed."""
    ratios: Ratios = {}
    if "http" in parts:
        ratios |= http_ratios(url, engine)[0]
    if "rebuild" in parts:
        ratios |= rebuild_ratios(url, engine)[0]
    if not parts:
        (of_http, http), (of_rebuild, made) = http_ratios(url, engine), rebuild_ratios(url, engine)
        more, tenfold = over_http(url(), 10 * SESSIONS), asyncio.run(rebuilt(url(), 10 * SESSIONS))
        ratios = of_http | of_rebuild
        works = [("304", http, more), ("200", http, more), ("rebuild", made, tenfold), ("first", made, tenfold)]
        for name, at_n, at_ten_n in works:
            growth = median(at_ten_n[name]) / median(at_n[name])
            ratios[f"{name}: ten times the sessions ≤ {GROWTH} times the cost"] = (growth, -GROWTH)
    missed = []
    for name, (found, limit) in ratios.items():
        reached = found >= limit if limit > 0 else found <= -limit
        print(f"  {found:7.3f}  {name}{'' if reached else '  MISSED'}")
        missed += [] if reached else [f"{engine}: {name} ({found:.3f})"]
    return missed


def main(parts: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as folder, running_postgres(fsync=True) as server:
        numbers = iter(range(100))
        missed = measure("sqlite", lambda: f"sqlite:///{folder}/{next(numbers)}.db", parts)
        missed += measure("postgresql", lambda: create_database(server, f"feeds_{os.getpid()}_{next(numbers)}"), parts)
        if not parts or "radicale" in parts:
            missed += beside_radicale(f"sqlite:///{folder}/radicale.db")
    assert not missed, "; ".join(missed)


if __name__ == "__main__":
    main(sys.argv[1:])
