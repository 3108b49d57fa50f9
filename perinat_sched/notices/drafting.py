"""Drafting: what a claimed mail says at this moment, and whether it is to be sent at all.

A mail settles one notice, or several where reminders fall due together: those that are no longer true drop out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from perinat_sched.booking.session import Session
from perinat_sched.notices import drift, messages, policy, store
from perinat_sched.notices.bundle import Bundle, Course, Told
from perinat_sched.notices.notice import (
    Facts,
    Notice,
    OddPeriod,
    Reason,
    code_before,
    message_id,
    told_before,
    uid_of,
)
from perinat_sched.notices.readers import code_in, fold, reader_of
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Tx


@dataclass(frozen=True, kw_only=True)
class Known:
    """What some mails are about, as it was at one moment."""

    rows: Mapping[str, Sequence[Notice]]  # by session, as they were planned
    sessions: Mapping[str, Session]
    periods: Mapping[OddPeriod, Sequence[Session]]
    courses: Mapping[str, Course]  # by iCalendar's UID
    unwanted: Set[str]  # addresses that want no reminders, casefolded
    shared: messages.Shared = field(default_factory=messages.Shared)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A mail as it would leave now. Without rows there is nothing to send; what is not ours any more is in no list."""

    rows: tuple[Notice, ...]  # that it settles
    against: tuple[tuple[Notice, Reason], ...] = ()  # that must not be sent
    altered: tuple[Notice, ...] = ()  # of the rows, those that do not stand as they were claimed
    about: tuple[Session, ...] = ()  # as they were read
    message: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Drafting:
    """Reads what mails are about, and writes them."""

    directory: Directory
    mail_from: str
    stop_url: Callable[[str], str] | None = None  # of an address: where its reminders are stopped

    async def read(self, tx: Tx, mails: Sequence[Sequence[Notice]]) -> Known:
        """All that is to be known of these mails, in few statements."""
        rows = [row for mail in mails for row in mail]
        ids = list(dict.fromkeys(row.session_id for row in rows))
        periods = {row.facts for row in rows if isinstance(row.facts, OddPeriod)}
        reminded = [row.recipient for row in rows if row.kind == "reminder"]
        bundled = [row.session_id for row in rows if row.bundle]
        courses = await store.courses(tx, bundled, {uid for row in rows if (uid := uid_of(row))}) if bundled else {}
        others = [session.id for course in courses.values() for session in course.sessions]
        return Known(
            rows=await store.of_sessions(tx, list(dict.fromkeys([*ids, *others]))),
            sessions={session.id: session for session in await store.sessions_by_id(tx, ids)},
            courses=courses,
            periods={period: await store.sessions_of(tx, period) for period in periods},
            unwanted=await store.unsubscribed(tx, reminded) if reminded else set(),
        )

    def draft(self, known: Known, mail: Sequence[Notice], now: datetime) -> Draft:
        """The mail that these claimed rows make."""
        held = [row for row in mail if any(_same_claim(row, each) for each in known.rows[row.session_id])]
        if held and isinstance(period := held[0].facts, OddPeriod):
            return self._warning(known, held[0], period, now)
        good: list[tuple[Notice, Session]] = []
        against: list[tuple[Notice, Reason]] = []
        for row in held:
            session = known.sessions[row.session_id]
            reason = self._objection(row, session, known, now)
            if reason:
                against.append((row, reason))
            else:
                good.append((row, session))
        if not good:
            return Draft(rows=(), against=tuple(against))
        return self._written(good, against, known, now)

    def _objection(self, row: Notice, session: Session, known: Known, now: datetime) -> Reason | None:
        if row.expires_at <= now:
            return "too-late"
        if row.kind == "reminder" and fold(row.recipient) in known.unwanted:
            return "unsubscribed"
        return policy.objection(row, session, self.directory, known.rows[session.id])

    def _written(
        self,
        good: Sequence[tuple[Notice, Session]],
        against: Sequence[tuple[Notice, Reason]],
        known: Known,
        now: datetime,
    ) -> Draft:
        keys = [row.key for row, _ in good]
        named = message_id(keys, messages.domain_of(self.mail_from))
        one = len(good) == 1 or not good[0][0].bundle  # a letter about a whole series bears no code
        rows = tuple(
            row.leaving(named, code_in(row, session, self.directory) if one else None) for row, session in good
        )
        about = {session.id: (row, session) for row, (_, session) in zip(rows, good, strict=True)}
        mail = list(about.values())
        bundle = self._bundle(mail, known) if rows[0].bundle else None
        sessions = {session.id: session for session, _ in bundle.attending} if bundle else {}
        sessions |= {session.id: session for _, session in mail}
        return Draft(
            rows=rows,
            altered=tuple(row for row, (claimed, _) in zip(rows, good, strict=True) if row is not claimed),
            against=tuple(against),
            about=tuple(sessions.values()),
            message=self._compose(sorted(mail, key=_begins), known, bundle, now),
        )

    def _bundle(self, mail: Sequence[tuple[Notice, Session]], known: Known) -> Bundle:
        """The dates of a series that these rows tell, in their order."""
        notice, session = mail[0]
        course = known.courses[uid_of(notice) or session.uid]
        readers = [(each, reader_of(each, self.directory, notice.recipient)) for each in course.sessions]
        told = [Told(notice=row, session=each, before=self._before(row, known)) for row, each in mail]
        return Bundle(
            series=course.series,
            told=tuple(sorted(told, key=lambda one: (one.session.start, one.session.id))),
            attending=tuple((each, to.site) for each, to in readers if to),
            invited=self._invitation(notice, course, known) is not None,
        )

    def _before(self, row: Notice, known: Known) -> Facts | None:
        """What its reader was last told of the session; nothing, where that was that they need not come."""
        told = told_before(row, known.rows[row.session_id])
        return told[-1].news if told and told[-1].kind != "cancellation" else None

    @staticmethod
    def _invitation(notice: Notice, course: Course, known: Known) -> str | None:
        """The Message-ID of the mail that invited the reader to the series last."""
        told = [row for session in course.sessions for row in told_before(notice, known.rows[session.id])]
        last = max((row for row in told if row.kind == "invitation"), key=lambda row: row.due_at, default=None)
        return last.message_id if last else None

    def _compose(
        self, about: Sequence[tuple[Notice, Session]], known: Known, bundle: Bundle | None, now: datetime
    ) -> bytes:
        """`about`: in the order in which they begin."""
        notice, session = about[0]
        stop_url = self.stop_url(notice.recipient) if self.stop_url and notice.kind == "reminder" else None
        told = told_before(notice, known.rows[session.id])
        thread = _thread(told)
        if bundle:
            notice, course = bundle.notice, known.courses[uid_of(notice) or session.uid]
            thread = self._invitation(notice, course, known)
        elif len(about) > 1:
            return messages.digest(about, self.directory, mail_from=self.mail_from, thread=thread, stop_url=stop_url)
        return messages.compose(
            notice,
            bundle.told[0].session if bundle else session,
            self.directory,
            mail_from=self.mail_from,
            before=told[-1].news if told else None,
            code_before=code_before(notice, known.rows[session.id]),
            thread=thread,
            stop_url=stop_url,
            bundle=bundle,
            leaves=now,
            shared=known.shared,
        )

    def _warning(self, known: Known, row: Notice, period: OddPeriod, now: datetime) -> Draft:
        sessions = [session for session in known.periods[period] if session.start > now]
        theirs = drift.concerned(sessions, self.directory, period).get(fold(row.recipient))
        if not theirs:
            return Draft(rows=(), against=((row, "superseded"),))
        thread = _thread(told_before(row, known.rows[row.session_id]))
        message = messages.warning(row, period, theirs, self.directory, mail_from=self.mail_from, thread=thread)
        return Draft(rows=(row,), about=tuple(theirs), message=message)


def _begins(entry: tuple[Notice, Session]) -> tuple[datetime, str]:
    return entry[1].start, entry[1].id


def _thread(told: Sequence[Notice]) -> str | None:
    """The Message-ID of the last invitation among what a reader was told."""
    return next((row.message_id for row in reversed(told) if row.kind == "invitation"), None)


def _same_claim(claimed: Notice, row: Notice) -> bool:
    return (claimed.id, claimed.lease) == (row.id, row.lease)
