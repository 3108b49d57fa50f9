"""What a session would need, before its hour is known: the common question of search and booking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from perinat_sched.sites.network import Kind

RULES_OF_TIME = frozenset(("in_the_past", "too_late", "too_long"))


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A session to be placed. All codes are known and every site is in `network`, each named once."""

    network: str
    kind: Kind | None
    duration: timedelta
    host: str
    required: tuple[str, ...] = ()  # without the host
    optional: tuple[str, ...] = ()  # in the order in which they get ports
    rooms: Mapping[str, str] = field(default_factory=dict)  # site → the room asked for
    kept_rooms: Mapping[str, str] = field(default_factory=dict)  # site → its present room: kept while it is as good
    roomless: frozenset[str] = frozenset()  # sites that take part without a room, even where they have some
    kept_bridge: str | None = None  # the present bridge: kept while it fits
    settled: frozenset[str] = frozenset()  # sites that agreed to this very hour before: only hard conflicts count
    timing: frozenset[str] = RULES_OF_TIME  # those that apply: all of them, but for a change at the same hour

    @property
    def needed(self) -> tuple[str, ...]:
        """The host and the required sites: those without which the session does not take place."""
        return (self.host, *self.required)
