"""Other people's programs read the feeds over HTTP and agree with the database to the second (ICS-10, ICS-16)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import programme
from tests.clients.office import Feed, Office
from tests.clients.readers import READERS, Reader, Shown, fetched, libical_errors
from tests.feeds.lint import complaints

pytestmark = pytest.mark.xdist_group("reading")  # its services are started once

Expected = list[tuple[Feed, list[Shown]]]

FOR_THE_SLOW = {  # a feed of each scope, detail and language, of 0 and of 1 session
    "network perinat, full, fr",
    "room calais-1, kind, en",
    "site lille, busy, fr",
    "site noumea, full, fr",
    "site none, full, fr",
    "site one, full, fr",
}


@pytest.fixture(scope="module")
def feeds(booked: Office) -> Expected:
    """Every feed, and what it must show as the API has it."""
    return [(feed, booked.expected(feed)) for feed in programme.open_feeds(booked)]


def agree(reader: Reader, feeds: Expected, folder: Path) -> None:
    """A program shows in each feed what it must, and nothing else."""
    found = reader.read([feed.url for feed, _ in feeds], programme.WINDOW, folder)
    wrong = [
        f"{feed}: {line}"
        for (feed, expected), shown in zip(feeds, found, strict=True)
        for line in differences(reader.shows(expected), shown)
    ]
    assert not wrong, "\n".join(wrong[:20])


def differences(expected: list[Shown], found: list[Shown]) -> Iterator[str]:
    for shown in (Counter(expected) - Counter(found)).elements():
        yield f"missing {shown}"
    for shown in (Counter(found) - Counter(expected)).elements():
        yield f"invented {shown}"


def test_the_programme_has_all_that_it_is_read_for(booked: Office, feeds: Expected) -> None:
    sizes = {str(feed): len(expected) for feed, expected in feeds}
    assert [sizes[f"site {site}, full, fr"] for site in ("none", "one", "thousand")] == [0, 1, programme.THOUSAND]
    assert min(size for name, size in sizes.items() if not name.startswith("site")) > 40
    assert set(sizes) >= FOR_THE_SLOW
    sessions = booked.sessions()
    assert {session["status"] for session in sessions} == {"tentative", "confirmed", "cancelled"}
    assert max(session["sequence"] for session in sessions) >= 2
    assert "declined" in {part["answer"] for session in sessions for part in session["participations"]}
    odd = {session["start"][:10] for session in sessions if session["warnings"]}
    assert odd >= {str(day) for day in programme.odd_weeks()}


@pytest.mark.parametrize("name", READERS)
def test_it_shows_what_the_database_says(name: str, feeds: Expected, tmp_path: Path) -> None:
    reader = READERS[name]
    agree(reader, [each for each in feeds if not reader.slow or str(each[0]) in FOR_THE_SLOW], tmp_path)


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgresql"])
def test_on_postgresql_it_shows_the_same(office: Office, tmp_path: Path) -> None:
    programme.book(office)
    opened = [feed for feed in programme.open_feeds(office) if feed.language == "fr"]
    agree(READERS["ical.js"], [(feed, office.expected(feed)) for feed in opened], tmp_path)


def test_what_is_served_has_no_fault_for_libical_or_our_own_lint__ics_38(feeds: Expected) -> None:
    for feed, _ in feeds:
        body = fetched(feed.url)
        assert (complaints(body), libical_errors(body)) == ([], "0 errors\n"), feed
