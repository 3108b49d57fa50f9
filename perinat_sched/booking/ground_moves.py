"""When the ground moves: other rules of clocks, another configuration, other calendars, under booked sessions.

A session was agreed upon as a wall time in a zone. So its instant follows the clocks, and it keeps that hour whatever
else has changed: what no longer fits is only the place, a site's room and port, or the bridge. Sessions are put upon
the new ground one after the other in the order in which they were booked, so that of two the one booked later loses.
Should the ground move back (a mistake in the configuration was mended), what was lost comes back, where it is free.

Only what moved counts. What was overridden, or agreed to all the same, does not speak against a place again; nor do
closures that people entered afterwards, who saw then which sessions they hit; nor does a set-up that overlaps another
session's, for both can take place. Decided on values; `recalculation` reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from perinat_sched import zones
from perinat_sched.availability.conflicts import Conflict, Fit, fit
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.booking import answers, rules
from perinat_sched.booking.session import Participation, Session
from perinat_sched.booking.store import Held, held_by
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory


@dataclass(frozen=True, kw_only=True)
class Resettled:
    """A session on the new ground: as it was, as it is now, what it takes, and what speaks against lost places."""

    before: Session
    after: Session  # `before` itself where nothing changed
    taken: Sequence[Held]
    conflicts: Sequence[Conflict]

    @property
    def moved(self) -> bool:
        return self.after.start != self.before.start

    @property
    def lost(self) -> list[str]:
        """What no longer fits: sites, "bridge"."""
        return _newly(_lost(self.after), _lost(self.before))

    @property
    def back(self) -> list[str]:
        """What was lost earlier and fits again."""
        return _newly(_lost(self.before), _lost(self.after))


def _lost(session: Session) -> list[str]:
    return [p.site for p in session.participations if p.lost] + ["bridge"] * session.bridge_lost


def _newly(these: Sequence[str], others: Sequence[str]) -> list[str]:
    return [one for one in these if one not in others]


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """How a session stands on the new ground."""

    session: Session
    place: Fit | None
    conflicts: Sequence[Conflict]


def resettle(sessions: Iterable[Session], ground: Ground, now: datetime) -> list[Resettled]:
    """Put sessions upon the new ground, the one booked first first; then give back what was lost and fits again.

    `ground` is what does not move: closures, and the holds of other sessions. A bridge's closures keep a session from
    coming to it, not from staying.
    """
    order = sorted(sessions, key=lambda session: (session.created_at, session.id))
    results = []
    for before in order:
        standing = _stand(before, _around(before, ground))
        ground = _with(ground, standing)
        results.append(standing)
    for number, (before, standing) in enumerate(zip(order, results, strict=True)):
        if not _lost(before):
            continue
        others = ground.without({before.id})
        if better := _better(standing, _stand(_restored(before), _around(before, others))):
            results[number] = replace(better, conflicts=standing.conflicts)
            ground = _with(others, better)
    return [_resettled(before, standing, now) for before, standing in zip(order, results, strict=True)]


def _around(session: Session, ground: Ground) -> Ground:
    """The ground as this session meets it: on its own bridge it may stay, closed or not."""
    return replace(
        ground, closures={code: closed for code, closed in ground.closures.items() if code != session.bridge}
    )


def _with(ground: Ground, standing: _Standing) -> Ground:
    """The ground once a session stands upon it."""
    holds = dict(ground.holds)
    for held in held_by(standing.place):
        holds[held.resource[1]] = [*holds.get(held.resource[1], ()), _hold(standing.session, held)]
    return replace(ground, holds=holds)


def _restored(session: Session) -> Session:
    """The session as if it had never lost a place."""
    parts = (
        replace(p, held=True, room=p.lost_room, lost=False, lost_room=None) if p.lost else p
        for p in session.participations
    )
    return replace(session, participations=tuple(parts), bridge_lost=False)


def _better(now: _Standing, again: _Standing) -> _Standing | None:
    """Whether a session stands better with what it lost earlier; its bridge, if it has one, must carry it."""
    gains = len(_lost(again.session)) < len(_lost(now.session))
    same_bridge = now.session.bridge in (None, again.session.bridge)
    keeps = not again.session.bridge_lost or now.session.bridge_lost
    return again if gains and same_bridge and keeps else None


def _resettled(before: Session, standing: _Standing, now: datetime) -> Resettled:
    return Resettled(
        before=before,
        after=_revised(before, standing.session, now),
        taken=held_by(standing.place),
        conflicts=standing.conflicts,
    )


def _hold(session: Session, held: Held) -> Hold:
    return Hold(
        session=session.id,
        host=session.host_site,
        network=session.network,
        interval=held.interval,
        around=held.around,
        units=held.units,
    )


def _stand(before: Session, ground: Ground) -> _Standing:
    """A session at the hour of today's clocks, with those of its places that fit."""
    start = zones.to_utc_again(before.wall_start, before.timezone, before.fold)
    session = replace(before, start=start, tzdata_version=zones.TZDATA_VERSION)
    if session.status == "cancelled":
        return _Standing(session=session, place=None, conflicts=())
    conflicts = _gone(session, ground.directory)
    place = _fit(session, {conflict.site for conflict in conflicts}, ground)
    against = [c for each in (place.places if place else ()) for c in each.conflicts if c.code != "set_up_overlap"]
    if against:
        conflicts += against
        place = _fit(session, {conflict.site for conflict in conflicts}, ground)
    if place and session.bridge_lost:
        place = replace(place, bridge=None, ports=0, bridge_interval=None)
    elif place:
        conflicts += [conflict for conflict in place.conflicts if conflict.site is None]
    lost = {conflict.site for conflict in conflicts}
    parts = tuple(_part(p, p.site in lost, session, before, ground.directory) for p in session.participations)
    return _Standing(session=rules.seated(session, parts, place), place=place, conflicts=conflicts)


def _fit(session: Session, lost: set[str | None], ground: Ground) -> Fit | None:
    """How the places that are held, but for the lost ones, fit; None where there are none."""
    parts = [p for p in session.participations if p.held and p.site not in lost]
    if not parts:
        return None
    proposal = replace(
        answers.as_held(session, parts, ground.directory), settled=frozenset(p.site for p in parts if p.overridden)
    )
    return fit(ground, proposal, session.start)


def _gone(session: Session, directory: Directory) -> list[Conflict]:
    """The places held at sites, or in rooms, that are no longer configured."""
    found = []
    for part in session.participations:
        site = directory.sites.get(part.site)
        rooms = {room.code for room in site.rooms} if site else set()
        if part.held and (site is None or (part.room and part.room not in rooms)):
            place = part.room if site else part.site
            found.append(
                Conflict(
                    code="site_inactive",
                    site=part.site,
                    room=part.room,
                    message=Message("{place} is no longer configured.", place=place),
                )
            )
    return found


def _part(part: Participation, lost: bool, session: Session, before: Session, directory: Directory) -> Participation:
    """A site's part: without its place where that is lost; asked again by hand where its own clocks show a new hour."""
    if lost:
        part = replace(part, held=False, room=None, room_asked=False, lost=True, lost_room=part.room)
    site = directory.sites.get(part.site)
    another_hour = session.start != before.start and site is not None and site.timezone != session.timezone
    if another_hour and site and site.answers == "by_hand" and part.answer in ("accepted", "tentative"):
        return part if part.site == session.host_site else replace(part, answer="pending")
    return part


def _revised(before: Session, after: Session, now: datetime) -> Session:
    """Count the change; that other rules gave the same instant is none."""
    unchanged = replace(after, tzdata_version=before.tzdata_version) == before
    return before if unchanged else rules.revised(before, after, now)
