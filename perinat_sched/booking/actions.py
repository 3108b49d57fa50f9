"""Booking, changing, cancelling, answering: load → decide → save, each in one transaction.

The session, then the rooms and bridges concerned, are locked in one fixed order; then the ground is read, the rules
decide, and session, holds, audit and idempotency rows are written together or not at all. Nothing here speaks to the
network: the committed session is the message, and delivery finds what follows from it.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from perinat_sched.availability import store as ground_store
from perinat_sched.availability.conflicts import Fit, fit
from perinat_sched.availability.proposal import Proposal
from perinat_sched.booking import answers, rules, store
from perinat_sched.booking.enquiries import MARGIN, Enquiries, refuse_unless_books
from perinat_sched.booking.replay import Replay
from perinat_sched.booking.request import Asked, Changes, asked_again, checked_text, draft, redraft
from perinat_sched.booking.session import Answer, CancellationCode, Session
from perinat_sched.errors import (
    BookingRefused,
    Forbidden,
    GuardViolation,
    InvalidRequest,
    NotFound,
    RevisionMismatch,
    Unavailable,
)
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Action, Actor, SiteRef, may
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.idempotency import StoredAnswer
from perinat_sched.zones import Clock

T = TypeVar("T")
NOTHING: tuple[store.Held, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bookings:
    """Everything that changes a session. All raise NotFound where the caller may not see it, Forbidden where she may
    see but not do, and BookingRefused, with alternatives, where places are missing."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    enquiries: Enquiries

    async def book(self, actor: Actor, asked: Asked, replay: Replay[Session] | None = None) -> Session | StoredAnswer:
        """Book a session. With `replay`, what was answered before is answered again.

        Raises InvalidRequest and its kin with every wrong field.
        """
        now = self._now()
        new = draft(asked, self.directory, now)
        refuse_unless_books(actor, new, self.directory)
        request = rules.Request(draft=new, before=None, own_sites=actor.sites, directory=self.directory, now=now)

        async def act(tx: Tx) -> Session:
            place = await self._fit(tx, request.proposal(), new.interval)
            rules.refuse(request, place, new.override_reason)
            session = rules.booked(request, place, session_id=str(uuid.uuid4()), uid=f"{uuid.uuid4()}@perinat-sched")
            await store.add(tx, session, store.held_by(place), self.database.resources)
            await self._record(tx, actor, "session_booked", session)
            return session

        async def work(tx: Tx) -> Session | StoredAnswer:
            return await replay.once(tx, now, partial(act, tx)) if replay else await act(tx)

        try:
            return await self._write(work)
        except BookingRefused as refused:
            if replay and (stored := await replay.refused(self.database, refused, now)):
                return stored  # a twin of this request was answered meanwhile
            raise

    async def change(self, actor: Actor, session_id: str, revision: int, changes: Changes) -> Session:
        """Replace some fields of a session, if `revision` is still the last one.

        A refused change leaves everything as it was. Raises RevisionMismatch, InvalidRequest and its kin.
        """
        now = self._now()

        async def work(tx: Tx) -> Session:
            before = await self._locked(tx, actor, "change", session_id)
            if before.revision != revision:
                raise RevisionMismatch
            _refuse_cancelled(before)
            new = redraft(changes, before, self.directory, now)
            if new.network != before.network:
                refuse_unless_books(actor, new, self.directory)
            request = rules.Request(
                draft=new,
                before=before,
                own_sites=actor.sites,
                directory=self.directory,
                now=now,
            )
            place, taken = None, None
            if request.needs_places:
                place = await self._fit(tx, request.proposal(), request.draft.interval, before)
                rules.refuse(request, place, request.draft.override_reason if changes.overrides else None)
                taken = store.held_by(place)
            return await self._save(tx, actor, "session_changed", before, rules.changed(request, place), taken)

        return await self._write(work, session_id)

    async def cancel(
        self,
        actor: Actor,
        session_id: str,
        code: CancellationCode,
        reason: str,
        *,
        sure: bool,
        sequence: int | None = None,
    ) -> Session:
        """Cancel a session, which frees its places; cancelling twice changes nothing.

        `sure`: the caller says that the reason bears no patient data. `sequence`: of the session as the caller knows
        it; where it is another one since, nothing is done. Raises RevisionMismatch.
        """
        now = self._now()
        reason = checked_text("reason", reason, self.directory, sure=sure)

        async def work(tx: Tx) -> Session:
            before = await self._locked(tx, actor, "change", session_id)
            if before.status == "cancelled":
                return before
            _refuse_changed(before, sequence)
            after = rules.cancelled(before, code, reason, now)
            return await self._save(tx, actor, "session_cancelled", before, after, NOTHING)

        return await self._write(work)

    async def resume(self, actor: Actor, session_id: str, sequence: int | None = None) -> Session:
        """Undo a cancellation: take the places again, or refuse. `sequence`: as for `cancel`."""
        now = self._now()

        async def work(tx: Tx) -> Session:
            before = await self._locked(tx, actor, "change", session_id)
            if before.status != "cancelled":
                return before
            _refuse_changed(before, sequence)
            request = rules.Request(
                draft=draft(asked_again(before), self.directory, now, before=before, fresh=()),
                before=before,
                own_sites=actor.sites,
                directory=self.directory,
                now=now,
            )
            place = await self._fit(tx, request.proposal(), before.interval, before)
            rules.refuse(request, place, None)
            return await self._save(
                tx, actor, "session_resumed", before, rules.resumed(request, place), store.held_by(place)
            )

        return await self._write(work, session_id)

    async def answer(
        self,
        actor: Actor,
        session_id: str,
        site: str,
        answer: Answer,
        room: str | None,
        comment: str,
        *,
        sure: bool,
        sequence: int | None = None,
    ) -> Session:
        """A site accepts, declines or answers tentatively; accepting takes its place if it holds none.

        The host cannot decline. `sure`: the caller says that the comment bears no patient data. `sequence`: as for
        `cancel`; the same answer given twice is the same.
        """
        now = self._now()
        comment = checked_text("comment", comment, self.directory, sure=sure)

        async def work(tx: Tx) -> Session:
            before = await self._locked(tx, actor, "answer", session_id, site)
            if not answers.stands(before, site, answer, comment, room):
                _refuse_changed(before, sequence)
            _refuse_cancelled(before)
            self._check_answer(before, site, answer, room)
            proposal = answers.standing(before, site, joining=answer != "declined", room=room, directory=self.directory)
            place = await self._fit(tx, proposal, before.interval, before) if proposal else None
            against = answers.against_joining(before, site, place) if place and answer != "declined" else []
            if proposal and against:
                raise rules.Refused(against, rules.afresh(proposal), before.start, before.timezone)
            after = answers.answered(before, site, answer, comment, room, place, now)
            return await self._save(
                tx, actor, "session_answered", before, after, store.held_by(place), site=site, answer=answer
            )

        return await self._write(work, session_id)

    def _check_answer(self, session: Session, site: str, answer: Answer, room: str | None) -> None:
        if answer == "declined" and site == session.host_site:
            raise InvalidRequest.of("answer", "The host cannot decline: cancel the session instead.")
        if room is None:
            return
        if answer == "declined":
            raise InvalidRequest.of("room", "A site that declines takes no room: leave the room out.")
        known = self.directory.rooms.get(room)
        if known is None or known.site != site:
            raise InvalidRequest.of("room", "{site} has no room {room}.", site=site, room=repr(room))

    async def _locked(self, tx: Tx, actor: Actor, action: Action, session_id: str, site: str | None = None) -> Session:
        """The session, kept from others until the end, if the caller may do this to it."""
        found = self.enquiries.visible(actor, await store.lock_session(tx, session_id))
        subject = found.subject
        target = subject if site is None else SiteRef(site, subject)
        if not may(actor, action, target, self.directory):
            raise Forbidden
        gone = {site, found.host_site} - self.directory.sites.keys()  # from the configuration: nobody answers any more
        if site is not None and (found.participation(site) is None or gone):
            raise NotFound
        return found

    async def _fit(self, tx: Tx, proposal: Proposal, interval: Interval, before: Session | None = None) -> Fit:
        """Lock what the proposal may take, then see how it fits."""
        sites = (*proposal.needed, *proposal.optional)
        networks = [proposal.network]
        await ground_store.lock(tx, database=self.database, directory=self.directory, sites=sites, networks=networks)
        ground = await ground_store.ground(
            tx,
            directory=self.directory,
            calendars=self.calendars,
            now=self._now(),
            window=interval.widened(MARGIN, MARGIN),
            sites=sites,
            networks=networks,
            except_session=before.id if before else None,
        )
        return fit(ground, proposal, interval.start)

    async def _save(
        self,
        tx: Tx,
        actor: Actor,
        action: str,
        before: Session,
        after: Session,
        taken: Sequence[store.Held] | None,
        **details: str,
    ) -> Session:
        """Write what changed; `taken` None leaves what the session holds."""
        if after is before:
            return before
        await store.replace(tx, after, taken, self.database.resources)
        if after.series and rules.shows_in_series(before, after, self.directory):
            await store.count_series(tx, [after.series])
        await self._record(tx, actor, action, after, **details)
        return after

    async def _record(self, tx: Tx, actor: Actor, action: str, session: Session, **details: str) -> None:
        await audit.record(
            tx,
            at=session.updated_at,
            actor=actor.token,
            action=action,
            object_type="session",
            object_id=session.id,
            details={"revision": session.revision, "status": session.status, **details},
        )

    async def _write(self, work: Callable[[Tx], Awaitable[T]], except_session: str | None = None) -> T:
        try:
            return await self.database.write(work)
        except rules.Refused as refused:
            alternatives = await self.enquiries.alternatives(
                refused.proposal, refused.after, refused.zone, except_session
            )
            told = BookingRefused(refused.conflicts, alternatives, refused.zone)
            raise self.enquiries.refusals.counted(told) from None
        except GuardViolation as violation:
            raise Unavailable from violation

    def _now(self) -> datetime:
        return self.clock().replace(microsecond=0)


def _refuse_changed(session: Session, sequence: int | None) -> None:
    """Raise RevisionMismatch where its hour, sites, rooms, link or status are no longer what the caller knows."""
    if sequence is not None and session.sequence != sequence:
        raise RevisionMismatch


def _refuse_cancelled(session: Session) -> None:
    if session.status == "cancelled":
        raise InvalidRequest.of("status", "The session is cancelled: undo the cancellation first.")
