"""The search over HTTP, as the contract writes it."""

from __future__ import annotations

from tests.web.callers import BOOKING, Api

ASKED = "site=lille&site=calais&optional_site=sainte-justine&duration_minutes=60&from=2027-03-01&to=2027-03-12"


async def test_a_search_answers_slots_what_blocks_and_what_was_searched(api: Api) -> None:
    clinician = await api.of("clinician", sites=("calais",))

    found = (await clinician("GET", f"/slots?{ASKED}&after=14:00&before=17:00&weekday=mo&weekday=th&limit=3")).json

    assert list(found) == ["slots", "blocking", "searched"]
    slot = found["slots"][0]
    assert (slot["start"], slot["end"], slot["timezone"]) == (
        "2027-03-01T14:00:00+01:00",
        "2027-03-01T15:00:00+01:00",
        "Europe/Paris",
    )
    assert [list(site) for site in slot["sites"]] == [
        ["site", "required", "free", "room", "local_start", "local_end", "timezone"]
    ] * 3
    assert slot["sites"][2]["local_start"] == "2027-03-01T08:00:00-05:00"
    assert (slot["optional_free"], slot["conflicts"], len(found["slots"])) == (1, [], 3)
    assert {entry["site"] or entry["bridge"] for entry in found["blocking"]} >= {"lille", "calais"}
    assert (found["searched"]["from"], found["searched"]["to"]) == (
        "2027-03-01T00:00:00+01:00",
        "2027-03-13T00:00:00+01:00",
    )


async def test_every_slot_found_books(api: Api) -> None:
    admin = await api.of("admin")
    query = (
        "site=lille&site=calais&kind=staff&from=2027-03-18&to=2027-03-18&network=perinat&limit=2&room=calais:calais-1"
    )

    for slot in (await admin("GET", f"/slots?{query}")).json["slots"][:1]:
        answer = await admin("POST", "/sessions", {**BOOKING, "start": slot["start"]})
        assert answer.status == 201
        assert answer.json["start"] == slot["start"]


async def test_overridable_starts_come_with_their_reasons(api: Api) -> None:
    admin = await api.of("admin")

    query = "site=lille&site=calais&duration_minutes=60&from=2027-03-21&to=2027-03-21&include_overridable=true&limit=1"
    [slot] = (await admin("GET", f"/slots?{query}")).json["slots"]

    assert {conflict["code"] for conflict in slot["conflicts"]} == {"outside_hours"}
    assert all(conflict["overridable"] and conflict["contact"] for conflict in slot["conflicts"])


async def test_a_session_is_moved_within_its_own_place(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    query = "site=lille&site=calais&duration_minutes=60&from=2027-03-18&to=2027-03-18&after=15:00&before=16:00"

    own = (await admin("GET", f"/slots?{query}&except_session={session['id']}&room=calais:calais-1")).json["slots"]
    stranger = await (await api.of("coordinator", networks=("hpsm",)))(
        "GET", f"/slots?{query}&except_session={session['id']}"
    )

    assert [slot["start"] for slot in own] == [session["start"]]
    assert stranger.status == 404
