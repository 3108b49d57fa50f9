"""The contract's words on what is held and what refuses, read a second time: plain, slow, minute by minute.

Independent on purpose: of `conflicts`, of the bits, of the arithmetic of intervals. What it takes from the package is
data alone, and the clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from perinat_sched.availability.ground import Ground
from perinat_sched.availability.proposal import Proposal
from perinat_sched.sites.network import Bridge, Kind, Room, Site
from perinat_sched.zones import to_local

MINUTE = timedelta(minutes=1)
HARD = {"room_taken", "ports_exhausted", "no_bridge", "site_inactive", "in_the_past"}


@dataclass(frozen=True)
class Verdict:
    """What the contract says about one start."""

    refusals: frozenset[tuple[str, str | None]]  # code and site
    places: tuple[tuple[str, bool, str | None], ...]  # site, held, room
    bridge: str | None
    ports: int

    @property
    def bookable(self) -> bool:
        return not self.refusals

    @property
    def overridable(self) -> bool:
        return not {code for code, _ in self.refusals} & HARD


@dataclass(frozen=True)
class Reading:
    """One proposal at one start."""

    ground: Ground
    proposal: Proposal
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + self.proposal.duration

    def verdict(self) -> Verdict:
        needed = [self.proposal.host, *self.proposal.required]
        rooms = {code: self.room(code) for code in [*needed, *self.proposal.optional]}
        refusals: set[tuple[str, str | None]] = {(code, None) for code in self.timing(needed, rooms)}
        refusals |= {(code, site) for site in needed for code in self.against(site, rooms[site])}
        held = list(needed)
        bridge, shortage = self.connection(held, rooms, None)
        if shortage:
            refusals.add((shortage, None))
        # Optional sites get ports in the order given; who agreed to this very hour before keeps its place first.
        for agreed in (True, False):
            for site in self.proposal.optional:
                if (site in self.proposal.settled) is not agreed or shortage or self.against(site, rooms[site]):
                    continue
                if not agreed and self.too_long(site, rooms[site]):
                    continue
                wider, full = self.connection([*held, site], rooms, bridge)
                if not full:
                    held.append(site)
                    bridge = wider
        return Verdict(
            refusals=frozenset(refusals),
            places=tuple(
                (site, site in held, room.code if room and site in held else None) for site, room in rooms.items()
            ),
            bridge=bridge,
            ports=len(held) if bridge else 0,
        )

    # What is said of a place: kind over room over site over defaults

    def said(self, name: str, voices: list[Kind | Room | Site | None]) -> list[int]:
        return [m for v in voices if v is not None and (m := getattr(v.limits, name)) is not None]

    def margin(self, name: str, site: str, room: Room | None) -> timedelta:
        voices = [self.proposal.kind, room, self.site(site)]
        return [*self.said(name, voices), getattr(self.ground.directory.defaults, name)][0] * MINUTE

    def too_long(self, site: str, room: Room | None) -> bool:
        """The smallest that applies."""
        said = self.said("max_duration_minutes", [self.proposal.kind, self.site(site), room])
        longest = min(said) if said else self.ground.directory.defaults.max_duration_minutes
        return self.proposal.duration > longest * MINUTE

    def timing(self, needed: list[str], rooms: dict[str, Room | None]) -> set[str]:
        """Notice: the kind's, else the largest of the sites'. In the past is reported without too_late."""
        default = self.ground.directory.defaults.minimum_notice_hours
        of_kind = self.said("minimum_notice_hours", [self.proposal.kind])
        of_sites = [([*self.said("minimum_notice_hours", [self.site(s)]), default])[0] for s in needed]
        notice = timedelta(hours=of_kind[0] if of_kind else max(of_sites))
        found = set()
        if self.start < self.ground.now and "in_the_past" in self.proposal.timing:
            found.add("in_the_past")
        elif self.start - self.ground.now < notice:
            found.add("too_late")
        if any(self.too_long(site, rooms[site]) for site in needed):
            found.add("too_long")
        return found & self.proposal.timing

    # What speaks against a site

    def site(self, code: str) -> Site:
        return self.ground.directory.sites[code]

    def against(self, code: str, room: Room | None) -> set[str]:
        site, found = self.site(code), set()
        if not site.active:
            found.add("site_inactive")
        if not self.always_open(site):
            found.add("outside_hours")
        if self.closed(code):
            found.add("site_closed")
        if room:
            found |= self.against_room(code, room)
        if found & {"room_taken"}:
            # No room of the site can be had: what else speaks against one of them does not matter.
            found -= {"room_busy_elsewhere", "set_up_overlap"}
        return found & HARD if code in self.proposal.settled else found

    def always_open(self, site: Site) -> bool:
        """Opening hours look at [start, end) only, by the site's own clock."""
        minute = self.start
        while minute < self.end:
            wall = to_local(minute, site.timezone)
            shown = wall.hour * 60 + wall.minute
            if not any(wall.weekday() in h.weekdays and h.opens <= shown < h.closes for h in site.opening_hours):
                return False
            minute += MINUTE
        return True

    def closed(self, code: str) -> bool:
        closures = self.ground.closures.get(code, ())
        return any(self.meet(self.start, self.end, c.interval.start, c.interval.end) for c in closures)

    @staticmethod
    def meet(start: datetime, end: datetime, other_start: datetime, other_end: datetime) -> bool:
        """Two half-open spans have an instant in common: it would be the later start."""
        return max(start, other_start) < min(end, other_end)

    def against_room(self, site: str, room: Room) -> set[str]:
        found = {"room_busy_elsewhere"} if self.closed(room.code) else set()
        before, after = self.margin("set_up_minutes", site, room), self.margin("release_minutes", site, room)
        for hold in self.ground.holds.get(room.code, ()):
            if self.meet(self.start, self.end, hold.interval.start, hold.interval.end):
                found.add("room_taken")
            elif self.meet(self.start - before, self.end + after, hold.around.start, hold.around.end):
                found.add("set_up_overlap")
        return found

    def room(self, code: str) -> Room | None:
        """Any free room of the site, the present one if it is as good, a named one respected."""
        site, named = self.site(code), self.proposal.rooms.get(code)
        present = self.proposal.kept_rooms.get(code)
        rooms = [r for r in site.rooms if named is None or r.code == named]
        rooms = [r for r in rooms if r.code == present] + [r for r in rooms if r.code != present]
        free = [r for r in rooms if not self.against_room(code, r) and not self.too_long(code, r)]
        to_override = [r for r in rooms if "room_taken" not in self.against_room(code, r)]
        return [*free, *to_override, *rooms, None][0]

    # Ports

    def connection(
        self, held: list[str], rooms: dict[str, Room | None], present: str | None
    ) -> tuple[str | None, str | None]:
        """The bridge that carries these sites, or the reason why none does."""
        if len(held) <= 2:
            return None, None
        bridges = [b for b in self.ground.directory.bridges.values() if self.proposal.network in b.networks]
        if not bridges:
            return None, "no_bridge"
        start = min(self.start - self.margin("set_up_minutes", site, rooms[site]) for site in held)
        end = max(self.end + self.margin("release_minutes", site, rooms[site]) for site in held)
        kept = present or self.proposal.kept_bridge
        first = [b for b in bridges if b.code == kept]
        for bridge in first if present else [*first, *bridges]:
            if not self.closed(bridge.code) and self.ports_in_use(bridge, start, end) + len(held) <= bridge.ports:
                return bridge.code, None
        return None, "ports_exhausted"

    def ports_in_use(self, bridge: Bridge, start: datetime, end: datetime) -> int:
        """At the busiest moment, which is where some session begins or where the span itself does."""
        holds = self.ground.holds.get(bridge.code, ())
        moments = [start, *(h.interval.start for h in holds if start <= h.interval.start < end)]
        return max(sum(h.units for h in holds if h.interval.start <= m < h.interval.end) for m in moments)
