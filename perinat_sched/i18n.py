"""French and English: what the software says, in the reader's language and the reader's hour.

A text is written once, in English, where it belongs (`Message`), and said in a language at the edge (`say`). French
stands in `locale/fr.po`; a test fails when a text has no French. An hour is never written without the place whose
hour it is, because a clinician in Montréal reads the same mail as one in Lille. Hours are given here as aware local
times: whose clock shows what is the business of `zones`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from babel.core import get_global
from babel.dates import get_day_names, get_month_names, get_timezone_location
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

Language = Literal["fr", "en"]

_NBSP = "\u00a0"
_VOWELS = "aàâeéèêëiîïoôuy"


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """An English text with named places, and what stands in them."""

    text: str
    values: Mapping[str, Any]

    def __init__(self, text: str, **values: object) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)


def say(message: Message, language: Language) -> str:
    """The text in a language, its places filled; a value that is a Message is said too. No French: in English."""
    text = french().get(message.text, message.text) if language == "fr" else message.text
    if not message.values:
        return text
    return text.format_map({name: _said(value, language) for name, value in message.values.items()})


def _said(value: object, language: Language) -> object:
    return say(value, language) if isinstance(value, Message) else value


@lru_cache(maxsize=1)
def french() -> Mapping[str, str]:
    """English → French, as `locale/fr.po` has it; a text without French is not in it."""
    with resources.files(__package__).joinpath("locale", "fr.po").open("rb") as file:
        catalog = read_po(file, locale="fr", abort_invalid=True)
    return {str(entry.id): str(entry.string) for entry in catalog if entry.id and entry.string and not entry.fuzzy}


def language_of(accept_language: str | None) -> Language:
    """The language to answer in, from an Accept-Language header (RFC 9110 § 12.5.4); French unless English wins."""
    weights: dict[str, float] = {}
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weights[primary] = max(weights.get(primary, 0.0), _weight(parameters))
    others = weights.get("*", 0.0)
    return "en" if weights.get("en", others) > weights.get("fr", others) else "fr"


def _weight(parameters: str) -> float:
    """The q of a language range: 1 unless said; 0, "not this one", where it cannot be read."""
    if not parameters.strip():
        return 1.0
    q = re.fullmatch(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", parameters, re.IGNORECASE)
    return float(q[1]) if q else 0.0


@lru_cache(maxsize=1024)
def place_of(zone_name: str, language: Language, city: str | None = None) -> str:
    """Whose hour a zone's hour is, in words: "Paris" wherever in France, "Montréal" for a site there.

    A zone that is the only one of its territory has a name everybody there knows; where a country has several, people
    name their own `city` instead (Montréal's clocks are America/Toronto's). Names are CLDR's, through Babel.
    """
    territory = get_global("zone_territories").get(zone_name)
    alone = territory is not None and len(get_global("territory_zones").get(territory, ())) == 1
    if city and not alone:
        return city
    return str(get_timezone_location(zone_name, locale=language, return_city=True))


def number(value: float, language: Language, digits: int = 0) -> str:
    """`1 234,5`, `1,234.5`: with so many digits behind the point."""
    return str(format_decimal(round(value, digits), format=f"#,##0.{'0' * digits}".rstrip("."), locale=language))


def percent(share: float, language: Language) -> str:
    """`12,5 %`, `12.5%`: of a share of 1."""
    return number(share * 100, language, 1) + (f"{_NBSP}%" if language == "fr" else "%")


def month(of: int, language: Language) -> str:
    """`janv.`, `Jan`: the name of a month (1 to 12), short."""
    return str(get_month_names("abbreviated", locale=language)[of])


def short_weekday(of: int, language: Language) -> str:
    """`lun.`, `Mon`: of Monday (0) to Sunday (6)."""
    return str(get_day_names("abbreviated", locale=language)[of])


def weekday(local: datetime, language: Language) -> str:
    """`jeudi`, `Thursday`."""
    return _names(language)[0][local.weekday()]


def day(local: datetime, language: Language) -> str:
    """`jeudi 18 mars 2027`, `Thursday 18 March 2027`; the first of a month is `1er` in French."""
    number = "1er" if language == "fr" and local.day == 1 else str(local.day)
    return f"{weekday(local, language)} {number} {_names(language)[1][local.month]} {local.year}"


@lru_cache
def _names(language: Language) -> tuple[Mapping[int, str], Mapping[int, str]]:
    """Of the days and the months, in full."""
    return dict(get_day_names("wide", locale=language)), dict(get_month_names("wide", locale=language))


def time_of_day(local: datetime, language: Language) -> str:
    """`9 h 00`, with non-breaking spaces; `09:00` in English."""
    return f"{local.hour}{_NBSP}h{_NBSP}{local.minute:02d}" if language == "fr" else f"{local:%H:%M}"


def hour(local: datetime, language: Language, place: str | None = None) -> str:
    """`9 h 00 (heure de Montréal)`, `09:00 (Montréal time)`. `place`: as `place_of` says it; None: the zone's own."""
    return f"{time_of_day(local, language)} ({whose(local, language, place)})"


def moment(local: datetime, language: Language, place: str | None = None) -> str:
    """`jeudi 18 mars 2027 à 15 h 00 (heure de Paris)`, `Thursday 18 March 2027 at 15:00 (Paris time)`."""
    when = Message("{day} at {hour}", day=day(local, language), hour=hour(local, language, place))
    return say(when, language)


def whose(local: datetime, language: Language, place: str | None) -> str:
    """`heure de Paris`; where the hour comes twice that night, also which of the two it is: `heure de Paris, UTC+1`."""
    name = place or place_of(str(local.tzinfo), language)
    if name == "UTC":
        words = "heure UTC" if language == "fr" else name
    else:
        words = f"heure {of_place(name)}" if language == "fr" else f"{name} time"
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        words += f", {offset(local)}"
    return words


def offset(local: datetime) -> str:
    """`UTC+1`, `UTC−3:30`: how far a clock is from UTC."""
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")


def apart(difference: timedelta) -> str:
    """`5 h`, `9 h 30`: how far two clocks are apart, whichever is ahead."""
    hours, minutes = divmod(abs(difference) // timedelta(minutes=1), 60)
    return f"{hours}\u00a0h" + (f"\u00a0{minutes:02d}" if minutes else "")


def of_place(name: str) -> str:
    """French "of a place": `de Paris`, `d’Arras`, `du Havre`, `des Abymes`, `de La Réunion`."""
    for article, contracted in (("Le ", "du "), ("Les ", "des ")):
        if name.startswith(article):
            return contracted + name.removeprefix(article)
    return f"d’{name}" if name[:1].lower() in _VOWELS else f"de {name}"
