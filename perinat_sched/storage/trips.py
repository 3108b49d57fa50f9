"""SQLite's driver in few trips to the thread that it works in: each costs more than most statements.

aiosqlite goes there four times for a statement: a cursor, the statement, its rows, the end of the cursor. Here it is
once.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util.concurrency import await_


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """One statement, its rows fetched with it."""

    __slots__ = ("_done",)

    _adapt_connection: _Connection

    def __init__(self, adapt_connection: _Connection) -> None:
        self._adapt_connection = adapt_connection
        self._done: tuple[Any, int, int | None] = (None, -1, None)
        self._rows = deque()

    @property
    def description(self) -> Any:
        return self._done[0]

    @property
    def rowcount(self) -> int:
        return self._done[1]

    @property
    def lastrowid(self) -> Any:
        return self._done[2]

    def execute(self, operation: str, parameters: Any = None) -> None:
        self._do(lambda connection: connection.execute(operation, parameters or ()))

    def executemany(self, operation: str, seq_of_parameters: Any) -> None:
        self._do(lambda connection: connection.executemany(operation, seq_of_parameters))

    def _do(self, statement: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> None:
        def there(connection: sqlite3.Connection) -> None:
            cursor = statement(connection)
            try:
                self._rows = deque(cursor.fetchall() if cursor.description else ())
                self._done = cursor.description, cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        self._adapt_connection.there(there)

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        """Nothing is open any more."""


class _Connection(AsyncAdapt_aiosqlite_connection):
    _cursor_cls = _Cursor  # type: ignore[assignment]  # made from this connection, which it expects to be its own

    def there(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do this in the driver's thread."""
        driver = self._connection
        try:
            await_(driver._execute(lambda: work(driver._conn)))
        except Exception as error:
            self._handle_exception(error)


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """What SQLAlchemy takes for the driver's module."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **named: Any) -> _Connection:
        connection = aiosqlite.connect(*arguments, **named)
        connection._thread.daemon = True
        return _Connection(self, await_(connection))  # type: ignore[arg-type]  # as SQLAlchemy does itself
