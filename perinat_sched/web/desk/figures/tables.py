"""A network's year as tables in words: one form for the page, its pictures and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from perinat_sched import i18n
from perinat_sched.booking.session import Answer
from perinat_sched.figures.actions import Report
from perinat_sched.figures.reckoning import MONTHS, Row, Use
from perinat_sched.i18n import Message, say
from perinat_sched.sites.network import Directory, Language
from perinat_sched.web.desk.words import ANSWERS, NOTICES, REASONS, STATES

TITLES: Mapping[str, Message] = {
    "sessions": Message("Sessions"),
    "hours": Message("Hours"),
    "sites": Message("Participations of sites"),
    "by-site": Message("Site by site"),
    "rooms": Message("Use of rooms"),
    "ports": Message("Use of ports"),
    "cancellations": Message("Cancellations"),
    "mails": Message("Mails"),
}
NOTES: Mapping[str, Message] = {
    "sessions": Message("Sessions that took place, by kind and by the month in which they began."),
    "hours": Message("Hours of these sessions."),
    "sites": Message("Sites that took part in these sessions, each counted as often as it did."),
    "by-site": Message("Sessions and hours of each site, and its answers to sessions of others."),
    "rooms": Message(
        "Hours of this network’s sessions in a room, against the hours for which its site was open so far, closures "
        "left out."
    ),
    "ports": Message("Hours of ports in use, against all ports for as long as any site was open so far."),
    "cancellations": Message("Cancelled sessions, by reason and by the month in which they would have begun."),
    "mails": Message("Mails about the sessions of this year, and what became of them."),
}
TO_COME = Message("Still to come this year")
SHARE = Message("Share")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers with their heads; the first cell of a line is its name."""

    code: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]
    language: Language
    total: Sequence[float] | None = None  # a last line
    digits: int = 0  # behind the point; of what is no whole number
    share: bool = False  # the last column is one, written in per cent

    @property
    def title(self) -> Message:
        return TITLES[self.code]

    @property
    def note(self) -> Message:
        return NOTES[self.code]

    def lines(self) -> Iterator[tuple[str, list[str]]]:
        """As people read it."""
        for name, values in self._all():
            yield name, [self._written(number, last) for number, last in _marked(values)]

    def plain(self, language: Language) -> Iterator[list[str]]:
        """As spreadsheets read numbers."""
        point = "," if language == "fr" else "."
        for name, values in self._all():
            yield [name, *(f"{round(value, 3):g}".replace(".", point) for value in values)]

    def _all(self) -> Iterator[tuple[str, Sequence[float]]]:
        yield from self.rows
        if self.total is not None:
            yield say(Message("Total"), self.language), self.total

    def _written(self, value: float, last: bool) -> str:
        if self.share and last:
            return i18n.percent(value, self.language)
        return i18n.number(value, self.language, 0 if isinstance(value, int) else self.digits)


def tables(report: Report, directory: Directory, language: Language) -> list[Table]:
    """Every table, in the order of the page."""
    figures = report.figures
    kinds = {code: kind.name[language] for code, kind in directory.kinds.items()}
    reasons = {str(code): _capital(say(words, language)) for code, words in REASONS.items()}
    return [
        _monthly("sessions", figures.sessions, kinds, language),
        _monthly("hours", figures.minutes, kinds, language, per=60, digits=1),
        _monthly("sites", figures.sites, kinds, language),
        _by_site(report, directory, language),
        _uses("rooms", figures.rooms, _room_names(directory), language),
        _uses("ports", figures.bridges, {code: b.name for code, b in directory.bridges.items()}, language),
        _monthly("cancellations", figures.cancellations, reasons, language),
        _mails(report, language),
    ]


def _monthly(
    code: str, rows: Sequence[Row], names: Mapping[str, str], language: Language, *, per: int = 1, digits: int = 0
) -> Table:
    months = [i18n.month(month, language) for month in MONTHS]
    first = Message("Reason") if code == "cancellations" else Message("Kind")
    sums = [sum(row.months[month] for row in rows) / per for month in range(len(months))]
    return Table(
        code=code,
        header=[say(first, language), *months, say(Message("Year"), language)],
        rows=[(names.get(row.code, row.code), [*(n / per for n in row.months), row.total / per]) for row in rows],
        total=[*sums, sum(sums)],
        language=language,
        digits=digits,
    )


def _by_site(report: Report, directory: Directory, language: Language) -> Table:
    answers: Sequence[Answer] = get_args(Answer)
    heads = [Message("Site"), Message("Hosted"), Message("Took part"), Message("Hours")]
    return Table(
        code="by-site",
        header=[*(say(head, language) for head in heads), *(_capital(say(ANSWERS[a], language)) for a in answers)],
        rows=[
            (
                directory.sites[row.code].name if row.code in directory.sites else row.code,
                [row.hosted, row.took_part, row.minutes / 60, *(row.answers.get(a, 0) for a in answers)],
            )
            for row in report.figures.by_site
        ],
        language=language,
        digits=1,
    )


def _uses(code: str, uses: Sequence[Use], names: Mapping[str, str], language: Language) -> Table:
    ports = code == "ports"
    heads = [Message("Bridge") if ports else Message("Room"), Message("Hours in use"), Message("Hours open")]
    heads += [Message("Ports"), Message("Most at once")] if ports else []
    return Table(
        code=code,
        header=[say(head, language) for head in (*heads, SHARE)],
        rows=[
            (
                names.get(use.code, use.code),
                [use.used / 60, use.open / 60, *([use.ports, use.busiest] if ports else []), use.share],
            )
            for use in uses
        ],
        language=language,
        digits=1,
        share=True,
    )


def _mails(report: Report, language: Language) -> Table:
    kinds = [kind for kind in NOTICES if any(found == kind for found, _ in report.mails)]
    return Table(
        code="mails",
        header=[say(Message("Mail"), language), *(_capital(say(words, language)) for words in STATES.values())],
        rows=[
            (say(NOTICES[kind], language), [report.mails.get((kind, state), 0) for state in STATES]) for kind in kinds
        ],
        total=[sum(report.mails.get((kind, state), 0) for kind in kinds) for state in STATES],
        language=language,
    )


def _room_names(directory: Directory) -> dict[str, str]:
    return {room.code: f"{directory.sites[room.site].name} – {room.name}" for room in directory.rooms.values()}


def _marked(values: Sequence[float]) -> Iterator[tuple[float, bool]]:
    """Each value, and whether it is the last."""
    for position, value in enumerate(values, 1):
        yield value, position == len(values)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
