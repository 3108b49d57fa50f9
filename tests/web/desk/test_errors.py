"""What goes wrong on a page is told on a page, in the reader's language, with a way out; programs get their problem."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.request import Asked
from perinat_sched.booking.session import Session
from perinat_sched.errors import Unavailable
from perinat_sched.people.access import Actor
from perinat_sched.people.sign_in import SignedIn, SignIns
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import BOOKING, Api
from tests.web.desk.test_week import words
from tests.web.desk.visitors import OURS, Visitor, signed_in

ASKED: Mapping[str, Any] = {**BOOKING, "required_sites": ("calais",)}
HTML = "text/html; charset=utf-8"


async def test_a_page_for_signed_in_people_shows_others_how_to_sign_in(api: Api) -> None:
    answer = await Visitor(api.anybody).get("/account")

    assert (answer.status, answer.headers["Content-Type"]) == (401, HTML)
    assert b'name="next" value="/account"' in answer.body and "Connectez-vous pour continuer" in answer.body.decode()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing", 404, "Rien à cette adresse"),
        ("/account?unknown=1", 422, "Ce champ n’existe pas"),
        ("/sign-in?lang=de", 422, "fr"),
        ("/sign-in?next=a&next=b", 422, "deux fois"),
    ],
)
async def test_a_mistake_is_told_on_a_page(api: Api, path: str, status: int, words: str) -> None:
    answer = await (await signed_in(api)).get(path)

    assert (answer.status, answer.headers["Content-Type"]) == (status, HTML)
    assert words in answer.body.decode() and "<h1>" in answer.body.decode()


async def test_a_link_that_is_used_up_leads_to_a_new_one(api: Api) -> None:
    answer = await Visitor(api.anybody).post("/sign-in/" + "a" * 43 + "?lang=en", {})

    assert answer.status == 410
    assert "ask for a new one" in answer.body.decode() and 'href="/sign-in?lang=en"' in answer.body.decode()


async def test_who_asks_for_no_html_is_told_of_nothing_as_a_problem(api: Api) -> None:
    assert (await api.anybody("GET", "//nothing")).slug == "not-found"
    assert (await api.anybody("GET", "/nothing", headers={"Accept": "text/html"})).slug == "not-found"


async def test_a_method_that_a_page_does_not_know_is_refused_on_a_page(api: Api) -> None:
    answer = await Visitor(api.anybody).post("/privacy", {})

    assert (answer.status, answer.headers["Content-Type"]) == (405, HTML)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(("error", "status"), [(Unavailable(), 503), (ZeroDivisionError("secret"), 500)])
async def test_what_breaks_is_told_without_its_cause(services: Services, error: Exception, status: int) -> None:
    class Broken(SignIns):
        async def authenticate(self, cookie: str) -> SignedIn:
            raise error

    broken = replace(services, sign_ins=Broken(services.database, services.clock))
    async with TestClient(TestServer(application(broken))) as client:
        answer = await Visitor(Api(client, broken).anybody, cookie="perinat=x").get("/account")

    assert (answer.status, answer.headers["Content-Type"]) == (status, HTML)
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    assert (answer.headers["X-Request-Id"] in answer.body.decode()) == (status >= 500)


async def test_a_refusal_that_no_page_tells_in_place_is_told_on_a_page(services: Services) -> None:
    """Never as JSON: with its reasons, whom to ring, what is possible instead, and the way back."""

    class Refusing(Bookings):
        async def cancel(self, actor: Actor, session_id: str, *_: Any, **__: Any) -> Session:
            await self.book(actor, Asked(**{**ASKED, "host_site": "lens"}))
            raise AssertionError

    refusing = replace(services, bookings=Refusing(**vars(services.bookings)))
    async with TestClient(TestServer(application(refusing)), cookie_jar=DummyCookieJar()) as client:
        visitor = await signed_in(Api(client, refusing))
        session = await (await Api(client, refusing).of("admin")).book(title="Staff de Lille")
        path = f"/sessions/{session['id']}/cancel"
        form = {"form_token": await visitor.form_token(), "code": "cancelled"}
        here = {**OURS, "Referer": f"http://127.0.0.1:8080{path}"}
        answer = await visitor.post(path, form, here)
        evil = await visitor.post(path, form, {**OURS, "Referer": "http://evil.example/week"})
    text = words(answer.body)

    assert (answer.status, answer.headers["Content-Type"]) == (409, HTML)
    assert "CH de Calais : Salle de visioconférence est prise par une autre séance" in text
    assert "Appelez CHU de Lille" in text and "Possible à la place" in text and "vendredi 19 mars 2027" in text
    assert f'href="{path}"' in answer.body.decode() and b"evil" not in evil.body


@pytest.mark.parametrize("path", ["/sign-in", "/accessibility", "/privacy", "/account", "/nothing"])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_keeps_the_language_and_loads_nothing_but_ours(api: Api, path: str, language: str) -> None:
    page = (await (await signed_in(api)).get(f"{path}?lang={language}")).body.decode()
    other = {"fr": "en", "en": "fr"}[language]
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page)

    assert f'<html lang="{language}">' in page
    assert links and all(link.startswith(("/", "#")) and not link.startswith("//") for link in links)
    chosen = [link for link in links if not link.startswith(("#", "/static/"))]
    assert [link for link in chosen if f"lang={language}" not in link] == [f"{path}?lang={other}"]
    assert not re.search(r"<script|<style| style=| on[a-z]+=", page)


@pytest.mark.parametrize(
    "path", ["//evil.example", "//evil.example/a", "/%5Cevil.example", '/"onclick="', "/%3Cscript%3E"]
)
async def test_no_page_of_an_unknown_address_links_to_another_host_or_says_it_back(api: Api, path: str) -> None:
    answer = await Visitor(api.anybody).get(path)

    assert answer.status == 404
    assert not re.search(rb"evil|onclick|<script", answer.body)


async def test_without_a_choice_the_browser_chooses_the_language(api: Api) -> None:
    visitor = Visitor(api.anybody)

    assert b'<html lang="fr">' in (await visitor.get("/sign-in", **{"Accept-Language": "de"})).body
    assert b'<html lang="en">' in (await visitor.get("/sign-in", **{"Accept-Language": "en-GB, fr;q=0.5"})).body


async def test_a_page_says_how_browsers_are_to_treat_it(api: Api) -> None:
    headers = (await (await signed_in(api)).get("/account")).headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"] and "http" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin" and headers["Content-Language"] == "fr"


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("/week?day=garbage&of=site:calais", "day"),
        ("/week?day=2027-02-30", "day"),
        ("/find?from=garbage&host=calais&site=lens", "from"),
        ("/find?to=&host=calais", "to"),
        ("/find?weekday=XX&host=calais", "weekday"),
        ("/bridge?day=31/12/2027", "day"),
        ("/figures?year=MMXXVII", "year"),
        ("/figures?year=1", "year"),
        ("/admin/closures?year=%00", "year"),
        ("/admin/audit?from=yesterday&to=tomorrow&action=signed_in", "to"),
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_question_that_cannot_be_read_is_told_beside_its_field(
    api: Api, question: str, field: str, language: str
) -> None:
    """Typed by hand, or from a browser that knows no field for days: the rest of what was asked stays."""
    answer = await (await signed_in(api)).get(f"{question}&lang={language}")
    page = answer.body.decode()

    assert (answer.status, answer.headers["Content-Type"]) == (422, HTML)
    assert 'role="alert"' in page and f'href="#{field}"' in page and f'id="{field}"' in page
    assert (f'id="{field}-wrong"' in page and f'aria-describedby="{field}-wrong"' in page) or field == "weekday"
    for kept in re.findall(r"=(?:site:)?(calais|lens|signed_in)\b", question):
        assert re.search(rf'value="(site:)?{kept}"[^>]*(selected|checked)', page)
