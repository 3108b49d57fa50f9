"""Loading the example programme into an empty database, and taking it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from perinat_sched import zones
from perinat_sched.errors import Forbidden, InvalidRequest
from perinat_sched.example import programme, store
from perinat_sched.example.programme import Meeting
from perinat_sched.people.access import Actor
from perinat_sched.series.actions import SeriesBookings
from perinat_sched.series.request import Asked
from perinat_sched.series.upkeep import SeriesUpkeep
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

State = Literal["offered", "loaded", "none"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """For administrators, and only where the network is the example's."""

    database: Database
    directory: Directory
    clock: Clock
    series: SeriesBookings
    upkeep: SeriesUpkeep

    async def state(self, actor: Actor) -> State:
        """Whether it may be loaded, is loaded, or is out of the question. No statement where it is."""
        if actor.role != "admin" or not programme.fits(self.directory):
            return "none"
        async with self.database.read() as tx:
            if await store.noted(tx) is not None:
                return "loaded"
            return "offered" if await store.empty(tx) else "none"

    async def load(self, actor: Actor) -> int:
        """Book a year of it; how many sessions. Raises Forbidden, InvalidRequest."""
        self._refuse_unless_example(actor)
        today = zones.to_local(self.clock(), next(iter(self.directory.sites.values())).timezone).date()
        wanted = list(programme.series(today, self.directory))
        await self.database.write(self._begin)
        try:
            return await self._book(actor, wanted)
        except BaseException:  # half of it is of no use
            await self.database.write(self._undo)
            raise

    async def _book(self, actor: Actor, wanted: Sequence[tuple[Meeting, Asked]]) -> int:
        ids: list[str] = []
        booked = 0
        for meeting, asked in wanted:
            whole = await self.series.book(actor, asked)
            ids.append(whole.series.id)
            await self.database.write(lambda tx: store.note(tx, ids))
            booked += sum(one.verdict == "booked" for one in whole.occurrences)
            for site in meeting.sites:
                if site not in meeting.silent:
                    await self._accept(actor, whole.series.id, site)
        return booked

    async def remove(self, actor: Actor) -> int:
        """Take it away, with its mails; how many sessions. What people booked themselves stays. Raises Forbidden."""
        self._refuse_unless_example(actor)

        async def work(tx: Tx) -> int:
            gone = await self._undo(tx)
            if gone is None:
                return 0
            await audit.record(
                tx,
                at=self.clock(),
                actor=actor.token,
                action="example_removed",
                object_type="example",
                object_id=programme.NETWORK,
                details={"sessions": gone},
            )
            return gone

        return await self.database.write(work)

    async def _undo(self, tx: Tx) -> int | None:
        """How many sessions are gone; None where it was not loaded."""
        ids = await store.noted(tx)
        return None if ids is None else await store.remove(tx, ids)

    async def _begin(self, tx: Tx) -> None:
        if await store.noted(tx) is not None or not await store.empty(tx):
            raise InvalidRequest.of("example", "The example programme is for an empty database: this one has sessions.")
        await store.begin(tx)

    async def _accept(self, actor: Actor, series_id: str, site: str) -> None:
        await self.upkeep.answer(actor, series_id, site, "accepted", None, "", until=None, but=(), sure=False)

    def _refuse_unless_example(self, actor: Actor) -> None:
        if actor.role != "admin":
            raise Forbidden
        if not programme.fits(self.directory):
            raise InvalidRequest.of(
                "example", "The example programme is for the example network, whose contacts all end in .example."
            )
