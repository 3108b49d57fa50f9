"""What everything that books, changes and reads series has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.availability import slots
from perinat_sched.availability import store as ground_store
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slot import Slot, SlotQuery
from perinat_sched.booking import rules
from perinat_sched.booking import store as booking
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, GuardViolation, NotFound, RevisionMismatch, Unavailable
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Action, Actor, Sight, SiteRef, may, sight
from perinat_sched.series import store
from perinat_sched.series.planning import Placed, Planner, Standing
from perinat_sched.series.series import Change, Occurrence, Series, SeriesRefused, Whole
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
    def new(self) -> list[Change]:
        """What is done by it: the sessions that are booked."""
        return [(None, one.session) for one in self.bookable if one.session]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a transaction did, or why it did nothing."""

    plan: Plan | None
    whole: Whole


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

    async def standing(
        self, tx: Tx, sites: Iterable[str], networks: Collection[str], window: Interval, *, lock: bool
    ) -> Standing:
        """Everything that can touch these sites' sessions in a window; `lock`: nobody else takes it meanwhile."""
        known = [code for code in dict.fromkeys(sites) if code in self.directory.sites]
        if lock:
            await ground_store.lock(
                tx, database=self.database, directory=self.directory, sites=known, networks=networks
            )
        ground = await ground_store.ground(
            tx,
            directory=self.directory,
            calendars=self.calendars,
            now=self.now(),
            window=window.widened(NEAREST_WITHIN, NEAREST_WITHIN),
            sites=known,
            networks=networks,
        )
        return Standing(ground)

    def planner(self, actor: Actor, standing: Standing, now: datetime) -> Planner:
        return Planner(standing=standing, directory=self.directory, own_sites=actor.sites, now=now)

    def judged(self, plan: Plan, *, verdict: str, changed: Sequence[Change] = ()) -> Whole:
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
        return Whole(series=plan.series, occurrences=tuple(occurrences), unmatched=plan.unmatched, changed=changed)

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

    async def record(
        self, tx: Tx, actor: Actor, action: str, series: Series, *, at: datetime | None = None, **details: object
    ) -> None:
        await audit.record(
            tx,
            at=at or series.updated_at,
            actor=actor.token,
            action=action,
            object_type="series",
            object_id=series.id,
            details={"revision": series.revision, **details},
        )

    async def sessions(self, tx: Tx, series: Series, *, lock: bool) -> list[Session]:
        """All sessions of a series; `lock`: kept from concurrent change until the transaction ends."""
        if lock:
            await booking.lock_sessions(tx, booking.of_series(series.id))
        return await booking.sessions_where(tx, booking.of_series(series.id))

    async def standing_of(self, tx: Tx, series: Series, sessions: Sequence[Session], *walls: datetime) -> Standing:
        draft = series.session
        sites = {draft.host_site, *draft.required_sites, *draft.optional_sites}
        sites |= {site for one in sessions for site in one.sites}
        longest = max(draft.duration, *(one.duration for one in sessions))
        times = [*(zones.to_local(one.start, draft.timezone).replace(tzinfo=None) for one in sessions), *walls]
        return await self.standing(
            tx, sorted(sites), [draft.network], window_of(times, draft.timezone, longest), lock=True
        )

    async def wrote(
        self,
        tx: Tx,
        actor: Actor,
        action: str,
        old: Series,
        changes: Sequence[tuple[Change, Sequence[booking.Held] | None]],
        now: datetime,
        *,
        rule_changes: bool = False,
        sequence: int | None = None,
        left: store.LeftOut | None = None,
    ) -> Outcome:
        """Write changed sessions, and count what shows in the series; nothing where nothing changed.

        `rule_changes`: what is true of the series as a whole is otherwise, not only of some dates. Else it is as old as
        before, as where a date is changed alone: a calendar that does not show these dates stays as it is, to the
        byte. `left`: the dates left out, where these become others. `sequence`: of the series as the caller knows it.
        Raises RevisionMismatch where it is another one since.
        """
        if not changes and left is None:
            return Outcome(plan=None, whole=await whole(tx, old))
        refuse_changed(old, sequence)
        new = old
        if (
            rule_changes
            or left is not None
            or any(rules.shows_in_series(*change, self.directory) for change, _ in changes)
        ):
            new = replace(new, revision=old.revision + 1)
        if rule_changes:
            new = replace(new, sequence=old.sequence + 1, updated_at=max(now, old.updated_at))
        await store.replace(tx, new, await store.left_out_of(tx, old.id) if left is None else left)
        await booking.replace_many(tx, [(after, taken) for (_, after), taken in changes], self.database.resources)
        await self.record(tx, actor, action, new, at=now, sessions=len(changes))
        return Outcome(plan=None, whole=await whole(tx, new, [change for change, _ in changes]))

    async def done(self, work: Callable[[Tx], Awaitable[Outcome]]) -> Whole:
        try:
            outcome = await self.database.write(work)
        except GuardViolation as violation:
            raise Unavailable from violation
        if outcome.plan is not None:
            raise self.enquiries.refusals.counted(SeriesRefused(self.judged(outcome.plan, verdict="bookable")))
        return outcome.whole


def refuse_changed(known: Series | Session, sequence: int | None) -> None:
    """Raise RevisionMismatch where what is true of it as a whole is no longer what the caller knows."""
    if sequence is not None and known.sequence != sequence:
        raise RevisionMismatch


def adopted(one: Placed, series: Series, now: datetime) -> Placed:
    """The occurrence as one of its (perhaps new) series, at its (perhaps new) hour."""
    session, before = one.session, one.before
    if session is None or before is None:
        return one
    named = replace(session, series=series.id, uid=series.uid, recurrence=one.recurrence)
    if named == session:
        return one
    if session is before:
        named = rules.revised(before, named, now)
    return replace(one, session=named)


async def whole(tx: Tx, series: Series, changed: Sequence[Change] = ()) -> Whole:
    """What a series has become, from the sessions it has and the dates that were left out."""
    [found] = await wholes(tx, [series])
    return replace(found, changed=changed)


async def wholes(tx: Tx, series: Sequence[Series]) -> list[Whole]:
    """What some series have become. Three statements, whatever their number."""
    ids = [one.id for one in series]
    sessions: dict[str | None, list[Session]] = {}
    for session in await booking.sessions_where(tx, booking.of_series(*ids)):
        sessions.setdefault(session.series, []).append(session)
    left = await store.left_out_of_all(tx, ids)
    return [assembled(one, sessions.get(one.id, ()), left.get(one.id, {})) for one in series]


def assembled(
    series: Series, sessions: Iterable[Session], left: store.LeftOut, changed: Sequence[Change] = ()
) -> Whole:
    booked = [
        Occurrence(recurrence=one.recurrence, verdict="booked", session=one) for one in sessions if one.recurrence
    ]
    missing = [
        Occurrence(recurrence=wall, verdict="left_out", session=None, conflicts=conflicts)
        for wall, conflicts in left.items()
    ]
    occurrences = sorted([*booked, *missing], key=lambda one: one.recurrence)
    return Whole(series=series, occurrences=tuple(occurrences), changed=changed)


def window_of(times: Sequence[datetime], zone: str, duration: timedelta) -> Interval:
    """The days from the first to the last of some wall times."""
    first, last = min(times).date(), max(times).date()
    return Interval(
        zones.start_of_day(first, zone) - timedelta(days=1),
        zones.start_of_day(last, zone) + timedelta(days=2) + duration,
    )


def _anywhere(proposal: Proposal) -> Proposal:
    return replace(proposal, kept_rooms={}, kept_bridge=None)
