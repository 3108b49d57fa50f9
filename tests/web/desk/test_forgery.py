"""No form does anything unless a page of this very sign-in sent it, and no answer gives a secret away.

Walks all pages: a new one is covered by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import func, select

from perinat_sched import app
from perinat_sched.people.sign_in import own_path
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import audit
from perinat_sched.web.desk.page import Page
from perinat_sched.web.desk.routes import PAGES
from perinat_sched.web.server import application
from tests.web.callers import NOW, Api
from tests.web.desk.visitors import Visitor, signed_in
from tests.web.desk.world import World

OURSELVES = [page for page in PAGES if page.method == "POST" and page.signed_in]
READ = [page for page in PAGES if page.method == "GET"]
ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": {"Sec-Fetch-Site": "same-site"},
    "typed, or a program": {"Sec-Fetch-Site": "none"},
    "an older browser elsewhere": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:8081"},
    "a sandbox": {"Origin": "null"},
    "nobody says": {},
    "a program that claims both": {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"},
}


def named(page: Page) -> str:
    return f"{page.method} {page.path}"


async def deeds(api: Api) -> int:
    """How much was done so far."""
    async with api.services.database.read() as tx:
        return int((await tx.execute(select(func.count()).select_from(audit))).scalar_one())


@pytest.mark.parametrize("page", OURSELVES, ids=named)
async def test_a_form_is_taken_only_from_a_page_of_this_very_sign_in(api: Api, page: Page) -> None:
    world, other = await World.made(api), await signed_in(api)
    visitor, values = world.visitor, await world.values(page.path)
    form, address = await world.filled(page, values), world.address(page, values)
    before = await deeds(api)
    tokens = {
        "none": {name: value for name, value in form.items() if name != "form_token"},
        "empty": {**form, "form_token": ""},
        "wrong": {**form, "form_token": "0" * 64},
        "not even ASCII": {**form, "form_token": "é"},
        "of somebody else": {**form, "form_token": await other.form_token()},
        "twice": {**form, "form_token": [await other.form_token(), await visitor.form_token()]},
    }
    for why, forged in tokens.items():
        answer = await visitor.post(address, forged)
        assert answer.status == (422 if why == "twice" else 403), why
        assert answer.headers["Content-Type"].startswith("text/html")
    for why, headers in ELSEWHERE.items():
        assert (await visitor.post(address, form, headers)).status == 403, why
    assert await deeds(api) == before
    await api.services.sign_ins.end_everywhere(
        await api.services.sign_ins.authenticate(visitor.cookie.partition("=")[2])
    )
    assert (await visitor.post(address, form)).status == 401
    assert await deeds(api) == before + 1  # that she signed out


@pytest.mark.parametrize("page", PAGES, ids=named)
async def test_whoever_signs_out_or_whose_access_ends_is_out_of_every_page_on_every_node(
    api: Api, page: Page, configured: Settings, database: Database
) -> None:
    second = app.assemble(configured, database, lambda: NOW)  # another process on the same database
    world = await World.made(api)
    values = await world.values(page.path)
    form = await world.filled(page, values) if page.method == "POST" else {}
    for end in ("token", "everywhere"):
        visitor = await signed_in(api)
        form |= {"form_token": await visitor.form_token()} if page.signed_in and form else {}
        assert visitor.token is not None
        if end == "token":
            await api.services.tokens.revoke(visitor.token.id)
        else:
            who = await api.services.sign_ins.authenticate(visitor.cookie.partition("=")[2])
            await api.services.sign_ins.end_everywhere(who)
        async with TestClient(TestServer(application(second)), cookie_jar=DummyCookieJar()) as client:
            elsewhere = Visitor(Api(client, second).anybody, cookie=visitor.cookie)
            for one in (visitor, elsewhere) if page.signed_in else ():
                address = world.address(page, values)
                answer = await (one.post(address, form) if page.method == "POST" else one.get(address))
                assert answer.status == 401


@pytest.mark.parametrize("page", READ, ids=named)
async def test_no_page_is_kept_told_of_or_built_from_what_a_header_claims(api: Api, page: Page) -> None:
    """Host, X-Forwarded-Host; caches; Referer; frames."""
    world = await World.made(api)
    values = await world.values(page.path)
    visitor = world.visitor if page.signed_in else Visitor(api.anybody)
    visitor.headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "Forwarded": "host=evil.example;proto=https",
        "X-Original-URL": "/evil.example",
        "Referer": "https://evil.example/",
    }
    answer = await visitor.get(world.address(page, values))
    cookie = visitor.cookie.partition("=")[2]

    assert answer.status == 200 and b"evil" not in answer.body and "evil" not in str(answer.headers)
    assert answer.headers["Cache-Control"] == "no-store" and "Cookie" in answer.headers.get("Vary", "Cookie")
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["X-Frame-Options"] == "DENY"
    untold = ("no-referrer", "strict-origin")  # no path of an address, not even to our own style sheet
    told = untold if "secret" in values or "token" in values else ("same-origin", *untold)
    assert answer.headers["Referrer-Policy"] in told
    if cookie:
        assert cookie.encode() not in answer.body
    elsewhere = re.findall(r'(?:href|src|action)="(?!mailto:|tel:)([a-z]+:[^"]*)"', answer.body.decode())
    public = api.services.settings.public_url
    known = (public, public.replace("http:", "webcal:"), "https://calendar.google.com/", "https://outlook.office.com/")
    assert not [link for link in elsewhere if not link.startswith(known)]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/%2f%2fevil.example",
        "%2f%2fevil.example",
        "/%5cevil.example", "https:evil.example", "https://evil.example", "HTTPS://evil.example", "javascript:alert(1)",
        "java\tscript:alert(1)", "data:text/html,x", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
        "/\r\nLocation: https://evil.example", "/week@evil.example", "/..//evil.example", "/.//evil.example",
        "/week#//evil.example", "/\u2044evil.example", "/\u3002evil.example", "/" + "a" * 5000,
        "/week?next=//evil.example",
        "/a//evil.example",
    ],
)  # fmt: skip
async def test_signing_in_leads_nowhere_else_whatever_the_next_page_is_called(api: Api, elsewhere: str) -> None:
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    answer = await Visitor(api.anybody).post(f"/sign-in/{secret}", {"next": elsewhere})

    if len(elsewhere) > 600:
        assert answer.status == 422
    else:
        gone = answer.headers["Location"]
        assert answer.status == 303 and gone in ("/week", own_path(elsewhere)) and re.match(r"/[A-Za-z0-9]", gone)
        assert not gone.startswith(("//", "/\\")) and "\n" not in gone


async def test_a_cookie_from_before_the_sign_in_never_becomes_the_signed_in_one(api: Api) -> None:
    """Fixation: the cookie is new, and one that somebody planted stays nobody's."""
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    planted = "perinat=" + "A" * 43
    visitor = Visitor(api.anybody, cookie=planted)
    answer = await visitor.post(f"/sign-in/{secret}", {})

    assert answer.status == 303 and visitor.cookie != planted and len(visitor.cookie) == len(planted)
    assert (await Visitor(api.anybody, cookie=planted).get("/account")).status == 401
    twice = Visitor(api.anybody, cookie=f"{planted}; {visitor.cookie}")  # a planted one beside the true one
    assert (await twice.get("/account")).status in (200, 401)


async def test_no_log_audit_or_table_holds_what_opens_something(
    api: Api, caplog: pytest.LogCaptureFixture, database: Database
) -> None:
    """Cookies, form tokens, one-time links, calendar addresses, access codes: on every page and every form."""
    caplog.set_level("INFO")
    world = await World.made(api, access_code="4711-Zanzibar")
    secrets = {world.visitor.cookie.partition("=")[2], await world.visitor.form_token(), "4711-Zanzibar"}
    for page in PAGES:
        if "sign-out" in page.path or "example" in page.path:  # the one is for an empty database
            continue
        values = await world.values(page.path)
        secrets |= {values[name] for name in ("secret", "token") if name in values}
        visitor = world.visitor if page.signed_in else Visitor(api.anybody)
        if page.method == "GET":
            answer = await visitor.get(world.address(page, values), Referer=f"http://127.0.0.1:8080{values['here']}")
        else:
            answer = await visitor.post(world.address(page, values), await world.filled(page, values))
        assert answer.status < 400, (page.path, answer.body.decode())
        secrets |= {found.decode() for found in re.findall(rb"ps_[A-Za-z0-9_-]{43}", answer.body)}
        secrets |= set(re.findall(r"/feeds/([A-Za-z0-9_-]{43})", answer.headers.get("Location", "")))
        secrets |= {found.decode() for found in re.findall(rb"/sign-in/([A-Za-z0-9_-]{43})", answer.body)}
    async with database.read() as tx:
        rows = [str(tuple(row)) for row in await tx.execute(select(audit))]
    logged = [str(vars(one)) for one in caplog.records if one.name.startswith("perinat_sched")]
    told = "".join([*logged, *rows])

    assert len(secrets) > 10 and not [secret for secret in secrets if secret in told]
