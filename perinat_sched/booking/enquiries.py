"""Reading: the sessions one may see, the common slots, the alternatives to what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.availability import slots
from perinat_sched.availability import store as ground_store
from perinat_sched.availability.conflicts import Fit, fit
from perinat_sched.availability.ground import Ground
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slots import Search, Slot, SlotQuery, Survey
from perinat_sched.booking import rules, slot_request, store
from perinat_sched.booking.refusals import Refusals
from perinat_sched.booking.request import Asked, draft
from perinat_sched.booking.session import Draft, Session
from perinat_sched.booking.slot_request import SlotsAsked
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import Forbidden, NotFound
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, Sight, Subject, may, sight
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Directory, Site
from perinat_sched.storage.database import Database
from perinat_sched.zones import Clock

MARGIN = timedelta(days=1)  # no set-up or release is longer: what lies further off cannot touch a session
ALTERNATIVES_WITHIN = timedelta(days=60)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list; `next` is where the following part begins, None at the end."""

    sessions: Sequence[Session]
    next: tuple[datetime, str] | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What booking would find now: where the session would stand, and where else it could."""

    draft: Draft
    fit: Fit
    alternatives: Sequence[Slot]  # none where nothing speaks against it


def refuse_unless_books(actor: Actor, new: Draft, directory: Directory) -> None:
    """Raise Forbidden unless the caller may book for this host in this network."""
    if not may(actor, "book", Subject.of(new.host_site, (), new.network), directory):
        raise Forbidden


@dataclass(frozen=True, kw_only=True)
class Enquiries:
    """Everything that only reads. Whoever may not see a thing is told NotFound."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    refusals: Refusals = field(default_factory=Refusals)  # of all that books, whoever asks for it

    def visible(self, actor: Actor, session: Session | None) -> Session:
        """The session, if there is one that the caller sees at least by kind and time."""
        if session is None or self.sight(actor, session) == "none":
            raise NotFound
        return session

    def sight(self, actor: Actor, session: Session) -> Sight:
        return sight(actor, session.subject, self.directory)

    async def get(self, actor: Actor, session_id: str) -> Session:
        """One session; `sight` says how much of it may be shown."""
        async with self.database.read() as tx:
            return self.visible(actor, await store.session(tx, session_id))

    async def sessions(
        self, actor: Actor, wanted: SessionFilter, *, after: tuple[datetime, str] | None, limit: int
    ) -> Page:
        """The sessions the caller sees, by start, then id; `after` is the `next` of the page before."""
        condition = store.matching(wanted, actor, self.directory, after)
        async with self.database.read() as tx:
            found = await store.sessions_where(tx, condition, limit=limit + 1)
        more = len(found) > limit
        found = found[:limit]
        return Page(sessions=found, next=(found[-1].start, found[-1].id) if more else None)

    async def waiting(self, actor: Actor, site: str, *, limit: int) -> list[Session]:
        """The sessions to come that wait for this site's answer, by start, as far as the caller sees them in full."""
        seen = store.matching(SessionFilter(site=site), actor, self.directory, None)
        async with self.database.read() as tx:
            return await store.sessions_where(tx, seen & store.waiting_for(site, self.clock()), limit=limit)

    async def standing(
        self,
        actor: Actor,
        window: Interval,
        *,
        site: str | None = None,
        room: str | None = None,
        network: str | None = None,
    ) -> tuple[list[Session], Ground]:
        """What takes place in a window at a site, in a room, or in a network: the sessions the caller sees, and the
        ground under them, where holds tell of the others without naming them. Four statements, whatever the number."""
        places = [place.code for place in self._places(site, room, network)]
        condition = store.standing(window, actor, self.directory, site=site, room=room, network=network)
        async with self.database.read() as tx:
            found = await store.sessions_where(tx, condition)
            ground = await ground_store.ground(
                tx,
                directory=self.directory,
                calendars=self.calendars,
                now=self.clock(),
                window=window,
                sites=places,
                networks=[network] if network else [],
            )
        return found, ground

    def _places(self, site: str | None, room: str | None, network: str | None) -> list[Site]:
        if network is not None:
            return [place for place in self.directory.sites.values() if network in place.networks and place.active]
        code = self.directory.rooms[room].site if room else site
        return [self.directory.sites[code]] if code else []

    async def search(self, actor: Actor, asked: SlotsAsked) -> tuple[SlotQuery, Search]:
        """Common slots and what stands in their way, with the question as it was understood.

        Raises InvalidRequest; NotFound where `except_session` is none that the caller sees.
        """
        query = await self._query(actor, asked)
        return query, slots.search(await self._ground_of(query, asked.except_session), query)

    async def survey(self, actor: Actor, asked: SlotsAsked) -> tuple[SlotQuery, Survey]:
        """A search with every start that it looked at. Raises what `search` raises."""
        query = await self._query(actor, asked)
        return query, slots.survey(await self._ground_of(query, asked.except_session), query)

    async def trial(self, actor: Actor, asked: Asked) -> Trial:
        """What booking this would find, without booking it. Raises what `Bookings.book` raises, but BookingRefused."""
        now = self.clock()
        new = draft(asked, self.directory, now)
        refuse_unless_books(actor, new, self.directory)
        request = rules.Request(draft=new, before=None, own_sites=actor.sites, directory=self.directory, now=now)
        ground = await self.ground(request.proposal(), new.interval.widened(MARGIN, MARGIN), None)
        found = fit(ground, request.proposal(), new.start)
        others: Sequence[Slot] = ()
        if found.conflicts:
            others = await self.alternatives(request.elsewhere(), new.start, new.timezone, None)
        return Trial(draft=new, fit=found, alternatives=others)

    async def _query(self, actor: Actor, asked: SlotsAsked) -> SlotQuery:
        before = await self.get(actor, asked.except_session) if asked.except_session else None
        if before and self.sight(actor, before) != "full":
            raise NotFound
        return slot_request.query(asked, self.directory, before)

    async def alternatives(
        self, proposal: Proposal, after: datetime, zone: str, except_session: str | None
    ) -> Sequence[Slot]:
        """Up to three slots after a refused start, within 60 days, that do not overlap one another."""
        first = zones.to_local(max(after, self.clock()), zone).date()
        query = SlotQuery(proposal=proposal, timezone=zone, first_day=first, last_day=first + ALTERNATIVES_WITHIN)
        return slots.alternatives(await self._ground_of(query, except_session), query, after)

    async def sight_of(self, actor: Actor, session_ids: Sequence[str]) -> dict[str, Sight]:
        """How much the caller sees of the sessions that stand in the way of another."""
        async with self.database.read() as tx:
            found = await store.sessions_where(tx, store.with_ids(session_ids))
        return {session.id: self.sight(actor, session) for session in found}

    async def ground(self, proposal: Proposal, window: Interval, except_session: str | None) -> Ground:
        """What concerns a proposal: the number of SQL statements does not grow with sites, months or sessions."""
        async with self.database.read() as tx:
            return await ground_store.ground(
                tx,
                directory=self.directory,
                calendars=self.calendars,
                now=self.clock(),
                window=window,
                sites=(*proposal.needed, *proposal.optional),
                networks=[proposal.network],
                except_session=except_session,
            )

    async def _ground_of(self, query: SlotQuery, except_session: str | None) -> Ground:
        return await self.ground(query.proposal, slots.window(self.directory, query), except_session)
