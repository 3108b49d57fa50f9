"""Book: in two clicks, once, with every refusal explained and an hour to take instead."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.web.callers import Answer, Api
from tests.web.desk.test_week import read, words
from tests.web.desk.visitors import Visitor, fields, signed_in

THURSDAY = "/book?kind=staff&host=lille&site=calais&site=sainte-justine&start=2027-03-18T15:00"
SUNDAY = "/book?kind=staff&host=lille&site=calais&start=2027-03-21T15:00"
SCRIPT = "<script>alert(1)</script>"


async def sessions(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await api.of("admin"))("GET", "/sessions")).json["items"]
    return found


async def send(visitor: Visitor, page: bytes, **typed: Any) -> Answer:
    return await visitor.post("/book", fields(page, **typed))


async def test_a_slot_is_booked_in_two_clicks(api: Api) -> None:
    visitor = await signed_in(api, "coordinator", sites=["lille"])
    page = (await visitor.get(THURSDAY)).body
    text = words(page)
    answer = await send(visitor, page)

    assert "jeudi 18 mars 2027 à 15 h 00 (heure de Paris) | 10 h 00 (heure de Montréal)" in text
    assert "Tous ceux qu’il faut sont libres" in text and "Pont multipoint du CHU, 3 ports" in text
    assert "CH de Calais | 15 h 00 (heure de Paris) | Salle de visioconférence | libre" in text
    [booked] = await sessions(api)
    assert (answer.status, answer.headers["Location"]) == (303, f"/sessions/{booked['id']}?done=booked")
    assert "Réservée. Les sites sont prévenus" in words((await visitor.get(answer.headers["Location"])).body)
    assert booked["start"] == "2027-03-18T15:00:00+01:00" and booked["title"] == "Visio Périnat — staff"
    assert [part["site"] for part in booked["participations"]] == ["lille", "calais", "sainte-justine"]


async def test_the_same_form_sent_twice_books_once_and_leads_to_the_same_place(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    first, second = await send(visitor, page), await send(visitor, page)

    assert (first.status, second.status) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"] and len(await sessions(api)) == 1


async def test_a_form_that_is_sent_ten_times_at_once_books_once(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    answers = await asyncio.gather(*(send(visitor, page) for _ in range(10)))

    assert {answer.status for answer in answers} == {303} and len(await sessions(api)) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


async def test_a_form_without_its_key_is_none_of_ours(api: Api) -> None:
    visitor = await signed_in(api)
    sent = fields((await visitor.get(THURSDAY)).body)
    del sent["key"]

    assert (await visitor.post("/book", sent)).status == 422 and await sessions(api) == []


async def test_a_used_form_with_other_content_is_not_booked_until_it_is_looked_at_again(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    await send(visitor, page)
    other = await send(visitor, page, start="2027-03-19T15:00")

    assert other.status == 422 and "Ce formulaire a déjà été envoyé" in words(other.body)
    assert len(await sessions(api)) == 1
    assert fields(other.body)["key"] != fields(page)["key"]
    assert (await send(visitor, other.body)).status == 303 and len(await sessions(api)) == 2


async def test_a_refusal_says_why_whom_to_ring_and_what_can_be_taken_at_once(api: Api) -> None:
    await (await api.of("admin")).book(title="Staff du jeudi", host_site="lens", required_sites=["calais"])
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    text = words(page)
    [offered, *_] = re.findall(r'name="take" value="([^"]+)"', page.decode())
    answer = await send(visitor, page, take=offered, title="Autre heure")

    assert "CH de Calais : Salle de visioconférence est prise par une autre séance" in text
    assert "jeudi 18 mars 2027, 15 h 00–16 h 00 (heure de Paris)" in text and "Voir cette séance" in text
    assert "Appelez CH de Lens : +33 3 00 00 00 06" in text and 'href="tel:+33300000006"' in page.decode()
    assert "jamais cédés" in text and 'value="override"' not in page.decode()
    assert answer.status == 303
    assert [one["start"] for one in await sessions(api) if one["title"] == "Autre heure"] == [
        "2027-03-18T16:45:00+01:00"
    ]
    assert offered == "2027-03-18T16:45"


async def test_what_was_taken_meanwhile_is_refused_with_what_was_typed_kept(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    await (await api.of("admin")).book(required_sites=["calais"])
    first, again = [await send(visitor, page, title="Typed", description="a\r\nb & c") for _ in range(2)]

    assert (first.status, again.status) == (409, 409) and len(await sessions(api)) == 1
    assert 'value="Typed"' in first.body.decode() and "\na\r\nb &amp; c</textarea>" in first.body.decode()
    assert 'role="alert"' in first.body.decode() and "Impossible ainsi" in words(again.body)
    assert fields(first.body)["key"] != fields(page)["key"]


async def test_of_a_session_that_one_may_not_see_there_is_only_whom_to_ring(api: Api) -> None:
    await (await api.of("admin")).book(title="Zanzibar", host_site="lens", required_sites=["calais"], network="perinat")
    visitor = await signed_in(api, "coordinator", sites=["lille"])
    page = (await visitor.get(THURSDAY)).body

    assert "Appelez CH de Lens" in words(page) and "Zanzibar" not in page.decode()
    assert "Voir cette séance" not in words(page)


async def test_a_reason_overrides_where_one_is_enough(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(SUNDAY)).body
    none = await send(visitor, page, do="override")
    answer = await send(visitor, none.body, do="override", override_reason="Urgence du dimanche")

    assert "n’est pas ouvert" in words(page)
    assert none.status == 422 and "Dites pourquoi" in words(none.body) and "Impossible ainsi" in words(none.body)
    assert answer.status == 303 and len(await sessions(api)) == 1


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"start": ""}, "start", "AAAA"),
        ({"duration_minutes": "7"}, "duration_minutes", "multiple de 5"),
        ({"duration_minutes": "x"}, "duration_minutes", "nombre entier"),
        ({"site": ["lens"], "optional_site": ["lens"]}, "optional_site", "deux fois"),
        ({"host": "nowhere"}, "host", "nowhere"),
        ({"join_url": "ftp://x"}, "join_url", "https"),
        ({"title": "Patiente née le 12/05/1985"}, "title", "patient"),
        ({"start": "2027-03-28T02:30"}, "start", "1 h 30"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    api: Api, typed: dict[str, Any], field: str, told: str
) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    answer = await send(visitor, page, **{"title": "Titre tapé", **typed})
    again = answer.body.decode()

    assert answer.status == 422 and await sessions(api) == []
    assert f'href="#{field}"' in again and 'role="alert"' in again and f"{field}-wrong" in again
    sent, kept = fields(page, **{"title": "Titre tapé", **typed}), fields(answer.body)
    dropped = {"host", "room"} if field == "host" else set()
    assert {name: kept[name] for name in sent if name not in dropped} == {
        name: value for name, value in sent.items() if name not in dropped
    }
    assert told in re.sub(r"\s", " ", again) or told == "AAAA"


async def test_a_text_that_may_speak_of_a_patient_is_confirmed_by_who_typed_it(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    doubted = await send(visitor, page, description="Mme Dupont présente le programme")
    assert doubted.status == 422 and "J’ai relu" in words(doubted.body)
    assert (await send(visitor, doubted.body, no_patient_data="true")).status == 303


async def test_an_hour_that_comes_twice_is_asked_about(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get("/book?kind=test&host=lille&site=calais&start=2027-10-31T02:30")).body
    again = await send(visitor, page, fold="1")

    assert "Laquelle des deux heures" in words(page) and "UTC+2" in words(page) and "UTC+1" in words(page)
    assert again.status == 409 and "2 h 30 (heure de Paris, UTC+1)" in words(again.body)  # nobody is there at night
    done = await send(visitor, again.body, do="override", override_reason="Nuit des essais")
    assert (done.status, (await sessions(api))[0]["start"]) == (303, "2027-10-31T02:30:00+01:00")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2027-03-14T02:30", ["1 h 30 (heure de Montréal", "3 h 30 (heure de Montréal"]),
        ("2027-11-07T01:30", ["1 h 30 (heure de Montréal, UTC−4)", "1 h 30 (heure de Montréal, UTC−5)"]),
    ],
)
async def test_the_night_of_a_change_of_clocks_is_told_by_the_name_of_the_hosts_own_town(
    api: Api, start: str, told: list[str]
) -> None:
    visitor = await signed_in(api)
    page = words((await visitor.get(f"/book?kind=test&host=sainte-justine&site=calais&start={start}")).body)

    assert all(hour in page for hour in told) and "Toronto" not in page


async def test_checking_books_nothing_and_is_what_the_enter_key_does(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    answer = await send(visitor, page, do="check", site=["lens"], title="Tapé")

    assert (answer.status, await sessions(api)) == (200, [])
    assert "CH de Lens | 15 h 00" in words(answer.body) and 'value="Tapé"' in answer.body.decode()
    [first, *_] = re.findall(r"<button[^>]*>", page.decode().partition('<form class="sheet"')[2])
    assert 'value="check"' in first


async def test_a_room_can_be_chosen(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    assert (await send(visitor, page, room=["lille:lille-2", ""])).status == 303
    [booked] = await sessions(api)
    assert booked["participations"][0]["room"] == "lille-2"


async def test_a_session_is_booked_again_from_a_copy_with_its_words(api: Api) -> None:
    first = await (await api.of("admin")).book(
        title="Staff", description="Ordre du jour", required_sites=["calais"], access_code="4711", duration_minutes=45
    )
    visitor = await signed_in(api)
    page = (await visitor.get(f"/book?again={first['id']}")).body
    copied = fields(page)

    assert (copied["title"], copied["description"], copied["start"]) == ("Staff", "Ordre du jour", "2027-03-25T15:00")
    assert (copied["site"], copied["duration_minutes"], copied["access_code"]) == (["calais"], "45", "")
    assert (await send(visitor, page)).status == 303 and len(await sessions(api)) == 2
    stranger = await signed_in(api, "coordinator", sites=["lens"])
    assert (await stranger.get(f"/book?again={first['id']}")).status == 404


@pytest.mark.parametrize(
    ("role", "given", "status"),
    [
        ("admin", {}, 200),
        ("coordinator", {"sites": ["lille"]}, 200),
        ("coordinator", {"networks": ["perinat"]}, 200),
        ("coordinator", {"sites": ["calais"]}, 403),
        ("clinician", {"sites": ["lille"]}, 403),
    ],
)
async def test_who_books_for_a_host(api: Api, role: str, given: dict[str, Any], status: int) -> None:
    visitor = await signed_in(api, role, **given)
    looked = await visitor.get(THURSDAY)
    admins = (await (await signed_in(api)).get(THURSDAY)).body
    sent = await send(visitor, admins, form_token=await visitor.form_token())

    assert looked.status == status
    assert sent.status == {200: 303, 403: 403}[status] and len(await sessions(api)) == (status == 200)


async def test_a_form_from_elsewhere_books_nothing(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(THURSDAY)).body
    foreign = await visitor.post("/book", fields(page), {"Sec-Fetch-Site": "cross-site"})

    assert (foreign.status, (await send(visitor, page, form_token="0" * 64)).status) == (403, 403)
    assert await sessions(api) == []


async def test_a_script_in_any_field_is_shown_as_text(api: Api) -> None:
    visitor = await signed_in(api)
    page = (await visitor.get(f"/book?host={quote(SCRIPT)}&start={quote(SCRIPT)}&duration_minutes=%22%3E%3Cscr")).body
    typed = dict.fromkeys(("title", "description", "join_url", "access_code", "start"), SCRIPT)
    again = await send(visitor, (await visitor.get(THURSDAY)).body, **typed)

    for answer in (page, again.body):
        assert b"<script" not in answer and b"<scr" not in answer and b"&lt;script&gt;" in answer


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_of_a_booking_carries_its_place(api: Api, language: str) -> None:
    await (await api.of("admin")).book(required_sites=["calais"])
    time = {"fr": r"\d{1,2}\u00a0h\u00a0\d\d", "en": r"\b\d\d:\d\d\b"}[language]
    place = {"fr": "heure de ", "en": " time"}[language]
    text = read((await (await signed_in(api)).get(f"{THURSDAY}&lang={language}")).body)
    timed = [line for _, line in text.found if re.search(time, line)]

    assert len(timed) > 6 and [line for line in timed if place not in line] == []
