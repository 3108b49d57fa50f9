"""Who did what, when, to which object, as administrators read it: narrowed, and page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.i18n import Message
from perinat_sched.storage import audit
from perinat_sched.storage.audit import AuditRow, Wanted
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.schemas.base import USUAL_ITEMS, DayOrNone

ACTIONS: Mapping[str, Message] = {
    "session_booked": Message("Session booked"),
    "session_changed": Message("Session changed"),
    "session_answered": Message("Session answered"),
    "session_cancelled": Message("Session cancelled"),
    "session_resumed": Message("Session taken up again"),
    "session_resettled": Message("Session put upon a new ground"),
    "series_booked": Message("Series booked"),
    "series_changed": Message("Series changed"),
    "series_answered": Message("Series answered"),
    "series_cancelled": Message("Series cancelled"),
    "series_completed": Message("Date of a series booked later"),
    "series_restored": Message("Date of a series put back to its rule"),
    "closure_entered": Message("Closure entered"),
    "closure_removed": Message("Closure removed"),
    "feed_created": Message("Calendar address made"),
    "feed_renamed": Message("Calendar address renamed"),
    "feed_revoked": Message("Calendar address revoked"),
    "token_created": Message("Access made"),
    "token_revoked": Message("Access revoked"),
    "sign_in_link_created": Message("Sign-in link made"),
    "signed_in": Message("Signed in"),
    "signed_out": Message("Signed out"),
    "signed_out_everywhere": Message("Signed out of every browser"),
    "notice_retried": Message("Mail sent again"),
    "example_removed": Message("Example programme removed"),
    "reminders_stopped": Message("Reminders stopped"),
    "reminders_resumed": Message("Reminders wanted again"),
}
MOST_PLACES = 20  # of a broken chain are named
NOBODY: Mapping[str, Message] = {  # who acts without a token
    "system": Message("the service"),
    "reader": Message("a reader of a mail"),
    "address": Message("who knew the address"),
}


class AuditQuery(PageQuery):
    """Who, what, which object, when; and from where on."""

    actor: str = Field(default="", max_length=36)
    action: str = Field(default="", max_length=40)
    object: str = Field(default="", max_length=100)
    first: DayOrNone = Field(default=None, alias="from")
    last: DayOrNone = Field(default=None, alias="to")
    cursor: str = Field(default="", max_length=500)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that was done, as people read it."""

    when: str
    who: str
    what: str
    object_type: str
    object_id: str
    object_name: str
    details: Sequence[tuple[str, str]]


async def show(visit: Visit[AuditQuery, None]) -> web.Response:
    query, cursors = visit.query, visit.services.cursors
    question = query.model_dump_json(exclude={"cursor", "lang"})
    context = f"{visit.actor.token} /admin/audit {question}"
    after = int(cursors.open(context, query.cursor)[0]) if query.cursor else None
    names = {token.id: token.name for token in await visit.services.tokens.list_all()}
    async with visit.services.database.read() as tx:
        rows = await audit.read(tx, _wanted(visit), after=after, limit=USUAL_ITEMS + 1)
    page = rows[:USUAL_ITEMS]
    return html.respond(
        visit.request,
        "admin/audit.html.j2",
        entries=[_entry(visit, row, names) for row in page],
        hours=i18n.whose(zones.to_local(visit.services.clock(), visit.zone), visit.language, visit.place),
        actors=[*_nobody(visit), *sorted(names.items(), key=lambda entry: entry[1].casefold())],
        actions=ACTIONS,
        query=query,
        following=cursors.seal(context, [str(page[-1].id)]) if len(rows) > len(page) else None,
    )


async def verify(visit: Visit[PageQuery, None]) -> web.Response:
    """The whole chain of seals, read over again."""
    verdict = await visit.services.seals.verify()
    return html.respond(
        visit.request,
        "admin/seals.html.j2",
        verdict=verdict,
        count=i18n.number(verdict.sealed, visit.language),
        places=", ".join(map(str, verdict.broken[:MOST_PLACES])) + (" …" if len(verdict.broken) > MOST_PLACES else ""),
    )


def _wanted(visit: Visit[AuditQuery, None]) -> Wanted:
    query = visit.query
    return Wanted(
        actor=query.actor or None,
        action=query.action or None,
        object_id=query.object.strip() or None,
        since=_midnight(visit, query.first) if query.first else None,
        until=_midnight(visit, query.last + timedelta(days=1)) if query.last else None,
    )


def _midnight(visit: Visit[Any, Any], day: date) -> datetime:
    return zones.start_of_day(day, visit.zone)


def _nobody(visit: Visit[Any, Any]) -> list[tuple[str, str]]:
    return [(code, i18n.say(words, visit.language)) for code, words in NOBODY.items()]


def _entry(visit: Visit[Any, Any], row: AuditRow, names: Mapping[str, str]) -> Entry:
    local = zones.to_local(row.at, visit.zone)
    return Entry(
        when=f"{i18n.day(local, visit.language)} {i18n.time_of_day(local, visit.language)}",
        who=names.get(row.actor) or dict(_nobody(visit)).get(row.actor, row.actor),
        what=i18n.say(ACTIONS[row.action], visit.language) if row.action in ACTIONS else row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        object_name=names.get(row.object_id, row.object_id),
        details=[(name, _flat(value)) for name, value in row.details.items() if value not in ([], None, "")],
    )


def _flat(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
