"""Sessions over HTTP: statuses, headers and shapes of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.callers import BOOKING, Api

SESSION_FIELDS = [
    "id",
    "uid",
    "revision",
    "sequence",
    "series",
    "recurrence_id",
    "status",
    "kind",
    "title",
    "description",
    "network",
    "host_site",
    "wall_start",
    "timezone",
    "duration_minutes",
    "start",
    "end",
    "participations",
    "bridge",
    "ports",
    "join_url",
    "warnings",
    "created_at",
    "updated_at",
]


async def test_a_booked_session_is_answered_with_its_address_and_revision(api: Api) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", {**BOOKING, "optional_sites": ["sainte-justine"]})

    assert answer.status == 201
    session = answer.json
    assert answer.headers["Location"] == f"/api/v1/sessions/{session['id']}"
    assert answer.headers["ETag"] == '"0"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(session)[: len(SESSION_FIELDS)] == SESSION_FIELDS
    assert session["start"] == "2027-03-18T15:00:00+01:00" and session["end"] == "2027-03-18T16:00:00+01:00"
    assert session["wall_start"] == "2027-03-18T15:00" and session["timezone"] == "Europe/Paris"
    assert session["title"] == "Visio Périnat — staff" and session["duration_minutes"] == 60
    montreal = session["participations"][2]
    assert montreal == {
        "site": "sainte-justine",
        "role": "participant",
        "required": False,
        "room": None,
        "answer": "pending",
        "local_start": "2027-03-18T10:00:00-04:00",
        "local_end": "2027-03-18T11:00:00-04:00",
        "timezone": "America/Toronto",
    }
    assert (session["bridge"], session["ports"]) == ("mcu-lille", 3)
    assert [(w["code"], w["site"]) for w in session["warnings"]] == [("unusual-local-time", "sainte-justine")]
    assert (await admin("GET", f"/sessions/{session['id']}")).json == session


async def test_a_session_one_has_already_is_not_sent_again(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    answer = await admin("GET", f"/sessions/{session['id']}", headers={"If-None-Match": '"7", W/"0"'})

    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", '"0"')


@pytest.mark.parametrize(
    ("if_match", "status", "slug"),
    [
        pytest.param(None, 428, "revision-required", id="none"),
        pytest.param('"7"', 412, "revision-mismatch", id="another revision"),
        pytest.param('W/"0"', 412, "revision-mismatch", id="a weak tag"),
        pytest.param('"0x0"', 412, "revision-mismatch", id="no number"),
        pytest.param('"99999999999999999999"', 412, "revision-mismatch", id="a large number"),
        pytest.param('"5", "6"', 412, "revision-mismatch", id="two others"),
        pytest.param("0", 422, "invalid-request", id="without quotes"),
        pytest.param('"0', 422, "invalid-request", id="half quoted"),
        pytest.param('"0"', 200, None, id="this revision"),
        pytest.param('"5", "0"', 200, None, id="this one and another"),
        pytest.param("*", 200, None, id="any"),
    ],
)
async def test_a_change_names_the_revision_it_was_made_upon(
    api: Api, if_match: str | None, status: int, slug: str | None
) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    headers = {"If-Match": if_match} if if_match else {}
    answer = await admin("PATCH", f"/sessions/{session['id']}", {"title": "Comité de pilotage"}, headers=headers)

    assert answer.status == status
    if slug:
        assert answer.slug == slug
        assert (await admin("GET", f"/sessions/{session['id']}")).json == session
    else:
        assert answer.json["title"] == "Comité de pilotage" and answer.headers["ETag"] == '"1"'


async def test_the_host_is_never_changed(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    answer = await admin("PATCH", f"/sessions/{session['id']}", {"host_site": "calais"}, headers={"If-Match": '"0"'})

    assert (answer.status, answer.fields) == (422, ["host_site"])


async def test_a_refusal_says_every_reason_whom_to_ring_and_when_else(api: Api) -> None:
    admin = await api.of("admin")
    first = await admin.book(host_site="calais", required_sites=["lens"])

    answer = await admin("POST", "/sessions", {**BOOKING, "timezone": "America/Toronto", "start": "2027-03-18T10:00"})

    assert (answer.status, answer.slug) == (409, "booking-refused")
    [conflict] = answer.json["conflicts"]
    assert conflict == {
        "code": "room_taken",
        "site": "calais",
        "room": "calais-1",
        "bridge": None,
        "from": "2027-03-18T10:00:00-04:00",
        "until": "2027-03-18T11:00:00-04:00",
        "session": first["id"],
        "contact": {"name": "CH de Calais", "phone": conflict["contact"]["phone"]},
        "detail": conflict["detail"],
        "overridable": False,
    }
    alternatives = answer.json["alternatives"]
    assert len(alternatives) == 3
    assert all(slot["timezone"] == "America/Toronto" and slot["start"] > "2027-03-18T10" for slot in alternatives)


async def test_who_does_not_see_the_session_in_the_way_learns_whom_to_ring_and_nothing_else(api: Api) -> None:
    admin = await api.of("admin")
    await admin.book(host_site="calais", required_sites=["lille"], rooms={"lille": "lille-1"})
    hpsm = await api.of("coordinator", networks=("hpsm",))

    answer = await hpsm(
        "POST",
        "/sessions",
        {**BOOKING, "network": "hpsm", "required_sites": ["seclin"], "rooms": {"lille": "lille-1"}},
    )

    [conflict] = answer.json["conflicts"]
    assert (conflict["code"], conflict["session"], conflict["from"], conflict["until"]) == (
        "room_taken",
        None,
        None,
        None,
    )
    assert conflict["contact"]["name"] == "CH de Calais"


async def test_the_same_key_gets_the_same_answer_and_books_once(api: Api) -> None:
    admin = await api.of("admin")
    key = {"Idempotency-Key": "a-key"}

    first = await admin("POST", "/sessions", BOOKING, headers=key)
    again = await admin("POST", "/sessions", BOOKING, headers=key)

    assert (again.status, again.body) == (201, first.body)
    assert all(again.headers[name] == first.headers[name] for name in ("Location", "ETag", "Content-Type"))
    assert len((await admin("GET", "/sessions")).json["items"]) == 1


async def test_a_refusal_is_kept_under_its_key_too(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    key = {"Idempotency-Key": "a-key"}

    first = await admin("POST", "/sessions", BOOKING, headers=key)
    await admin("POST", f"/sessions/{session['id']}/cancellation", {})
    again = await admin("POST", "/sessions", BOOKING, headers=key)

    assert (first.status, again.status, again.body) == (409, 409, first.body)


async def test_a_key_belongs_to_a_token_and_to_one_request(api: Api) -> None:
    admin, other = await api.of("admin"), await api.of("admin")
    key = {"Idempotency-Key": "a-key"}
    await admin("POST", "/sessions", BOOKING, headers=key)

    another_body = await admin("POST", "/sessions", {**BOOKING, "start": "2027-03-19T15:00"}, headers=key)
    another_token = await other("POST", "/sessions", {**BOOKING, "start": "2027-03-19T15:00"}, headers=key)

    assert (another_body.status, another_body.slug) == (422, "idempotency-key-reused")
    assert another_token.status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a b"], ids=["empty", "long", "accented", "two words"])
async def test_an_unusable_key_is_refused(api: Api, key: str) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", BOOKING, headers={"Idempotency-Key": key})

    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])


async def test_a_session_is_cancelled_and_taken_up_again(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    address = f"/sessions/{session['id']}/cancellation"

    cancelled = await admin("POST", address, {"code": "postponed", "reason": "Salle en travaux"})
    again = await admin("POST", address)
    resumed = await admin("DELETE", address)

    assert (cancelled.status, cancelled.json["status"], cancelled.headers["ETag"]) == (200, "cancelled", '"1"')
    assert (again.status, again.json) == (200, cancelled.json)
    assert (resumed.status, resumed.json["status"], resumed.json["bridge"]) == (
        200,
        session["status"],
        session["bridge"],
    )


async def test_a_cancelled_session_takes_no_change_and_no_answer(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    await admin("POST", f"/sessions/{session['id']}/cancellation")

    change = await admin("PATCH", f"/sessions/{session['id']}", {"title": "Autre"}, headers={"If-Match": '"1"'})
    reply = await admin("PUT", f"/sessions/{session['id']}/participations/calais/answer", {"answer": "accepted"})

    assert (change.status, change.fields) == (422, ["status"])
    assert (reply.status, reply.fields) == (422, ["status"])


async def test_a_site_answers(api: Api) -> None:
    admin, calais = await api.of("admin"), await api.of("coordinator", sites=("calais",))
    session = await admin.book()
    address = f"/sessions/{session['id']}/participations/calais/answer"

    accepted = await calais("PUT", address, {"answer": "accepted", "comment": "Salle prête"})
    declined = await calais("PUT", address, {"answer": "declined"})

    assert (accepted.status, accepted.json["status"]) == (200, "confirmed")
    assert declined.json["status"] == "tentative"
    assert [p["room"] for p in declined.json["participations"] if p["site"] == "calais"] == [None]


async def test_answering_for_a_site_that_takes_no_part_finds_nothing(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    answer = await admin("PUT", f"/sessions/{session['id']}/participations/lens/answer", {"answer": "accepted"})

    assert (answer.status, answer.slug) == (404, "not-found")


async def test_who_knows_kind_and_time_gets_the_same_shape_without_the_rest(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(description="Ordre du jour", join_url="https://visio.example/staff", access_code="4711")
    dunkerque = await api.of("coordinator", sites=("dunkerque",))

    seen: dict[str, Any] = (await dunkerque("GET", f"/sessions/{session['id']}")).json

    assert list(seen) == SESSION_FIELDS
    kept = ("id", "uid", "revision", "sequence", "status", "kind", "network", "wall_start", "timezone", "start", "end")
    assert all(seen[name] == session[name] for name in kept)
    assert (seen["title"], seen["description"], seen["host_site"], seen["participations"]) == ("", "", None, [])
    assert (seen["bridge"], seen["ports"], seen["join_url"], seen["warnings"]) == (None, 0, None, [])
    listed = (await dunkerque("GET", "/sessions")).json["items"]
    assert listed == [seen]


async def test_only_who_may_change_a_session_reads_its_access_code(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(access_code="4711")
    calais = await api.of("coordinator", sites=("calais",))

    assert session["access_code"] == "4711"
    assert "access_code" not in (await calais("GET", f"/sessions/{session['id']}")).json


async def test_sessions_are_listed_in_pages_by_start(api: Api) -> None:
    admin = await api.of("admin")
    days = ["2027-03-19", "2027-03-17", "2027-03-18", "2027-03-16"]
    for day in days:
        await admin.book(start=f"{day}T15:00")

    seen, cursor = [], ""
    while cursor is not None:
        page = (await admin("GET", f"/sessions?limit=3{'&cursor=' + cursor if cursor else ''}")).json
        seen += [session["wall_start"][:10] for session in page["items"]]
        cursor = page["next"]

    assert seen == sorted(days)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        pytest.param("site=calais", 1, id="a site"),
        pytest.param("site=lens", 0, id="another site"),
        pytest.param("kind=staff&status=tentative&network=perinat", 1, id="kind, status and network"),
        pytest.param("status=cancelled", 0, id="cancelled"),
        pytest.param("from=2027-03-18&to=2027-03-18", 1, id="its day"),
        pytest.param("to=2027-03-17", 0, id="until the day before"),
        pytest.param("from=2027-03-19", 0, id="from the day after"),
    ],
)
async def test_sessions_are_narrowed(api: Api, query: str, count: int) -> None:
    admin = await api.of("admin")
    await admin.book()

    assert len((await admin("GET", f"/sessions?{query}")).json["items"]) == count


async def test_the_mails_about_a_session_are_read_by_whom_they_concern(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(required_sites=["calais", "lens"])
    await api.services.delivery.plan()
    address = f"/sessions/{session['id']}/notices"

    whole = (await admin("GET", address)).json["items"]
    calais = (await (await api.of("coordinator", sites=("calais",)))("GET", address)).json["items"]
    dunkerque = (await (await api.of("coordinator", sites=("dunkerque",)))("GET", address)).json["items"]

    assert {notice["kind"] for notice in whole} == {"invitation", "reminder"}
    assert calais and all("calais" in notice["recipient"] for notice in calais)
    assert dunkerque == []
