"""Who may see and do what: the rights table of the installation, on one page.

A site decides for itself, a network has its coordination, a clinician reads along. Every right follows from the
sites and networks that a token names. There is one table (`_TABLE`) and one question, `may`; what somebody sees of a
session is `sight`. Nothing here knows a database or HTTP: ids from a body are asked about like ids from a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from perinat_sched.sites.network import Directory

Role = Literal["admin", "coordinator", "clinician"]
Sight = Literal["full", "kind", "none"]  # kind: kind and time only
Scope = Literal["site", "person", "room", "network"]
Detail = Literal["full", "kind", "busy"]
Action = Literal[
    "read_directory",  # sites, rooms, bridges, networks, kinds, closures
    "search",
    "read_sessions",  # of a Subject: at least its kind and time
    "book",  # of a Subject: only its host and network matter
    "change",  # of a Subject: change, cancel, take up again, send a failed mail again
    "read_notices",  # of a SiteRef with its session: the mails to that site about it
    "answer",  # of a SiteRef with its session
    "close",  # of a SiteRef, RoomRef or BridgeRef: enter and remove closures
    "feed",  # of a FeedScope
    "figures",  # of a NetworkRef: what it did in a year
    "tokens",
    "audit",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Somebody signed in: what a token says of its bearer."""

    token: str  # the token's id, never the token itself
    role: Role
    sites: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    person: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What rights depend on in a session: its host, the sites that take part, its network."""

    host_site: str
    sites: frozenset[str]
    network: str

    @classmethod
    def of(cls, host_site: str, sites: Iterable[str], network: str) -> Subject:
        """The host takes part, whether or not `sites` names it."""
        return cls(host_site=host_site, sites=frozenset(sites) | {host_site}, network=network)


@dataclass(frozen=True, slots=True)
class SiteRef:
    """A site, by its code: as a place that closes, or as one that takes part in a session."""

    site: str
    session: Subject | None = None


@dataclass(frozen=True, slots=True)
class RoomRef:
    """A room, by its code."""

    room: str


@dataclass(frozen=True, slots=True)
class BridgeRef:
    """A bridge, by its code: many networks share it, so only administrators close it."""

    bridge: str


@dataclass(frozen=True, slots=True)
class NetworkRef:
    """A network, by its code."""

    network: str


@dataclass(frozen=True, slots=True)
class FeedScope:
    """What a feed shows: the sessions of a site, person, room or network."""

    scope: Scope
    of: str


Object = Subject | SiteRef | RoomRef | BridgeRef | NetworkRef | FeedScope | None
Rule = Callable[[Actor, Object, Directory], bool]


def sight(actor: Actor, subject: Subject, directory: Directory) -> Sight:
    """What somebody sees of a session; "none": for them it does not exist."""
    if actor.role == "admin" or actor.sites & (subject.sites | {subject.host_site}):
        return "full"
    if actor.role == "clinician":
        return "none"
    if subject.network in actor.networks:
        return "full"
    return "kind" if subject.network in networks_of(actor.sites, directory) else "none"


def may(actor: Actor, action: Action, object: Object, directory: Directory) -> bool:
    """Whether somebody may do something to something: the table below; administrators may do everything.

    What may not even be seen is "not found" at the edge, not "forbidden": ask `sight` first.
    """
    if actor.role == "admin":
        return True
    coordinator, clinician = _TABLE[action]
    return (coordinator if actor.role == "coordinator" else clinician)(actor, object, directory)


def feed_detail(actor: Actor, scope: Scope, of: str, subject: Subject, asked: Detail, directory: Directory) -> Detail:
    """How much of a session a feed of this owner shows: never more than asked, nor than its owner sees today.

    Who may no longer have the feed at all (the configuration changed since) is left with busy times.
    """
    allowed = may(actor, "feed", FeedScope(scope, of), directory)
    seen = sight(actor, subject, directory) if allowed else "none"
    cap: Detail = "busy" if seen == "none" else seen
    return max(asked, cap, key=("full", "kind", "busy").index)


def networks_of(sites: frozenset[str] | set[str], directory: Directory) -> frozenset[str]:
    """The networks these sites are in; a site that left the configuration is in none."""
    return frozenset(n for code in sites if code in directory.sites for n in directory.sites[code].networks)


def _everybody(actor: Actor, object: Object, directory: Directory) -> bool:
    return True


def _nobody(actor: Actor, object: Object, directory: Directory) -> bool:
    return False


def _sees(actor: Actor, object: Object, directory: Directory) -> bool:
    return isinstance(object, Subject) and sight(actor, object, directory) != "none"


def _acts_for(actor: Actor, object: Object, directory: Directory) -> bool:
    """For an own site; and for any site of an own network in the sessions of that network, in no others."""
    match object:
        case Subject(host_site=host):
            return _acts_for(actor, SiteRef(host, object), directory)
        case SiteRef(site, Subject(network=network)):
            return site in actor.sites or network in actor.networks & networks_of({site}, directory)
    return False


def _hears(actor: Actor, object: Object, directory: Directory) -> bool:
    """The mails to an own site; all of them about a session that an own site hosts or that one may change."""
    match object:
        case SiteRef(site, Subject(host_site=host) as session):
            return bool(actor.sites & {site, host}) or _acts_for(actor, session, directory)
    return False


def _keeps(actor: Actor, object: Object, directory: Directory) -> bool:
    """Own sites and the sites of own networks, and their rooms."""
    match object:
        case SiteRef(site):
            return site in actor.sites or bool(actor.networks & networks_of({site}, directory))
        case RoomRef(room) if room in directory.rooms:
            return _keeps(actor, SiteRef(directory.rooms[room].site), directory)
    return False


def _publishes(actor: Actor, object: Object, directory: Directory) -> bool:
    """Own sites and networks, the sites and rooms in them, and the networks one's sites are in."""
    match object:
        case FeedScope("site", site):
            return _keeps(actor, SiteRef(site), directory)
        case FeedScope("room", room):
            return _keeps(actor, RoomRef(room), directory)
        case FeedScope("network", network):
            return network in actor.networks | networks_of(actor.sites, directory)
    return _subscribes(actor, object, directory)


def _subscribes(actor: Actor, object: Object, directory: Directory) -> bool:
    """Oneself and one's own sites."""
    match object:
        case FeedScope("site", site):
            return site in actor.sites
        case FeedScope("person", person):
            return person == actor.person
    return False


def _coordinates(actor: Actor, object: Object, directory: Directory) -> bool:
    """An own network."""
    return isinstance(object, NetworkRef) and object.network in actor.networks


_TABLE: Mapping[Action, tuple[Rule, Rule]] = {
    # action          coordinator  clinician
    "read_directory": (_everybody, _everybody),
    "search": (_everybody, _everybody),
    "read_sessions": (_sees, _sees),
    "book": (_acts_for, _nobody),
    "change": (_acts_for, _nobody),
    "read_notices": (_hears, _hears),
    "answer": (_acts_for, _nobody),
    "close": (_keeps, _nobody),
    "feed": (_publishes, _subscribes),
    "figures": (_coordinates, _nobody),
    "tokens": (_nobody, _nobody),
    "audit": (_nobody, _nobody),
}
