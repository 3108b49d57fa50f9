"""Whatever is sent to a page, its answer is a page that says what is wrong: never a failure, never something done."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from perinat_sched.web.desk.page import Page
from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Api
from tests.web.desk.test_forgery import deeds, named
from tests.web.desk.visitors import OURS, Visitor
from tests.web.desk.world import World

FORM = OURS["Content-Type"]
PARTS = "multipart/form-data; boundary=x"
SENDING = [page for page in PAGES if page.method == "POST" and (page.form or page.signed_in)]
VARIABLE = [page for page in PAGES if "{" in page.path]
STRANGE = ("\x00", "a\x00b", "\u202e", "a\r\nb: c", "é" * 50_000, "-1", "NaN", "9" * 400, "2027-13-45", "'\"`;--")
NESTED = (
    b'--x\r\nContent-Disposition: form-data; name="plan"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n'
    b"--y\r\n\r\na\r\n--y--\r\n--x--\r\n"
)


@pytest.mark.parametrize("page", SENDING, ids=named)
async def test_what_is_no_form_is_told_on_a_page_and_does_nothing(api: Api, page: Page) -> None:
    world = await World.made(api)
    values = await world.values(page.path)
    form = await world.filled(page, values)
    visitor = world.visitor if page.signed_in else Visitor(api.anybody)
    good = urlencode(form, doseq=True).encode()
    cookie = {"Cookie": visitor.cookie} if visitor.cookie else {}
    before = await deeds(api)
    name = next(name for name in form if name != "form_token") if len(form) > 1 else "form_token"
    for why, body, content_type in [
        ("not UTF-8", good + b"&a=%FF", FORM),
        ("not even ASCII", good + b"\xff\xfe", FORM),
        ("a field that does not exist", good + b"&isAdmin=1", FORM),
        ("too many fields", good + b"&x=1" * 700, FORM),
        ("much too large", good + b"&x=" + b"a" * 900_000, FORM),
        ("JSON", b'{"form_token": "x"}', "application/json"),
        ("a text", good, "text/plain"),
        ("UTF-16", good, FORM + "; charset=utf-16"),
        ("parts that nest", NESTED, PARTS),
        ("parts without an end", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", PARTS),
        ("parts without a boundary", b"--x", "multipart/form-data"),
        ("nothing", b"", FORM),
    ]:
        headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", "Content-Type": content_type, **cookie}
        answer = await visitor.caller(
            "POST", "/" + world.address(page, values), raw=body, headers=headers, exactly=True
        )
        if why == "nothing" and not page.signed_in:
            continue  # it asks for an address, or for nothing at all
        assert 400 <= answer.status < 500, (why, answer.status, answer.headers.get("Location"))
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8", why
        assert re.search(rb"<h1>.+</h1>|<h1>", answer.body) and b"Traceback" not in answer.body
    for value in (
        "\x00",
        "a\x00b",
        "\u202e",
        "a\r\nb: c",
        "é" * 50_000,
        "-1",
        "NaN",
        "9" * 400,
        "2027-13-45",
        "'\"`;--",
    ):
        typed = await visitor.post(world.address(page, values), {**form, name: value})
        assert typed.status < 500, (name, value[:10])
    assert page.path in ("/sign-in",) or not page.signed_in or await deeds(api) - before <= 10


@pytest.mark.parametrize("page", VARIABLE, ids=named)
async def test_an_address_that_is_none_is_a_page(api: Api, page: Page) -> None:
    world = await World.made(api)
    names = re.findall(r"{(\w+)}", page.path)
    for value in ("%00", "%FF", "..%2f..", "%0d%0aSet-Cookie:x=y", "a" * 3000, "%E2%80%AE", "'", "%3Cscript%3E", "-"):
        address = page.path.format(**dict.fromkeys(names, value))
        form = {"form_token": await world.visitor.form_token()}
        visitor = world.visitor if page.signed_in else Visitor(api.anybody)
        answer = await (visitor.post(address, form) if page.method == "POST" else visitor.get(address))
        assert 300 < answer.status < 500 or page.path.startswith(("/sign-in", "/unsubscribe")), (value, answer.status)
        assert answer.status < 500 and b"<script" not in answer.body
        assert "Set-Cookie" not in answer.headers and "\n" not in answer.headers.get("Location", "")
