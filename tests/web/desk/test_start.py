"""One shell for all pages: the start page, and those that an address alone opens."""

from __future__ import annotations

import re

import pytest

from perinat_sched.web.desk.page import PageForm
from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Api
from tests.web.desk.visitors import Visitor, signed_in


async def test_the_start_page_shows_a_stranger_how_to_get_in_and_a_visitor_her_pages(api: Api) -> None:
    stranger = (await Visitor(api.anybody).get("/")).body.decode()
    visitor = (await (await signed_in(api, "coordinator", sites=["calais"])).get("/")).body.decode()

    assert "Se connecter avec son adresse" in stranger and 'href="/week"' not in stranger
    assert "Vos pages" in visitor and 'href="/week"' in visitor and "/sign-in" not in visitor


async def addresses(api: Api) -> dict[str, str]:
    """The pages that an address alone opens, by name."""
    answer = await (await api.of("admin"))("POST", "/feeds", {"scope": "site", "of": "calais"})
    feed = "/feeds/" + answer.json["page_url"].rpartition("/")[2]
    stop = "/unsubscribe/" + api.services.unsubscribing.url("staff@calais.example").rpartition("/")[2]
    return {"feed": feed, "revocation": f"{feed}/revocation", "unsubscribe": stop}


@pytest.mark.parametrize("name", ["feed", "revocation", "unsubscribe"])
async def test_a_secret_address_has_the_shell_of_all_pages_and_is_told_to_nobody(api: Api, name: str) -> None:
    path = (await addresses(api))[name]
    answer = await Visitor(api.anybody).get(f"{path}?lang=en")
    page = answer.body.decode()

    for part in ("Skip to the content", 'href="/accessibility?lang=en"', 'href="/privacy?lang=en"', "/static/desk.css"):
        assert part in page
    assert f'href="{path}?lang=fr" hreflang="fr"' in page
    assert [answer.headers[name] for name in ("Referrer-Policy", "X-Robots-Tag")] == ["no-referrer", "noindex"]


async def test_the_answer_to_a_form_leads_to_the_same_page_in_the_other_language(api: Api) -> None:
    stop = (await addresses(api))["unsubscribe"]
    visitor = Visitor(api.anybody)

    assert f'href="{stop}?lang=en" hreflang="en"' in (await visitor.post(stop, {})).body.decode()
    assert 'href="/?lang=en" hreflang="en"' in (await visitor.post(f"{stop}/undo", {})).body.decode()


async def test_an_unsubscribe_link_bears_what_a_mail_program_adds_to_it(api: Api) -> None:
    stop = (await addresses(api))["unsubscribe"]
    assert (await Visitor(api.anybody).get(f"{stop}?utm_source=mail")).status == 200


async def test_only_pages_with_a_script_may_run_one(api: Api) -> None:
    found = await addresses(api)
    policies = [
        (await Visitor(api.anybody).get(path)).headers["Content-Security-Policy"]
        for path in (found["feed"], found["revocation"], "/")
    ]
    assert ["script-src 'self'" in policy for policy in policies] == [True, False, False]


async def test_a_variant_of_a_calendar_stands_in_every_address_of_its_page(api: Api) -> None:
    feed = (await addresses(api))["feed"]
    page = (await Visitor(api.anybody).get(f"{feed}?alarm=30&cancelled=no")).body.decode()
    shown = re.search(r'id="address" readonly value="([^"]*)"', page)

    assert shown is not None and shown[1].endswith(".ics?alarm=30&amp;cancelled=no")
    assert "alarm%3D30%26cancelled%3Dno" in page and page.count(".ics?alarm=30&amp;cancelled=no") == 3
    assert (await Visitor(api.anybody).get(f"{feed}?alarm=0")).status == 422
    assert (await Visitor(api.anybody).get(f"{feed}?alarm=")).status == 200


def test_what_a_signed_in_page_takes_carries_the_mark_of_its_sign_in() -> None:
    """No form of a signed-in page is taken from elsewhere, or without its token."""
    posts = [page for page in PAGES if page.method == "POST" and page.signed_in]
    assert posts
    assert all(issubclass(page.form or PageForm, PageForm) and page.takes == "our pages" for page in posts)
