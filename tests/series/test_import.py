"""A year's plan by HTTP: a spreadsheet becomes series and sessions, a verdict a line; a site's year comes out."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from perinat_sched.series import sheet
from tests.web.callers import Answer, Api, Caller

HEADER = "Date;Heure;Durée;Type;Hôte;Sites;Titre"
THURSDAYS = [f"2027-02-{day:02}" for day in (4, 11, 18, 25)]
PLAN = "\r\n".join(
    [
        HEADER,
        *(f"{day[8:]}/02/2027;13h00;60;Staff de périnatalité;Lille;Calais, Lens;" for day in THURSDAYS),
        "2027-03-03;09:00;1h30;rcp;Arras;arras|CH de Lens;Visio Périnat — RCP",
        "21/01/2027;15:00;;International;lille;calais / Sainte-Justine;",
        "18/02/2027;15:00;;International;lille;calais / Sainte-Justine;",
        "18/03/2027;15:00;;International;lille;calais / Sainte-Justine;",
        "",
    ]
)


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def send(
    caller: Caller, text: str | bytes, query: str = "", encoding: str = "utf-8", media: str = "text/csv"
) -> Answer:
    raw = text if isinstance(text, bytes) else text.encode(encoding)
    return await caller(
        "POST", f"/series/import{query}", raw=raw, headers={"Content-Type": media, "Accept-Language": "en"}
    )


def verdicts(answer: Answer) -> dict[int, str]:
    return {one["line"]: one["verdict"] for one in answer.json["lines"]}


async def sessions(caller: Caller) -> list[Any]:
    items: list[Any] = (await caller("GET", "/sessions?limit=500")).json["items"]
    return items


async def test_equal_lines_become_a_series_and_others_sessions(admin: Caller) -> None:
    tried = await send(admin, PLAN, "?dry_run=true")

    assert tried.status == 200, tried.body.decode()
    assert verdicts(tried) == dict.fromkeys(range(2, 10), "bookable")
    assert [(one["id"], one["lines"]) for one in tried.json["series"]] == [(None, [2, 3, 4, 5]), (None, [7, 8, 9])]
    assert [one["rrule"][:23] for one in tried.json["series"]] == ["FREQ=WEEKLY;BYDAY=TH;UN", "FREQ=MONTHLY;BYDAY=3TH;"]
    assert (tried.json["told"], await sessions(admin)) == ([], [])

    booked = await send(admin, PLAN)

    assert booked.status == 201, booked.body.decode()
    assert verdicts(booked) == dict.fromkeys(range(2, 10), "booked")
    assert booked.json["told"] == ["arras", "calais", "lens", "lille", "sainte-justine"]
    found = {one["id"]: one for one in await sessions(admin)}
    assert [one["session"] for one in booked.json["lines"]] == sorted(
        found, key=lambda id: [line["session"] for line in booked.json["lines"]].index(id)
    )
    weekly, monthly = (one["id"] for one in booked.json["series"])
    assert [found[one["session"]]["series"] for one in booked.json["lines"]] == [weekly] * 4 + [None] + [monthly] * 3
    alone = found[booked.json["lines"][4]["session"]]
    assert (alone["recurrence_id"], alone["duration_minutes"], alone["network"]) == (None, 90, "perinat")
    assert (alone["title"], alone["host_site"]) == ("Visio Périnat — RCP", "arras")
    series = (await admin("GET", f"/series/{weekly}")).json
    assert [one["recurrence_id"][:10] for one in series["occurrences"]] == THURSDAYS
    assert series["title"] == "Visio Périnat — staff"
    assert series["required_sites"] == ["calais", "lens"]
    audited = [(one["action"], one["object_id"]) for one in (await admin("GET", "/audit")).json["items"]]
    expected = [("series_booked", weekly), ("series_booked", monthly), ("session_booked", alone["id"])]
    assert set(expected) <= set(audited)


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8", ","), ("utf-8-sig", ";"), ("latin-1", ";"), ("cp1252", ";"), ("utf-16", "\t")]
)
async def test_a_file_means_the_same_however_it_is_saved(admin: Caller, encoding: str, separator: str) -> None:
    text = (
        "Date;Début;Fin;Nature;Réseau;Site hôte;Participants;Objet\n"
        "2027-02-04;13:00;14:30;STAFF;perinat;LILLE;Calais;Réunion d'été\n"
    ).replace(";", separator)
    answer = await send(admin, text, encoding=encoding)
    assert answer.status == 201, answer.body.decode()
    (session,) = await sessions(admin)
    assert (session["title"], session["duration_minutes"], session["kind"]) == ("Réunion d'été", 90, "staff")
    assert (session["wall_start"], session["timezone"]) == ("2027-02-04T13:00", "Europe/Paris")


async def test_a_plan_that_is_imported_twice_is_booked_once_and_may_be_completed(admin: Caller) -> None:
    first = await send(admin, PLAN)
    before = await sessions(admin)

    again = await send(admin, PLAN)

    assert again.status == 200
    assert verdicts(again) == dict.fromkeys(range(2, 10), "exists")
    assert [one["session"] for one in again.json["lines"]] == [one["session"] for one in first.json["lines"]]
    assert await sessions(admin) == before
    moved = before[2]
    changes, revision = {"start": moved["wall_start"][:11] + "16:00"}, {"If-Match": f'"{moved["revision"]}"'}
    assert (await admin("PATCH", f"/sessions/{moved['id']}", changes, headers=revision)).status == 200
    cancelled = before[3]["id"]
    assert (await admin("POST", f"/sessions/{cancelled}/cancellation")).status == 200
    longer = PLAN + "04/03/2027;13h00;60;Staff de périnatalité;Lille;Calais, Lens;\r\n"
    completed = await send(admin, longer)
    assert completed.status == 201, completed.body.decode()
    assert verdicts(completed) == {**dict.fromkeys(range(2, 10), "exists"), 10: "booked"}
    assert len(await sessions(admin)) == 9, "neither what was moved nor what was cancelled is booked again"


async def test_one_line_in_conflict_refuses_all_and_may_be_left_out(admin: Caller) -> None:
    other = await admin.book(start="2027-02-18T12:30")

    refused = await send(admin, PLAN)

    assert (refused.status, refused.slug) == (409, "booking-refused")
    found = {one["line"]: one for one in refused.json["lines"]}
    assert [number for number, one in found.items() if one["verdict"] == "conflict"] == [4]
    assert {conflict["session"] for conflict in found[4]["conflicts"]} == {other["id"]}
    assert found[4]["nearest"]["start"].startswith("2027-02-18T")
    assert refused.json["alternatives"][0] == found[4]["nearest"]
    assert [one["id"] for one in await sessions(admin)] == [other["id"]]

    booked = await send(admin, PLAN, "?on_conflict=leave_out")

    assert booked.status == 201
    assert [number for number, one in verdicts(booked).items() if one == "left_out"] == [4]
    series = (await admin("GET", f"/series/{booked.json['series'][0]['id']}")).json
    assert [one["verdict"] for one in series["occurrences"]] == ["booked", "booked", "left_out", "booked"]


async def test_lines_of_one_file_stand_in_each_others_way(admin: Caller) -> None:
    text = f"{HEADER}\n04/02/2027;13:00;60;staff;lille;calais;\n04/02/2027;13:30;60;rcp;lens;calais;\n"
    answer = await send(admin, text, "?dry_run=true")
    assert verdicts(answer) == {2: "bookable", 3: "conflict"}
    assert {one["code"] for one in answer.json["lines"][1]["conflicts"]} == {"room_taken"}


async def test_a_bridge_that_two_networks_share_is_filled_once(admin: Caller) -> None:
    """Ports are counted over the lines of all networks in a file."""
    eight = "calais,lens,arras,boulogne,dunkerque,valenciennes,seclin,tourcoing"
    text = (
        "Date;Heure;Type;Hôte;Sites;Réseau\n"
        f"04/02/2027;13:00;staff;lille;{eight};perinat\n"
        "04/02/2027;13:00;staff;roubaix;lille,tourcoing;sih-lrt\n"
        "05/02/2027;13:00;staff;roubaix;lille,tourcoing;sih-lrt\n"
    )
    answer = await send(admin, text, "?dry_run=true")
    assert answer.status == 200, answer.body.decode()
    assert [one["verdict"] for one in answer.json["lines"]] == ["bookable", "conflict", "bookable"]


WRONG = [
    ("31/02/2027;13:00;60;staff;lille;calais;", "Date", "Write a date"),
    ("04/02/27;13:00;60;staff;lille;calais;", "Date", "Write a date"),
    (";13:00;60;staff;lille;calais;", "Date", "Write a date"),
    ("04/02/2027;1 pm;60;staff;lille;calais;", "Heure", "Write an hour"),
    ("04/02/2027;24:00;60;staff;lille;calais;", "Heure", "Write an hour"),
    ("04/02/2027;13:02;60;staff;lille;calais;", "Heure", "multiples of 5"),
    ("04/02/2027;13:00;long;staff;lille;calais;", "Durée", "Write a length"),
    ("04/02/2027;13:00;7;staff;lille;calais;", "Durée", "multiple of 5"),
    ("04/02/2027;13:00;60;congrès;lille;calais;", "Type", "There is no 'congrès'"),
    ("04/02/2027;13:00;60;;lille;calais;", "Type", "required"),
    ("04/02/2027;13:00;60;staff;lille;calais, Brest;", "Sites", "There is no 'Brest'"),
    ("04/02/2027;13:00;60;staff;lille;calais, calais;", "Sites", "twice"),
    ("04/02/2027;13:00;60;staff;;;", "Sites", "required"),
    ("04/02/2027;13:00;60;staff;lille;roubaix;", "network", "several networks"),
    ("=TODAY();13:00;60;staff;lille;calais;", "Date", "formula"),
    ("04/02/2027;13:00;60;staff;lille;calais;=HYPERLINK(A1)", "Titre", "formula"),
    ("04/02/2027;13:00;60;staff;lille;calais;Mme Durand, 32 SA", "Titre", "patient"),
]


@pytest.mark.parametrize(("line", "heading", "said"), WRONG)
async def test_a_line_that_cannot_be_meant_is_refused_under_its_heading(
    admin: Caller, line: str, heading: str, said: str
) -> None:
    text = f"{HEADER}\n11/02/2027;13:00;60;staff;lille;calais;\n{line}\n"

    tried = await send(admin, text, "?dry_run=true")
    refused = await send(admin, text)

    assert verdicts(tried) == {2: "bookable", 3: "invalid"}, tried.body.decode()
    (error,) = tried.json["lines"][1]["errors"]
    assert error["field"] == heading
    assert said in error["detail"]
    assert (refused.status, refused.slug, refused.fields) == (422, "invalid-request", [f"lines[3].{heading}"])
    assert await sessions(admin) == []


async def test_what_a_person_says_is_no_patient_is_taken_and_a_dash_is_a_text(admin: Caller) -> None:
    text = f"{HEADER}\n04/02/2027;13:00;60;staff;lille;calais;- accueil de Mme Durand\n"
    assert (await send(admin, text)).fields == ["lines[2].Titre"]
    assert (await send(admin, text, "?no_patient_data=true")).status == 201
    assert [one["title"] for one in await sessions(admin)] == ["- accueil de Mme Durand"]


async def test_a_line_that_is_there_twice_is_refused(admin: Caller) -> None:
    line = "04/02/2027;13:00;60;staff;lille;calais;\n"
    answer = await send(admin, f"{HEADER}\n{line}{line}", "?dry_run=true")
    assert verdicts(answer) == {2: "bookable", 3: "invalid"}
    assert "Line 2" in answer.json["lines"][1]["errors"][0]["detail"]


async def test_an_hour_that_does_not_exist_is_the_verdict_of_its_line(admin: Caller) -> None:
    answer = await send(admin, f"{HEADER}\n28/03/2027;02:30;60;test;lille;calais;\n", "?dry_run=true")
    assert [one["code"] for one in answer.json["lines"][0]["conflicts"]] == ["skipped_local_time"]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 422, "Nothing is in this file"),
        ("Jour;Heure\n1;2\n", 422, "kind (type), sites (participants)"),
        ("Date;Jour;Heure;Type;Sites\n1;2;3;4;5\n", 422, "'Jour' is there twice"),
        (
            HEADER + "\n" + "04/02/2027;13:00;60;staff;lille;calais;\n" * (sheet.MOST_LINES + 1),
            422,
            "at most 1000 lines",
        ),
        (HEADER + "\n" + "4;5;6\n" * 100_000, 413, "256 KB"),
    ],
    ids=["empty", "no kinds", "twice", "many lines", "100,000 lines"],
)
async def test_a_file_that_is_no_plan_is_refused_as_a_whole(admin: Caller, text: str, status: int, said: str) -> None:
    answer = await send(admin, text)
    assert answer.status == status
    assert said in answer.body.decode()


async def test_only_csv_is_read(admin: Caller) -> None:
    answer = await send(admin, PLAN, media="application/json")
    assert (answer.status, answer.slug) == (415, "unsupported-media-type")
    assert "text/csv" in answer.json["detail"]
    assert (await send(admin, PLAN, media="text/csv; charset=iso-8859-1")).status == 201


async def test_a_column_that_means_nothing_is_a_warning(admin: Caller) -> None:
    text = "Date;Heure;Type;Sites;Responsable\n04/02/2027;13:00;staff;lille,calais;Anne\n"
    answer = await send(admin, text)
    assert answer.status == 201
    assert [one["code"] for one in answer.json["warnings"]] == ["column-not-read"]
    assert "'Responsable'" in answer.json["warnings"][0]["detail"]


async def test_who_may_book_some_lines_is_told_of_the_others_and_who_may_book_none_is_refused(
    api: Api, admin: Caller
) -> None:
    lens = await api.of("coordinator", sites=("lens",))
    text = f"{HEADER}\n04/02/2027;13:00;60;staff;lille;calais;\n05/02/2027;13:00;60;staff;lens;calais;\n"
    tried = await send(lens, text, "?dry_run=true")
    assert verdicts(tried) == {2: "invalid", 3: "bookable"}
    assert (await send(lens, text)).fields == ["lines[2].Hôte"]
    assert (await send(lens, "\n".join(text.splitlines()[:2]))).status == 403
    assert (await send(await api.of("clinician", sites=("lille",)), PLAN)).status == 403
    assert (await send(api.anybody, PLAN)).status == 401
    assert await sessions(admin) == []


async def test_a_plan_longer_than_two_years_becomes_several_series(admin: Caller) -> None:
    days = [date(2027, 2, 4) + timedelta(weeks=number) for number in range(150)]
    text = HEADER + "".join(f"\n{day};13:00;60;staff;lille;calais;" for day in days)
    tried = await send(admin, text, "?dry_run=true&on_conflict=leave_out")
    assert [len(one["lines"]) for one in tried.json["series"]] == [105, 45]


async def test_the_statements_of_an_import_do_not_grow_with_its_dates(api: Api, admin: Caller) -> None:
    costs = []
    for first, count in ((date(2027, 2, 5), 3), (date(2027, 3, 5), 60)):
        days = [first + timedelta(weeks=number) for number in range(count)]
        text = HEADER + "".join(f"\n{day};13:00;60;staff;lille;calais,lens,arras;" for day in days)
        with api.services.database.counting() as cost:
            assert (await send(admin, text, "?on_conflict=leave_out")).status == 201
        costs.append(cost.total)
    assert costs[1] <= costs[0] + 1 <= 14  # one for all dates that are left out


async def test_a_sites_year_comes_out_in_its_own_hours_and_comes_in_again(admin: Caller) -> None:
    assert (await send(admin, PLAN)).status == 201
    await admin.book(start="2027-12-31T23:30", override_reason="Nuit", required_sites=["sainte-justine"], title="+1 =x")
    await admin.book(start="2028-01-02T13:00", override_reason="Dimanche")

    answer = await admin("GET", "/sites/sainte-justine/sessions.csv?year=2027", headers={"Accept-Language": "fr"})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sainte-justine-2027.csv"'
    assert answer.body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert rows[0][:7] == ["Date", "Heure", "Fin", "Fuseau horaire", "Type", "Titre", "Site hôte"]
    assert [row[:4] for row in rows[1:]] == [
        ["2027-01-21", "09:00", "10:30", "America/Toronto"],
        ["2027-02-18", "09:00", "10:30", "America/Toronto"],
        ["2027-03-18", "10:00", "11:30", "America/Toronto"],
        ["2027-12-31", "17:30", "18:30", "America/Toronto"],
    ]
    assert rows[4][5] == "'+1 =x", "no cell is a formula"
    assert rows[1][4:10] == [
        "Staff international", "Visio Périnat — staff international", "lille", "calais, sainte-justine", "", "perinat"
    ]  # fmt: skip

    again = await send(admin, answer.body, "?dry_run=true")
    assert verdicts(again) == dict.fromkeys(range(2, 6), "exists")
    english = await admin("GET", "/sites/calais/sessions.csv?year=2028", headers={"Accept-Language": "en"})
    assert len(english.body.decode("utf-8-sig").splitlines()) == 2
    assert english.body.decode("utf-8-sig").startswith("Date,Start,End,")


async def test_a_sites_year_is_for_those_who_see_it(api: Api, admin: Caller) -> None:
    await admin.book()
    for role, sites, lines in (("coordinator", ("lens",), 1), ("clinician", ("calais",), 2), ("admin", (), 2)):
        caller = await api.of(role, sites=sites)
        answer = await caller("GET", "/sites/calais/sessions.csv?year=2027")
        assert len(answer.body.decode().splitlines()) == lines
    assert (await admin("GET", "/sites/brest/sessions.csv?year=2027")).status == 404
    assert (await admin("GET", "/sites/calais/sessions.csv")).fields == ["year"]
    assert (await admin("GET", "/sites/calais/sessions.csv?year=20271")).fields == ["year"]
