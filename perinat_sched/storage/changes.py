"""What has changed: whether something read from the database may be used again without asking it.

Whatever a feed shows, and whether it may be read, stands in five tables. The database counts what changes in them
(triggers, so every program counts), and each process looks at the count twice a second (`Database.watch`). So what was
read may be used again while the last look began less than a second ago and found nothing new: no node shows longer
than a second what another has changed. While nobody looks, or the database is away, nothing may be used unasked.

PostgreSQL counts in a sequence, which costs a booking no lock; NOTIFY would let one commit through at a time. But a
sequence moves before its transaction commits: a new count is therefore looked at as news again and again until every
transaction that was open when it was seen has ended. Their numbers are below one that is drawn then; the upper bound of
a snapshot would not do, which follows the last that *ended*. SQLite counts in a row of `meta`, within the transaction.
What this process itself writes is news at once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perinat_sched.errors import Unavailable

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.4  # seconds
TRUSTED_FOR = 1.0  # seconds from the beginning of a look

# One revision more, and a planned mail is no change: only what a reader of a feed could see.
_COUNTED = {
    "sessions": "INSERT OR DELETE OR UPDATE OF revision",
    "tokens": "DELETE OR UPDATE",
    "feeds": "DELETE OR UPDATE",
    "closures": "INSERT OR DELETE",
    "series": "UPDATE",  # a new one comes with sessions
}
_WRITES = re.compile(
    r"\s*(?:INSERT INTO|DELETE FROM) (?:sessions|closures)\b"
    r"|\s*UPDATE sessions SET .*\brevision="
    r"|\s*UPDATE (?:tokens|feeds|series)\b",
    re.DOTALL,
)

_COUNT_ONE = "INSERT INTO meta (key, value) VALUES ('changes', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1"
_LOOK = {
    "sqlite": "SELECT coalesce(max(CAST(value AS INTEGER)), 0), 0 FROM meta WHERE key = 'changes'",
    "postgresql": "SELECT last_value + is_called::int, "  # the first nextval only calls it
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM changes",
}
_NEXT = {"sqlite": "SELECT 0", "postgresql": "SELECT pg_current_xact_id()::text::bigint"}
_PRESENT = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'changed_%'",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'changed_%' AND tgenabled IN ('O', 'A')",
}


def _sqlite_triggers(*tables: str) -> dict[str, str]:
    """Each name with its statement: SQLite knows one event a trigger."""
    return {
        name: f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {_COUNT_ONE}; END"
        for table in tables
        for event in _COUNTED[table].split(" OR ")
        for name in [f"changed_{table}_{event.split()[0].lower()}"]
    }


def creation(dialect: str) -> list[str]:
    """The statements that make what the database counts with."""
    if dialect == "sqlite":
        return []
    return [
        "CREATE SEQUENCE changes",
        "CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM nextval('changes'); RETURN NULL; END$$",
    ]


def counting(dialect: str, *tables: str) -> list[str]:
    """The statements that make it count what changes in these tables."""
    if dialect == "sqlite":
        return list(_sqlite_triggers(*tables).values())
    return [
        f"CREATE TRIGGER changed_{table} AFTER {_COUNTED[table]} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION changed()"
        for table in tables
    ]


def removal(dialect: str) -> list[str]:
    """The statements that take back all of it."""
    if dialect == "sqlite":
        gone = [f"DROP TRIGGER IF EXISTS {name}" for name in _sqlite_triggers(*_COUNTED)]
        return [*gone, "DELETE FROM meta WHERE key = 'changes'"]
    return ["DROP FUNCTION changed() CASCADE", "DROP SEQUENCE changes"]


def writes(statement: str) -> bool:
    """Whether a statement of ours changes what is counted."""
    return _WRITES.match(statement) is not None


async def counts(tx: AsyncConnection) -> bool:
    """Whether the database counts: a copy that lost its triggers does not."""
    wanted = len(_COUNTED if tx.dialect.name == "postgresql" else _sqlite_triggers(*_COUNTED))
    return bool(await tx.scalar(text(_PRESENT[tx.dialect.name])) == wanted)


async def look(tx: AsyncConnection, known: int | None) -> Look:
    """The count, and which transactions may have moved it if it is not the one that is known."""
    count, oldest_open = (await tx.execute(text(_LOOK[tx.dialect.name]))).one()
    next_one = 0 if count == known else await tx.scalar(text(_NEXT[tx.dialect.name]))
    return Look(count, oldest_open, next_one)


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the count, and the oldest transaction that was open."""

    count: int
    oldest_open: int
    next_one: int  # above every transaction that was open; taken only where the count moved


@dataclass(slots=True)
class Changes:
    """The news of one process: a number that rises whenever something may have changed."""

    seconds: Callable[[], float] = time.monotonic
    _news: int = 0
    _looked_at: float = field(default=float("-inf"))
    _count: int | None = None  # at the last look
    _until: int | None = None  # it moved, and not every transaction before this one is known to have ended

    def stamp(self) -> int | None:
        """What stands for the present state; the same stamp later: nothing has changed. None: ask the database."""
        return self._news if self.seconds() - self._looked_at < TRUSTED_FOR else None

    def note(self) -> None:
        """This process has committed a change."""
        self._news += 1

    def lost(self) -> None:
        """Looking failed: what comes next is news."""
        self._count, self._looked_at = None, float("-inf")

    def seen(self, look: Look, began: float) -> None:
        """A look that began at `began` (seconds of the same clock)."""
        if look.count != self._count:
            self._news, self._until = self._news + 1, look.next_one
        elif self._until is not None:
            self._news += 1
            self._until = self._until if look.oldest_open < self._until else None
        self._count, self._looked_at = look.count, began

    async def look(self, tx: AsyncConnection) -> None:
        """Look once."""
        began = self.seconds()
        self.seen(await look(tx, self._count), began)


async def watch(changes: Changes, connected: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
    """Look for changes until cancelled; after a failure on a new connection."""
    seen = True
    while True:
        try:
            async with connected() as tx:
                if not await counts(tx):
                    raise Unavailable
                await tx.rollback()
                while True:
                    async with asyncio.timeout(TRUSTED_FOR):
                        await changes.look(tx)
                        await tx.rollback()  # the next look is a new snapshot
                    seen = True
                    await asyncio.sleep(LOOK_EVERY)
        except Exception as error:  # whatever it was: feeds are asked about, and looking goes on
            changes.lost()
            if seen:
                extra = {"action": "changes_unseen"}
                logger.warning("Changes are not seen: every feed asks", extra=extra, exc_info=error)
            seen = False
        await asyncio.sleep(LOOK_EVERY)
