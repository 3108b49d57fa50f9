"""My calendar: an address is made, shown once on its own page, seen in use, and revoked."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from perinat_sched.storage.database import Database
from tests.web.callers import Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in


async def made(visitor: Visitor, **given: str) -> str:
    """Make an address; where one is led."""
    form = {"form_token": await visitor.form_token(), "of": "site:calais", **given}
    answer = await visitor.post("/calendar", form)
    assert answer.status == 303, answer.body.decode()
    return answer.headers["Location"]


async def calais(api: Api, role: str = "coordinator") -> Visitor:
    return await signed_in(api, role, sites=["calais"])


async def test_making_an_address_leads_to_the_page_that_shows_it_and_the_list_never_does(api: Api) -> None:
    visitor = await calais(api)
    path = await made(visitor, label="Staffs", detail="kind", kind="staff", alarm="30", cancelled="no")
    page = (await visitor.get(path)).body.decode()
    secret = path.partition("?")[0].rpartition("/")[2]
    listed = (await visitor.get("/calendar")).body.decode()

    assert f"/feeds/{secret}.ics?alarm=30&amp;cancelled=no" in page and "Cette page est la seule" in page
    assert "Chacune avec son type et ses horaires" in page and "Staff de périnatalité" in page
    assert "Staffs" in listed and "CH de Calais" in listed and "n’y a pas" not in listed and secret not in listed
    assert "Aucun logiciel" in listed


async def test_the_list_says_when_and_by_which_program_an_address_was_read_last(api: Api) -> None:
    visitor = await calais(api)
    path = await made(visitor)
    await api.anybody("GET", f"/{path}.ics", headers={"User-Agent": "Mozilla/5.0 Thunderbird/128"})

    page = words((await visitor.get("/calendar")).body)
    assert "Lue en dernier le lundi 4 janvier 2027 à 9 h 00 (heure de Paris) (Thunderbird)" in page


async def test_revoking_it_ends_it(api: Api) -> None:
    visitor = await calais(api)
    path = await made(visitor)
    found = re.search(r'action="(/calendar/[^"]+/revocation)"', (await visitor.get("/calendar")).body.decode())
    assert found is not None
    answer = await visitor.post(found[1], {"form_token": await visitor.form_token()})

    assert (answer.status, answer.headers["Location"]) == (303, "/calendar?done=revoked")
    assert "est révoquée" in (await visitor.get("/calendar?done=revoked")).body.decode()
    assert (await visitor.get(path)).status == 410


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"of": "site:nowhere"}, "of", "nowhere"),
        ({"of": "nothing"}, "of", "prenez un code"),
        ({"label": "x" * 101}, "label", "100"),
        ({"label": "Mme DUPONT née le 12/03/1985"}, "label", "date de naissance"),
        ({"alarm": "soon"}, "alarm", "nombre entier"),
        ({"alarm": "1441"}, "alarm", "1440"),
        ({"kind": "nothing"}, "kinds", "nothing"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    api: Api, given: dict[str, str], field: str, said: str
) -> None:
    visitor = await calais(api)
    form = {"form_token": await visitor.form_token(), "of": "site:calais", "label": "Séances", "alarm": "20"} | given
    answer = await visitor.post("/calendar", form)
    page = answer.body.decode()

    assert answer.status == 422
    beside = re.search(rf'id="{field}-wrong">([^<]*)<', page)
    assert beside is not None and said in beside[1] and 'role="alert"' in page and f'href="#{field}"' in page
    assert f'value="{form["alarm"]}"' in page and f'value="{form["label"]}"' in page
    assert "Aucune pour l" in page  # nothing was made


async def test_a_label_that_only_looks_like_a_patient_can_be_affirmed(api: Api) -> None:
    visitor = await calais(api)
    form = {"form_token": await visitor.form_token(), "of": "site:calais", "label": "Madame Durand"}
    refused = await visitor.post("/calendar", form)

    assert refused.status == 422 and 'name="no_patient_data"' in refused.body.decode()
    assert (await visitor.post("/calendar", form | {"no_patient_data": "yes"})).status == 303


@pytest.mark.parametrize(
    ("role", "given", "offered", "made_for"),
    [
        ("admin", {}, {"site:calais", "room:lille-1", "network:perinat"}, "network:perinat"),
        ("coordinator", {"sites": ["calais"]}, {"site:calais", "room:calais-1", "network:perinat"}, "site:calais"),
        ("coordinator", {"networks": ["perinat"]}, {"site:calais", "site:lille"}, "site:lille"),
        ("clinician", {"sites": ["calais"]}, {"site:calais"}, "site:calais"),
    ],
)
async def test_one_is_offered_what_one_may_publish(
    api: Api, role: str, given: dict[str, list[str]], offered: set[str], made_for: str
) -> None:
    visitor = await signed_in(api, role, **given)
    options = set(
        re.findall(r'<option value="((?:site|room|network):[^"]+)"', (await visitor.get("/calendar")).body.decode())
    )

    assert offered <= options
    assert "site:dunkerque" not in options or role == "admin" or "networks" in given
    await made(visitor, of=made_for)


async def test_what_is_not_ones_own_can_neither_be_published_nor_revoked(api: Api) -> None:
    visitor, other = await calais(api, "clinician"), await signed_in(api, "coordinator", sites=["dunkerque"])
    token = await visitor.form_token()
    assert (await visitor.post("/calendar", {"form_token": token, "of": "network:perinat"})).status == 403

    await made(visitor)
    found = re.search(r'action="(/calendar/[^"]+/revocation)"', (await visitor.get("/calendar")).body.decode())
    assert found is not None
    assert (await other.post(found[1], {"form_token": await other.form_token()})).status == 404
    assert (await visitor.post(found[1], {"form_token": "0"})).status == 403
    admin = await signed_in(api)
    assert "Adresses d’autres personnes (1)" in (await admin.get("/calendar")).body.decode()
    assert (await admin.post(found[1], {"form_token": await admin.form_token()})).status == 303


async def test_a_script_in_a_name_is_shown_as_text(api: Api) -> None:
    visitor = await calais(api)
    await made(visitor, label="<script>alert(1)</script>")
    page = (await visitor.get("/calendar")).body.decode()

    assert page.count("&lt;script&gt;") >= 3 and "<script" not in page


async def test_the_list_costs_the_same_number_of_statements_whatever_its_length(api: Api, database: Database) -> None:
    visitor = await calais(api)
    statements: list[str] = []
    event.listen(database._engines.reader.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    counts = []
    for _ in range(2):
        statements.clear()
        await visitor.get("/calendar")
        counts.append(len(statements))
        for _ in range(5):
            await made(visitor)
    assert counts[0] == counts[1] > 0
