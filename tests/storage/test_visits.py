"""SQLite's thread: what it is left with when the event loop goes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from perinat_sched.storage.visits import Connection


def test_a_connection_that_is_given_up_ends_quietly_after_its_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed in its thread, whenever that comes to it: nobody is left to be told."""
    complaints: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", complaints.append)
    loop_is_closed, opened = threading.Event(), []

    def late() -> sqlite3.Connection:
        opened.append(sqlite3.connect(tmp_path / "late.db", check_same_thread=False))
        return opened[0]

    async def given_up() -> Connection:
        connection = Connection(late)
        await connection
        connection._tx.put_nowait((None, loop_is_closed.wait))
        connection.stop()
        return connection

    connection = asyncio.run(given_up())
    loop_is_closed.set()
    connection._thread.join(timeout=10)

    assert not connection._thread.is_alive()
    assert not complaints
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
