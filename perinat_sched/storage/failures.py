"""What drivers report, in our own words: away, busy, full, or refused by a guard.

Translated once, where the driver raises it, so that no caller knows sqlite3 or asyncpg. An error that is none of
these is a fault of ours and passes unchanged.
"""

from __future__ import annotations

import logging
import sqlite3

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from perinat_sched.errors import GuardViolation, Unavailable
from perinat_sched.i18n import Message
from perinat_sched.storage import guards

logger = logging.getLogger(__name__)

# SQLSTATE (PostgreSQL, appendix A)
AWAY_CLASSES = ("08", "25", "28", "3D", "53", "57")  # connection, read-only, password, no database, resources, shutdown
SHUTDOWN = ("57P01", "57P02")  # by an administrator, by a crash: this connection is gone
CONTENTION = ("40001", "40P01", "55P03")  # serialisation failure, deadlock, lock timeout
EXCLUSION_VIOLATION = "23P01"
UNIQUE_VIOLATION = "23505"
WRITTEN_AT_ONCE = ("pk_idempotency", "pk_feed_editions", "pk_feed_readings", "pk_audit_seals", "pk_meta")

# Primary result codes (https://www.sqlite.org/rescode.html): busy, readonly, ioerr, corrupt, full, cantopen, notadb
SQLITE_AWAY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
)
SQLITE_UNREADABLE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB)


class Contended(Unavailable):
    """The service cannot answer at the moment: try again in a few seconds."""  # Database.write does so itself first


def unreachable(name: str, reason: object) -> Unavailable:
    """The database `name` (never with its password) cannot be used at all: for the operator, not for callers."""
    if isinstance(reason, OSError) and reason.strerror:
        reason = ": ".join(filter(None, [reason.strerror, reason.filename]))
    text = " ".join(str(reason).split()).rstrip(".") or type(reason).__name__
    return Unavailable(Message("The database {name} cannot be used: {reason}.", name=name, reason=text))


def translate(engine: AsyncEngine) -> None:
    """Make everything that happens on an engine raise our errors."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def in_our_words(context: ExceptionContext) -> Exception | None:
        error = context.original_exception
        if not isinstance(error, Exception):
            return None  # cancelled: whoever asked is gone, the database is not
        ours = _of_sqlite(context, error) if isinstance(error, sqlite3.Error) else _of_postgresql(context, error)
        if type(ours) is Unavailable:
            logger.warning("The database does not answer: %s", error, extra={"action": "database_unavailable"})
        return ours


def _of_sqlite(context: ExceptionContext, error: sqlite3.Error) -> Exception | None:
    if any(guard in str(error) for guard in guards.DOUBLE_BOOKING):
        return GuardViolation()
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended codes keep the primary one in the low byte
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(Message("The disk that holds the database is full: nothing was saved."))
    if code in SQLITE_UNREADABLE:
        context.is_disconnect = True  # a connection keeps the page it has read, long after the file is well again
    return Unavailable() if code in SQLITE_AWAY else None


def _of_postgresql(context: ExceptionContext, error: BaseException) -> Exception | None:
    state: str = getattr(error, "sqlstate", None) or ""
    if isinstance(error.__cause__, asyncpg.PostgresError):
        error.__cause__.detail = None  # shows the whole row, with what somebody typed, in every traceback
    if state == EXCLUSION_VIOLATION:
        return GuardViolation()
    if state in CONTENTION or (state == UNIQUE_VIOLATION and any(key in str(error) for key in WRITTEN_AT_ONCE)):
        return Contended()  # the same twice at once: the second finds the first's row when repeated
    if state in SHUTDOWN:
        context.is_disconnect = True
    if context.is_disconnect and context.connection is not None:
        if context.statement is not None:
            return Contended()  # nothing was committed yet
        return Unavailable(
            Message("The database went away while this was being saved: read it again before you repeat it.")
        )
    if context.is_disconnect or state[:2] in AWAY_CLASSES or isinstance(error, OSError):
        return Unavailable()
    return None
