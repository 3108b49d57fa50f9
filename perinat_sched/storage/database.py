"""The database: transactions that write, snapshots that read, and what must hold before the service starts.

A write is short, carries its own check and is never cut half-way: a client that goes away does not cancel it. Where
two writes meet, PostgreSQL gives one up and it is done again here; SQLite lets one through at a time, in the order in
which they came. No network call and no mail ever happens inside a write.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from perinat_sched.errors import MissingGuards, Unavailable
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory
from perinat_sched.storage import changes, engines, failures, guards, migrations
from perinat_sched.storage.changes import Changes
from perinat_sched.storage.engines import Address, Engines
from perinat_sched.storage.failures import Contended
from perinat_sched.storage.tables import meta, resources

Tx = AsyncConnection
T = TypeVar("T")

ATTEMPTS = 6  # of one write, when another stands in its way
FIRST_PAUSE = 0.01  # seconds, doubled at each attempt, of which a random part is waited
TURN_SECONDS = 30  # a caller waits no longer for a connection
READY_SECONDS = 2
START_LOCK = 5_265_781  # one node at a time changes the schema, the resources or what moved with the ground
CHANGED = "changed"  # marks a connection whose transaction has changed what is counted


@dataclass(slots=True)
class Count:
    """The statements that were sent, BEGIN, PRAGMA and SET apart."""

    statements: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.statements)


class Database:
    """One database, SQLite or PostgreSQL, within one event loop."""

    def __init__(self, address: Address, pair: Engines) -> None:
        self.address = address
        self.dialect = address.dialect
        self._engines = pair
        self._writers = asyncio.Semaphore(pair.writers)  # fair, unlike the pool's own queue
        self._readers = asyncio.Semaphore(pair.readers)
        self._resources: Mapping[tuple[str, str], int] = MappingProxyType({})
        self.changes = Changes()

        @event.listens_for(pair.writer.sync_engine, "before_cursor_execute")
        def sent(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
            if changes.writes(statement):
                connection.info[CHANGED] = True

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect. Raises Unavailable, naming the database and the reason, when it cannot be reached."""
        address = Address.of(url)
        database = cls(address, engines.build(address))
        try:
            for engine in (database._engines.writer, database._engines.reader):  # the writer sets SQLite's WAL mode
                async with _connected(engine) as tx:
                    await tx.execute(text("SELECT 1"))
        except BaseException as error:
            await database.close()
            if isinstance(error, Unavailable):
                raise failures.unreachable(address.name, error.__cause__) from error
            raise
        return database

    async def close(self) -> None:
        """Close every connection. What is being written should be finished before."""
        for engine in (self._engines.watcher, self._engines.reader, self._engines.writer):
            await engine.dispose()

    # Transactions

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Do `work` in one transaction that writes, and commit it.

        `work` may run several times, so it changes nothing but the database. A caller that is cancelled waits until
        the transaction has ended. Raises Unavailable when the database is away, full, or too busy after several
        attempts, and GuardViolation when a guard refuses.
        """
        task = asyncio.ensure_future(self._write(work))
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])  # unlike `await task`, does not cancel it with us
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            if not task.cancelled():
                task.exception()  # seen: nobody is left to hear of it
            raise cancelled
        return task.result()

    async def _write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with _turn(self._writers), _connected(self._engines.writer) as tx:
                    tx.info[CHANGED] = False  # the one before may have been rolled back
                    async with tx.begin():
                        done = await work(tx)
                    if tx.info[CHANGED]:
                        self.changes.note()
                    return done
            except Contended:
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(random.uniform(0, FIRST_PAUSE * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """One consistent snapshot, taken with the first statement; nothing can be written through it."""
        async with _turn(self._readers), _connected(self._engines.reader) as tx:
            yield tx

    async def lock(self, tx: Tx, resource_ids: Iterable[int]) -> None:
        """Hold these rooms and bridges until the transaction ends: who checks them next sees what this one did."""
        if self.dialect == "postgresql" and (ids := sorted(set(resource_ids))):
            await tx.execute(
                select(resources.c.id)
                .where(resources.c.id.in_(ids))
                .order_by(resources.c.id)  # the same order for all: no deadlock
                .with_for_update(key_share=True)
            )

    # What others change

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look for changes while this lasts: what was read may then be used again unasked (see `changes`)."""
        watching = changes.watch(self.changes, lambda: _connected(self._engines.watcher))
        task = asyncio.create_task(watching, name="changes")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    # Before the service starts

    async def migrate(self) -> None:
        """Bring the tables up to this version. Raises DatabaseTooNew. Several nodes may do so at once."""
        await self.write(self._migrate)

    async def _migrate(self, tx: Tx) -> None:
        await self.alone(tx)
        await tx.run_sync(migrations.upgrade)

    async def is_current(self) -> bool:
        """Whether the tables are those of this version."""
        async with self.read() as tx:
            return await tx.run_sync(migrations.is_current)

    async def check_guards(self) -> None:
        """Raises MissingGuards, naming them and the mend."""
        async with self.read() as tx:
            names = await guards.missing(tx)
        if names:
            raise MissingGuards(
                Message(
                    "The database lacks the guards against double booking ({guards}), so the service does not start. "
                    "Restore a backup that has them, or put them back: perinat-sched guards",
                    guards=", ".join(names),
                )
            )

    async def mend_guards(self) -> None:
        """Make every guard anew. Raises MissingGuards when a room is already held twice."""
        await self.write(self._mend_guards)

    async def _mend_guards(self, tx: Tx) -> None:
        await self.alone(tx)
        if rooms := await guards.double_booked(tx):
            raise MissingGuards(
                Message(
                    "The guards cannot be put back while two sessions hold one room at once: {rooms}. "
                    "Restore a backup that was made before.",
                    rooms=", ".join(rooms),
                )
            )
        await guards.create(tx)

    async def sync_resources(self, directory: Directory) -> None:
        """Make the rooms and bridges of the configuration things that can be held.

        Ids stay, capacities follow the configuration, and what is no longer configured stays as long as the database:
        it may still be held. Several nodes may do so at once.
        """
        wanted = {("room", code): 1 for code in directory.rooms}
        wanted |= {("bridge", bridge.code): bridge.ports for bridge in directory.bridges.values()}

        async def work(tx: Tx) -> dict[tuple[str, str], int]:
            await self.alone(tx)
            rows = (await tx.execute(select(resources))).all()
            ids = {(row.kind, row.code): int(row.id) for row in rows}
            capacities = {(row.kind, row.code): row.capacity for row in rows}
            free = max(ids.values(), default=0) + 1
            for place, capacity in wanted.items():
                if place not in ids:
                    ids[place], free = free, free + 1
                    values = {"id": ids[place], "kind": place[0], "code": place[1], "capacity": capacity}
                    await tx.execute(insert(resources).values(values))
                elif capacities[place] != capacity:
                    await tx.execute(update(resources).where(resources.c.id == ids[place]).values(capacity=capacity))
            return ids

        self._resources = MappingProxyType(await self.write(work))

    @property
    def resources(self) -> Mapping[tuple[str, str], int]:
        """The id of each ("room" or "bridge", code), as of the last `sync_resources` or `refresh_resources`."""
        return self._resources

    async def refresh_resources(self) -> None:
        """Read the ids again: another node may have added some."""
        async with self.read() as tx:
            rows = await tx.execute(select(resources.c.kind, resources.c.code, resources.c.id))
            self._resources = MappingProxyType({(row.kind, row.code): row.id for row in rows})

    async def alone(self, tx: Tx) -> None:
        """Wait until no other node does at its start what only one may; SQLite's writer is alone anyhow."""
        if self.dialect == "postgresql":
            await tx.execute(text("SET LOCAL lock_timeout = '60s'"))
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({START_LOCK})"))

    # Asked by others

    async def ready(self) -> bool:
        """Whether the tables can be read at this moment."""
        try:
            async with asyncio.timeout(READY_SECONDS), self.read() as tx:
                await tx.execute(select(meta.c.key).limit(1))
        except (Unavailable, TimeoutError):
            return False
        return True

    @contextmanager
    def counting(self) -> Iterator[Count]:
        """Count the statements sent meanwhile, by anybody: for tests of what an action may cost."""
        count = Count()

        def sent(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA", "SET ")):
                count.statements.append(statement)

        both = [self._engines.writer.sync_engine, self._engines.reader.sync_engine]
        for engine in both:
            event.listen(engine, "before_cursor_execute", sent)
        try:
            yield count
        finally:
            for engine in both:
                event.remove(engine, "before_cursor_execute", sent)


@asynccontextmanager
async def _turn(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise Unavailable from error
    try:
        yield
    finally:
        turns.release()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[Tx]:
    """A connection of a pool; a driver that finds nobody to connect to raises OSError, unseen by SQLAlchemy."""
    try:
        connection = await engine.connect()
    except OSError as error:
        raise Unavailable from error
    try:
        yield connection
    finally:
        await connection.close()
