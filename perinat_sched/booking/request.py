"""What a coordinator asks for, checked field by field before anything is decided.

A request names things by their codes and an hour by the clock of a place; a `Draft` knows them. All that is wrong is
said at once. A change is read as the session asked for anew with some fields replaced, so that booking and changing
know the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Final, TypedDict

from perinat_sched import texts, zones
from perinat_sched.booking.checks import Checks, instant
from perinat_sched.booking.session import Draft, Session
from perinat_sched.errors import InvalidRequest
from perinat_sched.sites.network import Directory, Kind, Site

YEARS_AHEAD = 5
LONGEST_REASON = 1000
HOUR = frozenset(("start", "timezone", "fold"))
WORDS = frozenset(("title", "description", "join_url", "access_code", "override_reason"))  # what takes no place
FREE_TEXTS = ("title", "description", "access_code", "override_reason")


class _Unset(Enum):
    UNSET = "unset"


UNSET: Final = _Unset.UNSET


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A session as a caller asks for it: codes, texts and an hour, none of them checked."""

    kind: str
    host_site: str
    start: str  # a wall time YYYY-MM-DDTHH:MM, or an RFC 3339 instant
    title: str | None = None  # None: the kind's neutral title, in the host's language
    description: str = ""
    network: str | None = None  # None: the host's only one
    timezone: str | None = None  # None: the host's
    fold: int | None = None
    duration_minutes: int | None = None  # None: the kind's
    required_sites: tuple[str, ...] = ()
    optional_sites: tuple[str, ...] = ()
    rooms: Mapping[str, str] = field(default_factory=dict)
    join_url: str | None = None
    access_code: str | None = None
    override_reason: str | None = None
    no_patient_data: bool = False


class _Words(TypedDict):
    """The texts of a draft."""

    title: str
    description: str
    join_url: str | None
    access_code: str | None
    override_reason: str | None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The fields of a session to be replaced; the host never is."""

    kind: str | _Unset = UNSET
    start: str | _Unset = UNSET
    title: str | _Unset | None = UNSET
    description: str | _Unset = UNSET
    network: str | _Unset = UNSET
    timezone: str | _Unset = UNSET
    fold: int | _Unset | None = UNSET
    duration_minutes: int | _Unset | None = UNSET
    required_sites: tuple[str, ...] | _Unset = UNSET
    optional_sites: tuple[str, ...] | _Unset = UNSET
    rooms: Mapping[str, str] | _Unset = UNSET
    join_url: str | _Unset | None = UNSET
    access_code: str | _Unset | None = UNSET
    override_reason: str | _Unset | None = UNSET
    no_patient_data: bool = False

    def named(self) -> frozenset[str]:
        """The fields that are given."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is not UNSET)

    @property
    def overrides(self) -> bool:
        """Whether a reason to override is given with these changes; an older one does not count."""
        return isinstance(self.override_reason, str)

    def applied_to(self, session: Session) -> Asked:
        """The session as it would be asked for today, with these fields replaced."""
        given = {name: getattr(self, name) for name in self.named()}
        if {"start", "timezone"} & given.keys():
            given.setdefault("fold", None)  # the hour is another one: which pass it means must be said again
        asked = replace(asked_again(session), **given)
        if "rooms" in given:
            return asked
        sites = {asked.host_site, *asked.required_sites, *asked.optional_sites}
        return replace(asked, rooms={site: room for site, room in asked.rooms.items() if site in sites})


def asked_again(session: Session) -> Asked:
    """A booked session as a request for the same."""
    others = session.participations[1:]
    return Asked(
        kind=session.kind,
        host_site=session.host_site,
        start=f"{session.wall_start:%Y-%m-%dT%H:%M}",
        title=session.title,
        description=session.description,
        network=session.network,
        timezone=session.timezone,
        fold=session.fold,
        duration_minutes=int(session.duration.total_seconds() // 60),
        required_sites=tuple(p.site for p in others if p.required),
        optional_sites=tuple(p.site for p in others if not p.required),
        rooms=session.rooms_asked,
        join_url=session.join_url,
        access_code=session.access_code,
        override_reason=session.override_reason,
    )


def redraft(changes: Changes, before: Session, directory: Directory, now: datetime) -> Draft:
    """A booked session with some fields replaced, these checked.

    Where only words change, its codes are not looked up again: a session whose site or room left the configuration
    can still be renamed. Raises what `draft` raises.
    """
    asked, fresh = changes.applied_to(before), changes.named()
    if not fresh <= WORDS | {"no_patient_data"}:
        return draft(asked, directory, now, before=before, fresh=fresh)
    kind, host = directory.kinds.get(before.kind), directory.sites.get(before.host_site)
    if not (kind and host) and asked.title is None:
        asked = replace(asked, title=before.title)  # there is none to propose
    said = _texts(Checks(directory), asked, directory, kind, host, fresh)
    return Draft(
        kind=before.kind,
        network=before.network,
        host_site=before.host_site,
        wall_start=before.wall_start,
        timezone=before.timezone,
        fold=before.fold,
        start=before.start,
        duration=before.duration,
        required_sites=asked.required_sites,
        optional_sites=asked.optional_sites,
        rooms=asked.rooms,
        **_words(said),
    )


def draft(
    asked: Asked,
    directory: Directory,
    now: datetime,
    *,
    before: Session | None = None,
    fresh: Collection[str] | None = None,
) -> Draft:
    """Check a request and resolve its codes and its hour.

    `before` is the session that it changes, and `fresh` names the fields that are given now (None: all): a text that
    was accepted before is not judged again, nor an hour that the clocks have come to skip since.
    Raises InvalidRequest with every wrong field, SkippedLocalTime, RepeatedLocalTime, HealthDataSuspected.
    """
    checks = Checks(directory)
    host = checks.known("host_site", asked.host_site, directory.sites)
    kind = checks.known("kind", asked.kind, directory.kinds)
    sites = checks.participants(
        asked.host_site, {"required_sites": asked.required_sites, "optional_sites": asked.optional_sites}
    )
    network = checks.network(asked.network, host, sites)
    checks.rooms({f"rooms.{site}": (site, room) for site, room in asked.rooms.items()}, asked.host_site, sites)
    # What follows from an unknown kind or host is not held against the caller, too.
    duration = (
        None if kind is None and asked.duration_minutes is None else checks.duration(asked.duration_minutes, kind)
    )
    zone = checks.zone(asked.timezone, host)
    said = _texts(checks, asked, directory, kind, host, FREE_TEXTS if fresh is None else fresh)
    assert host and kind and network and zone and duration
    if before is not None and fresh is not None and HOUR.isdisjoint(fresh):
        wall, fold, start = before.wall_start, before.fold, before.start
    else:
        wall, fold, start = hour(asked.start, zone, asked.fold, directory.defaults.grid_minutes, now)
    return Draft(
        kind=kind.code,
        network=network,
        host_site=host.code,
        wall_start=wall,
        timezone=zone,
        fold=fold,
        start=start,
        duration=duration,
        required_sites=asked.required_sites,
        optional_sites=asked.optional_sites,
        rooms=asked.rooms,
        **_words(said),
    )


def hour(text: str, zone: str, fold: int | None, grid: int, now: datetime) -> tuple[datetime, int, datetime]:
    """The wall time in `zone`, its fold, and the instant (UTC) that a requested start means."""
    wall, given = wall_time(text, zone, grid, now)
    start = given or zones.to_utc(wall, zone, fold)
    return wall, zones.to_local(start, zone).fold, start


def refuse_year(field_name: str, year: int, now: datetime) -> None:
    """Raise InvalidRequest where nobody books: long ago, or in a far future."""
    if not 2000 <= year <= now.year + YEARS_AHEAD:
        raise InvalidRequest.of(field_name, "Choose a year between 2000 and {last}.", last=now.year + YEARS_AHEAD)


def wall_time(text: str, zone: str, grid: int, now: datetime) -> tuple[datetime, datetime | None]:
    """The wall time in `zone` of a requested start, and the instant (UTC) where it is given as one."""
    given = instant("start", text)
    named = given or zones.parse_wall(text, "start")
    refuse_year("start", named.year, now)
    wall = zones.to_local(given, zone).replace(tzinfo=None, fold=0) if given else named
    if wall.second or wall.microsecond or (wall.hour * 60 + wall.minute) % grid:
        raise InvalidRequest.of("start", "Sessions start at multiples of {grid} minutes.", grid=grid)
    return wall, given


def _texts(
    checks: Checks, asked: Asked, directory: Directory, kind: Kind | None, host: Site | None, fresh: Collection[str]
) -> dict[str, str | None]:
    """The texts, cleaned; those that are given now are searched for health data."""
    required = partial(texts.one_line, required=True)
    title = asked.title if asked.title is not None else kind.title[host.language] if kind and host else None
    said = {
        "title": _optional(checks, required, "title", title),
        "description": checks.text("description", lambda: texts.paragraph("description", asked.description)),
        "access_code": _optional(checks, required, "access_code", asked.access_code),
        "override_reason": _optional(checks, required, "override_reason", asked.override_reason),
        "join_url": _optional(checks, texts.join_url, "join_url", asked.join_url),
    }
    checks.refuse()
    typed = {name: said[name] or "" for name in FREE_TEXTS if name in fresh and getattr(asked, name)}
    texts.refuse_health_data(typed, known=known_words(directory), confirmed=asked.no_patient_data)
    return said


def _words(said: Mapping[str, str | None]) -> _Words:
    return _Words(
        title=said["title"] or "",
        description=said["description"] or "",
        join_url=said["join_url"],
        access_code=said["access_code"],
        override_reason=said["override_reason"],
    )


def _optional(checks: Checks, check: Callable[[str, str], str], field_name: str, text: str | None) -> str | None:
    return None if text is None else checks.text(field_name, lambda: check(field_name, text))


def known_words(directory: Directory) -> list[str]:
    """Names of sites, rooms and titles: they never count as health data."""
    titles = [title for kind in directory.kinds.values() for title in (*kind.title.values(), *kind.name.values())]
    return [*titles, *(site.name for site in directory.sites.values()), *(r.name for r in directory.rooms.values())]


def checked_text(field_name: str, text: str, directory: Directory, *, sure: bool) -> str:
    """A longer text on its own (a comment, a reason), cleaned and searched for health data."""
    clean = texts.paragraph(field_name, text, limit=LONGEST_REASON)
    texts.refuse_health_data({field_name: clean}, known=known_words(directory), confirmed=sure)
    return clean
