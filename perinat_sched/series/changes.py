"""Changing what was booked as a series: all that is still to come, this and the following, or one date.

Past occurrences never change. Everything happens in one transaction: the series, its sessions, then the rooms and
bridges are locked, in this order; then all is decided, then all is written, or nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.booking import rules
from perinat_sched.booking import store as booking
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, InvalidRequest, RevisionMismatch
from perinat_sched.people.access import Actor, may
from perinat_sched.series import merging, pairing, request, splitting, store
from perinat_sched.series.base import Outcome, Plan, SeriesBase, adopted, assembled, whole, window_of
from perinat_sched.series.planning import Placed
from perinat_sched.series.series import WALL, Change, OnConflict, Series, Whole
from perinat_sched.storage.database import Tx


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The fields to be replaced: of each session, and of the series itself (None: as before)."""

    session: SessionChanges = field(default_factory=SessionChanges)
    rrule: str | None = None
    dates: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    exclude_holidays_of: tuple[str, ...] | None = None
    on_conflict: OnConflict | None = None
    override: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a change does to a series, or would do."""

    old: Series
    plan: Plan  # of the series as it is asked for now; a new one where it is cut in two
    sessions: Sequence[Session]  # as they were
    dropped: Sequence[Session]  # those whose dates are no more
    cancelled: Sequence[Session]  # the same, afterwards
    gone: Sequence[Session]  # those that were cancelled alone, as dates of the series
    waiting: dict[datetime, Sequence[Conflict]]  # the dates that stay left out
    left_behind: dict[datetime, Sequence[Conflict]]  # those of them that stay with the series that ends

    @property
    def split(self) -> bool:
        return self.plan.series.id != self.old.id

    @property
    def done(self) -> list[Change]:
        done: list[Change] = [(one.before, one.session) for one in self.plan.bookable if one.session and one.changes]
        return [*done, *zip(self.dropped, self.cancelled, strict=True)]


@dataclass(frozen=True, kw_only=True)
class SeriesChanges(SeriesBase):
    """Everything that changes a series. Raises NotFound, Forbidden, RevisionMismatch, SeriesRefused."""

    async def present(self, actor: Actor, series_id: str, since: str | None) -> Series:
        """The series as it is asked for now, from one of its dates on. Raises NotFound, Forbidden, InvalidRequest."""
        async with self.database.read() as tx:
            old = await self.found(tx, actor, series_id)
        if not may(actor, "change", old.subject, self.directory):
            raise Forbidden
        cut = self._cut(old, self._times(old), since, self.now())
        return old if cut is None else splitting.beginning(old, cut)

    def _times(self, old: Series) -> Sequence[datetime]:
        return request.dates(replace(old, override=()), self.directory, self.calendars).times

    async def change(self, actor: Actor, series_id: str, revision: int, changes: Changes, since: str | None) -> Whole:
        """Change what is still to come. `since`, a recurrence id: the series ends there and a new one begins.

        What asks for nothing else than the series does already changes nothing.
        """
        now = self.now()

        async def work(tx: Tx) -> Outcome:
            old = await self.allowed(tx, actor, "change", series_id)
            decided = await self._decided(tx, actor, old, revision, changes, since, now, lock=True)
            if decided is None:
                return Outcome(plan=None, whole=await whole(tx, old))
            if decided.plan.refused:
                return Outcome(plan=decided.plan, whole=Whole(series=decided.plan.series, occurrences=()))
            return await self._save(tx, actor, decided)

        return await self.done(work)

    async def try_out(self, actor: Actor, series_id: str, revision: int, changes: Changes, since: str | None) -> Whole:
        """The series as the change would leave it, with a verdict for each date that it concerns: the dry run.

        What it would cancel stands there as cancelled.
        """
        async with self.database.read() as tx:
            old = await self.found(tx, actor, series_id)
            if not may(actor, "change", old.subject, self.directory):
                raise Forbidden
            decided = await self._decided(tx, actor, old, revision, changes, since, self.now(), lock=False)
            if decided is None:
                return await whole(tx, old)
        plan, tried = decided.plan, {one.before.id for one in decided.plan.placed if one.before}
        judged = self.judged(plan, verdict="bookable", changed=() if plan.refused else decided.done)
        after = {one.id: one for one in [*decided.gone, *decided.cancelled]}
        others = [after.get(one.id, one) for one in decided.sessions if one.id not in tried]
        stay = [one for one in others if one.series == plan.series.id or one in decided.cancelled]
        as_is = assembled(plan.series, stay, decided.waiting).occurrences
        occurrences = sorted([*judged.occurrences, *as_is], key=lambda one: one.recurrence)
        shown = plan.series if decided.split else replace(plan.series, revision=old.revision)
        return replace(judged, series=shown, occurrences=tuple(occurrences))

    async def _decided(
        self,
        tx: Tx,
        actor: Actor,
        old: Series,
        revision: int,
        changes: Changes,
        since: str | None,
        now: datetime,
        *,
        lock: bool,
    ) -> Decided | None:
        """What a change does; None: nothing."""
        if old.revision != revision:
            raise RevisionMismatch
        sessions = await self.sessions(tx, old, lock=lock)
        left = await store.left_out_of(tx, old.id)
        if assembled(old, sessions, left).status == "cancelled":
            raise InvalidRequest.of("status", "The series is cancelled: book a new one.")
        cut = self._cut(old, self._times(old), since, now)
        base = old if cut is None else splitting.beginning(old, cut)
        new = self._new(base, changes, now)
        if _asks_the_same(new, base, changes):
            return None
        if cut is not None:
            series_id = str(uuid.uuid4())
            new = replace(
                new, id=series_id, uid=f"{series_id}@perinat-sched", follows=old.id,
                revision=0, sequence=0, created_at=now,
            )  # fmt: skip
        when = request.dates(new, self.directory, self.calendars)
        plan, dropped = await self._plan(tx, actor, old, new, when, sessions, left, now, lock=lock)
        moved = new.session.wall_start.date() != base.session.wall_start.date()
        if dropped and moved and not any(pairing.to_come(wall, new, now) for wall in when.times):
            raise InvalidRequest.of("start", "No date would be left to come: start later, or cancel the series.")
        waiting = pairing.waiting(left, old, plan, when, now)
        behind = {wall for wall in waiting if cut is not None and wall < splitting.cut_of(new, old)}
        return Decided(
            old=old,
            plan=plan,
            sessions=sessions,
            dropped=dropped,
            cancelled=[rules.cancelled(one, "cancelled", "", now) for one in dropped],
            gone=pairing.cancelled_before(sessions, new, when, now),
            waiting={wall: why for wall, why in waiting.items() if wall not in behind},
            left_behind={wall: waiting[wall] for wall in behind},
        )

    def _new(self, base: Series, changes: Changes, now: datetime) -> Series:
        """A series, or the part of one that begins at one of its dates, as it is asked for now."""
        if changes.rrule is not None and changes.dates is not None:
            raise request.either_or()
        session = request.asked_again(base)
        named = changes.session.named() - {"no_patient_data"}
        given = {name: getattr(changes.session, name) for name in named}
        if any(given.get(name, getattr(session, name)) != getattr(session, name) for name in ("start", "timezone")):
            given.setdefault("fold", None)
        kept_sites = {base.session.host_site, *given.get("required_sites", session.required_sites)}
        kept_sites |= set(given.get("optional_sites", session.optional_sites))
        given.setdefault("rooms", {site: room for site, room in session.rooms.items() if site in kept_sites})
        asked = replace(session, **given, no_patient_data=changes.session.no_patient_data)
        by_rule = changes.rrule is not None or (changes.dates is None and base.rrule is not None)
        new = replace(
            base,
            session=request.drafted(asked, self.directory, now, fresh=frozenset(named)),
            fold=asked.fold,
            rrule=(changes.rrule or base.rrule) if by_rule else None,
            dates=() if by_rule else (changes.dates if changes.dates is not None else base.dates),
            exclude=base.exclude if changes.exclude is None else changes.exclude,
            exclude_holidays_of=(
                base.exclude_holidays_of if changes.exclude_holidays_of is None else changes.exclude_holidays_of
            ),
            on_conflict=changes.on_conflict or base.on_conflict,
            override=changes.override or (),
            revision=base.revision + 1,
            updated_at=now,
        )
        if changes.rrule is None and new.rrule is not None:
            new = replace(new, rrule=request.on_the_same_days(new.rrule, base.session, new.session))
        return new

    def _cut(self, old: Series, times: Sequence[datetime], since: str | None, now: datetime) -> datetime | None:
        """Where the series is cut in two; None: nothing lies before."""
        if since is None:
            return None
        found = next((wall for wall in times if f"{wall:{WALL}}" == since), None)
        if found is None:
            raise InvalidRequest.of("from", "The series has no such date: take a recurrence_id of it.")
        if not pairing.to_come(found, old, now):
            raise InvalidRequest.of("from", "This date is past: take one that is still to come.")
        return found if found != times[0] else None

    async def _plan(
        self,
        tx: Tx,
        actor: Actor,
        old: Series,
        new: Series,
        when: request.Dates,
        sessions: Sequence[Session],
        left: store.LeftOut,
        now: datetime,
        *,
        lock: bool,
    ) -> tuple[Plan, list[Session]]:
        """Every date to come, tried; and the sessions whose dates are no more."""
        since = new.session.wall_start if new.id != old.id else None
        first = min(since, splitting.cut_of(new, old)) if since else None
        open_ = [
            one for one in sessions
            if one.start > now and one.recurrence and (first is None or one.recurrence >= first)
        ]  # fmt: skip
        times = [wall for wall in when.times if pairing.to_come(wall, new, now)]
        pairs = pairing.paired(open_, times)
        draft = new.session
        sites = {draft.host_site, *draft.required_sites, *draft.optional_sites}
        sites |= {site for one in open_ for site in one.sites}
        walls = [*(one.wall_start for one in open_), *times, draft.wall_start]
        standing = await self.standing(
            tx, sorted(sites), [draft.network], window_of(walls, draft.timezone, draft.duration), lock=lock
        )
        planner = self.planner(actor, standing, now)
        alive = {wall: one for wall, one in pairs.items() if one.status != "cancelled"}
        dropped = [one for one in open_ if one not in pairs.values() and one.status != "cancelled"]
        drafts = {wall: partial(merging.merged, one, old, new, wall) for wall, one in alive.items()}
        moving = [one for wall, one in alive.items() if not planner.keeps_places(one, drafts[wall])]
        for one in [*moving, *dropped]:
            standing.free(one.id)
        moved = {wall.date() for wall in left} if (old.session.wall_start.time() == draft.wall_start.time()) else set()
        placed: list[Placed] = []
        for wall in times:
            if before := alive.get(wall):
                reason = draft.override_reason if f"{wall:{WALL}}" in new.override else None
                placed.append(adopted(planner.change(wall, before, drafts[wall], reason), new, now))
            elif wall not in pairs and wall.date() not in moved:
                placed.extend(planner.book(new, [wall]))
        return Plan(series=new, placed=placed, unmatched=when.unmatched, standing=standing), dropped

    async def _save(self, tx: Tx, actor: Actor, decided: Decided) -> Outcome:
        old, plan, new = decided.old, decided.plan, decided.plan.series
        fresh = {one.recurrence: one.conflicts for one in plan.placed if one.conflicts}
        if decided.split:
            ended = replace(
                splitting.ending(old, splitting.cut_of(new, old)),
                revision=old.revision + 1,
                sequence=old.sequence + 1,
                updated_at=new.updated_at,
            )
            await store.replace(tx, ended, decided.left_behind)
            await store.add(tx, new, decided.waiting | fresh)
        else:
            otherwise = any(one.changes_face for one in plan.bookable) or bool(decided.dropped)
            new = replace(new, sequence=old.sequence + otherwise)
            await store.replace(tx, new, decided.waiting | fresh)
        changed = [(one.session, one.taken) for one in plan.placed if one.before and one.session and one.changes]
        rows: list[tuple[Session, Sequence[booking.Held] | None]] = [
            *changed,
            *((one, ()) for one in decided.cancelled),
        ]
        rows += [(one, None) for one in decided.gone]
        await booking.replace_many(tx, rows, self.database.resources)
        added = [(one.session, one.taken or ()) for one in plan.bookable if one.session and not one.before]
        await booking.add_many(tx, added, self.database.resources)
        await self.record(
            tx, actor, "series_changed", new,
            changed=len(changed), booked=len(added), cancelled=len(decided.cancelled),
        )  # fmt: skip
        return Outcome(plan=None, whole=replace(await whole(tx, new, decided.done), unmatched=plan.unmatched))


def _asks_the_same(new: Series, base: Series, changes: Changes) -> bool:
    """Whether nothing but the count would be otherwise; which dates were overridden is no wish of its own."""
    return base == replace(
        new,
        session=replace(new.session, start=base.session.start, fold=base.session.fold),
        override=base.override if changes.override is None else new.override,
        revision=base.revision,
        updated_at=base.updated_at,
    )
