"""The ground moves under a year of sessions: what it costs the next start.

`python -m benchmarks.ground`. Forty sites, ten sessions of four sites at every hour of the day, all over one bridge, on
SQLite. First other rules of clocks move every session by an hour; then the bridge loses half its ports, so that every
other session loses it; then the configuration changes in what concerns no session; then nothing changes. Each step is
checked for what it did.

Measured on two shared cores, seconds of CPU:

     sessions   all move   half lose their bridge   nothing to do   same ground
        1,000        1.2                      0.8             0.8         0.007
        4,000        8.2                      3.5             2.9         0.008

Moving costs more than in proportion because the guards sweep the month before each hold that is written.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import process_time

from perinat_sched import zones
from perinat_sched.booking import store
from perinat_sched.booking.recalculation import Outcome, Recalculation
from perinat_sched.booking.session import Participation, Session
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import (
    Bridge,
    Defaults,
    Directory,
    Network,
    OpeningHours,
    Room,
    Site,
)
from perinat_sched.storage.database import Database, Tx

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SIZES = (1_000, 4_000)
SITES = 40
HOUR = timedelta(hours=1)
ALWAYS = (OpeningHours(weekdays=frozenset(range(7)), opens=0, closes=24 * 60),)


def network(ports: int) -> Directory:
    codes = [f"s{number}" for number in range(SITES)]
    rooms = {code: Room(code=f"{code}-1", site=code, name=code) for code in codes}
    return Directory(
        networks={"n": Network(code="n", name="N")},
        bridges={"mcu": Bridge(code="mcu", name="Pont", ports=ports, networks=("n",))},
        kinds={},
        sites={
            code: Site(
                code=code,
                name=code,
                timezone="Europe/Paris",
                networks=("n",),
                opening_hours=ALWAYS,
                rooms=(rooms[code],),
            )
            for code in codes
        },
        rooms={room.code: room for room in rooms.values()},
        defaults=Defaults(set_up_minutes=0, release_minutes=0),
    )


def session(number: int) -> Session:
    """The session of this number, booked when Paris' clocks were an hour behind today's."""
    hours, group = divmod(number, 10)
    start = NOW + timedelta(days=1 + hours // 8, hours=8 + hours % 8)
    sites = [f"s{group * 4 + place}" for place in range(4)]
    return Session(
        id=f"{number:08}", uid=f"{number}@benchmark", revision=0, sequence=0, status="confirmed", kind="staff",
        title="Visio", description="", network="n", host_site=sites[0],
        wall_start=zones.to_local(start, "Europe/Paris").replace(tzinfo=None) + HOUR, timezone="Europe/Paris", fold=0,
        start=start, duration=HOUR, tzdata_version="2025b",
        participations=tuple(
            Participation(site=code, required=True, room=f"{code}-1", answer="accepted", held=True) for code in sites
        ),
        bridge="mcu", ports=4, join_url=None, access_code=None, override_reason=None, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


async def fill(database: Database, sessions: int) -> None:
    async def work(tx: Tx) -> None:
        for number in range(sessions):
            new = session(number)
            around = new.interval
            taken = [store.Held(resource=("bridge", "mcu"), interval=around, around=around, units=4)]
            taken += [
                store.Held(resource=("room", room), interval=around, around=around, units=1)
                for room in new.rooms_held.values()
            ]
            await store.add(tx, new, taken, database.resources)

    await database.write(work)


async def measure(folder: str, sessions: int) -> list[float]:
    whole, half = network(SITES), network(SITES // 2)
    database = await Database.open(f"sqlite:///{folder}/ground.db")
    await database.migrate()
    await database.sync_resources(whole)
    await fill(database, sessions)
    start = Recalculation(
        database=database, directory=whole, calendars=Calendars(agendas={}, room_zones={}), clock=lambda: NOW
    )
    other = replace(half, defaults=replace(half.defaults, minimum_notice_hours=3))

    async def timed(work: Awaitable[Outcome], expected: Outcome) -> float:
        began = process_time()
        outcome = await work
        taken = process_time() - began
        assert outcome == expected, outcome
        return taken

    times = [await timed(start.where_the_ground_moved(), Outcome(moved=sessions))]
    await database.sync_resources(half)
    times += [
        await timed(replace(start, directory=half).where_the_ground_moved(), Outcome(lost=sessions // 2)),
        await timed(replace(start, directory=other).where_the_ground_moved(), Outcome()),
        await timed(replace(start, directory=other).where_the_ground_moved(), Outcome()),
    ]
    await database.close()
    return times


def main() -> None:
    print(f"{'sessions':>12}{'all move':>11}{'half lose their bridge':>25}{'nothing to do':>16}{'same ground':>14}")
    for sessions in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            move, lose, nothing, same = asyncio.run(measure(folder, sessions))
        print(f"{sessions:12,}{move:11.1f}{lose:25.1f}{nothing:16.1f}{same:14.3f}")


if __name__ == "__main__":
    main()
