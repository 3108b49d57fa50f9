"""Wall time and UTC: the vectors on which four other programs agree, and the two odd hours of the year."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from perinat_sched import zones
from perinat_sched.errors import InvalidRequest, RepeatedLocalTime, SkippedLocalTime
from perinat_sched.i18n import say
from perinat_sched.intervals import Interval

ROOT = Path(__file__).parent.parent
with (ROOT / "tests" / "vectors" / "tz_vectors.csv").open(encoding="utf-8", newline="") as file:
    VECTORS = list(csv.DictReader(file))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    """A naive wall time."""
    return datetime.fromisoformat(text)


def test_all_the_vectors_are_there() -> None:
    assert len(VECTORS) == 42


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['zone']} {row['local']} fold {row['fold']}")
def test_a_vector_gives_its_instant_and_its_hours_in_paris_and_toronto(row: dict[str, str]) -> None:
    wall, fold = datetime.fromisoformat(row["local"]), int(row["fold"])
    instant = datetime.fromtimestamp(int(row["epoch"]), UTC)
    assert f"{instant:%Y-%m-%dT%H:%M:%SZ}" == row["utc"]
    try:
        found = zones.to_utc(wall, row["zone"], fold=fold)
    except SkippedLocalTime as skipped:  # both readings of an hour that does not exist, the one before the gap second
        assert not zones.instants(wall, row["zone"])
        found = skipped.candidates[1 - fold].astimezone(UTC)
    assert found == instant
    for place, name in (("paris", "Europe/Paris"), ("toronto", "America/Toronto")):
        local = zones.to_local(instant, name)
        assert row[place] in (f"{local:%a %H:%M %z}", f"{local:%a %H:%M %Z}")


@pytest.mark.parametrize(
    ("wall", "zone", "before", "after"),
    [
        ("2026-03-29T02:30", "Europe/Paris", "01:30", "03:30"),
        ("2027-03-28T02:00", "Europe/Paris", "01:00", "03:00"),
        ("2027-03-28T02:59", "Europe/Paris", "01:59", "03:59"),
        ("2027-03-14T02:30", "America/Toronto", "01:30", "03:30"),
    ],
)
def test_an_hour_that_does_not_exist_is_named_with_the_hours_around_it(
    wall: str, zone: str, before: str, after: str
) -> None:
    with pytest.raises(SkippedLocalTime) as skipped:
        zones.to_utc(datetime.fromisoformat(wall), zone)
    assert [f"{candidate:%H:%M}" for candidate in skipped.value.candidates] == [before, after]
    text = say(skipped.value.message, "en")
    assert wall in text and before in text and after in text


@pytest.mark.parametrize("fold", [0, 1])
def test_fold_does_not_make_a_skipped_hour_exist(fold: int) -> None:
    with pytest.raises(SkippedLocalTime):
        zones.to_utc(wall("2027-03-28T02:30"), "Europe/Paris", fold=fold)


def test_an_hour_that_comes_twice_is_named_with_both_instants() -> None:
    twice = wall("2026-10-25T02:30")
    with pytest.raises(RepeatedLocalTime) as repeated:
        zones.to_utc(twice, "Europe/Paris")
    both = [utc("2026-10-25T00:30"), utc("2026-10-25T01:30")]
    assert [candidate.astimezone(UTC) for candidate in repeated.value.candidates] == both
    assert [candidate.utcoffset() for candidate in repeated.value.candidates] == [
        timedelta(hours=2),
        timedelta(hours=1),
    ]
    assert [zones.to_utc(twice, "Europe/Paris", fold=fold) for fold in (0, 1)] == both
    assert zones.instants(twice, "Europe/Paris") == both
    assert [zones.to_local(instant, "Europe/Paris").fold for instant in both] == [0, 1]


@pytest.mark.parametrize(
    ("hour", "zone", "fold", "instant"),
    [
        ("2027-03-28T02:30", "Europe/Paris", 0, "2027-03-28T01:30"),
        ("2027-03-28T02:30", "Europe/Paris", 1, "2027-03-28T01:30"),
        ("2027-03-14T02:30", "America/Toronto", 0, "2027-03-14T07:30"),
        ("2027-10-31T02:30", "Europe/Paris", 0, "2027-10-31T00:30"),
        ("2027-10-31T02:30", "Europe/Paris", 1, "2027-10-31T01:30"),
        ("2027-06-17T15:00", "Europe/Paris", 0, "2027-06-17T13:00"),
        ("2027-06-17T15:00", "Europe/Paris", 1, "2027-06-17T13:00"),
    ],
    ids=["skipped", "skipped, once the second", "skipped in Toronto", "first", "second", "once", "once the second"],
)
def test_an_hour_that_was_agreed_upon_has_an_instant_whatever_the_clocks_became(
    hour: str, zone: str, fold: int, instant: str
) -> None:
    """As RFC 5545 § 3.3.5 reads it (standards.md, G.3)."""
    assert zones.to_utc_again(wall(hour), zone, fold) == utc(instant)


@pytest.mark.parametrize(
    ("wall", "instant"),
    [("2027-03-28T01:59", "2027-03-28T00:59"), ("2027-03-28T03:00", "2027-03-28T01:00")],
    ids=["the minute before the gap", "the first after it"],
)
def test_the_hours_beside_a_gap_are_ordinary(wall: str, instant: str) -> None:
    assert zones.to_utc(datetime.fromisoformat(wall), "Europe/Paris") == utc(instant)
    assert zones.instants(datetime.fromisoformat(wall), "Europe/Paris") == [utc(instant)]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("America/Montreal", "America/Toronto"),
        ("Canada/Eastern", "America/Toronto"),
        ("Europe/Paris", "Europe/Paris"),
        ("Indian/Reunion", "Indian/Reunion"),
        ("Indian/Mayotte", "Indian/Mayotte"),
        ("America/Guadeloupe", "America/Guadeloupe"),
        ("America/Miquelon", "America/Miquelon"),
        ("Pacific/Wallis", "Pacific/Wallis"),
    ],
)
def test_a_zone_goes_by_its_canonical_name_and_a_country_keeps_its_own(name: str, canonical: str) -> None:
    assert zones.canonical(name) == canonical
    assert zones.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Europe/Pari", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("../../etc/passwd", None),
        ("/etc/localtime", None),
        ("localtime", None),
        ("Europe", "Europe/Rome"),
        ("Europe/Paris\n", "Europe/Paris"),
        ("Europe/Paris\0", "Europe/Paris"),
        ("", None),
        ("+01:00", None),
        ("posix/Europe/Paris", "Europe/Paris"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(name: str, nearest: str | None) -> None:
    with pytest.raises(zones.UnknownZone) as unknown:
        zones.canonical(name)
    assert unknown.value.nearest == nearest
    with pytest.raises(zones.UnknownZone):
        zones.zone(name)


def odd_days(zone: str, year: int) -> list[date]:
    """The days of a year on which noon in Paris comes at an unusual hour there."""
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(365))
    noons = {day: zones.to_utc(wall(f"{day}T12:00"), "Europe/Paris") for day in days}
    return [day for day, noon in noons.items() if zones.is_unusual(noon, "Europe/Paris", zone)]


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@pytest.mark.parametrize(
    ("year", "spring", "autumn"),
    [
        (2026, (date(2026, 3, 8), date(2026, 3, 28)), (date(2026, 10, 25), date(2026, 10, 31))),
        (2027, (date(2027, 3, 14), date(2027, 3, 27)), (date(2027, 10, 31), date(2027, 11, 6))),
    ],
)
def test_montreal_is_unusual_between_the_two_changes_of_clocks(
    year: int, spring: tuple[date, date], autumn: tuple[date, date]
) -> None:
    assert odd_days("America/Toronto", year) == days(*spring) + days(*autumn)


@pytest.mark.parametrize("zone", ["Indian/Reunion", "Indian/Mayotte", "Europe/Paris", "America/Cayenne"])
def test_places_that_keep_their_clocks_are_never_unusual(zone: str) -> None:
    assert odd_days(zone, 2027) == []


def test_miquelon_is_unusual_when_montreal_is() -> None:
    assert odd_days("America/Miquelon", 2027) == odd_days("America/Toronto", 2027) != []


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        (date(2027, 1, 1), "Europe/Paris", "2026-12-31T23:00"),
        (date(2027, 3, 28), "Europe/Paris", "2027-03-27T23:00"),
        (date(2027, 3, 29), "Europe/Paris", "2027-03-28T22:00"),
        (date(2027, 6, 24), "America/Toronto", "2027-06-24T04:00"),
        (date(2027, 12, 20), "Indian/Reunion", "2027-12-19T20:00"),
        (date(2026, 4, 24), "Africa/Cairo", "2026-04-23T22:00"),
        (date(2027, 11, 7), "America/Havana", "2027-11-07T04:00"),
    ],
    ids=["winter", "the short day", "summer", "Québec", "Réunion", "midnight skipped", "midnight twice"],
)
def test_a_day_begins_at_its_first_instant(day: date, zone: str, start: str) -> None:
    found = zones.start_of_day(day, zone)
    assert found == utc(start)
    assert zones.to_local(found, zone).date() == day
    assert zones.to_local(found - timedelta(seconds=1), zone).date() < day


def test_a_night_of_change_is_cut_where_the_clocks_change() -> None:
    night = Interval(utc("2027-03-27T23:00"), utc("2027-03-28T22:00"))
    change = utc("2027-03-28T01:00")
    assert zones.even_parts(night, "Europe/Paris") == [Interval(night.start, change), Interval(change, night.end)]
    assert zones.even_parts(night, "Indian/Reunion") == [night]
    until_change = Interval(night.start, change)
    assert zones.even_parts(until_change, "Europe/Paris") == [until_change]


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-18",
        "2027-03-18T15",
        "2027-03-18 15:00",
        "2027-03-18T15:00:00",
        "2027-03-18T15:00Z",
        "2027-3-18T15:00",
        "2026-02-30T10:00",
        "2027-03-18T24:00",
        "2027-03-18T23:60",
        "0000-01-01T00:00",
        "٢٠٢٧-03-18T15:00",
        "",
        "1700000000",
    ],
)
def test_anything_but_a_wall_time_is_refused_on_its_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        zones.parse_wall(text, "start")
    assert [error.field for error in refused.value.errors] == ["start"]


def test_a_wall_time_is_read_as_it_is_written() -> None:
    assert zones.parse_wall("2027-03-18T15:00", "start") == wall("2027-03-18T15:00")


@pytest.mark.parametrize("path", ["/usr/share/zoneinfo", "tests/vectors"])
def test_the_pinned_tzdata_wins_over_the_machine(path: str) -> None:
    code = (
        "from perinat_sched import zones; import zoneinfo; from datetime import datetime;"
        "print(zoneinfo.TZPATH, zones.to_utc(datetime(2026, 12, 16, 6), 'America/Vancouver').hour)"
    )
    environment = os.environ | {"PYTHONTZPATH": str(ROOT / path)}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["()", "13"]  # British Columbia since tzdata 2026b; older files say 14


def test_the_version_of_tzdata_is_the_installed_package() -> None:
    year, number = zones.TZDATA_VERSION[:4], "abcdefghijklmnop".index(zones.TZDATA_VERSION[4]) + 1
    assert version("tzdata").split(".")[:2] == [year, str(number)]


def test_the_odd_periods_of_a_year_are_found_whole_and_once():
    """Also the one that has begun already."""
    year = Interval(datetime(2027, 3, 20, tzinfo=UTC), datetime(2028, 3, 20, tzinfo=UTC))
    found = zones.odd_periods(year, "Europe/Paris", "America/Toronto")

    assert [(f"{one.start:%m-%d}", f"{one.end:%m-%d}") for one in found] == [
        ("03-14", "03-28"),
        ("10-31", "11-07"),
        ("03-12", "03-26"),
    ]
    assert zones.odd_periods(year, "Europe/Paris", "Indian/Reunion") == []
