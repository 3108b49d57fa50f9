"""Named cases of the field: ports, touching sessions, shared working hours, the nights of the change of clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from perinat_sched.availability.conflicts import fit
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slots import Search, SlotQuery, search
from perinat_sched.intervals import Interval
from perinat_sched.sites.network import Directory, Limits, OpeningHours
from perinat_sched.zones import to_local, to_utc
from tests.builders import WEEKDAYS, a_directory, a_partner, a_site

PARIS = "Europe/Paris"
TEN = tuple(f"site{number}" for number in range(10))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def paris(text: str) -> datetime:
    return to_utc(datetime.fromisoformat(text), PARIS)


def proposal(*sites: str, minutes: int = 60, optional: tuple[str, ...] = ()) -> Proposal:
    host, *required = sites
    return Proposal(
        network="perinat",
        kind=None,
        duration=minutes * MINUTE,
        host=host,
        required=tuple(required),
        optional=optional,
    )


def hold(start: str, end: str, *, set_up: int = 30, release: int = 15, units: int = 1) -> Hold:
    """Of a bridge when it takes more than one port: then it is guarded with its margins."""
    interval = Interval(paris(start), paris(end))
    around = interval.widened(set_up * MINUTE, release * MINUTE)
    guarded = around if units > 1 else interval
    return Hold(session="other", host="site0", network="perinat", interval=guarded, around=around, units=units)


@pytest.fixture
def directory() -> Directory:
    """Ten sites, Montréal, Réunion, Mayotte and three more, with one bridge of twelve ports; always open."""
    always = (OpeningHours(weekdays=frozenset(range(7)), opens=0, closes=1440),)
    partners = [a_partner(code, opening_hours=always) for code in ("montreal", "reunion", "mayotte")]
    return a_directory(
        *(a_site(code, opening_hours=always) for code in (*TEN, "lens", "arras", "calais")), *partners, ports=12
    )


@pytest.mark.parametrize(
    ("sites", "ports_left"),
    [
        pytest.param(TEN, 2, id="ten sites leave two ports"),
        pytest.param((*TEN, "montreal"), 1, id="with Montréal one"),
        pytest.param((*TEN, "montreal", "reunion"), 0, id="with Réunion none"),
        pytest.param((*TEN, "montreal", "reunion", "mayotte"), None, id="Mayotte is refused"),
    ],
)
def test_twelve_ports_are_shared(directory: Directory, sites: tuple[str, ...], ports_left: int | None) -> None:
    day = date(2027, 3, 18)
    query = SlotQuery(proposal=proposal(*sites), timezone=PARIS, first_day=day, last_day=day, limit=1)
    found = search(Ground(directory=directory, now=LONG_AGO), query)
    assert [slot.ports_left for slot in found.slots] == ([] if ports_left is None else [ports_left])
    refusals = {
        c.code
        for c in fit(Ground(directory=directory, now=LONG_AGO), query.proposal, paris("2027-03-18T15:00")).conflicts
    }
    assert refusals == (set() if ports_left is not None else {"ports_exhausted"})
    if ports_left is None:
        assert {(b.site, b.reasons) for b in found.blocking} == {(s, ("ports_exhausted",)) for s in (*sites, None)}


@pytest.mark.parametrize(
    ("start", "refused"),
    [
        pytest.param("2027-03-18T15:00", True, id="at the same time thirteen"),
        pytest.param("2027-03-18T16:15", True, id="the set-up of three overlaps the release of ten"),
        pytest.param("2027-03-18T16:40", True, id="by five minutes"),
        pytest.param("2027-03-18T16:45", False, id="they only touch"),
        pytest.param("2027-03-18T13:20", True, id="the release of three overlaps the set-up of ten"),
        pytest.param("2027-03-18T13:15", False, id="they only touch before"),
    ],
)
def test_ports_are_taken_over_set_up_and_release_too(directory: Directory, start: str, refused: bool) -> None:
    ten = hold("2027-03-18T15:00", "2027-03-18T16:00", units=10)
    ground = Ground(directory=directory, now=LONG_AGO, holds={"mcu": [ten]})
    found = fit(ground, proposal("lens", "arras", "calais"), paris(start))
    assert [c.code for c in found.conflicts] == (["ports_exhausted"] if refused else [])


@pytest.mark.parametrize(
    ("start", "codes"),
    [
        pytest.param("2027-03-18T13:00", [], id="release until 12:30, set-up from 12:30: they touch"),
        pytest.param("2027-03-18T12:55", ["set_up_overlap"], id="five minutes earlier they overlap"),
        pytest.param("2027-03-18T12:15", ["set_up_overlap"], id="the sessions touch"),
        pytest.param("2027-03-18T12:10", ["room_taken"], id="the sessions overlap"),
    ],
)
def test_half_open_sessions_touch_without_conflict(directory: Directory, start: str, codes: list[str]) -> None:
    other = hold("2027-03-18T11:15", "2027-03-18T12:15")
    ground = Ground(directory=directory, now=LONG_AGO, holds={"lens-1": [other]})
    assert [c.code for c in fit(ground, proposal("lens"), paris(start)).conflicts] == codes
    day = date(2027, 3, 18)
    query = SlotQuery(proposal=proposal("lens"), timezone=PARIS, first_day=day, last_day=day, limit=500)
    assert (paris(start) in {slot.start for slot in search(ground, query).slots}) == (not codes)


def shared_hours(day: str, *zones: str) -> tuple[int, int] | None:
    """From the first to the last hour of Paris time in which all could meet, on a day."""
    office = (OpeningHours(weekdays=WEEKDAYS, opens=8 * 60, closes=17 * 60),)
    lille = a_site("lille")
    others = [a_partner(zone.lower().replace("/", "-"), timezone=zone, opening_hours=office) for zone in zones]
    found = search(
        Ground(directory=a_directory(lille, *others), now=LONG_AGO),
        SlotQuery(
            proposal=proposal("lille", *(site.code for site in others), minutes=5),
            timezone=PARIS,
            first_day=date.fromisoformat(day),
            last_day=date.fromisoformat(day),
            limit=500,
        ),
    )
    if not found.slots:
        return None
    first, last = to_local(found.slots[0].start, PARIS), to_local(found.slots[-1].end, PARIS)
    assert (last - first) / timedelta(minutes=5) == len(found.slots)  # without a gap
    return first.hour, last.hour


@pytest.mark.parametrize(
    ("day", "zones", "hours"),
    [
        pytest.param("2027-01-21", ["America/Toronto"], (14, 19), id="Montréal"),
        pytest.param("2027-03-18", ["America/Toronto"], (13, 19), id="Montréal in the odd weeks of spring"),
        pytest.param("2027-11-04", ["America/Toronto"], (13, 19), id="Montréal in the odd week of autumn"),
        pytest.param("2027-01-21", ["Indian/Reunion"], (8, 14), id="Réunion in winter"),
        pytest.param("2027-06-17", ["Indian/Reunion"], (8, 15), id="Réunion in summer"),
        pytest.param("2027-01-21", ["America/Toronto", "Indian/Reunion"], None, id="both in winter"),
        pytest.param("2027-06-17", ["America/Toronto", "Indian/Reunion"], (14, 15), id="both in summer"),
        pytest.param("2027-03-18", ["America/Toronto", "Indian/Reunion"], (13, 14), id="both in odd weeks"),
        pytest.param("2027-01-21", ["Pacific/Noumea"], None, id="Nouméa"),
        pytest.param("2027-06-17", ["Pacific/Tahiti"], None, id="Tahiti"),
    ],
)
def test_shared_working_hours_in_paris_time(day: str, zones: list[str], hours: tuple[int, int] | None) -> None:
    assert shared_hours(day, *zones) == hours


def night(day: date, **asked: Any) -> Search:
    always = (OpeningHours(weekdays=frozenset(range(7)), opens=0, closes=1440),)
    directory = a_directory(a_site("lille", opening_hours=always))
    query = SlotQuery(
        proposal=proposal("lille"), timezone=PARIS, first_day=day, last_day=day, step_minutes=30, limit=500, **asked
    )
    return search(Ground(directory=directory, now=LONG_AGO), query)


def walls(found: Search) -> list[str]:
    return [to_local(slot.start, PARIS).strftime("%H:%M%z") for slot in found.slots]


def test_on_the_spring_night_nothing_starts_in_the_hour_that_does_not_exist() -> None:
    found = night(date(2027, 3, 28), after=time(1, 30))
    assert walls(found)[:3] == ["01:30+0100", "03:00+0200", "03:30+0200"]
    assert night(date(2027, 3, 28)).starts == 46


def test_on_the_autumn_night_the_repeated_hour_starts_twice() -> None:
    found = night(date(2027, 10, 31), after=time(1, 30))
    assert walls(found)[:6] == ["01:30+0200", "02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100", "03:00+0100"]
    assert night(date(2027, 10, 31)).starts == 50


@pytest.mark.parametrize(
    ("day", "last"),
    [
        pytest.param(date(2027, 3, 28), "01:00+0100", id="spring: an hour from 01:30 ends at 03:30"),
        pytest.param(date(2027, 10, 31), "02:00+0100", id="autumn: an hour from the second 02:00 ends at 03:00"),
    ],
)
def test_before_is_compared_with_the_clocks_at_the_end(day: date, last: str) -> None:
    assert walls(night(day, before=3 * 60))[-1] == last


def test_a_session_over_midnight_ends_on_the_next_day() -> None:
    assert walls(night(date(2027, 5, 5)))[-1] == "23:30+0200"
    assert walls(night(date(2027, 5, 5), before=24 * 60))[-1] == "23:00+0200"


def test_optional_sites_get_ports_in_the_order_given(directory: Directory) -> None:
    eleven = tuple(code for code in directory.sites if code not in ("montreal", "reunion", "mayotte"))[:11]
    query = SlotQuery(
        proposal=proposal(*eleven, optional=("mayotte", "montreal", "reunion")),
        timezone=PARIS,
        first_day=date(2027, 3, 18),
        last_day=date(2027, 3, 18),
        limit=1,
    )
    (slot,) = search(Ground(directory=directory, now=LONG_AGO), query).slots
    assert [(p.site, p.free) for p in slot.places[11:]] == [("mayotte", True), ("montreal", False), ("reunion", False)]
    assert (slot.optional_free, slot.ports_left) == (1, 0)


def test_an_optional_site_that_agreed_before_keeps_its_port(directory: Directory) -> None:
    asked = proposal(*TEN, "lens", optional=("arras", "calais"))
    day = date(2027, 3, 18)
    for settled in ("arras", "calais"):
        query = SlotQuery(
            proposal=replace(asked, settled=frozenset((settled,))), timezone=PARIS, first_day=day, last_day=day, limit=1
        )
        (slot,) = search(Ground(directory=directory, now=LONG_AGO), query).slots
        assert {place.site for place in slot.places if place.free and not place.required} == {settled}


def test_without_the_site_that_needs_a_long_set_up_the_bridge_is_needed_for_less_time() -> None:
    long = a_site("host", limits=Limits(set_up_minutes=120, release_minutes=0))
    short = [a_site(code, limits=Limits(set_up_minutes=0, release_minutes=0)) for code in ("a", "b", "c")]
    day = date(2027, 3, 18)
    ground = Ground(
        directory=a_directory(long, *short, ports=12),
        now=LONG_AGO,
        holds={"mcu": [hold("2027-03-18T10:00", "2027-03-18T11:00", set_up=0, release=0, units=10)]},
    )
    query = SlotQuery(
        proposal=proposal("host", "a", "b", "c"), timezone=PARIS, first_day=day, last_day=day, step_minutes=60
    )
    found = search(ground, query)
    # Open from 8 to 19: the bridge is full at 10 for all, and at 11 and 12 for the host's set-up alone.
    assert [to_local(slot.start, PARIS).hour for slot in found.slots] == [8, 9, 13, 14, 15, 16, 17, 18]
    assert {entry.site: entry.slots_without for entry in found.blocking} == {"host": 2, "a": 0, "b": 0, "c": 0, None: 3}
