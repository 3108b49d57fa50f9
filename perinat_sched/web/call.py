"""One request on its way to a handler: who calls, what was asked, and the services that can carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from aiohttp import web
from pydantic import BaseModel

from perinat_sched.errors import Unauthenticated
from perinat_sched.i18n import language_of
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Language
from perinat_sched.web.services import Services

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel | bytes | None)

CALLER = web.RequestKey("caller", Actor)


class Call(NamedTuple, Generic[Q, B]):
    """A request whose token, query and body were read and found good."""

    request: web.Request
    services: Services
    query: Q
    body: B

    @property
    def language(self) -> Language:
        """In which the caller wants to be answered."""
        return language_of(self.request.headers.get("Accept-Language"))

    @property
    def actor(self) -> Actor:
        """Who calls. Raises Unauthenticated on a route without a token."""
        caller: Actor | None = self.request.get(CALLER)
        if caller is None:
            raise Unauthenticated
        return caller

    def path(self, name: str) -> str:
        """A variable part of the address, decoded."""
        return self.request.match_info[name]

    def context(self) -> str:
        """What a cursor is sealed for: the caller, the address, the question without cursor and limit."""
        asked = self.query.model_dump_json(exclude={"cursor", "limit"})
        return f"{self.actor.token}\0{self.request.path}\0{asked}"


def written_out(told: BaseModel) -> str:
    """A model as JSON; what was not said at all is left out, what was said to be nothing is null."""
    return told.model_dump_json(by_alias=True, exclude_unset=True)


def answer(told: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A model as a JSON answer."""
    return web.Response(
        status=status,
        body=written_out(told).encode(),
        content_type="application/json",
        headers=headers,
    )
