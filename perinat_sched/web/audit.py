"""Who did what, when, to which object: for administrators, the newest first."""

from __future__ import annotations

from aiohttp import web

from perinat_sched.storage import audit
from perinat_sched.web.call import Call, answer
from perinat_sched.web.schemas.base import Paging
from perinat_sched.web.schemas.operation import AuditList, AuditOut
from perinat_sched.web.views import written


async def listed(call: Call[Paging, None]) -> web.Response:
    cursors, context, limit = call.services.cursors, call.context(), call.query.limit
    after = int(cursors.open(context, call.query.cursor)[0]) if call.query.cursor else None
    async with call.services.database.read() as tx:
        rows = await audit.read(tx, after=after, limit=limit + 1)
    page = rows[:limit]
    items = [
        AuditOut(
            id=row.id,
            at=written(row.at, "UTC"),
            actor=row.actor,
            action=row.action,
            object_type=row.object_type,
            object_id=row.object_id,
            details=dict(row.details),
        )
        for row in page
    ]
    following = cursors.seal(context, [str(page[-1].id)]) if len(rows) > limit else None
    return answer(AuditList(items=items, next=following))
