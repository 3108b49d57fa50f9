"""The revision of a series, its ETag: another whenever another thing is read of it, and never without a reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.series.test_booking import booked
from tests.series.test_changes import all_sessions, alone, changed, patch, session
from tests.web.callers import Answer, Api, Caller


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def read(caller: Caller, series: Any, etag: str = "") -> Answer:
    headers = {"If-None-Match": etag} if etag else {}
    return await caller("GET", f"/series/{series['id']}", headers=headers)


async def deeds(caller: Caller) -> list[tuple[str, str]]:
    return [(one["action"], one["object_id"]) for one in (await caller("GET", "/audit")).json["items"]]


async def test_who_has_a_series_as_it_is_gets_304(admin: Caller) -> None:
    series = await booked(admin)
    first = await read(admin, series)
    again = await read(admin, series, first.headers["ETag"])
    weakly = await read(admin, series, f'W/{first.headers["ETag"]}, "77"')
    other = await read(admin, series, '"77"')

    assert first.headers["ETag"] == f'"{series["revision"]}"'
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert (weakly.status, other.status, other.body) == (304, 200, first.body)


async def test_the_etag_is_another_whenever_the_body_is(api: Api, admin: Caller) -> None:
    """Whatever is done, to a date alone too: the same ETag, the same body; and a change of it is never missed."""
    lille = await api.of("coordinator", sites=("lille",))
    dunkerque = await api.of("coordinator", sites=("dunkerque",))
    series = await booked(lille, required_sites=["dunkerque"], optional_sites=["sainte-justine"])
    path = f"/sessions/{series['occurrences'][0]['session']}"
    bodies = {}

    async def look() -> None:
        answer = await read(lille, series)
        bodies.setdefault(answer.headers["ETag"], set()).add(answer.body)

    await look()
    for method, address, body in [
        ("PUT", f"{path}/participations/dunkerque/answer", {"answer": "accepted"}),
        ("PUT", f"{path}/participations/dunkerque/answer", {"answer": "accepted", "comment": "Oui"}),
        ("PUT", f"{path}/participations/dunkerque/answer", {"answer": "declined"}),
        ("POST", f"{path}/cancellation", {}),
        ("DELETE", f"{path}/cancellation", None),
        ("PUT", f"/series/{series['id']}/participations/dunkerque/answer", {"answer": "accepted"}),
    ]:
        caller = dunkerque if "participations" in address else lille
        answer = await caller(method, address, body)
        assert answer.status == 200, answer.body
        await look()
    one = (await lille("GET", path)).json
    one = await alone(lille, one, title="Visio Périnat — une fois")
    await look()
    await alone(lille, one, start="2027-03-18T13:00")  # in the odd weeks of Montréal
    await look()
    await alone(lille, (await lille("GET", path)).json, start="2027-03-18T16:00")
    await look()
    assert (await lille("DELETE", f"{path}/exception")).status == 204
    await look()

    assert all(len(found) == 1 for found in bodies.values())
    assert len(bodies) >= 8


async def test_a_date_taken_back_counts_as_one_that_was_changed(admin: Caller) -> None:
    """Neither shows in the series, so neither makes a change of the whole stale that somebody is about to send."""
    series = await booked(admin)
    one = await alone(admin, await session(admin, series, 1), start="2027-02-11T16:00")
    assert (await read(admin, series)).json["revision"] == 0
    assert (await admin("DELETE", f"/sessions/{one['id']}/exception")).status == 204
    after = (await read(admin, series)).json

    assert (after["revision"], after["updated_at"]) == (0, series["updated_at"])
    assert (await session(admin, series, 1))["wall_start"] == "2027-02-11T13:00"
    assert (await patch(admin, series, title="Visio Périnat — un")).status == 200


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"from": "2027-02-18T13:00"},
        {"title": "Visio Périnat — staff", "required_sites": ["calais"]},
        {"rrule": "FREQ=WEEKLY;BYDAY=TH;COUNT=4", "exclude": [], "on_conflict": "refuse", "start": "2027-02-04T13:00"},
    ],
    ids=["empty", "from alone", "the same session", "the same rule"],
)
async def test_a_change_that_asks_for_nothing_else_changes_nothing(
    api: Api, admin: Caller, nothing: dict[str, Any]
) -> None:
    """As on sessions: neither revision nor audit, no mail, no second series, not even with an end to the first."""
    series = await booked(admin, title="Visio Périnat — staff")
    await api.services.delivery.planning.plan()
    before = (await read(admin, series)).body, await all_sessions(admin), await deeds(admin), await mails(admin)
    answer = await patch(admin, series, **nothing)
    await api.services.delivery.planning.plan()
    after = (await read(admin, series)).body, await all_sessions(admin), await deeds(admin), await mails(admin)

    assert (answer.status, answer.headers["ETag"], answer.json["id"]) == (200, '"0"', series["id"])
    assert answer.json["told"] == []
    assert after == before
    assert "Location" not in answer.headers


async def mails(caller: Caller) -> list[Any]:
    return [(await caller("GET", f"/sessions/{one['id']}/notices")).json["items"] for one in await all_sessions(caller)]


async def test_what_was_overridden_stays_known_where_nothing_is_asked(admin: Caller) -> None:
    series = await booked(
        admin, start="2027-02-04T07:30", override_reason="Astreinte", rrule="FREQ=WEEKLY;COUNT=2",
        override=["2027-02-04T07:30", "2027-02-11T07:30"],
    )  # fmt: skip
    after = await changed(admin, series)

    assert (after["revision"], after["override"]) == (0, series["override"])


async def test_of_two_changes_of_the_same_revision_one_is_refused(admin: Caller) -> None:
    series = await booked(admin)
    answers = await asyncio.gather(*(patch(admin, series, title=f"Visio {number}") for number in range(4)))

    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    assert (await read(admin, series)).json["revision"] == 1


async def test_dates_that_change_while_their_series_does_change_once_and_nobody_waits_for_ever(admin: Caller) -> None:
    """Cancelling dates alone, answering, taking back and changing the whole at once: each is done or refused."""
    series = await booked(admin)
    ids = [one["session"] for one in series["occurrences"]]
    answers = await asyncio.gather(
        *(admin("POST", f"/sessions/{id}/cancellation") for id in ids[:2]),
        *(patch(admin, series, start=f"2027-02-04T{hour}:00") for hour in (9, 15)),
        *(admin("DELETE", f"/sessions/{id}/exception") for id in ids[2:]),
        admin("PUT", f"/series/{series['id']}/participations/calais/answer", {"answer": "declined"}),
    )
    whole = (await read(admin, series)).json
    states = {one["session"]: one["status"] for one in whole["occurrences"]}

    assert {answer.status for answer in answers} <= {200, 204, 412, 422}
    assert [states[id] for id in ids[:2]] == ["cancelled", "cancelled"]
    assert len({one["recurrence_id"][10:] for one in whole["occurrences"]}) == 1


async def test_what_begins_a_new_series_says_where_it_is(admin: Caller) -> None:
    """RFC 9110 § 8.7: what is answered is not what is at the address asked."""
    series = await booked(admin)
    plain = await patch(admin, series, title="Visio Périnat — un")
    cut = await patch(admin, plain.json, **{"from": "2027-02-18T13:00", "title": "Visio Périnat — deux"})
    address = f"/api/v1/series/{cut.json['id']}"

    assert (plain.status, "Location" in plain.headers, "Content-Location" in plain.headers) == (200, False, False)
    assert (cut.status, cut.headers["Location"], cut.headers["Content-Location"]) == (200, address, address)
    found = await admin("GET", address.removeprefix("/api/v1"))
    assert (found.headers["ETag"], found.json["id"]) == (cut.headers["ETag"], cut.json["id"])
    assert cut.json["follows"] == series["id"]
