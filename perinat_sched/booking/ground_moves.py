"""When the ground moves: other rules of clocks, another configuration, other calendars, under booked sessions.

A session was agreed upon as a wall time in a zone. So its instant follows the clocks, and it keeps that hour whatever
else has changed: what no longer fits is only the place, a site's room and port, or the bridge. Sessions are put upon
the new ground one after the other in the order in which they were booked, so that of two the one booked later loses.

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
    def lost_sites(self) -> list[str]:
        """The sites whose place no longer fits."""
        held = {p.site for p in self.before.participations if p.held}
        return [p.site for p in self.after.participations if p.lost and p.site in held]

    @property
    def lost_bridge(self) -> bool:
        return self.after.bridge_lost and not self.before.bridge_lost


def resettle(sessions: Iterable[Session], ground: Ground, now: datetime) -> list[Resettled]:
    """Put sessions upon the new ground, the one booked first first.

    `ground` is what does not move: closures, and the holds of other sessions. A bridge's closures keep a session from
    coming to it, not from staying.
    """
    holds = {code: list(taken) for code, taken in ground.holds.items()}
    results = []
    for session in sorted(sessions, key=lambda session: (session.created_at, session.id)):
        closures = {code: closed for code, closed in ground.closures.items() if code != session.bridge}
        result = _resettled(session, replace(ground, holds=holds, closures=closures), now)
        for held in result.taken:
            holds.setdefault(held.resource[1], []).append(_hold(session, held))
        results.append(result)
    return results


def _hold(session: Session, held: Held) -> Hold:
    return Hold(
        session=session.id,
        host=session.host_site,
        network=session.network,
        interval=held.interval,
        around=held.around,
        units=held.units,
    )


def _resettled(before: Session, ground: Ground, now: datetime) -> Resettled:
    start = zones.to_utc_again(before.wall_start, before.timezone, before.fold)
    session = replace(before, start=start, tzdata_version=zones.TZDATA_VERSION)
    if session.status == "cancelled":
        return Resettled(before=before, after=_revised(before, session, now), taken=(), conflicts=())
    conflicts = _gone(session, ground.directory)
    place = _fit(session, {conflict.site for conflict in conflicts}, ground)
    against = [c for each in (place.places if place else ()) for c in each.conflicts if c.code != "set_up_overlap"]
    if against:
        conflicts += against
        place = _fit(session, {conflict.site for conflict in conflicts}, ground)
    if place and session.bridge_lost:  # lost before: it is for people to take one again
        place = replace(place, bridge=None, ports=0, bridge_interval=None)
    elif place:
        conflicts += [conflict for conflict in place.conflicts if conflict.site is None]
    lost = {conflict.site for conflict in conflicts}
    parts = tuple(_part(p, p.site in lost, session, before, ground.directory) for p in session.participations)
    after = _revised(before, rules.seated(session, parts, place), now)
    return Resettled(before=before, after=after, taken=held_by(place), conflicts=conflicts)


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
        part = replace(part, held=False, room=None, room_asked=False, lost=True)
    site = directory.sites.get(part.site)
    another_hour = session.start != before.start and site is not None and site.timezone != session.timezone
    if another_hour and site and site.answers == "by_hand" and part.answer in ("accepted", "tentative"):
        return part if part.site == session.host_site else replace(part, answer="pending")
    return part


def _revised(before: Session, after: Session, now: datetime) -> Session:
    """Count the change; that other rules gave the same instant is none."""
    unchanged = replace(after, tzdata_version=before.tzdata_version) == before
    return before if unchanged else rules.revised(before, after, now)
