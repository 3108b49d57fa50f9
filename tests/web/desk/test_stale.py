"""A form that was opened before somebody changed its session or series does nothing: it says what changed, and sent
once more it is meant. Sent twice unchanged it does once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.web.callers import Answer, Api, Caller
from tests.web.desk.forms import Form, form_to, press
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

WHOLE: Mapping[str, Any] = {"required_sites": ["calais", "sainte-justine"], "title": "Zanzibar"}
THEN, NOW = "jeudi 18 mars 2027 à 15 h 00", "vendredi 19 mars 2027 à 15 h 00"
CLOSURE = {"site": "sainte-justine", "from": "2027-03-18", "until": "2027-03-19", "reason": "Travaux"}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One form about a session: on which page, and what is typed."""

    page: str
    to: str
    button: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    holding: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""  # of what was typed, what stands in the answer


WAYS = {
    "cancel": Way(page="/sessions/{id}/cancel", to="/cancel", typed={"reason": "Grève"}, kept="Grève"),
    "answer": Way(
        page="/sessions/{id}/sites/sainte-justine",
        to="/sites/sainte-justine",
        typed={"answer": "accepted", "comment": "Nous venons"},
        kept="Nous venons",
    ),
    "answer on the site's page": Way(
        page="/site?site=sainte-justine",
        to="/site/answer",
        button="answer",
        typed={"comment": "Nous venons"},
        kept="Nous venons",
    ),
    "ring": Way(page="/sessions/{id}", to="/calls", holding={"site": "calais"}),
    "decline for a closure": Way(page="/closures/{closure}", to="/closures/{closure}", typed={"to": "decline"}),
    "move for a closure": Way(page="/closures/{closure}", to="/closures/{closure}", button="to"),
}


async def patched(admin: Caller, session: str, **changes: Any) -> None:
    answer = await admin("PATCH", f"/sessions/{session}", changes, headers={"If-Match": "*"})
    assert answer.status == 200, answer.body.decode()


async def opened(api: Api, admin: Caller, visitor: Visitor, way: Way, session: str) -> Form:
    closure = ""
    if "{closure}" in way.page:
        closure = (await admin("POST", "/closures", CLOSURE)).json["id"]
    names = {"id": session, "closure": closure}
    page = await visitor.get(way.page.format(**names))
    assert page.status == 200, page.body.decode()
    return form_to(page.body, way.to.format(**names), **way.holding)


def again(answer: Answer, way: Way, form: Form) -> Form:
    """The same form as the answer shows it."""
    return form_to(answer.body, form.action, **way.holding)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_form_of_a_session_that_moved_meanwhile_does_nothing_and_says_so(api: Api, way: Way) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api, name="Anne")
    session = (await admin.book(**WHOLE))["id"]
    form = await opened(api, admin, visitor, way, session)
    await patched(admin, session, start="2027-03-19T15:00", override_reason="Urgence")
    before = (await admin("GET", f"/sessions/{session}")).json
    stale = await press(visitor, form, way.button, **way.typed)
    said = words(stale.body)

    assert stale.status == 412, stale.body.decode()
    assert (await admin("GET", f"/sessions/{session}")).json == before
    assert 'role="alert"' in stale.body.decode() and "après l’ouverture de cette page" in said
    assert "modifiée test" in said  # who, and what
    assert f"c’était le {THEN} (heure de Paris)" in said and f"maintenant le {NOW} (heure de Paris)" in said
    assert way.kept in stale.body.decode()
    meant = await press(visitor, again(stale, way, form), way.button, **way.typed)
    assert meant.status == 303, meant.body.decode()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_what_tells_nobody_anything_new_stops_no_form(api: Api, way: Way) -> None:
    """Another site's yes, another title."""
    admin, visitor = await api.of("admin"), await signed_in(api)
    session = (await admin.book(**WHOLE))["id"]
    form = await opened(api, admin, visitor, way, session)
    if way.button != "to":  # who moves a session sends what it is to be
        await patched(admin, session, title="Autre")
    for _ in range(2):  # back, reload, a double click
        assert (await press(visitor, form, way.button, **way.typed)).status == 303


async def test_undoing_a_cancellation_that_is_another_one_now_is_asked_again(api: Api) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    session = (await admin.book(**WHOLE))["id"]
    path = f"/sessions/{session}"
    await admin("POST", f"{path}/cancellation", {})
    form = form_to((await visitor.get(path)).body, "/resume")
    await admin("DELETE", f"{path}/cancellation")
    await patched(admin, session, start="2027-03-19T15:00")
    await admin("POST", f"{path}/cancellation", {})
    stale = await press(visitor, form)

    assert stale.status == 412 and NOW in words(stale.body)
    assert (await admin("GET", path)).json["status"] == "cancelled"
    assert (await press(visitor, form_to(stale.body, "/resume"))).status == 303
    assert (await press(visitor, form)).status == 303  # sent before: it stands


async def test_who_may_not_read_the_history_is_told_of_the_hour_alone(api: Api) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api, "coordinator", sites=["sainte-justine"])
    session = (await admin.book(**WHOLE))["id"]
    form = await opened(api, admin, visitor, WAYS["answer"], session)
    await patched(admin, session, start="2027-03-19T15:00")
    stale = await press(visitor, form, answer="accepted")

    assert (
        stale.status == 412
        and NOW in words(stale.body)
        and "modifiée" not in words(stale.body).replace("a été modifiée", "")
    )


@pytest.mark.parametrize("seen", ["x", "1", "1.", "9999999999.1", "0.0@<script>", "0.0@2027-99-99T99:99"])
async def test_a_form_that_claims_what_no_page_shows_is_refused_on_its_page(api: Api, seen: str) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    session = (await admin.book(**WHOLE))["id"]
    form = await opened(api, admin, visitor, WAYS["cancel"], session)
    await patched(admin, session, start="2027-03-19T15:00")
    answer = await press(visitor, form, seen=seen)

    assert answer.status in (412, 422) and b"<script" not in answer.body
    assert (await admin("GET", f"/sessions/{session}")).json["status"] == "tentative"


SERIES = {
    "kind": "staff", "network": "perinat", "host_site": "lille", "start": "2027-03-04T15:00",
    "required_sites": ["calais", "sainte-justine"], "rrule": "FREQ=WEEKLY;COUNT=4", "title": "Zanzibar",
}  # fmt: skip


async def series(admin: Caller, **given: Any) -> dict[str, Any]:
    answer = await admin("POST", "/series", {**SERIES, **given})
    assert answer.status == 201, answer.body.decode()
    made: dict[str, Any] = answer.json
    return made


@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("cancellation", {"reason": "Grève"}),
        ("answer", {"site": "sainte-justine", "answer": "accepted", "comment": "Nous venons"}),
    ],
)
async def test_a_form_of_a_series_that_changed_meanwhile_does_nothing_and_says_so(
    api: Api, page: str, typed: dict[str, str]
) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    path = f"/series/{(await series(admin))['id']}"
    form = form_to((await visitor.get(f"{path}/{page}")).body, page)
    changed = await admin("PATCH", path, {"start": "2027-03-04T16:00"}, headers={"If-Match": "*"})
    assert changed.status == 200, changed.body.decode()
    before = (await admin("GET", path)).json
    stale = await press(visitor, form, **typed)

    assert stale.status == 412 and (await admin("GET", path)).json == before
    assert "Cette série a été modifiée après l’ouverture de cette page" in words(stale.body)
    assert [*typed.values()][-1] in stale.body.decode() and "16 h 00" in words(stale.body)
    fresh = form_to(stale.body, page)
    for _ in range(2):  # a double click
        assert (await press(visitor, fresh, **typed)).status == 303


async def test_a_change_of_a_series_names_what_somebody_else_changed(api: Api) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    path = f"/series/{(await series(admin))['id']}"
    form = form_to((await visitor.get(f"{path}/change")).body, "/change")
    await admin("PATCH", path, {"title": "De Zoé", "required_sites": ["calais"]}, headers={"If-Match": "*"})
    stale = await press(visitor, form, "do", do="book", hour="16:00")
    said = words(stale.body)

    assert stale.status == 412 and (await admin("GET", path)).json["title"] == "De Zoé"
    assert "Titre | De Zoé | Zanzibar" in said and "Heure (de l’horloge de la série) | 15:00 | 16:00" in said
    assert "Sites requis | CH de Calais | CH de Calais, CHU Sainte-Justine" in said
    mended = form_to(stale.body, "/change").sent("do", do="book", title="De Zoé", site=["calais"])
    assert mended["hour"] == ["16:00"] and (await visitor.post(f"{path}/change", mended)).status == 303
    after = (await admin("GET", path)).json
    assert (after["title"], after["start"][11:16]) == ("De Zoé", "16:00")


async def test_a_date_that_was_left_out_is_booked_once_and_not_into_a_series_that_changed(api: Api) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    for start in ("2027-03-11T15:00", "2027-03-18T15:00"):
        blocked = await admin.book(host_site="lens", required_sites=["calais"], start=start)
    made = await series(admin, on_conflict="leave_out")
    path = f"/series/{made['id']}"
    page = (await visitor.get(path)).body
    first, second = (form_to(page, "/dates", date=f"2027-03-{day}T15:00") for day in (11, 18))
    assert (await press(visitor, second)).status == 409  # still taken
    await admin("POST", f"/sessions/{blocked['id']}/cancellation", {})
    for _ in range(2):
        assert (await press(visitor, second)).status == 303
    stale = await press(visitor, first)

    assert stale.status == 412 and "Cette série a été modifiée" in words(stale.body)
    assert len([one for one in (await admin("GET", path)).json["occurrences"] if one["verdict"] == "booked"]) == 3


async def test_a_date_goes_back_to_the_rule_once_and_not_from_where_nobody_saw_it(api: Api) -> None:
    admin, visitor = await api.of("admin"), await signed_in(api)
    made = await series(admin)
    path, session = f"/series/{made['id']}", made["occurrences"][2]["session"]
    await patched(admin, session, start="2027-03-19T15:00")
    form = form_to((await visitor.get(path)).body, f"/sessions/{session}/exception")
    await patched(admin, session, start="2027-03-19T16:00")
    stale = await press(visitor, form)

    assert stale.status == 412 and "vendredi 19 mars 2027 à 16 h 00" in words(stale.body)
    assert (await admin("GET", f"/sessions/{session}")).json["start"][:16] == "2027-03-19T16:00"
    fresh = form_to(stale.body, f"/sessions/{session}/exception")
    for _ in range(2):
        assert (await press(visitor, fresh)).status == 303


async def test_a_date_that_can_no_longer_go_back_says_why_on_the_page_of_the_series(api: Api) -> None:
    """Refused, or cancelled meanwhile: never anything but a page."""
    admin, visitor = await api.of("admin"), await signed_in(api)
    made = await series(admin)
    path, session = f"/series/{made['id']}", made["occurrences"][2]["session"]
    await patched(admin, session, start="2027-03-19T15:00")
    form = form_to((await visitor.get(path)).body, f"/sessions/{session}/exception")
    await admin.book(host_site="lens", required_sites=["calais"], start="2027-03-18T15:00")
    refused = await press(visitor, form)
    await admin("POST", f"/sessions/{session}/cancellation", {})
    gone = await press(visitor, form)

    assert refused.status == 409 and "Appelez CH de Lens" in words(refused.body) and "Zanzibar" in words(refused.body)
    assert gone.status == 422 and "La séance est annulée" in words(gone.body)
    assert path in gone.body.decode()
