"""Feeds as people have them: an address that is a secret, what it shows today, and how it is handed over.

Calendar clients send nothing but the address, so whoever knows it may read it: it is made of 256 random bits, shown
once, kept as a hash and revocable. How much it shows follows, at every reading, from what its owner's token may see
now. What was rendered is kept and handed out again while the sessions' revisions are the same in the database, which
every node asks: a change made on one is seen by all. (contract.md, Feeds; standards.md § D)
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perinat_sched import texts
from perinat_sched.booking import store as booking_store
from perinat_sched.booking.checks import Checks
from perinat_sched.booking.request import known_words
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, Gone, NotFound
from perinat_sched.feeds import calendar, store
from perinat_sched.feeds.edition import Edition, Published, Shelf, answer
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.feeds.store import Feed, Scope
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Actor, Detail, FeedScope, feed_detail, may
from perinat_sched.sites.network import Directory, Language, Network, Room, Site
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

LONGEST_LABEL = 100  # characters


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """What is done with feeds."""

    database: Database
    directory: Directory
    clock: Clock
    public_url: str
    organizer: str  # the scheduling mailbox
    shelf: Shelf = field(default_factory=Shelf)

    async def create(
        self,
        actor: Actor,
        scope: Scope,
        of: str,
        detail: Detail,
        label: str,
        language: Language,
        kinds: Sequence[str] = (),
        no_patient_data: bool = False,
    ) -> tuple[Feed, str]:
        """A new feed and the secret of its address, which is known this once.

        Raises InvalidRequest (unknown codes, a text that cannot stand), HealthDataSuspected, and Forbidden for what
        is not the actor's to publish, whatever the detail.
        """
        feed = Feed(
            id=str(uuid.uuid4()),
            owner=actor.token,
            scope=scope,
            of=of,
            detail=detail,
            label=self._checked(scope, of, label, kinds, no_patient_data),
            language=language,
            kinds=tuple(dict.fromkeys(kinds)),
            created_at=self.clock().replace(microsecond=0),
        )
        if not may(actor, "feed", FeedScope(scope, of), self.directory):
            raise Forbidden
        secret = secrets.token_urlsafe(32)

        async def save(tx: Tx) -> None:
            await store.add(tx, feed, _hash(secret))
            await self._record(tx, actor, "feed_created", feed)

        await self.database.write(save)
        return feed, secret

    async def list_for(self, actor: Actor) -> Sequence[Feed]:
        """The actor's feeds that are not revoked, all of them for an administrator, the oldest first."""
        async with self.database.read() as tx:
            return await store.of_owner(tx, None if actor.role == "admin" else actor.token)

    async def revoke(self, actor: Actor, feed_id: str) -> None:
        """From now on the address answers 410; doing it twice changes nothing. Raises NotFound for another's feed."""

        async def save(tx: Tx) -> None:
            feed = await store.by_id(tx, feed_id)
            if feed is None or (actor.role != "admin" and feed.owner != actor.token):
                raise NotFound
            if await store.revoke(tx, feed_id, self.clock()):
                await self._record(tx, actor, "feed_revoked", feed)

        await self.database.write(save)

    def url(self, secret: str) -> str:
        """The address to subscribe to."""
        return f"{self.public_url.rstrip('/')}/feeds/{secret}.ics"

    def webcal_url(self, secret: str) -> str:
        """The same for calendar programs that open `webcal:` links."""
        return re.sub(r"^https?:", "webcal:", self.url(secret))

    async def publish(
        self, secret: str, if_none_match: str | None = None, accept_gzip: bool = False, head: bool = False
    ) -> Published:
        """The calendar at an address, today. At most five statements, whatever the number of sessions.

        Raises NotFound for an unknown address and Gone where it, or its owner's token, was revoked or has expired.
        """
        feed, edition = await self._edition(secret)
        return answer(edition, feed.of, if_none_match=if_none_match, accept_gzip=accept_gzip, head=head)

    async def _edition(self, secret: str) -> tuple[Feed, Edition]:
        """The feed as it is now: from the shelf while nothing has changed, else rendered."""
        now = self.clock()
        async with self.database.read() as tx:
            feed = await store.by_hash(tx, _hash(secret))
            if feed is None:
                raise NotFound
            owner = await people_store.by_id(tx, feed.owner)
            if feed.revoked_at is not None or owner is None or not owner.valid(now):
                raise Gone
            if feed.of not in self._codes(feed.scope):  # left the configuration: on 404 clients keep what they have
                raise NotFound
            condition = store.shown(feed, now.date())
            state = (owner.actor, now.date(), await store.fingerprint(tx, condition))
            if kept := self.shelf.get(feed.id, state):
                return feed, kept
            sessions = await booking_store.sessions_where(tx, condition)
        edition = await asyncio.to_thread(self._render, feed, owner.actor, sessions)
        self.shelf.put(feed.id, state, edition)
        return feed, edition

    def _render(self, feed: Feed, owner: Actor, sessions: Sequence[Session]) -> Edition:
        """Each session at the level of detail that the owner may see today."""
        cover = calendar.Cover(
            name=feed.label or self._codes(feed.scope)[feed.of].name,
            zone=self._zone(feed),
            view=Viewpoint(
                language=feed.language,
                site=feed.of if feed.scope == "site" else None,
                room=feed.of if feed.scope == "room" else None,
                observer=feed.scope == "network",
            ),
            organizer=self.organizer,
        )
        seen = [
            (session, feed_detail(owner, feed.scope, feed.of, session.subject, feed.detail, self.directory))
            for session in sessions
        ]
        return Edition.of(calendar.render_feed(cover, seen, self.directory))

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

    def _codes(self, scope: Scope) -> Mapping[str, Site] | Mapping[str, Room] | Mapping[str, Network]:
        match scope:
            case "site":
                return self.directory.sites
            case "room":
                return self.directory.rooms
            case "network":
                return self.directory.networks

    def _checked(self, scope: Scope, of: str, label: str, kinds: Sequence[str], no_patient_data: bool) -> str:
        """The label, cleaned, once everything about a new feed is in order. Raises all that is wrong at once."""
        checks = Checks(self.directory)
        checks.known("of", of, self._codes(scope))
        for position, kind in enumerate(kinds):
            checks.known(f"kinds[{position}]", kind, self.directory.kinds)
        clean = checks.text("label", lambda: texts.one_line("label", label, limit=LONGEST_LABEL)) or ""
        checks.refuse()
        texts.refuse_health_data({"label": clean}, known=known_words(self.directory), confirmed=no_patient_data)
        return clean

    async def _record(self, tx: Tx, actor: Actor, action: str, feed: Feed) -> None:
        await audit.record(
            tx,
            at=self.clock(),
            actor=actor.token,
            action=action,
            object_type="feed",
            object_id=feed.id,
            details={"scope": feed.scope, "of": feed.of, "detail": feed.detail},
        )


def _hash(secret: str) -> str:
    """What is kept of a secret. Any text may come in an address: none of it is an error here."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
