"""The rule form of VTIMEZONE against the truth of zoneinfo (ICS-10 to ICS-13, ICS-16)."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from icalendar import Timezone

from perinat_sched import zones
from perinat_sched.feeds import vtimezone

NETWORK_FILE = Path(__file__).parent.parent.parent / "config" / "network.toml"
EXAMPLE_NETWORK = sorted({site["timezone"] for site in tomllib.loads(NETWORK_FILE.read_text())["sites"]})
FRENCH_OVERSEAS = [
    "America/Guadeloupe",
    "America/Martinique",
    "America/St_Barthelemy",
    "America/Marigot",
    "America/Cayenne",
    "Pacific/Noumea",
    "Pacific/Tahiti",
    "Pacific/Marquesas",
    "Pacific/Gambier",
    "Pacific/Wallis",
]
NEIGHBOURS = ["Europe/Brussels", "Europe/London"]
ALL_ZONES = sorted({*EXAMPLE_NETWORK, *FRENCH_OVERSEAS, *NEIGHBOURS})
HALF_HOUR = timedelta(minutes=30)

PARIS = """\
BEGIN:VTIMEZONE
TZID:Europe/Paris
X-LIC-LOCATION:Europe/Paris
BEGIN:STANDARD
DTSTART:20071028T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070325T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""
TORONTO = """\
BEGIN:VTIMEZONE
TZID:America/Toronto
X-LIC-LOCATION:America/Toronto
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
END:VTIMEZONE
"""
REUNION = """\
BEGIN:VTIMEZONE
TZID:Indian/Reunion
X-LIC-LOCATION:Indian/Reunion
BEGIN:STANDARD
DTSTART:19700101T000000
TZNAME:+04
TZOFFSETFROM:+0400
TZOFFSETTO:+0400
END:STANDARD
END:VTIMEZONE
"""


def rules(zone_name: str) -> vtimezone.Rules:
    found = vtimezone.rules(zone_name)
    assert found is not None
    return found


def offsets_as_icalendar_reads(text: str) -> list[tuple[datetime, timedelta]]:
    """The changes of offset (UTC, offset from then on) that a client finds in a VTIMEZONE."""
    timezone = Timezone.from_ical(text.encode())
    assert isinstance(timezone, Timezone)
    instants, offsets = timezone.get_transitions()
    return [(i.replace(tzinfo=UTC), offset) for i, (offset, _, _) in zip(instants, offsets, strict=True)]


def mismatches(text: str, zone_name: str) -> int:
    """On how many half hours from 2026 to 2036 a client that follows `text` is wrong."""
    changes = offsets_as_icalendar_reads(text)
    starts = [start for start, _ in changes]
    truth = zones.zone(zone_name)
    instant, end, wrong = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC), 0
    while instant < end:
        position = bisect_right(starts, instant) - 1
        until = min(starts[position + 1] if position + 1 < len(starts) else end, end)
        while instant < until:
            wrong += instant.astimezone(truth).utcoffset() != changes[position][1]
            instant += HALF_HOUR
    return wrong


@pytest.mark.parametrize(
    ("zone_name", "block"),
    [("Europe/Paris", PARIS), ("America/Toronto", TORONTO), ("Indian/Reunion", REUNION)],
    ids=["Paris", "Toronto", "Réunion"],
)
def test_the_block_is_exactly_this__ics_12(zone_name: str, block: str) -> None:
    assert rules(zone_name).text == block.replace("\n", "\r\n")


@pytest.mark.parametrize("zone_name", ALL_ZONES)
def test_every_half_hour_from_2026_to_2036_is_right__ics_11(zone_name: str) -> None:
    assert mismatches(rules(zone_name).text, zone_name) == 0


@pytest.mark.parametrize("zone_name", ALL_ZONES)
def test_there_is_one_standard_and_at_most_one_daylight_and_nothing_outlook_ignores__ics_11(zone_name: str) -> None:
    lines = rules(zone_name).text.split("\r\n")
    assert lines.count("BEGIN:STANDARD") == 1
    assert lines.count("BEGIN:DAYLIGHT") <= 1
    assert {line.partition(":")[0] for line in lines} <= {
        "BEGIN", "TZID", "X-LIC-LOCATION", "DTSTART", "RRULE", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "END", "",
    }  # fmt: skip


def test_what_icalendar_makes_by_itself_is_wrong_in_the_hour_after_each_spring__ics_13() -> None:
    """Why this module exists. When icalendar mends it, this fails: then look at it again."""
    own = Timezone.from_tzinfo(zones.zone("Europe/Paris"), "Europe/Paris").to_ical().decode()
    assert "RDATE" in own and "COMMENT" in own
    assert mismatches(own, "Europe/Paris") > 0


@pytest.mark.parametrize("zone_name", ["Asia/Jerusalem", "America/Nuuk", "America/Santiago", "Africa/Cairo"])
def test_a_rule_that_is_no_nth_weekday_has_no_rule_form__ics_10(zone_name: str) -> None:
    assert vtimezone.rules(zone_name) is None


@pytest.mark.parametrize("footer", ["", "<+0330>-3:30:15", "CET-1CEST,J60,J300", "CET-1CEST,M3.5.0/-1,M10.5.0"])
def test_a_footer_that_no_client_could_follow_has_no_rule_form(footer: str) -> None:
    assert vtimezone.parse(footer) == ()


def test_dublins_summer_is_the_daylight_time_although_its_law_says_otherwise() -> None:
    standard, daylight = rules("Europe/Dublin").halves
    assert (standard.name, daylight.name) == ("GMT", "IST")
    assert mismatches(rules("Europe/Dublin").text, "Europe/Dublin") == 0


@pytest.mark.parametrize("name", ["Europe/Pari", "../../etc/passwd", "localtime", ""])
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(zones.UnknownZone):
        vtimezone.rules(name)


@pytest.mark.parametrize(
    ("zone_name", "wall", "utc"),
    [
        ("Europe/Paris", "2027-03-18T15:00", "2027-03-18T14:00"),
        ("Europe/Paris", "2027-07-14T15:00", "2027-07-14T13:00"),
        ("Europe/Paris", "2027-01-01T00:00", "2026-12-31T23:00"),
        ("Europe/Paris", "2027-03-28T01:55", "2027-03-28T00:55"),
        ("Europe/Paris", "2027-03-28T02:00", None),
        ("Europe/Paris", "2027-03-28T03:00", "2027-03-28T01:00"),
        ("Europe/Paris", "2027-10-31T02:30", None),
        ("Europe/Paris", "2027-10-31T03:00", "2027-10-31T02:00"),
        ("America/Toronto", "2027-03-18T10:00", "2027-03-18T14:00"),
        ("Pacific/Noumea", "2027-03-19T01:00", "2027-03-18T14:00"),
    ],
    ids=["winter", "summer", "new year", "before the gap", "in the gap", "after the gap", "in the repeated hour",
         "after the repeated hour", "Montréal's odd week", "over the date line"],
)  # fmt: skip
def test_a_wall_time_means_one_instant_or_none__ics_16(zone_name: str, wall: str, utc: str | None) -> None:
    expected = None if utc is None else datetime.fromisoformat(f"{utc}+00:00")
    assert rules(zone_name).instant(datetime.fromisoformat(wall)) == expected


def test_the_rules_of_a_changed_law_disagree_with_the_hours_before_it() -> None:
    """British Columbia keeps summer time from 2026: its January was another clock, which TZID could not say."""
    january = datetime.fromisoformat("2026-01-15T09:00")
    assert rules("America/Vancouver").instant(january) != zones.to_utc(january, "America/Vancouver")
