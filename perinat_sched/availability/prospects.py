"""What each site, and the bridges, say to a session at every start of a search.

`conflicts.fit` asks them about one start; here the same rules are asked about a year of starts at once, as bits of a
timetable. Which room a site gives changes from start to start, and with it the margins that a bridge must cover:
so a site says at which starts it brings which margins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cached_property

from perinat_sched.availability.conflicts import SITES_WITHOUT_BRIDGE, Code
from perinat_sched.availability.ground import Ground
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.timetable import Runs, Timetable, minus
from perinat_sched.sites.network import Bridge, Limits, Margins, Room, Site

Spread = Mapping[Margins, int]  # margins → the starts at which some place brings them


class Question:
    """A proposal put to a timetable at many starts."""

    def __init__(self, ground: Ground, timetable: Timetable, proposal: Proposal, starts: int) -> None:
        self.ground = ground
        self.directory = ground.directory
        self.timetable = timetable
        self.proposal = proposal
        self.starts = starts
        self.length = self._cells(proposal.duration)
        self._rules: dict[tuple[Limits, Limits], tuple[Margins, bool]] = {}
        self._shared: dict[Runs, int] = {}
        self._late: dict[Limits, int] = {}

    def throughout(self, where: int, free: Runs) -> int:
        """Those of some starts from which something is free until the end."""
        return where if free is self.timetable.always else where & free.starts(self.length)

    def around(self, where: int, margins: Margins, *several: Runs) -> int:
        """Those of some starts from which one of several is free until the end, and in the set-up and release, too."""
        before, after = self._cells(margins.set_up), self._cells(margins.release)
        found = 0
        for free in several:
            if free is self.timetable.always:
                return where
            found |= free.starts(before + self.length + after)
        return where & (found << before)

    def shared(self, free: Runs) -> int:
        """The starts from which something is free until the end: kept, for what many sites have in common."""
        if free not in self._shared:
            self._shared[free] = self.throughout(self.starts, free)
        return self._shared[free]

    def rules(self, site: Site, room: Room | None) -> tuple[Margins, bool]:
        """The margins of a place, and whether the session is longer than it allows."""
        key = site.limits, room.limits if room else Limits()
        if key not in self._rules:
            margins = self.directory.margins(self.proposal.kind, site, room)
            longest = self.directory.max_duration(self.proposal.kind, site, room)
            self._rules[key] = margins, self.proposal.duration > longest
        return self._rules[key]

    @cached_property
    def late(self) -> int:
        """The notice that the kind of session itself asks for is not kept."""
        return self._sooner_than_asked([]) if self._kind_asks else 0

    def late_for(self, site: Site) -> int:
        """The notice that a site asks for is not kept; none where the kind's counts alone."""
        if site.limits not in self._late:
            self._late[site.limits] = 0 if self._kind_asks else self._sooner_than_asked([site])
        return self._late[site.limits]

    @property
    def _kind_asks(self) -> bool:
        kind = self.proposal.kind
        return kind is not None and kind.limits.minimum_notice_hours is not None

    def _sooner_than_asked(self, sites: list[Site]) -> int:
        if "too_late" not in self.proposal.timing:
            return 0
        notice = self.directory.minimum_notice(self.proposal.kind, sites)
        return self.starts & self.timetable.cells.before(self.ground.now + notice)

    def _cells(self, time: timedelta) -> int:
        return time // self.timetable.cells.length


class RoomProspect:
    """One room of a site. Each question is about some starts, and answered by those of them for which it is true.

    Answers are not kept: for many rooms, memory costs more than finding them again.
    """

    __slots__ = ("_question", "margins", "room", "too_long")

    def __init__(self, question: Question, site: Site, room: Room) -> None:
        self.room = room
        self.margins, self.too_long = question.rules(site, room)
        self._question = question

    def clear(self, where: int) -> int:
        """Nothing speaks against the room, nor against the session's length in it."""
        return 0 if self.too_long else self.quiet(where)

    def quiet(self, where: int) -> int:
        """Nothing speaks against the room."""
        return self.undisturbed(self.not_elsewhere(where))

    @property
    def never_elsewhere(self) -> bool:
        timetable = self._question.timetable
        return timetable.unclosed(self.room.code) is timetable.always

    def undisturbed(self, where: int) -> int:
        """No other session, nor set-up or release of one, meets this one's."""
        return self._question.around(where, self.margins, self._question.timetable.undisturbed(self.room.code))

    def not_elsewhere(self, where: int) -> int:
        return self._question.throughout(where, self._question.timetable.unclosed(self.room.code))

    def untaken(self, where: int) -> int:
        """No other session is held in the room: an override would give it."""
        return self._question.throughout(where, self._question.timetable.untaken(self.room.code))

    def anyhow(self, where: int) -> int:
        return where


class SiteProspect:
    """One site: whether it can take part, in which room, and what speaks against it."""

    def __init__(self, question: Question, site: Site) -> None:
        proposal = question.proposal
        asked, kept = proposal.rooms.get(site.code), proposal.kept_rooms.get(site.code)
        rooms = site.rooms if asked is None else [room for room in site.rooms if room.code == asked]
        self.site = site
        self.settled = site.code in proposal.settled
        self.rooms = [RoomProspect(question, site, r) for r in sorted(rooms, key=lambda room: room.code != kept)]
        self._question = question

    def free(self) -> int:
        """Nothing speaks against this site's taking part; its length and notice apart."""
        if self.settled or not self.site.active:
            return self.possible()
        return self.open() & self.unclosed() & self.roomy

    def possible(self) -> int:
        """Nothing speaks against it that could not be overridden."""
        return self.obtainable() if self.site.active else 0

    def joining(self) -> int:
        """As an optional site it takes part, if the bridge has a port for it."""
        return self.free() if self.settled else minus(self.free(), self.too_long())

    @cached_property
    def refused(self) -> int:
        """As the host or a required site it refuses."""
        refused = self._question.starts ^ self.free()
        for more in (self.late(), self.too_long_to_book()):
            refused = refused | more if more else refused
        return refused

    def open(self) -> int:
        return self._question.shared(self._question.timetable.open(self.site))

    def unclosed(self) -> int:
        return self._question.shared(self._question.timetable.unclosed(self.site.code))

    @cached_property
    def roomy(self) -> int:
        """Nothing speaks against the room it gives, or it needs none."""
        if not self.rooms:
            return self._question.starts
        if any(room.too_long for room in self.rooms):
            return any_of(room.quiet(where) for room, where in self.giving(self._question.starts))
        question, found = self._question, 0
        alike: dict[Margins, list[Runs]] = {}
        for room in self.rooms:
            if room.never_elsewhere:
                alike.setdefault(room.margins, []).append(question.timetable.undisturbed(room.room.code))
            else:
                found |= room.clear(question.starts)
        for margins, rooms in alike.items():
            found |= question.around(question.starts, margins, *rooms)
        return found

    def obtainable(self) -> int:
        """No other session is held in one of its rooms, or it needs none."""
        starts = self._question.starts
        return any_of(room.untaken(starts) for room in self.rooms) if self.rooms else starts

    def late(self) -> int:
        """The notice that this site itself asks for is not kept."""
        return self._question.late_for(self.site)

    def too_long(self) -> int:
        """The session is longer than this site, or the room it gives, allows."""
        if not self.rooms:
            _, too_long = self._question.rules(self.site, None)
            return self._question.starts if too_long else 0
        if not any(room.too_long for room in self.rooms):
            return 0
        return any_of(where for room, where in self.giving(self._question.starts) if room.too_long)

    def too_long_to_book(self) -> int:
        return self.too_long() if "too_long" in self._question.proposal.timing else 0

    @cached_property
    def spread(self) -> Spread:
        """With which margins its place is held, whatever speaks against it."""
        if not self.rooms:
            margins, _ = self._question.rules(self.site, None)
            return {margins: self._question.starts}
        if len({room.margins for room in self.rooms}) == 1:
            return {self.rooms[0].margins: self._question.starts}
        return together({room.margins: where} for room, where in self.giving(self._question.starts))

    def giving(self, where: int) -> Iterator[tuple[RoomProspect, int]]:
        """Which room the site gives: the first that is clear, else the first to override, else the first."""
        for answer in (RoomProspect.clear, RoomProspect.untaken, RoomProspect.anyhow):
            for room in self.rooms:
                if where and (given := answer(room, where)):
                    yield room, given
                    where ^= given

    def reasons(self, where: int) -> Iterator[tuple[Code, int]]:
        """Each code this site may give, and against which of the starts `where` it does."""
        yield "site_inactive", 0 if self.site.active else where
        yield "too_late", where & self.late()
        yield "too_long", where & self.too_long_to_book()
        stuck = where if self.settled else minus(where, self.roomy)
        elsewhere = overlap = 0
        for room in self.rooms:
            if not stuck:
                break
            given = room.untaken(stuck)  # no room is clear there: this is the first to override
            stuck ^= given
            busy = given ^ room.not_elsewhere(given)
            elsewhere |= busy
            # Where nothing else speaks against the room, it is another session's set-up or release that does.
            overlap |= given ^ room.undisturbed(given) if busy or room.too_long else given
        yield "room_taken", stuck if self.rooms else 0
        if not self.settled:
            yield "room_busy_elsewhere", elsewhere
            yield "set_up_overlap", overlap
            yield "outside_hours", minus(where, self.open())
            yield "site_closed", minus(where, self.unclosed())


class Bridging:
    """The bridges of the proposal's network: which of them carries how many ports."""

    def __init__(self, question: Question) -> None:
        proposal = question.proposal
        bridges = question.directory.bridges_of(proposal.network)
        self.bridges: list[Bridge] = sorted(bridges, key=lambda bridge: bridge.code != proposal.kept_bridge)
        self._question = question

    def carrying(self, bridge: Bridge, ports: int, spread: Spread) -> int:
        """Where a bridge is not closed and has `ports` free, throughout the margins of all places."""
        if ports > bridge.ports:
            return 0
        question, timetable = self._question, self._question.timetable
        spare = timetable.spare(bridge, ports)
        found = question.throughout(question.starts, timetable.unclosed(bridge.code))
        for margins, where in spread.items():
            if where:
                found &= question.around(question.starts, margins, spare) | (question.starts ^ where)
        return found

    def carried(self, ports: int, spread: Spread) -> int:
        """Where no bridge is needed, or one of them carries the session."""
        if ports <= SITES_WITHOUT_BRIDGE:
            return self._question.starts
        return any_of(self.carrying(bridge, ports, spread) for bridge in self.bridges)


def together(spreads: Iterable[Spread]) -> Spread:
    """The margins that some place of several brings."""
    total: dict[Margins, int] = {}
    for spread in spreads:
        for margins, where in spread.items():
            total[margins] = total.get(margins, 0) | where
    return total


def any_of(sets: Iterable[int]) -> int:
    """The starts in any of the sets."""
    found = 0
    for bits in sets:
        found |= bits
    return found
