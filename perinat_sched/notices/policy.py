"""Which mails a session calls for: decided on values, from the session as it is and what was planned before.

Delivery finds a session that changed and asks here. A reader is a contact of a site that takes part; each is invited
once, told of a change only when it is one they must hear (`Facts`), and told when they need not come any more. A mail
is due some seconds after the first change it tells, so that several make one mail and one that is taken back makes
none. Whatever waits and is no longer the truth is skipped, and a mail never overtakes its successor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched.booking.session import Session
from perinat_sched.notices import reminders
from perinat_sched.notices.notice import (
    About,
    Address,
    Concern,
    Facts,
    Kind,
    Notice,
    Reason,
    fresh,
    in_order,
    planned,
    uid_of,
)
from perinat_sched.notices.readers import concerns, contacts, facts_for, fold, reader_of, readers_of
from perinat_sched.sites.network import Directory

AFTERWARDS = timedelta(days=1)  # how long after its end a session is still worth a mail
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be written: new rows, and rows that stand otherwise than before."""

    new: tuple[Notice, ...] = ()
    changed: tuple[Notice, ...] = ()


def plan(
    session: Session,
    directory: Directory,
    rows: Sequence[Notice],
    *,
    now: datetime,
    domain: str,
    settle: timedelta = timedelta(),
) -> Plan:
    """The rows that `session` calls for beyond `rows`, all it has so far.

    `domain`: of Message-IDs; `settle`: how long after a change its mail is due.
    """
    return _Planner(session, directory, in_order(rows), now, domain, settle).plan()


def objection(notice: Notice, session: Session, directory: Directory, rows: Sequence[Notice]) -> Reason | None:
    """Why a claimed notice must not be sent now, the session being as it is; None: it is true and of use."""
    reader = reader_of(session, directory, notice.recipient)
    if notice.kind == "reminder":
        return reminders.against(notice, session, directory, reader)
    if notice.concern:
        gone: Reason = "cancelled" if session.status == "cancelled" else "taken-back"
        return None if notice.concern.site in concerns(session)[notice.kind] else gone
    if any(_after(row, notice) for row in rows):
        return "superseded"
    if notice.news and notice.news.uid not in (None, session.uid):  # the date has gone over to another series
        return None if notice.kind == "cancellation" else "superseded"
    if notice.kind == "cancellation":
        return "taken-back" if reader else None
    if reader is None:
        return "cancelled" if session.status == "cancelled" else "not-taking-part"
    return None if facts_for(session, directory, reader.site) == notice.facts else "superseded"


def _after(row: Notice, notice: Notice) -> bool:
    """Whether `row` is later news for the same reader."""
    same_reader = row.news and fold(row.recipient) == fold(notice.recipient) and uid_of(row) == uid_of(notice)
    return bool(same_reader) and row.state != "skipped" and row.place > notice.place


class _Planner:
    """One session's planning: what is new, what changes."""

    def __init__(
        self,
        session: Session,
        directory: Directory,
        rows: Sequence[Notice],
        now: datetime,
        domain: str,
        settle: timedelta,
    ) -> None:
        self.session = session
        self.directory = directory
        self.rows = rows
        self.now = now
        self.domain = domain
        self.settle = settle
        self.changed_at = session.updated_at.replace(microsecond=0)
        self.readers = readers_of(session, directory)
        self.taken = {row.key for row in rows}

    def plan(self) -> Plan:
        results = [*self._calendar(), *self._concerns()]
        results += reminders.Reminding(
            session=self.session,
            directory=self.directory,
            readers=self.readers,
            rows=in_order(list({row.id: row for row in (*self.rows, *results)}.values())),
            now=self.now,
            domain=self.domain,
            settle=self.settle,
        ).plan()
        known = {row.id for row in self.rows}
        return Plan(
            new=tuple(row for row in results if row.id not in known),
            changed=tuple(row for row in results if row.id in known),
        )

    def _calendar(self) -> Iterator[Notice]:
        """Invitations, updates, cancellations."""
        uid = self.session.uid if self.session.series else None
        told: dict[tuple[str, str | None], list[Notice]] = {(address, uid): [] for address in self.readers}
        for row in self.rows:
            if row.news:
                told.setdefault((fold(row.recipient), uid_of(row)), []).append(row)
        for (address, known_as), rows in told.items():
            gone_over = known_as != uid  # to another series: there it is news, and here it is no more
            yield from self._news(None if gone_over else self.readers.get(address), rows, gone_over=gone_over)

    def _news(self, reader: Address | None, rows: Sequence[Notice], *, gone_over: bool) -> Iterator[Notice]:
        """For one reader (None: not to come): keep the row that says the truth, skip what waits besides, or add one."""
        standing = [row for row in rows if row.state != "skipped" or row.reached]
        settled = [row for row in standing if not row.waits]
        reached = [row for row in rows if row.reached]
        invited = bool(reached) and reached[-1].kind != "cancellation"
        facts = facts_for(self.session, self.directory, reader.site) if reader else None

        def says_it(row: Notice) -> bool:
            if facts is None:
                return row.kind == "cancellation"
            return row.kind != "cancellation" and row.news is not None and row.news.tells_as(facts)

        # The last word that has left may already say it, else the last that was refused, else the last that waits. One
        # that was skipped when it had left in doubt is the last word, too, but nobody tries it again.
        last_words = [*reached[-1:], *settled[-1:], *standing[-1:]]
        kept = next((row for row in last_words if row.state != "skipped" and says_it(row)), None)
        reason: Reason = "cancelled" if self.session.status == "cancelled" else "superseded"
        yield from (_skipped(row, reason) for row in standing if row is not kept and _skippable(row))
        if kept is not None:
            return
        due_at = self._due(rows)
        if facts and reader:
            newly_lost = facts.lost and not (reached and reached[-1].news and reached[-1].news.lost)
            change: Kind = "place-lost" if newly_lost else "update"
            yield self._add(change if invited else "invitation", reader, facts=facts, due_at=due_at)
        # Who comes and is no reader any more has only left the configuration: nothing is cancelled for them.
        elif invited and (gone_over or not self._comes(reached[-1].site)):
            last = reached[-1]
            to = Address(recipient=last.recipient, site=last.site)
            about = f"{uid_of(last)}:" if gone_over else ""
            yield self._add("cancellation", to, facts=last.facts, due_at=due_at, about=about)

    def _due(self, rows: Sequence[Notice]) -> datetime:
        """When news for a reader is due: the first change that is not told yet sets the hour.

        A second after the last mail left at the earliest, so that DTSTAMP rises with one SEQUENCE too (ITIP-06).
        """
        unsettled = [
            row.due_at for row in rows if row.waits or (row.state == "skipped" and row.due_at > self.changed_at)
        ]
        left = [row.handed_at or row.due_at for row in rows if row.reached]
        due_at = max(self.changed_at, min([*unsettled, self.changed_at + self.settle]))
        return max([self._fresh(due_at), *(at + A_SECOND for at in left)])

    def _fresh(self, due_at: datetime) -> datetime:
        """Now, for what is planned anew because its readers or their clocks are others, long after any change."""
        return fresh(due_at, self.now) if self.rows else due_at

    def _comes(self, site: str) -> bool:
        part = self.session.participation(site)
        return self.session.status != "cancelled" and part is not None and part.answer != "declined"

    def _concerns(self) -> Iterator[Notice]:
        """The host is told once of each refusal and each loss; again when it was over meanwhile."""
        for kind, sites in concerns(self.session).items():
            standing = [(row, row.concern) for row in self.rows if row.kind == kind and row.concern]
            standing = [(row, concern) for row, concern in standing if not concern.over]
            for row, concern in standing:
                over = replace(row, facts=replace(concern, over=True))
                if self.session.status == "cancelled":
                    if _skippable(row):
                        yield _skipped(over, "cancelled")
                elif concern.site not in sites:
                    yield _skipped(over, "taken-back") if _skippable(row) else over
            told = {(concern.site, fold(row.recipient)) for row, concern in standing}
            host = self.session.host_site
            for site in sites:
                for contact in contacts(self.directory, host):
                    if (site, fold(contact)) not in told:
                        told.add((site, fold(contact)))
                        to = Address(recipient=contact, site=host)
                        due_at = self._fresh(self.changed_at + self.settle)
                        yield self._add(kind, to, about=f"{site}:", facts=Concern(site=site), due_at=due_at)

    def _add(self, kind: Kind, to: Address, *, facts: About | None, due_at: datetime, about: str = "") -> Notice:
        """A new mail. Its key holds what makes it unique; the revision too, where that is not enough."""
        key = f"{kind}:{self.session.id}:{self.session.sequence}:{about}{fold(to.recipient)}"
        while key in self.taken:
            key = f"{key}:{self.session.revision}"
        self.taken.add(key)
        return planned(
            kind,
            self.session,
            to,
            key=key,
            domain=self.domain,
            now=self.now,
            due_at=due_at,
            expires_at=self.session.end + AFTERWARDS,
            facts=facts,
            bundle=self._bundle(kind, facts),
        )

    def _bundle(self, kind: Kind, facts: About | None) -> str | None:
        """What leaves with it in one mail: all news of the series, or what the host is told of one site."""
        if self.session.series is None:
            return None
        match facts:
            case Facts():
                return facts.uid
            case Concern():
                return f"{kind}:{facts.site}:{self.session.uid}"
        return None


def _skippable(row: Notice) -> bool:
    """What waits, and what left in vain or in doubt and waits to be tried again."""
    return row.state == "due" or row.waits


def _skipped(row: Notice, reason: Reason) -> Notice:
    """Taken back, also from a process that claimed it and has not handed it over: it learns so when it would."""
    return replace(row, state="skipped", last_error=reason, lease=None, leased_until=None)
