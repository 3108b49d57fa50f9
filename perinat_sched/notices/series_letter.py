"""What a mail says about a series: once about all of it, with its dates in the reader's hour, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.i18n import Message, day, hour
from perinat_sched.notices.bundle import Bundle
from perinat_sched.notices.changes import changes
from perinat_sched.notices.layout import Letter, Line, Section
from perinat_sched.notices.letter import SHORT_NOTICE, Words
from perinat_sched.notices.notice import Kind
from perinat_sched.notices.reader import minutes
from perinat_sched.sites.network import Directory

CHANGES = ("update", "ending")


def write(bundle: Bundle, directory: Directory, leaves: datetime | None = None) -> Letter:
    """The letter of several dates of a series; `leaves`: when it does, should that be later than due."""
    return SeriesWords(bundle, directory, leaves).letter()


class SeriesWords(Words):
    """One reader's words for a series; what all dates have in common is said of the first of them."""

    def __init__(self, bundle: Bundle, directory: Directory, leaves: datetime | None = None) -> None:
        first, leaves = bundle.told[0], max(bundle.notice.due_at, leaves or bundle.notice.due_at)
        coming = [(session, site) for session, site in bundle.attending if session.start > leaves]
        self.bundle, self.sort = bundle, bundle.sort
        self.coming = coming if self.sort in ("invitation", "update", "ending") else []
        session, site = self.coming[0] if self.coming else (first.session, first.notice.site)
        kind: Kind = "update" if self.sort == "ending" else self.sort
        super().__init__(replace(first.notice, kind=kind, site=site), session, directory, leaves=leaves)
        self.code = self.old_code = None  # a code is of one date
        self.count = len(self.coming or bundle.told)
        if self.sort == "ending" and first.notice.news:
            self.start = first.notice.news.start

    def _subject(self, when: str) -> Message:
        title, count = self.session.title, self.count
        match self.sort:
            case "invitation":
                return Message(
                    "Invitation: {title}, {count} dates, the first {when}", title=title, count=count, when=when
                )
            case "update":
                return Message("Changed: {title}, {count} dates, the next {when}", title=title, count=count, when=when)
            case "ending":
                return Message("Series goes on otherwise: {title}, from {when}", title=title, when=when)
            case "cancellation" if self.session.status == "cancelled":
                return Message(
                    "Cancelled: {title}, {count} dates, the first {when}", title=title, count=count, when=when
                )
            case "cancellation":
                return Message(
                    "Cancelled for your site: {title}, {count} dates, the first {when}",
                    title=title,
                    count=count,
                    when=when,
                )
            case "declined":
                return Message(
                    "Declined by {site}: {title}, {count} dates, the first {when}",
                    site=self._concerned(),
                    title=title,
                    count=count,
                    when=when,
                )
            case "place-lost":
                return Message(
                    "Place lost: {title}, {count} dates, the first {when}", title=title, count=count, when=when
                )

    def _opening(self) -> Message:
        match self.sort:
            case "invitation" if self.hosting:
                return Message("Your site hosts this series of videoconferences.")
            case "invitation":
                return Message("{host} invites your site to this series of videoconferences.", host=self.host)
            case "update":
                return Message("This series of videoconferences has changed. What stands here is what holds now.")
            case "ending":
                return Message(
                    "This series of videoconferences ends earlier than it did. The dates that it loses have gone over "
                    "to a new series: an invitation of its own says what holds for them."
                )
            case "cancellation" if self.session.status == "cancelled":
                return Message("These videoconferences do not take place.")
            case "cancellation":
                return Message("Your site no longer takes part in these videoconferences.")
            case "declined":
                return Message(
                    "{site} has declined these videoconferences, where its participation is required. "
                    "The videoconferences still stand: it is for you to decide.",
                    site=self._concerned(),
                )
            case "place-lost" if self.notice.concern:
                return Message(
                    "The network’s configuration or the law on clocks has changed: on these dates a place no longer "
                    "fits. The videoconferences keep their hours: it is for you to decide."
                )
            case "place-lost":
                return Message(
                    "The network’s configuration or the law on clocks has changed: on these dates your site’s place no "
                    "longer fits and is not held any more. The videoconferences keep their hours: look for another "
                    "room with {host}.",
                    host=self.host,
                )

    def _short_notice(self) -> bool:
        if self.sort == "invitation":
            return False
        hours = [one.notice.news.start if one.notice.news else one.session.start for one in self.bundle.told]
        hours += [one.before.start for one in self.bundle.told if one.before]
        return any(timedelta() <= hour - self.leaves < SHORT_NOTICE for hour in hours)

    def odd_hours(self) -> Iterator[str]:
        """Nothing for all dates: it stands beside those that it concerns."""
        return iter(())

    def _sections(self) -> Iterator[Section]:
        if self.sort in CHANGES:
            yield Section(heading=self.say(Message("What has changed")), lines=tuple(self._changes()))
        yield Section(heading=self.say(Message("The series")), lines=tuple(self._facts()))
        yield Section(heading=self.say(Message("The dates, in your hour")), lines=tuple(self._dates()))
        if self.coming:
            hours = tuple(self.reader.hours(self.session.start, self._others))
            yield Section(heading=self.say(Message("The hour at the other sites on the first date")), lines=hours)
        to_ring = Message("To ring now") if self._short_notice() else Message("To answer or to ask")
        yield Section(heading=self.say(to_ring), lines=tuple(self._to_ring()))

    def _changes(self) -> Iterator[Line]:
        """What is otherwise, a line each; what is true of several dates once."""
        lines: dict[Line, None] = {}
        for one in self.bundle.told:
            now = one.notice.news
            if one.notice.kind == "cancellation" and now:
                lines[self._line(Message("Date taken away"), self.reader.moment(now.start))] = None
            elif one.before is None:
                lines[self._line(Message("Date added"), self.reader.moment(one.session.start))] = None
            elif now:
                lines |= dict.fromkeys(changes(self.reader, self.directory, one.before, now))
        yield from lines

    def _dates(self) -> Iterator[Line]:
        if not self.coming:
            starts = [one.notice.news.start if one.notice.news else one.session.start for one in self.bundle.told]
            if self.sort != "ending":
                yield from (self._date(start) for start in starts)
            return
        for session, site in self.coming:
            yield self._date(session.start, *self._remarks(session, site))

    def _date(self, start: datetime, *remarks: str) -> Line:
        local = self.reader.local(start)
        at = hour(local, self.reader.language, self.reader.place)
        return Line(label=day(local, self.reader.language), value=" · ".join([at, *remarks]))

    def _remarks(self, session: Session, site: str) -> Iterator[str]:
        """In what this date is not as the first."""
        others = {other.timezone: other for other in reversed(self._others)}
        for zone, other in others.items():
            if zones.is_unusual(session.start, self.reader.zone, zone):
                yield f"⚠ {next(self.reader.hours(session.start, [other])).value}"
        part = session.participation(site)
        if part and self.part and part.room != self.part.room:
            room = self.directory.rooms.get(part.room or "")
            yield room.name if room else self.say(Message("no room"))
        if session.duration != self.session.duration:
            yield minutes(session.duration)
        if session.join_url != self.session.join_url:
            yield session.join_url or self.say(Message("no link"))
        if session.title != self.session.title:
            yield session.title
