"""Every page, read as people read it, in both languages: typography, days and numbers, and whose clock a time is of."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import pytest

from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Answer, Api
from tests.web.desk.every_page import NO_PAGES, prepared
from tests.web.desk.readers import Reading
from tests.web.desk.visitors import Visitor, signed_in

NBSP = "\u00a0"
MONTHS = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
ENGLISH_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
ENGLISH_MONTHS = "January|February|April|June|July|August|September|October|November|December"
WRONG: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "a breaking space, or none, before : ; ? ! %": rf"[^{NBSP}\W][:;?!%](?=\s|$)|[^{NBSP}\S][:;?!%€»](?=\s|$)",
        "no no-break space within « »": rf"«[^{NBSP}]|[^{NBSP}]»",
        "a straight quotation mark": r"\w'\w|\"",
        "three dots": r"\.\.\.",
        "a first that is no 1er": rf"\b0?1 (?:{MONTHS})\b",
        "a day or month that is not small": r"\b(?:Lundi|Mardi|Mercredi|Jeudi|Vendredi|Samedi|Dimanche) \d",
        "an English day or month": rf"\b(?:{ENGLISH_DAYS}|{ENGLISH_MONTHS})\b",
        "an hour as the English write it": r"\b\d{1,2}:\d\d\b",
        "an hour with breaking spaces, or none": r"\b\d{1,2} ?h ?\d\d\b",
        "a decimal point": r"\b\d+\.\d+(?:[ %]|$)",
    },
    "en": {
        "a space before : ; ? ! %": r"\s[:;?!%](?=\s|$)",
        "French quotation marks": r"[«»]",
        "a straight quotation mark": r"\w'\w|\"",
        "three dots": r"\.\.\.",
        "a French day or month": rf"\d (?:{MONTHS})\b|\b(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b",
        "an hour as the French write it": rf"\b\d{{1,2}}[ {NBSP}]?h[ {NBSP}]?\d\d\b",
        "a decimal comma": r"\b\d+,\d{1,2}(?: ?%)",
    },
}
ZONE = r"\b(?:Europe|America|Indian)/[A-Z]"
NAMED = "Pont du 15 août"  # in the example’s calendars
TIME = {"fr": rf"\b\d{{1,2}}{NBSP}h{NBSP}\d\d", "en": r"\b\d\d:\d\d\b"}
PLACE = {"fr": rf"heures? (?:de|d’|du|des|UTC)|horloge|{ZONE}", "en": rf"\btime\b|clock|UTC|{ZONE}"}


async def walked(api: Api, language: str) -> AsyncIterator[tuple[str, Answer]]:
    """Every page, and what comes after a form that is refused or only tried."""
    addresses = await prepared(api, language)
    anybody, visitor = Visitor(api.anybody), await signed_in(api, sites=["sainte-justine"])
    for who, paths in ((anybody, addresses.open), (visitor, addresses.signed_in)):
        who.headers["Accept-Language"] = language
        for name, path in paths.items():
            yield name, await who.get(path)
    token = await visitor.form_token()
    for name, (path, form) in addresses.forms.items():
        answer = await visitor.post(path, {"form_token": token, **form})
        assert answer.status in (200, 409, 412, 422), f"{name}: {answer.status}"
        yield name, answer


async def test_a_page_that_is_in_the_table_of_routes_is_walked(api: Api) -> None:
    """Here, and in Chromium (tests/browser/test_pages.py)."""
    addresses = await prepared(api, "fr")

    assert addresses.pages_left_out() == set()
    assert {page.path for page in PAGES} > NO_PAGES


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_keeps_the_typography_of_its_language(api: Api, language: str) -> None:
    """No-break spaces, quotation marks, apostrophes, days, hours and numbers."""
    wrong = {
        f"{name}: {what}: {piece[max(0, found.start() - 40) : found.end() + 20]!r}"
        async for name, answer in walked(api, language)
        for piece in Reading(answer.body).pieces
        if piece != NAMED
        for what, pattern in WRONG[language].items()
        if (found := re.search(pattern, piece))
    }
    assert sorted(wrong) == [], "\n".join(sorted(wrong))


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_on_every_page_carries_its_place_or_zone(api: Api, language: str) -> None:
    """Beside the time, or in the caption or head of its column; the label of a field for hours says it too."""
    wrong, shown = set(), 0
    async for name, answer in walked(api, language):
        reading = Reading(answer.body)
        if re.search("heure de Toronto|Toronto time", answer.body.decode()):
            wrong.add(f"{name}: calls the clock of Montréal after Toronto")
        for piece, around in reading.placed():
            if re.search(TIME[language], piece):
                shown += 1
                if not re.search(PLACE[language], around):
                    wrong.add(f"{name}: {piece.strip()[:120]!r}")
        for field in reading.clocks:
            if not re.search(PLACE[language], reading.labels.get(field, "")):
                wrong.add(f"{name}: the label of {field}: {reading.labels.get(field)!r}")
    assert sorted(wrong) == [], "\n".join(sorted(wrong))
    assert shown > 400


@pytest.mark.parametrize(
    ("language", "piece"),
    [
        ("fr", "Sites :"), ("fr", "Pourquoi?"), ("fr", "12 %"), ("fr", "« a »"), ("fr", "l'heure"), ("fr", "1 mars"),
        ("fr", "14:00"), ("fr", "14 h 00"), ("fr", "Attendez..."), ("fr", "le 3 July"), ("fr", "12.5 %"),
        ("en", "Sites :"), ("en", "« a »"), ("en", "don't"), ("en", "14 h 00"), ("en", "le 3 juillet"),
    ],
)  # fmt: skip
def test_what_the_walk_looks_for_it_finds(language: str, piece: str) -> None:
    assert any(re.search(pattern, piece) for pattern in WRONG[language].values())


def test_the_walk_knows_whose_clock_the_cell_of_a_table_is_of() -> None:
    page = """<table><caption>Rien</caption><thead><tr><th>heure de Paris</th><th>Jour</th></tr></thead>
    <tbody><tr><td>14\u00a0h\u00a000</td><td>15\u00a0h\u00a000</td></tr></tbody></table><p>16\u00a0h\u00a000</p>"""
    told = [(piece.strip(), bool(re.search(PLACE["fr"], around))) for piece, around in Reading(page.encode()).placed()]
    assert [one for one in told if re.search(TIME["fr"], one[0])] == [
        (f"16{NBSP}h{NBSP}00", False),
        (f"14{NBSP}h{NBSP}00", True),
        (f"15{NBSP}h{NBSP}00", False),
    ]
