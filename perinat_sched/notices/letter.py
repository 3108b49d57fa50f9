"""What a notice says, in its reader's language and hour; text and HTML are two prints of the same letter.

The first line is the reader's own date and hour with the place whose hour it is, then what this mail is about, then
every other site's hour (with its date where that differs: Nouméa is in tomorrow), the room, the link, and whom to
ring or write to. Only what belongs to the reader is said: another site's room or answer would grow stale unheard.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import CancellationCode, Participation, Session
from perinat_sched.i18n import Language, Message, hour, moment, place_of, say
from perinat_sched.notices.layout import Letter, Line, Section
from perinat_sched.notices.notice import Facts, Notice
from perinat_sched.notices.policy import contacts, reminds_at
from perinat_sched.sites.network import Directory, Site

REASONS: dict[CancellationCode, Message] = {
    "cancelled": Message("cancelled"),
    "postponed": Message("postponed"),
    "no_case": Message("no case to discuss"),
    "no_show": Message("nobody came"),
    "staffing": Message("not enough staff"),
    "technical": Message("technical trouble"),
}


def write(notice: Notice, session: Session, directory: Directory, before: Facts | None = None) -> Letter:
    """The letter of a notice about a session as it is now; `before`: what its reader was last told."""
    return _Writer(notice, session, directory, before).letter()


class _Writer:
    """One reader's words for one session."""

    def __init__(self, notice: Notice, session: Session, directory: Directory, before: Facts | None) -> None:
        self.notice = notice
        self.session = session
        self.directory = directory
        self.before = before
        self.site = directory.sites.get(notice.site)
        self.part = session.participation(notice.site)
        self.language: Language = self.site.language if self.site else "fr"
        self.hosting = notice.site == session.host_site
        self.host = self._name(session.host_site)
        # Who is told that a session is off knows it by the hour last told, whatever became of it since.
        told = notice.facts if notice.kind == "cancellation" else None
        self.start = told.start if isinstance(told, Facts) else session.start

    def letter(self) -> Letter:
        when = self._moment(self.start)
        return Letter(
            language=self.language,
            subject=self.say(self._subject(when)),
            first_line=when[:1].upper() + when[1:],
            paragraphs=tuple(self._paragraphs()),
            sections=tuple(section for section in self._sections() if section.lines),
            footer=self.say(self._footer()),
        )

    def say(self, message: Message) -> str:
        return say(message, self.language)

    def _footer(self) -> Message:
        if contacts(self.directory, self.session.host_site):
            return Message("This mail was sent by a program. An answer to it reaches {host}.", host=self.host)
        return Message("This mail was sent by a program.")

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
            case "reminder":
                return Message("Reminder: {title}, {when}", title=title, when=when)
            case "declined":
                return Message("Declined by {site}: {title}, {when}", site=self._refusing(), title=title, when=when)

    def _opening(self) -> Message:
        match self.notice.kind:
            case "invitation" if self.hosting:
                return Message("Your site hosts this videoconference.")
            case "invitation":
                return Message("{host} invites your site to this videoconference.", host=self.host)
            case "update":
                return Message("This videoconference has changed. What stands here is what holds now.")
            case "cancellation" if self.session.status == "cancelled":
                return Message("This videoconference does not take place.")
            case "cancellation" if self.part is not None:
                return Message("Your site has declined this videoconference.")
            case "cancellation":
                return Message("Your site no longer takes part in this videoconference.")
            case "reminder":
                return Message("Your site takes part in this videoconference.")
            case "declined":
                return Message(
                    "{site} has declined this videoconference, where its participation is required. "
                    "The videoconference still stands: it is for you to decide.",
                    site=self._refusing(),
                )

    def _paragraphs(self) -> Iterator[str]:
        yield self.say(self._opening())
        if self.notice.kind == "cancellation":
            return
        if self.part and not self.hosting and self.part.answer in ("pending", "tentative"):
            yield self.say(Message("Your site's answer is awaited: ring or write to {host}.", host=self.host))
        yield from self._odd_hours()

    def _odd_hours(self) -> Iterator[str]:
        """One line for each zone whose difference to the reader's is rare on this date."""
        here = self._zone(self.site)
        others = {self._zone(site): site for site in self._others()}
        for there, site in others.items():
            if zones.is_unusual(self.start, here, there):
                yield self.say(
                    Message(
                        "⚠ Unusual difference on this date: {difference} between {here} and {there}",
                        difference=_difference(self.start, here, there),
                        here=self._place(self.site),
                        there=self._place(site),
                    )
                )

    # The facts

    def _sections(self) -> Iterator[Section]:
        if self.notice.kind == "update" and self.before and isinstance(self.notice.facts, Facts):
            changes = self._changes(self.before, self.notice.facts)
            yield Section(heading=self.say(Message("What has changed")), lines=tuple(changes))
        yield Section(heading=self.say(Message("The videoconference")), lines=tuple(self._facts()))
        if self.notice.kind != "cancellation":
            yield Section(heading=self.say(Message("The hour at the other sites")), lines=tuple(self._hours()))
        yield Section(heading=self.say(Message("To answer or to ask")), lines=tuple(self._to_ring()))

    def _facts(self) -> Iterator[Line]:
        session, kind = self.session, self.directory.kinds.get(self.session.kind)
        yield self._line(Message("Title"), session.title)
        if kind:
            yield self._line(Message("Kind"), kind.name.get(self.language, kind.code))
        if self.notice.kind == "cancellation":
            yield self._line(Message("Host"), self.host)
            if session.status == "cancelled" and session.cancellation_code:
                yield self._line(Message("Reason"), self._reason(session.cancellation_code))
            return
        yield self._line(Message("Duration"), _minutes(session.duration))
        yield self._line(Message("Host"), self.host)
        yield from self._place_to_be()
        if self.notice.kind == "declined":
            refusing = session.participation(self.notice.refusal.site)
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
        if self.session.access_code and self._tells_code(self.part):
            yield self._line(Message("Access code"), self.session.access_code)

    def _tells_code(self, part: Participation | None) -> bool:
        """The access code stands in the last reminder alone, to sites that accepted."""
        kind = self.directory.kinds.get(self.session.kind)
        if self.notice.kind != "reminder" or part is None or part.answer != "accepted" or kind is None:
            return False
        hours = [reminds_at(self.session, lead) for lead in kind.reminders]
        return self.notice.due_at >= max(hours, default=self.start)

    def _hours(self) -> Iterator[Line]:
        own_day = self._local(self.start, self.site).date()
        for site in self._others():
            local = self._local(self.start, site)
            tell = hour if local.date() == own_day else moment
            yield Line(label=site.name, value=tell(local, self.language, self._place(site)))

    def _to_ring(self) -> Iterator[Line]:
        """Whom to ring or write to: the host; for the host itself, the others, or who has just declined."""
        codes = [self.session.host_site]
        if self.notice.kind == "declined":
            codes = [self.notice.refusal.site]
        elif self.hosting:
            codes = [site.code for site in self._others()]
        for site in (self.directory.sites[code] for code in codes if code in self.directory.sites):
            ways = [site.phone or "", *site.contacts]
            if any(ways):
                yield Line(label=site.name, value=" · ".join(way for way in ways if way))

    def _changes(self, before: Facts, now: Facts) -> Iterator[Line]:
        def changed(label: Message, old: str, new: str) -> Line:
            return self._line(label, f"{old} → {new}")

        no_room, no_link = self.say(Message("no room")), self.say(Message("no link"))
        if before.start != now.start:
            yield changed(Message("Date and hour"), self._moment(before.start), self._moment(now.start))
        if before.duration != now.duration:
            yield changed(Message("Duration"), _minutes(before.duration), _minutes(now.duration))
        if before.timezone != now.timezone:
            places = [place_of(name, self.language) for name in (before.timezone, now.timezone)]
            yield changed(Message("Clock by which it is set"), *places)
        if before.room != now.room:
            rooms = [self.directory.rooms.get(code or "") for code in (before.room, now.room)]
            yield changed(Message("Your room"), *(room.name if room else no_room for room in rooms))
        if before.join_url != now.join_url:
            yield changed(Message("Link"), before.join_url or no_link, now.join_url or no_link)
        if added := [site for site in now.sites if site not in before.sites]:
            yield self._line(Message("Sites added"), ", ".join(map(self._name, added)))
        if removed := [site for site in before.sites if site not in now.sites]:
            yield self._line(Message("Sites removed"), ", ".join(map(self._name, removed)))

    # Words

    def _line(self, label: Message, value: str, *, link: bool = False) -> Line:
        return Line(label=self.say(label), value=value, link=link)

    def _reason(self, code: CancellationCode) -> str:
        text = self.session.cancellation_reason
        said = self.say(REASONS[code])
        return f"{said} – {text}" if text else said

    def _others(self) -> list[Site]:
        """The other sites that take part, the host first."""
        codes = [part.site for part in self.session.taking_part() if part.site != self.notice.site]
        return [self.directory.sites[code] for code in codes if code in self.directory.sites]

    def _refusing(self) -> str:
        return self._name(self.notice.refusal.site)

    def _name(self, code: str) -> str:
        site = self.directory.sites.get(code)
        return site.name if site else code

    def _zone(self, site: Site | None) -> str:
        return site.timezone if site else self.session.timezone

    def _place(self, site: Site | None) -> str:
        return place_of(self._zone(site), self.language, site.city if site else None)

    def _local(self, instant: datetime, site: Site | None) -> datetime:
        return zones.to_local(instant, self._zone(site))

    def _moment(self, instant: datetime) -> str:
        return moment(self._local(instant, self.site), self.language, self._place(self.site))


def _minutes(duration: timedelta) -> str:
    return f"{duration // timedelta(minutes=1)}\u00a0min"


def _difference(instant: datetime, here: str, there: str) -> str:
    """`5 h`, `3 h 30`: how far two zones' clocks are apart at an instant."""
    offsets = [zones.to_local(instant, name).utcoffset() or timedelta() for name in (here, there)]
    hours, minutes = divmod(abs(offsets[0] - offsets[1]) // timedelta(minutes=1), 60)
    return f"{hours}\u00a0h" + (f"\u00a0{minutes:02d}" if minutes else "")
