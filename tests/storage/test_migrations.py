"""Migrations go up, down and up again, and end equal to tables.py.

When the comparison fails: add to a new revision what tables.py says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from perinat_sched.errors import DatabaseTooNew, MissingGuards
from perinat_sched.storage import guards, migrations
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import meta, metadata
from tests.conftest import opened, postgres_copy

# Everything that makes a schema, as lines; the version table and the guards apart
SCHEMA = {
    "sqlite": [
        "SELECT printf('%s %s %s %s %s %s', m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk)"
        " FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND m.name <> 'alembic_version'",
        'SELECT printf(\'%s %s %s %s\', m.name, k."from", k."table", k."to")'
        " FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS k",
        "SELECT printf('%s %s %s %s %s', m.name, i.\"unique\", i.origin, c.seqno, c.name)"
        " FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS c"
        " WHERE m.name <> 'alembic_version'",
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    ],
    "postgresql": [
        "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable,"
        " column_default, is_identity) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        " AND indexname NOT LIKE 'guard%'",
        "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'guard%'"
        " AND conname NOT LIKE 'alembic%'",
    ],
}


@pytest.fixture
def server(engine: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres")) if engine == "postgresql" else ""


@pytest.fixture
async def empty_urls(engine: str, server: str, tmp_path: Path) -> AsyncIterator[list[str]]:
    """The addresses of two databases with nothing in them."""
    if engine == "sqlite":
        yield [f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"]
        return
    async with AsyncExitStack() as stack:
        empty = server.rpartition("/")[0] + "/template0"
        yield [await stack.enter_async_context(postgres_copy(empty)) for _ in range(2)]


@pytest.fixture
async def empty(empty_urls: list[str]) -> AsyncIterator[Database]:
    async with opened(empty_urls[0]) as database:
        yield database


async def schema(database: Database) -> set[str]:
    """What makes the schema; the order of a table's columns and constraints does not matter."""
    async with database.read() as tx:
        lines = [line for query in SCHEMA[database.dialect] for line in (await tx.exec_driver_sql(query)).scalars()]
    return {" | ".join(sorted(parts(" ".join(line.split())))) for line in lines}


def parts(line: str) -> list[str]:
    """What stands before the outermost parentheses, and between their commas: an added column is the last."""
    head, _, inside = line.partition("(")
    pieces = re.split(r",(?![^()]*\))", inside.removesuffix(")"))
    return [piece.strip() for piece in (head, *pieces)]


def differences(connection: Connection) -> list[object]:
    def ours(item: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        return name not in guards.NAMES["postgresql"]  # an exclusion constraint shows as an index

    options = {"target_metadata": metadata, "compare_server_default": True, "include_object": ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def test_up_down_and_up_again_ends_equal_to_tables_py(empty: Database, empty_urls: list[str]) -> None:
    async with opened(empty_urls[1]) as wanted:
        await wanted.write(lambda tx: tx.run_sync(metadata.create_all))
        everything = await schema(wanted)

    for _ in range(2):
        await empty.migrate()
        async with empty.read() as tx:
            assert await tx.run_sync(differences) == []
        assert await schema(empty) == everything
        await empty.check_guards()
        await empty.write(lambda tx: tx.run_sync(migrations.downgrade, "base"))
        assert await schema(empty) == set()
    await empty.migrate()
    assert await schema(empty) == everything


async def test_migrating_again_changes_nothing(database: Database) -> None:
    await database.write(lambda tx: tx.execute(insert(meta).values(key="a", value="b")))
    before = await schema(database)
    await database.migrate()
    assert await schema(database) == before
    async with database.read() as tx:
        assert await tx.scalar(text("SELECT value FROM meta")) == "b"


async def test_a_database_of_an_earlier_version_is_known_as_such(database: Database) -> None:
    assert await database.is_current() is True
    await database.write(lambda tx: tx.run_sync(migrations.downgrade, "0001"))
    assert await database.is_current() is False
    await database.migrate()
    assert await database.is_current() is True


async def test_nodes_that_start_at_once_on_an_empty_database_all_succeed(empty_urls: list[str]) -> None:
    async def start() -> None:
        async with opened(empty_urls[0]) as database:
            await database.migrate()
            await database.check_guards()

    await asyncio.gather(*[start() for _ in range(4)])


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    await database.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    before = await schema(database)
    with pytest.raises(DatabaseTooNew):
        await database.migrate()
    assert await schema(database) == before


async def test_a_migration_that_fails_half_way_leaves_nothing(empty: Database) -> None:
    async def in_the_way(tx: Tx) -> None:
        await tx.execute(text("CREATE TABLE tokens (id INTEGER)"))

    await empty.write(in_the_way)
    before = await schema(empty)
    with pytest.raises(Exception, match="tokens"):
        await empty.migrate()
    assert await schema(empty) == before


async def test_an_empty_database_has_no_guards(empty: Database) -> None:
    await empty.write(lambda tx: tx.run_sync(metadata.create_all))
    with pytest.raises(MissingGuards) as caught:
        await empty.check_guards()
    assert caught.value.message.values["guards"] == ", ".join(guards.NAMES[empty.dialect])
