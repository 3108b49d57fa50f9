"""The configured network over HTTP: lists in pages, and cursors that open only their own list."""

from __future__ import annotations

import pytest

from perinat_sched.settings import Settings
from tests.web.callers import Api

LISTS = ["sites", "rooms", "bridges", "networks", "kinds"]


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_the_configuration_in_its_order(api: Api, configured: Settings, name: str) -> None:
    clinician = await api.of("clinician", sites=("calais",))

    answer = (await clinician("GET", f"/{name}")).json

    assert [item["code"] for item in answer["items"]] == list(getattr(configured.directory, name))
    assert answer["next"] is None


async def test_a_list_comes_in_pages(api: Api, configured: Settings) -> None:
    admin = await api.of("admin")
    seen, path = [], "/sites?limit=4"
    while path:
        page = (await admin("GET", path)).json
        assert 0 < len(page["items"]) <= 4
        seen += [site["code"] for site in page["items"]]
        path = f"/sites?limit=4&cursor={page['next']}" if page["next"] else ""

    assert seen == list(configured.directory.sites)


async def test_a_cursor_opens_neither_another_list_nor_for_another_caller(api: Api) -> None:
    admin, other = await api.of("admin"), await api.of("admin")
    cursor = (await admin("GET", "/sites?limit=1")).json["next"]
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")

    answers = [
        await admin("GET", f"/rooms?cursor={cursor}"),
        await admin("GET", f"/sessions?cursor={cursor}"),
        await other("GET", f"/sites?cursor={cursor}"),
        await admin("GET", f"/sites?cursor={changed}"),
        await admin("GET", f"/sites?cursor={cursor}AAAA"),
    ]

    assert [(answer.status, answer.fields) for answer in answers] == [(422, ["cursor"])] * len(answers)


async def test_one_site(api: Api) -> None:
    admin = await api.of("admin")

    site = (await admin("GET", "/sites/sainte-justine")).json

    assert (site["timezone"], site["holidays"], site["rooms"]) == ("America/Toronto", "CA-QC", [])
    assert site["opening_hours"][0]["from"] == "08:00"
    assert "contacts" not in site
    assert (await admin("GET", "/sites/nowhere")).status == 404


async def test_when_a_site_is_closed(api: Api) -> None:
    admin = await api.of("admin")

    answer = await admin("GET", "/sites/lille/closures?from=2027-05-06&to=2027-05-06")

    assert {
        "from": "2027-05-06T00:00:00+02:00",
        "until": "2027-05-07T00:00:00+02:00",
        "reason": "Ascension",
        "source": "public-holiday",
    } in answer.json["items"]
    assert (await admin("GET", "/sites/nowhere/closures?from=2027-05-06&to=2027-05-06")).status == 404


async def test_whose_token_this_is(api: Api) -> None:
    caller = await api.of("coordinator", sites=("calais",), networks=("hpsm",))

    me = (await caller("GET", "/me")).json

    assert (me["role"], me["sites"], me["networks"], me["person"]) == ("coordinator", ["calais"], ["hpsm"], None)
    assert "ps_" not in str(me)


async def test_who_did_what_is_read_the_newest_first(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    await admin("POST", f"/sessions/{session['id']}/cancellation")

    first = (await admin("GET", "/audit?limit=1")).json
    second = (await admin("GET", f"/audit?limit=1&cursor={first['next']}")).json

    assert [page["items"][0]["action"] for page in (first, second)] == ["session_cancelled", "session_booked"]
    assert first["items"][0]["object_id"] == session["id"]
