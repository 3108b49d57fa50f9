"""Administration, for administrators alone: the service, the configuration, accesses, failed mails, the audit."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from perinat_sched.storage import guards
from perinat_sched.storage.tables import audit, notices
from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Api, Caller
from tests.web.desk.test_week import words
from tests.web.desk.visitors import Visitor, signed_in

SCRIPT = "<script>alert(1)</script>"
FOR_ADMINISTRATORS = [(page.method, page.path.replace("{id}", "some")) for page in PAGES if page.administrators]


async def read(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status == 200, answer.body.decode()
    return words(answer.body)


async def a_failed_mail(api: Api) -> str:
    """The id of an invitation that the relay refused."""
    await (await api.of("admin")).book(required_sites=["calais"])
    await api.services.delivery.plan()
    async with api.services.database.read() as tx:
        [first, *_] = (await tx.execute(notices.select().order_by(notices.c.recipient))).all()

    async def fail(tx):
        await tx.execute(
            update(notices).where(notices.c.id == first.id).values(state="failed", last_error="550 nobody")
        )

    await api.services.database.write(fail)
    return str(first.id)


@pytest.mark.parametrize(("method", "path"), FOR_ADMINISTRATORS)
async def test_only_administrators_get_in(api: Api, method: str, path: str) -> None:
    for role, given in (("coordinator", {"networks": ["perinat"]}), ("clinician", {"sites": ["lille"]})):
        visitor = await signed_in(api, role, **given)
        if method == "GET":
            answer = await visitor.get(path)
        else:
            answer = await visitor.post(path, {"form_token": await visitor.form_token()})
        assert answer.status == 403
        assert b'href="/admin"' not in answer.body


def test_there_are_pages_for_administrators() -> None:
    assert len(FOR_ADMINISTRATORS) >= 10


async def test_it_says_what_works_and_what_does_not(api: Api) -> None:
    visitor = await signed_in(api)
    assert "Le service n’est pas prêt" in await read(visitor, "/admin") and "à l’arrêt" in await read(visitor, "/admin")

    await api.services.delivery.run_once()
    page = await read(visitor, "/admin")
    assert "Le service est prêt." in page and "Dernier passage : lundi 4 janvier 2027 à 9 h 00 (heure de Paris)" in page
    assert "dans des fichiers : personne ne les reçoit" in page and "En échec : 0" in page


async def test_it_counts_the_mails_that_wait_and_those_that_failed(api: Api) -> None:
    await a_failed_mail(api)
    page = await read(await signed_in(api), "/admin")

    assert "En échec : 1" in page and re.search(r"Prévus plus tard : [1-9]", page) and "En attente : 0" in page


async def test_it_shows_the_periods_in_which_clocks_differ_otherwise(api: Api) -> None:
    page = await read(await signed_in(api), "/admin")

    spring = "Paris – Montréal | dimanche 14 mars 2027 | dimanche 28 mars 2027 | 5 h | 6 h"
    autumn = "Paris – Montréal | dimanche 31 octobre 2027 | dimanche 7 novembre 2027 | 5 h | 6 h"
    assert spring in page and autumn in page and "Réunion" not in page


async def test_every_page_says_that_mail_only_goes_to_files(api: Api) -> None:
    told = "personne ne les reçoit"
    assert told in await read(Visitor(api.anybody), "/sign-in") and told in await read(await signed_in(api), "/week")

    object.__setattr__(api.services.settings, "smtp_url", "smtp://relay.example")
    assert told not in await read(Visitor(api.anybody), "/sign-in")


async def test_sites_and_rooms_are_read_as_configured(api: Api) -> None:
    page = await read(await signed_in(api), "/admin/sites")

    assert "lun.–ven. 8 h 00–19 h 00" in page and "sip:calais-1@" in page and "staff@lille.example" in page
    assert "12 ports pour" in page and "répond à la main" in page


async def test_a_year_of_a_site_shows_holidays_calendar_files_and_what_was_entered(api: Api) -> None:
    closure = {"site": "calais", "from": "2027-05-05T14:00", "until": "2027-05-05T16:00", "reason": "Travaux"}
    assert (await (await api.of("admin"))("POST", "/closures", closure)).status == 201
    visitor = await signed_in(api)
    page = await read(visitor, "/admin/closures?site=calais&year=2027")

    assert "jeudi 6 mai 2027 | Ascension | jour férié" in page and "fichier d’agenda" in page
    assert "mercredi 5 mai 2027, 14 h 00–16 h 00 (heure de Paris)" in page
    assert "Travaux | saisie ici" in page
    assert "saisie ici" not in await read(visitor, "/admin/closures?site=calais&year=2028")
    assert (await visitor.get("/admin/closures?site=nowhere")).status == 422


async def made(visitor: Visitor, **given: str) -> bytes:
    form = {"form_token": await visitor.form_token(), "name": "Berthe", "role": "coordinator", "key": "one"}
    answer = await visitor.post("/admin/tokens", {**form, "sites": "lens", **given})
    assert answer.status == 200, answer.body.decode()
    return answer.body


async def test_a_new_access_shows_its_token_once_and_the_audit_says_who_made_it(api: Api) -> None:
    visitor = await signed_in(api, name="Anne")
    [token] = re.findall(rb"ps_[A-Za-z0-9_-]{43}", await made(visitor))
    me = await Caller(api.client, {"Authorization": f"Bearer {token.decode()}"})("GET", "/me")

    assert (me.json["name"], me.json["role"], me.json["sites"]) == ("Berthe", "coordinator", ["lens"])
    assert "Berthe | Coordination | CH de Lens" in await read(visitor, "/admin/tokens")
    assert token not in (await visitor.get("/admin/tokens")).body
    assert "Anne | Accès créé" in await read(visitor, "/admin/audit?action=token_created")


async def test_the_same_form_sent_again_makes_no_second_access(api: Api) -> None:
    visitor = await signed_in(api)
    form = {"form_token": await visitor.form_token(), "name": "Berthe", "role": "admin", "key": "one"}
    first, again = [await visitor.post("/admin/tokens", form) for _ in range(2)]
    other = await visitor.post("/admin/tokens", {**form, "name": "Cécile"})

    assert (first.status, again.status, other.status) == (200, 410, 200)
    assert "son secret n’est montré qu’une fois" in words(again.body) and b"ps_" not in again.body
    assert [token.name for token in await api.services.tokens.list_all()].count("Berthe") == 1


async def test_what_is_wrong_with_a_new_access_is_said_beside_its_field_and_what_was_typed_stays(api: Api) -> None:
    visitor = await signed_in(api)
    form = {
        "form_token": await visitor.form_token(),
        "name": "Berthe",
        "role": "coordinator",
        "email": "b@lens.example",
    }
    answer = await visitor.post("/admin/tokens", form)
    page = answer.body.decode()

    assert answer.status == 422 and "Il faut au moins un site ou un réseau" in page
    assert 'aria-invalid="true" aria-describedby="sites-wrong"' in page and 'id="sites-wrong"' in page
    assert 'value="Berthe"' in page and 'value="b@lens.example"' in page and 'href="#sites"' in page
    assert "<title>Erreur" in page
    wrong_day = await visitor.post("/admin/tokens", {**form, "sites": "lens", "expires": "2027-02-30"})
    assert wrong_day.status == 422 and b'id="expires-wrong"' in wrong_day.body


async def test_a_sign_in_link_signs_in_once_and_is_in_nobodys_name_but_the_accesses(api: Api) -> None:
    admin = await signed_in(api, name="Anne")
    _, row = await api.services.tokens.create(role="clinician", sites=["lens"], name="Berthe")
    page = await admin.post(f"/admin/tokens/{row.id}/link", {"form_token": await admin.form_token()})
    [path] = set(re.findall(r'value="http://127.0.0.1:8080(/sign-in/[A-Za-z0-9_-]{43})"', page.body.decode()))

    assert b"<svg" in page.body
    berthe = Visitor(api.anybody)
    assert (await berthe.post(path, {})).status == 303 and "Berthe" in await read(berthe, "/account")
    assert (await Visitor(api.anybody).post(path, {})).status == 410
    assert "Anne | Lien de connexion créé" in await read(admin, f"/admin/audit?object={row.id}")


async def test_a_revoked_access_is_over_at_once_after_a_page_that_asks(api: Api) -> None:
    admin, berthe = await signed_in(api), await signed_in(api, "clinician", sites=["lens"], name="Berthe")
    assert berthe.token
    path = f"/admin/tokens/{berthe.token.id}/revocation"
    assert "C’est sans retour" in await read(admin, path)
    assert (await berthe.get("/account")).status == 200

    answer = await admin.post(path, {"form_token": await admin.form_token()})
    assert (answer.status, answer.headers["Location"]) == (303, "/admin/tokens")
    assert (await berthe.get("/account")).status == 401
    assert "Berthe | Clinique | CH de Lens | – | révoqué" in await read(admin, "/admin/tokens")
    assert (
        await admin.post(f"/admin/tokens/{berthe.token.id}/link", {"form_token": await admin.form_token()})
    ).status == 404


async def test_a_failed_mail_says_why_and_is_sent_again(api: Api) -> None:
    identity = await a_failed_mail(api)
    visitor = await signed_in(api)
    assert "550 nobody" in await read(visitor, "/admin/mails")

    answer = await visitor.post(f"/admin/mails/{identity}/retry", {"form_token": await visitor.form_token()})
    assert answer.status == 303
    page = await read(visitor, answer.headers["Location"])
    assert "part dans les secondes qui suivent" in page and "550 nobody" not in page
    again = await visitor.post(f"/admin/mails/{identity}/retry", {"form_token": await visitor.form_token()})
    assert again.status == 422 and 'role="alert"' in again.body.decode()


async def test_the_audit_is_narrowed_and_read_page_by_page(api: Api) -> None:
    admin = await api.of("admin")
    booked = await admin.book(required_sites=["calais"])
    await admin("PATCH", f"/sessions/{booked['id']}", {"title": "Autre"}, headers={"If-Match": '"0"'})
    visitor = await signed_in(api)

    page = await read(visitor, f"/admin/audit?actor=&action=&object={booked['id']}&from=&to=")
    assert "lundi 4 janvier 2027 9 h 00 | test | Séance modifiée" in page and "Quand (heure de Paris)" in page
    assert "Séance modifiée" in await read(visitor, "/admin/audit?from=2027-01-04&to=2027-01-04")
    assert "Rien de tel" in await read(visitor, "/admin/audit?to=2027-01-03")
    assert "Rien de tel" in await read(visitor, "/admin/audit?from=2027-01-05")
    only = await read(visitor, "/admin/audit?action=session_booked")
    assert "test | Séance réservée |" in only and "test | Séance modifiée |" not in only

    for number in range(100):
        await api.services.tokens.create(role="admin", name=f"token {number}")
    first = (await visitor.get("/admin/audit?action=token_created")).body.decode()
    [following] = re.findall(r'href="([^"]+)" rel="next"', first)
    second = await visitor.get(following.replace("&amp;", "&"))
    assert first.count("<tr>") == 101 and second.body.count(b"<tr>") == 3
    assert (
        await visitor.get(
            "/admin/audit?"
            + following.partition("?")[2].replace("&amp;", "&").replace("token_created", "token_revoked")
        )
    ).status == 422


async def test_a_script_that_was_stored_is_shown_as_text(api: Api) -> None:
    identity = await a_failed_mail(api)

    async def spoil(tx):
        await tx.execute(update(notices).where(notices.c.id == identity).values(recipient=SCRIPT, last_error=SCRIPT))

    await api.services.database.write(spoil)
    await (await api.of("admin"))(
        "POST", "/closures", {"site": "lille", "from": "2027-03-18", "until": "2027-03-18", "reason": SCRIPT}
    )
    visitor = await signed_in(api, name=SCRIPT)
    form = {
        "form_token": await visitor.form_token(),
        "name": SCRIPT,
        "role": "coordinator",
        "email": SCRIPT,
        "sites": SCRIPT,
    }
    answers = [await visitor.get(path) for path in ("/admin/mails", "/admin/tokens", "/admin/audit", "/admin/closures")]
    assert visitor.token
    answers.append(await visitor.get(f"/admin/tokens/{visitor.token.id}/revocation"))
    answers.append(await visitor.post(f"/admin/tokens/{visitor.token.id}/link", {"form_token": form["form_token"]}))
    answers.append(await visitor.post("/admin/tokens", form))
    answers.append(await visitor.post("/admin/tokens", {**form, "sites": "lille", "email": ""}))

    for answer in answers:
        assert b"<script" not in answer.body and b"&lt;script&gt;" in answer.body


async def test_lists_cost_the_same_statements_whatever_their_length(api: Api) -> None:
    visitor = await signed_in(api)

    async def costs() -> list[int]:
        found = []
        for path in ("/admin", "/admin/sites", "/admin/tokens", "/admin/mails", "/admin/audit", "/admin/closures"):
            with api.services.database.counting() as count:
                await read(visitor, path)
            found.append(len(count.statements))
        return found

    before = await costs()
    for number in range(30):
        await api.services.tokens.create(role="coordinator", sites=["lille"], name=f"token {number}")
    assert await costs() == before and max(before) <= 6


async def test_the_audit_is_verified_and_a_change_behind_the_guards_is_told(api: Api) -> None:
    visitor = await signed_in(api)
    await api.services.seals.seal()
    assert "Le journal est intact : 3 lignes" in await read(visitor, "/admin/audit/verification")

    async with api.services.database._engines.writer.begin() as tx:
        await guards.drop(tx)
        await tx.execute(update(audit).where(audit.c.action == "signed_in").values(actor="somebody else"))
    page = await read(visitor, "/admin/audit/verification")
    assert "n’est plus ce qui a été écrit" in page and "Places dans la chaîne : 3" in page
