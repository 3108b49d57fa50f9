"""Every reason to refuse a session at a given start, as values; and the places it would take.

`fit` answers for one start what `slots.search` answers for a year of them; a property test holds the two together.
A room is held from start to end, its set-up and release come on top and may be overridden; a bridge is held from the
earliest set-up to the latest release and never overridden. Hours and closures look at [start, end) only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.proposal import Proposal
from perinat_sched.i18n import Message
from perinat_sched.intervals import Interval, usage
from perinat_sched.sites.closures import open_at
from perinat_sched.sites.network import Bridge, Margins, Room, Site

Code = Literal[
    "room_taken",
    "ports_exhausted",
    "no_bridge",
    "site_inactive",
    "in_the_past",
    "outside_hours",
    "site_closed",
    "room_busy_elsewhere",
    "set_up_overlap",
    "too_late",
    "too_long",
    "skipped_local_time",  # of a series: clocks go forward over the hour on that date
    "repeated_local_time",  # of a series: clocks go back over it
]
NEVER_OVERRIDABLE: frozenset[Code] = frozenset(
    (
        "room_taken",
        "ports_exhausted",
        "no_bridge",
        "site_inactive",
        "in_the_past",
        "skipped_local_time",
        "repeated_local_time",
    )
)
SITES_WITHOUT_BRIDGE = 2  # two endpoints call each other; more meet on a bridge


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """One reason to refuse: what, where, from when until when, and whose session is in the way."""

    code: Code
    message: Message
    site: str | None = None
    room: str | None = None
    bridge: str | None = None
    interval: Interval | None = None
    hold: Hold | None = None  # of the session in the way

    @property
    def overridable(self) -> bool:
        return self.code not in NEVER_OVERRIDABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A site's place in a session: its room (None for a partner without rooms) and what speaks against it."""

    site: Site
    required: bool
    room: Room | None
    margins: Margins
    longest: timedelta  # the longest session allowed at this place
    conflicts: tuple[Conflict, ...]
    held: bool = True  # takes its room and port
    overlooked: bool = False  # something overridable that does not count against a site that agreed

    @property
    def free(self) -> bool:
        return not self.conflicts

    def around(self, interval: Interval) -> Interval:
        """The session with this place's set-up and release."""
        return interval.widened(self.margins.set_up, self.margins.release)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Where a session would stand at one start, and every reason against it."""

    interval: Interval
    places: tuple[Place, ...]  # host, required, optional, in order
    bridge: str | None
    ports: int
    bridge_interval: Interval | None
    conflicts: tuple[Conflict, ...]  # of the host and the required sites; optional ones never refuse

    @property
    def bookable(self) -> bool:
        return not self.conflicts

    @property
    def lacks_bridge(self) -> bool:
        """More sites hold a place than can do without a bridge, and none carries them."""
        return self.bridge is None and sum(place.held for place in self.places) > SITES_WITHOUT_BRIDGE

    @property
    def overridable(self) -> bool:
        """Whether a reason given by the coordinator would be enough."""
        return all(conflict.overridable for conflict in self.conflicts)


def fit(ground: Ground, proposal: Proposal, start: datetime) -> Fit:
    """Places, bridge and conflicts of `proposal` at `start` (UTC)."""
    interval = Interval(start, start + proposal.duration)
    needed = [_place(ground, proposal, code, interval, required=True) for code in proposal.needed]
    conflicts = [*_timing(ground, proposal, needed, interval)]
    conflicts += [conflict for place in needed for conflict in place.conflicts]

    bridge, reasons = _bridge(ground, proposal, needed, interval)
    conflicts += reasons
    optional: dict[str, Place] = {}
    held = list(needed)
    for code in sorted(proposal.optional, key=lambda code: code not in proposal.settled):
        place = _place(ground, proposal, code, interval, required=False)
        too_long = proposal.duration > place.longest and code not in proposal.settled
        wider, shortage = _bridge(ground, proposal, [*held, place], interval, within=bridge)
        if reasons or place.conflicts or too_long or shortage:
            optional[code] = replace(place, room=None, held=False)
        else:
            optional[code], bridge = place, wider
            held.append(place)
    return Fit(
        interval=interval,
        places=(*needed, *(optional[code] for code in proposal.optional)),
        bridge=bridge.code if bridge else None,
        ports=len(held) if bridge else 0,
        bridge_interval=set_up_to_release(held, interval) if bridge else None,
        conflicts=tuple(conflicts),
    )


def _timing(ground: Ground, proposal: Proposal, needed: Sequence[Place], interval: Interval) -> Iterable[Conflict]:
    """In the past, too late, too long: what concerns the session as a whole."""
    notice = ground.directory.minimum_notice(proposal.kind, [place.site for place in needed])
    if "in_the_past" in proposal.timing and interval.start < ground.now:
        yield Conflict(code="in_the_past", message=Message("The start lies in the past: choose a later one."))
    elif "too_late" in proposal.timing and interval.start < ground.now + notice:
        hours = int(notice.total_seconds() // 3600)
        yield Conflict(
            code="too_late",
            interval=Interval(ground.now, ground.now + notice),
            message=Message("Sessions are booked at least {hours} hours ahead: choose a later start.", hours=hours),
        )
    shortest = min(needed, key=lambda place: place.longest)
    if "too_long" in proposal.timing and proposal.duration > shortest.longest:
        minutes = int(shortest.longest.total_seconds() // 60)
        said_by_site = len({place.longest for place in needed}) > 1
        yield Conflict(
            code="too_long",
            site=shortest.site.code if said_by_site else None,
            room=shortest.room.code if said_by_site and shortest.room else None,
            message=Message("A session lasts at most {minutes} minutes here: shorten it.", minutes=minutes),
        )


def _place(ground: Ground, proposal: Proposal, code: str, interval: Interval, *, required: bool) -> Place:
    site = ground.directory.sites[code]
    room, of_room = choose_room(ground, proposal, site, interval)
    conflicts = [*_site_conflicts(ground, site, interval), *of_room]
    overlooked = code in proposal.settled and any(conflict.overridable for conflict in conflicts)
    if overlooked:
        conflicts = [conflict for conflict in conflicts if not conflict.overridable]
    return Place(
        site=site,
        required=required,
        room=room,
        margins=ground.directory.margins(proposal.kind, site, room),
        longest=ground.directory.max_duration(proposal.kind, site, room),
        conflicts=tuple(conflicts),
        overlooked=overlooked,
    )


def _site_conflicts(ground: Ground, site: Site, interval: Interval) -> Iterable[Conflict]:
    if not site.active:
        yield Conflict(
            code="site_inactive",
            site=site.code,
            message=Message("{site} does not take part at present.", site=site.name),
        )
    if not open_at(site, interval):
        yield Conflict(
            code="outside_hours",
            site=site.code,
            interval=interval,
            message=Message("{site} is not open for the whole session.", site=site.name),
        )
    for closure in ground.closed(site.code, interval):
        yield Conflict(
            code="site_closed",
            site=site.code,
            interval=closure.interval,
            message=Message("{site} is closed: {reason}.", site=site.name, reason=closure.reason),
        )


def choose_room(
    ground: Ground, proposal: Proposal, site: Site, interval: Interval
) -> tuple[Room | None, list[Conflict]]:
    """The room a site would give, and what speaks against it.

    The room asked for, else the first one against which nothing speaks (the present one first), else the first that
    an override would give. Where all are taken, the reasons of all of them are given.
    """
    if not site.rooms or site.code in proposal.roomless:
        return None, []
    asked = proposal.rooms.get(site.code)
    rooms = [room for room in site.rooms if asked in (None, room.code)]
    kept = proposal.kept_rooms.get(site.code)
    rooms.sort(key=lambda room: room.code != kept)
    judged = [(room, list(_room_conflicts(ground, proposal, site, room, interval))) for room in rooms]

    def burden(entry: tuple[Room, list[Conflict]]) -> int:
        room, conflicts = entry
        too_long = proposal.duration > ground.directory.max_duration(proposal.kind, site, room)
        return 2 if any(not c.overridable for c in conflicts) else 1 if conflicts or too_long else 0

    room, conflicts = min(judged, key=burden)
    if burden((room, conflicts)) == 2:
        conflicts = [conflict for _, reasons in judged for conflict in reasons if not conflict.overridable]
    return room, conflicts


def _room_conflicts(
    ground: Ground, proposal: Proposal, site: Site, room: Room, interval: Interval
) -> Iterable[Conflict]:
    margins = ground.directory.margins(proposal.kind, site, room)
    around = interval.widened(margins.set_up, margins.release)
    for closure in ground.closed(room.code, interval):
        yield Conflict(
            code="room_busy_elsewhere",
            site=site.code,
            room=room.code,
            interval=closure.interval,
            message=Message("{room} is busy elsewhere: {reason}.", room=room.name, reason=closure.reason),
        )
    for hold in ground.holds.get(room.code, ()):
        if hold.interval.overlaps(interval):
            yield Conflict(
                code="room_taken",
                site=site.code,
                room=room.code,
                interval=hold.interval,
                hold=hold,
                message=Message("{room} is taken by another session.", room=room.name),
            )
        elif hold.around.overlaps(around):
            yield Conflict(
                code="set_up_overlap",
                site=site.code,
                room=room.code,
                interval=hold.around,
                hold=hold,
                message=Message("Set-up or release would overlap another session in {room}.", room=room.name),
            )


def set_up_to_release(held: Sequence[Place], interval: Interval) -> Interval:
    """From the earliest set-up to the latest release of the places held."""
    arounds = [place.around(interval) for place in held]
    return Interval(min(a.start for a in arounds), max(a.end for a in arounds))


def _bridge(
    ground: Ground,
    proposal: Proposal,
    held: Sequence[Place],
    interval: Interval,
    *,
    within: Bridge | None = None,
) -> tuple[Bridge | None, list[Conflict]]:
    """The bridge that carries `held`: none for two sites, else `within`, the present one, or the first that fits."""
    ports = len(held)
    if ports <= SITES_WITHOUT_BRIDGE:
        return None, []
    bridges = ground.directory.bridges_of(proposal.network)
    if not bridges:
        return None, [
            Conflict(
                code="no_bridge",
                message=Message("{ports} sites need a bridge, and the network has none.", ports=ports),
            )
        ]
    bridges.sort(key=lambda bridge: bridge.code != proposal.kept_bridge)
    window = set_up_to_release(held, interval)
    shortages = []
    for bridge in [within] if within else bridges:
        shortage = _shortage(ground, bridge, ports, window, interval)
        if shortage is None:
            return bridge, []
        shortages.append(shortage)
    return None, shortages[:1]


def _shortage(ground: Ground, bridge: Bridge, ports: int, window: Interval, interval: Interval) -> Conflict | None:
    """Why a bridge cannot give `ports` over `window`, or None where it can."""
    if closed := ground.closed(bridge.code, interval):
        return Conflict(
            code="ports_exhausted",
            bridge=bridge.code,
            interval=closed[0].interval,
            message=Message("{bridge} is closed: {reason}.", bridge=bridge.name, reason=closed[0].reason),
        )
    holds = [hold for hold in ground.holds.get(bridge.code, ()) if hold.interval.overlaps(window)]
    crowded = [
        (span, units)
        for span, units in usage((hold.interval, hold.units) for hold in holds)
        if span.overlaps(window) and units + ports > bridge.ports
    ]
    if not crowded and ports <= bridge.ports:
        return None
    free = bridge.ports - max((units for _, units in crowded), default=0)
    first = crowded[0][0] if crowded else window
    return Conflict(
        code="ports_exhausted",
        bridge=bridge.code,
        interval=Interval(first.start, crowded[-1][0].end) if crowded else window,
        hold=next((hold for hold in holds if hold.interval.overlaps(first)), None) if crowded else None,
        message=Message(
            "{bridge}: {ports} ports are needed, set-up and release included, and {free} are free.",
            bridge=bridge.name,
            ports=ports,
            free=free,
        ),
    )
