"""Mails through the whole pipeline against one connection and ready bytes: row 8 of the project's table of speed.

`python -m benchmarks.mail`. Yardstick: the bytes of the same mails, ready in memory, handed one after the other to one
aiosmtplib connection. Product: committed sessions in a SQLite file, from planning to the last mail settled, every
commit durable: plan, claim, read the session again, write the mail in its reader's language and hour, note it, send
it, settle it. The relay is aiosmtpd's own sink, in another process.

Two loads. With one reader a site every letter is written for one reader, and no two mails of a session are alike but
in their calendar part. Four readers a site is a network as hospitals have it (coordinator, obstetrician, midwife,
paediatrician): there the letter and its prints are written once a site, the calendar part once a session and language,
and only the addressee differs, as row 8 has it. Both are asserted.

So many mails that nothing one run has at hand serves the next (with 300 it does, and they cost a fifth less). Wall time
and the CPU time of this process, medians of runs that take turns; the ratio is the median of those of all turns, for
the machine's speed changes from one to the next. The range of six runs on two cores:

    readers a site   pipeline, ms a mail (wall, CPU)   ready bytes (wall, CPU)   ratio (wall)
                 1            1.98–2.25  1.81–2.16        1.60–2.16  0.56–0.72        0.81–0.93
                 4            1.72–1.99  1.49–1.73        1.71–2.03  0.55–0.66        1.00–1.04

While the relay answers, the next mails are claimed, read and written, and a flood has a few connections, so wall time
is our CPU time and little more. With one reader, writing takes two fifths of it, the database a third, sending an
eighth, the loop the rest.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from aiosmtplib import SMTP
from sqlalchemy import func, select

from benchmarks.slots import a_year
from perinat_sched import zones
from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Participation, Session
from perinat_sched.notices.delivery import Delivery
from perinat_sched.notices.mailer import Connection, Mailer, SmtpMailer
from perinat_sched.sites.network import Directory, Kind
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import notices

RATIO = 0.80  # of the yardstick's mails a second
MAILS, SITES, ROUNDS = 1200, 6, 7
NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
FROM = "visio@perinat.example"


@dataclass(frozen=True)
class Cost:
    """Of one mail, in milliseconds."""

    wall: float
    cpu: float


# The network and its sessions


def a_network(readers: int) -> Directory:
    """Sites in three zones, each with so many readers."""
    directory = a_year(SITES).ground.directory
    sites = {
        code: replace(
            site,
            contacts=tuple(f"reader{number}@{code}.example" for number in range(readers)),
            phone="+33 3 20 00 00 00",
            city=f"Ville {code}",
        )
        for code, site in directory.sites.items()
    }
    kind = Kind(
        code="staff",
        name={"fr": "Staff de périnatalité", "en": "Perinatal staff meeting"},
        title={"fr": "Visio Périnat — staff", "en": "Périnat video — staff"},
        priority="clinical",
        duration_minutes=60,
        reminders=(),
    )
    return replace(directory, sites=sites, kinds={"staff": kind})


def a_session(number: int, directory: Directory) -> Session:
    wall = datetime(2027, 3, 1, 8) + timedelta(hours=3 * number)  # noqa: DTZ001 - a wall time
    parts = [
        Participation(site=code, required=True, room=site.rooms[0].code, answer="accepted", held=True)
        for code, site in directory.sites.items()
    ]
    return Session(
        id=f"session-{number}",
        uid=f"session-{number}@perinat.example",
        revision=0,
        sequence=0,
        status="confirmed",
        kind="staff",
        title="Visio Périnat — staff",
        description="Ordre du jour\nDossiers de la semaine",
        network="all",
        host_site=parts[0].site,
        wall_start=wall,
        timezone="Europe/Paris",
        fold=0,
        start=zones.to_utc(wall, "Europe/Paris", 0),
        duration=timedelta(hours=1),
        tzdata_version=zones.TZDATA_VERSION,
        participations=tuple(parts),
        bridge="bridge",
        ports=SITES,
        join_url="https://visio.example/perinat",
        access_code=None,
        override_reason=None,
        created_at=NOW - timedelta(hours=1),
        updated_at=NOW - timedelta(hours=1),
    )


# Both sides


@asynccontextmanager
async def relay() -> AsyncIterator[str]:
    """aiosmtpd's sink, in a process of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield f"smtp://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


class Keeping:
    """The mailer of the service, which also keeps what it sends: the yardstick's bytes."""

    name = "keeping"

    def __init__(self, mailer: Mailer) -> None:
        self.mailer = mailer
        self.sent: list[tuple[str, bytes]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self.mailer.connection() as connection:
            yield _Keeping(connection, self.sent)


@dataclass(frozen=True)
class _Keeping:
    """One connection of it."""

    connection: Connection
    sent: list[tuple[str, bytes]]

    async def connect(self) -> None:
        await self.connection.connect()

    async def send(self, message: bytes, recipient: str) -> None:
        await self.connection.send(message, recipient)
        self.sent.append((recipient, message))


async def by_pipeline(url: str, folder: Path, readers: int) -> tuple[Cost, list[tuple[str, bytes]]]:
    """`readers`: of each site. One session is told before, so that statements and templates are those of a service
    that has run for a minute."""
    database = await Database.open(f"sqlite:///{folder}/perinat.db")
    try:
        await database.migrate()
        directory, keeping = a_network(readers), Keeping(SmtpMailer(url, sender=FROM))
        delivery = Delivery(database=database, directory=directory, mailer=keeping, clock=lambda: NOW, mail_from=FROM)
        sessions = MAILS // (SITES * readers)
        await book(database, directory, range(sessions, sessions + 1))
        await delivery.run_once()
        keeping.sent.clear()
        await book(database, directory, range(sessions))
        gc.collect()
        wall, cpu = perf_counter(), process_time()
        await delivery.run_once()
        cost = Cost((perf_counter() - wall) * 1000 / MAILS, (process_time() - cpu) * 1000 / MAILS)
        async with database.read() as tx:
            states = (await tx.execute(select(notices.c.state, func.count()).group_by(notices.c.state))).all()
        assert [tuple(row) for row in states] == [("sent", MAILS + SITES * readers)], f"every mail is settled: {states}"
        assert len({message for _, message in keeping.sent}) == MAILS, "no two mails are the same"
        return cost, keeping.sent
    finally:
        await database.close()


async def book(database: Database, directory: Directory, numbers: range) -> None:
    for number in numbers:
        session = a_session(number, directory)
        await database.write(lambda tx, session=session: booking.add(tx, session, (), {}))  # type: ignore[misc]


async def by_ready_bytes(url: str, mails: Sequence[tuple[str, bytes]]) -> Cost:
    host, _, port = url.removeprefix("smtp://").partition(":")
    smtp = SMTP(hostname=host, port=int(port))
    gc.collect()
    wall, cpu = perf_counter(), process_time()
    await smtp.connect()
    for recipient, message in mails:
        await smtp.mail(FROM)
        await smtp.rcpt(recipient)
        await smtp.data(message)
    await smtp.quit()
    return Cost((perf_counter() - wall) * 1000 / len(mails), (process_time() - cpu) * 1000 / len(mails))


async def measure(readers: int) -> tuple[list[Cost], list[Cost]]:
    """The pipeline's costs and the yardstick's, side by side."""
    ours, theirs = [], []
    async with relay() as url:
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                cost, mails = await by_pipeline(url, Path(folder), readers)
            ours.append(cost)
            theirs.append(await by_ready_bytes(url, mails))
    return ours, theirs


def main() -> None:
    ratios = {}
    print(
        f"{MAILS} mails about sessions of {SITES} sites: ms a mail, wall and CPU of this process; medians of {ROUNDS}"
    )
    print("readers a site   pipeline       ready bytes    ratio")
    for readers in (1, 4):
        ours, theirs = asyncio.run(measure(readers))
        ratios[readers] = median(their.wall / our.wall for our, their in zip(ours, theirs, strict=True))
        costs = "".join(
            f"   {median(cost.wall for cost in costs):5.2f}  {median(cost.cpu for cost in costs):5.2f}"
            for costs in (ours, theirs)
        )
        print(f"{readers:14}{costs}   {ratios[readers]:5.2f}")
    assert min(ratios.values()) >= RATIO, f"at least {RATIO} of the mails a second, not {ratios}"


if __name__ == "__main__":
    main()
