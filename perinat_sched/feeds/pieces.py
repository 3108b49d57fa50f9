"""The pieces a feed is put together from, and which of them must be made anew.

A piece is a session, or all that is shown of a series, which is one UID. Its name says everything that it is made
from besides the frame of the feed, so that a piece of an earlier edition serves as long as its name is wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from perinat_sched.booking.session import Session
from perinat_sched.feeds import calendar
from perinat_sched.feeds.calendar import Cover, Piece
from perinat_sched.people.access import Detail
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory

Wanted = Mapping[str, tuple[str, ...]]  # name → ids of its sessions


def wanted(listed: str) -> Wanted:
    """The pieces that a list (`store.listed`) calls for."""
    found: dict[str, tuple[str, ...]] = {}
    of_series: dict[str, list[str]] = {}
    for entry in listed.split(",") if listed else ():
        session, _, *rest = entry.split(":")
        if rest:
            of_series.setdefault(rest[0], []).append(entry)
        else:
            found[entry] = (session,)
    for series, entries in of_series.items():
        digest = hashlib.sha256(",".join(entries).encode()).hexdigest()
        found[f"{series}:{digest}"] = tuple(entry.partition(":")[0] for entry in entries)
    return found


def missing(those: Wanted, ready: Mapping[str, Piece]) -> list[str]:
    """The ids of the sessions that pieces must be made from."""
    return [session for name, sessions in those.items() if name not in ready for session in sessions]


@dataclass(frozen=True, kw_only=True)
class Making:
    """Makes the pieces of one feed."""

    cover: Cover
    directory: Directory
    detail: Callable[[Session], Detail]  # at which its reader may see a session

    def made(
        self, those: Wanted, ready: Mapping[str, Piece], sessions: Iterable[Session], series: Mapping[str, Series]
    ) -> dict[str, Piece]:
        """The pieces that are wanted, by name; those that are not ready from their sessions and series."""
        known = {session.id: session for session in sessions}
        return {
            name: ready[name] if name in ready else self._piece([known[session] for session in ids], series)
            for name, ids in those.items()
        }

    def _piece(self, sessions: list[Session], series: Mapping[str, Series]) -> Piece:
        seen = [(session, self.detail(session)) for session in sessions]
        session, detail = seen[0]
        if session.series is None:
            return calendar.piece(self.cover, session, detail, self.directory)
        return calendar.series_piece(self.cover, series[session.series], seen, self.directory)
