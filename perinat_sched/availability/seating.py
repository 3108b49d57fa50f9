"""Who gets a port, at every start of a search.

The host and the required sites hold their places; optional sites come after them in the order given, each where it
is free and the bridge still carries everybody. So the starts fall into classes, by ports held and by bridge, and each
optional site moves some of them into the next class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from perinat_sched.availability.conflicts import SITES_WITHOUT_BRIDGE
from perinat_sched.availability.prospects import Bridging, SiteProspect, Spread, any_of, together
from perinat_sched.availability.timetable import minus
from perinat_sched.sites.network import Bridge


@dataclass(frozen=True, kw_only=True, slots=True)
class Seats:
    """How many places are held over which bridge, at some of the starts."""

    held: int
    bridge: Bridge | None
    where: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Seating:
    """The places held at every start."""

    seats: tuple[Seats, ...]  # each start is in one of them
    optional: Mapping[str, int]  # for each optional site, where it holds a place
    spread: Spread  # with which margins places are held

    @classmethod
    def of(
        cls, needed: Sequence[SiteProspect], optional: Sequence[SiteProspect], bridging: Bridging, starts: int
    ) -> Seating:
        """The seating at `starts`, at all of which a bridge carries the needed sites, or none is needed."""
        spread = together(site.spread for site in needed)
        seats = _connected(len(needed), starts, bridging.bridges, bridging, spread)
        taking_part: dict[str, int] = {}
        for site in sorted(optional, key=lambda site: not site.settled):
            wider, joining = together((spread, site.spread)), site.joining()
            moved = [
                new
                for old in seats
                for new in _connected(
                    old.held + 1,
                    old.where & joining,
                    [old.bridge] if old.bridge else bridging.bridges,
                    bridging,
                    wider,
                )
            ]
            seated = taking_part[site.site.code] = any_of(new.where for new in moved)
            seats = _merged([*moved, *(replace(old, where=minus(old.where, seated)) for old in seats)])
            spread = together((spread, {margins: where & seated for margins, where in site.spread.items()}))
        return cls(seats=tuple(seats), optional=taking_part, spread=spread)


def _connected(held: int, where: int, bridges: Sequence[Bridge], bridging: Bridging, spread: Spread) -> list[Seats]:
    """Where `held` places are connected: without a bridge, or by the first that carries them."""
    if held <= SITES_WITHOUT_BRIDGE:
        return [Seats(held=held, bridge=None, where=where)]
    seats = []
    for bridge in bridges:
        carried = where & bridging.carrying(bridge, held, spread) if where else 0
        seats.append(Seats(held=held, bridge=bridge, where=carried))
        where ^= carried
    return seats


def _merged(seats: Sequence[Seats]) -> list[Seats]:
    """One entry a number of ports and bridge, and none without a start."""
    merged: dict[tuple[int, str | None], Seats] = {}
    for entry in seats:
        key = entry.held, entry.bridge.code if entry.bridge else None
        before = merged[key].where if key in merged else 0
        merged[key] = Seats(held=entry.held, bridge=entry.bridge, where=before | entry.where)
    return [entry for entry in merged.values() if entry.where]
