"""The week of a network as its coordinators open it: 30 sites, 400 sessions of six sites each, every one in its rooms
and on the bridge.

`python -m benchmarks pages`, on SQLite. CPU time of the service's process, not of the client's; works take turns, and
each counts at its best. *hello* is a signed-in page without anything on it but the frame (`/account`), behind the same
door and middlewares. The number of statements must not grow from one session to four hundred.
"""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time

from aiohttp import web

from perinat_sched import app, logs, settings, zones
from perinat_sched.booking import store
from perinat_sched.booking.session import Participation, Session
from perinat_sched.sites.network import Bridge, Defaults, Directory, Network, OpeningHours, Room, Site
from perinat_sched.storage.database import Database, Tx
from perinat_sched.web.desk.door import cookie_name
from perinat_sched.web.server import application

SITES, SESSIONS, OF_EACH = 30, 400, 6
ROUNDS, REQUESTS = 8, 6
MONDAY = datetime(2027, 3, 15, 7, tzinfo=UTC)  # 8:00 in Paris
HALF_HOUR = timedelta(minutes=30)
STATEMENTS = 5  # who asks; sessions, participations; closures, holds
WEEK, HELLO = "/week?of=network:n&day=2027-03-15", "/account"


def network() -> Directory:
    codes = [f"s{number}" for number in range(SITES)]
    hours = (OpeningHours(weekdays=frozenset(range(5)), opens=8 * 60, closes=19 * 60),)
    rooms = {code: Room(code=f"{code}-1", site=code, name="Salle") for code in codes}
    return Directory(
        networks={"n": Network(code="n", name="Réseau")},
        bridges={"mcu": Bridge(code="mcu", name="Pont", ports=SITES, networks=("n",))},
        kinds={},
        sites={
            code: Site(
                code=code,
                name=f"Centre hospitalier {code}",
                city=code.upper(),
                timezone="Europe/Paris",
                networks=("n",),
                opening_hours=hours,
                rooms=(rooms[code],),
            )
            for code in codes
        },
        rooms={room.code: room for room in rooms.values()},
        defaults=Defaults(set_up_minutes=0, release_minutes=0),
    )


def session(number: int) -> Session:
    """Five at a time, half an hour each, from Monday to Friday."""
    slot, group = divmod(number, SITES // OF_EACH)
    day, half_hour = divmod(slot, 22)
    start = MONDAY + timedelta(days=day) + half_hour * HALF_HOUR
    sites = [f"s{(group * OF_EACH + place + slot) % SITES}" for place in range(OF_EACH)]
    return Session(
        id=f"00000000-0000-4000-8000-{number:012}", uid=f"{number}@benchmark", revision=0, sequence=0,
        status="confirmed", kind="staff", title="Visio Périnat — staff", description="", network="n",
        host_site=sites[0], wall_start=zones.to_local(start, "Europe/Paris").replace(tzinfo=None),
        timezone="Europe/Paris", fold=0, start=start, duration=HALF_HOUR, tzdata_version=zones.TZDATA_VERSION,
        participations=tuple(
            Participation(site=code, required=True, room=f"{code}-1", answer="accepted", held=True) for code in sites
        ),
        bridge="mcu", ports=OF_EACH, join_url=None, access_code=None, override_reason=None,
        created_at=MONDAY, updated_at=MONDAY,
    )  # fmt: skip


async def fill(database: Database, first: int, last: int) -> None:
    async def work(tx: Tx) -> None:
        for number in range(first, last):
            new = session(number)
            taken = [store.Held(resource=("bridge", "mcu"), interval=new.interval, around=new.interval, units=OF_EACH)]
            taken += [
                store.Held(resource=("room", room), interval=new.interval, around=new.interval, units=1)
                for room in new.rooms_held.values()
            ]
            await store.add(tx, new, taken, database.resources)

    await database.write(work)


def _serve(folder: str, pipe: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        logs.set_up("INFO", nowhere)
        asyncio.run(_serving(folder, pipe))


async def _serving(folder: str, pipe: Connection) -> None:
    """Tell port and cookie; then, at each call: fill, or the CPU time and the statements so far."""
    root = Path(__file__).parent.parent
    environment = {"PERINAT_CONFIG_DIR": str(root / "config"), "PERINAT_CALENDARS_DIR": str(root / "calendars")}
    loaded = settings.load({**environment, "PERINAT_DATABASE_URL": f"sqlite:///{folder}/pages.db"})
    configured = replace(loaded, directory=network(), secret_key_file=Path(folder) / "secret.key")
    async with app.opened(configured) as database:
        services = app.assemble(configured, database, lambda: MONDAY)
        _, row = await services.tokens.create(role="coordinator", networks=["n"], name="benchmark")
        [secret] = await services.sign_ins.links([row])
        cookie, _ = await services.sign_ins.open(secret)
        runner = web.AppRunner(application(services), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send((runner.addresses[0][1], f"{cookie_name(services)}={cookie}"))
        with database.counting() as count:
            while (asked := await asyncio.to_thread(pipe.recv)) is not None:
                if asked:
                    await fill(database, *asked)
                pipe.send((process_time(), len(count.statements)))
        await runner.cleanup()


def main() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, theirs), daemon=True)
        process.start()
        theirs.close()
        port, cookie = ours.recv()
        try:
            _measure(port, cookie, lambda asked: (ours.send(asked), ours.recv())[1])
        finally:
            ours.send(None)
            process.join(10)


def _measure(port: int, cookie: str, ask: Callable[[object], tuple[float, int]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def get(path: str) -> bytes:
        connection.request("GET", path, headers={"Cookie": cookie, "Accept-Language": "fr"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body.decode()
        return body

    def statements(path: str) -> int:
        before = ask(())[1]
        get(path)
        return ask(())[1] - before

    ask((0, 1))
    one = statements(WEEK)
    ask((1, SESSIONS))
    many, page = statements(WEEK), get(WEEK)
    best = {WEEK: float("inf"), HELLO: float("inf")}
    for _ in range(ROUNDS):
        for path in best:
            before = ask(())[0]
            for _ in range(REQUESTS):
                get(path)
            best[path] = min(best[path], (ask(())[0] - before) / REQUESTS)
    shown = page.count(b'href="/sessions/') // 2  # in the table and in the list
    week, hello = (best[path] * 1000 for path in (WEEK, HELLO))
    print(f"{'':24}{'statements':>12}{'CPU ms':>10}{'bytes':>12}")
    print(f"{'hello':24}{statements(HELLO):12}{hello:10.2f}{len(get(HELLO)):12,}")
    print(f"{f'week, {shown} sessions':24}{many:12}{week:10.1f}{len(page):12,}")
    print(f"{'ratio to the hello':24}{'':12}{week / hello:10.0f}")
    assert shown == SESSIONS, shown
    assert one == many == STATEMENTS, (one, many)


if __name__ == "__main__":
    main()
