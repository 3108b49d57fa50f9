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

from perinat_sched import zones
from perinat_sched.booking import rules
from perinat_sched.booking import store as booking
from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.booking.session import Draft, Session
from perinat_sched.errors import Forbidden, InvalidRequest, RevisionMismatch
from perinat_sched.people.access import Actor, may
from perinat_sched.series import merging, recurrence, request, splitting, store
from perinat_sched.series.base import Outcome, Plan, SeriesBase, adopted, whole, window_of
from perinat_sched.series.planning import Placed, by_date
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
        """Change what is still to come. `since`, a recurrence id: the series ends there and a new one begins."""
        now = self.now()

        async def work(tx: Tx) -> Outcome:
            old = await self.allowed(tx, actor, "change", series_id)
            if old.revision != revision:
                raise RevisionMismatch
            sessions = await self.locked(tx, old)
            if sessions and all(one.status == "cancelled" for one in sessions):
                raise InvalidRequest.of("status", "The series is cancelled: book a new one.")
            new = self._new(old, sessions, changes, since, now)
            when = request.dates(new, self.directory, self.calendars)
            left = await store.left_out_of(tx, old.id)
            plan, dropped = await self._plan(tx, actor, old, new, when, sessions, left, now)
            if plan.refused:
                return Outcome(plan=plan, whole=Whole(series=new, occurrences=()))
            return await self._save(tx, actor, old, new, plan, dropped, left)

        return await self.done(work)

    def _new(
        self, old: Series, sessions: Sequence[Session], changes: Changes, since: str | None, now: datetime
    ) -> Series:
        """The series as it is asked for now; a new one where it begins behind others of the old."""
        cut = self._cut(old, self._times(old), since, now)
        base = old if cut is None else splitting.beginning(old, cut)
        session = request.asked_again(base)
        named = changes.session.named() - {"no_patient_data"}
        given = {name: getattr(changes.session, name) for name in named}
        if {"start", "timezone"} & given.keys():
            given.setdefault("fold", None)
        kept_sites = {base.session.host_site, *given.get("required_sites", session.required_sites)}
        kept_sites |= set(given.get("optional_sites", session.optional_sites))
        given.setdefault("rooms", {site: room for site, room in session.rooms.items() if site in kept_sites})
        asked = replace(session, **given, no_patient_data=changes.session.no_patient_data)
        fresh = frozenset(named)
        by_rule = changes.rrule is not None or (changes.dates is None and base.rrule is not None)
        new = replace(
            base,
            session=request.drafted(asked, self.directory, now, fresh=fresh),
            fold=asked.fold,
            rrule=(changes.rrule or base.rrule) if by_rule else None,
            dates=() if by_rule else (changes.dates if changes.dates is not None else base.dates),
            exclude=base.exclude if changes.exclude is None else changes.exclude,
            exclude_holidays_of=(
                base.exclude_holidays_of if changes.exclude_holidays_of is None else changes.exclude_holidays_of
            ),
            on_conflict=changes.on_conflict or base.on_conflict,
            override=changes.override or (),
            revision=old.revision + 1 if cut is None else 0,
            sequence=old.sequence if cut is None else 0,
            updated_at=now,
        )
        if changes.rrule is None and new.rrule is not None:
            new = replace(new, rrule=_on_the_same_days(new.rrule, base.session, new.session))
        if cut is None:
            return new
        series_id = str(uuid.uuid4())
        return replace(new, id=series_id, uid=f"{series_id}@perinat-sched", follows=old.id, created_at=now)

    def _cut(self, old: Series, times: Sequence[datetime], since: str | None, now: datetime) -> datetime | None:
        """Where the series is cut in two; None: nothing lies before."""
        if since is None:
            return None
        found = next((wall for wall in times if f"{wall:{WALL}}" == since), None)
        if found is None:
            raise InvalidRequest.of("from", "The series has no such date: take a recurrence_id of it.")
        if not _to_come(found, old, now):
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
    ) -> tuple[Plan, list[Session]]:
        """Every date to come, tried; and the sessions whose dates are no more."""
        since = new.session.wall_start if new.id != old.id else None
        first = min(since, splitting.cut_of(new, old)) if since else None
        open_ = [
            one for one in sessions
            if one.start > now and one.recurrence and (first is None or one.recurrence >= first)
        ]  # fmt: skip
        times = [wall for wall in when.times if _to_come(wall, new, now)]
        pairs = _paired(open_, times)
        draft = new.session
        sites = {draft.host_site, *draft.required_sites, *draft.optional_sites}
        sites |= {site for one in open_ for site in one.sites}
        walls = [*(one.wall_start for one in open_), *times, draft.wall_start]
        standing = await self.standing(
            tx, sorted(sites), [draft.network], window_of(walls, draft.timezone, draft.duration), lock=True
        )
        planner = self.planner(actor, standing, now)
        alive = {wall: one for wall, one in pairs.items() if one.status != "cancelled"}
        dropped = [one for one in open_ if one not in pairs.values() and one.status != "cancelled"]
        for one in [*alive.values(), *dropped]:
            standing.free(one.id)
        moved = {wall.date() for wall in left} if (old.session.wall_start.time() == draft.wall_start.time()) else set()
        placed: list[Placed] = []
        for wall in times:
            if before := alive.get(wall):
                reason = draft.override_reason if f"{wall:{WALL}}" in new.override else None
                drafted = partial(merging.merged, before, old, new, wall)
                placed.append(adopted(planner.change(wall, before, drafted, reason), new, now))
            elif wall not in pairs and wall.date() not in moved:
                placed.extend(planner.book(new, [wall]))
        return Plan(series=new, placed=placed, unmatched=when.unmatched, standing=standing), dropped

    async def _save(
        self,
        tx: Tx,
        actor: Actor,
        old: Series,
        new: Series,
        plan: Plan,
        dropped: Sequence[Session],
        left: store.LeftOut,
    ) -> Outcome:
        now = new.updated_at
        split = new.id != old.id
        stays = {wall: why for wall, why in left.items() if not split or wall < splitting.cut_of(new, old)}
        goes = {} if not split else {wall: why for wall, why in left.items() if wall not in stays}
        fresh = {one.recurrence: one.conflicts for one in plan.placed if one.conflicts}
        if split:
            ended = replace(
                splitting.ending(old, splitting.cut_of(new, old)),
                revision=old.revision + 1,
                sequence=old.sequence + 1,
                updated_at=now,
            )
            await store.replace(tx, ended, stays)
            await store.add(tx, new, goes | fresh)
        else:
            otherwise = any(one.changes_face for one in plan.bookable) or bool(dropped)
            new = replace(new, sequence=old.sequence + otherwise)
            await store.replace(tx, new, stays | fresh)
        cancelled = [rules.cancelled(one, "cancelled", "", now) for one in dropped]
        changed = [(one.session, one.taken) for one in plan.placed if one.before and one.session and one.changes]
        rows: list[tuple[Session, Sequence[booking.Held] | None]] = [*changed, *((one, ()) for one in cancelled)]
        await booking.replace_many(tx, rows, self.database.resources)
        added = [(one.session, one.taken or ()) for one in plan.bookable if one.session and not one.before]
        await booking.add_many(tx, added, self.database.resources)
        await self.record(
            tx, actor, "series_changed", new, changed=len(changed), booked=len(added), cancelled=len(cancelled)
        )
        done: list[Change] = [(one.before, one.session) for one in plan.bookable if one.session and one.changes]
        done += zip(dropped, cancelled, strict=True)
        return Outcome(plan=None, whole=replace(await whole(tx, new, done), unmatched=plan.unmatched))


def _on_the_same_days(rule: str, before: Draft, after: Draft) -> str:
    """A rule whose hour or zone becomes another one, and which names no other days for that."""
    parsed = recurrence.parse(rule, before.timezone)
    moved = recurrence.at_another_hour(parsed, before.wall_start.time(), after.wall_start.time())
    return rule if (moved, before.timezone) == (parsed, after.timezone) else recurrence.written(moved, after.timezone)


def _to_come(wall: datetime, series: Series, now: datetime) -> bool:
    """A date without such an hour counts by the hour the clocks show instead."""
    return zones.near(wall, series.session.timezone) > now


def _paired(sessions: Sequence[Session], times: Sequence[datetime]) -> dict[datetime, Session]:
    """Which session goes with which date: by the day; where no day is the same, one after the other."""
    known = by_date(sessions)
    pairs = {wall: known[wall.date()] for wall in times if wall.date() in known}
    if pairs:
        return pairs
    alive = [one for one in sessions if one.status != "cancelled"]
    return dict(zip(times, alive, strict=False))
