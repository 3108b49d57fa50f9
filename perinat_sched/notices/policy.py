"""Which mails a session calls for: decided on values, from the session as it is and what was planned before.

Delivery finds a session that changed and asks here. A reader is a contact of a site that takes part; each is invited
once, told of a change only when it is one they must hear (`Facts`), and told when they need not come any more.
Whatever waits and is no longer the truth is skipped, so that nobody gets news that a later mail takes back, and a
mail never overtakes its successor. Days of a lead time are wall time: a day before 10:00 is 10:00, also across the
night of the switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import (
    CALENDAR_KINDS,
    Address,
    Facts,
    Kind,
    Notice,
    Reason,
    Refusal,
    in_order,
    planned,
)
from perinat_sched.sites.network import Directory, Reminder

AFTERWARDS = timedelta(days=1)  # how long after its end a session is still worth a mail


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be written: new rows, and rows that stand otherwise than before."""

    new: tuple[Notice, ...] = ()
    changed: tuple[Notice, ...] = ()


def plan(session: Session, directory: Directory, rows: Sequence[Notice], *, now: datetime, domain: str) -> Plan:
    """The rows that `session` calls for beyond `rows`, all it has so far. `domain`: of Message-IDs."""
    return _Planner(session, directory, in_order(rows), now, domain).plan()


def objection(notice: Notice, session: Session, directory: Directory, rows: Sequence[Notice]) -> Reason | None:
    """Why a claimed notice must not be sent now, the session being as it is; None: it is true and of use."""
    reader = _readers(session, directory).get(_fold(notice.recipient))
    if notice.kind == "reminder":
        return _against_reminder(notice, session, reader)
    if notice.kind == "declined":
        gone: Reason = "cancelled" if session.status == "cancelled" else "taken-back"
        return None if notice.refusal.site in declined(session) else gone
    if any(_after(row, notice) for row in rows):
        return "superseded"
    if notice.kind == "cancellation":
        return "taken-back" if reader else None
    if reader is None:
        return "cancelled" if session.status == "cancelled" else "not-taking-part"
    return None if facts_for(session, reader.site) == notice.facts else "superseded"


def _against_reminder(notice: Notice, session: Session, reader: Address | None) -> Reason | None:
    if session.status == "cancelled":
        return "cancelled"
    if session.start != notice.starts:
        return "moved"
    return None if reader else "not-taking-part"


def _after(row: Notice, notice: Notice) -> bool:
    """Whether `row` is later news for the same reader."""
    same_reader = row.kind in CALENDAR_KINDS and _fold(row.recipient) == _fold(notice.recipient)
    return same_reader and row.state != "skipped" and row.place > notice.place


def facts_for(session: Session, site: str) -> Facts:
    """What the readers at a site must hear of a session."""
    part = session.participation(site)
    return Facts(
        site=site,
        start=session.start,
        duration=session.duration,
        timezone=session.timezone,
        join_url=session.join_url,
        room=part.room if part else None,
        sites=tuple(sorted(session.sites)),
        host=session.host_site,
    )


def reminds_at(session: Session, lead: Reminder) -> datetime:
    """When (UTC) a reminder of `session` is due: days in the wall time of its zone, the rest in elapsed time.

    An hour that the clocks skip that day is read with the offset before the gap, a repeated one as the first
    (RFC 5545 § 3.3.5).
    """
    if not lead.days:
        return session.start - lead.rest
    wall = session.wall_start - timedelta(days=lead.days)
    return wall.replace(tzinfo=zones.zone(session.timezone)).astimezone(UTC) - lead.rest


def declined(session: Session) -> list[str]:
    """The required sites that do not come; nobody's business once the session is cancelled."""
    if session.status == "cancelled":
        return []
    return [p.site for p in session.participations if p.required and p.answer == "declined"]


def contacts(directory: Directory, site: str) -> tuple[str, ...]:
    """Who reads for a site; nobody, for one that the configuration no longer has."""
    known = directory.sites.get(site)
    return known.contacts if known else ()


def _readers(session: Session, directory: Directory) -> dict[str, Address]:
    """Who is to know of a session, by address: each once, for the first of their sites. Nobody when cancelled."""
    readers: dict[str, Address] = {}
    if session.status != "cancelled":
        for part in session.taking_part():
            for contact in contacts(directory, part.site):
                readers.setdefault(_fold(contact), Address(recipient=contact, site=part.site))
    return readers


def _fold(address: str) -> str:
    return address.casefold()


class _Planner:
    """One session's planning: what is new, what changes."""

    def __init__(
        self, session: Session, directory: Directory, rows: Sequence[Notice], now: datetime, domain: str
    ) -> None:
        self.session = session
        self.directory = directory
        self.rows = rows
        self.now = now
        self.domain = domain
        self.readers = _readers(session, directory)
        self.taken = {row.key for row in rows}

    def plan(self) -> Plan:
        results = [*self._calendar(), *self._reminders(), *self._refusals()]
        known = {row.id for row in self.rows}
        return Plan(
            new=tuple(row for row in results if row.id not in known),
            changed=tuple(row for row in results if row.id in known),
        )

    def _calendar(self) -> Iterator[Notice]:
        """Invitations, updates, cancellations."""
        told: dict[str, list[Notice]] = {address: [] for address in self.readers}
        for row in self.rows:
            if row.kind in CALENDAR_KINDS and (row.reached or row.state != "skipped"):
                told.setdefault(_fold(row.recipient), []).append(row)
        for address, rows in told.items():
            yield from self._news(self.readers.get(address), rows)

    def _news(self, reader: Address | None, rows: Sequence[Notice]) -> Iterator[Notice]:
        """For one reader (None: not to come): keep the row that says the truth, skip what waits besides, or add one."""
        standing = [row for row in rows if row.state != "skipped"]
        settled = [row for row in standing if row.state != "due" or row.reached]
        reached = [row for row in rows if row.reached]
        invited = bool(reached) and reached[-1].kind != "cancellation"
        facts = facts_for(self.session, reader.site) if reader else None

        def says_it(row: Notice) -> bool:
            return row.facts == facts and row.kind != "cancellation" if facts else row.kind == "cancellation"

        # The last word that has left or was refused, else the last that waits, may already say it.
        last_words = [*settled[-1:], *standing[-1:]]
        kept = next((row for row in last_words if says_it(row)), None)
        reason: Reason = "cancelled" if self.session.status == "cancelled" else "superseded"
        yield from (_skipped(row, reason) for row in standing if row is not kept and row.state == "due")
        if kept is not None:
            return
        if facts and reader:
            yield self._add("update" if invited else "invitation", reader, facts=facts)
        elif invited and not self._comes(reached[-1].site):  # else only the address left the configuration
            last = reached[-1]
            yield self._add("cancellation", Address(recipient=last.recipient, site=last.site), facts=last.facts)

    def _comes(self, site: str) -> bool:
        part = self.session.participation(site)
        return self.session.status != "cancelled" and part is not None and part.answer != "declined"

    def _reminders(self) -> Iterator[Notice]:
        """Add those that are wanted, bring back those that are wanted again, skip the others that wait."""
        wanted = {self._reminder_key(lead, reader): (lead, reader) for lead in self._leads() for reader in self.readers}
        for row in self.rows:
            if row.kind != "reminder":
                continue
            if row.key not in wanted:
                if row.state == "due":
                    reader = self.readers.get(_fold(row.recipient))
                    yield _skipped(row, _against_reminder(row, self.session, reader) or "superseded")
                continue
            site = self.readers[wanted[row.key][1]].site
            if row.state == "skipped" and self._in_time(row.due_at):
                yield replace(row, state="due", last_error=None, site=site)
            elif row.state == "due" and row.site != site:
                yield replace(row, site=site)
        for key, (lead, address) in wanted.items():
            if key not in self.taken:
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
                    skipped=None if self._in_time(due_at) else "too-late",
                )

    def _leads(self) -> Sequence[Reminder]:
        kind = self.directory.kinds.get(self.session.kind)
        return kind.reminders if kind else ()

    def _reminder_key(self, lead: Reminder, address: str) -> str:
        return f"reminder:{self.session.id}:{int(self.session.start.timestamp())}:{lead.text}:{address}"

    def _in_time(self, due_at: datetime) -> bool:
        """A reminder whose time was past when the session was booked or moved is not sent."""
        return due_at >= self.session.updated_at.replace(microsecond=0)

    def _refusals(self) -> Iterator[Notice]:
        """The host is told once of each refusal of a required site; again when the site had come back meanwhile."""
        standing = [row for row in self.rows if row.kind == "declined" and not row.refusal.over]
        refusing = declined(self.session)
        for row in standing:
            over = replace(row, facts=Refusal(site=row.refusal.site, over=True))
            if self.session.status == "cancelled":
                if row.state == "due":
                    yield _skipped(over, "cancelled")
            elif row.refusal.site not in refusing:
                yield _skipped(over, "taken-back") if row.state == "due" else over
        told = {(row.refusal.site, _fold(row.recipient)) for row in standing}
        host = self.session.host_site
        for site in refusing:
            for contact in contacts(self.directory, host):
                if (site, _fold(contact)) not in told:
                    told.add((site, _fold(contact)))
                    to = Address(recipient=contact, site=host)
                    yield self._add("declined", to, about=f"{site}:", facts=Refusal(site=site))

    def _add(self, kind: Kind, to: Address, *, facts: Facts | Refusal | None, about: str = "") -> Notice:
        """A mail that is due now. Its key holds what makes it unique; the revision too, where that is not enough."""
        key = f"{kind}:{self.session.id}:{self.session.sequence}:{about}{_fold(to.recipient)}"
        while key in self.taken:
            key = f"{key}:{self.session.revision}"
        return planned(
            kind,
            self.session,
            to,
            key=key,
            domain=self.domain,
            now=self.now,
            due_at=self.now,
            expires_at=self.session.end + AFTERWARDS,
            facts=facts,
        )


def _skipped(row: Notice, reason: Reason) -> Notice:
    return replace(row, state="skipped", last_error=reason)
