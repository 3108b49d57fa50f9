"""A notice: one mail to one recipient about one session, from the moment it is called for until it is settled.

Its key says what makes it the same mail, however often a process dies over it; its Message-ID and date are frozen
with it, so that what a crash sends twice is recognisably the same. What its reader is told is kept beside it
(`Facts`): only a change of that calls for another mail, and from it the next mail says what changed from what.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from perinat_sched.booking.session import Session

Kind = Literal["invitation", "update", "cancellation", "reminder", "declined", "place-lost", "drift"]
State = Literal["due", "leased", "sent", "failed", "skipped"]
Seen = Literal["due", "sent", "failed", "skipped"]  # a State as people see it: a lease is nobody's business
Reason = Literal[  # why a notice is skipped
    "superseded",  # a later mail says it, or what it said is no longer so
    "cancelled",
    "moved",
    "not-taking-part",
    "taken-back",  # the site that had declined takes part again, the cancelled session takes place
    "too-late",
    "unsubscribed",  # of a reminder: its reader wants none
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a reader must hear of a session. Titles, notes and other sites' answers are not among it."""

    site: str  # the reader's
    start: datetime  # UTC
    duration: timedelta
    timezone: str  # of the session
    join_url: str | None
    room: str | None  # the reader's own
    sites: tuple[str, ...]  # all that were asked, sorted
    host: str
    lost: bool = False  # the reader's place no longer fits
    # How the start was told; rows of the first release do not know. It follows from the start until a law on clocks
    # changes, or the site's zone in the configuration. What is sent is written by the clocks of that moment, whatever
    # stands here; only planning asks whether a reader knows another hour (`tells_as`).
    wall: datetime | None = field(default=None, compare=False)  # the session's, naive
    local: datetime | None = field(default=None, compare=False)  # the reader's, aware
    zone: str | None = field(default=None, compare=False)  # the reader's: whose hour `local` is
    code: str | None = field(default=None, compare=False)  # the access code, where the mail carried it
    uid: str | None = field(default=None, compare=False)  # iCalendar's, of a series: a date may go over to another

    @property
    def all(self) -> tuple[object, ...]:
        """The facts, with what is left out when they are compared."""
        return self, self.wall, self.local, self.zone, self.code, self.uid

    def tells_as(self, other: Facts) -> bool:
        """Whether both tell a reader the same, the hour on the reader's clock included."""
        hours = [facts.local.replace(tzinfo=None) for facts in (self, other) if facts.local]
        return self == other and len(set(hours)) <= 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """What the host is told of a site: it declined, or lost its place. `over` when that is no longer so, so that the
    next time is told anew."""

    site: str  # empty: of the bridge
    over: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminded:
    """What a reminder said besides the session as it was."""

    code: str | None  # the access code, where it carried it


@dataclass(frozen=True, kw_only=True, slots=True)
class OddPeriod:
    """While the clocks of two zones differ otherwise than for most of the year."""

    zone: str  # of sessions
    other: str  # of the site that is told
    start: datetime  # UTC
    end: datetime


About = Facts | Concern | OddPeriod | Reminded

FOR_THE_CODE = "code"  # in place of a lead time, of a reminder that comes for the access code alone


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One row: a mail, its reader, and how far it got. Instants are in UTC."""

    id: str
    key: str
    session_id: str
    kind: Kind
    sequence: int  # of the session when this was planned, like the next two
    revision: int
    starts: datetime
    lead: str = ""  # of a reminder, "P1D" or FOR_THE_CODE
    site: str  # the reader's
    recipient: str
    facts: About | None
    message_id: str
    state: State
    due_at: datetime
    expires_at: datetime  # from then on nobody is helped by it
    try_at: datetime  # due_at, later after a failed attempt
    attempts: int = 0
    ambiguous: bool = False  # may have been handed over twice
    lease: str | None = None
    leased_until: datetime | None = None
    handed_at: datetime | None = None
    sent_at: datetime | None = None
    last_error: str | None = None  # of a skipped one its Reason
    created_at: datetime
    bundle: str | None = None  # of a series: the rows of one reader that have it leave together, as one mail

    @property
    def reached(self) -> bool:
        """Whether its reader has it, or may have it. What is only claimed has not left."""
        return self.state == "sent" or self.handed_at is not None

    @property
    def waits(self) -> bool:
        """Whether it may still be taken back: its claimer learns so when it notes the handing over."""
        return self.state in ("due", "leased") and not self.reached

    @property
    def news(self) -> Facts | None:
        """Of an invitation, update or cancellation, which change the reader's calendar: what it says."""
        return self.facts if isinstance(self.facts, Facts) else None

    @property
    def concern(self) -> Concern | None:
        """Of what the host alone is told: about whom."""
        return self.facts if isinstance(self.facts, Concern) else None

    @property
    def code(self) -> str | None:
        """The access code that it carried."""
        return self.facts.code if isinstance(self.facts, Facts | Reminded) else None

    def leaving(self, message_id: str, code: str | None) -> Notice:
        """With the Message-ID of its mail and what that says of the access code; itself where nothing differs."""
        facts = self.facts
        if self.kind == "reminder":
            facts = Reminded(code=code)
        elif isinstance(facts, Facts) and facts.code != code:
            facts = replace(facts, code=code)
        same = message_id == self.message_id and facts is self.facts
        return self if same else replace(self, message_id=message_id, facts=facts)

    @property
    def place(self) -> tuple[int, datetime]:
        """Its place in the order of planning."""
        return self.revision, self.created_at


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeView:
    """A notice as people see it."""

    id: str
    session_id: str
    timezone: str  # of the session, by whose clock its hours are written
    kind: Kind
    recipient: str
    site: str
    due_at: datetime
    state: Seen
    attempts: int
    sent_at: datetime | None
    message_id: str
    ambiguous: bool
    last_error: str | None

    @classmethod
    def of(cls, notice: Notice, timezone: str) -> NoticeView:
        return cls(
            id=notice.id,
            session_id=notice.session_id,
            timezone=timezone,
            kind=notice.kind,
            recipient=notice.recipient,
            site=notice.site,
            due_at=notice.due_at,
            state="due" if notice.state == "leased" else notice.state,
            attempts=notice.attempts,
            sent_at=notice.sent_at,
            message_id=notice.message_id,
            ambiguous=notice.ambiguous,
            last_error=notice.last_error,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Who is written to, and for which site."""

    recipient: str
    site: str


LONG_AFTER = timedelta(hours=1)


def fresh(due_at: datetime, now: datetime) -> datetime:
    """When a mail is due that is planned only now: a date long past would hide it among the old ones in a mailbox, and
    would hide from it that less than two days remain."""
    return due_at if now - due_at <= LONG_AFTER else now.replace(microsecond=0)


def planned(
    kind: Kind,
    session: Session,
    to: Address,
    *,
    key: str,
    domain: str,
    now: datetime,
    due_at: datetime,
    expires_at: datetime,
    lead: str = "",
    facts: About | None = None,
    skipped: Reason | None = None,
    bundle: str | None = None,
) -> Notice:
    """A new row. Everything in it follows from its key and its session: planning it twice plans the same mail."""
    if skipped is None and expires_at <= now:
        skipped = "too-late"
    return Notice(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, key)),
        key=key,
        session_id=session.id,
        kind=kind,
        sequence=session.sequence,
        revision=session.revision,
        starts=session.start,
        lead=lead,
        site=to.site,
        recipient=to.recipient,
        facts=facts,
        message_id=message_id([key], domain),
        state="skipped" if skipped else "due",
        due_at=due_at,
        expires_at=expires_at,
        try_at=due_at,
        last_error=skipped,
        created_at=now,
        bundle=bundle,
    )


def message_id(keys: Sequence[str], domain: str) -> str:
    """The Message-ID of the mail that settles the rows with these keys."""
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
    return f"<{digest[:40]}@{domain}>"


def in_order(rows: Sequence[Notice]) -> list[Notice]:
    """As they were planned."""
    return sorted(rows, key=lambda row: row.place)


def code_before(notice: Notice, rows: Sequence[Notice]) -> str | None:
    """The access code that its reader was told last."""
    reader = notice.recipient.casefold()
    told = [
        row for row in rows if row.code and row.reached and row.id != notice.id and row.recipient.casefold() == reader
    ]
    return max(told, key=lambda row: row.due_at).code if told else None


def uid_of(row: Notice) -> str | None:
    """Which event of the reader's calendar news is about: that of a series; None: its session's own."""
    return row.news.uid if row.news else None


def told_before(notice: Notice, rows: Sequence[Notice]) -> list[Notice]:
    """The invitations, updates and cancellations its reader already has, or may have, as they were planned."""
    reader, uid = notice.recipient.casefold(), uid_of(notice)
    return [
        row
        for row in in_order(rows)
        if row.news
        and row.reached
        and row.id != notice.id
        and row.recipient.casefold() == reader
        and (not notice.news or uid_of(row) == uid)
    ]
