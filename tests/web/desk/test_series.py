"""Series: the dry run before anything is booked, all or what fits, and a series with its dates."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.web.callers import Api
from tests.web.desk.series_forms import booked, new, send, value
from tests.web.desk.test_week import words
from tests.web.desk.visitors import signed_in

SCRIPT = "<script>alert(1)</script>"


async def test_every_date_has_its_verdict_before_anything_is_booked(api: Api) -> None:
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    visitor = await signed_in(api, "coordinator", sites=["lille"])
    answer = await new(visitor, "try", site=["calais", "sainte-justine"])
    page = words(answer.body)

    assert answer.status == 200 and "7 dates sur 8 peuvent être réservées" in page
    assert "chaque jeudi à 15 h 00 (heure de Paris), 10 fois à partir du jeudi 18 février 2027" in page
    assert "jeudi 4 mars 2027 | conflit |" in page and "est prise par une autre séance" in page
    assert "Appelez CH de Calais : +33" in page and "Possible à la place : jeudi 4 mars 2027 à" in page
    assert "du jeudi 18 mars 2027 au jeudi 25 mars 2027 : 10 h 00 (heure de Montréal) au lieu de 9 h 00" in page
    assert "Réserver les 7 dates possibles" in page
    assert (await (await api.of("admin"))("GET", "/series")).json["items"] == []


async def test_all_dates_or_those_that_fit_are_booked_and_the_others_kept_with_their_way_back(api: Api) -> None:
    admin = await api.of("admin")
    other = await admin.book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    visitor = await signed_in(api, "coordinator", sites=["lille"])
    refused = await new(visitor, "book")
    path = await booked(visitor, "leave_out")
    page = await visitor.get(path)

    assert refused.status == 409 and "jeudi 4 mars 2027 | conflit" in words(refused.body)
    assert "Dates écartées" in words(page.body) and "jeudi 4 mars 2027 | La salle" not in words(page.body)
    again = await send(visitor, f"{path}/dates", date="2027-03-04T15:00")
    assert again.status == 409 and "Cette date ne peut pas être réservée ainsi" in words(again.body)
    await admin("POST", f"/sessions/{other['id']}/cancellation", {})
    done = await send(visitor, f"{path}/dates", date="2027-03-04T15:00")
    assert done.status == 303
    shown = words((await visitor.get(done.headers["Location"])).body)
    assert "La date est réservée. Prévenus par courriel : CH de Calais" in shown and "Dates écartées" not in shown


async def test_a_form_sent_twice_books_once_and_with_other_content_nothing(api: Api) -> None:
    visitor = await signed_in(api)
    first, second = await new(visitor, "book"), await new(visitor, "book")
    other = await new(visitor, "book", hour="16:00")

    assert (first.status, second.status) == (303, 303)
    assert first.headers["Location"] == second.headers["Location"]
    assert other.status == 422 and value(other.body, "key") not in ("", "a-form")
    assert len((await (await api.of("admin"))("GET", "/series")).json["items"]) == 1


async def test_a_refused_form_may_be_sent_again_with_other_content(api: Api) -> None:
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    visitor = await signed_in(api)

    assert (await new(visitor, "book")).status == 409
    assert (await new(visitor, "book", hour="10:00")).status == 303


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"start": "tomorrow"}, "start"),
        ({"hour": "3"}, "hour"),
        ({"hour": "15:01"}, "start"),
        ({"count": "", "until": ""}, "until"),
        ({"until": "2027-06-01"}, "until"),
        ({"count": "999"}, "rrule"),
        ({"interval": "x"}, "interval"),
        ({"exclude": "every day"}, "exclude"),
        ({"exclude": "31/02/2027"}, "exclude"),
        ({"exclude_holidays_of": ["nowhere"]}, "exclude_holidays_of"),
        ({"repeat": "dates", "dates": "some day"}, "dates"),
        ({"repeat": "rule", "rrule": "FREQ=SECONDLY;COUNT=3"}, "rrule"),
        ({"weekday": ["MO"]}, "start"),
        ({"site": ["nowhere"]}, "site"),
        ({"override": ["2027-02-18T15:00"]}, "override_reason"),
        ({"description": "Mme Dupont, 38 SA"}, "description"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    api: Api, wrong: dict[str, object], field: str
) -> None:
    visitor = await signed_in(api)
    answer = await new(visitor, "try", **({"title": "Staff du jeudi"} | wrong))
    page = answer.body.decode()

    assert answer.status == 422, words(answer.body)
    assert f'<a href="#{field}">' in page and f'id="{field}"' in page and f'id="{field}-wrong"' in page
    assert 'role="alert"' in page and value(answer.body, "title") == "Staff du jeudi"


async def test_given_days_and_the_weekday_of_a_month_are_understood(api: Api) -> None:
    visitor = await signed_in(api)
    days = await new(visitor, "try", repeat="dates", dates="18/02/2027\n2027-05-20, 16.09.2027", exclude="")
    third = await new(visitor, "try", repeat="month_weekday", count="3", exclude="")
    last = await new(visitor, "try", repeat="month_last", count="2", start="2027-03-31", exclude="")

    assert "à 3 dates données à 15 h 00 (heure de Paris), du jeudi 18 février 2027 au jeudi 16 septembre" in words(
        days.body
    )
    assert "le troisième jeudi de chaque mois" in words(third.body) and "jeudi 15 avril 2027" in words(third.body)
    assert "le dernier jour de chaque mois" in words(last.body) and "vendredi 30 avril 2027" in words(last.body)


async def test_a_date_is_overridden_by_a_tick_with_a_reason(api: Api) -> None:
    visitor = await signed_in(api)
    holiday: dict[str, Any] = {"start": "2027-05-06", "count": "2", "exclude": ""}  # Ascension
    tried = await new(visitor, "try", **holiday)
    forced = {**holiday, "override": ["2027-05-06T15:00"], "override_reason": "Garde assurée"}
    agreed = await new(visitor, "try", **forced)
    path = await booked(visitor, **forced)

    assert (
        "Une seule date sur 2 peut être réservée" in words(tried.body)
        and 'name="override" value="2027-05-06T15:00">' in tried.body.decode()
    )
    assert "Les 2 dates peuvent être réservées" in words(agreed.body)
    assert 'name="override" value="2027-05-06T15:00" checked>' in agreed.body.decode()
    assert "Réservée malgré tout, parce que | Garde assurée" in words((await visitor.get(path)).body)


async def test_an_exception_is_named_and_goes_back_to_the_rule(api: Api) -> None:
    admin = await api.of("admin")
    visitor = await signed_in(api)
    path = await booked(visitor)
    [series] = (await admin("GET", "/series")).json["items"]
    one = series["occurrences"][1]["session"]
    moved = {"start": "2027-02-25T16:30", "duration_minutes": 90}
    assert (await admin("PATCH", f"/sessions/{one}", moved, headers={"If-Match": '"0"'})).status == 200
    page = words((await visitor.get(path)).body)
    done = await send(visitor, f"/sessions/{one}/exception")

    assert "Déplacée : jeudi 25 février 2027 à 16 h 30 (heure de Paris) | autre durée" in page
    assert done.status == 303 and done.headers["Location"] == f"{path}?done=back"
    assert "Déplacée" not in words((await visitor.get(path)).body)


async def test_rights_who_reads_who_books(api: Api) -> None:
    path = await booked(await signed_in(api), title="Zanzibar", access_code="4711")
    host = await signed_in(api, "coordinator", sites=["lille"])
    guest = await signed_in(api, "coordinator", sites=["calais"])
    other = await signed_in(api, "coordinator", sites=["lens"])
    clinician = await signed_in(api, "clinician", sites=["calais"])
    stranger = await signed_in(api, "clinician", sites=["lens"])
    pages = [words((await visitor.get(path)).body) for visitor in (host, guest, other, clinician)]

    assert ["Zanzibar" in page for page in pages] == [True, True, False, True]
    assert ["4711" in page for page in pages] == [True, False, False, False]
    assert ["Modifier toutes les dates" in page for page in pages] == [True, False, False, False]
    assert "que son type et ses heures" in pages[2]
    assert (await stranger.get(path)).status == 404
    assert (await clinician.get("/series/new")).status == 403
    assert (await new(guest, "book", key="other", hour="10:00")).status == 403
    assert (await send(guest, f"{path}/dates", date="2027-02-18T15:00")).status == 403
    lists = [words((await visitor.get("/series")).body) for visitor in (host, other, stranger)]
    assert ["Zanzibar" in page for page in lists] == [True, False, False]
    assert "Staff de périnatalité" in lists[1] and "Aucune série" in lists[2]


async def test_a_stored_script_stays_text(api: Api) -> None:
    visitor = await signed_in(api)
    texts = {"title": SCRIPT, "description": SCRIPT, "access_code": SCRIPT}
    path = await booked(visitor, **texts)
    pages = [
        await visitor.get(path),
        await visitor.get("/series"),
        await visitor.get(f"/series/new?again={path.rpartition('/')[2]}"),
        await new(visitor, "try", **texts, hour=SCRIPT, exclude=SCRIPT, dates=SCRIPT, rrule=SCRIPT),
        await visitor.get(f"{path}?done=booked&told={quote(SCRIPT)}"),
    ]

    assert all(b"<script>" not in page.body for page in pages)
    assert all(b"&lt;script&gt;" in page.body for page in pages[:4])


async def test_next_year_is_the_same_series_tried_on_other_days(api: Api) -> None:
    visitor = await signed_in(api)
    path = await booked(visitor)
    answer = await visitor.get(f"/series/new?again={path.rpartition('/')[2]}&from=2028-01-01&to=2028-03-01")
    page = words(answer.body)

    assert answer.status == 200 and value(answer.body, "start") == "2028-01-06"
    assert "du jeudi 6 janvier 2028 au mercredi 1er mars 2028" in page
    assert "Les 8 dates peuvent être réservées" in page


async def test_the_number_of_statements_grows_neither_with_series_nor_with_dates(api: Api) -> None:
    visitor = await signed_in(api)

    async def cost(path: str) -> int:
        with api.services.database.counting() as count:
            assert (await visitor.get(path)).status == 200
        return len(count.statements)

    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    first = await booked(visitor, "leave_out", start="2027-02-25", count="3", exclude="")
    few = await cost("/series"), await cost(first)
    many = await booked(visitor, "leave_out", key="b", count="30", exclude="", site=["arras", "lens"])
    await booked(visitor, "leave_out", key="c", hour="11:30", count="20", exclude="")

    assert (await cost("/series"), await cost(many)) == few
    assert len(re.findall("jeudi [0-9]", words((await visitor.get(many)).body))) > 30
