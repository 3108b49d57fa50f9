"""PostgreSQL that is not there, does not let us in, or goes away and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import insert, select, text

from perinat_sched.errors import Unavailable
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import meta
from tests.conftest import opened
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("postgres-away")]  # its server is started once


async def put(tx: Tx, key: str) -> None:
    await tx.execute(insert(meta).values(key=key, value=""))


async def keys(database: Database) -> set[str]:
    async with database.read() as tx:
        return set((await tx.execute(select(meta.c.key))).scalars())


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server of this module alone, to kill."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def url(own_server: PostgresServer) -> Iterator[str]:
    yield own_server.create_database("away")
    own_server.start()
    own_server.drop_database("away")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with opened(url) as database:
        await database.migrate()
        yield database


async def said_by(url: str) -> str:
    with pytest.raises(Unavailable) as caught:
        async with opened(url):
            pass
    message = caught.value.message
    return message.text.format(**message.values)


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    said = await said_by("postgresql://perinat:s3cret@127.0.0.1:1/perinat")
    assert said.startswith("The database postgresql://127.0.0.1:1/perinat cannot be used: ")
    assert "s3cret" not in said


async def test_a_database_that_is_not_there_is_named(own_server: PostgresServer) -> None:
    said = await said_by(urlunsplit(urlsplit(own_server.url)._replace(path="/nowhere")))
    assert said.endswith('/nowhere cannot be used: database "nowhere" does not exist.')


async def test_a_wrong_password_is_said_and_not_shown(own_server: PostgresServer, url: str) -> None:
    access = own_server.folder / "data" / "pg_hba.conf"
    before = access.read_text()
    access.write_text("host all stranger 127.0.0.1/32 scram-sha-256\n" + before)
    async with opened(url) as database:
        await database.write(lambda tx: tx.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'right'")))
        await database.write(lambda tx: tx.execute(text("SELECT pg_reload_conf()")))
    parts = urlsplit(url)
    said = await said_by(urlunsplit(parts._replace(netloc=f"stranger:wr0ng@127.0.0.1:{parts.port}")))
    assert said.endswith('/away cannot be used: password authentication failed for user "stranger".')
    assert "wr0ng" not in said


async def test_the_driver_reads_every_part_of_an_address(own_server: PostgresServer, url: str) -> None:
    for address in (
        f"{url}?sslmode=disable&application_name=check",
        own_server.socket_url.replace("/postgres?", "/away?"),
    ):
        async with opened(address) as database:
            assert await database.write(lambda tx: tx.scalar(text("SELECT current_database()"))) == "away"


async def test_connections_that_died_unnoticed_are_replaced(own_server: PostgresServer, database: Database) -> None:
    await database.write(lambda tx: put(tx, "before"))
    await asyncio.to_thread(own_server.kill)
    await asyncio.to_thread(own_server.start)
    assert await keys(database) == {"before"}
    await database.write(lambda tx: put(tx, "after"))
    assert await keys(database) == {"before", "after"}


async def test_a_crash_is_said_and_service_goes_on_after_it_without_a_restart(
    own_server: PostgresServer, database: Database
) -> None:
    await database.write(lambda tx: put(tx, "before"))
    own_server.kill()
    with pytest.raises(Unavailable):
        await keys(database)
    with pytest.raises(Unavailable):
        await database.write(lambda tx: put(tx, "lost"))
    assert not await database.ready()

    own_server.start()
    began = time.monotonic()
    assert await database.ready()
    await database.write(lambda tx: put(tx, "after"))
    assert time.monotonic() - began < 5
    assert await keys(database) == {"before", "after"}


async def test_a_write_whose_connection_is_cut_before_it_is_committed_is_done_again(database: Database) -> None:
    attempts: list[int] = []

    async def work(tx: Tx) -> None:
        attempts.append(1)
        await put(tx, "a")
        if len(attempts) == 1:
            process = await tx.scalar(text("SELECT pg_backend_pid()"))
            async with opened(database.address.url) as other:
                await other.write(lambda tx: tx.execute(text(f"SELECT pg_terminate_backend({process})")))
        await put(tx, "b")

    await database.write(work)
    assert (len(attempts), await keys(database)) == (2, {"a", "b"})


async def test_a_write_that_may_or_may_not_have_been_committed_is_not_done_again(
    own_server: PostgresServer, database: Database
) -> None:
    attempts: list[int] = []

    async def work(tx: Tx) -> None:
        attempts.append(1)
        await put(tx, "a")
        await asyncio.to_thread(own_server.kill)

    with pytest.raises(Unavailable, match="read it again before you repeat it"):
        await database.write(work)
    assert len(attempts) == 1
    own_server.start()
    assert await keys(database) == set()
