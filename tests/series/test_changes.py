"""Changing a series by HTTP: all to come, this and the following, one date alone and back, answers, copies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.series.test_booking import WEEKLY, booked, verdicts
from tests.web.callers import Answer, Api, Caller

DATES = ["2027-02-04", "2027-02-11", "2027-02-18", "2027-02-25"]


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def patch(caller: Caller, series: Any, **changes: Any) -> Answer:
    return await caller("PATCH", f"/series/{series['id']}", changes, headers={"If-Match": f'"{series["revision"]}"'})


async def changed(caller: Caller, series: Any, **changes: Any) -> Any:
    answer = await patch(caller, series, **changes)
    assert answer.status == 200, answer.body.decode()
    return answer.json


async def session(caller: Caller, series: Any, position: int) -> Any:
    return (await caller("GET", f"/sessions/{series['occurrences'][position]['session']}")).json


async def alone(caller: Caller, one: Any, **changes: Any) -> Any:
    answer = await caller("PATCH", f"/sessions/{one['id']}", changes, headers={"If-Match": f'"{one["revision"]}"'})
    assert answer.status == 200, answer.body.decode()
    return answer.json


async def all_sessions(caller: Caller) -> list[Any]:
    items: list[Any] = (await caller("GET", "/sessions?limit=500")).json["items"]
    return items


async def test_all_to_come_follows_the_series_and_what_was_changed_alone_stays(admin: Caller) -> None:
    series = await booked(admin)
    moved = await alone(admin, await session(admin, series, 1), start="2027-02-11T16:00")
    assert (moved["series"], moved["recurrence_id"]) == (series["id"], "2027-02-11T13:00")
    after = await changed(admin, series, start="2027-02-04T14:00", title="Visio Périnat — staff B",
                          required_sites=["calais", "lens"])  # fmt: skip
    assert (after["id"], after["uid"], after["revision"]) == (series["id"], series["uid"], 1)
    assert after["told"] == ["calais", "lens", "lille"]
    assert list(verdicts(after)) == [f"{day}T14:00" for day in DATES]
    found = await all_sessions(admin)
    assert [one["wall_start"][11:] for one in found] == ["14:00", "16:00", "14:00", "14:00"]
    assert {one["title"] for one in found} == {"Visio Périnat — staff B"}
    assert all({part["site"] for part in one["participations"]} == {"lille", "calais", "lens"} for one in found)
    assert {one["id"] for one in found} == {one["session"] for one in series["occurrences"]}

    assert (await admin("DELETE", f"/sessions/{moved['id']}/exception")).status == 204
    back = (await admin("GET", f"/sessions/{moved['id']}")).json
    assert (back["wall_start"], back["recurrence_id"]) == ("2027-02-11T14:00", "2027-02-11T14:00")
    plain = await admin.book(start="2027-03-18T15:00")
    assert (await admin("DELETE", f"/sessions/{plain['id']}/exception")).status == 404


async def test_this_and_the_following_end_the_series_and_begin_a_new_one(admin: Caller) -> None:
    series = await booked(admin)
    after = await changed(admin, series, **{"from": "2027-02-18T13:00", "start": "2027-02-18T15:00"})
    assert after["id"] != series["id"]
    assert after["uid"] != series["uid"]
    assert after["follows"] == series["id"]
    answer = await admin("GET", f"/series/{after['id']}")
    assert (answer.status, answer.headers["ETag"]) == (200, '"0"')
    assert list(verdicts(after)) == ["2027-02-18T15:00", "2027-02-25T15:00"]
    old = (await admin("GET", f"/series/{series['id']}")).json
    assert list(verdicts(old)) == ["2027-02-04T13:00", "2027-02-11T13:00"]
    assert old["revision"] == 1
    assert old["rrule"] == "FREQ=WEEKLY;BYDAY=TH;UNTIL=20270211T120000Z"
    found = await all_sessions(admin)
    assert [one["uid"] for one in found] == [series["uid"]] * 2 + [after["uid"]] * 2
    assert {one["id"] for one in found} == {one["session"] for one in series["occurrences"]}
    again = await changed(admin, after, title="Visio Périnat — suite")
    assert [one["title"] for one in await all_sessions(admin)][2:] == [again["title"]] * 2
    for wrong in ("2027-02-19T13:00", "jeudi"):
        answer = await patch(admin, old, **{"from": wrong, "title": "Visio"})
        assert (answer.status, answer.fields) == (422, ["from"])


@pytest.mark.parametrize("until", ["20270225T120000Z", "20270225", "20270303T235900Z"])
@pytest.mark.parametrize("change", [{"start": "2027-02-04T15:00"}, {"start": "2027-02-04T11:00"},
                                    {"start": "2027-02-04T13:00", "timezone": "Europe/London"}])  # fmt: skip
async def test_another_hour_keeps_the_days_wherever_the_rule_ends(admin: Caller, until: str, change: Any) -> None:
    """An UNTIL at the hour of the last date neither loses that date to a later hour nor gains one by an earlier."""
    series = await booked(admin, rrule=f"FREQ=WEEKLY;BYDAY=TH;UNTIL={until}")
    after = await changed(admin, series, **change)
    assert list(verdicts(after)) == [f"{day}{change['start'][10:]}" for day in DATES]
    assert "cancelled" not in {one["status"] for one in after["occurrences"]}


@pytest.mark.parametrize("since", [None, "2027-02-11T13:00"])
async def test_a_date_left_out_is_tried_again_at_another_hour_and_stands_there_once(
    admin: Caller, since: str | None
) -> None:
    await admin.book(start="2027-02-18T13:30")
    series = await booked(admin, on_conflict="leave_out")
    days = [day for day in DATES if since is None or day >= since[:10]]
    after = await changed(admin, series, start=f"{days[0]}T16:00", **({"from": since} if since else {}))
    assert verdicts(after) == {f"{day}T16:00": "booked" for day in days}
    again = await changed(admin, after, start=f"{days[0]}T13:00", exclude=["2027-02-18"])
    states = {one["recurrence_id"][:10]: one["status"] for one in again["occurrences"]}
    assert states.pop("2027-02-18") == "cancelled"
    assert len(states) == len(days) - 1


async def test_a_date_left_out_that_is_no_date_any_more_is_forgotten(admin: Caller) -> None:
    await admin.book(start="2027-02-18T13:30")
    series = await booked(admin, on_conflict="leave_out")
    after = await changed(admin, series, exclude=["2027-02-18"])
    assert [day[:10] for day in verdicts(after)] == ["2027-02-04", "2027-02-11", "2027-02-25"]


async def test_a_date_that_was_moved_alone_stands_in_the_way_of_another_of_its_series(admin: Caller) -> None:
    """Where it stays, the other date is refused with the reason, not by the database's last fence."""
    series = await booked(admin)
    moved = await alone(admin, await session(admin, series, 1), start="2027-02-18T16:00")
    answer = await patch(admin, series, start="2027-02-04T16:00")
    assert (answer.status, answer.slug) == (409, "booking-refused")
    conflict = next(one for one in answer.json["occurrences"] if one["verdict"] == "conflict")
    assert conflict["recurrence_id"] == "2027-02-18T16:00"
    assert {one["session"] for one in conflict["conflicts"]} == {moved["id"]}


async def test_a_date_cancelled_alone_stays_cancelled_in_the_series_that_takes_over(admin: Caller) -> None:
    series = await booked(admin)
    third = await session(admin, series, 2)
    await admin("POST", f"/sessions/{third['id']}/cancellation")
    assert (await patch(admin, series, title="Visio")).status == 412, "what was read of the series has changed"
    series = (await admin("GET", f"/series/{series['id']}")).json
    after = await changed(admin, series, **{"from": "2027-02-11T13:00", "start": "2027-02-11T16:00"})
    again = await changed(admin, after, title="Visio Périnat — suite")
    states = {one["recurrence_id"]: (one["session"] == third["id"], one["status"]) for one in again["occurrences"]}
    assert states["2027-02-18T16:00"] == (True, "cancelled")
    assert len(states) == 3
    old = (await admin("GET", f"/series/{series['id']}")).json
    assert list(verdicts(old)) == ["2027-02-04T13:00"]
    assert (await admin("GET", f"/sessions/{third['id']}")).json["wall_start"] == "2027-02-18T13:00"


async def test_past_occurrences_never_change(api: Api, admin: Caller) -> None:
    dates: dict[str, Any] = {"rrule": None, "dates": ["2027-01-05", "2027-01-07"], "start": "2027-01-05T13:00"}
    series = await booked(admin, **dates)
    later = datetime(2027, 1, 6, 8, tzinfo=UTC)
    for part in (api.services.series_changes, api.services.series_upkeep):
        object.__setattr__(part, "clock", lambda: later)
    await changed(admin, series, title="Visio Périnat — neuf")
    assert [one["title"] for one in await all_sessions(admin)] == [series["title"], "Visio Périnat — neuf"]
    ended = await admin("POST", f"/series/{series['id']}/cancellation", {"code": "staffing"})
    assert [one["status"] for one in ended.json["occurrences"]] == ["tentative", "cancelled"]
    first = await session(admin, series, 0)
    answer = await admin("DELETE", f"/sessions/{first['id']}/exception")
    assert answer.status == 422


async def test_a_change_that_does_not_fit_one_date_changes_none(admin: Caller) -> None:
    series = await booked(admin)
    other = await admin.book(start="2027-02-18T16:00")
    before = await all_sessions(admin)
    answer = await patch(admin, series, start="2027-02-04T16:00")
    assert (answer.status, answer.slug) == (409, "booking-refused")
    assert [one["verdict"] for one in answer.json["occurrences"]] == ["bookable", "bookable", "conflict", "bookable"]
    assert {one["session"] for one in answer.json["occurrences"][2]["conflicts"]} == {other["id"]}
    assert await all_sessions(admin) == before
    assert (await admin("GET", f"/series/{series['id']}")).json["revision"] == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rrule": "FREQ=WEEKLY;COUNT=2", "dates": ["2027-02-04"]}, "rrule"),
        ({"dates": []}, "dates"),
        ({"override": ["2027-02-04T13:00"]}, "override_reason"),
        ({"start": "2020-01-02T13:00"}, "start"),
        ({"start": "2026-02-05T13:00"}, "start"),
    ],
    ids=["a rule and dates", "no dates", "no reason", "long ago", "last year's"],
)
async def test_a_slip_of_the_pen_cancels_nothing_and_is_named(admin: Caller, wrong: dict[str, Any], field: str) -> None:
    """A year too early would leave nothing to come, and a mail about it with everybody."""
    series = await booked(admin)
    before = await all_sessions(admin)
    answer = await patch(admin, series, **wrong)
    assert (answer.status, answer.fields) == (422, [field])
    assert await all_sessions(admin) == before


async def test_a_repeated_hour_stays_settled_where_the_hour_is_sent_again(admin: Caller) -> None:
    days = ["2027-10-30T02:30", "2027-10-31T02:30"]
    series = await booked(
        admin, kind="test", required_sites=[], start=days[0], rrule="FREQ=DAILY;COUNT=2", fold=1,
        override=days, override_reason="Nuit",
    )  # fmt: skip
    after = await changed(admin, series, start=days[0], timezone="Europe/Paris", title="Essai de nuit")
    assert after["fold"] == 1
    assert (await session(admin, after, 1))["start"] == "2027-10-31T02:30:00+01:00"


async def test_a_series_that_is_running_gets_another_weekday_from_its_first_date_on(admin: Caller) -> None:
    """Its start may lie behind, as long as something is to come."""
    series = await booked(admin)
    after = await changed(admin, series, start="2026-12-18T13:00", rrule="FREQ=WEEKLY;BYDAY=FR;COUNT=8")
    assert [one["recurrence_id"][:10] for one in after["occurrences"]] == [
        "2027-01-08", "2027-01-15", "2027-01-22", "2027-01-29", "2027-02-05",
    ]  # fmt: skip


async def test_a_stale_or_missing_if_match_changes_nothing(admin: Caller) -> None:
    series = await booked(admin)
    assert (await admin("PATCH", f"/series/{series['id']}", {"title": "Visio"})).status == 428
    await changed(admin, series, title="Visio Périnat — un")
    assert (await patch(admin, series, title="Visio Périnat — deux")).status == 412
    answer = await admin("PATCH", f"/series/{series['id']}", {"title": "Visio"}, headers={"If-Match": "*"})
    assert answer.status == 200


async def test_a_date_that_is_excluded_later_is_cancelled_and_a_longer_series_is_booked_on(admin: Caller) -> None:
    series = await booked(admin)
    after = await changed(admin, series, exclude=["2027-02-11"], rrule="FREQ=WEEKLY;BYDAY=TH;COUNT=5")
    states = {one["recurrence_id"][:10]: one["status"] for one in after["occurrences"]}
    assert states["2027-02-11"] == "cancelled"
    assert states["2027-03-04"] in ("confirmed", "tentative")


async def test_another_weekday_moves_the_sessions_one_by_one(admin: Caller) -> None:
    series = await booked(admin)
    after = await changed(admin, series, start="2027-02-05T13:00", rrule="FREQ=WEEKLY;BYDAY=FR;COUNT=4")
    assert list(verdicts(after)) == [f"2027-02-{day}T13:00" for day in ("05", "12", "19", "26")]
    assert [one["session"] for one in after["occurrences"]] == [one["session"] for one in series["occurrences"]]


async def test_cancelling_from_a_date_on_leaves_what_is_before(admin: Caller) -> None:
    series = await booked(admin)
    ended = await admin("POST", f"/series/{series['id']}/cancellation", {"from": "2027-02-18T13:00"})
    assert ended.status == 200
    assert [one["status"] == "cancelled" for one in ended.json["occurrences"]] == [False, False, True, True]
    assert ended.json["status"] != "cancelled"
    wrong = await admin("POST", f"/series/{series['id']}/cancellation", {"from": "2027-02-19T13:00"})
    assert (wrong.status, wrong.fields) == (422, ["from"])
    everything = await admin("POST", f"/series/{series['id']}/cancellation")
    assert everything.json["status"] == "cancelled"
    twice = await admin("POST", f"/series/{series['id']}/cancellation")
    assert twice.json["revision"] == everything.json["revision"]
    refused = await patch(admin, twice.json, title="Visio")
    assert (refused.status, refused.fields) == (422, ["status"])
    await booked(admin)  # its places are free again


async def test_a_date_left_out_is_booked_later(admin: Caller) -> None:
    other = await admin.book(start="2027-02-18T13:30")
    series = await booked(admin, on_conflict="leave_out")
    path, date = f"/series/{series['id']}/occurrences", {"recurrence_id": "2027-02-18T13:00"}
    assert (await admin("POST", path, date)).slug == "booking-refused"
    await admin("POST", f"/sessions/{other['id']}/cancellation")
    answer = await admin("POST", path, date)
    assert answer.status == 201
    assert (answer.json["series"], answer.json["uid"]) == (series["id"], series["uid"])
    read = (await admin("GET", f"/series/{series['id']}")).json
    assert list(verdicts(read).values()) == ["booked"] * 4
    for wrong in ("2027-02-18T13:00", "2027-02-19T13:00"):
        assert (await admin("POST", path, {"recurrence_id": wrong})).fields == ["recurrence_id"]


async def test_a_site_answers_once_for_all_until_a_day_and_but_for_some(api: Api, admin: Caller) -> None:
    lille = await api.of("coordinator", sites=("lille",))
    series = await booked(lille, required_sites=["dunkerque"])
    dunkerque = await api.of("coordinator", sites=("dunkerque",))
    path = f"/series/{series['id']}/participations/dunkerque/answer"
    answer = await dunkerque(
        "PUT", path, {"answer": "tentative", "until": "2027-02-18", "except": ["2027-02-11T13:00"]}
    )
    assert answer.status == 200, answer.body
    assert answer.json["told"] == [], "who answers, and who hosts, hear of no more than a refusal"
    answers = [one["participations"][1]["answer"] for one in await all_sessions(admin)]
    assert answers == ["tentative", "pending", "tentative", "pending"]
    assert (await dunkerque("PUT", path, {"answer": "accepted"})).json["status"] == "confirmed"
    declined = await dunkerque("PUT", path, {"answer": "declined", "comment": "Fermeture"})
    assert declined.json["status"] == "tentative"
    wrong = await dunkerque("PUT", path, {"answer": "accepted", "except": ["2027-02-12T13:00"]})
    assert wrong.fields == ["except[0]"]
    assert (await lille("PUT", path, {"answer": "accepted"})).status == 403
    assert (await admin("PUT", path.replace("dunkerque", "lens"), {"answer": "accepted"})).status == 404
    host = path.replace("dunkerque", "lille")
    assert (await lille("PUT", host, {"answer": "declined"})).fields == ["answer"]


async def test_a_copy_proposes_the_same_series_for_next_year_and_books_nothing(admin: Caller) -> None:
    series = await booked(admin, rrule="FREQ=WEEKLY;COUNT=4")
    answer = await admin("POST", f"/series/{series['id']}/copy", {"from": "2028-01-01", "until": "2028-02-29"})
    assert answer.status == 200, answer.body
    proposed = answer.json
    assert (proposed["id"], proposed["start"]) == (None, "2028-01-06T13:00")
    assert set(verdicts(proposed).values()) == {"bookable"}
    assert len(proposed["occurrences"]) == 8
    assert len(await all_sessions(admin)) == 4
    fields = [*WEEKLY, "title", "duration_minutes", "timezone"]
    again = await admin("POST", "/series", {name: proposed[name] for name in fields})
    assert again.status == 201
    wrong = await admin("POST", f"/series/{series['id']}/copy", {"from": "2028-02-01", "until": "2028-01-01"})
    assert wrong.fields == ["until"]


async def test_the_statements_of_a_change_do_not_grow_with_the_dates(api: Api, admin: Caller) -> None:
    costs = []
    for start, count in (("2027-02-03T13:00", 2), ("2027-02-09T13:00", 40)):
        rule = f"FREQ=WEEKLY;COUNT={count}"
        series = await booked(admin, start=start, rrule=rule, on_conflict="leave_out", exclude_holidays_of=["lille"])
        with api.services.database.counting() as cost:
            await changed(admin, series, start=start.replace("13:00", "14:00"))
        costs.append(cost.total)
    assert costs[1] <= costs[0] + 1  # one for all dates that are left out
