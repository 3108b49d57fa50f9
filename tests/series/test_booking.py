"""Series by HTTP, on the example network: what is asked for, tried out, left out and refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.callers import Api, Caller

TEN = ["roubaix", "tourcoing", "seclin", "valenciennes", "lens", "arras", "calais", "boulogne", "dunkerque"]
WEEKLY: dict[str, Any] = {
    "kind": "staff",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-02-04T13:00",
    "required_sites": ["calais"],
    "rrule": "FREQ=WEEKLY;BYDAY=TH;COUNT=4",
}


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def booked(caller: Caller, **given: Any) -> Any:
    answer = await caller("POST", "/series", {**WEEKLY, **given})
    assert answer.status == 201, answer.body.decode()
    return answer.json


def verdicts(series: Any) -> dict[str, str]:
    return {one["recurrence_id"]: one["verdict"] for one in series["occurrences"]}


async def test_a_conflict_refuses_the_whole_series_and_names_what_is_in_the_way(admin: Caller) -> None:
    other = await admin.book(start="2027-02-18T13:30")
    answer = await admin("POST", "/series", WEEKLY)
    assert (answer.status, answer.slug) == (409, "booking-refused")
    assert list(verdicts(answer.json).values()) == ["bookable", "bookable", "conflict", "bookable"]
    taken = answer.json["occurrences"][2]
    assert {conflict["session"] for conflict in taken["conflicts"]} == {other["id"]}
    assert taken["nearest"]["start"] == "2027-02-18T14:45:00+01:00" or taken["nearest"]["start"][:10] == "2027-02-18"
    assert [one["id"] for one in (await admin("GET", "/sessions")).json["items"]] == [other["id"]]

    series = await booked(admin, on_conflict="leave_out")
    assert list(verdicts(series).values()) == ["booked", "booked", "left_out", "booked"]


async def test_the_hour_that_drifts_in_montreal_is_said_for_each_week(admin: Caller) -> None:
    tried = await admin(
        "POST", "/series?dry_run=true",
        {**WEEKLY, "start": "2027-03-04T15:00", "optional_sites": ["sainte-justine"],
         "rrule": "FREQ=WEEKLY;BYDAY=TH;UNTIL=20271209T225900Z"},
    )  # fmt: skip
    odd = [
        one["recurrence_id"][:10]
        for one in tried.json["occurrences"]
        if any(warning["code"] == "unusual-local-time" for warning in one["warnings"])
    ]
    assert odd == ["2027-03-18", "2027-03-25", "2027-11-04"]


async def test_a_skipped_hour_is_a_verdict_and_a_repeated_one_is_settled_by_fold(admin: Caller) -> None:
    nightly = {**WEEKLY, "kind": "test", "required_sites": [], "start": "2027-03-27T02:30", "override_reason": "Nuit",
               "rrule": "FREQ=DAILY;COUNT=3"}  # fmt: skip
    tried = (await admin("POST", "/series?dry_run=true", nightly)).json
    skipped = tried["occurrences"][1]
    assert skipped["verdict"] == "conflict"
    assert [one["code"] for one in skipped["conflicts"]] == ["skipped_local_time"]
    autumn = {**nightly, "start": "2027-10-31T02:30", "rrule": "FREQ=DAILY;COUNT=1"}
    codes = [
        one["code"] for one in (await admin("POST", "/series?dry_run=true", autumn)).json["occurrences"][0]["conflicts"]
    ]
    assert codes == ["repeated_local_time"]
    settled = await booked(admin, **autumn, fold=1, override=["2027-10-31T02:30"])
    session = (await admin("GET", f"/sessions/{settled['occurrences'][0]['session']}")).json
    assert session["start"] == "2027-10-31T02:30:00+01:00"


async def test_a_reason_overrides_the_dates_that_are_named_and_no_others(admin: Caller) -> None:
    early: dict[str, Any] = {"start": "2027-02-04T07:30", "override_reason": "Astreinte", "on_conflict": "leave_out"}
    series = await booked(admin, **early, override=["2027-02-11T07:30"])
    assert list(verdicts(series).values()) == ["left_out", "booked", "left_out", "left_out"]
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"override": ["2027-02-12T07:30"]}, "override[0]"),
        ({"override": ["2027-02-11T07:30"], "override_reason": None}, "override_reason"),
    ]
    for wrong, field in wrongs:
        answer = await admin("POST", "/series", {**WEEKLY, **early, **wrong})
        assert (answer.status, answer.fields) == (422, [field])


async def test_holidays_are_left_out_by_site_and_school_holidays_by_calendar(admin: Caller) -> None:
    thursdays = {"start": "2027-05-06T13:00", "rrule": "FREQ=WEEKLY;COUNT=3"}
    refused = await admin("POST", "/series?dry_run=true", {**WEEKLY, **thursdays, "exclude_holidays_of": ["lille"]})
    assert list(verdicts(refused.json)) == ["2027-05-13T13:00", "2027-05-20T13:00"]
    answer = await admin("POST", "/series", {**WEEKLY, "exclude_holidays_of": ["zone-c"]})
    assert answer.fields == ["exclude_holidays_of[0]"]


async def test_occurrences_of_one_series_do_not_collide_with_each_other(admin: Caller) -> None:
    daily: dict[str, Any] = {"start": "2027-02-01T09:00", "duration_minutes": 1440, "rrule": "FREQ=DAILY;COUNT=3"}
    tried = (await admin("POST", "/series?dry_run=true", {**WEEKLY, **daily})).json
    codes = [{one["code"] for one in date["conflicts"]} for date in tried["occurrences"]]
    assert "set_up_overlap" not in codes[0] or codes[1]
    dates: dict[str, Any] = {"rrule": None, "dates": ["2027-02-04", "2027-06-03", "2027-09-02"]}
    assert list(verdicts(await booked(admin, **dates))) == ["2027-02-04T13:00", "2027-06-03T13:00", "2027-09-02T13:00"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rrule": "FREQ=WEEKLY;BYDAY=TH"}, "rrule"),
        ({"rrule": "FREQ=WEEKLY;COUNT=1000000000"}, "rrule"),
        ({"rrule": "FREQ=WEEKLY;COUNT=2;INTERVAL=0"}, "rrule"),
        ({"rrule": "FREQ=SECONDLY;COUNT=2"}, "rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20280401"}, "rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20270101"}, "rrule"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=FR;COUNT=2"}, "start"),
        ({"rrule": None}, "rrule"),
        ({"dates": ["2027-02-04"]}, "rrule"),
        ({"exclude": ["2027-02-04/2027-03-30"]}, "exclude"),
        ({"start": "2027-02-04T13:02"}, "start"),
        ({"required_sites": ["nowhere"]}, "required_sites[0]"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_its_field(admin: Caller, wrong: dict[str, Any], field: str) -> None:
    answer = await admin("POST", "/series", {**WEEKLY, **wrong})
    assert (answer.status, answer.slug, answer.fields) == (422, "invalid-request", [field])


async def test_an_exclusion_that_matches_nothing_is_a_warning(admin: Caller) -> None:
    series = await booked(admin, exclude=["2027-02-05", "2027-02-11"])
    assert [one["code"] for one in series["warnings"]] == ["exclusion-matches-nothing"]
    assert "2027-02-05" in series["warnings"][0]["detail"]
    assert len(series["occurrences"]) == 3


async def test_a_series_is_hidden_from_those_who_may_not_see_its_sessions(api: Api, admin: Caller) -> None:
    series = await booked(admin, access_code="4711")
    assert series["access_code"] == "4711"
    stranger = await api.of("clinician", sites=("arras",))
    assert (await stranger("GET", f"/series/{series['id']}")).status == 404
    assert (await stranger("GET", "/series")).json["items"] == []
    colleague = await api.of("coordinator", sites=("arras",))
    seen = (await colleague("GET", f"/series/{series['id']}")).json
    assert (seen["title"], seen["host_site"], seen["required_sites"]) == ("", None, [])
    assert "access_code" not in seen
    assert (await colleague("POST", "/series", WEEKLY)).status == 403
    of_calais = await api.of("clinician", sites=("calais",))
    assert [one["id"] for one in (await of_calais("GET", "/series")).json["items"]] == [series["id"]]


@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_the_number_of_statements_does_not_grow_with_the_dates(api: Api, admin: Caller, dry_run: str) -> None:
    costs = []
    for start, rule in (("2027-02-05T13:00", "FREQ=WEEKLY;COUNT=2"), ("2027-02-08T16:00", "FREQ=DAILY;COUNT=366")):
        asked = {**WEEKLY, "start": start, "rrule": rule, "required_sites": TEN, "on_conflict": "leave_out"}
        with api.services.database.counting() as cost:
            answer = await admin("POST", f"/series?dry_run={dry_run}", asked)
        assert answer.status in (200, 201), answer.body
        assert answer.json["occurrences"][-1]["verdict"] in ("booked", "bookable")
        costs.append(cost.total)
    assert costs[1] <= costs[0] + 1 <= 12  # one for all dates that are left out
