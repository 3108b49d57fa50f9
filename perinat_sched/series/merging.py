"""What a change of a series means for one occurrence that may have been changed alone.

What an occurrence still shares with its series follows the series; what was changed for it alone stays. So nothing
need be marked as an exception: an exception is what differs from the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from perinat_sched.booking.session import Draft, Session
from perinat_sched.series.series import Series

PLAIN = ("kind", "title", "description", "network", "duration", "join_url", "access_code")


def as_drafted(session: Session) -> Draft:
    """A booked session as it would be asked for."""
    others = session.participations[1:]
    return Draft(
        kind=session.kind,
        title=session.title,
        description=session.description,
        network=session.network,
        host_site=session.host_site,
        wall_start=session.wall_start,
        timezone=session.timezone,
        fold=session.fold,
        start=session.start,
        duration=session.duration,
        required_sites=tuple(p.site for p in others if p.required),
        optional_sites=tuple(p.site for p in others if not p.required),
        rooms=session.rooms_asked,
        join_url=session.join_url,
        access_code=session.access_code,
        override_reason=session.override_reason,
    )


def merged(session: Session, old: Series, new: Series, wall: datetime) -> Draft:
    """An occurrence after its series changed from `old` to `new`, which has it at `wall`.

    Raises SkippedLocalTime, RepeatedLocalTime.
    """
    present, before, after = as_drafted(session), old.session, new.session
    plain: dict[str, Any] = {
        name: _kept(getattr(present, name), getattr(before, name), getattr(after, name)) for name in PLAIN
    }
    required = _sites(present.required_sites, before.required_sites, after.required_sites)
    optional = tuple(
        site for site in _sites(present.optional_sites, before.optional_sites, after.optional_sites)
        if site not in required
    )  # fmt: skip
    sites = {present.host_site, *required, *optional}
    rooms = _rooms(present.rooms, before.rooms, after.rooms)
    draft = replace(
        present,
        **plain,
        required_sites=required,
        optional_sites=optional,
        rooms={site: room for site, room in rooms.items() if site in sites},
    )
    unmoved = (present.wall_start, present.timezone) == (session.recurrence, before.timezone)
    if not unmoved:
        return draft
    on = new.on(wall)
    return replace(draft, wall_start=on.wall_start, timezone=on.timezone, fold=on.fold, start=on.start)


def _kept(present: object, before: object, after: object) -> object:
    return after if present == before else present


def _sites(present: tuple[str, ...], before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """The new list, with those that were added here alone and without those that were taken away here alone."""
    if present == before:
        return after
    gone, added = set(before) - set(present), [site for site in present if site not in before]
    return tuple(dict.fromkeys([*(site for site in after if site not in gone), *added]))


def _rooms(present: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    sites = dict.fromkeys([*after, *present])
    found = {site: after.get(site) if present.get(site) == before.get(site) else present.get(site) for site in sites}
    return {site: room for site, room in found.items() if room is not None}
