"""My site: what waits is answered in place, what is closed is entered, and its sessions go elsewhere or stay."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event

from perinat_sched.storage.database import Database
from tests.web.callers import Answer, Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

SCRIPT = "<script>alert(1)</script>"
CLOSURE = {"site": "calais", "place": "site:calais", "first": "2027-03-18", "reason": "Travaux"}


def seen(session: dict[str, Any]) -> str:
    """What a page shows of a session, as its forms carry it."""
    return f"{session['revision']}.{session['sequence']}@{session['start'][:16]}"


async def of(api: Api, *sites: str, role: str = "coordinator") -> Visitor:
    return await signed_in(api, role, sites=list(sites))


async def sent(visitor: Visitor, path: str, **form: str) -> Answer:
    return await visitor.post(path, {"form_token": await visitor.form_token(), **form})


async def closed(visitor: Visitor, **given: str) -> str:
    """Enter a closure; where one is led."""
    answer = await sent(visitor, "/site/closures", **(CLOSURE | given))
    assert answer.status == 303, answer.body.decode()
    return answer.headers["Location"]


async def text(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status == 200, answer.body.decode()
    return words(answer.body)


async def test_what_waits_is_answered_in_place_by_the_clock_of_the_site(api: Api) -> None:
    booked = await (await api.of("admin")).book(required_sites=["sainte-justine", "calais"])
    visitor = await of(api, "sainte-justine")
    page = await text(visitor, "/site")
    assert (
        "jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)" in page and "sans réponse" in page and "CH de Calais" in page
    )

    answer = await sent(visitor, "/site/answer", site="sainte-justine", session=booked["id"], answer="tentative")
    assert (answer.status, answer.headers["Location"]) == (303, "/site?site=sainte-justine&done=answered")
    assert "peut-être" in await text(visitor, "/site")
    await sent(visitor, "/site/answer", site="sainte-justine", session=booked["id"], answer="accepted", comment="Oui")
    page = await text(visitor, "/site?done=answered")
    assert "Rien n’attend" in page and "La réponse est donnée" in page
    told = await text(await signed_in(api), f"/sessions/{booked['id']}")
    assert "accepté" in told and "Oui" in told


async def test_a_site_that_waits_may_take_another_of_its_rooms(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(host_site="calais", required_sites=["lille"])
    await admin("PUT", f"/sessions/{booked['id']}/participations/lille/answer", {"answer": "tentative"})
    visitor = await of(api, "lille")
    page = (await visitor.get("/site")).body.decode()
    [part] = [
        p for p in (await admin("GET", f"/sessions/{booked['id']}")).json["participations"] if p["site"] == "lille"
    ]
    others = set(re.findall(r'<option value="(lille-\d)"', page))

    assert others and part["room"] not in others
    room = sorted(others)[0]
    await sent(visitor, "/site/answer", site="lille", session=booked["id"], answer="accepted", room=room)
    [part] = [
        p for p in (await admin("GET", f"/sessions/{booked['id']}")).json["participations"] if p["site"] == "lille"
    ]
    assert (part["answer"], part["room"]) == ("accepted", room)


async def test_a_room_that_is_taken_is_explained_beside_the_answer_and_what_was_typed_stays(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(host_site="calais", required_sites=["lille"], rooms={"lille": "lille-1"})
    await admin.book(host_site="lille", required_sites=["arras"], rooms={"lille": "lille-2"})
    await admin("PUT", f"/sessions/{booked['id']}/participations/lille/answer", {"answer": "tentative"})
    visitor = await of(api, "lille")
    form = {
        "site": "lille",
        "session": booked["id"],
        "answer": "accepted",
        "room": "lille-2",
        "comment": "Bien volontiers",
    }
    answer = await sent(visitor, "/site/answer", **form)
    page = answer.body.decode()

    assert answer.status == 409 and 'role="alert"' in page
    assert "est prise par une autre séance" in page and "+33 3 " in words(answer.body)
    assert 'value="Bien volontiers"' in page and '<option value="lille-2" selected>' in page


async def test_a_comment_about_a_patient_is_refused_beside_its_field(api: Api) -> None:
    booked = await (await api.of("admin")).book()
    visitor = await of(api, "calais")
    form = {"site": "calais", "session": booked["id"], "answer": "declined", "comment": "Madame Durand"}
    answer = await sent(visitor, "/site/answer", **form)
    page = answer.body.decode()

    assert answer.status == 422 and 'id="comment-wrong"' in page and 'href="#comment"' in page
    assert 'value="Madame Durand"' in page
    assert (await sent(visitor, "/site/answer", **form, no_patient_data="yes")).status == 303


@pytest.mark.parametrize(
    ("role", "given", "status", "answers"),
    [
        ("admin", {}, 200, True),
        ("coordinator", {"sites": ["calais"]}, 200, True),
        ("coordinator", {"networks": ["perinat"]}, 200, True),
        ("coordinator", {"sites": ["lille"]}, 404, False),
        ("coordinator", {"networks": ["hpsm"]}, 404, False),
        ("clinician", {"sites": ["calais"]}, 200, False),
        ("clinician", {"sites": ["lille"]}, 404, False),
    ],
)
async def test_who_reads_the_page_of_a_site_and_who_acts_for_it(
    api: Api, role: str, given: dict[str, Any], status: int, answers: bool
) -> None:
    booked = await (await api.of("admin")).book()
    visitor = await signed_in(api, role, **given)
    page = await visitor.get("/site?site=calais")
    form = {"site": "calais", "session": booked["id"], "answer": "accepted"}

    assert page.status == status
    if status == 200:
        assert (b'name="answer"' in page.body, b'name="reason"' in page.body) == (answers, answers)
    answered = (await sent(visitor, "/site/answer", **form)).status
    entered = (await sent(visitor, "/site/closures", **CLOSURE)).status
    refusal = 403 if status == 200 else 404
    assert (answered, entered) == ((303, 303) if answers else (refusal, refusal))


async def test_without_a_site_there_is_no_page(api: Api) -> None:
    visitor = await signed_in(api, "clinician", person="anne")
    assert (await visitor.get("/site")).status == 404


async def test_a_closure_leads_to_its_sessions_and_each_goes_elsewhere_or_stays(api: Api) -> None:
    admin = await api.of("admin")
    hosted = await admin.book(host_site="calais", required_sites=["sainte-justine"], title="Staff de Calais")
    guest = await admin.book(start="2027-03-18T10:00", title="Staff de Lille")
    visitor = await of(api, "calais")
    path = await closed(visitor)
    page = (await visitor.get(path)).body.decode()
    said = words(page.encode())

    assert "Fermé : Travaux" in said and "Staff de Calais" in said and "Staff de Lille" in said
    assert "C’est l’établissement hôte qui la déplace" in said and "+33 3 " in said
    assert "Déplacer au vendredi 19 mars 2027 à 15 h 00 (heure de Paris)" in said
    assert "10 h 00 (heure de Montréal)" in said  # what the others read
    [to] = [to for to in re.findall(r'name="to" value="([^"]+)"', page) if to.startswith("2027-03-19T14")]
    form = {"session": hosted["id"], "seen": seen(hosted), "to": to}
    assert (await sent(visitor, path, **form)).headers["Location"] == f"{path}?done=moved"
    assert (await sent(visitor, path, **form)).headers["Location"] == path  # a second time: nothing more
    moved = (await admin("GET", f"/sessions/{hosted['id']}")).json
    assert (moved["start"], moved["sequence"]) == ("2027-03-19T15:00:00+01:00", 1)

    form = {"session": guest["id"], "seen": seen(guest), "to": "decline"}
    assert (await sent(visitor, path, **form)).headers["Location"] == f"{path}?done=declined"
    told = (await admin("GET", f"/sessions/{guest['id']}")).json["participations"]
    assert [part["answer"] for part in told if part["site"] == "calais"] == ["declined"]
    assert "Elle ne touche aucune séance" in await text(visitor, f"{path}?done=declined")


async def test_a_session_that_changed_meanwhile_or_fits_no_more_stays_and_says_why(api: Api) -> None:
    admin = await api.of("admin")
    hosted = await admin.book(host_site="calais", required_sites=["arras"])
    visitor = await of(api, "calais")
    path = await closed(visitor)
    stale = await sent(visitor, path, session=hosted["id"], seen="7.7", to="2027-03-19T14:00:00Z")
    assert stale.status == 412 and "après l’ouverture de cette page" in stale.body.decode()

    await admin.book(host_site="arras", start="2027-03-19T15:00", required_sites=["lens"])
    form = {"session": hosted["id"], "seen": seen(hosted), "to": "2027-03-19T14:00:00Z"}
    taken = await sent(visitor, path, **form)
    assert taken.status == 409 and "est prise par une autre séance" in taken.body.decode()
    assert "vendredi 19 mars 2027 à 15 h 00" not in words(taken.body)  # and is offered no more
    assert (await sent(visitor, path, session=hosted["id"], seen="0.0", to="tomorrow")).status == 422


async def test_a_closed_room_leaves_its_session_the_hour_and_another_room(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(rooms={"lille": "lille-1"})
    visitor = await of(api, "lille")
    path = await closed(visitor, site="lille", place="room:lille-1")
    page = (await visitor.get(path)).body.decode()
    to = re.findall(r'name="to" value="([^"]+)"', page)[0]

    assert to == "2027-03-18T14:00:00Z lille-2"
    await sent(visitor, path, session=booked["id"], seen=seen(booked), to=to)
    moved = (await admin("GET", f"/sessions/{booked['id']}")).json
    assert (moved["start"], moved["participations"][0]["room"]) == (booked["start"], "lille-2")


async def test_removing_a_closure_opens_the_place_again(api: Api) -> None:
    visitor = await of(api, "calais")
    path = await closed(visitor)
    assert "Travaux" in await text(visitor, "/site") and path in (await visitor.get("/site")).body.decode()
    answer = await sent(visitor, f"{path}/removal")

    assert answer.headers["Location"] == "/site?site=calais&done=removed"
    assert "Travaux" not in await text(visitor, "/site?done=removed")
    again = await sent(visitor, f"{path}/removal", site="calais")
    assert (await visitor.get(path)).status == 404
    assert (again.status, again.headers["Location"]) == (303, "/site?site=calais")  # sent twice


async def test_a_closure_is_its_keepers_alone(api: Api) -> None:
    path = await closed(await of(api, "calais"))
    for stranger in (await of(api, "lille"), await of(api, "calais", role="clinician")):
        assert (await stranger.get(path)).status == 403
        assert (await sent(stranger, f"{path}/removal")).status == 403
        assert (await sent(stranger, path, session="x", seen="0.0", to="decline")).status == 403
    bridge = await (await api.of("admin"))(
        "POST", "/closures", {"bridge": "mcu-lille", "from": "2027-03-18", "until": "2027-03-18", "reason": "Essais"}
    )
    assert (await (await signed_in(api)).get(f"/closures/{bridge.json['id']}")).status == 404


async def test_a_form_sent_twice_closes_once(api: Api) -> None:
    visitor = await of(api, "calais")
    key = re.search(r'name="key" value="([^"]+)"', (await visitor.get("/site")).body.decode())
    assert key is not None
    paths = {await closed(visitor, key=key[1]) for _ in range(2)}
    assert len(paths) == 1
    other = await sent(visitor, "/site/closures", **(CLOSURE | {"key": key[1], "reason": "Autre chose"}))
    assert other.status == 422 and 'role="alert"' in other.body.decode()


async def test_hours_of_a_closure_are_those_of_the_site(api: Api) -> None:
    visitor = await of(api, "sainte-justine")
    given = {"site": "sainte-justine", "place": "site:sainte-justine", "first_at": "09:00", "last_at": "11:30"}
    page = await text(visitor, await closed(visitor, **given))
    assert "jeudi 18 mars 2027, 9 h 00–11 h 30 (heure de Montréal)" in page
    days = await text(visitor, await closed(visitor, **(given | {"first_at": "", "last_at": "", "last": "2027-03-20"})))
    assert "du jeudi 18 mars 2027 au samedi 20 mars 2027" in days


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"first": ""}, "from"),
        ({"first": "soon"}, "from"),
        ({"last": "2027-03-17"}, "until"),
        ({"last_at": "25:00"}, "until"),
        ({"reason": ""}, "reason"),
        ({"reason": "IPP 123456"}, "reason"),
        ({"place": "site:nowhere"}, "site"),
    ],
)
async def test_what_is_wrong_with_a_closure_stands_beside_its_field(
    api: Api, given: dict[str, str], field: str
) -> None:
    visitor = await of(api, "calais")
    answer = await sent(visitor, "/site/closures", **(CLOSURE | {"last": "2027-03-19", "reason": "Peinture"} | given))
    page = answer.body.decode()

    assert answer.status == 422
    assert f'id="{field}-wrong"' in page and f'href="#{field}"' in page and re.search(rf' id="{field}"', page)
    assert given.get("last") or 'value="2027-03-19"' in page
    assert "Aucune fermeture." in page


async def test_closures_and_holidays_stand_in_the_weeks_ahead(api: Api) -> None:
    visitor = await of(api, "calais")
    await closed(visitor, first="2027-01-12")
    page = (await visitor.get("/site")).body
    [week] = re.findall(r'id="week-2027-01-11".*?</section>', page.decode(), re.DOTALL)
    assert "Fermé" in week and "Travaux" in week and "mardi 12 janvier 2027" in week


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_carries_its_place(api: Api, language: str) -> None:
    admin = await api.of("admin")
    await admin.book(start="2027-01-13T15:00", host_site="calais", required_sites=["sainte-justine"])
    await admin.book(start="2027-01-13T10:00")
    visitor = await of(api, "calais")
    path = await closed(visitor, first="2027-01-13", first_at="09:00", last_at="18:00")
    one = {"fr": r"\d{1,2} h \d\d", "en": r"\b\d\d:\d\d\b"}[language]
    time = f"{one}(?:–{one})?"  # both ends of a span share their place
    place = {"fr": "(heure de ", "en": " time)"}[language]
    for where in (path, "/site"):
        shown = words((await visitor.get(f"{where}?lang={language}")).body)
        assert len(re.findall(time, shown)) == shown.count(place) > 2


async def test_a_script_in_any_field_is_shown_as_text(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(host_site="calais", required_sites=["lens"], title=SCRIPT)
    visitor = await of(api, "calais")
    path = await closed(visitor, reason=SCRIPT)
    typed = await sent(visitor, "/site/closures", **(CLOSURE | {"first": SCRIPT[:20], "reason": SCRIPT}))
    form = {"site": "calais", "session": booked["id"], "answer": "declined", "comment": SCRIPT}
    refused = await sent(visitor, "/site/answer", **form)
    pages = [(await visitor.get(path)).body, (await visitor.get("/site")).body, typed.body, refused.body]

    assert all(b"<script" not in page and b"&lt;script&gt;" in page for page in pages)


async def test_the_page_costs_the_same_number_of_statements_whatever_is_on_it(api: Api, database: Database) -> None:
    admin, visitor = await api.of("admin"), await of(api, "calais")
    statements: list[str] = []
    event.listen(database._engines.reader.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    counts = []
    for hours in (("09",), ("11", "14", "16")):
        for hour in hours:
            await admin.book(start=f"2027-01-13T{hour}:00", duration_minutes=30)
        paths = [await closed(visitor, first="2027-01-13") for _ in hours]
        for where in ("/site", paths[-1]):
            statements.clear()
            await visitor.get(where)
            counts.append(len(statements))
        for path in paths:
            await sent(visitor, f"{path}/removal")
    assert counts[:2] == counts[2:]
