"""What an address answers: the last edition while nothing has changed, else a new one, and always something.

Three steps, each only where the one before does not know. What is kept is handed out unasked while nothing has changed
(`storage.changes`). Else the database says which sessions in which revisions are shown today: where that is what the
last edition was made from, on whatever node, HEAD and 304 are answered from its facts. Else it is made, from pieces
of the one before and of the sessions that are new. While the database is away, what was good last is good enough for a
day: calendar programs switch a feed off, or empty it, for an error. (contract.md, Feeds; standards.md HTTP-02 to 07)
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources

from perinat_sched.availability.store import entered_closures
from perinat_sched.booking import store as booking_store
from perinat_sched.booking.session import Session
from perinat_sched.errors import Gone, InvalidRequest, NotFound, Unavailable
from perinat_sched.feeds import calendar, freebusy, store
from perinat_sched.feeds.calendar import Cover, Piece
from perinat_sched.feeds.edition import Asked, Edition, Facts, Options, Published
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.feeds.pieces import Making, Wanted
from perinat_sched.feeds.shelf import Kept, Key, Shelf, Standing, Told, Words
from perinat_sched.feeds.store import Feed, Found
from perinat_sched.feeds.window import Window
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, Detail, feed_detail
from perinat_sched.series import store as series_store
from perinat_sched.sites.closures import Calendars, Closure
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import TZDATA_VERSION, Clock

LAST_GOOD_FOR = timedelta(hours=24)  # after the database was last heard of
PATIENCE = 3.0  # seconds for the database's answer, where there is something to answer without it
RECORD_PATIENCE = 2.0  # seconds for writing down what was made
MANY = 100  # sessions: rather all of a feed in one question than so many by their ids

EMPTY: Mapping[str, Piece] = {}

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Publisher:
    """The feeds of one process, as their readers have them."""

    database: Database
    directory: Directory
    calendars: Calendars
    clock: Clock
    organizer: str  # the scheduling mailbox
    window: Window = field(default_factory=Window)
    shelf: Shelf = field(default_factory=Shelf)
    _away_since: datetime | None = None

    def __post_init__(self) -> None:
        self._making = _digest((_software(), repr(self.directory), self.organizer, TZDATA_VERSION))

    def again(self, words: Words, now: float) -> Told | None:
        """What was answered to the very same words, where nothing can have changed since; None: ask `tell`.

        `now` is in seconds since 1970.
        """
        told = self.shelf.told(words)
        return told if told is not None and told.then.holds(self.database.changes.stamp(), now) else None

    async def tell(self, address: str, words: Words) -> Told:
        """What an address answers to such words. Raises like `publish`."""
        _, options, method, tags, since, encodings = words
        then, answer = await self.publish(address, Asked.by(method, tags, since, encodings), options)
        told = Told(address, answer, then)
        self.shelf.tell(words, told)
        return told

    async def publish(self, address: str, asked: Asked, options: Options) -> tuple[Standing, Published]:
        """The calendar at an address, given by its secret's hash, today, and what stands behind it.

        Raises NotFound for an unknown address, Gone where it, or its owner's token, was revoked or has expired, and
        Unavailable where the database is away and nothing is kept.
        """
        now, kept = self.clock(), self.shelf.get((address, options))
        holds = kept is not None and kept.standing.holds(self.database.changes.stamp(), now.timestamp())
        if kept is None or not holds or kept.answers.to(asked) is None:
            kept = await self._kept((address, options), asked, now)
        told = kept.answers.to(asked)
        assert told is not None, "what is kept answers what was asked"
        return kept.standing, told

    async def feed(self, address: str) -> Feed:
        """What an address is of. Raises like `publish`."""
        async with self.database.read() as tx:
            return (await self._living(tx, (address, Options()), self.clock())).feed

    async def _kept(self, key: Key, asked: Asked, now: datetime) -> Kept:
        if self.shelf.ended(key[0]):
            raise Gone
        kept = self.shelf.get(key)
        try:
            kept = await self._asked(key, kept, asked, now)
        except (Unavailable, TimeoutError) as error:
            return self._last_good(kept, asked, now, error)
        self._away_since = None
        self.shelf.put(key, kept)
        return kept

    def _last_good(self, kept: Kept | None, asked: Asked, now: datetime, error: Exception) -> Kept:
        """What the database said last. What has ended by itself meanwhile is gone all the same."""
        self._away_since = self._away_since or now
        if kept is not None and not kept.standing.owner.valid(now):
            raise Gone
        if kept is None or now - self._away_since >= LAST_GOOD_FOR or kept.answers.to(asked) is None:
            raise Unavailable from error
        logger.warning("A feed was answered without the database", extra={"action": "feed_from_memory"})
        return kept

    async def _asked(self, key: Key, kept: Kept | None, asked: Asked, now: datetime) -> Kept:
        """The variant as the database has it now."""
        options, stamp = key[1], self.database.changes.stamp()
        async with asyncio.timeout(PATIENCE if kept else None), self.database.read() as tx:
            found = await self._living(tx, key, now)
            feed, owner, recorded = found.feed, found.owner, found.recorded
            span = self.window.on(now.date())
            closed = await self._closed(tx, feed, span) if options.free_busy else ()
            looked_at = replace(feed, kinds=()) if options.free_busy else feed  # any kind of session takes a place
            shown = store.shown(looked_at, now.date(), self.window, cancelled=options.cancelled)
            listed = await store.listed(tx, shown)
            frame = _digest((self._making, _frame(feed, owner.actor), options.variant, repr(closed)))
            state = _digest((frame, listed))
            standing = Standing.of(feed, owner, stamp, now)
            if recorded is not None and recorded[0] == state:  # since when: it may have been otherwise meanwhile
                known = Kept(standing=standing, state=state, frame=frame, facts=recorded[1])
                if kept is not None and kept.state == state:
                    known = replace(kept, standing=standing, facts=recorded[1])
                if known.answers.to(asked) is not None:
                    return known
            wanted = Wanted.of(listed)
            ready = kept.pieces if kept is not None and kept.frame == frame else {}
            missing = [session for name in wanted.missing(ready) for session in wanted.sessions(name)]
            if len(missing) > MANY:
                sessions = await booking_store.sessions_where(tx, shown.where)
            else:
                sessions = await booking_store.sessions_of(tx, missing) if missing else []
            series = await series_store.with_ids(tx, (session.series for session in sessions if session.series))
        cover = self._cover(feed, options)

        def make() -> tuple[Mapping[str, Piece], Edition, Facts]:
            before = kept.edition if kept is not None else None
            if options.free_busy:
                made, edition = EMPTY, Edition.of((self._free_busy(cover, feed, sessions, span, closed),))
            else:
                made = self._making_of(cover, feed, owner.actor).made(wanted, ready, sessions, series)
                edition = Edition.of(*calendar.sheets_of(cover, list(made.values())), before=before)
            return made, edition, edition.facts()

        # A few pieces are made sooner than handed to a thread: 2 ms, with another for each 1,000 sessions beside them.
        made, edition, facts = await asyncio.to_thread(make) if len(missing) > MANY else make()
        facts = await self._recorded(feed.id, options.variant, state, facts, recorded, now)
        return Kept(standing=standing, state=state, frame=frame, facts=facts, edition=edition, pieces=made)

    async def _living(self, tx: Tx, key: Key, now: datetime) -> Found:
        """What stands behind an address, valid. Raises NotFound and Gone."""
        secret_hash, options = key
        found = await store.find(tx, secret_hash, options.variant)
        if found is None:
            raise NotFound
        if found.feed.revoked_at is not None or not found.owner.valid(now):
            self.shelf.end(secret_hash)
            raise Gone
        if found.feed.of not in store.places(found.feed.scope, self.directory):
            raise NotFound  # it left the configuration: on 404 clients keep what they have
        return found

    async def _closed(self, tx: Tx, feed: Feed, span: Interval) -> tuple[Closure, ...]:
        """When the site or room of a feed cannot be booked: calendars, public holidays, what people entered."""
        if feed.scope == "network":
            raise InvalidRequest.of("format", "Free/busy is of a site or of a room: leave format out.")
        room = self.directory.rooms[feed.of] if feed.scope == "room" else None
        site = self.directory.sites[room.site if room else feed.of]
        known = self.calendars.of_site(site, span) + (self.calendars.of_room(room.code, span) if room else [])
        entered = await entered_closures(tx, [site.code, *([room.code] if room else [])], span)
        return (*known, *(closure for _, closure in entered))

    def _free_busy(
        self, cover: Cover, feed: Feed, sessions: Iterable[Session], span: Interval, closed: Iterable[Closure]
    ) -> bytes:
        stamp = max([feed.created_at, *(session.updated_at for session in sessions)])
        return freebusy.render(cover, sessions, span, uid=f"{feed.id}@perinat-sched", stamp=stamp, closures=closed)

    def _making_of(self, cover: Cover, feed: Feed, owner: Actor) -> Making:
        """How the pieces of a feed are made: each session at the level of detail that the owner may see today."""

        def detail(session: Session) -> Detail:
            return feed_detail(owner, feed.scope, feed.of, session.subject, feed.detail, self.directory)

        return Making(cover=cover, directory=self.directory, detail=detail)

    async def _recorded(
        self, feed_id: str, variant: str, state: str, made: Facts, before: tuple[str, Facts] | None, now: datetime
    ) -> Facts:
        """What was made, with the instant since which it is so: of all nodes, over restarts.

        Where that cannot be written down soon, the answer goes out without it.
        """
        if before is not None and before[0] == state and before[1].digest == made.digest:
            return before[1]
        writing = asyncio.create_task(
            self.database.write(lambda tx: store.record_edition(tx, feed_id, variant, state, made, now, before))
        )
        await asyncio.wait([writing], timeout=RECORD_PATIENCE)
        writing.add_done_callback(lambda task: task.cancelled() or task.exception())  # seen, whenever it ends
        error = writing.exception() if writing.done() else None
        if writing.done() and error is None:
            return writing.result()
        logger.warning("A feed's change was not recorded", extra={"action": "feed_unrecorded"}, exc_info=error)
        return made

    def _cover(self, feed: Feed, options: Options) -> Cover:
        return Cover(
            name=self.name(feed),
            zone=self._zone(feed),
            view=Viewpoint(
                language=feed.language,
                site=feed.of if feed.scope == "site" else None,
                room=feed.of if feed.scope == "room" else None,
                observer=feed.scope == "network",
                alarm=options.alarm,
            ),
            organizer=self.organizer,
        )

    def name(self, feed: Feed) -> str:
        """What the calendar is called: its label, else what it shows."""
        return feed.label or store.places(feed.scope, self.directory)[feed.of].name

    def _zone(self, feed: Feed) -> str:
        """The clock a feed is shown in: its site's; a network's is that of its first site."""
        sites = self.directory.sites
        match feed.scope:
            case "site":
                return sites[feed.of].timezone
            case "room":
                return sites[self.directory.rooms[feed.of].site].timezone
            case "network":
                return next((site.timezone for site in sites.values() if feed.of in site.networks), "Etc/UTC")


def hashed(secret: str) -> str:
    """What is kept of a secret. Any text may come in an address: none of it is an error here."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _frame(feed: Feed, owner: Actor) -> str:
    """What an edition is made from besides sessions, the same text on every node."""
    rights = (owner.role, sorted(owner.sites), sorted(owner.networks), owner.person)
    return repr((feed.scope, feed.of, feed.detail, feed.label, feed.language, rights))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1)
def _software() -> str:
    """What this program is: other sources may make other bytes of the same sessions."""
    package = resources.files("perinat_sched")
    folders = [package, *(package / name for name in ("booking", "feeds", "locale", "people", "series", "sites"))]
    files = sorted((file for folder in folders for file in folder.iterdir() if file.is_file()), key=lambda f: f.name)
    return _digest(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
