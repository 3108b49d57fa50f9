"""Closures that people enter over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.callers import Api

ASKED = {"site": "calais", "from": "2027-03-18T12:00", "until": "2027-03-18T18:00", "reason": "Travaux"}


async def test_a_closure_says_which_sessions_it_hits_and_cancels_none(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    answer = await admin("POST", "/closures", ASKED)

    assert answer.status == 201
    entered = answer.json
    assert (entered["site"], entered["room"], entered["bridge"], entered["hits"]) == (
        "calais",
        None,
        None,
        [session["id"]],
    )
    assert (entered["from"], entered["until"]) == ("2027-03-18T12:00:00+01:00", "2027-03-18T18:00:00+01:00")
    assert (await admin("GET", f"/sessions/{session['id']}")).json == session
    read = (await admin("GET", "/sites/calais/closures?from=2027-03-18&to=2027-03-18")).json["items"]
    assert {"from": entered["from"], "until": entered["until"], "reason": "Travaux", "source": "entered"} in read

    assert (await admin("DELETE", f"/closures/{entered['id']}")).status == 204
    assert (await admin("DELETE", f"/closures/{entered['id']}")).status == 404


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"room": "calais-1"}, "site", id="a site and a room"),
        pytest.param({"site": None}, "site", id="nothing"),
        pytest.param({"site": "nowhere"}, "site", id="an unknown site"),
        pytest.param({"until": "2027-03-18T12:00"}, "until", id="no length"),
        pytest.param({"until": "2027-03-18T11:00"}, "until", id="the end before the beginning"),
        pytest.param({"until": "2037-03-18T11:00"}, "until", id="ten years"),
        pytest.param({"from": "2027-02-30T12:00"}, "from", id="30 February"),
        pytest.param({"from": 5}, "from", id="a number"),
        pytest.param({"reason": ""}, "reason", id="no reason"),
        pytest.param({"reason": "  "}, "reason", id="blanks"),
        pytest.param({"reason": "a\x00"}, "reason", id="NUL"),
        pytest.param({"weekly": True}, "weekly", id="a field nobody knows"),
    ],
)
async def test_a_closure_that_cannot_be_meant_is_refused(api: Api, given: dict[str, Any], field: str) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/closures", {**ASKED, **given})

    assert (answer.status, answer.slug, answer.fields) == (422, "invalid-request", [field])


async def test_a_reason_about_a_patient_is_refused(api: Api) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/closures", {**ASKED, "reason": "Accouchement de Mme Dupont"})

    assert answer.slug == "health-data-suspected"
