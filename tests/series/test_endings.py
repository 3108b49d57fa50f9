"""Series that end before anything of them took place."""

from __future__ import annotations

import pytest

from tests.series.test_booking import booked, verdicts
from tests.series.test_changes import patch
from tests.web.callers import Api, Caller


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def test_a_series_whose_dates_are_all_left_out_is_ended(admin: Caller) -> None:
    for day in ("04", "11"):
        await admin.book(start=f"2027-02-{day}T13:30")
    series = await booked(admin, on_conflict="leave_out", rrule="FREQ=WEEKLY;COUNT=2")
    assert (list(verdicts(series).values()), series["status"]) == (["left_out"] * 2, "tentative")
    path = f"/series/{series['id']}/cancellation"

    part = (await admin("POST", path, {"from": "2027-02-11T13:00"})).json
    assert (list(verdicts(part)), part["status"], part["revision"]) == (["2027-02-04T13:00"], "tentative", 1)
    ended = (await admin("POST", path)).json
    assert (ended["occurrences"], ended["status"], ended["revision"]) == ([], "cancelled", 2)
    assert (await admin("POST", path)).json["revision"] == 2, "ending twice changes nothing"
    assert (await admin("GET", "/audit")).json["items"][0]["action"] == "series_cancelled"
    assert (await patch(admin, ended, title="Visio")).fields == ["status"]
    later = await admin("POST", f"/series/{series['id']}/occurrences", {"recurrence_id": "2027-02-04T13:00"})
    assert later.fields == ["recurrence_id"]


async def test_dates_left_out_that_were_ended_are_not_booked_by_a_later_change(admin: Caller) -> None:
    await admin.book(start="2027-02-18T13:30")
    series = await booked(admin, on_conflict="leave_out")
    ended = (await admin("POST", f"/series/{series['id']}/cancellation", {"from": "2027-02-18T13:00"})).json
    after = (await patch(admin, ended, start="2027-02-04T16:00")).json

    assert [one["status"] == "cancelled" for one in ended["occurrences"]] == [False, False, True]
    assert [(one["recurrence_id"], one["status"] == "cancelled") for one in after["occurrences"]] == [
        ("2027-02-04T16:00", False), ("2027-02-11T16:00", False), ("2027-02-25T16:00", True),
    ]  # fmt: skip
