"""The week: who sees what in it, by which clock, and at what cost."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event

from perinat_sched import app, zones
from perinat_sched.booking import store
from perinat_sched.booking.session import Participation, Session
from perinat_sched.intervals import Interval
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database, Tx
from perinat_sched.web.desk import timetable
from perinat_sched.web.desk.timetable import Block
from perinat_sched.web.server import application
from tests.builders import a_directory, a_partner, a_site
from tests.web.callers import NOW, Api
from tests.web.desk.visitors import Visitor, signed_in

ODD = "2027-03-18"  # Paris and Montréal are 5 h apart


class Text(HTMLParser):
    """The words of a page, a line a cell, item or paragraph, each with whether it stands in a table."""

    ENDS = ("td", "th", "li", "p", "h1", "h2", "caption", "option", "tr", "dd", "dt")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[bool, str]] = [(False, "")]
        self.in_table = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.in_table = self.in_table or tag == "table"
        if tag in self.ENDS:
            self.found.append((self.in_table, ""))

    def handle_endtag(self, tag: str) -> None:
        self.in_table = self.in_table and tag != "table"
        if tag in self.ENDS:
            self.found.append((self.in_table, ""))

    def handle_data(self, data: str) -> None:
        self.found[-1] = (self.in_table, self.found[-1][1] + data)

    def lines(self, *, in_table: bool) -> list[str]:
        return [line.strip() for inside, line in self.found if inside == in_table and line.strip()]


def read(page: bytes) -> Text:
    text = Text()
    text.feed(page.decode())
    return text


def words(page: bytes) -> str:
    return re.sub(r"[ \u00a0\n]+", " ", " | ".join(line.strip() for _, line in read(page).found if line.strip()))


async def week(visitor: Visitor, of: str, day: str = ODD, **more: str) -> bytes:
    question = "".join(f"&{name}={value}" for name, value in more.items())
    answer = await visitor.get(f"/week?of={of}&day={day}{question}")
    assert answer.status == 200, answer.body.decode()
    return answer.body


async def test_a_site_sees_its_sessions_in_place_with_set_up_and_who_takes_part(api: Api) -> None:
    await (await api.of("admin")).book(title="Staff du jeudi", required_sites=["calais"])
    page = words(await week(await signed_in(api, "coordinator", sites=["calais"]), "site:calais", view="table"))

    assert "15 h 00–16 h 00 Staff du jeudi" in page and "Lille, Calais" in page
    assert "installation ou libération : Staff du jeudi" in page


async def test_without_a_word_one_sees_the_week_of_today_of_ones_own_site(api: Api) -> None:
    answer = await (await signed_in(api, "coordinator", sites=["calais"])).get("/week")

    assert "CH de Calais" in words(answer.body) and "Semaine du lundi 4 janvier 2027" in words(answer.body)


async def test_what_one_may_not_see_is_busy_and_no_more(api: Api) -> None:
    await (await api.of("admin")).book(title="Zanzibar", required_sites=["calais"])
    lens = await signed_in(api, "coordinator", sites=["lens"])
    clinician = await signed_in(api, "clinician", sites=["lens"])

    for visitor in (lens, clinician):
        for place in ("site:calais", "room:calais-1"):
            page = words(await week(visitor, place))
            assert "Zanzibar" not in page and "15 h 00–16 h 00 Occupé" in page
    network = words(await week(lens, "network:perinat"))
    assert "Zanzibar" not in network and "15 h 00–16 h 00 Staff de périnatalité" in network
    assert "Staff" not in words(await week(clinician, "network:perinat"))


async def test_a_cancelled_session_is_not_in_the_week(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(title="Staff annulé")
    await admin("POST", f"/sessions/{booked['id']}/cancellation")

    assert "Staff annulé" not in words(await week(await signed_in(api), "site:lille"))


async def test_a_network_shows_the_ports_in_use_hour_by_hour(api: Api) -> None:
    await (await api.of("admin")).book(required_sites=["calais", "lens"])
    page = words(await week(await signed_in(api), "network:perinat", view="table"))

    assert page.count("3 ports sur 12") == 3  # set-up from 14:30, release until 16:15


async def test_holidays_calendars_and_closures_that_were_entered_stand_in_the_week(api: Api) -> None:
    admin = await api.of("admin")
    closure = {"site": "calais", "from": "2027-05-05T14:00", "until": "2027-05-05T16:00", "reason": "Travaux"}
    assert (await admin("POST", "/closures", closure)).status == 201
    site = words(await week(await signed_in(api), "site:calais", "2027-05-05"))
    network = words(await week(await signed_in(api), "network:perinat", "2027-05-05"))

    assert "Fermé : Ascension" in site and "Fermé : Travaux" in site
    assert "Fermé : Travaux (sites : 1 sur 12)" in network


@pytest.mark.parametrize(
    ("day", "odd"),
    [
        ("2027-03-08", "5 h entre Paris et Montréal, dimanche 14 mars 2027."),
        ("2027-03-15", "5 h entre Paris et Montréal, du lundi 15 mars 2027 au dimanche 21 mars 2027"),
        ("2027-03-22", "5 h entre Paris et Montréal, du lundi 22 mars 2027 au samedi 27 mars 2027"),
        ("2027-03-29", None),
        ("2027-03-01", None),
        ("2027-10-25", "5 h entre Paris et Montréal, dimanche 31 octobre 2027."),
        ("2027-11-01", "5 h entre Paris et Montréal, du lundi 1er novembre 2027 au samedi 6 novembre 2027"),
        ("2027-11-08", None),
    ],
)
async def test_the_weeks_in_which_paris_and_montreal_are_five_hours_apart_say_so(
    api: Api, day: str, odd: str | None
) -> None:
    page = words(await week(await signed_in(api), "network:perinat", day))

    assert ("Décalage inhabituel" in page) == (odd is not None)
    assert odd is None or odd in page


async def test_the_banner_comes_with_the_sites_that_are_shown(api: Api) -> None:
    visitor = await signed_in(api)
    assert "Décalage" not in words(await week(visitor, "site:calais"))
    assert "Décalage" in words(await week(visitor, "site:calais", clock="sainte-justine"))
    assert "Décalage" not in words(await week(visitor, "site:calais", clock="reunion"))

    await (await api.of("admin")).book(required_sites=["calais", "sainte-justine"])
    assert "Décalage" in words(await week(visitor, "site:calais"))


async def test_a_second_clock_is_one_column_and_two_in_the_week_of_a_change(api: Api) -> None:
    visitor = await signed_in(api)
    usual = words(await week(visitor, "site:calais", "2027-03-01", clock="sainte-justine", view="table"))
    change = words(await week(visitor, "site:calais", "2027-03-10", clock="sainte-justine", view="table"))

    assert "heure de Montréal | lundi 1er mars" in usual and "15 h 00 | 9 h 00" in usual
    assert "heure de Montréal, lundi–samedi | heure de Montréal, dimanche" in change
    assert "15 h 00 | 9 h 00 | 10 h 00" in change


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_time_shown_carries_its_place(api: Api, language: str) -> None:
    """In a table the caption and the head of the column say whose clock it is; elsewhere it stands beside the time."""
    await (await api.of("admin")).book(required_sites=["calais", "lens", "sainte-justine"])
    visitor = await signed_in(api)
    time = {"fr": r"\d{1,2}\u00a0h\u00a0\d\d", "en": r"\b\d\d:\d\d\b"}[language]
    place = {"fr": "heure de ", "en": " time"}[language]
    shown = 0
    for path in ("/account?", f"/week?of=site:calais&clock=reunion&day={ODD}&", f"/week?of=network:perinat&day={ODD}&"):
        text = read((await visitor.get(f"{path}lang={language}")).body)
        outside, table = text.lines(in_table=False), text.lines(in_table=True)
        shown += len(re.findall(time, " ".join(outside + table)))
        assert [line for line in outside if re.search(time, line) and place not in line] == []
        assert all(place in line for line in table[:2])  # the caption and the head of the column
    assert shown > 40


async def test_a_script_that_was_stored_is_shown_as_text(api: Api) -> None:
    script = "<script>alert(1)</script>"
    admin = await api.of("admin")
    await admin.book(title=script, description=script)
    await admin("POST", "/closures", {"site": "lille", "from": ODD, "until": ODD, "reason": script})
    visitor = await signed_in(api, name=script, email="a@lille.example")

    for path in (f"/week?of=site:lille&day={ODD}", f"/week?of=network:perinat&day={ODD}", "/account"):
        page = (await visitor.get(path)).body.decode()
        assert "<script" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "wrong", ["of=site:nowhere", "of=lille", "of=room:", "day=2027-02-30", "day=x", "clock=nowhere", "view=x", "x=1"]
)
async def test_what_there_is_not_is_refused_on_a_page(api: Api, wrong: str) -> None:
    answer = await (await signed_in(api)).get(f"/week?{wrong}")

    assert (answer.status, answer.headers["Content-Type"]) == (422, "text/html; charset=utf-8")


async def test_previous_next_and_the_other_view_keep_place_clock_and_language(api: Api) -> None:
    page = (await week(await signed_in(api), "site:calais", clock="reunion", view="list", lang="en")).decode()

    for wanted in ("day=2027-03-08", "day=2027-03-22", "view=table"):
        [link] = [found for found in re.findall(r'href="([^"]+)"', page) if wanted in found]
        assert {"lang=en", "of=site%3Acalais", "clock=reunion"} <= set(link.partition("?")[2].split("&amp;"))
    [today] = re.findall(r'href="([^"]+)">This week<', page)
    assert "day=" not in today and "of=site%3Acalais" in today
    assert re.search(r'<input id="day" name="day" type="date"', page)  # any other week


async def test_thirty_sites_and_four_hundred_sessions_take_no_more_statements_than_one(
    database: Database, configured: Settings
) -> None:
    """One for who asks, two for the sessions, two for the ground."""
    sites = [a_site(f"site-{number}") for number in range(30)]
    directory = a_directory(*sites, a_partner())
    await database.sync_resources(directory)
    services = app.assemble(replace(configured, directory=directory), database, lambda: NOW)
    statements: list[str] = []
    event.listen(
        database._engines.reader.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )

    async def added(first: int, last: int) -> None:
        async def work(tx: Tx) -> None:
            for number in range(first, last):
                start = datetime(2027, 3, 15 + number % 5, 8, tzinfo=UTC) + timedelta(minutes=5 * (number // 5))
                guests = [f"site-{(number + other) % 30}" for other in range(1, 6)]
                await store.add(tx, a_session(str(number), start, f"site-{number % 30}", guests), (), {})

        await database.write(work)

    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, services))

        async def cost() -> tuple[int, int]:
            statements.clear()
            page = await week(visitor, "network:perinat")
            sessions = len(set(re.findall(rb"/sessions/([0-9]+)", page)))
            return sessions, len([statement for statement in statements if statement.startswith("SELECT")])

        await added(0, 1)
        assert await cost() == (1, 5)
        await added(1, 400)
        assert await cost() == (400, 5)


def a_session(identity: str, start: datetime, host: str, guests: list[str]) -> Session:
    """A confirmed hour with a host and guests, as rows have it."""
    parts = [
        Participation(site=site, required=True, room=f"{site}-1", answer="accepted", held=True)
        for site in (host, *guests)
    ]
    return Session(
        id=identity, uid=f"{identity}@perinat.example", revision=0, sequence=0, status="confirmed", kind="staff",
        title="Staff", description="", network="perinat", host_site=host,
        wall_start=zones.to_local(start, "Europe/Paris").replace(tzinfo=None), timezone="Europe/Paris", fold=0,
        start=start, duration=timedelta(hours=1), tzdata_version=zones.TZDATA_VERSION, participations=tuple(parts),
        bridge=None, ports=0, join_url=None, access_code=None, override_reason=None, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


# The table itself


def blocks(*hours: tuple[datetime, timedelta]) -> list[Block]:
    return [
        Block(interval=Interval(start, start + length), around=Interval(start, start + length), name="x", detail="")
        for start, length in hours
    ]


def rows(first: date, zone: str, *of: Block, other: str | None = None) -> list[timetable.Row]:
    return timetable.rows(first, zone, blocks=of, open_hours=None, bridges=(), other=other)


def test_the_table_grows_to_the_hours_of_its_sessions() -> None:
    early, late = blocks(
        (datetime(2027, 3, 16, 5, tzinfo=UTC), timedelta(hours=1)),
        (datetime(2027, 3, 18, 19, tzinfo=UTC), timedelta(hours=1)),
    )
    hours = [row.hour.hour for row in rows(date(2027, 3, 15), "Europe/Paris", early, late)]

    assert hours == list(range(6, 21))


def test_over_midnight_a_session_stands_in_both_days() -> None:
    [night] = blocks((datetime(2027, 3, 16, 22, tzinfo=UTC), timedelta(hours=2)))
    table = rows(date(2027, 3, 15), "Europe/Paris", night)

    assert table[23].cells[1].begins == [night] and table[0].cells[2].goes_on == [night]


def test_an_hour_that_does_not_exist_says_so_and_one_that_comes_twice_holds_both() -> None:
    [spring] = blocks((datetime(2027, 3, 28, 0, 30, tzinfo=UTC), timedelta(hours=1)))
    table = rows(date(2027, 3, 22), "Europe/Paris", spring)
    assert [row.cells[6].exists for row in table[:3]] == [True, False, True]
    assert table[0].cells[6].begins == table[2].cells[6].goes_on == [spring]

    first, second = blocks(
        (datetime(2027, 10, 31, 0, 30, tzinfo=UTC), timedelta(minutes=15)),
        (datetime(2027, 10, 31, 1, 30, tzinfo=UTC), timedelta(minutes=15)),
    )
    table = rows(date(2027, 10, 25), "Europe/Paris", first, second)
    assert table[0].cells[6].begins == [first, second] and table[0].hour.hour == 2


def test_every_session_begins_in_exactly_one_cell() -> None:
    start = datetime(2027, 10, 25, tzinfo=UTC)
    many = blocks(*((start + timedelta(minutes=55 * n), timedelta(minutes=50)) for n in range(150)))
    many = [replace(block, name=str(n)) for n, block in enumerate(many)]
    found = [
        b.name for row in rows(date(2027, 10, 25), "Europe/Paris", *many) for cell in row.cells for b in cell.begins
    ]

    assert sorted(found) == sorted(block.name for block in many)
