"""The databases of the tests: real ones, both engines, a fresh migrated one for each test.

Migrations run once an engine and test run; each test then gets a copy of the result.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import settings

from perinat_sched.storage.database import Database
from tests.postgres import create_database, drop_database, running_postgres

# No test is timed: a busy machine is not a failure.
settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
_names = (f"perinat_{os.getpid()}_{number}" for number in count())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lasts as long as the test run."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a migrated, empty SQLite file to copy."""
    url = f"sqlite:///{tmp_path_factory.mktemp('template')}/template.db"
    asyncio.run(_migrate(url))
    return url


@pytest.fixture(scope="session")
def postgresql_template(postgres: str) -> Iterator[str]:
    """The address of a migrated, empty PostgreSQL database to copy."""
    name = next(_names)
    url = create_database(postgres, name)
    asyncio.run(_migrate(url))
    yield url
    drop_database(postgres, name)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite` and `postgresql`, one after the other."""
    return str(request.param)


@pytest.fixture
def template(engine: str, request: pytest.FixtureRequest) -> str:
    """The address of what `database_url` copies; made at the first use, so a test of SQLite starts no server."""
    return str(request.getfixturevalue(f"{engine}_template"))


@pytest.fixture
async def database_url(engine: str, template: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a fresh database: migrated, empty, of nobody else."""
    if engine == "sqlite":
        shutil.copyfile(template.removeprefix("sqlite:///"), tmp_path / "perinat.db")
        yield f"sqlite:///{tmp_path}/perinat.db"
    else:
        async with postgres_copy(template) as url:
            yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, open."""
    async with opened(database_url) as database:
        yield database


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """The database at `url` while this lasts."""
    database = await Database.open(url)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def postgres_copy(template: str) -> AsyncIterator[str]:
    """A copy of a PostgreSQL database that nobody uses, while this lasts; its URL."""
    parts = urlsplit(template)
    name = next(_names)
    connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
    try:
        # Files copied whole: five times faster than page by page, and the only way before PostgreSQL 15
        how = "STRATEGY FILE_COPY" if connection.get_server_version().major >= 15 else ""
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{parts.path[1:]}" {how}')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def _migrate(url: str) -> None:
    async with opened(url) as database:
        await database.migrate()
