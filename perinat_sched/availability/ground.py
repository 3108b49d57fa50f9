"""The ground a session is to be put upon: who is closed when, and what other sessions hold.

A `Ground` is loaded once for a window of time; search and booking read the same one, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Closure
from perinat_sched.sites.network import Directory


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What a session holds of a room or a bridge."""

    session: str
    host: str  # the site that booked it: whom to ring
    network: str
    interval: Interval  # guarded: a room from start to end; a bridge with set-up and release
    around: Interval  # with set-up and release, both for a room and for a bridge
    units: int = 1  # ports; 1 for a room


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Everything that decides whether a place is free in a window of time.

    `closures` is by site, room or bridge code: a closed site or bridge, or a room that is busy elsewhere.
    `holds` is by room or bridge code, without those of the session that is being changed.
    """

    directory: Directory
    now: datetime  # UTC
    closures: Mapping[str, Sequence[Closure]] = field(default_factory=dict)
    holds: Mapping[str, Sequence[Hold]] = field(default_factory=dict)

    def without(self, sessions: Collection[str]) -> Ground:
        """The ground without what these sessions hold."""
        others = {code: [hold for hold in held if hold.session not in sessions] for code, held in self.holds.items()}
        return replace(self, holds=others)

    def closed(self, code: str, interval: Interval) -> list[Closure]:
        """The closures of a site, room or bridge that overlap `interval`."""
        return [closure for closure in self.closures.get(code, ()) if closure.interval.overlaps(interval)]
