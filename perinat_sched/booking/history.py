"""What was done to a session, by whom and when; and whom somebody rang about it.

The audit log is what is read here. A call is noted in it as any deed is: so a list of calls shows who rang, and needs
no place of its own. It counts until the session itself changes (its SEQUENCE): after a move one rings again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perinat_sched.booking import store
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.session import Session
from perinat_sched.errors import Forbidden, InvalidRequest, RevisionMismatch
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Actor, may
from perinat_sched.sites.network import Directory
from perinat_sched.storage import audit
from perinat_sched.storage.audit import AuditRow
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

CALLED = "session_called"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something that was done to a session."""

    at: datetime  # UTC
    by: str | None  # the name that stands with the token; None: the service itself
    action: str
    revision: int | None  # of the session afterwards
    site: str | None = None
    answer: str | None = None
    sequence: int | None = None  # of a call: of the session then


@dataclass(frozen=True, kw_only=True)
class History:
    """For those who may change a session. Raises NotFound for those who may not see it, Forbidden for others."""

    database: Database
    directory: Directory
    clock: Clock
    enquiries: Enquiries

    async def of(self, actor: Actor, session: Session) -> list[Deed]:
        """All of it, the oldest first. Two statements."""
        self._check(actor, session)
        async with self.database.read() as tx:
            rows = await self._rows(tx, session)
            names = await people_store.names(tx, {row.actor for row in rows})
        return [_deed(row, names.get(row.actor)) for row in rows]

    async def call(self, actor: Actor, session_id: str, site: str, sequence: int | None = None) -> None:
        """Note that somebody rang a site; once, until the session changes.

        `sequence`: of the session about which she rang. Raises RevisionMismatch where it is another one since.
        """

        async def work(tx: Tx) -> None:
            session = self.enquiries.visible(actor, await store.lock_session(tx, session_id))
            self._check(actor, session)
            if session.participation(site) is None:
                raise InvalidRequest.of("site", "This site does not take part: choose one that does.")
            if sequence is not None and session.sequence != sequence:
                raise RevisionMismatch
            done = calls([_deed(row, row.actor) for row in await self._rows(tx, session)], session)
            if site in done:
                return
            await audit.record(
                tx,
                at=self.clock().replace(microsecond=0),
                actor=actor.token,
                action=CALLED,
                object_type="session",
                object_id=session.id,
                details={"site": site, "sequence": session.sequence},
            )

        await self.database.write(work)

    def _check(self, actor: Actor, session: Session) -> None:
        if not may(actor, "change", session.subject, self.directory):
            raise Forbidden

    async def _rows(self, tx: Tx, session: Session) -> list[AuditRow]:
        return await audit.of_object(tx, "session", session.id, since=session.created_at)


def calls(deeds: Sequence[Deed], session: Session) -> dict[str, Deed]:
    """The sites that were rung about the session as it is now."""
    return {
        deed.site: deed for deed in deeds if deed.action == CALLED and deed.site and deed.sequence == session.sequence
    }


def _deed(row: AuditRow, by: str | None) -> Deed:
    def told(name: str) -> Any:
        return row.details.get(name)

    return Deed(
        at=row.at,
        by=by,
        action=row.action,
        revision=told("revision"),
        site=told("site"),
        answer=told("answer"),
        sequence=told("sequence"),
    )
