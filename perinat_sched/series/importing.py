"""A year's plan from a spreadsheet: its lines become series and sessions, all of them or none, with a verdict a line.

What is booked already is found again, so that a plan may be completed and imported once more. All lines stand upon one
ground, loaded once: each is in the way of the others, and what they cost grows with their number.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from perinat_sched.availability.conflicts import Conflict
from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused, FieldError, GuardViolation, InvalidRequest, Unavailable
from perinat_sched.i18n import Message
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor
from perinat_sched.series import regular, request, store, wishes
from perinat_sched.series.base import Plan, SeriesBase, window_of
from perinat_sched.series.series import Change, Occurrence, OnConflict, Series
from perinat_sched.series.wishes import Identity, Wish, Wishes
from perinat_sched.storage import audit
from perinat_sched.storage.database import Tx


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes, or became, of one line."""

    number: int
    said: Literal["booked", "bookable", "exists", "left_out", "conflict", "invalid"]
    occurrence: Occurrence | None = None  # None where the line is invalid
    series: Series | None = None  # the new one that it is a date of; None: it stands alone
    errors: Sequence[FieldError] = ()


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of a file, or would become of it."""

    verdicts: Sequence[Verdict]  # by line
    unread: Sequence[str]  # headings that mean nothing here

    @property
    def series(self) -> list[Series]:
        """The new ones, in the order of their first lines."""
        return list({one.series.id: one.series for one in self.verdicts if one.series}.values())

    @property
    def conflicts(self) -> list[Conflict]:
        return [conflict for one in self.verdicts if one.occurrence for conflict in one.occurrence.conflicts]

    @property
    def booked(self) -> list[Change]:
        """What was done: sessions that were not there before."""
        found = (one.occurrence for one in self.verdicts if one.said == "booked")
        return [(None, one.session) for one in found if one and one.session]


class ImportRefused(BookingRefused):
    """Nothing was booked: see what speaks against each line, and mend these or have them left out."""

    def __init__(self, imported: Imported, zone: str) -> None:
        found = [one.occurrence for one in imported.verdicts if one.said == "conflict" and one.occurrence]
        nearest = dict.fromkeys(one.nearest for one in found if one.nearest)
        super().__init__(imported.conflicts, list(nearest)[:3], zone)
        self.message = Message(
            "Nothing was booked: see what speaks against each line, and mend these or have them left out."
        )
        self.imported = imported


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Some dates of a wish that are not booked yet, tried: a series, or a session alone."""

    wish: Wish
    plan: Plan

    @property
    def alone(self) -> bool:
        return len(self.plan.placed) == 1


Known = Mapping[int, Session]  # what is there already, by line


@dataclass(frozen=True, kw_only=True)
class SeriesImport(SeriesBase):
    """Raises InvalidRequest where the file, or for booking a line of it, cannot be understood."""

    async def book(self, actor: Actor, content: bytes, on_conflict: OnConflict, *, sure: bool) -> Imported:
        """Book what the lines ask for, all of it or (`leave_out`) all that fits. Raises ImportRefused."""
        asked = wishes.read(content, actor, self.directory, self.now(), sure=sure)
        if asked.wrong:
            raise InvalidRequest(*asked.errors)

        async def work(tx: Tx) -> tuple[list[Tried], Known, bool]:
            tried, known = await self._tried(tx, actor, asked.wishes, on_conflict, lock=True)
            refused = any(one.plan.refused for one in tried)
            if not refused:
                await self._save(tx, actor, tried)
            return tried, known, refused

        try:
            tried, known, refused = await self.database.write(work)
        except GuardViolation as violation:
            raise Unavailable from violation
        imported = await self._imported(asked, tried, known, "bookable" if refused else "booked")
        if refused:
            raise self.enquiries.refusals.counted(ImportRefused(imported, asked.wishes[0].draft.timezone))
        return imported

    async def try_out(self, actor: Actor, content: bytes, on_conflict: OnConflict, *, sure: bool) -> Imported:
        """The same verdicts, also on lines that cannot be understood, and nothing is booked."""
        asked = wishes.read(content, actor, self.directory, self.now(), sure=sure)
        async with self.database.read() as tx:
            tried, known = await self._tried(tx, actor, asked.wishes, on_conflict, lock=False)
        return await self._imported(asked, tried, known, "bookable")

    async def _tried(
        self, tx: Tx, actor: Actor, asked: Sequence[Wish], on_conflict: OnConflict, *, lock: bool
    ) -> tuple[list[Tried], Known]:
        """All that is new, tried on one ground; and what is there already."""
        if not asked:
            return [], {}
        windows = [window_of(list(wish.numbers), wish.draft.timezone, wish.draft.duration) for wish in asked]
        window = Interval(min(one.start for one in windows), max(one.end for one in windows))
        sites = sorted({site for wish in asked for site in wish.sites})
        networks = sorted({wish.draft.network for wish in asked})
        standing = await self.standing(tx, sites, networks, window, lock=lock)
        known = await self._known(tx, asked, window)
        now = self.now()
        planner, tried = self.planner(actor, standing, now), []
        for wish in asked:
            for times in regular.parts([wall for wall, number in wish.numbers.items() if number not in known]):
                series_id = str(uuid.uuid4())
                series = request.series(
                    wish.on(times, on_conflict), self.directory, now,
                    series_id=series_id, uid=f"{series_id}@perinat-sched",
                )  # fmt: skip
                plan = Plan(series=series, placed=planner.book(series, times), unmatched=(), standing=standing)
                tried.append(Tried(wish=wish, plan=plan))
        return tried, known

    async def _known(self, tx: Tx, asked: Sequence[Wish], window: Interval) -> Known:
        """What is booked already; what was cancelled is not booked again, either."""
        hosts = {wish.draft.host_site for wish in asked}
        there: dict[Identity, Session] = {}
        for session in await booking.sessions_where(tx, booking.overlapping(window) & booking.where_site(hosts)):
            there |= dict.fromkeys(wishes.identities_of(session), session)
        return {
            number: there[identity]
            for wish in asked
            for wall, number in wish.numbers.items()
            for identity in wish.identities(wall)
            if identity in there
        }

    async def _save(self, tx: Tx, actor: Actor, tried: Sequence[Tried]) -> None:
        rows = []
        for one in tried:
            plan = one.plan
            new = [(placed.session, placed.taken or ()) for placed in plan.bookable if placed.session]
            if one.alone:
                new = [(replace(session, series=None, recurrence=None), taken) for session, taken in new]
                for session, _ in new:
                    await self._record_alone(tx, actor, session)
            else:
                left = {placed.recurrence: placed.conflicts for placed in plan.placed if placed.conflicts}
                await store.add(tx, plan.series, left)
                await self.record(tx, actor, "series_booked", plan.series, sessions=len(new), dates=len(plan.placed))
            rows += new
        await booking.add_many(tx, rows, self.database.resources)

    async def _record_alone(self, tx: Tx, actor: Actor, session: Session) -> None:
        await audit.record(
            tx,
            at=session.updated_at,
            actor=actor.token,
            action="session_booked",
            object_type="session",
            object_id=session.id,
            details={"revision": session.revision, "status": session.status},
        )

    async def _imported(
        self, asked: Wishes, tried: Sequence[Tried], known: Known, fits: Literal["booked", "bookable"]
    ) -> Imported:
        verdicts = [Verdict(number=number, said="invalid", errors=errors) for number, errors in asked.wrong.items()]
        verdicts += [Verdict(number=number, said="exists", occurrence=_there(one)) for number, one in known.items()]
        for one in tried:
            await asyncio.sleep(0)  # a search for each line in conflict takes its time: others have their turn
            series = None if one.alone else one.plan.series
            for occurrence in self.judged(one.plan, verdict=fits).occurrences:
                number = one.wish.numbers[occurrence.recurrence]
                verdicts.append(Verdict(number=number, said=occurrence.verdict, occurrence=occurrence, series=series))
        return Imported(verdicts=sorted(verdicts, key=lambda one: one.number), unread=asked.unread)


def _there(session: Session) -> Occurrence:
    wall: datetime = session.recurrence or session.wall_start
    return Occurrence(recurrence=wall, verdict="booked", session=session)
