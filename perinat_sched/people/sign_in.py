"""Signing in to the pages without a password: a one-time link, then a cookie.

A link goes to the address that a token names, holds ten minutes and is used up by the POST that opens it, so that a
mail scanner which follows it uses nothing up. What somebody types on the sign-in page is only noted here: whether a
token has that address is looked up later, where the mail is written, so neither the answer nor its time tells. A
sign-in acts as its token and ends with it. Cookie and link are random; the database keeps their SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from perinat_sched import texts
from perinat_sched.errors import Gone, Unauthenticated
from perinat_sched.i18n import Message
from perinat_sched.people import store
from perinat_sched.people.access import Actor
from perinat_sched.people.store import LinkRequest, SignInRow, TokenRow
from perinat_sched.sites.network import Language
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

LINK_HOLDS = timedelta(minutes=10)
IDLE = timedelta(hours=8)  # without a page in so long, a browser is signed out: a working day
LONGEST = timedelta(days=7)  # and after so long in any case
NOTED_EVERY = timedelta(minutes=5)  # how exactly the last page is noted
KEPT = timedelta(days=1)  # what is over is forgotten after so long
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes in base64url
# A path of ours and its question, and nothing that a browser could read as another host
_OWN_PATH = re.compile(r"/(?:[A-Za-z0-9][A-Za-z0-9._~/-]*)?(?:\?[A-Za-z0-9._~=&%:,+-]*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """A browser that is signed in."""

    id: str
    token: TokenRow
    until: datetime  # at the latest
    form_token: str  # stands in every form, and is known only to pages of this sign-in

    @property
    def actor(self) -> Actor:
        return self.token.actor


@dataclass(frozen=True)
class SignIns:
    """What is done with links and sign-ins."""

    database: Database
    clock: Clock

    async def ask(self, address: str, language: Language, next: str = "") -> None:
        """Note that somebody wants a link by mail; the same work for every address. Raises InvalidRequest."""
        request = LinkRequest(
            id=str(uuid.uuid4()),
            address=texts.email("address", address).lower(),
            language=language,
            next=own_path(next),
            created_at=self.clock().replace(microsecond=0),
        )
        await self.database.write(lambda tx: store.ask(tx, request))

    async def links(self, tokens: Sequence[TokenRow], *, by: str = "system") -> list[str]:
        """A new link's secret for each of these tokens: the only time they are known. `by`: the token of who asks."""
        now = self.clock()
        made = [(secrets.token_urlsafe(32), token) for token in tokens]

        async def save(tx: Tx) -> None:
            for secret, token in made:
                await store.add_link(tx, _hash(secret), token.id, at=now, until=now + LINK_HOLDS)
                await _record(tx, now, by, "sign_in_link_created", token)

        await self.database.write(save)
        return [secret for secret, _ in made]

    async def open(self, secret: str, before: str | None = None) -> tuple[str, SignedIn]:
        """Use a link up: the cookie of a new sign-in. `before`: the cookie the browser had, which ends.

        Raises Gone for a link that is unknown, used, or past its time, or whose token no longer holds.
        """
        now = self.clock().replace(microsecond=0)
        cookie = secrets.token_urlsafe(32)

        async def save(tx: Tx) -> SignInRow | None:
            token = await store.use_link(tx, _hash(secret), now) if _SECRET.fullmatch(secret) else None
            if token is None or not token.valid(now):
                return None
            if before and (old := await store.sign_in(tx, _hash(before))):
                await store.end_sign_ins(tx, now, id=old.id)
            row = SignInRow(
                id=str(uuid.uuid4()),
                token=token,
                created_at=now,
                seen_at=now,
                expires_at=min(now + LONGEST, token.expires_at),
                ended_at=None,
            )
            await store.add_sign_in(tx, row, _hash(cookie))
            await _record(tx, now, token.id, "signed_in", token)
            return row

        row = await self.database.write(save)
        if row is None:
            raise Gone(Message("This sign-in link is used up or too old: ask for a new one."))
        return cookie, _signed_in(row, cookie)

    async def authenticate(self, cookie: str) -> SignedIn:
        """Who holds this cookie. Raises Unauthenticated once it is ended, idle too long, or its token is over."""
        if not _SECRET.fullmatch(cookie):
            raise Unauthenticated(Message("Sign in to go on."))
        now = self.clock()
        async with self.database.read() as tx:
            row = await store.sign_in(tx, _hash(cookie))
        if row is None or row.ended_at is not None or not row.token.valid(now):
            raise Unauthenticated(Message("Sign in to go on."))
        if now >= min(row.expires_at, row.seen_at + IDLE):
            raise Unauthenticated(Message("You were signed out after a while: sign in again."))
        if now - row.seen_at >= NOTED_EVERY:
            await self.database.write(lambda tx: store.see_sign_in(tx, row.id, now))
        return _signed_in(row, cookie)

    async def end(self, who: SignedIn) -> None:
        """Sign this browser out."""
        now = self.clock()

        async def save(tx: Tx) -> None:
            if await store.end_sign_ins(tx, now, id=who.id):
                await _record(tx, now, who.token.id, "signed_out", who.token)

        await self.database.write(save)

    async def end_everywhere(self, who: SignedIn) -> None:
        """Sign out every browser of this token."""
        now = self.clock()

        async def save(tx: Tx) -> None:
            if await store.end_sign_ins(tx, now, token_id=who.token.id):
                await _record(tx, now, who.token.id, "signed_out_everywhere", who.token)

        await self.database.write(save)

    async def forget(self) -> None:
        """Remove what has been over for a day."""
        before = self.clock() - KEPT
        await self.database.write(lambda tx: store.forget(tx, before))


def own_path(path: str) -> str:
    """A path of ours to go to after signing in; whatever is none becomes empty, so that no link leads elsewhere."""
    return path if len(path) <= 500 and _OWN_PATH.fullmatch(path) else ""


def _signed_in(row: SignInRow, cookie: str) -> SignedIn:
    form_token = hmac.new(cookie.encode("ascii"), b"form", hashlib.sha256).hexdigest()
    return SignedIn(id=row.id, token=row.token, until=row.expires_at, form_token=form_token)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def _record(tx: Tx, at: datetime, actor: str, action: str, token: TokenRow) -> None:
    await audit.record(tx, at=at, actor=actor, action=action, object_type="token", object_id=token.id)
