"""Mails that failed: why, and sending them again."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.notices.notice import NoticeView
from perinat_sched.web.desk import clocks, html
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.words import NOTICES, failure
from perinat_sched.web.schemas.base import USUAL_ITEMS

FAILED = "/admin/mails"


class MailsQuery(PageQuery):
    """From where on; and whether one was just sent again."""

    cursor: str = Field(default="", max_length=500)
    again: str = Field(default="", max_length=6, pattern="^[0-9]*$")  # how many


async def failed(visit: Visit[MailsQuery, None]) -> web.Response:
    return await _page(visit, visit.query.cursor, note=_note(visit.query.again))


def _note(again: str) -> Message | None:
    match again:
        case "":
            return None
        case "1":
            return Message("The mail is due again, and leaves within seconds.")
        case _:
            return Message("Mails that are due again, and leave one after the other: {count}.", count=again)


async def retry(visit: Visit[PageQuery, PageForm]) -> web.Response:
    try:
        await visit.services.notices.retry(visit.actor, visit.path("id"))
    except InvalidRequest as error:
        return await _page(visit, "", HTTPStatus.UNPROCESSABLE_ENTITY, wrong=error.errors[0].message)
    visit.services.delivery.wake()
    return html.see(visit.request, f"{FAILED}?again=1")


async def retry_all(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """All that failed and still help somebody are sent again."""
    again = await visit.services.notices.retry_all(visit.actor)
    visit.services.delivery.wake()
    return html.see(visit.request, f"{FAILED}?again={again}")


async def _page(
    visit: Visit[Any, Any],
    cursor: str,
    status: int = HTTPStatus.OK,
    *,
    note: Message | None = None,
    wrong: Message | None = None,
) -> web.Response:
    cursors, context = visit.services.cursors, f"{visit.actor.token} {FAILED}"
    after = cursors.open(context, cursor) if cursor else None
    page = await visit.services.notices.listed(
        visit.actor,
        "failed",
        after=(datetime.fromisoformat(after[0]), after[1]) if after else None,
        limit=USUAL_ITEMS,
    )
    return html.respond(
        visit.request,
        "admin/mails.html.j2",
        status,
        mails=[_told(visit, mail) for mail in page.notices],
        following=cursors.seal(context, [page.next[0].isoformat(), page.next[1]]) if page.next else None,
        note=note,
        wrong=wrong,
    )


def _told(visit: Visit[Any, Any], mail: NoticeView) -> tuple[NoticeView, Message, str, str, str]:
    why = failure(mail.last_error, visit.language) or "–"
    return mail, NOTICES[mail.kind], _site(visit, mail), clocks.moment(visit, mail.due_at), why


def _site(visit: Visit[Any, Any], mail: NoticeView) -> str:
    site = visit.services.directory.sites.get(mail.site)
    return site.name if site else mail.site
