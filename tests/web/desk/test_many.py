"""A whole series answered on the page of a site, and the closures of bridges in administration."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import update

from perinat_sched.storage.backup import HELD
from perinat_sched.storage.tables import notices
from tests.web.callers import Answer, Api
from tests.web.desk.every_page import SERIES
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

MAINTENANCE = {"place": "bridge:mcu-lille", "first": "2027-03-18", "reason": "Maintenance du pont", "key": "a"}


async def sent(visitor: Visitor, path: str, **form: str) -> Answer:
    return await visitor.post(path, {"form_token": await visitor.form_token(), **form})


async def calais(api: Api) -> Visitor:
    return await signed_in(api, "coordinator", sites=["calais"])


async def series(api: Api, **given: Any) -> str:
    answer = await (await api.of("admin"))("POST", "/series", SERIES | given)
    assert answer.status == 201, answer.body.decode()
    return str(answer.json["id"])


async def answers(api: Api, series_id: str, site: str = "calais") -> set[str]:
    """What a site has said to the dates of a series."""
    admin = await api.of("admin")
    found = (await admin("GET", f"/series/{series_id}")).json["occurrences"]
    sessions = [(await admin("GET", f"/sessions/{one['session']}")).json for one in found if one["session"]]
    return {part["answer"] for one in sessions for part in one["participations"] if part["site"] == site}


async def test_a_series_that_waits_is_answered_for_all_its_dates_in_one_click(api: Api) -> None:
    booked = await series(api)
    visitor = await calais(api)
    page = words((await visitor.get("/site")).body)
    assert "chaque jeudi à 15 h 00 (heure de Paris)" in page and "dates en attente : 7" in page

    answer = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted")
    assert (answer.status, answer.headers["Location"]) == (303, "/site?site=calais&done=answered")
    assert await answers(api, booked) == {"accepted"}
    assert "Rien n’attend" in words((await visitor.get("/site")).body)
    again = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted")
    assert again.status == 303 and await answers(api, booked) == {"accepted"}


async def test_its_dates_can_still_be_answered_one_by_one_and_with_exceptions(api: Api) -> None:
    booked = await series(api)
    visitor = await calais(api)
    page = (await visitor.get("/site")).body.decode()
    assert page.count('action="/site/answer"') == 7 and f'href="/series/{booked}/answer?site=calais"' in page
    [chosen] = re.findall(
        r'<option value="([^"]+)" selected>', (await visitor.get(f"/series/{booked}/answer?site=calais")).body.decode()
    )[:1]
    assert chosen == "calais"


async def test_an_answer_to_a_series_that_changed_meanwhile_is_not_noted_and_says_so(api: Api) -> None:
    booked = await series(api)
    visitor = await calais(api)
    [seen] = re.findall(r'name="seen" value="([0-9.]+)"', (await visitor.get("/site")).body.decode())
    changed = await (await api.of("admin"))(
        "PATCH", f"/series/{booked}", {"duration_minutes": 90}, headers={"If-Match": "*"}
    )
    assert changed.status == 200, changed.body.decode()
    stale = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted", seen=seen)

    assert stale.status == 412 and await answers(api, booked) == {"pending"}
    assert "Cette série a été modifiée après l’ouverture de cette page" in words(stale.body)
    [fresh] = re.findall(r'name="seen" value="([0-9.]+)"', stale.body.decode())
    again = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted", seen=fresh)
    assert again.status == 303 and await answers(api, booked) == {"accepted"}


async def test_what_speaks_against_one_date_is_told_where_it_was_answered_and_no_date_is_changed(api: Api) -> None:
    booked = await series(api)
    admin, visitor = await api.of("admin"), await calais(api)
    await sent(visitor, "/site/series", site="calais", series=booked, answer="declined")
    await admin.book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:00")
    declined = await answers(api, booked)
    for one in (await admin("GET", f"/series/{booked}")).json["occurrences"][:2]:
        await sent(visitor, "/site/answer", site="calais", session=str(one["session"]), answer="tentative")
    answer = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted")
    page = words(answer.body)

    assert declined == {"declined"} and answer.status == 409
    assert "ne peut pas être donnée pour toutes les dates" in page and "jeudi 4 mars 2027" in page
    assert await answers(api, booked) == {"declined", "tentative"}


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ({"role": "coordinator", "sites": ["lens"]}, 404),
        ({"role": "clinician", "sites": ["calais"]}, 403),
        ({"role": "coordinator", "networks": ["perinat"]}, 303),
    ],
)
async def test_who_answers_for_a_site_answers_for_its_series(api: Api, who: dict[str, Any], status: int) -> None:
    booked = await series(api)
    visitor = await signed_in(api, **who)
    answer = await sent(visitor, "/site/series", site="calais", series=booked, answer="accepted")
    assert answer.status == status
    assert await answers(api, booked) == ({"accepted"} if status == 303 else {"pending"})


async def test_the_week_leads_from_a_session_to_its_series(api: Api) -> None:
    booked = await series(api)
    await (await api.of("admin")).book(host_site="lens", required_sites=["arras"], start="2027-02-19T09:00")
    visitor = await signed_in(api)
    for view in ("table", "list"):
        page = (await visitor.get(f"/week?of=network:perinat&day=2027-02-18&view={view}")).body.decode()
        assert page.count(f'href="/series/{booked}"') == 1 and page.count('href="/series/') == 1
    stranger = await signed_in(api, "coordinator", sites=["arras"])
    page = (await stranger.get("/week?of=network:perinat&day=2027-02-18&view=table")).body.decode()
    assert f'href="/series/{booked}"' not in page


async def test_a_bridge_is_closed_its_sessions_are_named_with_other_hours_and_it_opens_again(api: Api) -> None:
    booked = await (await api.of("admin")).book(required_sites=["calais", "lens"])
    visitor = await signed_in(api)
    first = await sent(visitor, "/admin/bridges", **MAINTENANCE)
    second = await sent(visitor, "/admin/bridges", **MAINTENANCE)
    assert first.status == 303 and first.headers["Location"] == second.headers["Location"]
    page = (await visitor.get(first.headers["Location"])).body.decode()
    said = words(page.encode())

    assert "Pont multipoint du CHU" in said and "jeudi 18 mars 2027" in said and "(heure de Paris)" in said
    assert f'href="/sessions/{booked["id"]}"' in page
    [where, *_] = re.findall(rf'href="(/sessions/{booked["id"]}/change\?start=[^"]+)"', page)
    assert (await visitor.get(where.replace("&amp;", "&"))).status == 200
    assert "Maintenance du pont" in words((await visitor.get("/admin/bridges")).body)
    gone = await sent(visitor, f"{first.headers['Location']}/removal")
    assert (gone.status, gone.headers["Location"]) == (303, "/admin/bridges?done=removed")
    assert "Aucune fermeture" in words((await visitor.get("/admin/bridges?done=removed")).body)


async def test_what_is_wrong_with_the_closure_of_a_bridge_stands_beside_its_field_and_what_was_typed_stays(
    api: Api,
) -> None:
    visitor = await signed_in(api)
    for given, field in (
        ({"first": ""}, "from"),
        ({"reason": ""}, "reason"),
        ({"place": "bridge:none"}, "bridge"),
        ({"last": "2027-03-01"}, "until"),
    ):
        answer = await sent(visitor, "/admin/bridges", **(MAINTENANCE | {"last": ""} | given))
        page = answer.body.decode()
        assert answer.status == 422 and f'id="{field}-wrong"' in page, field
        assert "reason" in given or "Maintenance du pont" in page


async def test_hours_of_a_bridges_closure_are_those_the_page_names(api: Api) -> None:
    visitor = await signed_in(api, sites=["sainte-justine"])
    answer = await sent(visitor, "/admin/bridges", **MAINTENANCE, first_at="08:00", last_at="10:00")
    page = words((await visitor.get(answer.headers["Location"])).body)
    assert "8 h 00–10 h 00 (heure de Montréal)" in page
    assert "heure de Montréal" in words((await visitor.get("/admin/bridges")).body)


async def test_the_page_of_bridges_is_for_bridges_alone(api: Api) -> None:
    admin = await api.of("admin")
    works = {"site": "calais", "from": "2027-03-18", "until": "2027-03-19", "reason": "Travaux"}
    closure = (await admin("POST", "/closures", works)).json["id"]
    visitor = await signed_in(api)
    assert (await visitor.get(f"/admin/bridges/{closure}")).status == 404
    script = await sent(visitor, "/admin/bridges", **(MAINTENANCE | {"reason": "<script>alert(1)</script>"}))
    for path in (script.headers["Location"], "/admin/bridges"):
        page = (await visitor.get(path)).body
        assert b"<script" not in page and b"&lt;script&gt;" in page


async def test_all_mails_that_a_restore_held_back_are_sent_again_at_once_and_none_whose_time_is_over(api: Api) -> None:
    admin, services = await api.of("admin"), api.services
    await admin.book(required_sites=["calais", "lens"])
    await services.delivery.plan()

    async def hold(tx: Any) -> None:
        await tx.execute(update(notices).where(notices.c.state == "due").values(state="failed", last_error=HELD))
        over = update(notices).where(notices.c.site == "lens").values(expires_at=services.clock())
        await tx.execute(over)

    await services.database.write(hold)
    held = (await services.notices.listed(visitor_of(await signed_in(api)), "failed", after=None, limit=100)).notices
    late = [one for one in held if one.site == "lens"]
    visitor = await signed_in(api)
    page = words((await visitor.get("/admin/mails")).body)
    assert "retenu pour vérification : la base a été restaurée" in page and 0 < len(late) < len(held) - 1

    answer = await sent(visitor, "/admin/mails/retry")
    assert answer.headers["Location"] == f"/admin/mails?again={len(held) - len(late)}"
    assert f"l’un après l’autre : {len(held) - len(late)}" in words(
        (await visitor.get(answer.headers["Location"])).body
    )
    left = (await services.notices.listed(visitor_of(visitor), "failed", after=None, limit=100)).notices
    assert {one.id for one in left} == {one.id for one in late}
    other = await signed_in(api, "coordinator", networks=["perinat"])
    assert (await sent(other, "/admin/mails/retry")).status == 403


def visitor_of(visitor: Visitor) -> Any:
    assert visitor.token is not None
    return visitor.token.actor


async def test_an_address_is_renamed_and_its_calendar_with_it(api: Api) -> None:
    visitor = await calais(api)
    made = await sent(visitor, "/calendar", of="site:calais", label="Staffs")
    feed = made.headers["Location"].partition("?")[0] + ".ics"
    before = (await api.anybody("GET", "/" + feed)).body.decode()
    page = (await visitor.get("/calendar")).body.decode()
    [path] = re.findall(r'action="(/calendar/[^"]+/name)"', page)
    assert 'value="Staffs"' in page

    answer = await sent(visitor, path, label="Visios de Calais")
    assert (answer.status, answer.headers["Location"]) == (303, "/calendar?done=named")
    said = words((await visitor.get("/calendar?done=named")).body)
    after = (await api.anybody("GET", "/" + feed)).body.decode()
    assert "Visios de Calais" in said and "nouveau nom" in said and "Staffs" not in said
    assert "X-WR-CALNAME:Staffs" in before and "X-WR-CALNAME:Visios de Calais" in after


async def test_a_name_that_cannot_stand_is_told_beside_its_field_and_anothers_address_keeps_its_own(api: Api) -> None:
    visitor, other = await calais(api), await calais(api)
    await sent(visitor, "/calendar", of="site:calais", label="Staffs")
    [path] = re.findall(r'action="(/calendar/[^"]+/name)"', (await visitor.get("/calendar")).body.decode())
    long = await sent(visitor, path, label="x" * 101)
    doubtful = await sent(visitor, path, label="Madame Durand")
    assert long.status == doubtful.status == 422
    assert 'aria-invalid="true"' in long.body.decode() and "x" * 101 in long.body.decode()
    assert "no_patient_data" in doubtful.body.decode()
    assert (await sent(visitor, path, label="Madame Durand", no_patient_data="yes")).status == 303
    assert (await sent(other, path, label="Mine")).status == 404
    await sent(visitor, path.replace("/name", "/revocation"))
    assert (await sent(visitor, path, label="Late")).status == 404
