"""A series that is asked for twice with one Idempotency-Key is booked once (contract: as `POST /sessions`)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.series.test_booking import WEEKLY, verdicts
from tests.web.callers import Api, Caller

KEY = {"Idempotency-Key": "a-key"}
LENIENT: dict[str, Any] = {**WEEKLY, "on_conflict": "leave_out"}


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def known(caller: Caller) -> list[Any]:
    items: list[Any] = (await caller("GET", "/series")).json["items"]
    return items


async def test_the_same_key_gets_the_same_answer_and_books_one_series(admin: Caller) -> None:
    """What was left out stands in the answer with its reasons, the second time too."""
    await admin.book(start="2027-02-18T13:30")
    first = await admin("POST", "/series", LENIENT, headers=KEY)
    again = await admin("POST", "/series", LENIENT, headers=KEY)

    assert (first.status, list(verdicts(first.json).values())) == (201, ["booked", "booked", "left_out", "booked"])
    assert first.json["occurrences"][2]["nearest"]["start"][:10] == "2027-02-18"
    assert (again.status, again.body) == (201, first.body)
    assert all(again.headers[name] == first.headers[name] for name in ("Location", "ETag", "Content-Type"))
    assert [one["id"] for one in await known(admin)] == [first.json["id"]]


async def test_a_retry_that_leaves_out_what_the_first_booked_makes_no_series_of_nothing(admin: Caller) -> None:
    """Ten of the same request at once: one series, and everybody reads of that one."""
    answers = await asyncio.gather(*(admin("POST", "/series", LENIENT, headers=KEY) for _ in range(10)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert len(await known(admin)) == 1


async def test_with_a_key_and_without_the_answer_is_written_the_same(admin: Caller) -> None:
    with_key = await admin("POST", "/series", {**WEEKLY, "start": "2027-03-04T13:00"}, headers=KEY)
    without = await admin("POST", "/series", WEEKLY)

    assert with_key.json.keys() == without.json.keys()
    assert with_key.headers["Location"] == f"/api/v1/series/{with_key.json['id']}"
    assert without.headers["Location"] == f"/api/v1/series/{without.json['id']}"


async def test_a_refusal_is_kept_under_its_key_too(admin: Caller) -> None:
    session = await admin.book(start="2027-02-18T13:30")
    first = await admin("POST", "/series", WEEKLY, headers=KEY)
    await admin("POST", f"/sessions/{session['id']}/cancellation")
    again = await admin("POST", "/series", WEEKLY, headers=KEY)

    assert (first.status, again.status, again.body) == (409, 409, first.body)
    assert len(first.json["occurrences"]) == 4
    assert (await admin("POST", "/series", WEEKLY, headers={"Idempotency-Key": "another"})).status == 201


async def test_a_key_belongs_to_a_token_a_route_and_one_request(api: Api, admin: Caller) -> None:
    other = await api.of("admin")
    dry = await admin("POST", "/series?dry_run=true", WEEKLY, headers=KEY)
    first = await admin("POST", "/series", WEEKLY, headers=KEY)
    later = {**WEEKLY, "start": "2027-03-04T13:00"}
    another_body = await admin("POST", "/series", later, headers=KEY)
    another_token = await other("POST", "/series", later, headers=KEY)
    plain = {name: value for name, value in WEEKLY.items() if name != "rrule"} | {"start": "2027-04-01T13:00"}
    another_route = await admin("POST", "/sessions", plain, headers=KEY)

    assert (dry.status, first.status) == (200, 201), "a dry run does nothing, so it takes no key"
    assert (another_body.status, another_body.slug) == (422, "idempotency-key-reused")
    assert (another_token.status, another_route.status) == (201, 201)


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a b"], ids=["empty", "long", "accented", "two words"])
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_an_unusable_key_is_refused(admin: Caller, key: str, query: str) -> None:
    answer = await admin("POST", f"/series{query}", WEEKLY, headers={"Idempotency-Key": key})

    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])
    assert await known(admin) == []
