"""Sheets of paper: the week of a room for its door, and a sheet to sign for each site."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.callers import Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import signed_in

DOOR = "/rooms/calais-1/door?day=2027-03-18"
SCRIPT = "<script>alert(1)</script>"


async def test_a_door_tells_the_week_of_its_room_and_what_is_closed(api: Api) -> None:
    admin = await api.of("admin")
    await admin.book(title="Staff du jeudi")
    await admin.book(host_site="lille", required_sites=["arras"], start="2027-03-17T15:00", title="Ailleurs")
    await admin(
        "POST", "/closures", {"site": "calais", "from": "2027-03-19", "until": "2027-03-19", "reason": "Travaux"}
    )
    page = words((await (await signed_in(api, "coordinator", sites=["calais"])).get(DOOR)).body)

    assert "Salle de visioconférence CH de Calais" in page and "Semaine du lundi 15 mars 2027" in page
    assert "jeudi 18 mars 2027 | 15 h 00–16 h 00 (heure de Paris) Staff du jeudi" in page
    assert "Fermé : Travaux" in page and "Ailleurs" not in page and "dimanche 21 mars 2027 | libre" in page
    assert "État au lundi 4 janvier 2027 à 9 h 00 (heure de Paris)." in page and "+33 3 " in page


async def test_a_door_tells_who_does_not_see_the_session_only_that_the_room_is_busy(api: Api) -> None:
    await (await api.of("admin")).book(title="Staff du jeudi")
    for visitor in (
        await signed_in(api, "coordinator", sites=["lens"]),
        await signed_in(api, "clinician", sites=["lens"]),
        await signed_in(api, "coordinator", networks=["hpsm"]),
    ):
        page = words((await visitor.get(DOOR)).body)
        assert "15 h 00–16 h 00 (heure de Paris) Occupé" in page and "Staff du jeudi" not in page
    assert (await visitor.get("/rooms/nowhere/door")).status == 404
    assert (await visitor.get("/rooms/calais-1/door?day=soon")).status == 422


async def test_the_week_of_a_room_leads_to_its_door_sheet_and_a_session_to_its_attendance(api: Api) -> None:
    booked = await (await api.of("admin")).book()
    visitor = await signed_in(api, "coordinator", sites=["calais"])
    week = (await visitor.get("/week?of=room:calais-1&day=2027-03-18")).body.decode()

    assert 'href="/rooms/calais-1/door?day=2027-03-15"' in week
    assert (
        f'href="/sessions/{booked["id"]}/attendance"' in (await visitor.get(f"/sessions/{booked['id']}")).body.decode()
    )
    assert 'href="/rooms/calais-1/door"' in (await visitor.get("/site")).body.decode()


async def test_each_site_signs_its_own_sheet_with_its_own_hour(api: Api) -> None:
    booked = await (await api.of("admin")).book(required_sites=["calais", "sainte-justine"], title="Staff du jeudi")
    path = f"/sessions/{booked['id']}/attendance"
    visitor = await signed_in(api, "clinician", sites=["sainte-justine"])
    page = (await visitor.get(path)).body.decode()
    said = words(page.encode())

    assert page.count("<section") == 3 and page.count('<th scope="row">') == 3 * 14
    assert "jeudi 18 mars 2027 à 10 h 00 (heure de Montréal) – 11 h 00 (heure de Montréal)" in said
    assert "jeudi 18 mars 2027 à 15 h 00 (heure de Paris) – 16 h 00 (heure de Paris)" in said
    alone = (await visitor.get(f"{path}?site=sainte-justine")).body.decode()
    assert alone.count("<section") == 1 and "heure de Paris" not in alone
    assert (await visitor.get(f"{path}?site=lens")).status == 404


async def test_a_site_that_declined_signs_nothing_and_a_cancelled_session_says_so(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(required_sites=["calais", "lens"])
    await admin("PUT", f"/sessions/{booked['id']}/participations/calais/answer", {"answer": "declined"})
    await admin("POST", f"/sessions/{booked['id']}/cancellation")
    page = (await (await signed_in(api)).get(f"/sessions/{booked['id']}/attendance")).body

    assert page.count(b"<section") == 2 and "CH de Calais" not in words(page) and "Annulée" in words(page)


@pytest.mark.parametrize(
    ("role", "given", "status"),
    [
        ("admin", {}, 200),
        ("coordinator", {"sites": ["calais"]}, 200),
        ("coordinator", {"networks": ["perinat"]}, 200),
        ("coordinator", {"sites": ["lens"]}, 404),
        ("clinician", {"sites": ["calais"]}, 200),
        ("clinician", {"sites": ["lens"]}, 404),
    ],
)
async def test_who_sees_the_whole_session_prints_its_sheets(
    api: Api, role: str, given: dict[str, Any], status: int
) -> None:
    booked = await (await api.of("admin")).book()
    visitor = await signed_in(api, role, **given)
    assert (await visitor.get(f"/sessions/{booked['id']}/attendance")).status == status
    assert (await visitor.get("/sessions/nothing/attendance")).status == 404


async def test_a_script_in_a_title_is_printed_as_text(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(title=SCRIPT)
    await admin("POST", "/closures", {"site": "calais", "from": "2027-03-19", "until": "2027-03-19", "reason": SCRIPT})
    visitor = await signed_in(api)
    for path in (DOOR, f"/sessions/{booked['id']}/attendance"):
        page = (await visitor.get(path)).body.decode()
        assert "&lt;script&gt;" in page and "<script" not in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_on_paper_carries_its_place(api: Api, language: str) -> None:
    booked = await (await api.of("admin")).book(required_sites=["calais", "sainte-justine"])
    visitor = await signed_in(api)
    time = {"fr": r"\d{1,2} h \d\d(?:–\d{1,2} h \d\d)?", "en": r"\b\d\d:\d\d(?:–\d\d:\d\d)?"}[language]
    place = {"fr": "(heure de ", "en": " time)"}[language]
    for path in (DOOR + "&", f"/sessions/{booked['id']}/attendance?"):
        shown = words((await visitor.get(f"{path}lang={language}")).body)
        assert len(re.findall(time, shown)) == shown.count(place) >= 2
