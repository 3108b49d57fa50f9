"""A session and a day on the bridge: as much as one may see, with everybody's own hour."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from perinat_sched.booking.session import Answer, CancellationCode, Status
from perinat_sched.notices.notice import Kind
from perinat_sched.web.desk.words import ANSWERS, NOTICES, REASONS, STATUSES
from tests.web.callers import Api
from tests.web.desk.test_week import read, words
from tests.web.desk.visitors import signed_in

WHOLE = {"required_sites": ["calais", "sainte-justine"], "join_url": "https://visio.example/a", "access_code": "4711"}


async def test_those_who_take_part_see_who_where_how_to_dial_and_each_sites_hour(api: Api) -> None:
    booked = await (await api.of("admin")).book(title="Staff du jeudi", description="Ordre du jour", **WHOLE)
    page = words((await (await signed_in(api, "coordinator", sites=["calais"])).get(f"/sessions/{booked['id']}")).body)

    assert "Staff du jeudi jeudi 18 mars 2027 à 15 h 00 (heure de Paris)" in page and "Ordre du jour" in page
    assert "CH de Calais | 15 h 00 (heure de Paris) | Salle de visioconférence | sip:calais-1@" in page
    assert "10 h 00 (heure de Montréal)" in page and "sans réponse" in page and "https://visio.example/a" in page
    assert "Pont multipoint du CHU, 3 ports" in page and "À noter" in page
    assert "4711" not in page


async def test_who_may_change_it_sees_its_access_code_and_every_mail_a_site_its_own(api: Api) -> None:
    booked = await (await api.of("admin")).book(**WHOLE)
    await api.services.delivery.run_once()
    host, guest = [await signed_in(api, "coordinator", sites=[site]) for site in ("lille", "calais")]
    told = [words((await visitor.get(f"/sessions/{booked['id']}")).body) for visitor in (host, guest)]

    assert ["4711" in page for page in told] == [True, False]
    assert ["visio@sainte-justine.example" in page for page in told] == [True, False]
    assert all("Invitation" in page and "calais.example" in page for page in told)


async def test_others_of_the_network_see_kind_and_time_and_strangers_nothing(api: Api) -> None:
    booked = await (await api.of("admin")).book(title="Zanzibar", **WHOLE)
    path = f"/sessions/{booked['id']}"
    network = await (await signed_in(api, "coordinator", sites=["lens"])).get(path)
    stranger = await (await signed_in(api, "clinician", sites=["lens"])).get(path)

    page = words(network.body)
    assert network.status == 200 and "Staff de périnatalité" in page and "que son type et son heure" in page
    assert not re.search("Zanzibar|CH de Calais|visio.example|4711|Invitation", page)
    assert (stranger.status, (await (await signed_in(api)).get("/sessions/nothing")).status) == (404, 404)


async def test_a_cancelled_session_says_so_and_why(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book()
    await admin("POST", f"/sessions/{booked['id']}/cancellation", {"code": "no_case", "reason": "Rien à voir"})
    page = words((await (await signed_in(api)).get(f"/sessions/{booked['id']}")).body)

    assert "Annulée (aucun dossier) Rien à voir" in page


async def test_the_week_leads_to_the_session_in_full_alone(api: Api) -> None:
    booked = await (await api.of("admin")).book()
    link = f'href="/sessions/{booked["id"]}"'
    admin, lens = await signed_in(api), await signed_in(api, "coordinator", sites=["lens"])
    weeks = [(await v.get("/week?of=network:perinat&day=2027-03-18")).body.decode() for v in (admin, lens)]

    assert [link in page for page in weeks] == [True, False]


async def test_the_bridge_of_a_day_says_whom_to_dial_and_when_to_test(api: Api) -> None:
    admin = await api.of("admin")
    await admin.book(title="Staff du jeudi", **WHOLE)
    await admin.book(title="À deux", host_site="lens", required_sites=["arras"])
    cancelled = await admin.book(title="Annulée", start="2027-03-18T17:45", **WHOLE)
    await admin("POST", f"/sessions/{cancelled['id']}/cancellation")
    visitor = await signed_in(api)
    page = words((await visitor.get("/bridge?day=2027-03-18")).body)

    assert "Staff du jeudi" in page and "À deux" not in page and "Annulée" not in page
    assert "3 ports sur 12" in page and "sip:calais-1@" in page and "+33 3 " in page
    assert "14 h 30 (heure de Paris)" in page and "9 h 30 (heure de Montréal)" in page
    assert "Aucune séance" in words((await visitor.get("/bridge")).body)
    assert "Aucune séance" in words((await visitor.get("/bridge?bridge=passerelle-sip&day=2027-03-18")).body)
    assert (await visitor.get("/bridge?bridge=none")).status == 422


async def test_the_bridge_tells_others_kind_and_time_alone(api: Api) -> None:
    await (await api.of("admin")).book(title="Zanzibar", **WHOLE)
    lens = await signed_in(api, "coordinator", sites=["lens"])
    page = words((await lens.get("/bridge?day=2027-03-18")).body)

    assert "Staff de périnatalité" in page and "Zanzibar" not in page and "CH de Calais" not in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_of_a_session_carries_its_place(api: Api, language: str) -> None:
    booked = await (await api.of("admin")).book(**WHOLE)
    await api.services.delivery.run_once()
    visitor = await signed_in(api)
    time = {"fr": r"\d{1,2}\u00a0h\u00a0\d\d", "en": r"\b\d\d:\d\d\b"}[language]
    place = {"fr": "(heure de ", "en": " time)"}[language]
    shown = 0
    for path in (f"/sessions/{booked['id']}?lang={language}", f"/bridge?day=2027-03-18&lang={language}"):
        text = read((await visitor.get(path)).body)
        timed = [line for _, line in text.found if re.search(time, line)]
        assert [line for line in timed if len(re.findall(time, line)) > line.count(place)] == []
        shown += len(timed)
    assert shown > 10


async def test_a_script_in_any_field_is_shown_as_text(api: Api) -> None:
    script = "<script>alert(1)</script>"
    admin = await api.of("admin")
    given = WHOLE | {"access_code": "<b>1</b>"}
    booked = await admin.book(title=script, description=script, **given)
    path = f"/sessions/{booked['id']}"
    await admin("PUT", f"{path}/participations/calais/answer", {"answer": "accepted", "comment": script})
    await admin("POST", f"{path}/cancellation", {"reason": script})
    page = (await (await signed_in(api)).get(path)).body.decode()

    assert page.count("&lt;script&gt;") >= 4 and "<script" not in page and "<b>1" not in page


def test_every_word_of_the_domain_has_its_word_for_people() -> None:
    assert STATUSES.keys() == set(get_args(Status)) and ANSWERS.keys() == set(get_args(Answer))
    assert REASONS.keys() == set(get_args(CancellationCode)) and NOTICES.keys() == set(get_args(Kind))
