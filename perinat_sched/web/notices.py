"""Mails: what became of them, and sending a failed one again."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from perinat_sched.notices.notice import NoticeView
from perinat_sched.web.call import Call, answer
from perinat_sched.web.directory import paged
from perinat_sched.web.schemas.base import NoQuery, Paging
from perinat_sched.web.schemas.notices import NoticeFilter, NoticeList, NoticeOut
from perinat_sched.web.views import written


async def listed(call: Call[NoticeFilter, None]) -> web.Response:
    query, cursors, context = call.query, call.services.cursors, call.context()
    after = cursors.open(context, query.cursor) if query.cursor else None
    page = await call.services.notices.listed(
        call.actor,
        query.state,
        after=(datetime.fromisoformat(after[0]), after[1]) if after else None,
        limit=query.limit,
    )
    following = cursors.seal(context, [page.next[0].isoformat(), page.next[1]]) if page.next else None
    return answer(NoticeList(items=[_told(notice) for notice in page.notices], next=following))


async def of_session(call: Call[Paging, None]) -> web.Response:
    session = await call.services.enquiries.get(call.actor, call.path("id"))
    found = await call.services.notices.of_session(call.actor, session)
    page, following = paged(call, found)
    return answer(NoticeList(items=[_told(notice) for notice in page], next=following))


async def retry(call: Call[NoQuery, None]) -> web.Response:
    notice = await call.services.notices.retry(call.actor, call.path("id"))
    call.services.delivery.wake()
    return answer(_told(notice))


def _told(notice: NoticeView) -> NoticeOut:
    """A notice, its hours by the clock of its session."""
    return NoticeOut(
        id=notice.id,
        session=notice.session_id,
        kind=notice.kind,
        recipient=notice.recipient,
        due_at=written(notice.due_at, notice.timezone),
        state=notice.state,
        attempts=notice.attempts,
        sent_at=written(notice.sent_at, notice.timezone) if notice.sent_at else None,
        message_id=notice.message_id,
        ambiguous=notice.ambiguous,
        last_error=notice.last_error,
    )
