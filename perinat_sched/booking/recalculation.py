"""Putting every session upon the ground as it is now: done at start, and only where the ground has moved.

The mark of the ground (rules of clocks, configuration, calendars) is kept in the database; where it is another one, or
a session was reckoned with other rules of clocks, the sessions to come are looked at again (`ground_moves`). They are
taken in spells of time that no session crosses, each in one transaction: in it, all of them give up what they hold
and take again what fits, so that no guard is ever in the way and nothing is held twice at any moment. A spell done
twice changes nothing the second time, so a start that is cut off, or several nodes that start at once, do no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version

import perinat_sched
from perinat_sched import zones
from perinat_sched.availability import store as ground_store
from perinat_sched.availability.ground import Ground
from perinat_sched.booking import rules, store
from perinat_sched.booking.enquiries import MARGIN
from perinat_sched.booking.ground_moves import Resettled, resettle
from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

SPELL = 100  # sessions; more only where they touch one another in time


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How many sessions moved; how many places, of sites and on bridges, were lost and came back."""

    moved: int = 0
    lost: int = 0
    back: int = 0

    @classmethod
    def of(cls, results: Iterable[Resettled]) -> Outcome:
        results = list(results)
        return cls(
            moved=sum(result.moved for result in results),
            lost=sum(len(result.lost) for result in results),
            back=sum(len(result.back) for result in results),
        )

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(moved=self.moved + other.moved, lost=self.lost + other.lost, back=self.back + other.back)


@dataclass(frozen=True, kw_only=True)
class Recalculation:
    """The sessions to come, and the ground they are put upon."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    spell: int = SPELL  # sessions in one transaction

    async def where_the_ground_moved(self) -> Outcome:
        """Put the sessions to come upon the new ground, if it is one; past ones and those under way stay as they are.

        Raises Unavailable.
        """
        now, mark = self.clock().replace(microsecond=0), self._mark()
        to_come = store.to_come(now)
        async with self.database.read() as tx:
            same = await store.ground(tx) == mark
            if same and not await store.any_reckoned_otherwise(tx, to_come, zones.TZDATA_VERSION):
                return Outcome()
            taken_together = await self._spells(tx, now)
        outcome = Outcome()
        for spell in taken_together:
            outcome += await self.database.write(partial(self._put_upon_it, now, spell))

        async def note(tx: Tx) -> None:
            await store.plan_again(tx, to_come)  # contacts and reminders may be others, too
            await store.note_ground(tx, mark)

        await self.database.write(note)
        return outcome

    async def misfits(self) -> AsyncIterator[Resettled]:
        """What the ground as it is now would cost sessions, in order of time; only reads."""
        now = self.clock()
        async with self.database.read() as tx:
            for spell in await self._spells(tx, now):
                results, _ = await self._resettled(tx, now, spell)
                for result in sorted(results, key=lambda result: (result.before.start, result.before.id)):
                    if result.conflicts:
                        yield result

    def _mark(self) -> str:
        """A short name for everything that decides where a session stands, and who reads of it."""
        parts = [perinat_sched.__version__, zones.TZDATA_VERSION, version("holidays"), repr(self.directory)]
        parts += [f"{name}:{kept.digest}" for name, kept in sorted(self.calendars.agendas.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    async def _spells(self, tx: Tx, now: datetime) -> list[Interval]:
        """Spans of time that no session to come crosses, where it stands or where it is going to stand."""
        margin = self.directory.longest_margin()

        def reach(standing: store.Standing) -> Interval:
            start = zones.to_utc_again(standing.wall_start, standing.timezone, standing.fold)
            there = Interval(start, start + standing.duration).widened(margin, margin)
            here = standing.interval
            return Interval(min(here.start, there.start), max(here.end, there.end))

        return spells([reach(standing) for standing in await store.standings(tx, store.to_come(now))], self.spell)

    async def _resettled(self, tx: Tx, now: datetime, spell: Interval) -> tuple[list[Resettled], Ground]:
        """The sessions of a spell on the new ground, and the ground with what everybody holds until now."""
        sessions = await store.sessions_where(tx, store.to_come(now, spell))
        ground = await ground_store.whole_ground(
            tx,
            directory=self.directory,
            calendars=self.calendars,
            now=now,
            window=spell.widened(MARGIN, MARGIN),
            sites={site for session in sessions for site in session.sites},
        )
        return resettle(sessions, ground.without({session.id for session in sessions}), now), ground

    async def _put_upon_it(self, now: datetime, spell: Interval, tx: Tx) -> Outcome:
        await self.database.alone(tx)
        in_spell = store.to_come(now, spell)
        await store.lock_sessions(tx, in_spell)
        await self.database.lock(tx, self.database.resources.values())
        results, ground = await self._resettled(tx, now, spell)
        held = _held_until_now(ground)
        changes = [
            (result.after, result.taken)
            for result in results
            if result.after is not result.before or _as_held(result.taken) != held.get(result.before.id, set())
        ]
        if changes:
            await store.replace_many(tx, changes, self.database.resources)
        changed = [result for result in results if result.after is not result.before]
        moved = {result.after.series for result in changed if result.after.sequence != result.before.sequence}
        shown = {
            result.after.series for result in changed
            if rules.shows_in_series(result.before, result.after, self.directory)
        }  # fmt: skip
        await store.count_series(tx, (one for one in moved if one), moved_at=now)
        await store.count_series(tx, (one for one in shown - moved if one))
        await store.stamp(tx, in_spell, zones.TZDATA_VERSION)
        await self._record(tx, now, changed)
        return Outcome.of(results)

    async def _record(self, tx: Tx, now: datetime, results: Sequence[Resettled]) -> None:
        if results:
            details = {result.after.id: _details(result) for result in results}
            await audit.record_all(
                tx, at=now, actor="system", action="session_resettled", object_type="session", details_by_object=details
            )


def _details(result: Resettled) -> dict[str, object]:
    session: Session = result.after
    return {
        "revision": session.revision,
        "status": session.status,
        "moved": result.moved,
        "lost": result.lost,
        "back": result.back,
    }


Taken = tuple[str, Interval, Interval, int]  # the code of a room or bridge, when, with set-up and release, units


def _held_until_now(ground: Ground) -> dict[str, set[Taken]]:
    """What each session holds."""
    held: dict[str, set[Taken]] = {}
    for code, holds in ground.holds.items():
        for hold in holds:
            held.setdefault(hold.session, set()).add((code, hold.interval, hold.around, hold.units))
    return held


def _as_held(taken: Iterable[store.Held]) -> set[Taken]:
    return {(held.resource[1], held.interval, held.around, held.units) for held in taken}


def spells(spans: Iterable[Interval], most: int) -> list[Interval]:
    """Spans of time of at most `most` of these each, that none of them crosses; more where they cannot be parted."""
    found: list[Interval] = []
    count = 0
    for span in sorted(spans):
        if found and (span.start < found[-1].end or count < most):
            found[-1], count = Interval(found[-1].start, max(found[-1].end, span.end)), count + 1
        else:
            found.append(span)
            count = 1
    return found
