"""The page behind a feed's address, for people: what the calendar shows, how to subscribe, and how to end it.

It never promises freshness: calendar programs ask when they like. The delays are what people report, not what vendors
say (standards.md HTTP-08, HTTP-09). Whoever knows the address may read the calendar, so they may end it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import segno
from aiohttp import web

from perinat_sched.errors import Forbidden, Gone, NotFound, PerinatError, TooManyRequests, Unavailable
from perinat_sched.feeds.store import Feed
from perinat_sched.i18n import Language, Message, say
from perinat_sched.web import problems
from perinat_sched.web.call import Call
from perinat_sched.web.feeds import address_of
from perinat_sched.web.operation import static
from perinat_sched.web.pages import PageQuery, page, policy
from perinat_sched.web.schemas.base import NoQuery

POLICY = policy(scripts=True, forms=True)
GOOGLE = "https://calendar.google.com/calendar/r?cid="

SHOWN = {
    "full": Message("Each with its title, sites, room and link."),
    "kind": Message("Each with its kind and its hours alone."),
    "busy": Message("Only the hours that are taken."),
}
WORDS = {
    "address": Message("The address"),
    "calendar": Message("Calendar:"),
    "code": Message("This page, on a phone"),
    "copied": Message("Copied"),
    "to_copy": Message("Copy"),
    "delay": Message("A change shows after:"),
    "end": Message("End this calendar"),
    "fresh": Message(
        "No calendar program says when it asks again, so never rely on this calendar for a change at short notice: "
        "such changes are told by e-mail."
    ),
    "revoke": Message("Revoke the address"),
    "secret": Message("Whoever knows this address can read the calendar: keep it like a password."),
    "subscribe": Message("Subscribe"),
    "sure": Message("The address will stop answering for everybody who uses it. This cannot be undone."),
    "variants": Message("The same calendar, otherwise"),
    "why_end": Message("Has the address got into the wrong hands, or is it no longer used? Revoke it."),
}
VARIANTS = (
    ("alarm=15", Message("with a reminder 15 minutes before")),
    ("cancelled=no", Message("without cancelled sessions")),
)


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to subscribe in one calendar program, and how long it usually takes to notice a change."""

    name: Message
    steps: Message
    delay: Message
    link: Message | None = None  # a button that does it, "google" or "webcal"
    opens: str = ""


PROGRAMS = (
    Program(
        name=Message("Outlook (new, and on the web)"),
        steps=Message("Calendar, “Add calendar”, “Subscribe from web”: paste the address."),
        delay=Message("usually 3 to 24 hours"),
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
        steps=Message("“New Calendar”, “On the Network”: paste the address, without a user name."),
        delay=Message("usually 30 minutes"),
    ),
)

Answer = Callable[[Call[PageQuery, None]], Awaitable[web.Response]]


def readable(handler: Answer) -> Answer:
    """Whatever is wrong, as a page."""

    @wraps(handler)
    async def answered(call: Call[PageQuery, None]) -> web.Response:
        try:
            return await handler(call)
        except (Forbidden, Gone, NotFound, TooManyRequests, Unavailable) as error:
            return _wrong(call, error)

    return answered


@readable
async def subscribing(call: Call[PageQuery, None]) -> web.Response:
    secret, feed = await _asked(call)
    feeds, language = call.services.feeds, call.query.lang or feed.language
    webcal, url = feeds.webcal_url(secret), feeds.url(secret)
    links = {"google": GOOGLE + quote(webcal, safe=""), "webcal": webcal}
    return _page(
        "feed",
        language,
        root="../",
        name=call.services.publisher.name(feed),
        shows=_shows(call, feed, language),
        url=url,
        webcal=webcal,
        code=segno.make(feeds.page_url(secret), error="m").svg_inline(omitsize=True, light="#fff"),
        programs=[(program, links.get(program.opens)) for program in PROGRAMS],
        variants=[(f"{url}?{query}", words) for query, words in VARIANTS],
        secret=secret,
    )


@readable
async def confirming(call: Call[PageQuery, None]) -> web.Response:
    _, feed = await _asked(call)
    language = call.query.lang or feed.language
    return _page("feed-revocation", language, root="../../", name=call.services.publisher.name(feed))


@readable
async def revoking(call: Call[PageQuery, None]) -> web.Response:
    _from_here(call)
    _, feed = await _asked(call)
    await call.services.feeds.revoke_by_address(feed)
    text = Message("This calendar has ended. Its address no longer answers, and programs stop showing it.")
    title = Message("The address is revoked")
    return _page("notice", call.query.lang or feed.language, root="../../", title=title, text=text)


async def script(call: Call[NoQuery, None]) -> web.Response:
    return static("copy.js", "text/javascript", POLICY)


async def _asked(call: Call[PageQuery, None]) -> tuple[str, Feed]:
    """The secret in the address, and the feed it is of. Raises NotFound and Gone."""
    secret = call.path("secret")
    address = address_of(secret)
    call.services.feed_reads.count(address)
    return secret, await call.services.publisher.feed(address)


def _from_here(call: Call[PageQuery, None]) -> None:
    """Raises Forbidden where another site's page sent this; a program that is no browser says nothing of it."""
    headers, ours = call.request.headers, urlsplit(call.services.settings.public_url)
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin", "null")  # null: we send no referrer either
    if site is None and origin not in ("null", f"{ours.scheme}://{ours.netloc}"):
        raise Forbidden
    if site not in (None, "same-origin"):
        raise Forbidden


def _shows(call: Call[PageQuery, None], feed: Feed, language: Language) -> list[Message]:
    publisher, kinds = call.services.publisher, call.services.directory.kinds
    window = publisher.window
    shows = [
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
        shows.append(Message("Only: {kinds}.", kinds=", ".join(names)))
    return shows


def _wrong(call: Call[PageQuery, None], error: PerinatError) -> web.Response:
    root = "../../" if call.request.path.endswith("/revocation") else "../"
    kind, language = problems.type_of(error), call.query.lang or call.language
    answer = _page("notice", language, root=root, title=kind.title, text=error.message)
    answer.set_status(HTTPStatus(kind.status))
    answer.headers.update(problems.headers(error))
    return answer


def _page(template: str, language: Language, **values: object) -> web.Response:
    answer = page(template, language, POLICY, t=lambda message: say(message, language), words=WORDS, **values)
    answer.headers.update({"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
    return answer
