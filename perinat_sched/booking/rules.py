"""What becomes of a session when it is booked, changed, answered, cancelled: decided on values, done elsewhere.

`availability.conflicts.fit` says what speaks against a start. Here stands what follows from it: who is asked again,
who keeps answer and room, when the status changes, what counts as a change of iCalendar's SEQUENCE.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from perinat_sched import zones
from perinat_sched.availability.conflicts import Code, Conflict, Fit, Place
from perinat_sched.availability.proposal import RULES_OF_TIME, Proposal
from perinat_sched.booking.session import (
    Answer,
    CancellationCode,
    Draft,
    Participation,
    Session,
    Status,
    WarningCode,
)
from perinat_sched.errors import BookingRefused
from perinat_sched.sites.network import Directory, Site

OF_A_PLACE: frozenset[Code] = frozenset(("outside_hours", "site_closed", "room_busy_elsewhere", "set_up_overlap"))


@dataclass(frozen=True, kw_only=True)
class Request:
    """A draft, the session it changes (None: a new one), and on whose behalf."""

    draft: Draft
    before: Session | None
    own_sites: frozenset[str]  # named in the caller's token: they agree by asking
    directory: Directory
    now: datetime

    @property
    def moved(self) -> bool:
        """A new time or length: whoever agreed by hand is asked again."""
        return self.before is None or self.before.interval != self.draft.interval

    def declined(self, site: str) -> Participation | None:
        """The standing refusal of a site, unless a new hour calls for a new answer."""
        part = self.before.participation(site) if self.before else None
        if part is None or part.answer != "declined":
            return None
        return None if self.moved and self.directory.sites[site].answers == "by_hand" else part

    @property
    def settled(self) -> dict[str, Participation]:
        """The sites that hold their place at this very hour and are not asked to take another room."""
        if self.before is None or self.moved:
            return {}
        rooms = self.draft.rooms
        return {p.site: p for p in self.before.participations if p.held and rooms.get(p.site, p.room) == p.room}

    @property
    def needs_places(self) -> bool:
        """Whether rooms and ports must be looked at again: not for a title, a link or a reason."""
        if self.before is None or self.moved:
            return True
        before, draft = self.before, self.draft
        others = before.participations[1:]
        return (
            tuple(p.site for p in others if p.required) != draft.required_sites
            or tuple(p.site for p in others if not p.required) != draft.optional_sites
            or before.rooms_asked != draft.rooms
            or (before.kind, before.network) != (draft.kind, draft.network)
        )

    def proposal(self) -> Proposal:
        """What must be free: everything for what is new, only what is never overridden for what stood already."""
        draft, before = self.draft, self.before
        settled = self.settled
        return Proposal(
            network=draft.network,
            kind=self.directory.kinds[draft.kind],
            duration=draft.duration,
            host=draft.host_site,
            required=tuple(site for site in draft.required_sites if not self.declined(site)),
            optional=tuple(site for site in draft.optional_sites if not self.declined(site)),
            rooms=pinned(settled.values(), self.directory) | dict(draft.rooms),
            kept_rooms=before.rooms_held if before else {},
            kept_bridge=before.bridge if before else None,
            settled=frozenset(settled),
            timing=self._timing(),
        )

    def elsewhere(self) -> Proposal:
        """The same at another hour, where everybody is asked anew."""
        return replace(afresh(self.proposal()), rooms=self.draft.rooms)

    def _timing(self) -> frozenset[str]:
        """Moving knows every rule of time; lengthening and adding a site come too late, but not in the past."""
        before, draft = self.before, self.draft
        if before is None or before.start != draft.start:
            return RULES_OF_TIME
        longer = draft.duration > before.duration
        more = set(draft.required_sites) - before.sites
        return frozenset([*["too_late"] * (longer or bool(more)), *["too_long"] * longer])


def afresh(proposal: Proposal) -> Proposal:
    return replace(proposal, settled=frozenset(), timing=RULES_OF_TIME)


class Refused(BookingRefused):
    """A refusal that still knows what was asked for, so that alternatives can be looked up."""

    def __init__(self, conflicts: Sequence[Conflict], proposal: Proposal, after: datetime, zone: str) -> None:
        super().__init__(conflicts)
        self.proposal = proposal
        self.after = after  # the start that was refused, UTC
        self.zone = zone  # in whose clock the alternatives are looked for


def refuse(request: Request, fit: Fit, reason: str | None) -> None:
    """Raise Refused, unless nothing speaks against it or a reason is given where one is enough."""
    if fit.conflicts and not (reason and fit.overridable):
        raise Refused(fit.conflicts, request.elsewhere(), fit.interval.start, request.draft.timezone)


def booked(request: Request, fit: Fit, *, session_id: str, uid: str) -> Session:
    """A new session where it fits."""
    parts = participations(request, fit)
    draft = request.draft
    return Session(
        id=session_id,
        uid=uid,
        revision=0,
        sequence=0,
        status=status_of(parts),
        kind=draft.kind,
        title=draft.title,
        description=draft.description,
        network=draft.network,
        host_site=draft.host_site,
        wall_start=draft.wall_start,
        timezone=draft.timezone,
        fold=draft.fold,
        start=draft.start,
        duration=draft.duration,
        tzdata_version=zones.TZDATA_VERSION,
        participations=parts,
        bridge=fit.bridge,
        ports=fit.ports,
        join_url=draft.join_url,
        access_code=draft.access_code,
        override_reason=draft.override_reason,
        created_at=request.now,
        updated_at=request.now,
    )


def changed(request: Request, fit: Fit | None) -> Session:
    """The session with its changes; `fit` None where places stay as they are."""
    before, draft = request.before, request.draft
    assert before is not None
    after = replace(
        before,
        kind=draft.kind,
        title=draft.title,
        description=draft.description,
        network=draft.network,
        wall_start=draft.wall_start,
        timezone=draft.timezone,
        fold=draft.fold,
        start=draft.start,
        duration=draft.duration,
        tzdata_version=before.tzdata_version if before.start == draft.start else zones.TZDATA_VERSION,
        join_url=draft.join_url,
        access_code=draft.access_code,
        override_reason=draft.override_reason,
    )
    if fit is not None:
        after = seated(after, participations(request, fit), fit)
    return revised(before, after, request.now)


def participations(request: Request, fit: Fit) -> tuple[Participation, ...]:
    """Every site's part: the host first, the required, the optional; standing refusals kept in their place."""
    places = {place.site.code: place for place in fit.places}
    draft = request.draft
    roles = [(draft.host_site, True)]
    roles += [(site, True) for site in draft.required_sites] + [(site, False) for site in draft.optional_sites]
    parts = []
    for site, required in roles:
        if place := places.get(site):
            parts.append(_participation(request, place, required))
        elif refusal := request.declined(site):
            parts.append(replace(refusal, required=required))
    return tuple(parts)


def _participation(request: Request, place: Place, required: bool) -> Participation:
    site = place.site.code
    before = request.before.participation(site) if request.before else None
    room = place.room.code if place.held and place.room else None
    lost = before is not None and before.lost and not place.held and not request.moved
    overridden = any(conflict.code in OF_A_PLACE for conflict in place.conflicts) and place.held
    return Participation(
        site=site,
        required=required,
        room=room,
        room_asked=site in request.draft.rooms,
        answer=_answer(request, place, before, overridden=overridden),
        held=place.held,
        overridden=overridden or place.overlooked or (before is not None and before.overridden and not request.moved),
        comment=before.comment if before else "",
        lost=lost,
        lost_room=before.lost_room if before and lost else None,
    )


def _answer(request: Request, place: Place, before: Participation | None, *, overridden: bool) -> Answer:
    """Who is asked again, and who is taken to agree."""
    site = place.site
    own = site.code in request.own_sites
    if overridden:
        return "accepted" if own else "pending"
    first = _first_answer(site, place, host=request.draft.host_site, own=own)
    if before is None:
        return first
    if before.overridden and request.moved and place.held:
        return first  # it was asked because of an hour that no longer counts
    another_room = place.held and place.room is not None and place.room.code != before.room
    if place.held and not before.held:
        return first
    if not place.held:
        return "pending" if request.moved or before.held else before.answer
    asked_again = (request.moved or another_room) and site.answers == "by_hand"
    return first if asked_again else before.answer


def _first_answer(site: Site, place: Place, *, host: str, own: bool) -> Answer:
    if not place.held:
        return "pending"
    return "accepted" if own or site.code == host or site.answers == "automatic" else "pending"


def seated(session: Session, parts: tuple[Participation, ...], fit: Fit | None) -> Session:
    """The session with these parts, and the bridge that carries them; `fit` None where nobody holds a place."""
    lacks_bridge = fit is not None and fit.lacks_bridge
    return replace(
        session,
        participations=parts,
        status=status_of(parts, bridge_lost=lacks_bridge),
        bridge=fit.bridge if fit else None,
        ports=fit.ports if fit else 0,
        bridge_lost=lacks_bridge,
    )


def status_of(parts: Collection[Participation], *, bridge_lost: bool = False) -> Status:
    """Confirmed once every required site, the host among them, has accepted, and nothing they need was lost."""
    agreed = all(p.answer == "accepted" and not p.lost for p in parts if p.required)
    return "confirmed" if agreed and not bridge_lost else "tentative"


def cancelled(before: Session, code: CancellationCode, reason: str, now: datetime) -> Session:
    """Cancelled: its places are free, its participants and their rooms still readable."""
    after = replace(
        before,
        participations=tuple(replace(part, lost=False, lost_room=None) for part in before.participations),
        status="cancelled",
        bridge=None,
        ports=0,
        bridge_lost=False,
        cancellation_code=code,
        cancellation_reason=reason,
    )
    return revised(before, after, now)


def resumed(request: Request, fit: Fit) -> Session:
    """No longer cancelled: the places it held, taken again."""
    before = request.before
    assert before is not None
    after = replace(seated(before, participations(request, fit), fit), cancellation_code=None, cancellation_reason="")
    return revised(before, after, request.now)


def pinned(parts: Iterable[Participation], directory: Directory) -> dict[str, str]:
    """The rooms that sites hold, as far as they are still theirs."""
    held = ((p.site, p.room) for p in parts if p.room)
    return {site: room for site, room in held if room in directory.rooms and directory.rooms[room].site == site}


def revised(before: Session, after: Session, now: datetime) -> Session:
    """Count the change: nothing where nothing changed, else a revision, and a sequence where others must know."""
    if before == after:
        return before
    return replace(
        after,
        revision=before.revision + 1,
        sequence=before.sequence + (_face(before) != _face(after)),
        updated_at=max(now, before.updated_at),
    )


def _face(session: Session) -> tuple[object, ...]:
    """Time, sites, rooms, link, status: what counts for iCalendar's SEQUENCE (RFC 5546 § 2.1.4)."""
    places = tuple((p.site, p.required, p.room, p.answer == "declined") for p in session.participations)
    return (
        session.wall_start,
        session.timezone,
        session.start,
        session.duration,
        places,
        session.join_url,
        session.status,
    )


def warnings(session: Session, directory: Directory) -> list[tuple[WarningCode, str | None]]:
    """What a reader should notice, with the site it concerns (None: the bridge): rare local hours, missing places."""
    odd = [
        p.site
        for p in session.taking_part()
        if (site := directory.sites.get(p.site)) and zones.is_unusual(session.start, session.timezone, site.timezone)
    ]
    lost: list[str | None] = [p.site for p in session.participations if p.lost]
    without = [
        p.site for p in session.participations if not p.required and not p.held and not p.lost and p.answer == "pending"
    ]
    return [
        *(("unusual-local-time", site) for site in odd),
        *(("optional-site-not-free", site) for site in without),
        *(("place-lost", place) for place in [*lost, *[None] * session.bridge_lost]),
    ]


def shows_in_series(before: Session | None, after: Session, directory: Directory) -> bool:
    """Whether a change of a date changes what is read of its series, too."""
    return before is None or _shown_in_series(before, directory) != _shown_in_series(after, directory)


def _shown_in_series(session: Session, directory: Directory) -> tuple[object, ...]:
    noticed = warnings(session, directory)
    return (session.status, session.recurrence, noticed, session.start if noticed else None)
