"""Closures that people enter: a site shut for works, a room lent out, a bridge under maintenance.

Nothing is cancelled by itself: whoever enters a closure is told which booked sessions it hits.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Literal

from perinat_sched import texts, zones
from perinat_sched.availability import slots
from perinat_sched.availability import store as ground_store
from perinat_sched.availability.ground import Ground
from perinat_sched.availability.slots import Slot, SlotQuery
from perinat_sched.availability.store import EnteredClosure
from perinat_sched.booking import replanning, store
from perinat_sched.booking.checks import Checks, instant
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.request import known_words
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, InvalidRequest, NotFound, SkippedLocalTime
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, BridgeRef, RoomRef, SiteRef, may
from perinat_sched.sites.closures import Calendars, Closure
from perinat_sched.sites.network import Directory, Site
from perinat_sched.storage import audit, idempotency
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer
from perinat_sched.zones import Clock

Scope = Literal["site", "room", "bridge"]
MOST_DAYS = 366
REFERENCES: Mapping[Scope, type[SiteRef] | type[RoomRef] | type[BridgeRef]] = {
    "site": SiteRef,
    "room": RoomRef,
    "bridge": BridgeRef,
}


@dataclass(frozen=True, kw_only=True)
class ClosureAsked:
    """A closure as a caller asks for it; hours are wall times of the site, days, or instants."""

    scope: Scope
    code: str
    start: str
    until: str  # an hour: closed until then; a day: that day included
    reason: str
    timezone: str | None = None  # None: the site's, or for a bridge UTC
    no_patient_data: bool = False


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A booked session to come that a closure falls on, and where it could go instead."""

    session: Session
    slots: Sequence[Slot]


@dataclass(frozen=True, kw_only=True)
class Closures:
    """What people enter and remove, beside the files of calendars/."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    enquiries: Enquiries

    async def enter(
        self, actor: Actor, asked: ClosureAsked, key: IdempotencyKey | None = None
    ) -> tuple[EnteredClosure, list[str]]:
        """Enter a closure; the answer names the sessions it hits that the caller may see.

        With `key`, what was entered before is answered again. Raises InvalidRequest, Forbidden, HealthDataSuspected.
        """
        new = self._checked(actor, asked)

        async def work(tx: Tx) -> tuple[EnteredClosure, list[str]]:
            stored = await idempotency.claim(tx, key, self.clock()) if key else None
            entered = await self._found(tx, actor, stored.body) if stored else new
            if entered is new:
                await ground_store.add_closure(tx, new, by=actor.token, at=self.clock())
                await self._record(tx, actor, "closure_entered", new)
            if key and not stored:
                await idempotency.settle(tx, key, StoredAnswer(status=HTTPStatus.CREATED, body=new.id, headers={}))
            return entered, [session.id for session in await self._hit(tx, actor, entered)]

        return await self.database.write(work)

    async def entered(self, site: Site) -> list[EnteredClosure]:
        """What people entered for a site and its rooms, and is not over yet; the earliest first."""
        codes = [site.code, *(room.code for room in site.rooms)]
        async with self.database.read() as tx:
            return await ground_store.closures_after(tx, codes, self.clock())

    async def of_bridges(self) -> list[EnteredClosure]:
        """What people entered for bridges, and is not over yet; the earliest first."""
        async with self.database.read() as tx:
            found = await ground_store.closures_after(tx, list(self.directory.bridges), self.clock())
        return [closure for closure in found if closure.scope == "bridge"]

    async def hits(self, actor: Actor, closure_id: str) -> tuple[EnteredClosure, list[Hit]]:
        """A closure of one's own, and the sessions to come that it falls on, as far as the caller sees them.

        Each with up to three slots that are free as things stand: moving one may take another's. The number of
        statements grows with that of networks alone. Raises NotFound, Forbidden.
        """
        now = self.clock()
        async with self.database.read() as tx:
            closure = await self._found(tx, actor, closure_id)
            found = [session for session in await self._hit(tx, actor, closure) if session.start > now]
            room = closure.code if closure.scope == "room" else None
            queries = {session.id: replanning.query(session, room, self.directory, now) for session in found}
            asked = [query for query in queries.values() if query]
            ground = await self._ground(tx, asked) if asked else None
        hits = []
        for session in found:
            query = queries[session.id]
            free = replanning.other_slots(session, query, ground) if query and ground else ()
            hits.append(Hit(session=session, slots=free))
        return closure, hits

    async def _ground(self, tx: Tx, queries: Sequence[SlotQuery]) -> Ground:
        """What all these searches need."""
        windows = [slots.window(self.directory, query) for query in queries]
        return await ground_store.ground(
            tx,
            directory=self.directory,
            calendars=self.calendars,
            now=self.clock(),
            window=Interval(min(w.start for w in windows), max(w.end for w in windows)),
            sites=[code for query in queries for code in (*query.proposal.needed, *query.proposal.optional)],
            networks=[query.proposal.network for query in queries],
        )

    async def _hit(self, tx: Tx, actor: Actor, closure: EnteredClosure) -> list[Session]:
        hit = await store.sessions_where(tx, store.hit_by(closure))
        return [session for session in hit if self.enquiries.sight(actor, session) != "none"]

    async def _found(self, tx: Tx, actor: Actor, closure_id: str) -> EnteredClosure:
        """A closure that the caller might have entered. Raises NotFound, Forbidden."""
        found = await ground_store.closure(tx, closure_id)
        if found is None:
            raise NotFound
        if not may(actor, "close", REFERENCES[found.scope](found.code), self.directory):
            raise Forbidden
        return found

    async def remove(self, actor: Actor, closure_id: str) -> EnteredClosure:
        """Take a closure back; what it was. Raises NotFound, Forbidden."""

        async def work(tx: Tx) -> EnteredClosure:
            found = await self._found(tx, actor, closure_id)
            await ground_store.remove_closure(tx, closure_id)
            await self._record(tx, actor, "closure_removed", found)
            return found

        return await self.database.write(work)

    async def of_site(self, code: str, first: date, last: date) -> list[Closure]:
        """A site's closures that touch these local days, both included: holidays, calendars, entered ones."""
        site = self.directory.sites.get(code)
        if site is None:
            raise NotFound
        if not 0 < (last - first).days + 1 <= MOST_DAYS or not 2000 <= first.year <= 2100:
            raise InvalidRequest.of("to", "Ask for 1 to {most} days: to is not before from.", most=MOST_DAYS)
        window = Interval(
            zones.start_of_day(first, site.timezone), zones.start_of_day(last + timedelta(days=1), site.timezone)
        )
        async with self.database.read() as tx:
            entered = [closure for _, closure in await ground_store.entered_closures(tx, [code], window)]
        return sorted([*self.calendars.of_site(site, window), *entered], key=lambda closure: closure.interval)

    def _checked(self, actor: Actor, asked: ClosureAsked) -> EnteredClosure:
        checks = Checks(self.directory)
        known = {"site": self.directory.sites, "room": self.directory.rooms, "bridge": self.directory.bridges}
        checks.known(asked.scope, asked.code, known[asked.scope])
        checks.refuse()
        if not may(actor, "close", REFERENCES[asked.scope](asked.code), self.directory):
            raise Forbidden
        zone = checks.zone(asked.timezone, None) if asked.timezone else self._zone(asked)
        reason = checks.text("reason", lambda: texts.one_line("reason", asked.reason, required=True))
        checks.refuse()
        assert zone and reason
        texts.refuse_health_data({"reason": reason}, known=known_words(self.directory), confirmed=asked.no_patient_data)
        start = _boundary("from", asked.start, zone, end=False)
        until = _boundary("until", asked.until, zone, end=True)
        if not start < until <= start + timedelta(days=MOST_DAYS):
            raise InvalidRequest.of("until", "A closure ends after it begins, within {most} days.", most=MOST_DAYS)
        return EnteredClosure(
            id=str(uuid.uuid4()), scope=asked.scope, code=asked.code, interval=Interval(start, until), reason=reason
        )

    def _zone(self, asked: ClosureAsked) -> str:
        if asked.scope == "bridge":
            return "UTC"
        site = asked.code if asked.scope == "site" else self.directory.rooms[asked.code].site
        return self.directory.sites[site].timezone

    async def _record(self, tx: Tx, actor: Actor, action: str, closure: EnteredClosure) -> None:
        await audit.record(
            tx,
            at=self.clock(),
            actor=actor.token,
            action=action,
            object_type="closure",
            object_id=closure.id,
            details={"scope": closure.scope, "code": closure.code},
        )


def _boundary(field_name: str, text: str, zone: str, *, end: bool) -> datetime:
    """An instant from an RFC 3339 instant, a wall time, or a day (until: the day included)."""
    given = instant(field_name, text)
    if given is not None:
        _check_year(field_name, given.year)
        return given
    try:
        day = date.fromisoformat(text) if len(text) == len("2027-01-01") else None
    except ValueError:
        day = None
    if day is not None:
        _check_year(field_name, day.year)
        return zones.start_of_day(day + timedelta(days=1) if end else day, zone)
    wall = zones.parse_wall(text, field_name)
    _check_year(field_name, wall.year)
    try:
        # In a repeated hour, the longer reading: closed from the first pass, until the second.
        return zones.to_utc(wall, zone, fold=1 if end else 0)
    except SkippedLocalTime as skipped:
        return skipped.candidates[-1].astimezone(UTC)  # the clocks were put forward by then


def _check_year(field_name: str, year: int) -> None:
    if not 2000 <= year <= 2100:
        raise InvalidRequest.of(field_name, "Choose a year between 2000 and 2100.")
