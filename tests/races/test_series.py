"""Series that are moved, cut, booked and cancelled over one another: no overlap, no deadlock, no half series.

Three nodes on PostgreSQL, one on SQLite. `TEST_PERINAT_SERIES_RACES` (8 duels, 25 times as many attempts) makes the
run longer.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from perinat_sched.booking.request import Asked as SessionAsked
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.errors import BookingRefused, PerinatError, RevisionMismatch
from perinat_sched.series.changes import Changes
from perinat_sched.series.request import Asked
from perinat_sched.series.series import WALL, Whole
from perinat_sched.web.services import Services
from tests.races.crowd import PORTS, check_places
from tests.races.post import ADMIN, assembled
from tests.web.callers import NOW

ROUNDS = int(os.environ.get("TEST_PERINAT_SERIES_RACES", "8"))
ATTEMPTS, WORKERS = 25 * ROUNDS, 12
WEEKS = 12
RULE = f"FREQ=WEEKLY;BYDAY=WE;COUNT={WEEKS}"
DAY = "2027-09-01"  # no public holiday on a Wednesday until December
FIVE = ("calais", "lens", "arras", "boulogne", "dunkerque")
HOURS = ("08:30", "10:15", "12:00", "13:45", "15:30", "17:15")  # apart by an hour, set-up and release


@pytest.fixture
async def nodes(database_url: str, tmp_path: Path) -> AsyncIterator[list[Services]]:
    """The services of all nodes; where there is PostgreSQL, it must have met no deadlock when they are gone."""
    postgres = database_url.startswith("postgresql")
    async with assembled(database_url, tmp_path, 3 if postgres else 1, clock=lambda: NOW) as found:
        yield found
    if postgres:
        connection = await asyncpg.connect(database_url)  # its backends have reported what they met: they are gone
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert await connection.fetchval(query) == 0
        await connection.close()


def asked(hour: str, host: str = "lille", others: Sequence[str] = FIVE) -> Asked:
    session = SessionAsked(
        kind="staff", network="perinat", host_site=host, start=f"{DAY}T{hour}", required_sites=tuple(others)
    )
    return Asked(session=session, rrule=RULE)


async def move(node: Services, series: Whole, hour: str, since: str | None = None) -> Whole:
    """The dates stay, the hour is another one."""
    first = since or f"{series.series.session.wall_start:{WALL}}"
    changes = Changes(session=SessionChanges(start=f"{first[:10]}T{hour}"))
    return await node.series_changes.change(ADMIN, series.series.id, series.series.revision, changes, since)


async def outcome(work: Awaitable[Whole]) -> Whole | BookingRefused:
    """What was done, or its refusal; anything else is a failure."""
    try:
        return await work
    except BookingRefused as refused:
        return refused


def is_whole(series: Whole) -> bool:
    """All its dates stand where its rule has them, and all of them stand, or none."""
    hours = {one.session.wall_start for one in series.occurrences if one.session}
    states = {one.session.status == "cancelled" for one in series.occurrences if one.session}
    return hours == {one.recurrence for one in series.occurrences} and len(states) == 1


async def test_one_series_is_moved_while_another_is_booked_into_its_old_slots(nodes: list[Services]) -> None:
    """Whoever comes first, the other finds all of its slots free or is refused on all of its dates."""
    came_later = Counter[bool]()
    for number in range(ROUNDS):
        first, last = nodes[number % len(nodes)], nodes[(number + 1) % len(nodes)]
        series = await first.series.book(ADMIN, asked("08:30"))
        # Sites in another order, which must not mean another order of locks.
        rival = asked("08:30", "dunkerque", ("boulogne", "arras", "lens", "calais", "roubaix"))

        moved, booked = await asyncio.gather(
            outcome(move(first, series, "13:45")), outcome(last.series.book(ADMIN, rival))
        )

        assert isinstance(moved, Whole)
        assert is_whole(moved)
        came_later[isinstance(booked, Whole)] += 1
        if isinstance(booked, Whole):
            assert len(booked.occurrences) == WEEKS
            assert is_whole(booked)
        else:
            assert len({conflict.interval for conflict in booked.conflicts if conflict.code == "room_taken"}) == WEEKS
            booked = await last.series.book(ADMIN, rival)
        await check_places(first.database)
        for one in (moved, booked):
            await first.series_upkeep.cancel(ADMIN, one.series.id, None, "cancelled", "", sure=True)


async def test_two_series_change_places_with_third_ones_without_a_deadlock(nodes: list[Services]) -> None:
    """Both move into what the other leaves: one of them may be refused, neither is ever cut in two."""
    first, last = nodes[0], nodes[-1]
    for _ in range(ROUNDS):
        early = await first.series.book(ADMIN, asked("08:30"))
        late = await first.series.book(ADMIN, asked("13:45", "dunkerque", ("calais", "lens", "arras", "boulogne")))

        found = await asyncio.gather(
            outcome(move(first, early, "15:30")),
            outcome(move(last, late, "08:30")),
            outcome(last.series.book(ADMIN, asked("13:45", "lens", ("calais", "arras")))),
        )

        assert isinstance(found[0], Whole)
        for one in (early, late):
            assert is_whole(await first.series.get(ADMIN, one.series.id))
        await check_places(first.database)
        booked = [one for one in found if isinstance(one, Whole)]
        for id in {early.series.id, late.series.id, *(one.series.id for one in booked)}:
            await first.series_upkeep.cancel(ADMIN, id, None, "cancelled", "", sure=True)


@dataclass
class Storm:
    """People who book, move, cut and end series as the dice fall, and one who reads them all the time."""

    nodes: Sequence[Services]
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    known: dict[str, Whole] = field(default_factory=dict)  # by id, as last answered
    did: Counter[str] = field(default_factory=Counter)

    async def rage(self) -> None:
        left = iter(range(ATTEMPTS))
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._read())
            async with asyncio.TaskGroup() as people:
                for number in range(WORKERS):
                    people.create_task(self._act(self.nodes[number % len(self.nodes)], left))
            reader.cancel()

    async def _act(self, node: Services, left: object) -> None:
        for _ in left:  # type: ignore[attr-defined]
            action = self.dice.choices(("book", "move", "cut", "end"), (4, 5, 2, 2))[0]
            hour = self.dice.choice(HOURS)
            try:
                if action == "book" or not self.known:
                    host, *others = self.dice.sample(("lille", *FIVE, "roubaix", "seclin"), 4)
                    self._keep(await node.series.book(ADMIN, asked(hour, host, others)))
                else:
                    await self._change(node, action, hour)
                self.did[action] += 1
            except BookingRefused:
                self.did["refused"] += 1
            except RevisionMismatch:
                self.did["stale"] += 1
            except PerinatError as error:
                assert "cancelled" in str(error) or "cancelled" in str(getattr(error, "errors", "")), repr(error)
                self.did["over"] += 1

    async def _change(self, node: Services, action: str, hour: str) -> None:
        series = self.dice.choice(list(self.known.values()))
        if action == "move":
            self._keep(await move(node, series, hour))
        elif action == "end":
            self.known.pop(series.series.id, None)
            await node.series_upkeep.cancel(ADMIN, series.series.id, None, "cancelled", "", sure=True)
        elif len(series.occurrences) > 1:
            since = f"{self.dice.choice(series.occurrences[1:]).recurrence:{WALL}}"
            self._keep(await move(node, series, hour, since))
            self._keep(await node.series.get(ADMIN, series.series.id))

    def _keep(self, series: Whole) -> None:
        self.known[series.series.id] = series

    async def _read(self) -> None:
        """Nobody ever sees a half series."""
        while True:
            node = self.dice.choice(self.nodes)
            page, _ = await node.series.page(ADMIN, None, 100)
            for one in page:
                assert is_whole(one), one
            await asyncio.sleep(0.02)


async def test_a_storm_over_series_leaves_none_of_them_in_pieces(nodes: list[Services]) -> None:
    storm = Storm(nodes)

    await storm.rage()

    assert storm.did["book"] > 3
    assert storm.did["move"] > 3
    assert storm.did["refused"] > 3
    assert await check_places(nodes[0].database) <= PORTS
    page, more = await nodes[0].series.page(ADMIN, None, 500)
    assert not more
    assert [one for one in page if not is_whole(one)] == []
