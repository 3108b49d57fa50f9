"""The page behind a feed's address, for people: what the calendar shows, how to subscribe, and how to end it.

It never promises freshness: calendar programs ask when they like. The delays are what people report, not what vendors
say (standards.md HTTP-08, HTTP-09). Whoever knows the address may read the calendar, so they may end it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import segno
from aiohttp import web
from pydantic import BeforeValidator, Field

from perinat_sched.feeds.store import Feed
from perinat_sched.i18n import Language, Message
from perinat_sched.people.access import Detail
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.feeds import address_of
from perinat_sched.web.schemas.base import QueryInt
from perinat_sched.web.schemas.feeds import LONGEST_ALARM

GOOGLE = "https://calendar.google.com/calendar/r?cid="
OUTLOOK = "https://outlook.office.com/calendar/addcalendar"

SHOWN: dict[Detail, Message] = {
    "full": Message("Each with its title, sites, room and link."),
    "kind": Message("Each with its kind and its hours alone."),
    "busy": Message("Only the hours that are taken."),
}
VARIANTS = (
    ("alarm=15", Message("with a reminder 15 minutes before")),
    ("cancelled=no", Message("without cancelled sessions")),
)
Alarm = Annotated[
    Annotated[QueryInt, Field(ge=1, le=LONGEST_ALARM)] | None, BeforeValidator(lambda text: text or None)
]  # minutes; an empty field is none


class FeedPageQuery(PageQuery):
    """Which variant of the calendar the page tells how to subscribe to."""

    alarm: Alarm = None
    cancelled: Literal["yes", "no"] = "yes"


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to subscribe in one calendar program, and how long it usually takes to notice a change."""

    name: Message
    steps: Message
    delay: Message
    link: Message | None = None  # what a button says that opens it
    opens: Literal["google", "outlook", "webcal", ""] = ""


PROGRAMS = (
    Program(
        name=Message("Outlook (new, and on the web)"),
        steps=Message("Calendar, “Add calendar”, “Subscribe from web”: paste the address."),
        delay=Message("usually 3 to 24 hours"),
        link=Message("Open Outlook on the web"),
        opens="outlook",
    ),
    Program(
        name=Message("Outlook (classic, Windows)"),
        steps=Message("File, “Account Settings”, “Internet Calendars”, “New”: paste the address."),
        delay=Message("at a send/receive, usually within hours"),
    ),
    Program(
        name=Message("Google Calendar"),
        steps=Message("Use the button, or on a computer “Other calendars”, “+”, “From URL”: paste the address."),
        delay=Message("usually 4 to 24 hours"),
        link=Message("Add to Google Calendar"),
        opens="google",
    ),
    Program(
        name=Message("Apple (iPhone, iPad, Mac)"),
        steps=Message(
            "Use the button; the code opens this page on a phone. On a Mac: File, “New Calendar Subscription”."
        ),
        delay=Message("from 5 minutes to a week, as set in the program; usually a day on an iPhone"),
        link=Message("Open in Calendar"),
        opens="webcal",
    ),
    Program(
        name=Message("Thunderbird"),
        steps=Message("Use the button, or “New Calendar”, “On the Network”: paste the address, without a user name."),
        delay=Message("usually 30 minutes"),
        link=Message("Open in Thunderbird"),
        opens="webcal",
    ),
)


async def show(visit: Visit[FeedPageQuery, None]) -> web.Response:
    secret, feed = await _asked(visit)
    feeds, language = visit.services.feeds, visit.query.lang or feed.language
    chosen = _variant(visit.query.alarm, visit.query.cancelled)
    url, webcal = feeds.url(secret), feeds.webcal_url(secret) + chosen
    links = {"google": GOOGLE + quote(webcal, safe=""), "outlook": OUTLOOK, "webcal": webcal}
    return html.respond(
        visit.request,
        "calendars/subscribing.html.j2",
        language=language,
        untold=True,
        scripts=("copy.js",),
        name=visit.services.publisher.name(feed),
        shows=shows(visit, feed, language),
        url=url + chosen,
        code=segno.make(feeds.page_url(secret), error="m").svg_inline(omitsize=True, light="#fff"),
        programs=[(program, links.get(program.opens)) for program in PROGRAMS],
        variants=[(f"{url}?{query}", words) for query, words in VARIANTS],
        revocation=f"/feeds/{secret}/revocation",
    )


async def confirm(visit: Visit[PageQuery, None]) -> web.Response:
    _, feed = await _asked(visit)
    return _page(visit, "calendars/revocation.html.j2", feed)


async def revoke(visit: Visit[PageQuery, None]) -> web.Response:
    _, feed = await _asked(visit)
    await visit.services.feeds.revoke_by_address(feed)
    return _page(visit, "calendars/revoked.html.j2", feed)


def path_of(secret: str, alarm: int | None, cancelled: Literal["yes", "no"]) -> str:
    """Where this page is of a feed's address, and of a variant of it."""
    return f"/feeds/{secret}{_variant(alarm, cancelled)}"


def shows(visit: Visit[Any, Any], feed: Feed, language: Language) -> Sequence[Message]:
    """What a calendar shows, in words."""
    window, kinds = visit.services.publisher.window, visit.services.directory.kinds
    lines = [
        Message(
            "Sessions from {past} days ago to {future} days from now; cancelled ones for {cancelled} days.",
            past=window.past_days,
            future=window.future_days,
            cancelled=window.cancelled_days,
        ),
        SHOWN[feed.detail],
    ]
    if feed.kinds:
        names = [kinds[kind].name[language] for kind in feed.kinds if kind in kinds]
        lines.append(Message("Only: {kinds}.", kinds=", ".join(names)))
    return lines


def _variant(alarm: int | None, cancelled: Literal["yes", "no"]) -> str:
    """The question of a feed's address, empty where it asks for nothing special."""
    asked = {**({"alarm": alarm} if alarm else {}), **({"cancelled": cancelled} if cancelled == "no" else {})}
    return f"?{urlencode(asked)}" if asked else ""


async def _asked(visit: Visit[Any, None]) -> tuple[str, Feed]:
    """The secret in the address, and the feed it is of. Raises NotFound and Gone."""
    secret = visit.path("secret")
    address = address_of(secret)
    visit.services.feed_reads.count(address)
    return secret, await visit.services.publisher.feed(address)


def _page(visit: Visit[Any, None], template: str, feed: Feed) -> web.Response:
    language = visit.query.lang or feed.language
    name = visit.services.publisher.name(feed)
    return html.respond(visit.request, template, language=language, untold=True, name=name)
