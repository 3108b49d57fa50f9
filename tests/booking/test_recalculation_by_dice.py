"""Random networks, bookings and reductions, held to a plain reading of the contract, *When the ground moves*.

The plain reading goes through the sessions in the order in which they were booked, minute by minute, and knows
nothing of the service's own rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from perinat_sched.booking import store
from perinat_sched.booking.recalculation import Recalculation
from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Bridge, Directory, OpeningHours, Site
from perinat_sched.storage import guards
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import holds, resources, sessions
from tests.booking.conftest import Office
from tests.builders import NO_CALENDARS, a_directory, a_site

ANYBODY = Actor(token="admin", role="admin")
ALL_DAY = (OpeningHours(weekdays=frozenset(range(7)), opens=0, closes=24 * 60),)
DAY = datetime(2027, 3, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=15)  # everything in these worlds begins and ends at a multiple of it
ZONES = ("Europe/Paris", "America/Toronto", "Indian/Reunion")


@dataclass
class World:
    """A network, and what happens to it; by the dice."""

    dice: Random
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        sites = [
            a_site(
                f"s{number}",
                rooms=[f"s{number}-{room}" for room in range(self.dice.choice((0, 1, 1, 2)))],
                timezone=self.dice.choice(ZONES),
                answers=self.dice.choice(("automatic", "by_hand")),
                opening_hours=ALL_DAY,
            )
            for number in range(5)
        ]
        bridges = [self._bridge(code, self.dice.randint(3, 7)) for code in ("b0", "b1")[: self.dice.randint(1, 2)]]
        self.directory = a_directory(*sites, bridges=bridges, set_up_minutes=30, release_minutes=15)

    @staticmethod
    def _bridge(code: str, ports: int) -> Bridge:
        return Bridge(code=code, name=code, ports=ports, networks=("perinat",))

    def asked(self) -> dict[str, Any]:
        """A session of one to five sites within two days."""
        sites = self.dice.sample(sorted(self.directory.sites), self.dice.randint(1, 5))
        required = self.dice.randint(0, len(sites) - 1)
        start = DAY + self.dice.randrange(24 * 4) * STEP
        return {
            "host_site": sites[0],
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "duration_minutes": self.dice.choice((30, 60, 90)),
            "required_sites": tuple(sites[1 : 1 + required]),
            "optional_sites": tuple(sites[1 + required :]),
            "override_reason": self.dice.choice((None, "Garde")),
        }

    def reduced(self) -> Directory:
        """The same network with less of everything, here and there."""
        sites = [self._less(site) for site in self.directory.sites.values() if self.dice.random() > 0.1]
        bridges = [
            replace(bridge, ports=self.dice.randint(2, bridge.ports))
            for bridge in self.directory.bridges.values()
            if self.dice.random() > 0.2
        ]
        return a_directory(*sites, bridges=bridges, set_up_minutes=30, release_minutes=15)

    def _less(self, site: Site) -> Site:
        hours = (OpeningHours(weekdays=frozenset(range(7)), opens=4 * 60, closes=20 * 60),)
        return replace(
            site,
            active=self.dice.random() > 0.1,
            rooms=tuple(room for room in site.rooms if self.dice.random() > 0.15),
            opening_hours=hours if self.dice.random() < 0.3 else ALL_DAY,
        )


def quarters(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += STEP


def is_open(site: Site, start: datetime, end: datetime) -> bool:
    hours = site.opening_hours[0]
    return all(
        hours.opens <= (local := at.astimezone(ZoneInfo(site.timezone))).hour * 60 + local.minute < hours.closes
        for at in quarters(start, end)
    )


def plainly(booked: list[Session], directory: Directory, moved: dict[str, int]) -> dict[str, tuple[Any, ...]]:
    """By id: when each begins, the sites that keep their place with their rooms, the bridge, what was lost."""
    rooms: set[tuple[str, datetime]] = set()
    ports: dict[tuple[str, datetime], int] = {}
    expected = {}
    for session in sorted(booked, key=lambda session: (session.created_at, session.id)):
        start = session.start + moved.get(session.id, 0) * timedelta(hours=1)
        end = start + session.duration
        kept, lost = {}, set()
        for part in session.participations:
            if not part.held:
                continue
            site = directory.sites.get(part.site)
            fits = (
                site is not None
                and site.active
                and (part.room is None or part.room in {room.code for room in site.rooms})
                and (part.overridden or is_open(site, start, end))
                and not any((part.room, at) in rooms for at in quarters(start, end))
            )
            if fits:
                kept[part.site] = part.room
            else:
                lost.add(part.site)
        rooms |= {(room, at) for room in kept.values() if room for at in quarters(start, end)}
        bridge = None
        if len(kept) > 2:
            around = list(quarters(start - 30 * MINUTE, end + 15 * MINUTE))
            bridges = sorted(directory.bridges.values(), key=lambda bridge: bridge.code != session.bridge)
            free = (b.code for b in bridges if all(ports.get((b.code, at), 0) + len(kept) <= b.ports for at in around))
            bridge = next(free, None)
            if bridge is not None:
                ports |= {(bridge, at): ports.get((bridge, at), 0) + len(kept) for at in around}
        expected[session.id] = (start, kept, bridge, lost, len(kept) > 2 and bridge is None)
    return expected


def as_it_is(session: Session) -> tuple[Any, ...]:
    kept = {p.site: p.room for p in session.participations if p.held}
    lost = {p.site for p in session.participations if p.lost}
    return session.start, kept, session.bridge, lost, session.bridge_lost


async def by_other_rules(office: Office, dice: Random, booked: list[Session]) -> dict[str, int]:
    """Some zones had other rules when their sessions were booked: how many hours each moves."""
    hours = {zone: dice.choice((-1, 0, 0, 1)) for zone in ZONES}
    moved = {session.id: hours[session.timezone] for session in booked}

    async def work(tx: Tx) -> None:
        for session in booked:
            wall = session.wall_start + hours[session.timezone] * timedelta(hours=1)
            values = {"wall_start": f"{wall:%Y-%m-%dT%H:%M}", "tzdata_version": "2025b"}
            await tx.execute(update(sessions).where(sessions.c.id == session.id).values(values))

    await office.database.write(work)
    return moved


async def all_sessions(office: Office) -> list[Session]:
    async with office.database.read() as tx:
        return await store.sessions_where(tx, store.to_come(office.now))


async def taken(office: Office) -> dict[str, dict[str, int]]:
    """What every session holds in the database, in units by room or bridge."""
    query = select(holds.c.session_id, resources.c.code, holds.c.units).join(resources)
    async with office.database.read() as tx:
        found: dict[str, dict[str, int]] = {}
        for session, code, units in await tx.execute(query):
            found.setdefault(session, {})[code] = units
        return found


@pytest.mark.parametrize("seed", range(12))
async def test_exactly_the_later_sessions_lose_and_what_is_free_comes_back_when_the_ground_moves_back(
    open_office: Any, seed: int
) -> None:
    dice = Random(seed)
    world = World(dice)
    office: Office = await open_office(world.directory)
    for _ in range(45):
        office.now += timedelta(seconds=1)
        try:
            await office.book(actor=ANYBODY, **world.asked())
        except BookingRefused:
            continue
    booked = await all_sessions(office)
    assert len(booked) > 5
    moved = await by_other_rules(office, dice, booked)
    directory = world.reduced()
    await office.database.sync_resources(directory)
    recalculation = Recalculation(
        database=office.database, directory=directory, calendars=NO_CALENDARS, clock=lambda: office.now, spell=4
    )
    announced = {misfit.before.id async for misfit in recalculation.misfits()}
    await recalculation.where_the_ground_moved()
    after = await all_sessions(office)

    expected = plainly(booked, directory, moved)
    assert {session.id: as_it_is(session) for session in after} == expected
    assert announced == {id for id, (*_, lost, bridge_lost) in expected.items() if lost or bridge_lost}
    held = await taken(office)
    for session in after:
        _, kept, bridge, _, _ = expected[session.id]
        units = {room: 1 for room in kept.values() if room} | ({bridge: len(kept)} if bridge else {})
        assert held.get(session.id, {}) == units
    async with office.database.read() as tx:
        assert await guards.missing(tx) == []
        assert await guards.double_booked(tx) == []

    await office.database.write(lambda tx: store.note_ground(tx, "another"))
    await recalculation.where_the_ground_moved()
    assert await all_sessions(office) == after
    assert await taken(office) == held

    await office.database.sync_resources(world.directory)
    await replace(recalculation, directory=world.directory).where_the_ground_moved()
    back = await all_sessions(office)
    for before, now in zip(after, back, strict=True):
        kept, regained = as_it_is(before)[1], as_it_is(now)[1]
        assert kept.items() <= regained.items()
        assert before.bridge in (None, now.bridge)
        units = {room: 1 for room in regained.values() if room} | ({now.bridge: len(regained)} if now.bridge else {})
        assert (await taken(office)).get(now.id, {}) == units
    await office.database.write(lambda tx: store.note_ground(tx, "another"))
    await replace(recalculation, directory=world.directory).where_the_ground_moved()
    assert await all_sessions(office) == back
