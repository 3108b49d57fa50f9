"""Booking and reading series: load → decide → save, all dates in one transaction.

The rooms and bridges of all dates are locked once, in the order every booking keeps; the ground is loaded once for the
whole series; what is written goes in one statement a table. So the number of statements does not grow with the dates.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from perinat_sched.booking import request as booking_request
from perinat_sched.booking import store as booking
from perinat_sched.booking.replay import Replay
from perinat_sched.errors import Forbidden, GuardViolation, Unavailable
from perinat_sched.people.access import Actor, Subject, may
from perinat_sched.series import copying, request, store
from perinat_sched.series.base import Plan, SeriesBase, whole, wholes, window_of
from perinat_sched.series.request import Asked, Dates
from perinat_sched.series.series import Series, SeriesRefused, Whole
from perinat_sched.storage.database import Tx
from perinat_sched.storage.idempotency import StoredAnswer

T = TypeVar("T")


class _Refused(Exception):
    """A date has a conflict: nothing is written, and why is looked up when the transaction is over."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


@dataclass(frozen=True, kw_only=True)
class SeriesBookings(SeriesBase):
    """Booking a series, and reading it."""

    async def book(self, actor: Actor, asked: Asked) -> Whole:
        """Book every date, or (`leave_out`) every date that fits. Raises SeriesRefused, InvalidRequest and its kin."""
        new, when = self._asked(actor, asked)

        async def work(tx: Tx) -> Plan:
            return await self._save(tx, actor, new, when)

        return self.booked(await self._written(work))

    async def book_once(self, actor: Actor, asked: Asked, replay: Replay[Plan]) -> StoredAnswer:
        """The same for a request that may be sent twice: what was answered before is answered again."""
        new, when = self._asked(actor, asked)

        async def work(tx: Tx) -> StoredAnswer:
            return await replay.once(tx, new.created_at, lambda: self._save(tx, actor, new, when))

        try:
            return await self._written(work)
        except SeriesRefused as refused:
            if stored := await replay.refused(self.database, refused, new.created_at):
                return stored  # a twin of this request was answered meanwhile
            raise

    def booked(self, plan: Plan) -> Whole:
        """What was booked, as its caller reads it."""
        return self.judged(plan, verdict="booked", changed=plan.new)

    async def _save(self, tx: Tx, actor: Actor, new: Series, when: Dates) -> Plan:
        plan = await self._plan(tx, actor, new, when, lock=True)
        if plan.refused:
            raise _Refused(plan)
        await store.add(tx, new, {one.recurrence: one.conflicts for one in plan.placed if one.conflicts})
        rows = [(one.session, one.taken or ()) for one in plan.bookable if one.session]
        await booking.add_many(tx, rows, self.database.resources)
        await self.record(tx, actor, "series_booked", new, sessions=len(rows), dates=len(plan.placed))
        return plan

    async def _written(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        try:
            return await self.database.write(work)
        except GuardViolation as violation:
            raise Unavailable from violation
        except _Refused as refused:
            told = SeriesRefused(self.judged(refused.plan, verdict="bookable"))
            raise self.enquiries.refusals.counted(told) from None

    async def try_out(self, actor: Actor, asked: Asked) -> Whole:
        """The same verdicts, and nothing is booked: the dry run."""
        new, when = self._asked(actor, asked)
        async with self.database.read() as tx:
            plan = await self._plan(tx, actor, new, when, lock=False)
        return self.judged(plan, verdict="bookable", changed=() if plan.refused else plan.new)

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
        standing = await self.standing(tx, sites, [draft.network], window, lock=lock)
        placed = self.planner(actor, standing, new.created_at).book(new, when.times)
        return Plan(series=new, placed=placed, unmatched=when.unmatched, standing=standing)

    async def get(self, actor: Actor, series_id: str) -> Whole:
        """A series with every date it has."""
        async with self.database.read() as tx:
            return await whole(tx, await self.found(tx, actor, series_id))

    async def several(self, actor: Actor, ids: Collection[str]) -> list[Series]:
        """These series, without their dates, in this order, as far as the caller sees them in full."""
        async with self.database.read() as tx:
            found = await store.with_ids(tx, ids)
        return [one for name in ids if (one := found.get(name)) and self.sight(actor, one) == "full"]

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
            return await wholes(tx, seen[:limit]), len(seen) > limit

    async def copy(self, actor: Actor, series_id: str, first: date, last: date) -> Asked:
        """The same series in another year, as it may be asked for: nothing is booked."""
        async with self.database.read() as tx:
            old = await self.found(tx, actor, series_id)
        if not may(actor, "change", old.subject, self.directory):
            raise Forbidden
        for name, day in (("from", first), ("until", last)):
            booking_request.refuse_year(name, day.year, self.now())
        return copying.between(old, first, last)
