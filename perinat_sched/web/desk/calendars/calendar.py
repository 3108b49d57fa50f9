"""My calendar: the addresses one subscribes to; made, named, seen in use or not, and revoked.

An address is a secret that is shown once. So making one leads to its own page (`subscribing`), which alone knows it
and says how to subscribe in each program; here stand the calendars without their addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched.feeds.store import Feed, Reading, Scope, places
from perinat_sched.feeds.subscription import LONGEST_LABEL
from perinat_sched.i18n import Message
from perinat_sched.people.access import Detail, FeedScope, may
from perinat_sched.sites.network import Language
from perinat_sched.web import reading
from perinat_sched.web.desk import clocks, html
from perinat_sched.web.desk.calendars import subscribing
from perinat_sched.web.desk.calendars.subscribing import SHOWN, FeedPageQuery
from perinat_sched.web.desk.once import once
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs

GROUPS: Mapping[Scope, Message] = {
    "site": Message("Sites"),
    "room": Message("Rooms"),
    "network": Message("Networks"),
}
LANGUAGES: Mapping[Language, Message] = {"fr": Message("in French"), "en": Message("in English")}


class CalendarQuery(PageQuery):
    """What has just been done here."""

    done: Literal["", "named", "revoked"] = ""


class FeedForm(PageForm):
    """A new address, as it is typed."""

    of: str = Field(default="", max_length=60)  # site:calais
    detail: Detail = "full"
    label: str = Field(default="", max_length=4 * LONGEST_LABEL)
    language: Literal["fr", "en"] = "fr"
    kind: list[str] = Field(default_factory=list, max_length=100)
    alarm: str = Field(default="", max_length=20)
    cancelled: Literal["yes", "no"] = "yes"
    no_patient_data: Literal["", "yes"] = ""
    key: str = Field(default="", max_length=60)  # the same form sent twice makes one address


class NameForm(PageForm):
    """What an address is to be called from now on; empty: by its place."""

    label: str = Field(default="", max_length=4 * LONGEST_LABEL)
    no_patient_data: Literal["", "yes"] = ""


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """A new name that was refused, and why."""

    id: str = ""
    label: str = ""
    wrongs: Wrongs = dataclass_field(default_factory=Wrongs)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A calendar in the list of one's own."""

    id: str
    label: str
    name: str
    place: str
    shows: Sequence[Message]
    language: Message
    since: str
    read: str | None
    by: str


async def show(visit: Visit[CalendarQuery, None]) -> web.Response:
    own, others = await _lines(visit)
    return _page(visit, own, others, form=FeedForm(language=visit.language), done=visit.query.done)


async def create(visit: Visit[PageQuery, FeedForm]) -> web.Response:
    """Make an address, and go on to the page that knows it."""
    form = visit.form
    kind, _, of = form.of.partition(":")
    scope: Scope = next((scope for scope in GROUPS if scope == kind), "site")
    try:
        asked = reading.parameters(FeedPageQuery, [("alarm", form.alarm), ("cancelled", form.cancelled)])
        _, secret = await visit.services.feeds.create(
            visit.actor,
            scope,
            of,
            form.detail,
            form.label,
            form.language,
            form.kind,
            form.no_patient_data == "yes",
            key=once(visit, "POST /calendar"),
        )
    except ABOUT_FORMS as error:
        own, others = await _lines(visit)
        wrongs = visit.wrongs(error)
        return _page(visit, own, others, HTTPStatus.UNPROCESSABLE_ENTITY, form=form, wrongs=wrongs)
    return html.see(visit.request, subscribing.path_of(secret, asked.alarm, asked.cancelled))


async def rename(visit: Visit[PageQuery, NameForm]) -> web.Response:
    """Call an address otherwise: calendar programs that follow its name show the new one."""
    form, feed_id = visit.form, visit.path("id")
    try:
        await visit.services.feeds.rename(visit.actor, feed_id, form.label, form.no_patient_data == "yes")
    except ABOUT_FORMS as error:
        own, others = await _lines(visit)
        refused = Renaming(id=feed_id, label=form.label, wrongs=visit.wrongs(error))
        new = FeedForm(language=visit.language)
        return _page(visit, own, others, HTTPStatus.UNPROCESSABLE_ENTITY, form=new, renaming=refused)
    return html.see(visit.request, "/calendar?done=named")


async def revoke(visit: Visit[PageQuery, PageForm]) -> web.Response:
    await visit.services.feeds.revoke(visit.actor, visit.path("id"))
    return html.see(visit.request, "/calendar?done=revoked")


def _page(
    visit: Visit[Any, Any],
    own: Sequence[Line],
    others: Sequence[Line],
    status: int = HTTPStatus.OK,
    *,
    form: FeedForm,
    wrongs: Wrongs | None = None,
    renaming: Renaming | None = None,
    done: str = "",
) -> web.Response:
    return html.respond(
        visit.request,
        "calendars/calendar.html.j2",
        status,
        own=own,
        others=others,
        form=form,
        wrongs=wrongs or Wrongs(),
        renaming=renaming or Renaming(),
        done=done,
        choices=list(_choices(visit)),
        details=list(SHOWN.items()),
        kinds=[(kind.code, kind.name[visit.language]) for kind in visit.services.directory.kinds.values()],
        longest=LONGEST_LABEL,
        key=html.fresh_key(),
    )


def _choices(visit: Visit[Any, Any]) -> Iterator[tuple[Message, list[tuple[str, str]]]]:
    """Whose calendars the visitor may publish, in groups."""
    directory = visit.services.directory
    for scope, group in GROUPS.items():
        found = [
            (f"{scope}:{code}", _name(visit, scope, code))
            for code in places(scope, directory)
            if may(visit.actor, "feed", FeedScope(scope, code), directory)
        ]
        if found:
            yield group, found


def _name(visit: Visit[Any, Any], scope: Scope, code: str) -> str:
    directory = visit.services.directory
    if scope == "room" and code in directory.rooms:
        return f"{directory.sites[directory.rooms[code].site].name} – {directory.rooms[code].name}"
    place = places(scope, directory).get(code)
    return place.name if place else code


async def _lines(visit: Visit[Any, Any]) -> tuple[list[Line], list[Line]]:
    """One's own calendars, and those of everybody else that one may revoke."""
    feeds = await visit.services.feeds.list_for(visit.actor)
    read = await visit.services.readings.of(feeds)
    own: list[Line] = []
    others: list[Line] = []
    for feed in feeds:
        (own if feed.owner == visit.actor.token else others).append(_line(visit, feed, read.get(feed.id)))
    return own, others


def _line(visit: Visit[Any, Any], feed: Feed, read: Reading | None) -> Line:
    place = _name(visit, feed.scope, feed.of)
    kinds = visit.services.directory.kinds
    names = [kinds[code].name[visit.language] for code in feed.kinds if code in kinds]
    return Line(
        id=feed.id,
        label=feed.label,
        name=feed.label or place,
        place=place,
        shows=[SHOWN[feed.detail], *([Message("Only: {kinds}.", kinds=", ".join(names))] if names else [])],
        language=LANGUAGES[feed.language],
        since=clocks.moment(visit, feed.created_at),
        read=clocks.moment(visit, read.at) if read else None,
        by=read.by if read else "",
    )
