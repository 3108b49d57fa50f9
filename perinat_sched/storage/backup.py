"""A copy of the database while it is in use, and the way back.

The copy is one file in one consistent state (VACUUM INTO), readable by its owner only: contacts are in it. Going back
keeps the database that was there, beside the new one. PostgreSQL has its own tools for this.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError

from perinat_sched.errors import BackupError
from perinat_sched.i18n import Message
from perinat_sched.storage import lock, migrations
from perinat_sched.storage.engines import BUSY_SECONDS, Address

HELD = "held for review: the database was restored"  # of a mail that may have been sent before


def backup(url: str, target: Path) -> None:
    """Copy the database at `url` to a new file. Raises BackupError; leaves nothing half-made."""
    source = _file(url, "pg_dump")
    if not source.exists():
        raise BackupError(Message("There is no database at {file}.", file=source))
    if target.exists():
        raise BackupError(Message("{file} exists already: choose another name.", file=target))
    with _half_made(target) as copy:
        try:
            with closing(sqlite3.connect(source, timeout=BUSY_SECONDS, isolation_level=None)) as database:
                database.execute("VACUUM INTO ?", (str(copy),))
        except sqlite3.Error as error:
            raise BackupError(Message("The copy failed: {reason}.", reason=error)) from error


def restore(url: str, source: Path) -> Path | None:
    """Put the database at `url` back to a copy; returns where the one before is kept, None when there was none.

    Mails that were due before are held for review, not sent.

    Raises DatabaseLocked while a service runs on it, DatabaseTooNew when the copy is of a newer version, and
    BackupError when it is not a sound copy; then nothing has changed.
    """
    target = _file(url, "pg_restore")
    with lock.exclusive(url):
        _check(source)
        kept = None
        with _half_made(target) as copy:
            shutil.copyfile(source, copy)
            _hold_mails(copy)
            if target.exists():
                kept = _keep(target)
        return kept


def _file(url: str, tool: str) -> Path:
    file = Address.of(url).file
    if file is None:
        raise BackupError(
            Message("This database is PostgreSQL, which has its own tool for this: use {tool}.", tool=tool)
        )
    return file


@contextmanager
def _half_made(target: Path) -> Iterator[Path]:
    """A file of mode 0600 beside `target` that takes its name, and is on disk, when all went well."""
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield half
        _sync(half)
        half.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise BackupError(Message("{file} cannot be written: {reason}.", file=target, reason=error.strerror)) from error
    finally:
        half.unlink(missing_ok=True)


def _check(source: Path) -> None:
    """Raises BackupError or DatabaseTooNew unless `source` is a sound database of a version that we know."""
    if not source.is_file():
        raise BackupError(Message("There is no file {file}.", file=source))
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True))
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
            revisions = migrations.revisions(connection)
    except DatabaseError as error:
        found, revisions = str(error.orig), ()
    finally:
        engine.dispose()
    if found != "ok":
        raise BackupError(Message("{file} is not a sound database: {reason}.", file=source, reason=found))
    if not revisions:
        raise BackupError(Message("{file} is not a copy of this service's database.", file=source))
    migrations.check_known(revisions)


def _hold_mails(copy: Path) -> None:
    """Mails that were due by now may have been sent since the copy was made: they are shown as failed, to be reviewed.

    Raises BackupError.
    """
    held = (
        "UPDATE notices SET state = 'failed', last_error = ?, lease = NULL, leased_until = NULL"
        " WHERE state IN ('due', 'leased') AND due_at <= ?"
    )
    try:
        with closing(sqlite3.connect(copy, timeout=BUSY_SECONDS)) as database, database:
            database.execute(held, (HELD, int(datetime.now(UTC).timestamp())))
    except sqlite3.Error as error:
        raise BackupError(Message("{file} is not a sound database: {reason}.", file=copy, reason=error)) from error


def _keep(target: Path) -> Path:
    """Give the present database a second name with the hour, and its log with it, untouched: it may be broken.

    A crash before the copy takes its place leaves the kept one whole; the log must be gone by then, because SQLite
    would apply it to the copy.
    """
    kept = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    os.link(target, kept)
    for suffix in ("-wal", "-shm"):  # there when the service was killed
        with suppress(FileNotFoundError):
            Path(f"{target}{suffix}").rename(f"{kept}{suffix}")
    return kept


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
