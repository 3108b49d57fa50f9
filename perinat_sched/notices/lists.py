"""Letters about several sessions: the reminders of one minute in one, and the hours of an odd week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.i18n import Message, day, hour, moment
from perinat_sched.notices.drift import usual_hour
from perinat_sched.notices.layout import Letter, Line, Section
from perinat_sched.notices.letter import Words
from perinat_sched.notices.notice import Notice, OddPeriod
from perinat_sched.notices.reader import Reader
from perinat_sched.notices.readers import answered_by
from perinat_sched.sites.network import Directory


def digest(reminders: Sequence[tuple[Notice, Session]], directory: Directory) -> Letter:
    """The letter of reminders that fall due together, the sessions in the order in which they begin.

    Whoever reads for several sites reads it in one language and by one clock, those of the site that begins.
    """
    ordered = sorted(reminders, key=lambda entry: (entry[1].start, entry[1].id))
    first, begins = ordered[0]
    reader = Reader(directory, first.site, begins.timezone)
    words = [Words(notice, session, directory, reader=reader) for notice, session in ordered]
    when = reader.moment(begins.start)
    return Letter(
        language=reader.language,
        subject=reader.say(
            Message("Reminder: {count} videoconferences, the first {when}", count=len(ordered), when=when)
        ),
        first_line=when[:1].upper() + when[1:],
        paragraphs=(
            reader.say(Message("Your site takes part in these videoconferences, in this order.")),
            *dict.fromkeys(warning for each in words for warning in each.odd_hours()),
        ),
        sections=tuple(each.section() for each in words),
        footer=" ".join(
            [
                reader.say(Message("These reminders come in one mail because they fall due together.")),
                reader.footer(answered_by([session for _, session in ordered], directory)),
            ]
        ),
    )


def odd_hours(notice: Notice, period: OddPeriod, sessions: Sequence[Session], directory: Directory) -> Letter:
    """The letter of a drift: which sessions fall otherwise for the reader, and how they would fall usually."""
    reader = Reader(directory, notice.site, period.zone)
    first = reader.moment(sessions[0].start)
    hosts = [directory.sites.get(session.host_site) for session in sessions]
    there = reader.place_in(period.zone, next((site for site in hosts if site and site.timezone == period.zone), None))
    usual = period.start - timedelta(seconds=1)
    opening = Message(
        "From {first} to {last}, the difference between {here} and {there} is {unusual} instead of {usual}. "
        "These videoconferences therefore fall at another hour for you than usual.",
        first=_day(period.start, period.other, reader),
        last=_day(period.end - timedelta(seconds=1), period.other, reader),
        here=reader.place,
        there=there,
        unusual=reader.difference(period.start, period.zone),
        usual=reader.difference(usual, period.zone),
    )
    title = sessions[0].title
    subject = Message("Unusual hour: {title}, {when}", title=title, when=first)
    if len(sessions) > 1:
        subject = Message("Unusual hours: {count} videoconferences, the first {when}", count=len(sessions), when=first)
    hours = Section(
        heading=reader.say(Message("Your hours in this period")),
        lines=tuple(_line(session, period, reader) for session in sessions),
    )
    ways = {host.name: " · ".join(reader.ways_to(host)) for host in hosts if host and host.code != notice.site}
    to_ask = Section(
        heading=reader.say(Message("To answer or to ask")),
        lines=tuple(Line(label=name, value=value) for name, value in ways.items() if value),
    )
    return Letter(
        language=reader.language,
        subject=reader.say(subject),
        first_line=first[:1].upper() + first[1:],
        paragraphs=(reader.say(opening),),
        sections=tuple(section for section in (hours, to_ask) if section.lines),
        footer=reader.footer(answered_by(sessions, directory)),
    )


def _line(session: Session, period: OddPeriod, reader: Reader) -> Line:
    local = reader.local(session.start)
    usually = usual_hour(period, local)
    tell = hour if usually.date() == local.date() else moment
    usual = tell(usually, reader.language, reader.place)
    said = Message("{now}, instead of {usual}", now=reader.told(local), usual=usual)
    return Line(label=session.title, value=reader.say(said))


def _day(instant: datetime, zone: str, reader: Reader) -> str:
    return day(zones.to_local(instant, zone), reader.language)
