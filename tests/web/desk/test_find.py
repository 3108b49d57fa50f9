"""Find: slots to take, the map of hours, and why there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event

from perinat_sched import app
from perinat_sched.availability.slots import Start
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.desk import offers
from perinat_sched.web.desk.finding import heat
from perinat_sched.web.server import application
from tests.builders import a_directory, a_site
from tests.web.callers import NOW, Api
from tests.web.desk.test_week import read, words
from tests.web.desk.visitors import Visitor, signed_in

WEEK = "kind=staff&from=2027-03-15&to=2027-03-19"
THREE = f"/find?host=lille&site=calais&site=sainte-justine&{WEEK}"


async def find(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status == 200, answer.body.decode()
    return answer.body.decode()


async def test_before_anything_is_asked_there_is_a_form_for_ones_own_site_and_the_next_two_weeks(api: Api) -> None:
    page = await find(await signed_in(api, "coordinator", sites=["calais"]), "/find")

    assert '<option value="calais" selected>' in page and 'value="2027-01-04"' in page and 'value="2027-01-17"' in page
    assert 'class="heat"' not in page


async def test_slots_come_with_everybodys_hour_and_lead_to_the_booking(api: Api) -> None:
    page = await find(await signed_in(api), THREE)

    assert "lundi 15 mars 2027 à 13 h 00 (heure de Paris) 9 h 00" not in words(page.encode())
    assert "lundi 15 mars 2027 à 14 h 00 (heure de Paris) 9 h 00 (heure de Montréal) 3 sites sur 3" in words(
        page.encode()
    )
    link = "/book?kind=staff&amp;host=lille&amp;network=perinat&amp;site=calais&amp;site=sainte-justine"
    assert f'{link}&amp;duration_minutes=60&amp;start=2027-03-15T14%3A00"' in page


async def test_the_map_says_hour_by_hour_how_many_sites_are_free_and_who_is_missing(api: Api) -> None:
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-16T14:00")
    page = words((await find(await signed_in(api), THREE)).encode())
    assert "Semaine du lundi 15 mars 2027 : sites libres, heure de Paris | heure de Paris | heure de Montréal" in page
    assert "9 h 00 | 4 h 00 | 2/3 sites libres, 9 h 00 sans Montréal" in page
    assert "15 h 00 | 10 h 00 | ✓ 3/3 sites libres, 15 h 00 | 2/3 sites libres, 15 h 00 sans Calais | ✓ 3/3" in page
    table = page.partition("Heure par heure")[2]
    assert "| 18 h 00 | 13 h 00 |" in table and "| 19 h 00 | 14 h 00 |" not in table and "samedi" not in table


async def test_where_there_is_no_slot_the_nearest_way_out_is_named_and_found(api: Api) -> None:
    visitor = await signed_in(api)
    days = "from=2027-01-11&to=2027-01-15"
    page = await find(visitor, f"/find?host=lille&site=calais&site=sainte-justine&site=reunion&{days}")
    text = words(page.encode())
    [count] = re.findall(r"sans CHU Sainte-Justine : (\d+) créneaux de plus", text)
    [link] = re.findall(r'<a href="([^"]+)">sans CHU Sainte-Justine', page)

    assert "Aucun créneau sur 240 demi-heures examinées" in text and "La solution la plus proche" in text
    assert "(hors des heures d’ouverture)" in text
    assert f"{count} créneaux sur 240" in words((await find(visitor, link.replace("&amp;", "&"))).encode())


async def test_what_refuses_the_session_as_a_whole_is_named(api: Api) -> None:
    visitor = await signed_in(api)
    today = words((await find(visitor, "/find?host=lille&site=calais&kind=rmm&from=2027-01-04&to=2027-01-04")).encode())
    long = words((await find(visitor, f"/find?host=lille&site=calais&duration_minutes=600&{WEEK}")).encode())

    assert "Aucun créneau" in today and "trop tard pour réserver" in today
    assert "Aucun créneau" in long and "trop long" in long


async def test_who_may_not_book_there_looks_and_is_not_led_on(api: Api) -> None:
    for visitor in (
        await signed_in(api, "clinician", sites=["lille"]),
        await signed_in(api, "coordinator", sites=["calais"]),
    ):
        page = await find(visitor, THREE)
        assert "/book?" not in page and "✓ 3/3" in words(page.encode())
        assert "Votre accès permet de consulter, pas de réserver" in words(page.encode())
    assert "/book?" in await find(await signed_in(api, "coordinator", sites=["lille"]), THREE)


async def test_a_search_says_nothing_of_sessions_that_one_may_not_see(api: Api) -> None:
    await (await api.of("admin")).book(title="Zanzibar", host_site="calais", required_sites=["lens"])
    page = await find(await signed_in(api, "clinician", sites=["lille"]), THREE)

    assert "Zanzibar" not in page and "Lens" in page  # the site, as a choice


@pytest.mark.parametrize(
    ("asked", "field", "words_of_it"),
    [
        ("duration_minutes=7", "duration_minutes", "multiple de 5 minutes"),
        ("duration_minutes=x", "duration_minutes", "nombre entier"),
        ("after=x", "after", "HH:MM"),
        ("after=10:00&before=09:00", "before", "est plus tard que"),
        ("site=nowhere", "site", "nowhere"),
        ("site=calais&optional_site=calais", "optional_site", "deux fois"),
        ("from=2027-03-01&to=2027-06-01", "to", "35 jours"),
        ("from=2027-03-02&to=2027-03-01", "to", "jours"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    api: Api, asked: str, field: str, words_of_it: str
) -> None:
    days = "" if "from=" in asked else "&from=2027-03-15&to=2027-03-19"
    answer = await (await signed_in(api)).get(f"/find?host=lille&kind=rmm&{asked}{days}")
    page = answer.body.decode()

    assert answer.status == 422 and 'role="alert"' in page and f'href="#{field}"' in page and f'id="{field}' in page
    [beside] = re.findall(rf'<span class="wrong" id="{field}-wrong">([^<]+)<', page)
    assert words_of_it in beside.replace("\u00a0", " ") and f"{field}-wrong" in page.replace(beside, "")
    assert '<option value="rmm" selected>' in page
    typed = re.findall(r"=([^&]+)", asked)[0]
    assert "nowhere" in typed or f'value="{typed}"' in page


async def test_links_keep_every_site_and_the_language(api: Api) -> None:
    page = await find(await signed_in(api), f"{THREE}&lang=en")
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', page)]
    [other] = [link for link in links if "lang=fr" in link]

    assert "site=calais&site=sainte-justine" in other
    assert all("lang=en" in link for link in links if link.startswith(("/book", "/find")) and "lang=fr" not in link)
    assert '<input type="hidden" name="lang" value="en">' in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_shown_carries_its_place(api: Api, language: str) -> None:
    """In the map the caption and the head of the column say whose clock it is; elsewhere it stands beside the time."""
    text = read((await (await signed_in(api)).get(f"{THREE}&site=reunion&lang={language}")).body)
    time = {"fr": r"\d{1,2}\u00a0h\u00a0\d\d", "en": r"\b\d\d:\d\d\b"}[language]
    place = {"fr": "heure de ", "en": " time"}[language]
    outside, table = text.lines(in_table=False), text.lines(in_table=True)

    assert [line for line in outside if len(re.findall(time, line)) > line.count(place)] == []
    assert all(place in line for line in table[:4])  # caption, and three clocks
    assert len(re.findall(time, " ".join(table))) > 40


async def test_the_number_of_statements_grows_neither_with_sites_nor_with_days(
    database: Database, configured: Settings
) -> None:
    """One for who asks, two for the ground."""
    directory = a_directory(*(a_site(f"site-{number}") for number in range(30)))
    await database.sync_resources(directory)
    services = app.assemble(replace(configured, directory=directory), database, lambda: NOW)
    statements: list[str] = []
    event.listen(
        database._engines.reader.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )

    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, services))

        async def cost(sites: int, last: str) -> int:
            guests = "".join(f"&site=site-{number}" for number in range(1, sites))
            statements.clear()
            page = await find(visitor, f"/find?host=site-0{guests}&from=2027-03-01&to={last}")
            assert f"/{sites}" in page
            return len([statement for statement in statements if statement.startswith("SELECT")])

        assert await cost(2, "2027-03-01") == await cost(30, "2027-04-04") == 3


# The map itself


def start(at: datetime, *missing: str) -> Start:
    return Start(at=at, missing=missing, bookable=not missing, reason=None)


def test_an_hour_that_comes_twice_is_one_cell_with_two_starts() -> None:
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    [week] = heat.weeks([start(first), start(first + timedelta(hours=1))], "Europe/Paris", "lille", [])

    assert [row.cells for row in week.rows] == [[[start(first), start(first + timedelta(hours=1))]]]
    assert [offers.as_typed(one.at, "Europe/Paris") for one in week.rows[0].cells[0]] == [
        ("2027-10-31T02:30", "0"),
        ("2027-10-31T02:30", "1"),
    ]


def test_days_and_hours_at_which_the_host_never_is_are_left_out_and_weeks_stand_apart() -> None:
    def on(day: int, hour: int, *missing: str) -> Start:
        return start(datetime(2027, 3, day, hour, tzinfo=UTC), *missing)

    starts = [on(12, 7, "lille"), on(12, 9), on(12, 10, "lille"), on(12, 11), on(13, 9, "lille"), on(15, 9, "calais")]
    first, second = heat.weeks(starts, "Europe/Paris", "lille", ["America/Toronto"])

    assert (first.first, first.days, second.days) == (date(2027, 3, 8), [date(2027, 3, 12)], [date(2027, 3, 15)])
    assert [(row.hour.hour, [local.hour for local in row.others]) for row in first.rows] == [
        (10, [4, 5]), (11, [5, 6]), (12, [6, 7])
    ]  # fmt: skip
