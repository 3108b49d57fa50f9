"""Transactions: nothing half done, nothing seen half-way, and a clear word when the database is away."""

from __future__ import annotations

import asyncio
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from perinat_sched.errors import PerinatError, Unavailable
from perinat_sched.sites.network import Bridge, Defaults, Directory, Room
from perinat_sched.storage.database import ATTEMPTS, Database, Tx
from perinat_sched.storage.engines import READERS, Address, has_wal_reset_bug
from perinat_sched.storage.tables import idempotency, meta, participations, resources, sessions
from tests.conftest import opened
from tests.storage.holding import BRIDGE, ROOM, add_places, filled, hold

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize(
    "engine", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


async def put(tx: Tx, key: str, value: str = "") -> None:
    await tx.execute(insert(meta).values(key=key, value=value))


async def keys(database: Database) -> set[str]:
    async with database.read() as tx:
        return set((await tx.execute(select(meta.c.key))).scalars())


class Stop(Exception):
    """Something in the middle of a transaction goes wrong."""


async def test_a_write_is_committed_and_returns_what_its_work_returns(database: Database) -> None:
    async def work(tx: Tx) -> int:
        await put(tx, "a")
        return 7

    assert await database.write(work) == 7
    assert await keys(database) == {"a"}


async def test_a_write_that_fails_leaves_everything_as_it_was(database: Database) -> None:
    async def work(tx: Tx) -> None:
        await put(tx, "a")
        raise Stop

    with pytest.raises(Stop):
        await database.write(work)
    assert await keys(database) == set()


async def test_a_snapshot_does_not_move_while_others_write(database: Database) -> None:
    async with database.read() as tx:
        before = (await tx.execute(select(func.count()).select_from(meta))).scalar()
        await database.write(lambda other: put(other, "a"))
        after = (await tx.execute(select(func.count()).select_from(meta))).scalar()
    assert (before, after) == (0, 0)
    assert await keys(database) == {"a"}


async def test_nothing_can_be_written_through_a_snapshot(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.read() as tx:
            await put(tx, "a")
    assert await keys(database) == set()


async def test_foreign_keys_are_checked(database: Database) -> None:
    row = filled(participations, session_id="nobody's", site="lille")
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: tx.execute(insert(participations).values(row)))


async def test_a_caller_that_goes_away_does_not_cut_its_transaction(database: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(tx: Tx) -> None:
        await put(tx, "first half")
        begun.set()
        await go_on.wait()
        await put(tx, "second half")

    caller = asyncio.create_task(database.write(work))
    await begun.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0.01)
    assert not caller.done()  # it waits for its transaction
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await keys(database) == {"first half", "second half"}


async def test_a_caller_that_goes_away_from_a_write_that_fails_is_still_only_cancelled(database: Database) -> None:
    begun = asyncio.Event()

    async def work(tx: Tx) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        raise Stop

    caller = asyncio.create_task(database.write(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_readers_that_go_away_leave_no_connection_behind(database: Database) -> None:
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(10)",
    }[database.dialect]

    async def read() -> None:
        async with database.read() as tx:
            await tx.execute(text(slow))

    readers = [asyncio.create_task(read()) for _ in range(READERS + 3)]
    await asyncio.sleep(0.05)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    assert await asyncio.gather(*[keys(database) for _ in range(READERS + 1)]) == [set()] * (READERS + 1)


@only_sqlite
async def test_writers_come_in_the_order_in_which_they_asked(database: Database) -> None:
    order: list[int] = []

    async def writer(number: int) -> None:
        async def work(tx: Tx) -> None:
            await put(tx, str(number))
            order.append(number)

        await database.write(work)

    await asyncio.gather(*[writer(number) for number in range(20)])
    assert order == list(range(20))


async def test_statements_are_counted_without_what_surrounds_them(database: Database) -> None:
    with database.counting() as counted:
        await database.write(lambda tx: put(tx, "a"))
        await keys(database)
    await keys(database)
    assert counted.total == 2
    assert counted.statements[0].startswith("INSERT INTO meta")


async def test_ready_is_true_while_the_tables_can_be_read(database: Database) -> None:
    assert await database.ready()
    await database.write(lambda tx: tx.execute(text("ALTER TABLE meta RENAME TO gone")))
    with pytest.raises(DBAPIError):
        await database.ready()


# Contention (PostgreSQL: SQLite lets one writer through at a time)


@only_postgres
async def test_two_writers_that_lock_crosswise_both_succeed(database: Database) -> None:
    await add_places(database)
    both = asyncio.Barrier(2)
    attempts: list[int] = []

    async def work(tx: Tx, first: int, second: int) -> None:
        attempts.append(first)
        await tx.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
        await hold(tx, first, 10, 11)
        if len(attempts) <= 2:
            await both.wait()
        await hold(tx, second, 12, 13)

    await asyncio.gather(
        database.write(lambda tx: work(tx, ROOM, BRIDGE)),
        database.write(lambda tx: work(tx, BRIDGE, ROOM)),
        return_exceptions=True,
    )
    assert len(attempts) == 3


@only_postgres
async def test_a_writer_that_waits_too_long_for_a_lock_tries_again(database: Database) -> None:
    await add_places(database)
    locked, go_on = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []

    async def first(tx: Tx) -> None:
        await database.lock(tx, [ROOM])
        locked.set()
        await go_on.wait()

    async def second(tx: Tx) -> None:
        attempts.append(1)
        await tx.execute(text("SET LOCAL lock_timeout = '30ms'"))
        if len(attempts) == 3:
            go_on.set()
            await asyncio.sleep(0.1)
        await database.lock(tx, [BRIDGE, ROOM])

    holder = asyncio.create_task(database.write(first))
    await locked.wait()
    await database.write(second)
    go_on.set()
    await holder
    assert len(attempts) == 3


@only_postgres
async def test_a_writer_that_never_gets_the_lock_gives_up_and_says_so(database: Database) -> None:
    await add_places(database)
    locked, go_on = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []

    async def first(tx: Tx) -> None:
        await database.lock(tx, [ROOM])
        locked.set()
        await go_on.wait()

    async def second(tx: Tx) -> None:
        attempts.append(1)
        await tx.execute(text("SET LOCAL lock_timeout = '10ms'"))
        await database.lock(tx, [ROOM])

    holder = asyncio.create_task(database.write(first))
    await locked.wait()
    with pytest.raises(Unavailable) as caught:
        await database.write(second)
    go_on.set()
    await holder
    assert (len(attempts), caught.value.retry_after) == (ATTEMPTS, 5)


@only_postgres
async def test_a_lock_waits_three_seconds_at_most(database: Database) -> None:
    settings = await database.write(lambda tx: tx.scalar(text("SHOW lock_timeout")))
    assert settings == "3s"


@only_postgres
async def test_the_same_idempotency_key_twice_at_once_is_one_row_seen_by_both(database: Database) -> None:
    both = asyncio.Barrier(2)
    attempts: list[str] = []

    async def work(tx: Tx) -> str:
        attempts.append("")
        if (await tx.execute(select(idempotency.c.key))).first():
            return "replayed"
        if len(attempts) <= 2:
            await both.wait()
        await tx.execute(insert(idempotency).values(filled(idempotency, token="t", route="r", key="k")))
        return "done"

    assert sorted(await asyncio.gather(database.write(work), database.write(work))) == ["done", "replayed"]


async def test_any_other_row_that_is_there_already_is_a_fault_and_not_repeated(database: Database) -> None:
    await database.write(lambda tx: put(tx, "a"))
    with database.counting() as counted, pytest.raises(IntegrityError):
        await database.write(lambda tx: put(tx, "a"))
    assert counted.total == 1


async def test_an_error_never_shows_what_somebody_typed(database: Database) -> None:
    row = filled(sessions, id="s", title="Mme Canary") | {"network": None}
    with pytest.raises(IntegrityError) as caught:  # PostgreSQL would say: failing row contains (…, Mme Canary, …)
        await database.write(lambda tx: tx.execute(insert(sessions).values(row)))
    assert "Canary" not in "".join(traceback.format_exception(caught.value))


# Away


@only_sqlite
async def test_a_full_disk_is_said_and_nothing_is_lost(database: Database) -> None:
    await database.write(lambda tx: put(tx, "before"))
    pages = await database.write(lambda tx: tx.scalar(text("PRAGMA page_count")))
    await database.write(lambda tx: tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(Unavailable, match="full"):
        await database.write(lambda tx: put(tx, "too much", "x" * 100_000))
    assert await keys(database) == {"before"}
    await database.write(lambda tx: tx.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await database.write(lambda tx: put(tx, "after", "x" * 100_000))
    assert await keys(database) == {"before", "after"}


@only_sqlite
async def test_a_read_only_file_is_unavailable_to_writers_only(database: Database) -> None:
    await database.write(lambda tx: tx.exec_driver_sql("PRAGMA query_only = ON"))
    with pytest.raises(Unavailable):
        await database.write(lambda tx: put(tx, "a"))
    assert await keys(database) == set()


@only_sqlite
async def test_another_process_that_writes_too_long_makes_it_unavailable(database: Database) -> None:
    await database.write(lambda tx: tx.exec_driver_sql("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(str(database.address.file), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await database.write(lambda tx: put(tx, "a"))
        assert await database.ready()
        other.execute("ROLLBACK")
    await database.write(lambda tx: put(tx, "a"))


@only_sqlite
async def test_the_file_keeps_what_was_promised(database: Database) -> None:
    async def settings(tx: Tx) -> list[object]:
        return [await tx.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert await database.write(settings) == ["wal", 2, 1]


async def open_anyhow(url: str) -> str:
    """What is said when a database cannot be opened."""
    with pytest.raises(PerinatError) as caught:
        async with opened(url):
            pass
    message = caught.value.message
    return message.text.format(**message.values)


async def test_a_new_file_is_made_with_its_folder_for_its_owner_only(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/var/data/p.db") as database:
        await database.migrate()
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "var/data").iterdir()}
    assert modes == {"p.db": 0o600, "p.db-wal": 0o600, "p.db-shm": 0o600}


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database" * 100)
    assert await open_anyhow(f"sqlite:///{tmp_path}/notes.txt") == (
        f"The database {tmp_path}/notes.txt cannot be used: file is not a database."
    )


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = await open_anyhow(f"sqlite:///{tmp_path}/file/p.db")
    assert said == f"The database {tmp_path}/file/p.db cannot be used: File exists: {tmp_path}/file."


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert await open_anyhow(f"sqlite:///{tmp_path}") == (
        f"The database {tmp_path} cannot be used: unable to open database file."
    )


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "var/p.db"])
async def test_other_addresses_are_refused(url: str) -> None:
    assert "sqlite:///" in await open_anyhow(url)


def test_a_relative_address_is_below_the_working_directory() -> None:
    assert Address.of("sqlite:///var/p.db").file == Path.cwd() / "var/p.db"
    assert Address.of("sqlite:////var/p.db").file == Path("/var/p.db")


VERSIONS: dict[tuple[int, ...], bool] = {
    (3, 6, 23): False,
    (3, 7, 0): True,
    (3, 40, 1): True,
    (3, 51, 2): True,
    (3, 51, 3): False,
}


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_of_sqlite_that_can_damage_a_file_are_known(version: tuple[int, ...]) -> None:
    assert has_wal_reset_bug(version) is VERSIONS[version]


@only_sqlite
async def test_the_version_of_sqlite_is_logged(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "perinat_sched")
    async with opened(database_url):
        pass
    [record] = [record for record in caplog.records if getattr(record, "action", "") == "sqlite_version"]
    assert sqlite3.sqlite_version in record.getMessage()
    assert (record.levelname == "WARNING") is has_wal_reset_bug(sqlite3.sqlite_version_info)


# Rooms and bridges of the configuration


def directory(rooms: list[str], bridges: dict[str, int]) -> Directory:
    return Directory(
        networks={},
        bridges={code: Bridge(code=code, name=code, ports=ports, networks=()) for code, ports in bridges.items()},
        kinds={},
        sites={},
        rooms={code: Room(code=code, site="lille", name=code) for code in rooms},
        defaults=Defaults(),
    )


async def capacities(database: Database) -> dict[str, int]:
    async with database.read() as tx:
        return {row.code: row.capacity for row in await tx.execute(select(resources))}


async def test_rooms_and_bridges_follow_the_configuration_and_keep_their_ids(database: Database) -> None:
    await database.sync_resources(directory(["lille-1", "calais-1"], {"mcu": 12}))
    before = dict(database.resources)
    await database.sync_resources(directory(["arras-1", "lille-1"], {"mcu": 4, "lille-1": 3}))
    assert database.resources == before | {("room", "arras-1"): 4, ("bridge", "lille-1"): 5}
    assert sorted((await capacities(database)).items()) == [
        ("arras-1", 1), ("calais-1", 1), ("lille-1", 3), ("mcu", 4),
    ]  # fmt: skip


async def test_a_bridge_shrinks_although_more_of_its_ports_are_held(database: Database) -> None:
    await database.sync_resources(directory([], {"mcu": 12}))
    place = database.resources["bridge", "mcu"]
    await database.write(lambda tx: hold(tx, place, 10, 11, units=12, exclusive=False))
    await database.sync_resources(directory([], {"mcu": 4}))
    assert await capacities(database) == {"mcu": 4}


async def test_nodes_that_start_together_agree_on_the_ids(database: Database) -> None:
    everything = directory([f"room-{n}" for n in range(20)], {"mcu": 12})
    async with opened(database.address.url) as second, opened(database.address.url) as third:
        nodes = [database, second, third]
        await asyncio.gather(*[node.sync_resources(everything) for node in nodes])
        assert dict(database.resources) == dict(second.resources) == dict(third.resources)
    assert sorted(database.resources.values()) == list(range(1, 22))


async def test_what_another_node_added_is_known_after_a_refresh(database: Database) -> None:
    async with opened(database.address.url) as other:
        await other.sync_resources(directory(["lille-1"], {}))
        assert database.resources == {}
        await database.refresh_resources()
        assert database.resources == other.resources == {("room", "lille-1"): 1}


@only_sqlite
async def test_a_statement_is_one_visit_to_sqlites_thread_and_its_transaction_two_ways_less(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BEGIN goes along with the first statement, rows come back with theirs, and what never began needs no end."""
    visits: list[str] = []
    go = aiosqlite.Connection._execute

    async def counted(connection: aiosqlite.Connection, work: Any, *rest: Any) -> Any:
        visits.append(getattr(work, "__name__", ""))
        return await go(connection, work, *rest)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with database.read() as tx:
        for _ in range(3):
            assert (await tx.execute(text("SELECT 1 UNION SELECT 2"))).all() == [(1,), (2,)]
    assert visits == ["asked"] * 3 + ["rollback"]
    visits.clear()
    await database.write(lambda tx: tx.execute(insert(meta), [{"key": key, "value": ""} for key in "ab"]))
    assert visits == ["asked", "commit"]
    visits.clear()
    async with database.read():
        pass
    assert visits == []
