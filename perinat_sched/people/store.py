"""Tokens and sign-ins as the database keeps them: what they allow and until when.

Of every secret (token, link, cookie) only the SHA-256 is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row, delete, func, insert, select, update

from perinat_sched.people.access import Actor, Role
from perinat_sched.sites.network import Language
from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import sign_in_links, sign_in_requests, sign_ins, tokens


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


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRequest:
    """Somebody typed an address and waits for a link."""

    id: str
    address: str
    language: Language
    next: str  # a path of ours, or empty
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInRow:
    """A browser that is signed in, or was."""

    id: str
    token: TokenRow
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None


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
    return [read(row) for row in rows]


async def names(tx: Tx, token_ids: Iterable[str]) -> dict[str, str]:
    """Whom some tokens were made for."""
    rows = await tx.execute(select(tokens.c.id, tokens.c.name).where(tokens.c.id.in_(sorted(token_ids))))
    return {row.id: row.name for row in rows}


async def revoke(tx: Tx, token_id: str, at: datetime) -> bool:
    """Revoke a token; False where it is revoked already, or unknown."""
    done = await tx.execute(
        update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return done.rowcount == 1


def _token(row: Row[tuple[object, ...]] | None) -> TokenRow | None:
    return None if row is None else read(row)


def read(row: Row[Any]) -> TokenRow:
    """A token from the columns of `tokens`, in whatever row they stand."""
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


# Requests for a link


async def with_address(tx: Tx, address: str) -> Sequence[TokenRow]:
    """The tokens tied to an address, valid or not; capitals do not matter."""
    query = select(tokens).where(func.lower(tokens.c.email) == address.lower())
    return [read(row) for row in await tx.execute(query.order_by(tokens.c.created_at, tokens.c.id))]


async def ask(tx: Tx, request: LinkRequest) -> None:
    """Keep a request until its mail has left."""
    await tx.execute(
        insert(sign_in_requests).values(
            id=request.id,
            address=request.address,
            language=request.language,
            next=request.next,
            state="due",
            try_at=request.created_at,
            created_at=request.created_at,
        )
    )


async def asked(tx: Tx, now: datetime, *, limit: int) -> Sequence[LinkRequest]:
    """The requests whose mail is due, the oldest first."""
    query = (
        select(sign_in_requests)
        .where(sign_in_requests.c.state == "due", sign_in_requests.c.try_at <= now)
        .order_by(sign_in_requests.c.created_at, sign_in_requests.c.id)
        .limit(limit)
    )
    return [
        LinkRequest(
            id=row.id,
            address=row.address,
            language=cast(Language, row.language),
            next=row.next,
            created_at=row.created_at,
        )
        for row in await tx.execute(query)
    ]


async def claim_request(tx: Tx, request_id: str, now: datetime, *, again_at: datetime) -> bool:
    """Take a due request; should its mail not be settled, it is due again at `again_at`. False: somebody has it."""
    due = (sign_in_requests.c.id == request_id, sign_in_requests.c.state == "due", sign_in_requests.c.try_at <= now)
    return (await tx.execute(update(sign_in_requests).where(*due).values(try_at=again_at))).rowcount == 1


async def settle_request(tx: Tx, request_id: str, state: str) -> None:
    """`sent`, `failed` or `skipped`."""
    await tx.execute(update(sign_in_requests).where(sign_in_requests.c.id == request_id).values(state=state))


async def mails_sent(tx: Tx, address: str, since: datetime) -> int:
    """How many links went to an address lately."""
    sent = (
        sign_in_requests.c.address == address,
        sign_in_requests.c.state == "sent",
        sign_in_requests.c.created_at > since,
    )
    return int((await tx.execute(select(func.count()).select_from(sign_in_requests).where(*sent))).scalar_one())


# Links


async def add_link(tx: Tx, hashed: str, token_id: str, *, at: datetime, until: datetime) -> None:
    await tx.execute(insert(sign_in_links).values(hash=hashed, token_id=token_id, created_at=at, expires_at=until))


async def use_link(tx: Tx, hashed: str, now: datetime) -> TokenRow | None:
    """Use a link up; the token it is for, None where there is no such link, or no longer."""
    unused = (sign_in_links.c.hash == hashed, sign_in_links.c.used_at.is_(None), sign_in_links.c.expires_at > now)
    if (await tx.execute(update(sign_in_links).where(*unused).values(used_at=now))).rowcount != 1:
        return None
    query = select(tokens).join(sign_in_links, sign_in_links.c.token_id == tokens.c.id)
    return _token((await tx.execute(query.where(sign_in_links.c.hash == hashed))).one_or_none())


# Sign-ins


async def add_sign_in(tx: Tx, row: SignInRow, hashed: str) -> None:
    await tx.execute(
        insert(sign_ins).values(
            id=row.id,
            hash=hashed,
            token_id=row.token.id,
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
        )
    )


async def sign_in(tx: Tx, hashed: str) -> SignInRow | None:
    """The sign-in with this cookie, and its token, whether or not they still hold."""
    columns = [column.label(f"sign_in_{column.name}") for column in sign_ins.c]
    query = select(tokens, *columns).join(sign_ins, sign_ins.c.token_id == tokens.c.id).where(sign_ins.c.hash == hashed)
    row: Row[Any] | None = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    return SignInRow(
        id=row.sign_in_id,
        token=read(row),
        created_at=row.sign_in_created_at,
        seen_at=row.sign_in_seen_at,
        expires_at=row.sign_in_expires_at,
        ended_at=row.sign_in_ended_at,
    )


async def see_sign_in(tx: Tx, sign_in_id: str, at: datetime) -> None:
    await tx.execute(update(sign_ins).where(sign_ins.c.id == sign_in_id).values(seen_at=at))


async def end_sign_ins(tx: Tx, at: datetime, *, id: str | None = None, token_id: str | None = None) -> int:
    """End one sign-in, or every one of a token; how many."""
    which = sign_ins.c.id == id if token_id is None else sign_ins.c.token_id == token_id
    return (await tx.execute(update(sign_ins).where(which, sign_ins.c.ended_at.is_(None)).values(ended_at=at))).rowcount


async def forget(tx: Tx, before: datetime) -> None:
    """Remove requests, links and sign-ins that were over before."""
    await tx.execute(delete(sign_in_requests).where(sign_in_requests.c.created_at < before))
    await tx.execute(delete(sign_in_links).where(sign_in_links.c.expires_at < before))
    await tx.execute(delete(sign_ins).where(sign_ins.c.expires_at < before))
