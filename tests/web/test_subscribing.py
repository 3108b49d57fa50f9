"""The page behind a feed's address, for people: what it says, in which language, and how it ends a calendar."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from sqlalchemy import select

from perinat_sched.feeds.publication import hashed
from perinat_sched.storage.tables import audit
from tests.web.callers import Answer, Api
from tests.web.test_feeds import open_feed, path_of

BROWSER = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


async def page_of(api: Api, **given: object) -> str:
    return path_of(await open_feed(await api.of("admin"), **given)).removesuffix(".ics")


async def read(api: Api, path: str, **headers: str) -> Answer:
    return await api.anybody("GET", path, headers=headers)


async def test_it_says_how_to_subscribe_in_each_program_with_its_usual_delay__http_08(api: Api) -> None:
    path = await page_of(api, label="Staffs de Calais", language="en")
    shown = (await read(api, path)).body.decode()
    url = f"http://127.0.0.1:8080{path.removeprefix('/')}.ics"
    webcal = url.replace("http:", "webcal:")

    assert f'value="{url}"' in shown
    assert f'href="{webcal}"' in shown
    assert f'href="https://calendar.google.com/calendar/r?cid={quote(webcal, safe="")}"' in shown
    for program, delay in (
        ("Outlook (new, and on the web)", "3 to 24 hours"),
        ("Outlook (classic, Windows)", "within hours"),
        ("Google Calendar", "4 to 24 hours"),
        ("Apple (iPhone, iPad, Mac)", "5 minutes to a week"),
        ("Thunderbird", "30 minutes"),
    ):
        assert delay in shown[shown.index(program) :]
    assert f"{url}?alarm=15" in shown and f"{url}?cancelled=no" in shown
    assert "Staffs de Calais" in shown and "<svg" in shown


async def test_it_never_promises_freshness__http_09(api: Api) -> None:
    shown = (await read(api, await page_of(api, language="en"))).body.decode()
    assert "never rely on this calendar for a change at short notice" in shown
    assert not re.search("real time|immediately|at once|instantly", shown)


@pytest.mark.parametrize(
    ("feed", "query", "accepted", "language"),
    [("fr", "", "en", "fr"), ("en", "", "fr", "en"), ("fr", "?lang=en", "fr", "en"), ("en", "?lang=fr", "en", "fr")],
)
async def test_it_speaks_the_feeds_language_unless_another_is_asked_for(
    api: Api, feed: str, query: str, accepted: str, language: str
) -> None:
    answer = await read(api, await page_of(api, language=feed) + query, **{"Accept-Language": accepted})
    assert answer.headers["Content-Language"] == language
    assert ("S’abonner" in answer.body.decode()) == (language == "fr")


async def test_nothing_foreign_inline_or_kept_is_in_it(api: Api) -> None:
    answer = await read(api, await page_of(api))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert not re.search(r" style=| on\w+=|<script>|<style", answer.body.decode())
    assert set(re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', answer.body.decode())) == {
        "../static/site.css", "../static/copy.js",
    }  # fmt: skip
    assert "Set-Cookie" not in answer.headers
    kept = [answer.headers[name] for name in ("Cache-Control", "X-Robots-Tag", "Referrer-Policy")]
    assert kept == ["no-store", "noindex", "no-referrer"]
    script = await read(api, "//static/copy.js")
    assert (script.status, script.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")


async def test_what_a_label_says_is_text(api: Api) -> None:
    shown = (await read(api, await page_of(api, label="<script>alert(1)</script> {{7*7}}"))).body.decode()
    assert "&lt;script&gt;alert(1)" in shown and "{{7*7}}" in shown


async def test_an_unknown_address_is_a_readable_404(api: Api) -> None:
    for path in ("//feeds/" + "A" * 43, "//feeds/short", "//feeds/" + "A" * 43 + "/revocation"):
        answer = await read(api, path, **{"Accept-Language": "en"})
        assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "<h1>" in answer.body.decode()


async def test_revoking_it_asks_first_and_then_ends_it_for_everybody__http_07(api: Api) -> None:
    path = await page_of(api)

    assert (await read(api, path + "/revocation")).status == 200
    assert (await read(api, path + ".ics")).status == 200  # asking changes nothing
    done = await api.anybody("POST", path + "/revocation?lang=en", headers=BROWSER)

    assert (done.status, "The address is revoked" in done.body.decode()) == (200, True)
    assert [(await read(api, path + end)).status for end in ("", ".ics", "/revocation")] == [410, 410, 410]
    async with api.services.database.read() as tx:
        noted = (await tx.execute(select(audit).where(audit.c.action == "feed_revoked"))).one()
    assert (noted.actor, noted.object_type) == ("address", "feed")
    secret = path.rpartition("/")[2]
    assert secret not in repr(noted) and hashed(secret) not in repr(noted)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 200),
        ({}, 200),
    ],
    ids=["another site", "a neighbour", "a link", "an old browser elsewhere", "an old browser here", "no browser"],
)
async def test_another_sites_page_cannot_revoke_it(api: Api, headers: dict[str, str], status: int) -> None:
    path = await page_of(api)
    answer = await api.anybody("POST", path + "/revocation", headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert (await read(api, path + ".ics")).status == (410 if status == 200 else 200)
