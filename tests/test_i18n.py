from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

import perinat_sched
from perinat_sched import i18n
from perinat_sched.i18n import Message, day, hour, language_of, moment, of_place, place_of, say
from perinat_sched.zones import to_local

PACKAGE = Path(perinat_sched.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEMPLATES = sorted(PACKAGE.rglob("*.j2"))
PO = PACKAGE / "locale" / "fr.po"
ODD_WEEK = datetime(2027, 3, 18, 14, tzinfo=UTC)

# Which argument of a call is an English text, and where those calls pass it on to `Message`.
TEXT_ARGUMENT = {"Message": 0, "InvalidRequest.of": 1, "self.wrong": 1, "checks.wrong": 1}
PASSED_ON = {
    "PerinatError.__init__",
    "InvalidRequest.of",
    "Checks.wrong",
    "_conflict",
    "respond.words",
}  # the last: `_` of the pages


def literals(node: ast.expr) -> Iterator[str | None]:
    """The texts an argument may be; None for what is not written there. Another message's text is written there."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from literals(one)
            yield from literals(other)
        case ast.Attribute(attr="text"):
            pass
        case _:
            yield None


def calls(tree: ast.AST, inside: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Call]]:
    """Every call, and the class and function in which it stands."""
    for node in ast.iter_child_nodes(tree):
        within = inside
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            within = (*inside, node.name)
        if isinstance(node, ast.Call):
            yield ".".join(within), node
        yield from calls(node, within)


def written() -> dict[str, str]:
    """Every English text of the package, and where it stands."""
    texts: dict[str, str] = {}
    for file in SOURCES:
        name = str(file.relative_to(PACKAGE))
        tree = ast.parse(file.read_text())
        for within, call in calls(tree):
            place = TEXT_ARGUMENT.get(ast.unparse(call.func), len(call.args))
            for text in [each for argument in call.args[place : place + 1] for each in literals(argument)]:
                if text is not None:
                    texts[text] = f"{name}:{call.lineno}"
                elif within not in PASSED_ON:
                    raise AssertionError(f"{name}:{call.lineno}: write the text of a message where it is made")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and "PerinatError" in (node.name, *map(ast.unparse, node.bases)):
                texts[ast.get_docstring(node) or ""] = f"{name}:{node.lineno}"
    for template in TEMPLATES:
        for _, _, said in extract_from_ast(Environment().parse(template.read_text()), gettext_functions=("_",)):
            text = said[0] if isinstance(said, tuple) else said  # a tuple where places are filled
            assert isinstance(text, str), f"{template.name}: write the text where it is said"
            texts[text] = str(template.relative_to(PACKAGE))
    return texts


WRITTEN = written()


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_messages_are_found():
    assert len(WRITTEN) > 50
    assert "Your token does not allow this." in WRITTEN
    assert "{day} at {hour}" in WRITTEN


def test_every_text_has_its_french_with_the_same_places():
    french = i18n.french()
    missing = [f"{where}: {text}" for text, where in WRITTEN.items() if text not in french]
    assert missing == []
    assert [text for text in WRITTEN if places(text) != places(french[text])] == []


def test_no_french_is_left_of_a_text_that_is_gone():
    assert sorted(set(i18n.french()) - set(WRITTEN)) == []


def test_french_is_set_as_french_is():
    """Non-breaking spaces before : ; ? ! » and after «, and no straight apostrophe."""
    slip = re.compile(r" [:;?!»]|\w[;?!»]|« |«\w|\w'\w")
    assert [text for text in i18n.french().values() if slip.search(re.sub(r'"[^"]*"|\{\w+\}', "x", text))] == []


def test_the_catalogue_is_a_sound_po_file():
    with PO.open("rb") as file:
        catalog = read_po(file, locale="fr", abort_invalid=True)
    assert not list(catalog.obsolete)
    assert not [entry.id for entry in catalog if entry.id and (entry.fuzzy or not entry.string)]


def test_a_message_is_said_in_both_languages():
    message = Message("{label}: {value}", label="Lien", value="https://x.example")
    assert say(message, "en") == "Lien: https://x.example"
    assert say(message, "fr") == "Lien\u00a0: https://x.example"


def test_a_message_in_a_message_is_said_too():
    inner = Message("not enough staff")
    assert (
        say(Message("{label}: {value}", label=Message("Reason"), value=inner), "fr")
        == "Motif\u00a0: manque de personnel"
    )


def test_a_text_without_french_is_said_in_english():
    assert say(Message("{x} of nobody's business", x=3), "fr") == "3 of nobody's business"


def test_a_text_without_values_keeps_its_braces():
    assert say(Message('Write {"from": …}'), "fr") == 'Write {"from": …}'


def test_a_value_is_never_taken_for_a_text():
    assert (
        say(Message("{label}: {value}", label="{value}", value="{label.__class__}"), "en")
        == "{value}: {label.__class__}"
    )


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "fr"),
        ("", "fr"),
        ("*", "fr"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("fr-CA, en;q=0.8", "fr"),
        ("en-US,en;q=0.9,fr;q=0.8", "en"),
        ("fr;q=0.3, en;q=0.7", "en"),
        ("en;q=0.5, fr;q=0.5", "fr"),
        ("de", "fr"),
        ("de, en;q=0.1", "en"),
        ("en;q=0", "fr"),
        ("fr;q=0, *", "en"),
        ("*;q=0.5, fr;q=0.1", "en"),
        ("en;q=high", "fr"),
        ("en;q=1.5", "fr"),
        (" en ; q=1.0 , fr ; q=0.999", "en"),
        ("english", "fr"),
        (";;,,;q=", "fr"),
        ("en;level=1", "fr"),
    ],
)
def test_the_language_is_the_one_asked_for_and_french_in_doubt(header, language):
    assert language_of(header) == language


@pytest.mark.parametrize(
    ("zone", "city", "french", "english"),
    [
        ("Europe/Paris", "Calais", "Paris", "Paris"),
        ("Europe/Paris", None, "Paris", "Paris"),
        ("America/Toronto", "Montréal", "Montréal", "Montréal"),
        ("America/Toronto", None, "Toronto", "Toronto"),
        ("Indian/Reunion", "Saint-Denis", "La Réunion", "Réunion"),
        ("Pacific/Noumea", "Dumbéa", "Nouméa", "Noumea"),
        ("Pacific/Tahiti", "Papeete", "Papeete", "Papeete"),
        ("Europe/Brussels", "Liège", "Bruxelles", "Brussels"),
        ("Europe/London", None, "Londres", "London"),
    ],
)
def test_an_hour_is_named_after_the_place_people_name_it_after(zone, city, french, english):
    assert (place_of(zone, "fr", city), place_of(zone, "en", city)) == (french, english)


@pytest.mark.parametrize(
    ("zone", "city", "french", "english"),
    [
        (
            "Europe/Paris",
            "Lille",
            "jeudi 18 mars 2027 à 15 h 00 (heure de Paris)",
            "Thursday 18 March 2027 at 15:00 (Paris time)",
        ),
        (
            "America/Toronto",
            "Montréal",
            "jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)",
            "Thursday 18 March 2027 at 10:00 (Montréal time)",
        ),
        (
            "Pacific/Noumea",
            None,
            "vendredi 19 mars 2027 à 1 h 00 (heure de Nouméa)",
            "Friday 19 March 2027 at 01:00 (Noumea time)",
        ),
        ("UTC", None, "jeudi 18 mars 2027 à 14 h 00 (heure UTC)", "Thursday 18 March 2027 at 14:00 (UTC)"),
    ],
)
def test_a_moment_has_its_day_its_hour_and_its_place(zone, city, french, english):
    local = to_local(ODD_WEEK, zone)
    assert moment(local, "fr", place_of(zone, "fr", city)).replace("\u00a0", " ") == french
    assert moment(local, "en", place_of(zone, "en", city)) == english


def test_hours_are_kept_together():
    assert hour(to_local(ODD_WEEK, "America/Toronto"), "fr", "Montréal") == "10\u00a0h\u00a000 (heure de Montréal)"


def test_the_first_of_a_month_is_an_ordinal_in_french():
    first = datetime(2027, 4, 1, 12, tzinfo=UTC)
    assert (day(first, "fr"), day(first, "en")) == ("jeudi 1er avril 2027", "Thursday 1 April 2027")


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2 h 30 (heure de Paris, UTC+2)"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2 h 30 (heure de Paris, UTC+1)"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "3 h 30 (heure de Paris)"),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "3 h 00 (heure de Paris)"),
    ],
)
def test_an_hour_that_comes_twice_says_which_it_is(instant, said):
    assert hour(to_local(instant, "Europe/Paris"), "fr").replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("Paris", "de Paris"),
        ("Arras", "d’Arras"),
        ("Évreux", "d’Évreux"),
        ("Hazebrouck", "de Hazebrouck"),
        ("Le Havre", "du Havre"),
        ("Les Abymes", "des Abymes"),
        ("La Réunion", "de La Réunion"),
        ("Lens", "de Lens"),
    ],
)
def test_french_says_of_a_place_in_its_own_way(place, said):
    assert of_place(place) == said
