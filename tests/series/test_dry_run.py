"""A change of a series, tried: the verdict on every date, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.series.test_booking import booked, verdicts
from tests.series.test_changes import all_sessions, alone, patch, session
from tests.web.callers import Answer, Api, Caller


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def tried(caller: Caller, series: Any, **changes: Any) -> Answer:
    headers = {"If-Match": f'"{series["revision"]}"'}
    return await caller("PATCH", f"/series/{series['id']}?dry_run=true", changes, headers=headers)


async def state(caller: Caller, series: Any) -> tuple[Any, ...]:
    found = await caller("GET", f"/series/{series['id']}")
    audit = (await caller("GET", "/audit")).json["items"]
    return found.headers["ETag"], found.body, await all_sessions(caller), len(audit)


async def test_a_dry_run_says_what_the_change_will_say_and_changes_nothing(admin: Caller) -> None:
    series = await booked(admin)
    other = await admin.book(start="2027-02-18T16:00")
    before = await state(admin, series)
    answer = await tried(admin, series, start="2027-02-04T16:00")
    refused = await patch(admin, series, start="2027-02-04T16:00")

    assert await state(admin, series) == before
    assert (answer.status, "ETag" in answer.headers) == (200, False)
    assert (answer.json["id"], answer.json["revision"], answer.json["told"]) == (series["id"], 0, [])
    assert list(verdicts(answer.json).values()) == ["bookable", "bookable", "conflict", "bookable"]
    assert answer.json["occurrences"] == refused.json["occurrences"]
    [conflict] = {one["session"] for one in answer.json["occurrences"][2]["conflicts"]}
    assert conflict == other["id"]
    assert answer.json["occurrences"][2]["nearest"]["start"][:10] == "2027-02-18"


async def test_what_fits_can_be_sent_as_it_was_tried_and_tells_whom_it_named(admin: Caller) -> None:
    series = await booked(admin)
    change = {"start": "2027-02-04T14:00", "required_sites": ["calais", "lens"]}
    answer = await tried(admin, series, **change)
    done = await patch(admin, series, **change)

    assert set(verdicts(answer.json).values()) == {"bookable"}
    assert answer.json["told"] == done.json["told"] == ["calais", "lens", "lille"]
    assert verdicts(answer.json).keys() == verdicts(done.json).keys()


async def test_dates_that_would_be_cancelled_and_those_that_stay_stand_there_too(admin: Caller) -> None:
    await admin.book(start="2027-02-18T13:30")
    series = await booked(admin, on_conflict="leave_out")
    await admin("POST", f"/sessions/{series['occurrences'][3]['session']}/cancellation")
    series = (await admin("GET", f"/series/{series['id']}")).json
    answer = await tried(admin, series, exclude=["2027-02-11"], title="Visio Périnat — un")
    found = {one["recurrence_id"][:10]: (one["verdict"], one["status"]) for one in answer.json["occurrences"]}

    assert found == {
        "2027-02-04": ("bookable", None),
        "2027-02-11": ("booked", "cancelled"),
        "2027-02-18": ("left_out", None),
        "2027-02-25": ("booked", "cancelled"),
    }
    assert (await session(admin, series, 1))["status"] != "cancelled"


async def test_this_and_the_following_are_tried_as_a_series_that_has_no_address_yet(admin: Caller) -> None:
    series = await booked(admin)
    await alone(admin, await session(admin, series, 3), title="Visio Périnat — la dernière")
    answer = await tried(admin, series, **{"from": "2027-02-18T13:00", "start": "2027-02-18T15:00"})

    assert (answer.status, answer.json["id"], answer.json["uid"]) == (200, None, None)
    assert (answer.json["follows"], "Location" in answer.headers) == (series["id"], False)
    assert verdicts(answer.json) == {"2027-02-18T15:00": "bookable", "2027-02-25T15:00": "bookable"}
    assert [one["id"] for one in (await admin("GET", "/series")).json["items"]] == [series["id"]]


async def test_a_dry_run_is_refused_for_what_the_change_is_refused_for(api: Api, admin: Caller) -> None:
    series = await booked(admin)
    stale = {**series, "revision": 5}
    path = f"/series/{series['id']}?dry_run=true"
    calais = await api.of("coordinator", sites=("calais",))
    stranger = await api.of("clinician", sites=("arras",))

    assert (await tried(admin, stale, title="Visio")).status == 412
    assert (await admin("PATCH", path, {"title": "Visio"})).status == 428
    assert (await tried(admin, series, required_sites=["nowhere"])).fields == ["required_sites[0]"]
    assert (await tried(admin, series, **{"from": "2027-02-19T13:00"})).fields == ["from"]
    assert (await tried(calais, series, title="Visio")).status == 403
    assert (await tried(stranger, series, title="Visio")).status == 404
    assert (await admin("PATCH", path.replace("true", "perhaps"), {}, headers={"If-Match": "*"})).status == 422


async def test_a_dry_run_that_asks_for_nothing_shows_the_series_as_it_is(admin: Caller) -> None:
    series = await booked(admin)
    answer = await tried(admin, series)

    assert (answer.status, answer.json["revision"]) == (200, 0)
    assert set(verdicts(answer.json).values()) == {"booked"}
