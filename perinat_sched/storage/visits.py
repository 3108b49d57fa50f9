"""SQLite behind asyncio: a connection lives in a thread of its own, and each statement is one visit to it.

aiosqlite goes there for a cursor, for the statement, for its rows, and to close the cursor again; most statements of
ours are answered more quickly than one way takes. Here one visit does all four, and BEGIN goes along with the first.
The names are those by which SQLAlchemy's `sqlite+aiosqlite` calls.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Self

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL as END

Parameters = Sequence[Any]


class Connection(aiosqlite.Connection):
    """A connection, its thread, and how its next transaction begins."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=64)
        self._thread.daemon = True  # a process that fails does not wait for it
        self._begin: str | None = None
        self._asked = False  # since the last transaction ended

    def begin(self, statement: str) -> None:
        """Begin a transaction along with the next statement."""
        self._begin = statement

    def stop(self) -> None:
        """Close, and let the thread end. Nobody hears of it: it may come to that when the event loop is closed."""
        self._running = False

        def close() -> object:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return END

        self._tx.put_nowait((None, close))

    def cursor(self) -> Cursor:  # type: ignore[override] # nobody needs to go there for it
        return Cursor(self)

    async def visit(self, ask: Callable[[sqlite3.Cursor], object]) -> tuple[sqlite3.Cursor, list[Any]]:
        """Ask something in the thread; the cursor, closed, and all the rows."""
        begin, self._begin, self._asked = self._begin, None, True

        def asked() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn.cursor()
            try:
                if begin:
                    cursor.execute(begin)
                ask(cursor)
                return cursor, cursor.fetchall() if cursor.description else []
            finally:
                cursor.close()

        return await self._execute(asked)  # type: ignore[no-any-return, no-untyped-call]

    async def commit(self) -> None:
        await self._end(super().commit)

    async def rollback(self) -> None:
        await self._end(super().rollback)

    async def _end(self, end: Callable[[], Any]) -> None:
        """A transaction in which nothing was asked never began; one whose end failed is still open."""
        self._begin = None
        if self._asked:
            await end()
        self._asked = False


class Cursor:
    """One statement and its answer."""

    arraysize = 1
    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Parameters = ()) -> None:
        await self._ask(lambda cursor: cursor.execute(statement, parameters))

    async def executemany(self, statement: str, parameters: Sequence[Parameters]) -> None:
        await self._ask(lambda cursor: cursor.executemany(statement, parameters))

    async def _ask(self, ask: Callable[[sqlite3.Cursor], object]) -> None:
        cursor, self._rows = await self._connection.visit(ask)
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """It is closed."""
