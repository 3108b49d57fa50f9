"""A session: several sites meet by videoconference, at a wall time of its host.

The wall time and its zone are the truth, the instant is derived from them and stamped with the tzdata version that
gave it. Values only: `rules` decides, `store` keeps, `actions` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from perinat_sched.intervals import Interval
from perinat_sched.people.access import Subject

Status = Literal["tentative", "confirmed", "cancelled"]
Answer = Literal["pending", "accepted", "declined", "tentative"]
CancellationCode = Literal["cancelled", "postponed", "no_case", "no_show", "staffing", "technical"]
WarningCode = Literal["unusual-local-time", "optional-site-not-free", "place-lost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Participation:
    """One site's part in a session."""

    site: str
    required: bool  # the host is
    room: str | None  # None: a partner without rooms, or no place held
    room_asked: bool = False  # the coordinator named this room
    answer: Answer
    held: bool  # the site holds its place: room, and a port where there is a bridge
    overridden: bool = False  # its hours, closure or room were overridden: its contacts are told why
    comment: str = ""
    lost: bool = False  # held its place until the ground moved (`ground_moves`)
    lost_room: str | None = None  # the room of that place


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A session as it is asked for: codes known, hour resolved, texts checked. Nothing is decided yet."""

    kind: str
    title: str
    description: str
    network: str
    host_site: str
    wall_start: datetime  # naive, in `timezone`
    timezone: str
    fold: int  # 1: the second pass of a repeated hour
    start: datetime  # UTC
    duration: timedelta
    required_sites: tuple[str, ...]  # without the host
    optional_sites: tuple[str, ...]
    rooms: Mapping[str, str] = field(default_factory=dict)  # site → room asked for
    join_url: str | None = None
    access_code: str | None = None
    override_reason: str | None = None

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.start + self.duration)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A booked session, as the database knows it."""

    id: str
    uid: str  # iCalendar's; all sessions of a series share it
    revision: int  # counts every change, answers included: the ETag
    sequence: int  # iCalendar's SEQUENCE: changes of time, sites, rooms, link and status
    status: Status
    kind: str
    title: str
    description: str
    network: str
    host_site: str
    wall_start: datetime  # naive, in `timezone`
    timezone: str
    fold: int
    start: datetime  # UTC, derived
    duration: timedelta
    tzdata_version: str  # which gave `start`
    participations: tuple[Participation, ...]  # the host first, required, optional, in the order given
    bridge: str | None
    ports: int
    bridge_lost: bool = False  # needs a bridge and had one until the ground moved
    join_url: str | None
    access_code: str | None  # for sites that accepted; never in a feed
    override_reason: str | None
    series: str | None = None  # the id of the series this is an occurrence of
    recurrence: datetime | None = None  # the wall time (naive) at which its series has it, wherever it was moved to
    cancellation_code: CancellationCode | None = None
    cancellation_reason: str = ""
    created_at: datetime
    updated_at: datetime

    @property
    def end(self) -> datetime:
        return self.start + self.duration

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)

    @property
    def sites(self) -> frozenset[str]:
        return frozenset(p.site for p in self.participations)

    @property
    def subject(self) -> Subject:
        """What rights depend on in it."""
        return Subject(host_site=self.host_site, sites=self.sites, network=self.network)

    @property
    def rooms_held(self) -> dict[str, str]:
        """The room of each site that holds one."""
        return {p.site: p.room for p in self.participations if p.held and p.room}

    @property
    def rooms_asked(self) -> dict[str, str]:
        """The rooms that a coordinator named, by site."""
        return {p.site: p.room for p in self.participations if p.room_asked and p.room}

    def participation(self, site: str) -> Participation | None:
        return next((p for p in self.participations if p.site == site), None)

    def taking_part(self) -> Iterator[Participation]:
        """Those who have not declined."""
        return (p for p in self.participations if p.answer != "declined")
