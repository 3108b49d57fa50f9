"""Which reminders a session calls for: one a lead time and reader, while it helps.

A reminder is of use to who was told of the hour before the reminder fell due: else the invitation, or the mail about
the move, has just said it. A change of the title alters nothing about that.

The last one carries the access code to sites that have accepted. Whose site accepts only then, or whose code becomes
another, gets one more at once, unless a mail that waits is going to say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import FOR_THE_CODE, Address, Notice, Reason, Reminded, fresh, planned, uid_of
from perinat_sched.notices.readers import code_at, code_in, falls_due, fold, leads
from perinat_sched.sites.network import Directory, Reminder


def against(notice: Notice, session: Session, directory: Directory, reader: Address | None) -> Reason | None:
    """Why a reminder must not be sent, the session being as it is."""
    if session.status == "cancelled":
        return "cancelled"
    if session.start != notice.starts:
        return "moved"
    if reader is None:
        return "not-taking-part"
    return "superseded" if notice.lead == FOR_THE_CODE and not code_in(notice, session, directory) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminding:
    """The planning of one session's reminders. `rows`: all notices of the session, in order, the new ones too."""

    session: Session
    directory: Directory
    readers: Mapping[str, Address]
    rows: Sequence[Notice]
    now: datetime
    domain: str
    settle: timedelta

    def plan(self) -> Iterator[Notice]:
        """What is to be written, new and changed."""
        at_lead_times = list(self._at_lead_times())
        yield from at_lead_times
        rows = {row.id: row for row in (*self.rows, *at_lead_times)}
        yield from self._for_the_code(list(rows.values()))

    def _at_lead_times(self) -> Iterator[Notice]:
        """Add those that are wanted, bring back those that are wanted again, skip the others that wait."""
        wanted = {
            self._key(lead.text, address): (lead, address)
            for lead in leads(self.session, self.directory)
            for address in self.readers
        }
        reminders = [row for row in self.rows if row.kind == "reminder" and row.lead != FOR_THE_CODE]
        for row in reminders:
            if row.key not in wanted:
                if row.state == "due":
                    reader = self.readers.get(fold(row.recipient))
                    yield self._skipped(row, reader)
                continue
            lead, address = wanted[row.key]
            now = self._as_it_falls_due(replace(row, site=self.readers[address].site), lead)
            if row.state == "skipped" and row.last_error != "unsubscribed" and self._in_time(now.due_at, address):
                yield replace(now, state="due", last_error=None)
            elif row.state == "due" and now != row:
                yield now
        known = {row.key for row in reminders}
        for key, (lead, address) in wanted.items():
            if key not in known:
                due_at = falls_due(self.session, lead, self.directory, self.readers[address].site)
                yield planned(
                    "reminder",
                    self.session,
                    self.readers[address],
                    key=key,
                    domain=self.domain,
                    now=self.now,
                    due_at=due_at,
                    expires_at=self.session.start,
                    lead=lead.text,
                    skipped=None if self._in_time(due_at, address) else "too-late",
                )

    def _as_it_falls_due(self, row: Notice, lead: Reminder) -> Notice:
        """The wall time of its hour may have become another instant: another zone of the session, a law on clocks."""
        due_at = falls_due(self.session, lead, self.directory, row.site)
        return row if row.attempts or row.due_at == due_at else replace(row, due_at=due_at, try_at=due_at)

    def _for_the_code(self, rows: Sequence[Notice]) -> Iterator[Notice]:
        """One for each reader who must know the code and is not told it otherwise; those that wait in vain go."""
        kept: set[str] = set()
        for address, to in self.readers.items():
            code = code_at(self.session, self.directory, to.site, self.now)
            theirs = [row for row in rows if fold(row.recipient) == address and row.starts == self.session.start]
            if code is None or self.now >= self.session.start or code == self._code_told(theirs):
                continue
            waiting = [row for row in theirs if self._is_going_to_say_it(row)]
            if any(row.lead != FOR_THE_CODE for row in waiting):
                continue
            row = waiting[0] if waiting else self._new_code(address, to)
            kept.add(row.id)
            said = replace(row, site=to.site, facts=Reminded(code=code))
            if said != row or not waiting:
                yield said
        for row in rows:
            if row.lead == FOR_THE_CODE and row.state == "due" and row.id not in kept:
                yield self._skipped(row, self.readers.get(fold(row.recipient)))

    def _code_told(self, rows: Sequence[Notice]) -> str | None:
        """The code that a reader was told last, or was not because nothing reaches them, or they want no reminders.

        Rows of earlier releases, and those that were never written, do not say what they told: it is what they would.
        """
        over = [row for row in rows if row.reached or row.state == "failed" or row.last_error == "unsubscribed"]
        said = [
            row.code if row.facts else code_in(row, self.session, self.directory)
            for row in sorted(over, key=lambda row: row.due_at)
        ]
        return next((code for code in reversed(said) if code), None)

    def _is_going_to_say_it(self, row: Notice) -> bool:
        return (row.state == "due" or row.waits) and code_in(row, self.session, self.directory) is not None

    def _new_code(self, address: str, to: Address) -> Notice:
        return planned(
            "reminder",
            self.session,
            to,
            key=self._key(f"{FOR_THE_CODE}:{self.session.revision}", address),
            domain=self.domain,
            now=self.now,
            due_at=fresh(self.session.updated_at.replace(microsecond=0) + self.settle, self.now),
            expires_at=self.session.start,
            lead=FOR_THE_CODE,
        )

    def _skipped(self, row: Notice, reader: Address | None) -> Notice:
        reason = against(row, self.session, self.directory, reader) or "superseded"
        return replace(row, state="skipped", last_error=reason)

    def _key(self, lead: str, address: str) -> str:
        return f"reminder:{self.session.id}:{int(self.session.start.timestamp())}:{lead}:{address}"

    def _in_time(self, due_at: datetime, address: str) -> bool:
        """Whether the reader knew of the hour when the reminder fell due."""
        known_since = self.session.updated_at
        uid = self.session.uid if self.session.series else None
        words = [
            row for row in self.rows
            if row.news and fold(row.recipient) == address and row.state != "skipped" and uid_of(row) == uid
        ]  # fmt: skip
        for word in reversed(words):
            if word.kind == "cancellation" or not word.news or word.news.start != self.session.start:
                break
            known_since = word.due_at - self.settle
        return due_at >= known_since.replace(microsecond=0)
