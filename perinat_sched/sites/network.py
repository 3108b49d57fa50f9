"""The network as it is configured: sites, rooms, bridges, kinds of session.

Frozen values with no I/O; `settings` reads them from `config/network.toml`. Codes are what people and programs name
things by; a site is a place with its own clock, hours and holidays, and decides for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Language = Literal["fr", "en"]
SiteKind = Literal["maternity", "hospital", "partner"]
MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What may be said again by a site, a room or a kind; None: not said here."""

    set_up_minutes: int | None = None
    release_minutes: int | None = None
    minimum_notice_hours: int | None = None  # never said by a room
    max_duration_minutes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds where nobody says otherwise."""

    set_up_minutes: int = 30
    release_minutes: int = 15
    minimum_notice_hours: int = 24
    max_duration_minutes: int = 480
    grid_minutes: int = 5  # starts (wall time) and durations are multiples of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A care network: who may meet whom, over which bridges."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bridge:
    """A multipoint bridge (MCU): one port for each participating endpoint."""

    code: str
    name: str
    ports: int
    networks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminder:
    """A lead time before the start: days in wall time, the rest in elapsed time (ISO 8601, `P1D`, `PT1H`)."""

    text: str
    days: int
    rest: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """The night in which nobody is reminded, in minutes of the reader's local day."""

    begins: int
    ends: int  # of the next day where it is not later


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of session: its names, its neutral title, its usual length."""

    code: str
    name: Mapping[str, str]  # by language
    title: Mapping[str, str]  # by language; what may stand in anybody's calendar
    priority: Literal["clinical", "teaching", "administration", "technical"]
    duration_minutes: int
    reminders: tuple[Reminder, ...]
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningHours:
    """Open on these weekdays (0 Monday … 6 Sunday), from and to in minutes of the local day; to ≤ 1440."""

    weekdays: frozenset[int]
    opens: int
    closes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A maternity's level of care since a date: levels change, old sessions keep the old label."""

    since: date
    level: Literal["I", "IIA", "IIB", "III"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A room holds one session at a time; its endpoint is what the bridge dials."""

    code: str  # unique over the installation
    site: str
    name: str
    seats: int | None = None
    endpoint: str | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """An establishment that takes part. A partner without rooms takes a port and holds no room."""

    code: str
    name: str
    kind: SiteKind = "maternity"
    legal_status: Literal["public", "private", "espic"] = "public"
    levels: tuple[Level, ...] = ()
    finess: str | None = None
    city: str | None = None
    phone: str | None = None
    timezone: str
    holidays: str = ""  # as the holidays package names them: "FR", "FR-974", "CA-QC"
    language: Language = "fr"
    networks: tuple[str, ...]
    answers: Literal["automatic", "by_hand"] = "automatic"
    contacts: tuple[str, ...] = ()
    active: bool = True
    calendars: tuple[str, ...] = ()  # shared closure calendars, besides calendars/<code>.ics
    opening_hours: tuple[OpeningHours, ...]
    rooms: tuple[Room, ...] = ()
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Margins:
    """Set-up before and release after a session, at one place."""

    set_up: timedelta
    release: timedelta


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Everything configured, by code and in the order of the file."""

    networks: Mapping[str, Network]
    bridges: Mapping[str, Bridge]
    kinds: Mapping[str, Kind]
    sites: Mapping[str, Site]
    rooms: Mapping[str, Room]
    defaults: Defaults
    quiet_hours: QuietHours | None = None

    def bridges_of(self, network: str) -> list[Bridge]:
        """The bridges a network's sessions may use, the preferred one first."""
        return [bridge for bridge in self.bridges.values() if network in bridge.networks]

    def margins(self, kind: Kind | None, site: Site, room: Room | None) -> Margins:
        """Set-up and release: the kind's, else the room's, else the site's, else the default."""
        voices = [voice.limits for voice in (kind, room, site) if voice is not None]

        def said(name: str) -> timedelta:
            minutes = next((m for v in voices if (m := getattr(v, name)) is not None), None)
            return timedelta(minutes=getattr(self.defaults, name) if minutes is None else minutes)

        return Margins(set_up=said("set_up_minutes"), release=said("release_minutes"))

    def longest_margin(self) -> timedelta:
        """The longest set-up or release that anybody says."""
        limits = [kind.limits for kind in self.kinds.values()] + [room.limits for room in self.rooms.values()]
        limits += [site.limits for site in self.sites.values()]
        said = [minutes for each in limits for minutes in (each.set_up_minutes, each.release_minutes) if minutes]
        return timedelta(minutes=max(self.defaults.set_up_minutes, self.defaults.release_minutes, *said))

    def minimum_notice(self, kind: Kind | None, sites: list[Site]) -> timedelta:
        """How long ahead a session must be booked: the kind's, else the largest of the sites'."""
        if kind is not None and kind.limits.minimum_notice_hours is not None:
            return timedelta(hours=kind.limits.minimum_notice_hours)
        default = self.defaults.minimum_notice_hours
        hours = [default if s.limits.minimum_notice_hours is None else s.limits.minimum_notice_hours for s in sites]
        return timedelta(hours=max(hours, default=default))

    def max_duration(self, kind: Kind | None, site: Site, room: Room | None = None) -> timedelta:
        """How long a session may be at a place: the smallest of what kind, site and room say, else the default."""
        voices = [voice.limits.max_duration_minutes for voice in (kind, site, room) if voice is not None]
        return timedelta(minutes=min((m for m in voices if m is not None), default=self.defaults.max_duration_minutes))
