"""Tokens: how a person or a program signs in.

A token is a secret that is shown once, when it is made; the database keeps only its SHA-256, so that a stolen backup
opens nothing (reliability.md § 3; a random token of 256 bits needs no slow hash). Every request looks its token up, so
one that is revoked is refused at the next.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import secrets
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import get_args

from perinat_sched import texts
from perinat_sched.errors import FieldError, Gone, InvalidRequest, NotFound, Unauthenticated
from perinat_sched.i18n import Message
from perinat_sched.people import store
from perinat_sched.people.access import Actor, Role
from perinat_sched.people.store import TokenRow
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit, idempotency
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer
from perinat_sched.zones import Clock

PREFIX = "ps_"  # recognisable, so that a token left in a text or a repository can be found
ROLES: tuple[Role, ...] = get_args(Role)
VALID_FOR = timedelta(days=365)
BY_COMMAND = "system"  # at the command line nobody is signed in
_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")  # 32 random bytes in base64url


@dataclass(frozen=True)
class Tokens:
    """What is done with tokens."""

    database: Database
    directory: Directory
    clock: Clock

    async def create(
        self,
        *,
        role: str,
        sites: Iterable[str] = (),
        networks: Iterable[str] = (),
        person: str | None = None,
        email: str | None = None,
        expires: date | None = None,
        name: str,
        by: str = BY_COMMAND,
        key: IdempotencyKey | None = None,
    ) -> tuple[str, TokenRow]:
        """A new token (the only time it is known) and its row. `by`: the token of who makes it.

        `expires` is its last day, in UTC, and may be past; without it, it is valid for 365 days. Raises
        InvalidRequest; unknown sites and networks are named all at once. Raises Gone where the same request, by its
        `key`, made it before: a secret is not kept, so it cannot be shown again.
        """
        now = self.clock().replace(microsecond=0)
        row = TokenRow(
            id=str(uuid.uuid4()),
            name=texts.one_line("name", name, required=True),
            role=_role(role),
            sites=tuple(dict.fromkeys(sites)),
            networks=tuple(dict.fromkeys(networks)),
            person=None if person is None else texts.one_line("person", person, limit=36, required=True),
            email=None if email is None else texts.email("email", email),
            created_at=now,
            expires_at=now + VALID_FOR if expires is None else _end_of(expires),
        )
        if errors := [*_unknown(row, self.directory), *_pointless(row)]:
            raise InvalidRequest(*errors)
        token = PREFIX + secrets.token_urlsafe(32)

        async def save(tx: Tx) -> None:
            if key and await idempotency.claim(tx, key, now):
                raise Gone(Message("This token was made already, and its secret is shown only once."))
            await store.add(tx, row, _hash(token))
            await _record(tx, now, by, "token_created", row)
            if key:
                await idempotency.settle(tx, key, StoredAnswer(status=HTTPStatus.CREATED, body=row.id, headers={}))

        await self.database.write(save)
        return token, row

    async def list_all(self) -> Sequence[TokenRow]:
        """Every token, revoked and expired ones included, the oldest first."""
        async with self.database.read() as tx:
            return await store.every(tx)

    async def read(self, token_id: str) -> TokenRow:
        """One token, whether or not it is still valid. Raises NotFound."""
        async with self.database.read() as tx:
            row = await store.by_id(tx, token_id)
        if row is None:
            raise NotFound(Message("There is no token {id}: `token list` shows them all.", id=token_id))
        return row

    async def revoke(self, token_id: str, *, by: str = BY_COMMAND) -> None:
        """Refuse a token from now on; doing it twice changes nothing. `by`: the token of who does. Raises NotFound."""
        now = self.clock()

        async def save(tx: Tx) -> None:
            row = await store.by_id(tx, token_id)
            if row is None:
                raise NotFound(Message("There is no token {id}: `token list` shows them all.", id=token_id))
            if await store.revoke(tx, token_id, now):
                await _record(tx, now, by, "token_revoked", row)

        await self.database.write(save)

    async def authenticate(self, token: str) -> Actor:
        """Who bears this token. Raises Unauthenticated when it is malformed, unknown, revoked or expired."""
        if not _TOKEN.fullmatch(token):
            raise Unauthenticated
        async with self.database.read() as tx:
            row = await store.by_hash(tx, _hash(token))
        if row is None:
            raise Unauthenticated
        if row.revoked_at is not None:
            raise Unauthenticated(Message("This token was revoked: ask an administrator for a new one."))
        if not row.valid(self.clock()):
            raise Unauthenticated(Message("This token has expired: ask an administrator for a new one."))
        return row.actor


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _end_of(day: date) -> datetime:
    if day == date.max:
        raise InvalidRequest.of("expires", "Choose a day before {day}.", day=day.isoformat())
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)


def _role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise InvalidRequest.of("role", "There is no role {role}: choose {roles}.", role=role, roles=", ".join(ROLES))


def _unknown(row: TokenRow, directory: Directory) -> list[FieldError]:
    """The sites and networks that the configuration does not know, with the nearest code it does."""
    return [
        FieldError(field, message)
        for field, codes, known in (
            ("sites", row.sites, directory.sites.keys()),
            ("networks", row.networks, directory.networks.keys()),
        )
        for code in codes
        if code not in known
        for message in [_no_such(field, code, known)]
    ]


def _no_such(field: str, code: str, known: Collection[str]) -> Message:
    close = difflib.get_close_matches(code, known, n=1)
    if not close:
        return Message("There is no such code: {code}.", code=code)
    return Message("There is no such code: {code}. Did you mean {nearest}?", code=code, nearest=close[0])


def _pointless(row: TokenRow) -> list[FieldError]:
    """What would make a token that opens nothing, or less than its name says."""
    if row.role == "coordinator" and not (row.sites or row.networks):
        return [FieldError("sites", Message("A coordinator needs at least one site or network."))]
    if row.role == "clinician" and not (row.sites or row.person):
        return [FieldError("sites", Message("A clinician needs at least one site, or a person."))]
    if row.role == "clinician" and row.networks:
        return [FieldError("networks", Message("A clinician reads by site: leave the networks out."))]
    return []


async def _record(tx: Tx, at: datetime, by: str, action: str, row: TokenRow) -> None:
    await audit.record(
        tx,
        at=at,
        actor=by,
        action=action,
        object_type="token",
        object_id=row.id,
        details={"role": row.role, "sites": list(row.sites), "networks": list(row.networks)},
    )
