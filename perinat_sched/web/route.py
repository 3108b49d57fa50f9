"""A route: one method of one address, who may use it, what it reads and what it answers.

The server validates with it and `/openapi.json` is written from it, so the two cannot tell different stories.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from aiohttp import web

from perinat_sched.web.call import Call
from perinat_sched.web.schemas.base import Asked, NoQuery, Told

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[[Call[Any, Any]], Awaitable[web.StreamResponse]]


class Policy(Enum):
    """Who may use a route. The edge refuses the token; rights over a thing are asked of `access.may` where the
    thing is known, in the transaction that reads it."""

    ANYBODY = "without a token"
    ADDRESS = "whoever knows the address, which is a secret"
    SIGNED_IN = "every signed-in role"
    SEES_SESSION = "who sees the session; for others it does not exist"
    BOOKS = "who may book for the host site"
    CHANGES_SESSION = "who may change the session"
    ANSWERS = "who may answer for the site"
    RESENDS = "who may change the session a mail is about"
    CLOSES = "who may book for the site; administrators for a bridge"
    PUBLISHES = "who may publish the sessions of this site, room or network"
    OWNS_FEED = "who opened the feed, and administrators"
    ADMINISTRATORS = "administrators"

    @property
    def needs_token(self) -> bool:
        return self not in (Policy.ANYBODY, Policy.ADDRESS)


class Header(Enum):
    """A request header that a route reads."""

    IF_MATCH = "If-Match"
    IF_NONE_MATCH = "If-None-Match"
    IF_MODIFIED_SINCE = "If-Modified-Since"
    IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True, kw_only=True)
class Media:
    """An answer that is not JSON of ours."""

    type: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """One line of the table of routes."""

    method: Method
    path: str
    handler: Handler
    summary: str
    policy: Policy
    query: type[Asked] | None = NoQuery  # None: parameters do not matter
    body: type[Asked] | Media | None = None
    body_optional: bool = False  # an empty body is an empty object
    headers: tuple[Header, ...] = ()
    answers: Mapping[int, type[Told] | Media | None]  # None: no body
    locates: bool = False  # may answer 200 with what has another address
    refuses: tuple[int, ...] = ()  # besides what follows from token, body and query

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def in_api(self) -> bool:
        return self.path.startswith("/api/")
