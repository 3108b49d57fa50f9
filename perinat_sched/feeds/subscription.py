"""Feeds as people have them: an address that is a secret, opened and revoked.

Calendar clients send nothing but the address, so whoever knows it may read it: it is made of 256 random bits, shown
once, kept as a hash and revocable. What it answers is the business of `publication`. (contract.md, Feeds)
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from perinat_sched import texts
from perinat_sched.booking.checks import Checks
from perinat_sched.booking.request import known_words
from perinat_sched.errors import Forbidden, NotFound
from perinat_sched.feeds import store
from perinat_sched.feeds.publication import hashed
from perinat_sched.feeds.shelf import Shelf
from perinat_sched.feeds.store import Feed, Scope
from perinat_sched.people.access import Actor, Detail, FeedScope, may
from perinat_sched.signing import Signer
from perinat_sched.sites.network import Directory, Language
from perinat_sched.storage import audit, idempotency
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer
from perinat_sched.zones import Clock

LONGEST_LABEL = 100  # characters
BY_ADDRESS = "address"  # in the audit: somebody who knew it


@dataclass(frozen=True, kw_only=True)
class Feeds:
    """What is done with feeds."""

    database: Database
    directory: Directory
    clock: Clock
    public_url: str
    shelf: Shelf  # the publisher's
    signer: Signer

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
        key: IdempotencyKey | None = None,
    ) -> tuple[Feed, str]:
        """A new feed and the secret of its address, which is known this once.

        With `key`, the same request sent twice makes one, and knows its address again: the database keeps no secret.
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
        secret = self._secret(key) if key else secrets.token_urlsafe(32)

        async def save(tx: Tx) -> Feed:
            if key and (stored := await idempotency.claim(tx, key, feed.created_at)):
                made = await store.by_id(tx, stored.body)
                assert made is not None  # feeds are revoked, never removed
                return made
            await store.add(tx, feed, hashed(secret))
            await self._record(tx, actor.token, "feed_created", feed)
            if key:
                await idempotency.settle(tx, key, StoredAnswer(status=HTTPStatus.CREATED, body=feed.id, headers={}))
            return feed

        return await self.database.write(save), secret

    def _secret(self, key: IdempotencyKey) -> str:
        meant = "\0".join((key.token, key.route, key.key, key.fingerprint))
        return self.signer.secret("feed", meant.encode())

    async def list_for(self, actor: Actor) -> Sequence[Feed]:
        """The actor's feeds that are not revoked, all of them for an administrator, the oldest first."""
        async with self.database.read() as tx:
            return await store.of_owner(tx, None if actor.role == "admin" else actor.token)

    async def rename(self, actor: Actor, feed_id: str, label: str, no_patient_data: bool = False) -> None:
        """Call a feed otherwise, from its next edition on; an empty label: by its place.

        Raises NotFound for another's feed or one that is revoked, InvalidRequest, HealthDataSuspected.
        """

        async def save(tx: Tx) -> None:
            feed = await self._own(tx, actor, feed_id)
            if feed.revoked_at is not None:
                raise NotFound
            clean = self._checked(feed.scope, feed.of, label, (), no_patient_data)
            if clean != feed.label:
                await store.rename(tx, feed.id, clean)
                await self._record(tx, actor.token, "feed_renamed", feed)

        await self.database.write(save)

    async def revoke(self, actor: Actor, feed_id: str) -> None:
        """From now on the address answers 410; doing it twice changes nothing. Raises NotFound for another's feed."""

        async def save(tx: Tx) -> str | None:
            return await self._revoked(tx, actor.token, await self._own(tx, actor, feed_id))

        self._end(await self.database.write(save))

    async def _own(self, tx: Tx, actor: Actor, feed_id: str) -> Feed:
        """A feed of the actor's, revoked ones included; any, for an administrator. Raises NotFound."""
        feed = await store.by_id(tx, feed_id)
        if feed is None or (actor.role != "admin" and feed.owner != actor.token):
            raise NotFound
        return feed

    async def revoke_by_address(self, feed: Feed) -> None:
        """The same for whoever knows the address, which is all it takes to read it."""

        self._end(await self.database.write(lambda tx: self._revoked(tx, BY_ADDRESS, feed)))

    async def _revoked(self, tx: Tx, actor: str, feed: Feed) -> str | None:
        """The hash of the address that ends with this; None where it had ended before."""
        if address := await store.revoke(tx, feed.id, self.clock()):
            await self._record(tx, actor, "feed_revoked", feed)
        return address

    def _end(self, address: str | None) -> None:
        """Known here from now on, should the database go away before the address is read again."""
        if address is not None:
            self.shelf.end(address)

    def url(self, secret: str) -> str:
        """The address to subscribe to."""
        return f"{self.public_url.rstrip('/')}/feeds/{secret}.ics"

    def webcal_url(self, secret: str) -> str:
        """The same for calendar programs that open `webcal:` links."""
        return re.sub(r"^https?:", "webcal:", self.url(secret))

    def page_url(self, secret: str) -> str:
        """The page that tells people how to subscribe."""
        return self.url(secret).removesuffix(".ics")

    def _checked(self, scope: Scope, of: str, label: str, kinds: Sequence[str], no_patient_data: bool) -> str:
        """The label, cleaned, once everything about a new feed is in order. Raises all that is wrong at once."""
        checks = Checks(self.directory)
        checks.known("of", of, store.places(scope, self.directory))
        for position, kind in enumerate(kinds):
            checks.known(f"kinds[{position}]", kind, self.directory.kinds)
        clean = checks.text("label", lambda: texts.one_line("label", label, limit=LONGEST_LABEL)) or ""
        checks.refuse()
        texts.refuse_health_data({"label": clean}, known=known_words(self.directory), confirmed=no_patient_data)
        return clean

    async def _record(self, tx: Tx, actor: str, action: str, feed: Feed) -> None:
        await audit.record(
            tx,
            at=self.clock(),
            actor=actor,
            action=action,
            object_type="feed",
            object_id=feed.id,
            details={"scope": feed.scope, "of": feed.of, "detail": feed.detail},
        )
