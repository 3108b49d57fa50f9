"""Repeating events and time zones, as other people's programs expand them: why our VTIMEZONE is written by us."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from perinat_sched.feeds import vtimezone
from tests.clients.conftest import served
from tests.clients.readers import READERS, Window, libical_errors

FIXTURES = Path(__file__).parent / "fixtures"
DEFAULT = "bad_feed_icalendar730_default_vtimezone.ics"  # as icalendar 7.3.0 writes it: Wednesdays, 14:00 in Paris
ALWAYS = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder of calendars, and the address at which they are read."""
    files = tmp_path / "files"
    files.mkdir()
    with served(files) as address:
        yield files, address


def starts(name: str, url: str, folder: Path) -> list[str]:
    [shown] = READERS[name].read([url], ALWAYS, folder)
    return [datetime.fromtimestamp(each.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for each in shown]


def with_our_time_zones(ics: bytes) -> bytes:
    """The same events with the VTIMEZONEs that our feeds carry."""
    zones = [rules.text for zone in ("Europe/Paris", "America/Toronto") if (rules := vtimezone.rules(zone))]
    head, _, rest = ics.partition(b"BEGIN:VTIMEZONE\r\n")
    events = rest[rest.rindex(b"END:VTIMEZONE\r\n") + len(b"END:VTIMEZONE\r\n") :]
    return head + "".join(zones).encode() + events


def wednesdays() -> list[str]:
    """The Wednesdays of the fixture: without 11 March and 8 April, and with 25 March moved to 10:00 in Toronto."""
    paris = ZoneInfo("Europe/Paris")
    days = [datetime(2026, 3, 4, 14, tzinfo=paris).toordinal() + 7 * number for number in range(44)]
    instants = [datetime.fromordinal(day).replace(hour=14, tzinfo=paris).astimezone(UTC) for day in days]
    left_out = {"2026-03-11", "2026-04-08", "2026-03-25"}
    kept = {f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in instants if f"{at:%Y-%m-%d}" not in left_out and at.year == 2026}
    return sorted(kept | {"2026-03-25T14:00:00Z"})


def test_icaljs_reads_icalendars_own_vtimezone_an_hour_wrong_and_ours_right__ics_13(
    folder: tuple[Path, str], tmp_path: Path
) -> None:
    """ical.js takes the first RDATE alone: every summer meeting of Thunderbird's and Nextcloud's would be wrong."""
    files, address = folder
    default = (FIXTURES / DEFAULT).read_bytes()
    (files / "default.ics").write_bytes(default)
    (files / "ours.ics").write_bytes(with_our_time_zones(default))

    wrong = starts("ical.js", f"{address}/default.ics", tmp_path)
    right = starts("ical.js", f"{address}/ours.ics", tmp_path)

    assert "2026-04-01T13:00:00Z" in wrong and "2026-04-01T12:00:00Z" not in wrong
    assert right == wednesdays() and "2026-04-01T12:00:00Z" in right


@pytest.mark.parametrize("name", READERS)
def test_with_our_vtimezone_every_program_expands_the_same__ics_13_14(
    name: str, folder: tuple[Path, str], tmp_path: Path
) -> None:
    files, address = folder
    (files / "ours.ics").write_bytes(with_our_time_zones((FIXTURES / DEFAULT).read_bytes()))

    assert starts(name, f"{address}/ours.ics", tmp_path) == wednesdays()


def test_libical_refuses_icalendars_own_vtimezone_and_not_ours__ics_38() -> None:
    default = (FIXTURES / DEFAULT).read_bytes()

    with pytest.raises(AssertionError, match="VTIMEZONE: Failed iTIP restrictions for COMMENT"):
        libical_errors(default)
    assert libical_errors(with_our_time_zones(default)) == "0 errors\n"


@pytest.mark.parametrize("series", ["series_paris14", "series_toronto08"])
@pytest.mark.parametrize("name", READERS)
def test_a_weekly_series_has_its_156_instants__ics_15(
    name: str, series: str, folder: tuple[Path, str], tmp_path: Path
) -> None:
    files, address = folder
    (files / "series.ics").write_bytes(with_our_time_zones((FIXTURES / f"{series}.ics").read_bytes()))
    expected = json.loads((FIXTURES / f"{series}_expected_utc.json").read_text())

    assert len(expected) == 156 and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00:00Z", at) for at in expected)
    assert starts(name, f"{address}/series.ics", tmp_path) == expected
