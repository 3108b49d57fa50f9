"""A series kept up as it is: ended, answered, a date left out booked after all, a date taken back to the rule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from perinat_sched.booking import answers, rules
from perinat_sched.booking import store as booking
from perinat_sched.booking.request import checked_text
from perinat_sched.booking.session import Answer, CancellationCode, Session
from perinat_sched.errors import InvalidRequest, NotFound
from perinat_sched.people.access import Actor
from perinat_sched.series import pairing, store
from perinat_sched.series.base import Outcome, Plan, SeriesBase, adopted, assembled, refuse_changed, whole, window_of
from perinat_sched.series.series import WALL, Series, Whole
from perinat_sched.storage.database import Tx


@dataclass(frozen=True, kw_only=True)
class SeriesUpkeep(SeriesBase):
    """Raises NotFound, Forbidden, InvalidRequest, SeriesRefused. Where the caller names the `sequence` that she knows,
    of the series or of the session she speaks of, and it is another one since, nothing is done: RevisionMismatch."""

    async def cancel(
        self,
        actor: Actor,
        series_id: str,
        since: str | None,
        code: CancellationCode,
        reason: str,
        *,
        sure: bool,
        sequence: int | None = None,
    ) -> Whole:
        """Cancel what is still to come (`since`: from that date on). Cancelling twice changes nothing."""
        now = self.now()
        reason = checked_text("reason", reason, self.directory, sure=sure)

        async def work(tx: Tx) -> Outcome:
            old = await self.allowed(tx, actor, "change", series_id)
            sessions = await self.sessions(tx, old, lock=True)
            left = await store.left_out_of(tx, old.id)
            known = {f"{one.recurrence:{WALL}}" for one in sessions if one.recurrence}
            known |= {f"{wall:{WALL}}" for wall in left}
            if since is not None and since not in known:
                raise InvalidRequest.of("from", "The series has no such date: take a recurrence_id of it.")
            ending = [
                one for one in sessions
                if one.start > now and one.status != "cancelled"
                and (since is None or f"{one.recurrence:{WALL}}" >= since)
            ]  # fmt: skip
            rows = [((one, rules.cancelled(one, code, reason, now)), ()) for one in ending]
            forgone = _forgone(left, old, since, now, everything=not sessions)
            if forgone:  # as dates that are excluded: no change of the rule books them
                old = replace(old, exclude=(*old.exclude, *(f"{wall:%Y-%m-%d}" for wall in sorted(forgone))))
            kept = {wall: why for wall, why in left.items() if wall not in forgone} if forgone else None
            return await self.wrote(
                tx, actor, "series_cancelled", old, rows, now, rule_changes=True, sequence=sequence, left=kept
            )

        return await self.done(work)

    async def answer(
        self,
        actor: Actor,
        series_id: str,
        site: str,
        answer: Answer,
        room: str | None,
        comment: str,
        *,
        until: date | None,
        but: Collection[str],
        sure: bool,
        sequence: int | None = None,
    ) -> Whole:
        """One answer for every date to come, until a day (included, by the clock of the series), but for some."""
        now = self.now()
        comment = checked_text("comment", comment, self.directory, sure=sure)

        async def work(tx: Tx) -> Outcome:
            old = await self.allowed(tx, actor, "answer", series_id, site)
            sessions = await self.sessions(tx, old, lock=True)
            known = {f"{one.recurrence:{WALL}}" for one in sessions}
            for position, text in enumerate(but):
                if text not in known:
                    raise InvalidRequest.of(
                        f"except[{position}]", "The series has no such date: take a recurrence_id of it."
                    )
            asked = [
                one for one in sessions
                if one.start > now and one.status != "cancelled" and one.participation(site)
                and f"{one.recurrence:{WALL}}" not in but
                and (until is None or (one.recurrence and one.recurrence.date() <= until))
            ]  # fmt: skip
            if site not in self.directory.sites or not any(one.participation(site) for one in sessions):
                raise NotFound
            if answer == "declined" and site == old.session.host_site:
                raise InvalidRequest.of("answer", "The host cannot decline: cancel the session instead.")
            self._check_room(site, answer, room)
            if not asked:
                return Outcome(plan=None, whole=await whole(tx, old))
            if not all(answers.stands(one, site, answer, comment, room) for one in asked):
                refuse_changed(old, sequence)
            return await self._answered(tx, actor, old, asked, site, answer, room, comment, now)

        return await self.done(work)

    async def _answered(
        self,
        tx: Tx,
        actor: Actor,
        old: Series,
        asked: Sequence[Session],
        site: str,
        answer: Answer,
        room: str | None,
        comment: str,
        now: datetime,
    ) -> Outcome:
        standing = await self.standing_of(tx, old, asked)
        planner = self.planner(actor, standing, now)
        placed = [planner.answer(one, site, answer, room, comment) for one in asked]
        plan = Plan(series=replace(old, on_conflict="refuse"), placed=placed, unmatched=(), standing=standing)
        if plan.refused:
            return Outcome(plan=plan, whole=Whole(series=old, occurrences=()))
        rows = [((one.before, one.session), one.taken) for one in placed if one.session and one.changes]
        otherwise = any(one.changes_face for one in placed)
        return await self.wrote(tx, actor, "series_answered", old, rows, now, rule_changes=otherwise)

    def _check_room(self, site: str, answer: Answer, room: str | None) -> None:
        if room is None:
            return
        if answer == "declined":
            raise InvalidRequest.of("room", "A site that declines takes no room: leave the room out.")
        known = self.directory.rooms.get(room)
        if known is None or known.site != site:
            raise InvalidRequest.of("room", "{site} has no room {room}.", site=site, room=repr(room))

    async def book_later(
        self, actor: Actor, series_id: str, recurrence_id: str, reason: str | None, sequence: int | None = None
    ) -> Session:
        """Book a date that was left out. Booking it twice changes nothing."""
        now = self.now()

        async def work(tx: Tx) -> Outcome:
            old = await self.allowed(tx, actor, "change", series_id)
            left = await store.left_out_of(tx, old.id)
            wall = next((one for one in left if f"{one:{WALL}}" == recurrence_id), None)
            if wall is None:
                there = await booking.sessions_where(tx, booking.of_series(old.id))
                same = [one for one in there if f"{one.recurrence:{WALL}}" == recurrence_id]
                if sequence is not None and [one for one in same if one.status != "cancelled"]:
                    return Outcome(plan=None, whole=assembled(old, same, {}))  # the form was sent before
                raise InvalidRequest.of("recurrence_id", "This is none of the dates that were left out.")
            refuse_changed(old, sequence)
            new = replace(old, revision=old.revision + 1, updated_at=now, on_conflict="refuse")
            if reason is not None:
                new = replace(new, session=replace(new.session, override_reason=reason), override=(recurrence_id,))
            draft = new.session
            standing = await self.standing(
                tx,
                (draft.host_site, *draft.required_sites, *draft.optional_sites),
                [draft.network],
                window_of([wall], draft.timezone, draft.duration),
                lock=True,
            )
            placed = self.planner(actor, standing, now).book(new, [wall])
            plan = Plan(series=new, placed=placed, unmatched=(), standing=standing)
            if plan.refused:
                return Outcome(plan=plan, whole=Whole(series=new, occurrences=()))
            kept = replace(old, revision=old.revision + 1, sequence=old.sequence + 1, updated_at=now)
            await store.replace(tx, kept, {one: why for one, why in left.items() if one != wall})
            rows = [(one.session, one.taken or ()) for one in placed if one.session]
            await booking.add_many(tx, rows, self.database.resources)
            await self.record(tx, actor, "series_completed", kept, sessions=1)
            return Outcome(plan=None, whole=assembled(kept, [session for session, _ in rows], {}))

        done = await self.done(work)
        session = done.occurrences[0].session
        assert session is not None
        return session

    async def back_to_rule(self, actor: Actor, session_id: str, sequence: int | None = None) -> None:
        """Take one occurrence back to what its series asks for. Raises NotFound where it is in none."""
        now = self.now()

        async def work(tx: Tx) -> Outcome:
            seen = await booking.session(tx, session_id)
            if seen is None or seen.series is None or self.enquiries.sight(actor, seen) == "none":
                raise NotFound
            old = await self.allowed(tx, actor, "change", seen.series)
            session = await booking.lock_session(tx, session_id)
            if session is None or session.recurrence is None or session.series != old.id:
                raise NotFound
            if session.status == "cancelled":
                raise InvalidRequest.of("status", "The session is cancelled: undo the cancellation first.")
            if session.start <= now:
                raise InvalidRequest.of("status", "The session is past: it does not change any more.")
            wall = datetime.combine(session.recurrence.date(), old.session.wall_start.time())
            standing = await self.standing_of(tx, old, [session], wall)
            standing.free(session.id)
            planner = self.planner(actor, standing, now)
            reason = old.session.override_reason if f"{wall:{WALL}}" in old.override else None
            placed = [adopted(planner.change(wall, session, lambda: old.on(wall), reason), old, now)]
            strict = replace(old, on_conflict="refuse")
            plan = Plan(series=strict, placed=placed, unmatched=(), standing=standing)
            rows = [((one.before, one.session), one.taken) for one in placed if one.session and one.changes]
            if rows or plan.refused:
                refuse_changed(session, sequence)
            if plan.refused:
                return Outcome(plan=plan, whole=Whole(series=old, occurrences=()))
            return await self.wrote(tx, actor, "series_restored", old, rows, now)

        await self.done(work)


def _forgone(
    left: store.LeftOut, series: Series, since: str | None, now: datetime, *, everything: bool
) -> set[datetime]:
    """The dates left out that nobody can book any more where a series ends: those to come, from a date on.

    `everything`: of a series that was never booked on any date nothing stays, so that it is ended.
    """
    if everything and since is None:
        return set(left)
    return {
        wall for wall in left
        if pairing.to_come(wall, series, now) and (since is None or f"{wall:{WALL}}" >= since)
    }  # fmt: skip
