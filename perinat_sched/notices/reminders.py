"""Which reminders a session calls for: one a lead time and reader, while it helps.

A reminder is of use to who was told of the hour before the reminder fell due: else the invitation, or the mail about
the move, has just said it. A change of the title alters nothing about that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Address, Notice, Reason, planned, uid_of
from perinat_sched.notices.readers import fold, leads, reminds_at
from perinat_sched.sites.network import Directory


def against(notice: Notice, session: Session, reader: Address | None) -> Reason | None:
    """Why a reminder must not be sent, the session being as it is."""
    if session.status == "cancelled":
        return "cancelled"
    if session.start != notice.starts:
        return "moved"
    return None if reader else "not-taking-part"


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
        """Add those that are wanted, bring back those that are wanted again, skip the others that wait."""
        wanted = {
            self._key(lead.text, address): (lead, address)
            for lead in leads(self.session, self.directory)
            for address in self.readers
        }
        reminders = [row for row in self.rows if row.kind == "reminder"]
        for row in reminders:
            if row.key not in wanted:
                if row.state == "due":
                    reader = self.readers.get(fold(row.recipient))
                    reason = against(row, self.session, reader) or "superseded"
                    yield replace(row, state="skipped", last_error=reason)
                continue
            address = wanted[row.key][1]
            site = self.readers[address].site
            if row.state == "skipped" and row.last_error != "unsubscribed" and self._in_time(row.due_at, address):
                yield replace(row, state="due", last_error=None, site=site)
            elif row.state == "due" and row.site != site:
                yield replace(row, site=site)
        known = {row.key for row in reminders}
        for key, (lead, address) in wanted.items():
            if key not in known:
                due_at = reminds_at(self.session, lead)
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
