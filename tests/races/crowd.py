"""A crowd of coordinators who all want the same days, and what must be true when they are gone."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import aiohttp
from sqlalchemy import select

from perinat_sched.intervals import Interval, peak, usage
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import audit, holds, participations, resources, sessions

SITES = (
    "lille", "roubaix", "tourcoing", "seclin", "valenciennes", "lens", "arras", "calais", "boulogne", "dunkerque",
    "sainte-justine",  # without rooms: takes ports alone
)  # fmt: skip
PORTS = 12
EVER = Interval(datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))


@dataclass
class Crowd:
    """Attempts to book, move and cancel in a few days of one month; keeps what was acknowledged."""

    seed: int
    days: int = 4
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)  # id → the session as last answered
    in_doubt: set[str] = field(default_factory=set)  # changed by a request that got no answer
    unanswered: int = 0  # bookings that got no answer
    statuses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.busy: set[str] = set()
        self.booked = asyncio.Semaphore(0)  # one more for each acknowledged booking

    async def storm(self, clients: Sequence[aiohttp.ClientSession], attempts: int, workers: int = 32) -> None:
        """So many attempts by so many at once. Ends early when nobody answers any more."""
        left = iter(range(attempts))
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._worker(clients[number % len(clients)], left))

    async def _worker(self, client: aiohttp.ClientSession, left: Any) -> None:
        for _ in left:
            choice = self.random.random()
            mine = next((one for one in self.acknowledged if one not in self.busy), None) if choice < 0.3 else None
            try:
                if mine is None:
                    await self._book(client)
                else:
                    await self._change(client, mine, cancel=choice < 0.2)
            except (aiohttp.ClientError, ConnectionError):
                return  # the service was killed

    def _start(self) -> str:
        day, hour, minute = self.random.randint(1, self.days), self.random.randint(8, 18), self.random.choice((0, 30))
        return f"2027-06-{day:02}T{hour:02}:{minute:02}"

    async def _book(self, client: aiohttp.ClientSession) -> None:
        sites = self.random.sample(SITES, self.random.choice((2, 3, 3, 6)))  # twelve ports can be filled to the last
        asked = {
            "kind": "staff", "network": "perinat", "host_site": sites[0], "start": self._start(),
            "required_sites": sites[1:], "duration_minutes": self.random.choice((30, 60, 90)),
            "override_reason": "essai de charge",
        }  # fmt: skip
        self.unanswered += 1
        async with client.post("sessions", json=asked) as answer:
            body = await answer.json(content_type=None)
        self.unanswered -= 1
        self.statuses[answer.status] += 1
        if answer.status == 201:
            self.acknowledged[body["id"]] = body
            self.booked.release()

    async def has_booked(self, sessions: int) -> None:
        """Wait until so many more bookings were acknowledged."""
        for _ in range(sessions):
            await self.booked.acquire()

    async def _change(self, client: aiohttp.ClientSession, mine: str, *, cancel: bool) -> None:
        """Cancel a session or move it; nobody else touches it meanwhile."""
        session = self.acknowledged[mine]
        self.busy.add(mine)
        self.in_doubt.add(mine)
        if cancel:
            request = client.post(f"sessions/{mine}/cancellation", json={})
        else:
            revision = {"If-Match": f'"{session["revision"]}"'}
            changes = {"start": self._start(), "override_reason": "essai de charge"}
            request = client.patch(f"sessions/{mine}", json=changes, headers=revision)
        async with request as answer:
            body = await answer.json(content_type=None)
        self.in_doubt.discard(mine)
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.acknowledged[mine] = body
        if self.acknowledged[mine]["status"] != "cancelled":
            self.busy.discard(mine)


async def check(database: Database, crowd: Crowd, *, killed: bool = False) -> int:
    """Raise AssertionError unless the rows are whole and everything acknowledged is there; the most ports in use."""
    busiest = await check_places(database)
    async with database.read() as tx:
        rows = {row.id: row for row in await tx.execute(select(sessions))}
        audited = {row.object_id for row in await tx.execute(select(audit))}

    # Nothing acknowledged is lost, nothing unacknowledged is there but what a kill left unanswered.
    for id, session in crowd.acknowledged.items():
        if id not in crowd.in_doubt:
            assert (rows[id].revision, rows[id].status) == (session["revision"], session["status"])
    assert set(rows) >= set(crowd.acknowledged)
    assert len(rows) - len(crowd.acknowledged) <= (crowd.unanswered if killed else 0)
    assert audited >= set(rows)
    return busiest


async def check_places(database: Database) -> int:
    """Raise AssertionError unless each session holds just what it should and nothing twice; the most ports in use."""
    async with database.read() as tx:
        rows = {row.id: row for row in await tx.execute(select(sessions))}
        parts = (await tx.execute(select(participations).where(participations.c.held))).all()
        held = (await tx.execute(select(holds, resources.c.code).join(resources))).all()

    # No two sessions in a room, by the sessions themselves and by what they hold.
    standing = {id for id, row in rows.items() if row.status != "cancelled"}
    by_room: dict[str, list[tuple[datetime, datetime]]] = {}
    for part in parts:
        if part.session_id in standing and part.room:
            by_room.setdefault(part.room, []).append((rows[part.session_id].starts, rows[part.session_id].ends))
    for room, spans in by_room.items():
        for (_, end), (start, _) in pairwise(sorted(spans)):
            assert end <= start, f"{room} is held twice at {start}"

    # All or nothing: each session holds just its rooms and its ports.
    wanted = {(p.session_id, p.room) for p in parts if p.session_id in standing and p.room}
    wanted |= {(id, rows[id].bridge) for id in standing if rows[id].bridge}
    assert {(h.session_id, h.code) for h in held} == wanted
    for id in standing:
        ports = sum(1 for part in parts if part.session_id == id)
        assert rows[id].ports == (ports if ports > 2 else 0)

    # Ports are never exceeded.
    loads = [(Interval(h.starts, h.ends), h.units) for h in held if h.code == "mcu-lille"]
    busiest = peak(loads, EVER)
    assert busiest <= PORTS, [step for step in usage(loads) if step[1] > PORTS]
    return busiest
