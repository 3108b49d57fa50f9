"""Spreadsheets as people save them: encodings, separators, formulas, limits; and the rule behind a list of dates."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perinat_sched.errors import InvalidRequest
from perinat_sched.series import recurrence, regular, sheet
from perinat_sched.series.recurrence import FREQUENCIES, Rule

TEXT = "Date;Hôte;Objet\r\n07/01/2027;Lille;Été à l’hôpital\r\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        TEXT.encode("utf-16"),
        TEXT.replace("\r\n", "\n").encode(),
        TEXT.replace(";", ",").encode(),
        TEXT.replace(";", "\t").encode(),
        ("\r\n\r\n" + TEXT).encode(),
        TEXT.replace("\r\n", ";;\r\n").encode(),
    ],
    ids=["utf-8", "with its mark", "windows", "utf-16", "unix", "commas", "tabs", "empty lines first", "empty cells"],
)
def test_a_file_is_read_however_a_program_writes_it(content: bytes) -> None:
    found = sheet.read(content)
    assert [name for name in found.header if name] == ["Date", "Hôte", "Objet"]
    assert found.rows[0].cells[:3] == ("07/01/2027", "Lille", "Été à l’hôpital")


def test_latin_1_is_read_as_it_is_written() -> None:
    found = sheet.read("Date;Hôte\n07/01/2027;Dunkerque à côté\n".encode("latin-1"))
    assert (found.header, found.rows[0].cells) == (("Date", "Hôte"), ("07/01/2027", "Dunkerque à côté"))


def test_lines_have_the_numbers_that_a_spreadsheet_shows() -> None:
    found = sheet.read(b'Date;Sites\n\n7;"Lille\nCalais"\n;\n8;Lens\n')
    assert [(row.number, row.cells) for row in found.rows] == [(3, ("7", "Lille\nCalais")), (5, ("8", "Lens"))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Nothing is in this file"),
        (b"Date;Sites\n", "Nothing is in this file"),
        (b"Date\0;Sites\n1;2\n", "no CSV file"),
        (b"\xff\xfeD\x00\x00", "no text"),
        (b"\x81\x8d\x90\n", "no text"),
        (b'Date;Sites\n1;2\n3;"4\n', "Line 3 cannot be read"),
        (b"Date;Sites\n1;2;3\n", "Line 2 has more cells"),
        (b"Date;Sites\n" + b"1;2\n" * (sheet.MOST_LINES + 1), "at most 1000 lines"),
        (b"Date;Sites\n" + b"1;2\n" * 70_000, "at most 256 KB"),
        (b";" * 60 + b"a\n" + b"1\n", "at most 50 columns"),
        (b"Date\n" + b"x" * 200_000, "Line 2 cannot be read"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_reason(content: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sheet.read(content)
    (error,) = refused.value.errors
    assert error.field == "file"
    assert said in error.message.text.format(**error.message.values)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["=1+1", "+33 3 20", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x", "'=1", 'a"b', "a;b", "a\nb"]
)


@given(st.lists(CELLS, min_size=1, max_size=4), st.sampled_from(";,"))
def test_no_cell_that_leaves_is_a_formula_and_all_come_back_as_they_were(cells: list[str], separator: str) -> None:
    content = sheet.written(["x"] * len(cells), [cells], separator)

    assert content.startswith(b"\xef\xbb\xbf")
    _, row = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator)
    assert not [cell for cell in row if cell.startswith(sheet.FORMULA)]
    assert [sheet.unprotected(cell) for cell in row] == [
        cell[1:] if cell.startswith("'") and cell[1:].startswith(sheet.FORMULA) else cell for cell in cells
    ]


def days(*texts: str) -> list[datetime]:
    return [datetime.fromisoformat(f"{text}T13:00") for text in texts]


@pytest.mark.parametrize(
    ("times", "rule", "others"),
    [
        (days("2027-01-07", "2027-01-14", "2027-01-21"), "FREQ=WEEKLY;BYDAY=TH;UNTIL=20270121T120000Z", []),
        (days("2027-01-07", "2027-01-14", "2027-01-28"), "FREQ=WEEKLY;BYDAY=TH;UNTIL=20270128T120000Z", ["01-21"]),
        (days("2027-01-07", "2027-01-21", "2027-02-04"), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH;UNTIL=20270204T120000Z", []),
        (days("2027-01-21", "2027-02-18", "2027-03-18"), "FREQ=MONTHLY;BYDAY=3TH;UNTIL=20270318T120000Z", []),
        (days("2027-01-29", "2027-02-26", "2027-03-26"), "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270326T120000Z", []),
        (days("2027-02-01", "2027-03-01", "2027-04-01"), "FREQ=MONTHLY;BYMONTHDAY=1;UNTIL=20270401T110000Z", []),
        (
            days("2027-01-21", "2027-04-15", "2027-07-15"),
            "FREQ=MONTHLY;INTERVAL=3;BYDAY=3TH;UNTIL=20270715T110000Z",
            [],
        ),
        (
            days("2027-01-05", "2027-01-07", "2027-01-12", "2027-01-14"),
            "FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=20270114T120000Z",
            [],
        ),
    ],
)
def test_the_rule_behind_a_list_of_dates_is_found(times: list[datetime], rule: str, others: list[str]) -> None:
    found = regular.rule_of(times)
    assert found is not None
    assert recurrence.written(found.rule, "Europe/Paris") == rule
    assert [f"{one:%m-%d}" for one in found.others] == others


@pytest.mark.parametrize(
    "times", [days("2027-01-07"), days("2027-01-07", "2027-01-14"), days("2027-01-28", "2027-04-08", "2027-06-24")]
)
def test_few_or_irregular_dates_have_no_rule(times: list[datetime]) -> None:
    assert regular.rule_of(times) is None


STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(  # noqa: DTZ001
    lambda one: one.replace(minute=0, second=0, microsecond=0)
)


@given(
    STARTS,
    st.sampled_from(sorted(FREQUENCIES)),
    st.integers(1, 4),
    st.integers(1, 60),
    st.sets(st.integers(0, 59), max_size=20),
)
def test_a_rule_that_is_found_has_the_dates_and_the_others_and_nothing_else(
    start: datetime, frequency: str, interval: int, count: int, away: set[int]
) -> None:
    every = recurrence.expand(Rule(frequency=frequency, interval=interval, until=start + timedelta(days=700)), start)
    times = [one for number, one in enumerate(every[:count]) if number not in away]
    found = regular.rule_of(times)
    if found:
        expanded = recurrence.expand(found.rule, times[0])
        assert set(expanded) == {*times, *found.others}
        assert not set(times) & set(found.others)
        assert 2 * len(found.others) <= len(times)
    elif not away and frequency == "WEEKLY":
        assert len(times) < 3


@given(st.sets(st.integers(0, 5000), min_size=1, max_size=900))
def test_dates_are_parted_into_series_that_are_not_too_long(numbers: set[int]) -> None:
    times = [datetime(2027, 1, 1, 13) + timedelta(days=number) for number in sorted(numbers)]  # noqa: DTZ001
    parts = list(regular.parts(times))
    assert [one for part in parts for one in part] == times
    for part in parts:
        assert len(part) <= recurrence.MOST_OCCURRENCES
        assert recurrence.listed([f"{one:%Y-%m-%d}" for one in part], part[0]) == part
