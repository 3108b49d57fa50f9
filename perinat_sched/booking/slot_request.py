"""What a search for common slots asks for, checked field by field under the names of its query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slots import SlotQuery
from perinat_sched.booking.checks import Checks
from perinat_sched.booking.session import Session
from perinat_sched.sites.network import Directory

MOST_SITES = 50
MOST_DAYS = 366
MOST_SLOTS = 500


@dataclass(frozen=True, kw_only=True)
class SlotsAsked:
    """A search as a caller asks for it: the first site is the host; codes are not checked yet."""

    sites: tuple[str, ...]
    optional_sites: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()  # "site:room"
    kind: str | None = None
    network: str | None = None
    duration_minutes: int | None = None  # None: the kind's
    first_day: date
    last_day: date
    timezone: str | None = None  # None: the host's
    after: time | None = None  # the earliest local start
    before: int | None = None  # the latest local end, in minutes after midnight
    weekdays: frozenset[int] = frozenset()  # 0 Monday; none: all
    order: Literal["earliest", "best"] = "earliest"
    limit: int = 20
    step_minutes: int | None = None  # None: the grid
    include_overridable: bool = False
    except_session: str | None = None


def query(asked: SlotsAsked, directory: Directory, before: Session | None) -> SlotQuery:
    """Check a search and resolve its codes. `before` is the session to be moved, whose places count as free.

    Raises InvalidRequest with every wrong field.
    """
    checks = Checks(directory)
    if not 0 < len(asked.sites) + len(asked.optional_sites) <= MOST_SITES or not asked.sites:
        checks.wrong("site", "Name one to {most} sites, the host first.", most=MOST_SITES)
        checks.refuse()
    host = checks.known("site", asked.sites[0], directory.sites)
    sites = checks.participants(asked.sites[0], {"site": asked.sites[1:], "optional_site": asked.optional_sites})
    kind = checks.known("kind", asked.kind, directory.kinds) if asked.kind is not None else None
    network = checks.network(
        asked.network or common_network((*asked.sites, *asked.optional_sites), directory), host, sites
    )
    rooms = checks.rooms(_rooms(asked), asked.sites[0], sites)
    duration = checks.duration(asked.duration_minutes, kind)
    zone = checks.zone(asked.timezone, host)
    _check_days(checks, asked)
    checks.refuse()
    assert network and duration and zone
    return SlotQuery(
        proposal=Proposal(
            network=network,
            kind=kind,
            duration=duration,
            host=asked.sites[0],
            required=asked.sites[1:],
            optional=asked.optional_sites,
            rooms=rooms,
            kept_rooms=before.rooms_held if before else {},
            kept_bridge=before.bridge if before else None,
        ),
        timezone=zone,
        first_day=asked.first_day,
        last_day=asked.last_day,
        after=asked.after,
        before=asked.before,
        weekdays=asked.weekdays,
        order=asked.order,
        limit=asked.limit,
        step_minutes=asked.step_minutes,
        include_overridable=asked.include_overridable,
    )


def common_network(codes: Iterable[str], directory: Directory) -> str | None:
    """The first network that all these sites are in: who looks for an hour need not name it."""
    sites = [directory.sites[code] for code in codes if code in directory.sites]
    return next((code for code in directory.networks if all(code in site.networks for site in sites)), None)


def _rooms(asked: SlotsAsked) -> dict[str, tuple[str, str]]:
    """`site:room` by field; without a colon, the room is unknown under that name."""
    rooms = {}
    for position, text in enumerate(asked.rooms):
        site, _, room = text.partition(":")
        rooms[f"room[{position}]"] = (site, room)
    return rooms


def _check_days(checks: Checks, asked: SlotsAsked) -> None:
    days = (asked.last_day - asked.first_day).days + 1
    if not 0 < days <= MOST_DAYS:
        checks.wrong("to", "Search 1 to {most} days: to is not before from.", most=MOST_DAYS)
    if not 2000 <= asked.first_day.year <= 2100:
        checks.wrong("from", "Search between 2000 and 2100.")
    if not 0 < asked.limit <= MOST_SLOTS:
        checks.wrong("limit", "Ask for 1 to {most} slots.", most=MOST_SLOTS)
    grid = checks.directory.defaults.grid_minutes
    if asked.step_minutes is not None and (asked.step_minutes <= 0 or asked.step_minutes % grid):
        checks.wrong("step_minutes", "A step is a multiple of {grid} minutes.", grid=grid)
    after = asked.after.hour * 60 + asked.after.minute if asked.after else 0
    if asked.before is not None and asked.before <= after:
        checks.wrong("before", "before is later than after, on the same day.")
