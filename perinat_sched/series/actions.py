"""Booking and reading series: load → decide → save, all dates in one transaction.

The rooms and bridges of all dates are locked once, in the order every booking keeps; the ground is loaded once for the
whole series; what is written goes in one statement a table. So the number of statements does not grow with the dates.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.availability import slots
from perinat_sched.availability import store as ground_store
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slot import Slot, SlotQuery
from perinat_sched.booking import store as booking
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, GuardViolation, NotFound, Unavailable
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Action, Actor, Sight, SiteRef, Subject, may, sight
from perinat_sched.series import request, store
from perinat_sched.series.planning import Placed, Planner, Standing
from perinat_sched.series.request import Asked, Dates
from perinat_sched.series.series import Occurrence, Series, SeriesRefused, Whole, taking_part
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

NEAREST_WITHIN = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All dates of a series, tried on the ground as it stands in a transaction."""

    series: Series
    placed: Sequence[Placed]
    unmatched: tuple[str, ...]
    standing: Standing

    @property
    def bookable(self) -> list[Placed]:
        return [one for one in self.placed if not one.conflicts]

    @property
    def refused(self) -> bool:
        """A date has a conflict, and it may not be left out: only dates that are not booked yet may be."""
        strict = self.series.on_conflict == "refuse"
        return any(one.conflicts and (strict or one.before) for one in self.placed)

    @property
    def left_out(self) -> dict[datetime, Sequence[object]]:
        return {one.recurrence: one.conflicts for one in self.placed if one.conflicts}


@dataclass(frozen=True, kw_only=True)
class SeriesBase:
    """What booking, changing and reading series have in common."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    enquiries: Enquiries

    def sight(self, actor: Actor, series: Series) -> Sight:
        return sight(actor, series.subject, self.directory)

    async def found(self, tx: Tx, actor: Actor, series_id: str, *, lock: bool = False) -> Series:
        """The series, if there is one that the caller sees. Raises NotFound."""
        found = await store.find(tx, series_id, lock=lock)
        if found is None or self.sight(actor, found) == "none":
            raise NotFound
        return found

    async def allowed(self, tx: Tx, actor: Actor, action: Action, series_id: str, site: str | None = None) -> Series:
        """The series, kept from others until the end, if the caller may do this to it."""
        found = await self.found(tx, actor, series_id, lock=True)
        if not may(actor, action, SiteRef(site, found.subject) if site else found.subject, self.directory):
            raise Forbidden
        return found

    async def standing(self, tx: Tx, sites: Iterable[str], network: str, window: Interval, *, lock: bool) -> Standing:
        """Everything that can touch these sites' sessions in a window; `lock`: nobody else takes it meanwhile."""
        known = [code for code in dict.fromkeys(sites) if code in self.directory.sites]
        if lock:
            rooms = [("room", room.code) for code in known for room in self.directory.sites[code].rooms]
            bridges = [("bridge", bridge.code) for bridge in self.directory.bridges_of(network)]
            await self.database.lock(tx, [self.database.resources[key] for key in (*rooms, *bridges)])
        ground = await ground_store.ground(
            tx,
            directory=self.directory,
            calendars=self.calendars,
            now=self.now(),
            window=window.widened(NEAREST_WITHIN, NEAREST_WITHIN),
            sites=known,
            network=network,
        )
        return Standing(ground)

    def planner(self, actor: Actor, standing: Standing, now: datetime) -> Planner:
        return Planner(standing=standing, directory=self.directory, own_sites=actor.sites, now=now)

    def judged(self, plan: Plan, *, verdict: str, told: Collection[str] = ()) -> Whole:
        """The plan as its caller reads it, with the nearest slot for each date that has a conflict."""
        nearest = self._nearest(plan)
        occurrences = []
        for one in plan.placed:
            if one.conflicts:
                shown = "left_out" if plan.series.on_conflict == "leave_out" and not one.before else "conflict"
            else:
                shown = verdict
            occurrences.append(
                Occurrence(
                    recurrence=one.recurrence,
                    verdict=shown,  # type: ignore[arg-type]
                    session=one.session,
                    conflicts=one.conflicts,
                    nearest=nearest.get(one.recurrence),
                )
            )
        return Whole(series=plan.series, occurrences=tuple(occurrences), unmatched=plan.unmatched, told=told)

    def _nearest(self, plan: Plan) -> dict[datetime, Slot]:
        """By recurrence, what would do instead; the dates that fit stand in the way like any other session."""
        asked = {one.recurrence: one.session.start for one in plan.placed if one.conflicts and one.session}
        proposal = next((one.proposal for one in plan.placed if one.proposal), None)
        if not asked or proposal is None:
            return {}
        zone = plan.series.session.timezone
        first, last = (zones.to_local(one, zone).date() for one in (min(asked.values()), max(asked.values())))
        days = NEAREST_WITHIN - timedelta(days=2)
        query = SlotQuery(proposal=_anywhere(proposal), timezone=zone, first_day=first - days, last_day=last + days)
        found = slots.nearest(plan.standing.whole(), query, sorted(set(asked.values())), NEAREST_WITHIN)
        return {wall: found[start] for wall, start in asked.items() if start in found}

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    async def record(self, tx: Tx, actor: Actor, action: str, series: Series, **details: object) -> None:
        await audit.record(
            tx,
            at=series.updated_at,
            actor=actor.token,
            action=action,
            object_type="series",
            object_id=series.id,
            details={"revision": series.revision, **details},
        )


@dataclass(frozen=True, kw_only=True)
class SeriesBookings(SeriesBase):
    """Booking a series, and reading it."""

    async def book(self, actor: Actor, asked: Asked) -> Whole:
        """Book every date, or (`leave_out`) every date that fits. Raises SeriesRefused, InvalidRequest and its kin."""
        new, when = self._asked(actor, asked)

        async def work(tx: Tx) -> Plan:
            plan = await self._plan(tx, actor, new, when, lock=True)
            if not plan.refused:
                await store.add(tx, new, {one.recurrence: one.conflicts for one in plan.placed if one.conflicts})
                rows = [(one.session, one.taken or ()) for one in plan.bookable if one.session]
                await booking.add_many(tx, rows, self.database.resources)
                await self.record(tx, actor, "series_booked", new, sessions=len(rows), dates=len(plan.placed))
            return plan

        try:
            plan = await self.database.write(work)
        except GuardViolation as violation:
            raise Unavailable from violation
        if plan.refused:
            raise SeriesRefused(self.judged(plan, verdict="bookable"))
        told = taking_part(one.session for one in plan.bookable if one.session)
        return self.judged(plan, verdict="booked", told=told)

    async def try_out(self, actor: Actor, asked: Asked) -> Whole:
        """The same verdicts, and nothing is booked: the dry run."""
        new, when = self._asked(actor, asked)
        async with self.database.read() as tx:
            plan = await self._plan(tx, actor, new, when, lock=False)
        return self.judged(plan, verdict="bookable")

    def _asked(self, actor: Actor, asked: Asked) -> tuple[Series, Dates]:
        series_id = str(uuid.uuid4())
        new = request.series(asked, self.directory, self.now(), series_id=series_id, uid=f"{series_id}@perinat-sched")
        draft = new.session
        if not may(actor, "book", Subject.of(draft.host_site, (), draft.network), self.directory):
            raise Forbidden
        return new, request.dates(new, self.directory, self.calendars)

    async def _plan(self, tx: Tx, actor: Actor, new: Series, when: Dates, *, lock: bool) -> Plan:
        draft = new.session
        sites = (draft.host_site, *draft.required_sites, *draft.optional_sites)
        window = window_of(when.times, draft.timezone, draft.duration)
        standing = await self.standing(tx, sites, draft.network, window, lock=lock)
        placed = self.planner(actor, standing, new.created_at).book(new, when.times)
        return Plan(series=new, placed=placed, unmatched=when.unmatched, standing=standing)

    async def get(self, actor: Actor, series_id: str) -> Whole:
        """A series with every date it has."""
        async with self.database.read() as tx:
            return await whole(tx, await self.found(tx, actor, series_id))

    async def page(self, actor: Actor, after: tuple[str, str] | None, limit: int) -> tuple[list[Whole], bool]:
        """The series the caller sees, by first date, then id; and whether there are more."""
        seen: list[Series] = []
        async with self.database.read() as tx:
            while len(seen) <= limit:
                found = await store.page(tx, actor, self.directory, after, limit + 1)
                seen += [one for one in found if self.sight(actor, one) != "none"]
                if len(found) <= limit:
                    break
                after = (f"{found[-1].session.wall_start:%Y-%m-%dT%H:%M}", found[-1].id)
            return [await whole(tx, one) for one in seen[:limit]], len(seen) > limit


async def whole(tx: Tx, series: Series, told: Collection[str] = ()) -> Whole:
    """What a series has become, from the sessions it has and the dates that were left out."""
    sessions = await booking.sessions_where(tx, booking.of_series(series.id))
    return assembled(series, sessions, await store.left_out_of(tx, series.id), told)


def assembled(series: Series, sessions: Iterable[Session], left: store.LeftOut, told: Collection[str] = ()) -> Whole:
    booked = [
        Occurrence(recurrence=one.recurrence, verdict="booked", session=one) for one in sessions if one.recurrence
    ]
    missing = [
        Occurrence(recurrence=wall, verdict="left_out", session=None, conflicts=conflicts)
        for wall, conflicts in left.items()
    ]
    occurrences = sorted([*booked, *missing], key=lambda one: one.recurrence)
    return Whole(series=series, occurrences=tuple(occurrences), told=told)


def window_of(times: Sequence[datetime], zone: str, duration: timedelta) -> Interval:
    """The days from the first to the last of some wall times."""
    first, last = min(times).date(), max(times).date()
    return Interval(
        zones.start_of_day(first, zone) - timedelta(days=1),
        zones.start_of_day(last, zone) + timedelta(days=2) + duration,
    )


def _anywhere(proposal: Proposal) -> Proposal:
    return replace(proposal, kept_rooms={}, kept_bridge=None)
