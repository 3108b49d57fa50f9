"""The pieces a feed is put together from, and which of them must be made anew.

A piece is a session, or all that is shown of a series, which is one UID. Its name says everything that it is made
from besides the frame of the feed, so that a piece of an earlier edition serves as long as its name is wanted.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from perinat_sched.booking.session import Session
from perinat_sched.feeds import calendar
from perinat_sched.feeds.calendar import Cover, Piece
from perinat_sched.people.access import Detail
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The pieces that a list (`store.listed`) calls for, by name."""

    names: Mapping[str, None]  # of a session: its entry in the list
    dates: Mapping[str, tuple[str, ...]]  # of a series, whose name is made of its entries: the ids of its sessions

    @classmethod
    def of(cls, listed: str) -> Self:
        entries = listed.split(",") if listed else []
        of_series: dict[str, list[str]] = {}
        some = listed.count(":") > len(entries)  # most feeds show no series
        for entry in [entry for entry in entries if entry.count(":") > 1] if some else ():
            of_series.setdefault(entry.split(":")[2], []).append(entry)
        names, dates = dict.fromkeys(entries), {}
        for series, together in of_series.items():
            name = f"{series}:{hashlib.sha256(','.join(together).encode()).hexdigest()}"
            dates[name] = tuple(entry.partition(":")[0] for entry in together)
            for entry in together:
                del names[entry]
            names[name] = None
        return cls(names=names, dates=dates)

    def sessions(self, name: str) -> tuple[str, ...]:
        """The ids of the sessions in a piece."""
        return self.dates.get(name) or (name.partition(":")[0],)

    def missing(self, ready: Mapping[str, Piece]) -> list[str]:
        """The names of the pieces that must be made."""
        return [name for name in self.names if name not in ready]


@dataclass(frozen=True, kw_only=True)
class Making:
    """Makes the pieces of one feed."""

    cover: Cover
    directory: Directory
    detail: Callable[[Session], Detail]  # at which its reader may see a session

    def made(
        self, wanted: Wanted, ready: Mapping[str, Piece], sessions: Iterable[Session], series: Mapping[str, Series]
    ) -> dict[str, Piece]:
        """The pieces that are wanted, by name, in order; those that are not ready from their sessions and series."""
        known = {session.id: session for session in sessions}
        found = [item for item in ready.items() if item[0] in wanted.names]  # in order, as they were put
        for name in wanted.missing(ready):
            made = self._piece([known[session] for session in wanted.sessions(name)], series)
            insort(found, (name, made), key=itemgetter(1))
        return dict(found)

    def _piece(self, sessions: list[Session], series: Mapping[str, Series]) -> Piece:
        seen = [(session, self.detail(session)) for session in sessions]
        session, detail = seen[0]
        if session.series is None:
            return calendar.piece(self.cover, session, detail, self.directory)
        return calendar.series_piece(self.cover, series[session.series], seen, self.directory)
