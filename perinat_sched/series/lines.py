"""What a line of a year's plan says: a session, in the words that people use in spreadsheets.

Columns are known by French and English headings, sites by code, name or town, kinds by code or name; days stand before
months. What cannot be understood is said line by line, under the heading that the file has, and all of it at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from perinat_sched.booking.checks import Checks
from perinat_sched.booking.request import Asked
from perinat_sched.errors import FieldError, InvalidRequest
from perinat_sched.series.sheet import Row, Sheet, is_formula, unprotected
from perinat_sched.sites.network import Directory

HEADINGS: Mapping[str, Sequence[str]] = {
    "date": ("date", "jour", "day"),
    "start": ("start", "heure", "debut", "heure de debut", "hour", "time", "start time"),
    "end": ("end", "fin", "heure de fin", "end time"),
    "duration": ("duration", "duree", "duration minutes", "duree minutes", "duree en minutes"),
    "kind": ("kind", "type", "type de seance", "nature"),
    "title": ("title", "titre", "objet", "subject"),
    "description": ("description",),
    "host": ("host", "host site", "hote", "site hote", "etablissement hote"),
    "sites": ("sites", "participants", "required sites", "sites participants", "sites requis", "etablissements"),
    "optional": ("optional sites", "sites facultatifs", "facultatifs"),
    "network": ("network", "reseau"),
    "timezone": ("timezone", "time zone", "fuseau", "fuseau horaire"),
    "join_url": ("join url", "link", "lien"),
}
NEEDED = ("date", "start", "kind")  # and who meets
COLUMN = {heading: column for column, headings in HEADINGS.items() for heading in headings}
SITES_BETWEEN = re.compile(r"[,;|/+\n]")
ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)(?:[T ]00:00(?::00)?)?", re.ASCII)
DAY_FIRST = re.compile(r"(?P<day>\d\d?)[/.-](?P<month>\d\d?)[/.-](?P<year>\d{4})(?: 00:00(?::00)?)?", re.ASCII)
HOUR = re.compile(r"(\d\d?) ?(?::|h) ?(\d\d)?(?::00)?", re.ASCII | re.IGNORECASE)
MINUTES = re.compile(r"(\d{1,4}) ?(?:min|minutes)?", re.ASCII | re.IGNORECASE)
A_MINUTE = timedelta(minutes=1)
FIELD_OF = {
    "host_site": "host",
    "required_sites": "sites",
    "optional_sites": "optional",
    "duration_minutes": "duration",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line, understood as far as it can be."""

    number: int
    day: date | None  # None where it cannot be read
    asked: Asked | None  # without its day: the start is an hour alone; None where something is wrong
    errors: tuple[FieldError, ...] = ()

    @property
    def wall(self) -> datetime | None:
        """When, by the clock of the session's zone."""
        if self.day is None or self.asked is None:
            return None
        return datetime.combine(self.day, time.fromisoformat(self.asked.start))


class Names(NamedTuple):
    """How sites and kinds may be called, simplified, with the code of each that is called so."""

    sites: Mapping[str, frozenset[str]]
    kinds: Mapping[str, frozenset[str]]
    networks: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, directory: Directory) -> Names:
        return cls(
            sites=_called((one.code, (one.code, one.name, one.city)) for one in directory.sites.values()),
            kinds=_called((one.code, (one.code, *one.name.values())) for one in directory.kinds.values()),
            networks=_called((one.code, (one.code, one.name)) for one in directory.networks.values()),
        )


def _called(names: Iterable[tuple[str, Sequence[str | None]]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for code, words in names:
        for word in words:
            if word:
                found.setdefault(simple(word), set()).add(code)
    return {word: frozenset(codes) for word, codes in found.items()}


def simple(text: str) -> str:
    """Without capitals, accents and punctuation, as two people write the same name."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return " ".join(re.findall(r"\w+", letters.replace("_", " ")))


@dataclass(frozen=True, kw_only=True)
class Planning:
    """A spreadsheet, understood line by line."""

    lines: Sequence[Line]
    headings: Mapping[str, str]  # by column, as the file has them
    unread: Sequence[str]  # headings that mean nothing here

    def under(self, error: FieldError) -> FieldError:
        """What is wrong with a field of a session, under the heading that it has in the file."""
        field = re.split(r"[\[.]", error.field)[0]
        column = FIELD_OF.get(field, field)
        return FieldError(self.headings.get(column, column), error.message)


def understood(sheet: Sheet, directory: Directory, *, sure: bool) -> Planning:
    """Every line of a spreadsheet; `sure`: its texts say nothing about a patient.

    Raises InvalidRequest on `file` where columns are missing.
    """
    columns: dict[int, str] = {}
    for position, heading in enumerate(sheet.header):
        column = COLUMN.get(simple(heading))
        if column in columns.values():
            raise InvalidRequest.of("file", "The column {heading} is there twice.", heading=repr(heading))
        if column:
            columns[position] = column
    there = set(columns.values())
    missing = [column for column in NEEDED if column not in there] + ([] if there & {"host", "sites"} else ["sites"])
    if missing:
        raise InvalidRequest.of(
            "file",
            "Columns are missing: {missing}. Call them so in the first line.",
            missing=", ".join(f"{column} ({HEADINGS[column][1]})" for column in missing),
        )
    names = Names.of(directory)
    headings = {column: sheet.header[position] for position, column in columns.items()}
    return Planning(
        lines=[_Reader(row, columns, headings, names, directory).line(sure=sure) for row in sheet.rows],
        headings=headings,
        unread=[heading for position, heading in enumerate(sheet.header) if heading and position not in columns],
    )


class _Reader(Checks):
    """One line on its way to a session; collects what is wrong with it."""

    def __init__(
        self,
        row: Row,
        columns: Mapping[int, str],
        headings: Mapping[str, str],
        names: Names,
        directory: Directory,
    ) -> None:
        super().__init__(directory)
        self.number = row.number
        self.headings = headings
        self.names = names
        cells = {column: row.cells[position] for position, column in columns.items()}
        self.texts = {column: unprotected(cell) for column, cell in cells.items()}
        for column, cell in cells.items():
            if is_formula(cell):
                self.wrong(column, "This is a formula: put its result here.")

    def line(self, *, sure: bool) -> Line:
        if self.errors:  # what a formula means is not guessed at
            return Line(number=self.number, day=None, asked=None, errors=tuple(self.errors))
        day, start = self._day(), self._hour("start")
        minutes = self._minutes(start)
        kinds = self._codes("kind", self.names.kinds, [self._text("kind")])
        sites = self._codes("sites", self.names.sites, SITES_BETWEEN.split(self._text("sites")))
        host = self._codes("host", self.names.sites, [self._text("host")]) or sites[:1]
        if not host and not self.texts.get("sites") and not self.texts.get("host"):
            self.wrong("sites", "This is required.")
        optional = self._codes("optional", self.names.sites, SITES_BETWEEN.split(self._text("optional")))
        network = self._network([*host, *sites, *optional])
        if self.errors or not (day and start and host and kinds):
            return Line(number=self.number, day=day, asked=None, errors=tuple(self.errors))
        asked = Asked(
            kind=kinds[0],
            host_site=host[0],
            start=f"{start:%H:%M}",
            title=self._text("title") or None,
            description=self._text("description"),
            network=network,
            timezone=self._text("timezone") or None,
            duration_minutes=minutes,
            required_sites=tuple(site for site in sites if site != host[0]),
            optional_sites=tuple(optional),
            join_url=self._text("join_url") or None,
            no_patient_data=sure,
        )
        return Line(number=self.number, day=day, asked=asked)

    def wrong(self, field_name: str, text: str, **values: object) -> None:
        """Under the heading that the file has."""
        super().wrong(self.headings.get(field_name, field_name), text, **values)

    def _text(self, column: str) -> str:
        return self.texts.get(column, "")

    def _day(self) -> date | None:
        text = self._text("date")
        found = ISO.fullmatch(text) or DAY_FIRST.fullmatch(text)
        try:
            if found:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
        except ValueError:
            pass
        self.wrong("date", "Write a date as 2027-01-28 or 28/01/2027.")
        return None

    def _hour(self, column: str) -> time | None:
        found = HOUR.fullmatch(self._text(column))
        if found and int(found[1]) < 24 and int(found[2] or 0) < 60:
            return time(int(found[1]), int(found[2] or 0))
        self.wrong(column, "Write an hour as 13:00 or 13h00.")
        return None

    def _minutes(self, start: time | None) -> int | None:
        """From a length or an end, which may stand side by side; None: the kind's."""
        length = self._length()
        if not self._text("end"):
            return length
        end = self._hour("end")
        if end is None or start is None:
            return length
        minutes = (datetime.combine(date.min, end) - datetime.combine(date.min, start)) // A_MINUTE % (24 * 60)
        if length not in (None, minutes):
            self.wrong("end", "The end and the length do not agree: give one of them.")
        return minutes

    def _length(self) -> int | None:
        text = self._text("duration")
        if not text:
            return None
        if found := MINUTES.fullmatch(text):
            return int(found[1])
        if found := HOUR.fullmatch(text):
            return int(found[1]) * 60 + int(found[2] or 0)
        self.wrong("duration", "Write a length as 90 or 1h30.")
        return None

    def _codes(self, column: str, known: Mapping[str, frozenset[str]], words: Iterable[str]) -> list[str]:
        found = []
        for word in filter(None, map(str.strip, words)):
            codes = known.get(simple(word), frozenset())
            if len(codes) == 1:
                found.append(next(iter(codes)))
            elif codes:
                self.wrong(
                    column, "{name} may be {codes}: write the code.", name=repr(word), codes=", ".join(sorted(codes))
                )
            else:
                self.wrong(column, "There is no {code} here: take a code of the configuration.", code=repr(word))
        if not found and column in NEEDED and not self._text(column):
            self.wrong(column, "This is required.")
        return found

    def _network(self, sites: Sequence[str]) -> str | None:
        """The one that is named, else the one that all sites have in common; None: booking says what is wrong."""
        if named := self._codes("network", self.names.networks, [self._text("network")]):
            return named[0]
        common = set.intersection(*(set(self.directory.sites[site].networks) for site in sites)) if sites else set()
        return common.pop() if len(common) == 1 else None
