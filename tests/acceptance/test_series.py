"""The series of a real year, by HTTP: the regional staff, the staff with Québec, and a bridge filled to its last port.

The clock stands on 4 January 2027, so that these dates never become past ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from perinat_sched.settings import Settings
from tests.web.callers import Answer, Api, Caller

OTHERS = ["roubaix", "tourcoing", "seclin", "valenciennes", "lens", "arras", "calais", "boulogne", "dunkerque"]
REGIONAL: dict[str, Any] = {
    "kind": "staff",
    "title": "Visio Périnat — staff régional",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-01-07T13:00",
    "required_sites": OTHERS,
    "rrule": "FREQ=WEEKLY;BYDAY=TH;UNTIL=20271216T235900Z",
    "exclude": ["2027-07-29/2027-08-26"],
    "on_conflict": "leave_out",
}
WITH_QUEBEC: dict[str, Any] = {
    "kind": "international",
    "title": "Visio Périnat — staff franco-québécois",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-01-21T15:00",
    "duration_minutes": 60,
    "required_sites": [*OTHERS, "sainte-justine"],
    "rrule": "FREQ=MONTHLY;BYDAY=3TH;UNTIL=20271216T235900Z",
    "exclude": ["2027-08-19"],
}
SUMMER: dict[str, Any] = {  # an hour at which Montréal and La Réunion are both at work
    **WITH_QUEBEC,
    "title": "Visio Périnat — staff des trois continents",
    "start": "2027-04-20T14:00",
    "required_sites": [*OTHERS, "sainte-justine", "reunion"],
    "rrule": "FREQ=MONTHLY;BYDAY=3TU;COUNT=6",
    "exclude": [],
}


@pytest.fixture
def configured(configured: Settings) -> Settings:
    """The example network with Douai, its thirteenth site."""
    directory = configured.directory
    douai = replace(directory.sites["douai"], active=True)
    return replace(configured, directory=replace(directory, sites={**directory.sites, "douai": douai}))


@pytest.fixture
async def lille(api: Api) -> Caller:
    """The coordinator of the hub."""
    return await api.of("coordinator", sites=("lille",))


async def booked(caller: Caller, asked: dict[str, Any]) -> Any:
    answer = await caller("POST", "/series", asked)
    assert answer.status == 201, answer.body.decode()
    return answer.json


async def move(caller: Caller, session: Any, start: str) -> Answer:
    revision = {"If-Match": f'"{session["revision"]}"'}
    return await caller("PATCH", f"/sessions/{session['id']}", {"start": start}, headers=revision)


async def sessions(caller: Caller) -> list[Any]:
    items: list[Any] = (await caller("GET", "/sessions?limit=500")).json["items"]
    return items


def days(series: Any, *verdicts: str) -> list[str]:
    return [one["recurrence_id"][:10] for one in series["occurrences"] if one["verdict"] in verdicts]


def codes(conflicts: Sequence[Any]) -> set[str]:
    return {conflict["code"] for conflict in conflicts}


def for_good(conflicts: Sequence[Any]) -> set[str]:
    """What no reason overrides: rooms that are being cleared can be taken, ports cannot."""
    return codes([conflict for conflict in conflicts if not conflict["overridable"]])


def on(series: Any, day: str) -> Any:
    return next(one for one in series["occurrences"] if one["recurrence_id"].startswith(day))


async def test_the_regional_staff_of_2027(lille: Caller) -> None:
    """Fifty Thursdays, five of them in summer; two holidays are left out with their reasons and stay known."""
    whole_year = (await lille("POST", "/series?dry_run=true", {**REGIONAL, "exclude": []})).json
    tried = await lille("POST", "/series?dry_run=true", REGIONAL)

    assert len(whole_year["occurrences"]) == 50
    summer = set(days(whole_year, "bookable", "left_out")) - set(days(tried.json, "bookable", "left_out"))
    assert sorted(summer) == ["2027-07-29", "2027-08-05", "2027-08-12", "2027-08-19", "2027-08-26"]
    assert (tried.status, len(days(tried.json, "bookable"))) == (200, 43)
    assert days(tried.json, "left_out") == ["2027-05-06", "2027-11-11"]
    for day in ("2027-05-06", "2027-11-11"):
        conflicts = on(tried.json, day)["conflicts"]
        assert [(one["code"], one["site"]) for one in conflicts] == [("site_closed", one) for one in ["lille", *OTHERS]]
    ascension = on(tried.json, "2027-05-06")
    assert ascension["nearest"]["start"] == "2027-05-05T18:00:00+02:00", "the day before, not the day after Ascension"
    assert await sessions(lille) == []
    assert (await lille("GET", "/series")).json == {"items": [], "next": None}

    answer = await lille("POST", "/series", REGIONAL)

    assert answer.status == 201, answer.body.decode()
    series = answer.json
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/api/v1/series/{series['id']}", '"0"')
    assert days(series, "booked") == days(tried.json, "bookable")
    assert days(series, "left_out") == ["2027-05-06", "2027-11-11"]
    assert series["told"] == sorted(["lille", *OTHERS])
    found = await sessions(lille)
    assert len(found) == 43
    assert {(one["uid"], one["series"]) for one in found} == {(series["uid"], series["id"])}
    assert {one["start"][11:16] for one in found} == {"13:00"}
    summer_time = [one["wall_start"][:10] for one in found if one["start"].endswith("+02:00")]
    assert (summer_time[0], summer_time[-1]) == ("2027-04-01", "2027-10-28"), "13:00 stays, UTC moves"
    assert {(one["bridge"], one["ports"]) for one in found} == {("mcu-lille", 10)}

    read = (await lille("GET", f"/series/{series['id']}")).json
    assert on(read, "2027-05-06")["conflicts"] == ascension["conflicts"], "a date that is left out keeps its reasons"
    later = {"recurrence_id": "2027-05-06T13:00", "override_reason": "Staff maintenu à l’Ascension"}
    added = await lille("POST", f"/series/{series['id']}/occurrences", later)
    assert (added.status, added.json["uid"]) == (201, series["uid"])
    assert days((await lille("GET", f"/series/{series['id']}")).json, "left_out") == ["2027-11-11"]


async def test_the_staff_with_quebec_on_18_march(lille: Caller) -> None:
    """Its eleven ports do not fit beside the ten that the regional staff holds until 14:15: not before 14:45."""
    await booked(lille, REGIONAL)
    series = await booked(lille, WITH_QUEBEC)
    assert days(series, "booked") == [
        "2027-01-21", "2027-02-18", "2027-03-18", "2027-04-15", "2027-05-20", "2027-06-17", "2027-07-15",
        "2027-09-16", "2027-10-21", "2027-11-18", "2027-12-16",
    ]  # fmt: skip
    odd = [one["recurrence_id"] for one in series["occurrences"] if one["warnings"]]
    assert odd == ["2027-03-18T15:00"], "the one of its dates on which Montréal is five hours away, not six"
    session = (await lille("GET", f"/sessions/{on(series, '2027-03-18')['session']}")).json
    assert session["ports"] == 11

    for hour in ("14:00", "14:30"):
        refused = await move(lille, session, f"2027-03-18T{hour}")
        assert (refused.status, refused.slug) == (409, "booking-refused")
        assert for_good(refused.json["conflicts"]) == {"ports_exhausted"}
        assert refused.json["alternatives"][0]["start"] == "2027-03-18T14:45:00+01:00"
    moved = await move(lille, session, "2027-03-18T14:45")

    assert moved.status == 200, moved.body.decode()
    montreal = next(part for part in moved.json["participations"] if part["site"] == "sainte-justine")
    assert montreal["local_start"] == "2027-03-18T09:45:00-04:00"
    assert (moved.json["series"], moved.json["recurrence_id"]) == (series["id"], "2027-03-18T15:00")
    others = [one for one in await sessions(lille) if one["series"] == series["id"] and one["id"] != session["id"]]
    assert {one["wall_start"][11:] for one in others} == {"15:00"}, "the other dates stay where they are"


@pytest.mark.parametrize("hour", ["14:00", "14:30"])
async def test_the_staff_with_quebec_is_offered_14_45_when_it_is_asked_for_earlier(lille: Caller, hour: str) -> None:
    await booked(lille, REGIONAL)
    asked = {**WITH_QUEBEC, "start": f"2027-03-18T{hour}", "rrule": "FREQ=MONTHLY;BYDAY=3TH;COUNT=1", "exclude": []}

    tried = (await lille("POST", "/series?dry_run=true", asked)).json
    refused = await lille("POST", "/series", asked)

    (date,) = tried["occurrences"]
    assert (date["verdict"], for_good(date["conflicts"])) == ("conflict", {"ports_exhausted"})
    assert date["nearest"]["start"] == "2027-03-18T14:45:00+01:00"
    assert (refused.status, refused.json["occurrences"]) == (409, tried["occurrences"])
    assert refused.json["alternatives"][0]["start"] == "2027-03-18T14:45:00+01:00"
    series = await booked(lille, {**asked, "start": "2027-03-18T14:45"})
    session = (await lille("GET", f"/sessions/{series['occurrences'][0]['session']}")).json
    assert [part["local_start"] for part in session["participations"] if part["site"] == "sainte-justine"] == [
        "2027-03-18T09:45:00-04:00"
    ]


async def test_a_twelfth_site_fills_the_bridge_and_a_thirteenth_is_refused_where_it_does_not_fit(lille: Caller) -> None:
    series = await booked(lille, SUMMER)
    assert len(days(series, "booked")) == 6
    assert {(one["bridge"], one["ports"]) for one in await sessions(lille)} == {("mcu-lille", 12)}
    june = (await lille("GET", f"/sessions/{on(series, '2027-06-15')['session']}")).json
    without = {"required_sites": [site for site in SUMMER["required_sites"] if site != "boulogne"]}
    revision = {"If-Match": f'"{june["revision"]}"'}
    assert (await lille("PATCH", f"/sessions/{june['id']}", without, headers=revision)).json["ports"] == 11
    before = await sessions(lille)

    thirteen = {"required_sites": [*SUMMER["required_sites"], "douai"]}
    refused = await lille("PATCH", f"/series/{series['id']}", thirteen, headers={"If-Match": '"0"'})

    assert (refused.status, refused.slug) == (409, "booking-refused")
    assert days(refused.json, "bookable") == ["2027-06-15"], "the date on which one of the twelve is away"
    assert len(days(refused.json, "conflict")) == 5
    for one in refused.json["occurrences"]:
        assert codes(one["conflicts"]) == ({"ports_exhausted"} if one["verdict"] == "conflict" else set())
    assert await sessions(lille) == before, "all of it or none of it"
    elsewhere = {**SUMMER, **thirteen, "start": "2027-04-21T14:00", "rrule": "FREQ=MONTHLY;BYDAY=3WE;COUNT=6"}
    tried = (await lille("POST", "/series?dry_run=true", elsewhere)).json
    assert len(days(tried, "conflict")) == 6
    assert [codes(one["conflicts"]) for one in tried["occurrences"]] == [{"ports_exhausted"}] * 6
    assert [one["nearest"] for one in tried["occurrences"]] == [None] * 6, "no hour has thirteen ports"
