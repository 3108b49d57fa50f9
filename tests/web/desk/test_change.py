"""A session is changed, moved, cancelled, taken up again: what is typed stays, and nobody overwrites another."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched import app
from perinat_sched.settings import Settings
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import NOW, Answer, Api
from tests.web.desk.test_week import read, words
from tests.web.desk.visitors import Visitor, fields, signed_in

WHOLE = {"required_sites": ["calais", "sainte-justine"], "title": "Staff", "description": "Un\nDeux"}
SCRIPT = "<script>alert(1)</script>"


async def now(api: Api, session: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await (await api.of("admin"))("GET", f"/sessions/{session['id']}")).json
    return found


async def form(visitor: Visitor, session: dict[str, Any], question: str = "") -> bytes:
    answer = await visitor.get(f"/sessions/{session['id']}/change{question}")
    assert answer.status == 200, answer.body.decode()
    return answer.body


async def save(visitor: Visitor, session: dict[str, Any], page: bytes, **typed: Any) -> Answer:
    return await visitor.post(f"/sessions/{session['id']}/change", fields(page, **typed))


async def press(visitor: Visitor, session: dict[str, Any], path: str, **typed: Any) -> Answer:
    """A button, with what it sends."""
    return await visitor.post(f"/sessions/{session['id']}/{path}", {"form_token": await visitor.form_token(), **typed})


async def test_a_form_that_is_sent_as_it_is_changes_nothing(api: Api) -> None:
    given = WHOLE | {"required_sites": ["sainte-justine", "calais"], "optional_sites": ["lens", "arras"]}
    session = await (await api.of("admin")).book(  # its sites in another order than the form has
        **given, rooms={"lille": "lille-2"}, join_url="https://visio.example/a", access_code="4711"
    )
    visitor = await signed_in(api)
    page = await form(visitor, session)
    answer = await save(visitor, session, page, description="Un\r\nDeux")

    assert (answer.status, answer.headers["Location"]) == (303, f"/sessions/{session['id']}?done=changed")
    assert await now(api, session) == session


async def test_what_is_typed_otherwise_is_changed_and_nothing_else(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    visitor = await signed_in(api)
    page = await form(visitor, session)
    answer = await save(
        visitor, session, page, title="Autre", duration_minutes="90", site=["calais"], optional_site=["lens"],
        room=["lille:lille-2"], join_url="https://visio.example/b",
    )  # fmt: skip
    after = await now(api, session)

    assert answer.status == 303
    assert (after["title"], after["duration_minutes"], after["join_url"]) == ("Autre", 90, "https://visio.example/b")
    assert [(p["site"], p["required"]) for p in after["participations"]] == [
        ("lille", True), ("calais", True), ("lens", False)
    ]  # fmt: skip
    assert after["participations"][0]["room"] == "lille-2" and after["description"] == "Un\nDeux"
    assert (after["start"], after["revision"]) == (session["start"], 1)


async def test_a_session_is_moved_to_a_slot_that_is_looked_for_with_its_own_place_free(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    visitor = await signed_in(api)
    found = (await visitor.get(f"/find?move={session['id']}&from=2027-03-18&to=2027-03-19")).body
    links = re.findall(r'href="(/sessions/[^"]+start=[^"]+)"', found.decode())
    own, other = [next(link for link in links if day in link) for day in ("18T15%3A00", "19T15%3A00")]
    page = (await visitor.get(other.replace("&amp;", "&"))).body

    assert "à déplacer : Staff, jeudi 18 mars 2027 à 15 h 00" in words(found) and own
    assert "✓ 3/3 sites libres, 15 h 00 | ✓ 3/3 sites libres, 15 h 00" in words(found)
    assert "Passe au vendredi 19 mars 2027 à 15 h 00 (heure de Paris)" in words(page)
    assert (await save(visitor, session, page)).status == 303
    assert (await now(api, session))["start"] == "2027-03-19T15:00:00+01:00"


async def test_whoever_comes_second_is_shown_what_changed_and_keeps_what_was_typed(api: Api) -> None:
    """If-Match, for people: nothing is saved over what somebody else did meanwhile."""
    session = await (await api.of("admin")).book(**WHOLE)
    anne, zoe = await signed_in(api, name="Anne"), await signed_in(api, name="Zoé")
    page = await form(anne, session)
    await save(zoe, session, await form(zoe, session), title="De Zoé", start="2027-03-19T15:00")
    stale = await save(anne, session, page, title="D’Anne", description="Trois")
    text = words(stale.body)

    assert stale.status == 412 and (await now(api, session))["title"] == "De Zoé"
    assert "Quelqu’un a modifié cette séance" in text and "modifiée Zoé" in text and "réservée" not in text
    assert "Titre | De Zoé | D’Anne" in text and "Description | Un Deux | Trois" in text
    assert "| vendredi 19 mars 2027 à 15 h 00 (heure de Paris) | jeudi 18 mars 2027 à 15 h 00 (heure de Paris)" in text
    kept = fields(stale.body)
    assert (kept["title"], kept["description"], kept["start"]) == ("D’Anne", "Trois", "2027-03-18T15:00")
    assert (await save(anne, session, stale.body, start="2027-03-19T15:00")).status == 303
    after = await now(api, session)
    assert (after["title"], after["description"], after["wall_start"]) == ("D’Anne", "Trois", "2027-03-19T15:00")


async def test_a_change_that_is_sent_twice_is_made_once(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    visitor = await signed_in(api)
    page = await form(visitor, session)
    answers = [await save(visitor, session, page, title="Autre") for _ in range(2)]

    assert [answer.status for answer in answers] == [303, 303]
    assert (await now(api, session))["revision"] == 1


async def test_a_refused_move_is_explained_and_an_alternative_taken_at_once(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(**WHOLE)
    await admin.book(host_site="lens", required_sites=["calais"], start="2027-03-19T15:00")
    visitor = await signed_in(api)
    refused = await save(visitor, session, await form(visitor, session), start="2027-03-19T15:00", title="Tapé")
    [offered, *_] = re.findall(r'name="take" value="([^"]+)"', refused.body.decode())

    assert refused.status == 409 and (await now(api, session))["revision"] == 0
    assert "CH de Calais : Salle de visioconférence est prise" in words(refused.body)
    assert "Appelez CH de Lens" in words(refused.body) and 'value="Tapé"' in refused.body.decode()
    assert (await save(visitor, session, refused.body, take=offered)).status == 303
    after = await now(api, session)
    assert (after["wall_start"], after["title"]) == (offered, "Tapé")


async def test_a_move_outside_the_hours_is_saved_with_a_reason_alone(api: Api) -> None:
    session = await (await api.of("admin")).book()
    visitor = await signed_in(api)
    page = await form(visitor, session)
    refused = await save(visitor, session, page, start="2027-03-21T15:00")
    silent = await save(visitor, session, refused.body, do="override")

    assert (refused.status, silent.status) == (409, 422) and "Dites pourquoi" in words(silent.body)
    assert (await save(visitor, session, refused.body, do="override", override_reason="Urgence")).status == 303
    page = (await visitor.get(f"/sessions/{session['id']}")).body
    assert "Réservée malgré tout, parce que | Urgence" in words(page)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"duration_minutes": "7"}, "duration_minutes"),
        ({"duration_minutes": ""}, None),  # the kind's
        ({"start": "x"}, "start"),
        ({"start": "2027-03-28T02:30"}, "start"),
        ({"join_url": "http://x.example"}, "join_url"),
        ({"title": "Patiente née le 12/05/1985"}, "title"),
        ({"site": ["nowhere"]}, "site"),
        ({"kind": "nothing"}, "kind"),
        ({"revision": "x"}, "revision"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(api: Api, typed: dict[str, Any], field: str | None) -> None:
    session = await (await api.of("admin")).book()
    visitor = await signed_in(api)
    answer = await save(visitor, session, await form(visitor, session), **typed)

    assert answer.status == (422 if field else 303)
    assert field is None or (f'href="#{field}"' in answer.body.decode() and (await now(api, session)) == session)
    name, value = next(iter(typed.items()))
    assert field in (None, "kind", "revision") or fields(answer.body)[name] == value


async def test_a_session_is_cancelled_with_its_reason_and_taken_up_again(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    visitor = await signed_in(api)
    page = (await visitor.get(f"/sessions/{session['id']}/cancel")).body
    wrong = await visitor.post(f"/sessions/{session['id']}/cancel", fields(page, code="whim"))
    doubted = await visitor.post(
        f"/sessions/{session['id']}/cancel", fields(page, code="staffing", reason="Mme Dupont est absente")
    )
    done = await visitor.post(
        f"/sessions/{session['id']}/cancel", fields(doubted.body, code="staffing", no_patient_data="true")
    )

    assert "aucun dossier" in words(page) and wrong.status == 422 and "Choisissez un motif" in words(wrong.body)
    assert doubted.status == 422 and "Mme Dupont" in doubted.body.decode() and "J’ai relu" in words(doubted.body)
    assert (done.status, done.headers["Location"]) == (303, f"/sessions/{session['id']}?done=cancelled")
    page = (await visitor.get(done.headers["Location"])).body
    assert "manque de personnel" in words(page) and "Lever l’annulation" in words(page)
    assert "/change" not in page.decode() and "Répondre" not in words(page)
    resumed = await press(visitor, session, "resume")
    assert (resumed.status, resumed.headers["Location"]) == (303, f"/sessions/{session['id']}?done=resumed")
    assert (await now(api, session))["status"] == "tentative"


async def test_a_cancellation_that_cannot_be_undone_leads_to_a_booking_anew(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(**WHOLE)
    await admin("POST", f"/sessions/{session['id']}/cancellation")
    await admin.book(host_site="lens", required_sites=["calais"])
    visitor = await signed_in(api)
    refused = await press(visitor, session, "resume")
    [link, *_] = re.findall(rf'href="(/book\?again={session["id"]}[^"]+)"', refused.body.decode())

    assert refused.status == 409 and "L’annulation ne peut pas être levée" in words(refused.body)
    assert "Appelez CH de Lens" in words(refused.body)
    page = (await visitor.get(link.replace("&amp;", "&"))).body
    assert fields(page)["title"] == "Staff" and (await visitor.post("/book", fields(page))).status == 303


async def test_a_cancelled_session_is_not_changed(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    visitor = await signed_in(api)
    page = await form(visitor, session)
    await admin("POST", f"/sessions/{session['id']}/cancellation")
    stale = await save(visitor, session, page, title="Autre")
    answer = await save(visitor, session, stale.body)

    assert (stale.status, answer.status) == (412, 422) and "annulée" in words(stale.body)
    assert "La séance est annulée : levez d’abord l’annulation" in words(answer.body)


async def test_a_site_that_left_the_network_stays_until_it_is_taken_out(
    api: Api, configured: Settings, services: Services
) -> None:
    """The form shows it by its code: saving other words does not lose it."""
    session = await (await api.of("admin")).book(**WHOLE)
    sites = {code: site for code, site in configured.directory.sites.items() if code != "calais"}
    smaller = replace(configured, directory=replace(configured.directory, sites=sites))
    later = app.assemble(smaller, services.database, lambda: NOW)
    async with TestClient(TestServer(application(later)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, later))
        page = await form(visitor, session)
        first = await save(visitor, session, page, title="Autre")
        refused = await save(visitor, session, await form(visitor, session), duration_minutes="90")
        second = await save(visitor, session, refused.body, site=["sainte-justine"])

    assert fields(page)["site"] == ["sainte-justine", "calais"] and "a quitté le réseau" in words(page)
    assert [answer.status for answer in (first, refused, second)] == [303, 422, 303]
    after = await now(api, session)
    assert (after["title"], after["duration_minutes"]) == ("Autre", 90)
    assert [part["site"] for part in after["participations"]] == ["lille", "sainte-justine"]


async def test_a_script_in_any_field_is_shown_as_text(api: Api) -> None:
    session = await (await api.of("admin")).book(title=SCRIPT, description=SCRIPT, access_code="<b>1")
    visitor = await signed_in(api, name=SCRIPT)
    page = await form(visitor, session, "?start=%3Cscript%3E")
    await save(visitor, session, await form(visitor, session), title=SCRIPT + "2")
    wrong = await save(visitor, session, page, start=SCRIPT, title=SCRIPT, join_url=SCRIPT)
    for body in (page, wrong.body, (await visitor.get(f"/sessions/{session['id']}")).body,
                 (await visitor.get(f"/find?move={session['id']}")).body,
                 (await visitor.get(f"/sessions/{session['id']}/cancel")).body):  # fmt: skip
        assert b"<script" not in body and b"<b>1" not in body and b"&lt;script&gt;" in body


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_carries_its_place(api: Api, language: str) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    visitor = await signed_in(api)
    time = {"fr": r"\d{1,2}\u00a0h\u00a0\d\d", "en": r"\b\d\d:\d\d\b"}[language]
    place = {"fr": "heure de ", "en": " time"}[language]
    stale = fields(await form(visitor, session))
    await save(visitor, session, await form(visitor, session), start="2027-03-19T15:00")
    path = f"/sessions/{session['id']}"
    pages = [(await visitor.post(f"{path}/change?lang={language}", stale)).body]
    pages += [
        (await visitor.get(f"{path}{each}lang={language}")).body
        for each in ("?", "/change?start=2027-03-18T15:00&", "/cancel?", "/sites/sainte-justine?")
    ]

    for page in pages:
        timed = [line for _, line in read(page).found if re.search(time, line)]
        assert timed and [line for line in timed if len(re.findall(time, line)) > line.count(place)] == []
