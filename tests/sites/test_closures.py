"""When a site is open: local hours over the changes of clocks, public holidays, and calendars/*.ics."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perinat_sched import zones
from perinat_sched.errors import ConfigurationProblem
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Calendars, Closure, open_at, open_hours
from perinat_sched.sites.network import OpeningHours, Site
from tests.builders import a_directory, a_partner, a_site

ROOT = Path(__file__).parent.parent.parent
PARIS, MONTREAL, REUNION, MIQUELON = "Europe/Paris", "America/Toronto", "Indian/Reunion", "America/Miquelon"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str, zone: str = "UTC") -> Interval:
    """From one wall time to another; neither skipped nor repeated."""
    return Interval(*(zones.to_utc(datetime.fromisoformat(text), zone) for text in (start, end)))


def day_of(day: str, zone: str = PARIS) -> Interval:
    first = date.fromisoformat(day)
    return Interval(zones.start_of_day(first, zone), zones.start_of_day(first + timedelta(days=1), zone))


def hours(days: str, opens: float, closes: float) -> OpeningHours:
    """Opening hours: `days` as digits (0 Monday), hours as numbers."""
    weekdays = frozenset(int(day) for day in days)
    return OpeningHours(weekdays=weekdays, opens=round(opens * 60), closes=round(closes * 60))


def a_place(zone: str, *opening_hours: OpeningHours) -> Site:
    return a_site("place", timezone=zone, opening_hours=opening_hours)


# --- Opening hours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "is_open"),
    [
        ("2027-03-18T08:00", "2027-03-18T19:00", True),
        ("2027-03-18T07:59", "2027-03-18T09:00", False),
        ("2027-03-18T18:00", "2027-03-18T19:01", False),
        ("2027-03-18T08:00", "2027-03-18T08:01", True),
        ("2027-03-18T18:00", "2027-03-19T09:00", False),
        ("2027-03-20T10:00", "2027-03-20T11:00", False),
    ],
    ids=["the whole day", "a minute early", "a minute late", "its first minute", "over night", "Saturday"],
)
def test_a_session_stands_whole_within_the_hours(start: str, end: str, is_open: bool) -> None:
    assert open_at(a_place(PARIS, hours("01234", 8, 19)), span(start, end, PARIS)) is is_open


def test_two_entries_that_touch_or_overlap_are_one() -> None:
    site = a_place(PARIS, hours("3", 8, 12), hours("3", 12, 14), hours("3", 13, 17))
    assert open_at(site, span("2027-03-18T09:00", "2027-03-18T17:00", PARIS))


def test_a_break_at_noon_is_closed() -> None:
    site = a_place(PARIS, hours("3", 8, 12), hours("3", 13, 17))
    assert not open_at(site, span("2027-03-18T11:00", "2027-03-18T14:00", PARIS))


@pytest.mark.parametrize("night", ["2027-03-18", "2027-12-31", "2027-03-27"], ids=["usual", "New Year", "change"])
def test_a_day_that_ends_at_24_joins_the_next(night: str) -> None:
    site = a_place(PARIS, hours("0123456", 22, 24), hours("0123456", 0, 6))
    midnight = zones.start_of_day(date.fromisoformat(night) + timedelta(days=1), PARIS)
    assert open_at(site, Interval(midnight - timedelta(hours=2), midnight + timedelta(hours=2)))


def test_hours_follow_the_clocks_of_the_place_from_winter_to_summer() -> None:
    site = a_place(PARIS, hours("01234", 8, 19))
    week = Interval(utc("2027-03-25T00:00"), utc("2027-03-31T00:00"))
    assert open_hours(site, week) == [
        span("2027-03-25T07:00", "2027-03-25T18:00"),
        span("2027-03-26T07:00", "2027-03-26T18:00"),
        span("2027-03-29T06:00", "2027-03-29T17:00"),
        span("2027-03-30T06:00", "2027-03-30T17:00"),
    ]


def test_paris_and_montreal_share_an_hour_more_in_the_odd_weeks() -> None:
    lille, montreal = a_place(PARIS, hours("01234", 8, 19)), a_place(MONTREAL, hours("01234", 8, 17))
    for day, first in (("2027-03-11", 14), ("2027-03-18", 13), ("2027-04-01", 14)):
        shared = [
            hour
            for hour in range(8, 19)
            for session in [span(f"{day}T{hour:02}:00", f"{day}T{hour + 1:02}:00", PARIS)]
            if open_at(lille, session) and open_at(montreal, session)
        ]
        assert shared == list(range(first, 19)), day


def test_reunion_has_no_other_hours_in_summer() -> None:
    site = a_place(REUNION, hours("01234", 8, 17))
    assert open_hours(site, day_of("2027-01-14", REUNION)) == [span("2027-01-14T04:00", "2027-01-14T13:00")]
    assert open_hours(site, day_of("2027-07-15", REUNION)) == [span("2027-07-15T04:00", "2027-07-15T13:00")]


def test_miquelon_changes_its_clocks_with_north_america() -> None:
    site = a_place(MIQUELON, hours("01234", 8, 17))
    assert open_hours(site, day_of("2027-03-12", MIQUELON)) == [span("2027-03-12T11:00", "2027-03-12T20:00")]
    assert open_hours(site, day_of("2027-03-15", MIQUELON)) == [span("2027-03-15T10:00", "2027-03-15T19:00")]


def test_on_the_short_night_the_skipped_hour_is_no_time_at_all() -> None:
    site = a_place(PARIS, hours("6", 1, 4))
    assert open_hours(site, day_of("2027-03-28")) == [span("2027-03-28T00:00", "2027-03-28T02:00")]
    assert open_hours(a_place(PARIS, hours("6", 2, 3)), day_of("2027-03-28")) == []


def test_on_the_long_night_an_hour_that_comes_twice_is_open_twice() -> None:
    site = a_place(PARIS, hours("6", 1, 4))
    assert open_hours(site, day_of("2027-10-31")) == [span("2027-10-30T23:00", "2027-10-31T03:00")]
    halves = open_hours(a_place(PARIS, hours("6", 2.5, 3)), day_of("2027-10-31"))
    assert halves == [span("2027-10-31T00:30", "2027-10-31T01:00"), span("2027-10-31T01:30", "2027-10-31T02:00")]


def test_open_hours_are_cut_at_the_window() -> None:
    site = a_place(PARIS, hours("0123456", 0, 24))
    window = span("2026-12-30T10:00", "2027-01-02T11:00")
    assert open_hours(site, window) == [window]


def test_a_day_that_never_was_does_no_harm() -> None:
    site = a_place("Pacific/Apia", hours("0123456", 8, 17))  # Samoa had no 30 December 2011
    found = open_hours(site, span("2011-12-29T12:00", "2012-01-01T12:00"))
    assert [zones.to_local(one.start, site.timezone).day for one in found] == [29, 31, 1]


CHANGES = [date(2026, 10, 24), date(2027, 3, 13), date(2027, 3, 27), date(2027, 10, 30), date(2027, 11, 6)]
PLACES = [PARIS, MONTREAL, REUNION, MIQUELON, "America/Havana", "Africa/Cairo", "Australia/Lord_Howe"]
some_hours = st.builds(
    lambda days, a, b: OpeningHours(weekdays=days, opens=min(a, b), closes=max(a, b) + 15),
    st.frozensets(st.integers(0, 6)),
    *[st.integers(0, 95).map(lambda quarter: quarter * 15)] * 2,
)


@given(st.sampled_from(PLACES), st.lists(some_hours, min_size=1, max_size=3), st.sampled_from(CHANGES))
def test_a_place_is_open_when_its_clocks_say_so(zone: str, opening: list[OpeningHours], day: date) -> None:
    """Brute force: what the clocks show, quarter by quarter, over the days around a change of clocks."""
    window = Interval(datetime(day.year, day.month, day.day, tzinfo=UTC), utc(f"{day + timedelta(days=3)}T00:00"))
    found = open_hours(a_place(zone, *opening), window)
    instant = window.start
    while instant < window.end:
        local = zones.to_local(instant, zone)
        minute = local.hour * 60 + local.minute
        expected = any(local.weekday() in one.weekdays and one.opens <= minute < one.closes for one in opening)
        assert any(one.start <= instant < one.end for one in found) == expected, (instant, local)
        instant += timedelta(minutes=15)
    assert all(left.end < right.start for left, right in pairwise(found))


# --- Public holidays ---------------------------------------------------------------------------------------------


def closed_days(holidays: str, zone: str, year: int = 2027) -> dict[date, str]:
    site = a_site("place", timezone=zone, holidays=holidays)
    whole = Interval(zones.start_of_day(date(year, 1, 1), zone), zones.start_of_day(date(year + 1, 1, 1), zone))
    closures = Calendars(agendas={}, room_zones={}).of_site(site, whole)
    assert all(closure.source == "public-holiday" for closure in closures)
    for closure in closures:  # the whole local day, whatever its length
        assert closure.interval == day_of(str(zones.to_local(closure.interval.start, zone).date()), zone)
    return {zones.to_local(closure.interval.start, zone).date(): closure.reason for closure in closures}


def thursdays(days: dict[date, str]) -> dict[str, str]:
    return {f"{day:%m-%d}": name for day, name in days.items() if day.weekday() == 3}


def test_a_thursday_series_of_2027_meets_two_holidays_in_france_and_two_in_quebec() -> None:
    assert thursdays(closed_days("FR", PARIS)) == {"05-06": "Ascension", "11-11": "Armistice"}
    assert thursdays(closed_days("CA-QC", MONTREAL)) == {
        "06-24": "Fête nationale du Québec",
        "07-01": "Fête du Canada",
    }


def test_each_overseas_territory_keeps_its_own_day() -> None:
    france = closed_days("FR", PARIS).keys()
    assert closed_days("FR-974", REUNION).keys() - france == {date(2027, 12, 20)}
    assert closed_days("FR-976", "Indian/Mayotte").keys() - france == {date(2027, 4, 27)}
    assert closed_days("FR-PM", MIQUELON).keys() == france


def test_a_country_without_french_names_keeps_its_own() -> None:
    assert "Neujahr" in closed_days("DE", "Europe/Berlin").values()


def test_a_place_without_holidays_is_open_on_new_year() -> None:
    assert closed_days("", PARIS) == {}


def test_new_year_is_found_from_either_side() -> None:
    calendars, site = Calendars(agendas={}, room_zones={}), a_site("place", timezone="Pacific/Noumea", holidays="FR-NC")
    new_year = day_of("2028-01-01", "Pacific/Noumea")  # begins in 2027 UTC
    assert new_year.start.year == 2027
    for window in (
        new_year,
        span("2027-12-31T14:00", "2027-12-31T15:00"),
        span("2028-01-01T00:00", "2028-01-01T02:00"),
    ):
        assert [closure.interval for closure in calendars.of_site(site, window)] == [new_year]


# --- calendars/*.ics ---------------------------------------------------------------------------------------------

SITE = a_site("lille", calendars=("ponts",))
FAR = a_partner("sainte-justine", calendars=("ponts",))
YEAR = span("2027-01-01T00:00", "2028-01-01T00:00")


def read(folder: Path, **files: str) -> tuple[Calendars, list[ConfigurationProblem]]:
    """Calendars written as the lines of their events; events are parted by a blank line."""
    for name, text in files.items():
        events = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in text.strip().split("\n\n"))
        content = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{events}END:VCALENDAR\n"
        (folder / f"{name.replace('_', '-')}.ics").write_bytes(content.encode())
    problems: list[ConfigurationProblem] = []
    return Calendars.read(folder, a_directory(SITE, FAR), problems), problems


def calendars_of(folder: Path, **files: str) -> Calendars:
    calendars, problems = read(folder, **files)
    assert problems == []
    return calendars


def shown(closures: list[Closure], zone: str = PARIS) -> list[str]:
    return [
        f"{zones.to_local(c.interval.start, zone):%m-%d %H:%M}–{zones.to_local(c.interval.end, zone):%m-%d %H:%M}"
        f" {c.reason}"
        for c in closures
    ]


def test_an_empty_folder_closes_nothing(tmp_path: Path) -> None:
    calendars = calendars_of(tmp_path)
    assert calendars.of_site(SITE, YEAR) == calendars.of_room("lille-1", YEAR) == []


def test_a_calendar_closes_the_site_or_room_of_its_name_and_those_that_list_it(tmp_path: Path) -> None:
    event = "DTSTART;TZID=Europe/Paris:20270301T080000\nDURATION:PT2H\nSUMMARY:"
    calendars = calendars_of(
        tmp_path, lille=event + "site", lille_1=event + "salle", ponts=event + "commun", other=event + "x"
    )
    assert [c.reason for c in calendars.of_site(SITE, YEAR)] == ["site", "commun"]
    assert [c.reason for c in calendars.of_room("lille-1", YEAR)] == ["salle"]
    assert [c.reason for c in calendars.of_site(FAR, YEAR)] == ["commun"]
    assert {c.source for c in calendars.of_site(SITE, YEAR)} == {"calendar"}


def test_a_weekly_event_keeps_its_hour_over_the_change_of_clocks(tmp_path: Path) -> None:
    calendars = calendars_of(
        tmp_path,
        lille="""
SUMMARY:Garde
DTSTART;TZID=Europe/Paris:20270318T140000
DTEND;TZID=Europe/Paris:20270318T150000
RRULE:FREQ=WEEKLY;COUNT=4
EXDATE;TZID=Europe/Paris:20270325T140000
""",
    )
    assert shown(calendars.of_site(SITE, YEAR)) == [
        "03-18 14:00–03-18 15:00 Garde",
        "04-01 14:00–04-01 15:00 Garde",
        "04-08 14:00–04-08 15:00 Garde",
    ]


def test_a_moved_occurrence_leaves_its_place_and_a_cancelled_one_is_gone(tmp_path: Path) -> None:
    calendars = calendars_of(
        tmp_path,
        lille="""
UID:1
SUMMARY:Garde
DTSTART;TZID=Europe/Paris:20270304T140000
DURATION:PT1H
RRULE:FREQ=WEEKLY;COUNT=3

UID:1
RECURRENCE-ID;TZID=Europe/Paris:20270311T140000
SUMMARY:Garde déplacée
DTSTART;TZID=Europe/Paris:20270312T090000
DURATION:PT2H

UID:1
RECURRENCE-ID;TZID=Europe/Paris:20270318T140000
SUMMARY:Garde
DTSTART;TZID=Europe/Paris:20270318T140000
DURATION:PT1H
STATUS:CANCELLED
""",
    )
    assert shown(calendars.of_site(SITE, YEAR)) == [
        "03-04 14:00–03-04 15:00 Garde",
        "03-12 09:00–03-12 11:00 Garde déplacée",
    ]


def test_a_cancelled_event_closes_nothing_and_a_transparent_one_does(tmp_path: Path) -> None:
    event = "DTSTART;TZID=Europe/Paris:20270301T080000\nDURATION:PT2H\n"
    calendars = calendars_of(
        tmp_path, lille=f"{event}STATUS:CANCELLED\n\n{event}TRANSP:TRANSPARENT\nSUMMARY:Journée portes ouvertes"
    )
    assert [c.reason for c in calendars.of_site(SITE, YEAR)] == ["Journée portes ouvertes"]


def test_additional_dates_count(tmp_path: Path) -> None:
    calendars = calendars_of(
        tmp_path,
        lille="DTSTART;TZID=Europe/Paris:20270301T080000\nDURATION:PT1H\nRDATE;TZID=Europe/Paris:20270601T080000",
    )
    assert shown(calendars.of_site(SITE, YEAR)) == ["03-01 08:00–03-01 09:00 ", "06-01 08:00–06-01 09:00 "]


def test_an_all_day_event_and_an_hour_without_a_zone_are_local_to_each_site(tmp_path: Path) -> None:
    calendars = calendars_of(
        tmp_path,
        ponts="""
SUMMARY:Pont
DTSTART;VALUE=DATE:20270328
DTEND;VALUE=DATE:20270330

SUMMARY:Midi
DTSTART:20270401T120000
DTEND:20270401T130000
""",
    )
    for site in (SITE, FAR):
        assert shown(calendars.of_site(site, YEAR), site.timezone) == [
            "03-28 00:00–03-30 00:00 Pont",
            "04-01 12:00–04-01 13:00 Midi",
        ]
    pont, _ = calendars.of_site(SITE, YEAR)
    assert pont.interval.duration == timedelta(hours=47)  # one of the two days is short in Paris


def test_a_day_without_an_end_is_one_day_and_recurs_every_year(tmp_path: Path) -> None:
    calendars = calendars_of(tmp_path, lille="SUMMARY:Fête\nDTSTART;VALUE=DATE:20200720\nRRULE:FREQ=YEARLY")
    assert [c.interval for c in calendars.of_site(SITE, YEAR)] == [day_of("2027-07-20")]
    assert [c.interval for c in calendars.of_site(SITE, day_of("2090-07-20"))] == [day_of("2090-07-20")]


def test_a_closure_over_new_year_is_there_once_from_either_side(tmp_path: Path) -> None:
    calendars = calendars_of(tmp_path, lille="SUMMARY:Noël\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270104")
    both = span("2026-01-01T00:00", "2029-01-01T00:00")
    for window in (
        both,
        YEAR,
        span("2027-01-02T10:00", "2027-01-02T11:00"),
        span("2026-12-30T10:00", "2026-12-31T11:00"),
    ):
        assert len(calendars.of_site(SITE, window)) == 1
    assert calendars.of_site(SITE, span("2027-01-03T23:00", "2027-01-04T11:00")) == []


def test_events_without_a_uid_do_not_hide_one_another(tmp_path: Path) -> None:
    event = "DTSTART;TZID=Europe/Paris:202703{:02}T080000\nDURATION:PT1H"
    calendars = calendars_of(tmp_path, lille="\n\n".join(event.format(day) for day in (1, 2, 3)))
    assert len(calendars.of_site(SITE, YEAR)) == 3


def test_a_zone_that_the_file_defines_is_taken_from_it(tmp_path: Path) -> None:
    zone = (
        b"BEGIN:VTIMEZONE\nTZID:Bureau\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
        b"TZOFFSETFROM:+0200\nTZOFFSETTO:+0200\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    calendars_of(
        tmp_path,
        lille="DTSTART;TZID=Bureau:20270301T080000\nDTEND;TZID=Bureau:20270301T090000".replace("Bureau", "UTC"),
    )
    path = tmp_path / "lille.ics"
    path.write_bytes(
        path.read_bytes().replace(b"TZID=UTC", b"TZID=Bureau").replace(b"BEGIN:VEVENT", zone + b"BEGIN:VEVENT")
    )
    calendars, problems = read(tmp_path)
    assert problems == []
    assert [c.interval for c in calendars.of_site(SITE, YEAR)] == [span("2027-03-01T06:00", "2027-03-01T07:00")]


def test_a_reason_is_one_short_line_without_hidden_characters(tmp_path: Path) -> None:
    event = "DTSTART;VALUE=DATE:20270301\nSUMMARY:Travaux\\nsalle \u202e" + "x" * 300
    (closure,) = calendars_of(tmp_path, lille=event).of_site(SITE, YEAR)
    assert closure.reason.startswith("Travaux salle")
    assert len(closure.reason) == 200
    assert "\u202e" not in closure.reason


def test_a_wrong_file_spares_the_others(tmp_path: Path) -> None:
    (tmp_path / "calais.ics").write_bytes(b"garbage")
    calendars, problems = read(tmp_path, lille="SUMMARY:Pont\nDTSTART;VALUE=DATE:20270507")
    assert [Path(problem.file).name for problem in problems] == ["calais.ics"]
    assert [c.reason for c in calendars.of_site(SITE, YEAR)] == ["Pont"]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=99991231T000000Z",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    ],
)
def test_no_rule_keeps_a_search_waiting(rule: str, tmp_path: Path) -> None:
    started = time.process_time()
    event = "DTSTART;TZID=Europe/Paris:20270104T080000\nDURATION:PT1H\nRRULE:"
    calendars, problems = read(tmp_path, lille=event + rule)
    assert {problem.reason for problem in problems} <= {"here the file has taken too long"}  # on a slow machine
    calendars.of_site(SITE, YEAR)
    assert time.process_time() - started < 5  # a second here


def test_a_file_of_many_rules_that_never_come_is_given_up(tmp_path: Path) -> None:
    started = time.process_time()
    event = "DTSTART;TZID=Europe/Paris:20270104T080000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"
    _, problems = read(tmp_path, lille="\n\n".join([event] * 500))
    assert [problem.reason for problem in problems] == ["here the file has taken too long"]
    assert time.process_time() - started < 10  # 4 s here; all of them would take minutes


def test_a_year_of_fifty_sites_comes_from_what_was_worked_out_before(tmp_path: Path) -> None:
    event = "DTSTART;TZID=Europe/Paris:20270104T180000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY"
    calendars = calendars_of(tmp_path, lille=event)
    sites = [a_site("lille", holidays="FR")] * 50
    first = [calendars.of_site(site, YEAR) for site in sites]
    started = time.process_time()
    assert [calendars.of_site(site, YEAR) for site in sites] == first
    assert time.process_time() - started < 0.1  # 5 ms here; expanding anew would take seconds


# --- The calendars that ship -------------------------------------------------------------------------------------


def test_the_example_calendars_show_each_form_of_closure() -> None:
    lille = a_site("lille", rooms=("lille-1", "lille-2"), calendars=("fermetures-communes",))
    calais = a_site("calais")
    problems: list[ConfigurationProblem] = []
    calendars = Calendars.read(ROOT / "calendars", a_directory(lille, calais), problems)
    assert problems == []
    year = span("2027-04-01T00:00", "2028-01-01T00:00")
    assert shown(calendars.of_site(lille, year)) == [
        "04-02 18:00–04-02 19:00 Maintenance du réseau",
        "05-07 00:00–05-08 00:00 Pont de l’Ascension",
        "06-04 18:00–06-04 19:00 Maintenance du réseau",
        "07-06 18:00–07-06 19:00 Maintenance du réseau (déplacée)",
        "08-06 18:00–08-06 19:00 Maintenance du réseau",
        "09-03 18:00–09-03 19:00 Maintenance du réseau",
        "10-01 18:00–10-01 19:00 Maintenance du réseau",
        "11-05 18:00–11-05 19:00 Maintenance du réseau",
        "12-03 18:00–12-03 19:00 Maintenance du réseau",
        "12-24 12:00–12-25 00:00 Veille de Noël : fermeture à midi",
    ]
    assert shown(calendars.of_site(calais, year)) == ["08-13 00:00–08-17 00:00 Pont du 15 août"]
    assert shown(calendars.of_room("lille-2", span("2027-09-01T00:00", "2028-07-01T00:00"))) == [
        "09-14 14:00–09-14 16:00 Salle prise par l’enseignement",
        "10-12 14:00–10-12 16:00 Salle prise par l’enseignement",
        "11-09 14:00–11-09 16:00 Salle prise par l’enseignement",
        "01-11 14:00–01-11 16:00 Salle prise par l’enseignement",
        "02-08 14:00–02-08 16:00 Salle prise par l’enseignement",
        "03-15 09:00–03-15 11:00 Salle prise par l’enseignement (déplacé)",
        "04-11 14:00–04-11 16:00 Salle prise par l’enseignement",
        "05-09 14:00–05-09 16:00 Salle prise par l’enseignement",
        "06-13 14:00–06-13 16:00 Salle prise par l’enseignement",
    ]
