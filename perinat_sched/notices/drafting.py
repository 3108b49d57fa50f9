"""Drafting: what a claimed mail says at this moment, and whether it is to be sent at all.

A mail settles one notice, or several where reminders fall due together: those that are no longer true drop out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from perinat_sched.booking.session import Session
from perinat_sched.notices import drift, messages, policy, store
from perinat_sched.notices.notice import Notice, OddPeriod, Reason, message_id, told_before
from perinat_sched.notices.readers import fold
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A mail as it would leave now. Without rows there is nothing to send; what is not ours any more is in no list."""

    rows: tuple[Notice, ...]  # that it settles
    against: tuple[tuple[Notice, Reason], ...] = ()  # that must not be sent
    about: tuple[Session, ...] = ()  # as they were read
    message: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Drafting:
    """Reads what a mail is about, and writes it."""

    directory: Directory
    mail_from: str
    stop_url: Callable[[str], str] | None = None  # of an address: where its reminders are stopped

    async def draft(self, tx: Tx, mail: Sequence[Notice], now: datetime) -> Draft:
        """The mail that these claimed rows make."""
        ids = [row.session_id for row in mail]
        known = await store.of_sessions(tx, ids)
        held = [
            row for row in mail if any((each.id, each.lease) == (row.id, row.lease) for each in known[row.session_id])
        ]
        if held and isinstance(period := held[0].facts, OddPeriod):
            return await self._warning(tx, held[0], period, now)
        sessions = {session.id: session for session in await store.sessions_by_id(tx, ids)}
        unwanted = await store.unsubscribed(tx, [row.recipient for row in held if row.kind == "reminder"])
        good: list[tuple[Notice, Session]] = []
        against: list[tuple[Notice, Reason]] = []
        for row in held:
            session = sessions[row.session_id]
            reason = self._objection(row, session, known[session.id], unwanted, now)
            if reason:
                against.append((row, reason))
            else:
                good.append((row, session))
        if not good:
            return Draft(rows=(), against=tuple(against))
        return self._written(good, against, known)

    def _objection(
        self, row: Notice, session: Session, rows: Sequence[Notice], unwanted: set[str], now: datetime
    ) -> Reason | None:
        if row.expires_at <= now:
            return "too-late"
        if row.kind == "reminder" and fold(row.recipient) in unwanted:
            return "unsubscribed"
        return policy.objection(row, session, self.directory, rows)

    def _written(
        self,
        good: Sequence[tuple[Notice, Session]],
        against: Sequence[tuple[Notice, Reason]],
        known: dict[str, list[Notice]],
    ) -> Draft:
        keys = [row.key for row, _ in good]
        named = message_id(keys, messages.domain_of(self.mail_from))
        rows = tuple(replace(row, message_id=named) for row, _ in good)
        about = {session.id: (row, session) for row, (_, session) in zip(rows, good, strict=True)}
        return Draft(
            rows=rows,
            against=tuple(against),
            about=tuple(session for _, session in about.values()),
            message=self._compose(list(about.values()), known),
        )

    def _compose(self, about: Sequence[tuple[Notice, Session]], known: dict[str, list[Notice]]) -> bytes:
        notice, session = about[0]
        stop_url = self.stop_url(notice.recipient) if self.stop_url and notice.kind == "reminder" else None
        if len(about) > 1:
            return messages.digest(about, self.directory, mail_from=self.mail_from, stop_url=stop_url)
        told = told_before(notice, known[session.id])
        invitations = [row.message_id for row in told if row.kind == "invitation"]
        return messages.compose(
            notice,
            session,
            self.directory,
            mail_from=self.mail_from,
            before=told[-1].news if told else None,
            thread=invitations[-1] if invitations else None,
            stop_url=stop_url,
        )

    async def _warning(self, tx: Tx, row: Notice, period: OddPeriod, now: datetime) -> Draft:
        sessions = [session for session in await store.sessions_of(tx, period) if session.start > now]
        theirs = drift.concerned(sessions, self.directory, period).get(fold(row.recipient))
        if not theirs:
            return Draft(rows=(), against=((row, "superseded"),))
        message = messages.warning(row, period, theirs, self.directory, mail_from=self.mail_from)
        return Draft(rows=(row,), about=tuple(theirs), message=message)
