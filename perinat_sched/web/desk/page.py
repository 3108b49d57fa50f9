"""A page: one method of one address, whether one must be signed in, what it reads; and a visit to it.

The table in `routes` is made of `Page`s; `door` lets visitors in. A page is no part of the API: it answers HTML, takes
forms, and knows its visitor by a cookie. What somebody may do is the same: a visit acts as the token's `Actor`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from perinat_sched.errors import PerinatError, Unauthenticated
from perinat_sched.i18n import Message, language_of, place_of
from perinat_sched.people.access import Actor
from perinat_sched.people.sign_in import SignedIn
from perinat_sched.sites.network import Language, Site
from perinat_sched.web.desk.wrongs import Wrongs
from perinat_sched.web.schemas.base import Asked
from perinat_sched.web.services import Services

Q = TypeVar("Q", bound=BaseModel)
F = TypeVar("F", bound=BaseModel | None)

# Whose forms a page takes: our own pages'; also those of programs that are no browsers; everybody's
Senders = Literal["our pages", "no other pages", "everybody"]

SIGNED_IN = web.RequestKey("signed-in", SignedIn)
MISTAKEN = web.RequestKey("mistaken", Wrongs)  # what of the question could not be read, where a page asks it


class PageQuery(Asked):
    """In which language, when not the browser's."""

    lang: Literal["fr", "en"] | None = None


class AnyQuery(PageQuery):
    """The same, where an address may carry what is another program's own business."""

    model_config = ConfigDict(extra="ignore")


class PageForm(Asked):
    """What every form of a signed-in page carries."""

    form_token: str = Field(default="", max_length=100)


@dataclass(frozen=True, kw_only=True)
class Visit(Generic[Q, F]):
    """A request for a page whose visitor, question and form were read and found good."""

    request: web.Request
    services: Services
    language: Language
    query: Q
    form: F

    @property
    def visitor(self) -> SignedIn | None:
        """Who is signed in, if anybody."""
        return self.request.get(SIGNED_IN)

    @property
    def mistaken(self) -> Wrongs:
        """What of the question could not be read, and was left out; empty: nothing."""
        found: Wrongs = self.request.get(MISTAKEN, Wrongs())
        return found

    @property
    def who(self) -> SignedIn:
        """Who is signed in. Raises Unauthenticated."""
        if self.visitor is None:
            raise Unauthenticated(Message("Sign in to go on."))
        return self.visitor

    @property
    def actor(self) -> Actor:
        return self.who.actor

    @property
    def site(self) -> Site:
        """Where the visitor is: the first own site, else the first that is hers to see."""
        directory = self.services.directory
        own = [site for code, site in directory.sites.items() if code in self.actor.sites]
        of_networks = [site for site in directory.sites.values() if self.actor.networks.intersection(site.networks)]
        return next(iter([*own, *of_networks, *directory.sites.values()]))

    @property
    def zone(self) -> str:
        """Whose hours the visitor reads."""
        return self.site.timezone

    @property
    def place(self) -> str:
        """What people call that clock: Montréal, though its zone is called after Toronto."""
        return place_of(self.zone, self.language, self.site.city)

    def wrongs(self, error: PerinatError) -> Wrongs:
        """What one of `ABOUT_FORMS` says, beside the fields of a form."""
        return Wrongs.told_by(error, self.language, self.services.directory)

    def path(self, name: str) -> str:
        """A variable part of the address, decoded."""
        return self.request.match_info[name]


Handler = Callable[[Visit[Any, Any]], Awaitable[web.Response]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One line of the table of pages."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    signed_in: bool = True  # whether one must be
    administrators: bool = False  # whether it is for them alone
    query: type[PageQuery] = PageQuery
    form: type[Asked] | None = None  # None: what is sent does not matter
    files: bool = False  # whether the form may bring files, each as a text with a character a byte (Latin-1)
    takes: Senders = "our pages"
    asks: bool = False  # whether its question is a form on it: what is wrong with it is told there


def chosen_language(request: web.Request) -> Language:
    """The one that the address names, else the browser's; French unless English wins."""
    match request.query.get("lang"):
        case "fr":
            return "fr"
        case "en":
            return "en"
        case _:
            return language_of(request.headers.get("Accept-Language"))
