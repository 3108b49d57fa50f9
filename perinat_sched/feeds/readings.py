"""Who reads a feed: when it was read last, and by which program, so that its owner sees whether it is in use.

Kept in memory and written down once a minute: a reading never writes. A program says what it is as it likes, so only
its name is kept, cleaned and short; no network address ever is. (standards.md HTTP-07)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perinat_sched.feeds import store
from perinat_sched.feeds.store import Feed, Reading
from perinat_sched.storage.database import Database

LONGEST_NAME = 40  # characters

# What programs write in User-Agent, in the order in which it is looked for, and what people call them
_NAMES = (
    ("google-calendar-importer", "Google Calendar"),
    ("thunderbird", "Thunderbird"),
    ("microsoft office", "Outlook"),
    ("microsoft exchange", "Outlook"),
    ("outlook", "Outlook"),
    ("ios/", "Apple (iOS)"),
    ("macos/", "Apple (macOS)"),
    ("calendaragent", "Apple (macOS)"),
    ("icsx5", "ICSx⁵"),
    ("nextcloud", "Nextcloud"),
    ("vdirsyncer", "vdirsyncer"),
    ("evolution", "Evolution"),
    ("mozilla", "a browser"),
)


def program(user_agent: str) -> str:
    """The calendar program that a User-Agent names; "" where it names none."""
    lowered = user_agent.lower()
    for sign, name in _NAMES:
        if sign in lowered:
            return name
    first = re.match(r"[\w.+ -]*", user_agent, re.ASCII)
    return first[0].strip()[:LONGEST_NAME] if first else ""


@dataclass(kw_only=True)
class Readings:
    """The last reading of each feed in this process, until it is written down."""

    database: Database
    _unwritten: dict[str, tuple[float, str]] = field(default_factory=dict)

    def note(self, feed_id: str, user_agent: str, now: float) -> None:
        """`now` is in seconds since 1970."""
        self._unwritten[feed_id] = (now, user_agent)

    async def write_down(self) -> None:
        """Once a minute, and at the end."""
        if found := self._taken(self._unwritten):
            noted = dict(self._unwritten)
            await self.database.write(lambda tx: store.record_readings(tx, found))
            for feed_id, reading in noted.items():  # what was read meanwhile is for the next time
                if self._unwritten.get(feed_id) == reading:
                    del self._unwritten[feed_id]

    async def of(self, feeds: Sequence[Feed]) -> dict[str, Reading]:
        """The last reading of each feed, as far as this process and the database know."""
        async with self.database.read() as tx:
            found = await store.readings(tx, [feed.id for feed in feeds])
        ours = self._taken({feed.id: self._unwritten[feed.id] for feed in feeds if feed.id in self._unwritten})
        return {
            **found,
            **{feed_id: own for feed_id, own in ours.items() if feed_id not in found or found[feed_id].at <= own.at},
        }

    @staticmethod
    def _taken(noted: dict[str, tuple[float, str]]) -> dict[str, Reading]:
        return {
            feed_id: Reading(at=datetime.fromtimestamp(at, UTC), by=program(agent))
            for feed_id, (at, agent) in noted.items()
        }
