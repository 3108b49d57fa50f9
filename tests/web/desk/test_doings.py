"""What else is done on a session's page: answers, calls, mails, its calendar, its history; and by whom."""

from __future__ import annotations

import re
from typing import Any

import icalendar
import pytest

from tests.web.callers import Answer, Api
from tests.web.desk.test_change import now, press
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, fields, signed_in
from tests.web.test_notices import failed

WHOLE = {"required_sites": ["calais", "sainte-justine"], "title": "Zanzibar", "description": "Ordre du jour"}


async def reply(visitor: Visitor, session: dict[str, Any], site: str, **typed: Any) -> Answer:
    path = f"/sessions/{session['id']}/sites/{site}"
    return await visitor.post(path, fields((await visitor.get(path)).body, **typed))


async def test_a_site_answers_from_the_page_of_the_session(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    calais = await signed_in(api, "coordinator", sites=["calais"])
    page = (await calais.get(f"/sessions/{session['id']}")).body.decode()
    links = re.findall(r'href="(/sessions/[^"]+/sites/[^"]+)"', page)
    form = (await calais.get(links[0])).body
    given = [
        (await reply(calais, session, "calais", answer=answer, comment=f"dit {answer}")).headers.get("Location")
        for answer in ("tentative", "declined", "accepted")
    ]

    assert links == [f"/sessions/{session['id']}/sites/calais"]
    assert "jeudi 18 mars 2027 à 15 h 00 (heure de Paris)" in words(form)
    assert given == [f"/sessions/{session['id']}?done=answered"] * 3
    part = (await now(api, session))["participations"][1]
    assert (part["answer"], part["room"]) == ("accepted", "calais-1")
    told = words((await calais.get(given[0] or "")).body)
    assert "La réponse est notée" in told and "accepté dit accepted" in told


async def test_an_answer_says_its_own_hour_and_the_hosts_and_may_choose_another_room(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    lille = await signed_in(api, "coordinator", sites=["lille"])
    montreal = await signed_in(api, "coordinator", sites=["sainte-justine"])
    page = words((await montreal.get(f"/sessions/{session['id']}/sites/sainte-justine")).body)
    own = (await lille.get(f"/sessions/{session['id']}/sites/lille")).body.decode()

    assert "10 h 00 (heure de Montréal), 15 h 00 (heure de Paris)" in page
    assert 'value="declined"' not in own  # the host cancels instead
    assert (await reply(lille, session, "lille", answer="accepted", room="lille-2")).status == 303
    assert (await now(api, session))["participations"][0]["room"] == "lille-2"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"answer": ""}, "answer"),
        ({"answer": "pending"}, "answer"),
        ({"answer": "accepted", "comment": "Patiente née le 12/05/1985"}, "comment"),
        ({"answer": "accepted", "room": "calais-9"}, "room"),
    ],
)
async def test_what_is_wrong_with_an_answer_stands_beside_its_field(
    api: Api, typed: dict[str, str], field: str
) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    answer = await reply(await signed_in(api), session, "calais", **typed)

    assert answer.status == 422 and f'href="#{field}"' in answer.body.decode() and await now(api, session) == session
    assert typed.get("comment", "") in answer.body.decode()


async def test_an_answer_whose_room_is_taken_is_explained(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(**WHOLE)
    calais = await signed_in(api, "coordinator", sites=["calais"])
    await reply(calais, session, "calais", answer="declined")
    await admin.book(host_site="lens", required_sites=["calais"])
    refused = await reply(calais, session, "calais", answer="accepted", comment="Nous venons")

    assert refused.status == 409 and "est prise par une autre séance" in words(refused.body)
    assert "Appelez CH de Lens" in words(refused.body) and "appelez l’hôte" in words(refused.body)
    assert "Nous venons" in refused.body.decode() and "à proposer à l’hôte" in words(refused.body)


async def test_a_call_is_noted_with_who_rang_until_the_session_moves(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE)
    anne = await signed_in(api, "coordinator", sites=["lille"], name="Anne")
    for _ in range(2):
        answer = await press(anne, session, "calls", site="calais")
        assert (answer.status, answer.headers["Location"]) == (303, f"/sessions/{session['id']}?done=rung")
    page = words((await anne.get(answer.headers["Location"])).body)

    assert (
        "L’appel est noté" in page and "☑ Anne, lundi 4 janvier 2027 à 9 h 00 (heure de Paris) | CH de Calais" in page
    )
    assert page.count("appel à CH de Calais Anne") == 1 and page.count("☐ Appelé") == 2
    await (await api.of("admin"))(
        "PATCH", f"/sessions/{session['id']}", {"start": "2027-03-19T15:00"}, headers={"If-Match": "*"}
    )
    moved = words((await anne.get(f"/sessions/{session['id']}")).body)
    assert "☑" not in moved and "appel à CH de Calais Anne" in moved
    wrong = await press(anne, session, "calls", site="arras")
    assert wrong.status == 422 and "Ce site ne participe pas" in words(wrong.body) and "Zanzibar" in words(wrong.body)


async def test_a_failed_mail_is_sent_again_by_those_who_may_change_the_session(api: Api) -> None:
    session = await failed(api, await api.of("admin"), **WHOLE)
    path = f"/sessions/{session['id']}"
    lille, calais = [await signed_in(api, "coordinator", sites=[site]) for site in ("lille", "calais")]
    pages = [(await visitor.get(path)).body.decode() for visitor in (lille, calais)]
    [mail, *others] = re.findall(rf'action="{path}/mails/([^"]+)"', pages[0])
    refused = await press(calais, session, f"mails/{mail}")
    first, again = [await press(lille, session, f"mails/{mail}") for _ in range(2)]

    assert others and "550 5.1.1" in pages[0] and "/mails/" not in pages[1]
    assert refused.status in (403, 404)
    assert (first.status, first.headers["Location"]) == (303, f"{path}?done=sent")
    assert (
        again.status == 422
        and "Seul un message en échec" in words(again.body)
        and 'role="alert"' in again.body.decode()
    )


async def test_a_session_is_taken_along_as_its_feeds_show_it(api: Api) -> None:
    session = await (await api.of("admin")).book(**WHOLE, access_code="4711")
    path = f"/sessions/{session['id']}/calendar.ics"
    montreal = await (await signed_in(api, "coordinator", sites=["sainte-justine"])).get(path)
    network = await (await signed_in(api, "coordinator", sites=["lens"])).get(path)
    [full] = icalendar.Calendar.from_ical(montreal.body).walk("VEVENT")
    [kind] = icalendar.Calendar.from_ical(network.body).walk("VEVENT")

    assert montreal.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert 'attachment; filename="perinat-2027-03-18.ics"' in montreal.headers["Content-Disposition"]
    assert full["UID"] == session["uid"] and "Zanzibar" in str(full["SUMMARY"]) and "4711" not in montreal.body.decode()
    assert "Staff de périnatalité" in str(kind["SUMMARY"]) and "Zanzibar" not in network.body.decode()
    assert (await (await signed_in(api, "clinician", sites=["lens"])).get(path)).status == 404


async def test_the_history_names_who_did_what_to_those_who_run_the_session(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book(**WHOLE)
    calais = await signed_in(api, "coordinator", sites=["calais"], name="Zoé")
    await reply(calais, session, "calais", answer="accepted")
    lille = words((await (await signed_in(api, "coordinator", sites=["lille"])).get(f"/sessions/{session['id']}")).body)
    guest = words((await calais.get(f"/sessions/{session['id']}")).body)

    assert "réponse de CH de Calais : accepté Zoé" in lille and "réservée test" in lille
    assert "Historique" not in guest and "Liste d’appels" not in guest


ADMIN, LILLE, NETWORK = ("admin", {}), ("coordinator", {"sites": ["lille"]}), ("coordinator", {"networks": ["perinat"]})
CALAIS, LENS = ("coordinator", {"sites": ["calais"]}), ("coordinator", {"sites": ["lens"]})
READER, STRANGER = ("clinician", {"sites": ["lille"]}), ("clinician", {"sites": ["lens"]})


@pytest.mark.parametrize(
    ("who", "changes", "answers"),
    [
        (ADMIN, 303, 303), (LILLE, 303, 403), (NETWORK, 303, 303), (CALAIS, 403, 303), (LENS, 403, 403),
        (READER, 403, 403), (STRANGER, 404, 404),
    ],
)  # fmt: skip
async def test_who_does_what(api: Api, who: tuple[str, dict[str, Any]], changes: int, answers: int) -> None:
    """Forms are shown to, and taken from, those whom the table of rights allows it, and nobody else."""
    session = await (await api.of("admin")).book(**WHOLE)
    path = f"/sessions/{session['id']}"
    theirs, visitor = await signed_in(api), await signed_in(api, who[0], **who[1])
    token = {"form_token": await visitor.form_token()}
    change = fields((await theirs.get(f"{path}/change")).body, title="Autre") | token
    answer = fields((await theirs.get(f"{path}/sites/calais")).body, answer="accepted") | token
    shown = {name: (await visitor.get(f"{path}/{name}")).status for name in ("change", "cancel", "sites/calais")}
    sent = {
        "sites/calais": (await visitor.post(f"{path}/sites/calais", answer)).status,
        "calls": (await visitor.post(f"{path}/calls", token | {"site": "calais"})).status,
        "cancel": (await visitor.post(f"{path}/cancel", token | {"code": "no_case"})).status,
        "resume": (await visitor.post(f"{path}/resume", token)).status,
    }
    found = (await visitor.get(f"/find?move={session['id']}")).status
    late = (await visitor.post(f"{path}/change", change)).status  # answered meanwhile

    ok = {303: 200}
    assert shown == {"change": ok.get(changes, changes), "cancel": ok.get(changes, changes),
                     "sites/calais": ok.get(answers, answers)}  # fmt: skip
    assert sent == {"sites/calais": answers, "calls": changes, "cancel": changes, "resume": changes}
    assert found == ok.get(changes, changes)
    assert late == {303: 412}.get(changes, changes)
