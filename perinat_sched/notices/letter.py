"""What a notice says, in its reader's language and hour; text and HTML are two prints of the same letter.

The first line is the reader's own date and hour with the place whose hour it is, then what this mail is about, then
every other site's hour (with its date where that differs: Nouméa is in tomorrow), the room, the link, and whom to
ring or write to. Only what belongs to the reader is said: another site's room or answer would grow stale unheard.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property

from perinat_sched import zones
from perinat_sched.booking.session import CancellationCode, Session
from perinat_sched.i18n import Message
from perinat_sched.notices.changes import changes, law
from perinat_sched.notices.layout import Letter, Line, Section
from perinat_sched.notices.notice import FOR_THE_CODE, Facts, Notice
from perinat_sched.notices.reader import Reader, minutes
from perinat_sched.notices.readers import THE_BRIDGE, answered_by, code_in
from perinat_sched.sites.network import Directory, Site

SHORT_NOTICE = timedelta(hours=48)  # calendars and mailboxes may be read later than that (HTTP-09)

REASONS: dict[CancellationCode, Message] = {
    "cancelled": Message("cancelled"),
    "postponed": Message("postponed"),
    "no_case": Message("no case to discuss"),
    "no_show": Message("nobody came"),
    "staffing": Message("not enough staff"),
    "technical": Message("technical trouble"),
}


class Words:
    """One reader's words for one session as it is now.

    `before`, `code_before`: what they were last told of it; `leaves`: when the mail does, where later than it is due.
    """

    def __init__(
        self,
        notice: Notice,
        session: Session,
        directory: Directory,
        before: Facts | None = None,
        code_before: str | None = None,
        reader: Reader | None = None,  # whose language and clock it is, where not the site's: another site of theirs
        leaves: datetime | None = None,
    ) -> None:
        self.notice = notice
        self.leaves = max(notice.due_at, leaves or notice.due_at)
        self.session = session
        self.directory = directory
        self.before = before
        self.reader = reader or Reader(directory, notice.site, session.timezone)
        self.say = self.reader.say
        self.part = session.participation(notice.site)
        self.hosting = notice.site == session.host_site
        self.host = self._name(session.host_site)
        # Who is told that a session is off knows it by the hour last told, whatever became of it since.
        told = notice.news if notice.kind == "cancellation" else None
        self.start = told.start if told else session.start
        self.code = code_in(notice, session, directory)
        self.old_code = code_before if self.code and code_before != self.code else None

    def letter(self) -> Letter:
        when = self.reader.moment(self.start)
        return Letter(
            language=self.reader.language,
            subject=self.say(self._subject(when)),
            first_line=when[:1].upper() + when[1:],
            paragraphs=tuple(self._paragraphs()),
            sections=tuple(section for section in self._sections() if section.lines),
            footer=self.reader.footer(answered_by([self.session], self.directory)),
        )

    def section(self) -> Section:
        """The session among others: all that a reminder of it says, its title at the head."""
        when = self._line(Message("Date and hour"), self.reader.moment(self.start))
        another = self.notice.site != self.reader.code
        whose = [self._line(Message("Your site"), self._name(self.notice.site))] if another else []
        _, *facts = self._facts()
        asked = [self._line(Message("Your site’s answer"), self.say(Message("awaited")))] if self._awaited() else []
        to_ring = [line for line in self._to_ring() if not self.hosting]
        ways = [line._replace(label=self.say(Message("To answer or to ask"))) for line in to_ring]
        hours = self.reader.hours(self.start, self._others)
        return Section(heading=self.session.title, lines=(when, *whose, *facts, *asked, *ways, *hours))

    # What it is about

    def _subject(self, when: str) -> Message:
        title = self.session.title
        match self.notice.kind:
            case "invitation":
                return Message("Invitation: {title}, {when}", title=title, when=when)
            case "update":
                return Message("Changed: {title}, {when}", title=title, when=when)
            case "cancellation" if self.session.status == "cancelled":
                return Message("Cancelled: {title}, {when}", title=title, when=when)
            case "cancellation":
                return Message("Cancelled for your site: {title}, {when}", title=title, when=when)
            case "declined":
                return Message("Declined by {site}: {title}, {when}", site=self._concerned(), title=title, when=when)
            case "place-lost":
                return Message("Place lost: {title}, {when}", title=title, when=when)
            case "reminder" if self.notice.lead == FOR_THE_CODE:
                return Message("Access code: {title}, {when}", title=title, when=when)
            case _:
                return Message("Reminder: {title}, {when}", title=title, when=when)

    def _opening(self) -> Message:
        match self.notice.kind:
            case "invitation" if self.hosting:
                return Message("Your site hosts this videoconference.")
            case "invitation":
                return Message("{host} invites your site to this videoconference.", host=self.host)
            case "update":
                return Message("This videoconference has changed. What stands here is what holds now.")
            case "cancellation" if self.session.status == "cancelled" and self.leaves >= self.start:
                return Message("This videoconference did not take place.")
            case "cancellation" if self.session.status == "cancelled":
                return Message("This videoconference does not take place.")
            case "cancellation" if self.part is not None:
                return Message("Your site has declined this videoconference.")
            case "cancellation":
                return Message("Your site no longer takes part in this videoconference.")
            case "declined":
                return Message(
                    "{site} has declined this videoconference, where its participation is required. "
                    "The videoconference still stands: it is for you to decide.",
                    site=self._concerned(),
                )
            case "place-lost":
                return self._loss()
            case "reminder" if self.old_code:
                return Message("The access code has changed: the one you were told before no longer holds.")
            case "reminder" if self.notice.lead == FOR_THE_CODE:
                return Message("Your site takes part in this videoconference. Here is its access code.")
            case _:
                return Message("Your site takes part in this videoconference.")

    def _loss(self) -> Message:
        concern = self.notice.concern
        if concern is None:
            return Message(
                "The network’s configuration or the law on clocks has changed: your site’s place no longer fits and is "
                "not held any more. The videoconference keeps its hour: look for another room with {host}.",
                host=self.host,
            )
        if concern.site == THE_BRIDGE:
            return Message(
                "The network’s configuration or the law on clocks has changed: no bridge has enough free ports for "
                "this videoconference any more. It keeps its hour: it is for you to decide."
            )
        return Message(
            "The network’s configuration or the law on clocks has changed: the place of {site} no longer fits. The "
            "videoconference keeps its hour: it is for you to decide.",
            site=self._concerned(),
        )

    def _paragraphs(self) -> Iterator[str]:
        yield self.say(self._opening())
        if self._short_notice():
            yield self.say(Message("⚠ Less than 48 hours remain: do not count on this mail alone, ring as well."))
        if self.notice.kind == "cancellation":
            return
        yield from self._law()
        if self._awaited():
            yield self.say(Message("Your site’s answer is awaited: ring or write to {host}.", host=self.host))
        yield from self.odd_hours()

    def _awaited(self) -> bool:
        """Whether the site has still to answer."""
        return self.part is not None and not self.hosting and self.part.answer in ("pending", "tentative")

    def _short_notice(self) -> bool:
        """Whether what is told concerns the next two days, by the hour told before or the new one."""
        if self.notice.kind not in ("update", "cancellation", "declined", "place-lost") and not self.old_code:
            return False
        hours = [self.start, *([self.before.start] if self.before else [])]
        return any(timedelta() <= hour - self.leaves < SHORT_NOTICE for hour in hours)

    def _law(self) -> Iterator[str]:
        if self.before and self.notice.news:
            host = self.directory.sites.get(self.session.host_site)
            there = host if host and host.timezone == self.session.timezone else None
            place = self.reader.place_in(self.session.timezone, there)
            if changed := law(self.reader, place, self.before, self.notice.news):
                yield self.say(changed)

    def odd_hours(self) -> Iterator[str]:
        """One line for each zone whose difference to the reader's is rare on this date."""
        others = {site.timezone: site for site in self._others}
        for there, site in others.items():
            if zones.is_unusual(self.start, self.reader.zone, there):
                yield self.say(
                    Message(
                        "⚠ Unusual difference on this date: {difference} between {here} and {there}",
                        difference=self.reader.difference(self.start, there),
                        here=self.reader.place,
                        there=self.reader.place_of(site),
                    )
                )

    # The facts

    def _sections(self) -> Iterator[Section]:
        yield Section(heading=self.say(Message("What has changed")), lines=tuple(self._changes()))
        yield Section(heading=self.say(Message("The videoconference")), lines=tuple(self._facts()))
        if self.notice.kind != "cancellation":
            hours = tuple(self.reader.hours(self.start, self._others))
            yield Section(heading=self.say(Message("The hour at the other sites")), lines=hours)
        to_ring = Message("To ring now") if self._short_notice() else Message("To answer or to ask")
        yield Section(heading=self.say(to_ring), lines=tuple(self._to_ring()))

    def _changes(self) -> Iterator[Line]:
        if self.before and self.notice.news and self.notice.kind != "cancellation":
            yield from changes(self.reader, self.directory, self.before, self.notice.news)
        if self.old_code:
            yield self._line(Message("Access code"), f"{self.old_code} → {self.code}")

    def _facts(self) -> Iterator[Line]:
        session, kind = self.session, self.directory.kinds.get(self.session.kind)
        yield self._line(Message("Title"), session.title)
        if kind:
            yield self._line(Message("Kind"), kind.name.get(self.reader.language, kind.code))
        if self.notice.kind == "cancellation":
            yield self._line(Message("Host"), self.host)
            if session.status == "cancelled" and session.cancellation_code:
                yield self._line(Message("Reason"), self._reason(session.cancellation_code))
            return
        yield self._line(Message("Duration"), minutes(session.duration))
        yield self._line(Message("Host"), self.host)
        yield from self._place_to_be()
        if self.notice.kind == "declined":
            refusing = session.participation(self.notice.concern.site) if self.notice.concern else None
            if refusing and refusing.comment:
                yield self._line(Message("Comment"), refusing.comment)
            return
        invited = self.notice.kind in ("invitation", "update")
        if invited and session.override_reason and self.part and self.part.overridden:
            yield self._line(Message("Why an exception is asked of your site"), session.override_reason)
        if session.description:
            yield self._line(Message("Description"), session.description)

    def _place_to_be(self) -> Iterator[Line]:
        """Where the reader goes, and how the site joins."""
        room = self.directory.rooms.get(self.part.room or "") if self.part else None
        if room:
            yield self._line(Message("Your room"), room.name)
        if room and room.endpoint:
            yield self._line(Message("Your endpoint"), room.endpoint)
        if self.session.join_url:
            yield self._line(Message("Link"), self.session.join_url, link=True)
        if self.code:
            yield self._line(Message("Access code"), self.code)

    def _to_ring(self) -> Iterator[Line]:
        """Whom to ring or write to: the host; for the host itself, the others, or the one it is told of."""
        codes = [self.session.host_site]
        if self.notice.concern and self.notice.concern.site:
            codes = [self.notice.concern.site]
        elif self.hosting:
            codes = [site.code for site in self._others]
            if self.before and self._short_notice():  # who no longer comes must hear of it in time too
                codes += [site for site in self.before.sites if site not in self.session.sites]
        for site in (self.directory.sites[code] for code in codes if code in self.directory.sites):
            ways = self.reader.ways_to(site)
            if not site.phone and self._short_notice():
                ways.append(self.say(Message("no telephone number is known")))
            if ways:
                yield Line(label=site.name, value=" · ".join(ways))

    # Words

    def _line(self, label: Message, value: str, *, link: bool = False) -> Line:
        return Line(label=self.say(label), value=value, link=link)

    def _reason(self, code: CancellationCode) -> str:
        text = self.session.cancellation_reason
        said = self.say(REASONS[code])
        return f"{said} – {text}" if text else said

    @cached_property
    def _others(self) -> list[Site]:
        """The other sites that take part, the host first: those whose hour is not the reader's own."""
        codes = [part.site for part in self.session.taking_part() if part.site != self.reader.code]
        return [self.directory.sites[code] for code in codes if code in self.directory.sites]

    def _concerned(self) -> str:
        return self._name(self.notice.concern.site if self.notice.concern else self.notice.site)

    def _name(self, code: str) -> str:
        site = self.directory.sites.get(code)
        return site.name if site else code
