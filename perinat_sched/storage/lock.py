"""One owner at a time for an SQLite file: `serve` holds it as long as it runs, `restore` while it works.

The kernel keeps the lock and lets go of it when its process ends, however it ends. The short commands do not take it:
SQLite's own write lock is enough for them. A PostgreSQL database may have many owners.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perinat_sched.errors import DatabaseLocked
from perinat_sched.i18n import Message
from perinat_sched.storage import failures
from perinat_sched.storage.engines import Address


@contextmanager
def exclusive(url: str) -> Iterator[None]:
    """Own the database at `url`. Raises DatabaseLocked when another process does."""
    file = Address.of(url).file
    if file is None:
        yield
        return
    beside = Path(f"{file}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = beside.open("w")
    except OSError as error:
        raise failures.unreachable(str(file), error) from error
    with handle:  # the file stays: removing it would let two processes lock two files of one name
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatabaseLocked(
                Message("Another process uses {file}: stop it first (it holds {lock}).", file=file, lock=beside)
            ) from error
        yield
