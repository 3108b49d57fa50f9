"""Tokens as the database keeps them: what they allow and until when, and the SHA-256 of each, never the token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from sqlalchemy import Row, insert, select, update

from perinat_sched.people.access import Actor, Role
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRow:
    """A token without its secret: whom it was made for, what it allows, until when."""

    id: str
    name: str
    role: Role
    sites: tuple[str, ...]
    networks: tuple[str, ...]
    person: str | None
    email: str | None
    created_at: datetime
    expires_at: datetime  # first instant (UTC) at which it is refused
    revoked_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        return Actor(
            token=self.id,
            role=self.role,
            sites=frozenset(self.sites),
            networks=frozenset(self.networks),
            person=self.person,
        )

    @property
    def last_day(self) -> date:
        """The last day (UTC) on which it is accepted."""
        return (self.expires_at - timedelta(seconds=1)).date()

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything at `now`; a feed asks this of its owner's token at every reading."""
        return self.revoked_at is None and now < self.expires_at


async def add(tx: Tx, token: TokenRow, hashed: str) -> None:
    """Keep a new token under its hash (SHA-256, hexadecimal)."""
    await tx.execute(
        insert(tokens).values(
            id=token.id,
            hash=hashed,
            name=token.name,
            role=token.role,
            sites=list(token.sites),
            networks=list(token.networks),
            person=token.person,
            email=token.email,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


async def by_hash(tx: Tx, hashed: str) -> TokenRow | None:
    """The token with this hash (SHA-256, hexadecimal), whether or not it is still valid."""
    return _token((await tx.execute(select(tokens).where(tokens.c.hash == hashed))).one_or_none())


async def by_id(tx: Tx, token_id: str) -> TokenRow | None:
    """The token with this id, whether or not it is still valid."""
    return _token((await tx.execute(select(tokens).where(tokens.c.id == token_id))).one_or_none())


async def every(tx: Tx) -> Sequence[TokenRow]:
    """All tokens, the oldest first."""
    rows = await tx.execute(select(tokens).order_by(tokens.c.created_at, tokens.c.id))
    return [_read(row) for row in rows]


async def revoke(tx: Tx, token_id: str, at: datetime) -> bool:
    """Revoke a token; False where it is revoked already, or unknown."""
    done = await tx.execute(
        update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return done.rowcount == 1


def _token(row: Row[tuple[object, ...]] | None) -> TokenRow | None:
    return None if row is None else _read(row)


def _read(row: Row[tuple[object, ...]]) -> TokenRow:
    return TokenRow(
        id=row.id,
        name=row.name,
        role=cast(Role, row.role),
        sites=tuple(row.sites),
        networks=tuple(row.networks),
        person=row.person,
        email=row.email,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
