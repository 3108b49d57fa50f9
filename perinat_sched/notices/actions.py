"""What people do with notices: look up what became of a mail, and have a failed one sent again.

Whom a mail concerns may read of it: its own site, the host, whoever may change the session. Sending it again is part
of running the session, so it is for those who may change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, InvalidRequest, NotFound
from perinat_sched.notices import enquiries_store, store
from perinat_sched.notices.notice import Notice, NoticeView, Seen
from perinat_sched.people.access import Actor, SiteRef, may
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list; `next` is where the following part begins, None at the end."""

    notices: Sequence[NoticeView]
    next: tuple[datetime, str] | None


@dataclass(frozen=True, kw_only=True)
class Notices:
    """Everything about notices that somebody asks for; what is due is found and sent by `delivery`."""

    database: Database
    directory: Directory
    clock: Clock

    async def of_session(self, actor: Actor, session: Session) -> list[NoticeView]:
        """The notices of a session that the caller sees, as they were planned."""
        async with self.database.read() as tx:
            rows = (await store.of_sessions(tx, [session.id]))[session.id]
        subject = session.subject
        return [
            NoticeView.of(row, session.timezone)
            for row in rows
            if may(actor, "read_notices", SiteRef(row.site, subject), self.directory)
        ]

    async def listed(self, actor: Actor, state: Seen | None, *, after: tuple[datetime, str] | None, limit: int) -> Page:
        """The notices that the caller sees, the latest due first; `after` is the `next` of the page before."""
        async with self.database.read() as tx:
            found = await enquiries_store.seen(tx, actor, self.directory, state, after, limit=limit + 1)
        page = found[:limit]
        following = (page[-1].due_at, page[-1].id) if len(found) > limit else None
        return Page(notices=page, next=following)

    async def backlog(self) -> enquiries_store.Backlog:
        """How many mails wait, failed, or are to come."""
        async with self.database.read() as tx:
            return await enquiries_store.backlog(tx, self.clock())

    async def retry(self, actor: Actor, notice_id: str) -> NoticeView:
        """Have a failed notice sent again, at once; the attempts that were made stay counted.

        Raises NotFound, Forbidden; InvalidRequest where it has not failed, or its time is over. Whether it still says
        the truth is seen when it is sent, as of every mail.
        """
        return await self.database.write(lambda tx: self._retry(tx, actor, notice_id))

    async def _retry(self, tx: Tx, actor: Actor, notice_id: str) -> NoticeView:
        notice, session = await enquiries_store.locked(tx, notice_id)
        if notice is None or session is None:
            raise NotFound
        if not may(actor, "read_notices", SiteRef(notice.site, session.subject), self.directory):
            raise NotFound
        if not may(actor, "change", session.subject, self.directory):
            raise Forbidden
        now = self.clock()
        if notice.state != "failed":
            raise InvalidRequest.of("state", "Only a mail that has failed is sent again; this one has not.")
        if notice.expires_at <= now:
            raise InvalidRequest.of("state", "The time of this mail is over: it would help nobody. Ring the site.")
        return NoticeView.of(await self._again(tx, actor, notice, session.id, now), session.timezone)

    async def retry_all(self, actor: Actor) -> int:
        """Every failed notice is due again whose time is not over: what a restore held back, a relay that was down.

        For administrators. Returns how many. Raises Forbidden.
        """
        if actor.role != "admin":
            raise Forbidden
        now = self.clock()

        async def work(tx: Tx) -> int:
            found = await enquiries_store.failed_and_useful(tx, now)
            for notice, session in found:
                await self._again(tx, actor, notice, session, now)
            return len(found)

        return await self.database.write(work)

    async def _again(self, tx: Tx, actor: Actor, notice: Notice, session: str, now: datetime) -> Notice:
        again = await enquiries_store.retry(tx, notice, now)
        await audit.record(
            tx,
            at=now,
            actor=actor.token,
            action="notice_retried",
            object_type="notice",
            object_id=notice.id,
            details={"session": session, "kind": notice.kind, "attempts": notice.attempts},
        )
        return again
