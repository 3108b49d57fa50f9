"""A year's plan by a page: pasted or sent as a file, a verdict a line, booked once however often it is sent."""

from __future__ import annotations

from typing import Any

from tests.series.test_import import PLAN
from tests.web.callers import Answer, Api
from tests.web.desk.series_forms import value
from tests.web.desk.test_week import words
from tests.web.desk.visitors import OURS, Visitor, signed_in

LIMIT = "-----------------------------limit"
HEADER = "Date;Heure;Type;Hôte;Sites;Titre"


async def send(
    visitor: Visitor, do: str, *, file: bytes | None = None, token: str | None = None, **form: str
) -> Answer:
    """The form as browsers send it: in parts, a file among them, chosen or not."""
    fields = {"form_token": await visitor.form_token() if token is None else token, "do": do, "plan": "", **form}
    parts = [
        f'--{LIMIT}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    head = f'--{LIMIT}\r\nContent-Disposition: form-data; name="file"; filename="{"plan.csv" if file else ""}"\r\n'
    parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + (file or b"") + b"\r\n")
    return await raw(visitor, b"".join(parts) + f"--{LIMIT}--\r\n".encode())


async def raw(visitor: Visitor, body: bytes) -> Answer:
    headers = {**OURS, "Accept": "text/html", "Cookie": visitor.cookie}
    headers["Content-Type"] = f"multipart/form-data; boundary={LIMIT}"
    return await visitor.caller("POST", "//series/import", raw=body, headers=headers)


async def sessions(api: Api) -> list[Any]:
    items: list[Any] = (await (await api.of("admin"))("GET", "/sessions?limit=500")).json["items"]
    return items


async def test_a_pasted_plan_has_a_verdict_a_line_and_is_booked_once(api: Api) -> None:
    visitor = await signed_in(api)
    tried = words((await send(visitor, "try", plan=PLAN)).body)
    assert "8 lignes sur 8 peuvent être réservées | nouvelles séries : 2" in tried and await sessions(api) == []
    assert "2 | jeudi 4 février 2027 à 13 h 00 (heure de Paris) Visio Périnat — staff | réservable" in tried

    done = await send(visitor, "book", plan=PLAN)
    again = await send(visitor, "book", plan=PLAN)
    page = words((await visitor.get(done.headers["Location"])).body)

    assert done.status == 303 and "Séances réservées : 8. Prévenus par courriel : CH d’Arras, CH de Calais" in page
    assert again.headers["Location"] == "/series?booked=0" and len(await sessions(api)) == 8
    assert "déjà réservées : 8" in words((await send(visitor, "try", plan=PLAN)).body)


async def test_cells_pasted_with_tabs_are_read(api: Api) -> None:
    plan = PLAN.replace(",", " |").replace(";", "\t")

    assert "8 lignes sur 8" in words((await send(await signed_in(api), "try", plan=plan)).body)


async def test_a_file_in_latin_1_is_read_and_shown_as_text_from_then_on(api: Api) -> None:
    visitor = await signed_in(api)
    tried = await send(visitor, "try", file=PLAN.encode("cp1252"), plan="ignored")
    shown = tried.body.decode().partition('<textarea id="plan"')[2].partition(">")[2].partition("</textarea>")[0]

    assert "8 lignes sur 8" in words(tried.body) and "Périnat" in shown and "ignored" not in shown
    assert (await send(visitor, "book", plan=shown.lstrip("\n"))).status == 303


async def test_lines_in_conflict_or_unreadable_say_why_and_the_rest_can_be_booked(api: Api) -> None:
    await (await api.of("admin")).book(host_site="calais", required_sites=["arras"], start="2027-02-11T13:00")
    visitor = await signed_in(api)
    refused = await send(visitor, "book", plan=PLAN)
    wrong = await send(visitor, "try", plan=PLAN.replace("rcp;Arras", "rcp;Nowhere"))
    done = await send(visitor, "leave_out", plan=PLAN)

    assert refused.status == 409 and "3 | jeudi 11 février 2027 à 13 h 00 (heure de Paris)" in words(refused.body)
    assert "Appelez CH de Calais" in words(refused.body) and "Réserver les 7 dates possibles" in words(refused.body)
    assert "illisibles : 1" in words(wrong.body) and 'value="book"' not in wrong.body.decode()
    assert done.headers["Location"].startswith("/series?booked=7&told=arras&told=calais")


async def test_what_is_no_spreadsheet_is_said_beside_its_field_and_kept(api: Api) -> None:
    visitor = await signed_in(api)
    nothing = await send(visitor, "try", plan="Bonjour <b>")
    zipped = await send(visitor, "try", file=b"PK\x03\x04\0\0\0")

    assert nothing.status == zipped.status == 422
    assert '<a href="#file">' in nothing.body.decode() and "Bonjour &lt;b&gt;" in nothing.body.decode()
    assert 'id="file-wrong"' in zipped.body.decode()


async def test_a_broken_form_a_foreign_one_and_too_large_a_one_are_refused(api: Api) -> None:
    visitor = await signed_in(api)

    assert (await raw(visitor, b"nothing of the kind")).status == 422
    assert (await raw(visitor, f"--{LIMIT}\r\n\r\nx\r\n--{LIMIT}--\r\n".encode())).status == 422
    assert (await send(visitor, "try", plan=PLAN, token="0" * 64)).status == 403
    assert (await send(visitor, "try", plan="x" * 300_000)).status == 413
    assert await sessions(api) == []


async def test_a_plan_stays_text_and_clinicians_have_none(api: Api) -> None:
    script = "<script>alert(1)</script>"
    plan = f"{HEADER};{script}\n04/02/2027;13:00;staff;Lille;Calais;{script};x"
    page = (await send(await signed_in(api), "try", plan=plan)).body.decode()
    clinician = await signed_in(api, "clinician", sites=["calais"])

    assert "<script>" not in page and page.count("&lt;script&gt;") >= 3
    assert (await clinician.get("/series/import")).status == 403
    assert (await send(clinician, "try", plan=plan)).status == 403


async def test_the_page_shows_an_example_that_is_read(api: Api) -> None:
    visitor = await signed_in(api)
    for language in ("fr", "en"):
        page = (await visitor.get(f"/series/import?lang={language}")).body
        example = page.decode().rpartition("<pre")[2].partition(">")[2].partition("</pre>")[0]
        assert value(page, "form_token")
        assert "3 lignes sur 3" in words((await send(visitor, "try", plan=example.replace("&#34;", '"'))).body)
