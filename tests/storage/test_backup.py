"""A copy while the service writes, and the way back."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from perinat_sched.errors import BackupError, DatabaseLocked, DatabaseTooNew, PerinatError
from perinat_sched.storage.backup import backup, restore
from perinat_sched.storage.database import Database
from perinat_sched.storage.lock import exclusive
from perinat_sched.storage.tables import holds, sessions
from tests.conftest import opened
from tests.storage.holding import BRIDGE, ROOM, add_places, count, hold, write_hold

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def copy(database: Database, target: Path) -> Path:
    await asyncio.to_thread(backup, database.address.url, target)
    return target


def files(folder: Path) -> set[Path]:
    return set(folder.iterdir())


def said(error: PerinatError) -> str:
    return error.message.text.format(**error.message.values)


async def test_a_copy_made_under_writes_has_all_that_was_acknowledged_and_nothing_half(
    database: Database, tmp_path: Path
) -> None:
    await add_places(database)
    acknowledged: set[str] = set()
    stop = asyncio.Event()

    async def writer(lane: int) -> None:
        start = 0.0
        while not stop.is_set():
            acknowledged.add(await write_hold(database, BRIDGE, start, start + 0.25))
            start += 0.25

    writers = [asyncio.create_task(writer(lane)) for lane in range(5)]
    copies = []
    for number in range(3):
        await asyncio.sleep(0.1)
        before = set(acknowledged)
        copies.append((before, await copy(database, tmp_path / f"{number}.db")))
    stop.set()
    await asyncio.gather(*writers)

    for before, file in copies:
        async with opened(f"sqlite:///{file}") as restored:
            await restored.check_guards()
            async with restored.read() as tx:
                found = set((await tx.execute(select(sessions.c.id))).scalars())
                held = set((await tx.execute(select(holds.c.session_id))).scalars())
                assert await tx.scalar(text("PRAGMA integrity_check")) == "ok"
            assert before <= found == held
    assert 0 < len(copies[0][0]) < len(acknowledged)


async def test_a_copy_is_for_its_owner_only_and_alone_in_its_folder(database: Database, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    file = await copy(database, tmp_path / "copies" / "monday.db")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in file.parent.iterdir()] == ["monday.db"]


async def test_a_copy_never_replaces_a_file(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "monday.db"
    target.write_text("precious")
    with pytest.raises(BackupError, match="exists already"):
        await copy(database, target)
    assert target.read_text() == "precious"


async def test_a_copy_into_a_folder_that_is_not_there_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BackupError) as caught:
        await copy(database, tmp_path / "nowhere" / "monday.db")
    assert said(caught.value) == f"{tmp_path}/nowhere/monday.db cannot be written: No such file or directory."


def test_a_copy_that_fails_leaves_no_file(tmp_path: Path, engine: str) -> None:
    (tmp_path / "p.db").write_text("not a database" * 100)
    with pytest.raises(BackupError, match="The copy failed"):
        backup(f"sqlite:///{tmp_path}/p.db", tmp_path / "copy.db")
    assert [file.name for file in tmp_path.iterdir()] == ["p.db"]


def test_there_is_nothing_to_copy_before_the_first_start(tmp_path: Path, engine: str) -> None:
    with pytest.raises(BackupError, match="no database"):
        backup(f"sqlite:///{tmp_path}/p.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "tool"), [(backup, "pg_dump"), (restore, "pg_restore")])
def test_postgresql_has_its_own_tools(command: object, tool: str, tmp_path: Path, engine: str) -> None:
    assert callable(command)
    with pytest.raises(BackupError) as caught:
        command("postgresql://user:secret@db.example/perinat", tmp_path / "copy")
    assert tool in said(caught.value)
    assert "secret" not in said(caught.value)


async def test_going_back_takes_away_what_came_after_and_keeps_it_beside(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url) as database:
        await add_places(database)
        await write_hold(database, ROOM, 10, 11)
        source = await copy(database, tmp_path / "monday.db")
        await write_hold(database, ROOM, 12, 13)

    kept = await asyncio.to_thread(restore, database_url, source)

    assert kept is not None
    for url, expected in [(database_url, 1), (f"sqlite:///{kept}", 2)]:
        async with opened(url) as database:
            await database.migrate()
            await database.check_guards()
            assert await count(database, holds) == expected
    assert (tmp_path / "perinat.db").stat().st_mode & 0o777 == 0o600
    assert source.exists()


async def test_what_is_only_in_the_write_ahead_log_of_a_killed_service_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    async with opened(database_url) as database:
        await add_places(database)
        source = await copy(database, tmp_path / "monday.db")
        await write_hold(database, ROOM, 10, 11)
        wal = (tmp_path / "perinat.db-wal").read_bytes()
    (tmp_path / "perinat.db-wal").write_bytes(wal)  # as kill -9 leaves it
    assert len(wal) > 0

    kept = restore(database_url, source)

    async with opened(f"sqlite:///{kept}") as before, opened(database_url) as now:
        assert (await count(before, holds), await count(now, holds)) == (1, 0)


async def test_a_broken_database_can_be_put_back_and_is_kept_with_its_log(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url) as database:
        source = await copy(database, tmp_path / "monday.db")
    (tmp_path / "perinat.db").write_bytes(b"broken" * 1000)
    (tmp_path / "perinat.db-wal").write_bytes(b"log")
    kept = restore(database_url, source)
    assert kept is not None
    assert kept.read_bytes() == b"broken" * 1000
    assert kept.with_name(f"{kept.name}-wal") in files(tmp_path)
    async with opened(database_url) as database:
        assert await database.ready()


async def test_going_back_works_where_there_is_no_database_yet(database: Database, tmp_path: Path) -> None:
    source = await copy(database, tmp_path / "monday.db")
    url = f"sqlite:///{tmp_path}/new/p.db"
    assert restore(url, source) is None
    async with opened(url) as restored:
        await restored.check_guards()


async def test_going_back_is_refused_while_a_service_runs(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url) as database:
        source = await copy(database, tmp_path / "monday.db")
    with exclusive(database_url), pytest.raises(DatabaseLocked):
        restore(database_url, source)


def broken(source: Path) -> None:
    with source.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))


def newer(source: Path) -> None:
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")


def foreign(source: Path) -> None:
    source.unlink()
    with closing(sqlite3.connect(source)) as database, database:
        database.execute("CREATE TABLE somebody_elses (id)")


def text_file(source: Path) -> None:
    source.write_text("Dear colleagues,\n" * 500)


SOURCES: dict[str, tuple[Callable[[Path], object], type[PerinatError], str]] = {
    "damaged": (broken, BackupError, "is not a sound database"),
    "of a newer version": (newer, DatabaseTooNew, "newer version"),
    "of another program": (foreign, BackupError, "not a copy of this service's database"),
    "a text": (text_file, BackupError, "is not a sound database"),
    "empty": (lambda source: source.write_bytes(b""), BackupError, "not a copy of this service's database"),
    "not there": (Path.unlink, BackupError, "There is no file"),
}


@pytest.mark.parametrize("case", SOURCES)
async def test_only_a_sound_copy_is_put_back(database_url: str, tmp_path: Path, case: str) -> None:
    spoil, error, reason = SOURCES[case]
    async with opened(database_url) as database:
        await add_places(database)
        source = await copy(database, tmp_path / "monday.db")
    spoil(source)
    before = files(tmp_path)

    with pytest.raises(error, match=reason):
        restore(database_url, source)

    assert files(tmp_path) - {tmp_path / "perinat.db.lock"} == before
    async with opened(database_url) as database, database.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(holds)) == 0
        await database.write(lambda tx: hold(tx, ROOM, 10, 11))
