"""The chain of checks that every golden calendar passes (ICS-38)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from icalendar import Calendar

from tests.clients.conftest import served
from tests.clients.programme import WINDOW
from tests.clients.readers import READERS, Shown, Window, libical_errors
from tests.feeds.examples import GOLDEN
from tests.feeds.lint import complaints

pytestmark = pytest.mark.xdist_group("golden")  # its services are started once

CALENDARS = sorted(GOLDEN.glob("*.ics"))
ALWAYS = Window(WINDOW.start.replace(year=2020), WINDOW.end.replace(year=2040))  # the golden files keep their dates
STRICT = ("icalendar and recurring-ical-events", "ical.js", "allenporter/ical")


def test_there_are_golden_calendars() -> None:
    assert len([file for file in CALENDARS if file.name.startswith("feed-")]) >= 15
    assert len([file for file in CALENDARS if file.name.startswith("invitation-")]) >= 5


@pytest.mark.parametrize("file", CALENDARS, ids=lambda file: file.stem)
def test_a_golden_calendar_has_no_fault_for_our_own_lint__ics_38(file: Path) -> None:
    assert complaints(file.read_bytes()) == []


def test_golden_calendars_have_no_fault_for_libical__ics_38() -> None:
    said = {file.stem: libical_errors(file.read_bytes()) for file in CALENDARS}
    assert said == dict.fromkeys(said, "0 errors\n")


@pytest.mark.parametrize("file", CALENDARS, ids=lambda file: file.stem)
def test_icalendar_writes_a_golden_calendar_as_it_read_it__ics_38(file: Path) -> None:
    """Byte for byte, but for the parts of a VTIMEZONE's rule: ICS-11 writes the month first, icalendar the day."""
    ics = file.read_bytes()
    written = Calendar.from_ical(ics).to_ical()
    assert written == re.sub(rb"(RRULE:FREQ=YEARLY);(BYMONTH=\d+);(BYDAY=-?\d\w\w)\r\n", rb"\1;\3;\2\r\n", ics)


@pytest.fixture(scope="module")
def golden() -> Iterator[list[str]]:
    """The addresses at which the golden calendars are read."""
    with served(GOLDEN) as address:
        yield [f"{address}/{file.name}" for file in CALENDARS]


@pytest.fixture(scope="module")
def by_icalendar(golden: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[list[Shown]]:
    """What icalendar reads in them; tests/feeds compares that with the sessions they are of."""
    return READERS[STRICT[0]].read(golden, ALWAYS, tmp_path_factory.mktemp("icalendar"))


@pytest.mark.parametrize("name", STRICT[1:])
def test_strict_parsers_read_the_same_in_a_golden_calendar__ics_38(
    name: str, golden: list[str], by_icalendar: list[list[Shown]], tmp_path: Path
) -> None:
    assert sum(len(shown) for shown in by_icalendar) >= 20
    assert READERS[name].read(golden, ALWAYS, tmp_path) == by_icalendar
