"""How each engine is spoken to: a pool of connections that write, one that read, and a connection that watches.

SQLite has one writer, which takes the file's write lock when it begins (BEGIN IMMEDIATE): a transaction that checks
and then inserts sees no other in between, which sqlite3's own deferred BEGIN does not give. PostgreSQL writes in READ
COMMITTED, because a statement after a lock must see what the lock waited for. Readers see one consistent snapshot and
cannot write.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from perinat_sched.errors import Unavailable
from perinat_sched.i18n import Message
from perinat_sched.storage import failures, visits

logger = logging.getLogger(__name__)

Dialect = Literal["sqlite", "postgresql"]

BUSY_SECONDS = 30  # how long SQLite waits for another process's short write
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60  # no statement of ours takes longer: the network is gone
READERS = 4
PG_WRITERS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a database is: a file, or a server."""

    url: str
    dialect: Dialect
    file: Path | None  # of SQLite, absolute
    name: str  # as it may be shown: without user and password

    @classmethod
    def of(cls, url: str) -> Address:
        """`sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`; raises Unavailable on anything else."""
        scheme = url.partition(":")[0]
        if scheme == "postgresql":
            parts = urlsplit(url)
            name = f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
            return cls(url=url, dialect="postgresql", file=None, name=name)
        with suppress(ArgumentError):
            if scheme == "sqlite" and (database := make_url(url).database) and database != ":memory:":
                file = Path(database).resolve()
                return cls(url=url, dialect="sqlite", file=file, name=str(file))
        raise Unavailable(
            Message(
                "A database address is sqlite:/// and a file, or begins with postgresql://; this one is {scheme}:…",
                scheme=scheme,
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Engines:
    """The pools of a database, and how many connections the first two may have."""

    writer: AsyncEngine
    reader: AsyncEngine
    watcher: AsyncEngine  # one connection that reads: looking for changes never waits for a turn
    writers: int
    readers: int


def build(address: Address) -> Engines:
    """The pools of a database; nothing is connected yet. SQLite: makes the file and its folder when missing."""
    engines = _postgresql(address.url) if address.file is None else _sqlite(address.file)
    for engine in (engines.writer, engines.reader, engines.watcher):
        failures.translate(engine)
    return engines


def _sqlite(file: Path) -> Engines:
    _prepare(file)
    _report_version()
    writer = _sqlite_engine(file, 1, ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"), "IMMEDIATE")
    reader, watcher = (_sqlite_engine(file, size, ("query_only = ON",), "DEFERRED") for size in (READERS, 1))
    return Engines(writer=writer, reader=reader, watcher=watcher, writers=1, readers=READERS)


def _sqlite_engine(file: Path, size: int, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            file,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # the driver begins nothing itself
            check_same_thread=False,  # one after the other, says `visits`
        )
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def connected() -> Any:
        return await visits.Connection(connect)

    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        async_creator=connected,
        pool_size=size,
        max_overflow=0,
        hide_parameters=True,  # what people typed never stands in an error, so never in a log
    )

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.connection.driver_connection.begin(f"BEGIN {begin}")

    return engine


def _prepare(file: Path) -> None:
    """Make the file when missing, and open it once: aiosqlite leaves a thread behind where it cannot open it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # contacts' addresses are in it; SQLite gives -wal and -shm the same mode
        sqlite3.connect(file).close()
    except (OSError, sqlite3.Error) as error:
        raise failures.unreachable(str(file), error) from error


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether two connections that write and checkpoint at one instant can damage the file."""
    return (3, 7, 0) <= version <= (3, 51, 2)


def _report_version() -> None:
    version = sqlite3.sqlite_version
    extra = {"action": "sqlite_version", "version": version}
    if has_wal_reset_bug(sqlite3.sqlite_version_info):
        logger.warning(
            "SQLite %s can damage a database that two processes write at one instant: 3.51.3 and later cannot. "
            "Run one service only on this file.",
            version,
            extra=extra,
        )
    else:
        logger.info("SQLite %s", version, extra=extra)


def _postgresql(url: str) -> Engines:
    writer = _postgresql_engine(url, PG_WRITERS, {"default_transaction_isolation": "read committed"})
    only_reads = {"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"}
    reader, watcher = (_postgresql_engine(url, size, only_reads) for size in (READERS, 1))
    return Engines(writer=writer, reader=reader, watcher=watcher, writers=PG_WRITERS, readers=READERS)


def _postgresql_engine(url: str, size: int, server_settings: dict[str, str]) -> AsyncEngine:
    settings = {"application_name": "perinat-sched", "lock_timeout": "3s", "jit": "off", **server_settings}

    async def connect() -> Any:  # asyncpg reads the address itself: sslmode, sockets and several hosts work
        return await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=ANSWER_SECONDS, server_settings=settings
        )

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, pool_size=size, max_overflow=0, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def on_checkout(connection: Any, record: object, proxy: object) -> None:
        # The driver has heard the server leave; asking it anew (pool_pre_ping) would be three more round trips.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine
