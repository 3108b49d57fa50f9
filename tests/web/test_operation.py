"""How the service is, what it says of itself, and what protects every answer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from perinat_sched import logs
from perinat_sched.booking.refusals import Refusals
from perinat_sched.notices.settling import Tally
from perinat_sched.people.actions import Tokens
from perinat_sched.web.metrics import Metrics
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from perinat_sched.zones import TZDATA_VERSION
from tests.web.callers import API, BOOKING, Api
from tests.web.desk.visitors import signed_in


async def test_alive_is_alive(api: Api) -> None:
    answer = await api.anybody("GET", "//healthz")

    assert (answer.status, answer.json) == (200, {"status": "alive"})


async def test_ready_says_what_works(api: Api) -> None:
    await api.services.delivery.run_once()

    answer = await api.anybody("GET", "//readyz")

    assert answer.status == 200
    told = answer.json
    assert (told["status"], told["database"], told["guards"], told["delivery"]) == (
        "ready",
        "reachable",
        "present",
        "running",
    )
    assert (told["mail"], told["tzdata"]) == ("to files", TZDATA_VERSION)


async def test_a_delivery_that_makes_no_rounds_is_not_ready(api: Api) -> None:
    answer = await api.anybody("GET", "//readyz")

    assert (answer.status, answer.json["delivery"]) == (503, "stopped")


async def test_who_is_on_the_way_out_is_not_ready_and_keeps_no_connection(api: Api) -> None:
    await api.services.delivery.run_once()
    api.services.course.draining = True

    answer = await api.anybody("GET", "//readyz")

    assert (answer.status, answer.headers["Connection"]) == (503, "close")


async def test_a_database_without_guards_is_not_ready(api: Api) -> None:
    await api.services.delivery.run_once()
    async with api.services.database._engines.writer.begin() as connection:
        names = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.all():
            await connection.exec_driver_sql(f'DROP TRIGGER "{name}"')

    answer = await api.anybody("GET", "//readyz")

    assert (answer.status, answer.json["guards"]) == (503, "missing")


async def test_metrics_count_by_route_and_never_by_path(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    await admin("GET", f"/sessions/{session['id']}?secret=canary")
    await api.anybody("GET", "//feeds/canary.ics")
    await api.anybody("GET", "//canary")
    await api.anybody("PROPFIND", "//healthz")

    text = (await api.anybody("GET", "//metrics")).body.decode()

    assert 'perinat_http_requests_total{method="GET",route="/api/v1/sessions/{id}",status="422"} 1.0' in text
    assert 'route="/feeds/{secret}.ics"' in text and 'route="unmatched"' in text and 'method="other"' in text
    assert "canary" not in text.lower() and session["id"] not in text


def test_the_time_to_answer_is_told_in_buckets_that_add_up() -> None:
    metrics = Metrics("1", "2026c", Tally(), Refusals())
    for seconds in (0.001, 0.005, 0.3, 60.0):
        metrics.answered("GET", "/healthz", 200, seconds)

    told = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            told[sample.name.removeprefix("perinat_http_"), sample.labels.get("le")] = sample.value
    within = {limit: told["request_seconds_bucket", limit] for limit in ("0.005", "0.25", "0.5", "10.0", "+Inf")}
    assert within == {"0.005": 2, "0.25": 2, "0.5": 3, "10.0": 3, "+Inf": 4}
    assert told["request_seconds_count", None] == told["requests_total", None] == 4
    assert told["request_seconds_sum", None] == pytest.approx(60.306)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_start_page_says_what_this_is_and_how_to_get_a_token(api: Api, language: str) -> None:
    by_header = await api.anybody("GET", "//", headers={"Accept-Language": f"{language}-CA, {language};q=0.8"})
    by_choice = await api.anybody("GET", f"//?lang={language}", headers={"Accept-Language": "de"})

    page = by_header.body.decode()
    assert by_choice.body.replace(f"?lang={language}".encode(), b"") == by_header.body
    assert f'<html lang="{language}">' in page
    assert "perinat-sched token create" in page and 'href="/docs"' in page


async def test_the_start_page_is_french_unless_english_is_asked_for(api: Api) -> None:
    assert b'<html lang="fr">' in (await api.anybody("GET", "//")).body


@pytest.mark.parametrize("path", ["//", "//docs"])
async def test_a_page_needs_nothing_from_another_host_and_no_inline_code(api: Api, path: str) -> None:
    answer = await api.anybody("GET", path)
    page = answer.body.decode()

    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links and not [link for link in links if ":" in link or link.startswith("//")]
    assert "<style" not in page and "style=" not in page and not re.search(r"<script(?! src=)", page)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
        ("init.js", "text/javascript"),
    ],
)
async def test_the_files_of_the_documentation_are_here(api: Api, name: str, content_type: str) -> None:
    answer = await api.anybody("GET", f"//docs/assets/{name}")

    assert answer.status == 200 and answer.body
    assert answer.headers["Content-Type"].startswith(content_type)


async def test_the_documentation_is_sent_to_no_validator(api: Api) -> None:
    assert b"validatorUrl: null" in (await api.anybody("GET", "//docs/assets/init.js")).body


@pytest.mark.parametrize("name", ["index.html", "..%2f..%2f__init__.py", "%2fetc%2fpasswd", "init.js%00"])
async def test_no_other_file_is(api: Api, name: str) -> None:
    assert (await api.anybody("GET", f"//docs/assets/{name}", exactly=True)).status == 404


@pytest.mark.parametrize("path", [f"/{API}/me", "//healthz", "//feeds/x", "//feeds/x.ics", "//nowhere"])
async def test_every_answer_is_protected(api: Api, path: str) -> None:
    headers = (await api.anybody("GET", path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Server"] == "perinat-sched"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("abc-123_4.5", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("a b", False),
        ('"quoted"', False),
        ("\x1b[31m", False),
        ("é", False),
        ("ps_aB3-aB3-aB3", False),  # nothing that looks like a token, which the log must not show
    ],
)
async def test_a_request_keeps_the_id_it_came_with_where_that_is_harmless(api: Api, sent: str, kept: bool) -> None:
    answer = await api.anybody("GET", "//healthz", headers={"X-Request-Id": sent} if sent.isprintable() else {})

    assert (answer.headers["X-Request-Id"] == sent) is kept


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST", "PUT", "TRACE", "PROPFIND"])
async def test_an_unknown_method_is_told_the_known_ones(api: Api, method: str) -> None:
    answer = await api.anybody(method, "/me")

    assert (answer.status, answer.slug) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_options_tells_the_known_methods(api: Api) -> None:
    answer = await api.anybody("OPTIONS", "/sessions")

    assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_head_is_get_without_a_body(api: Api) -> None:
    admin = await api.of("admin")

    head, get = await admin("HEAD", "/sites"), await admin("GET", "/sites")

    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))


@pytest.mark.parametrize(("language", "title"), [("en", "Nothing here"), ("fr", "Rien à cette adresse")])
async def test_a_problem_is_told_in_the_language_asked_for(api: Api, language: str, title: str) -> None:
    answer = await api.anybody("GET", "//nowhere", headers={"Accept-Language": language})

    assert answer.headers["Content-Language"] == language
    assert list(answer.json) == ["type", "title", "status", "detail"]
    assert answer.json["type"] == "urn:perinat-sched:problem:not-found"
    assert (answer.json["title"], answer.json["status"]) == (title, 404)


class Broken:
    """Tokens whose store fails with a text that quotes what was sent."""

    async def authenticate(self, token: str) -> None:
        raise RuntimeError(f"no such token: {token}")


async def test_what_nobody_expected_is_told_and_logged_without_its_text(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(services, tokens=cast(Tokens, Broken()))
    async with TestClient(TestServer(application(broken))) as client:
        answer = await Api(client, broken).anybody("GET", "/me", headers={"Authorization": "Bearer canary"})

    assert (answer.status, answer.slug) == (500, "internal-error")
    assert b"canary" not in answer.body
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    line = logs.JsonLines().format(record)
    assert "builtins.RuntimeError" in line and "canary" not in line


async def test_a_refusal_counts_once_by_reason_wherever_it_is_met(api: Api) -> None:
    """By the API, by a page, in a series and in a spreadsheet; a trial refuses nobody."""
    admin, visitor = await api.of("admin"), await signed_in(api)
    await admin.book()
    taken = {"kind": "staff", "host": "lens", "network": "perinat", "site": ["calais"], "start": "2027-03-18T15:00"}
    form = {**taken, "form_token": await visitor.form_token(), "key": "a"}

    async def counted() -> float:
        text = (await api.anybody("GET", "//metrics")).body.decode()
        found = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "perinat_booking_refusals_total" and sample.labels["code"] == "room_taken"
        ]
        return sum(found)

    seen = [await counted()]
    for what in ("api", "page", "again", "trial", "series", "plan"):
        match what:
            case "api":
                status = (await admin("POST", "/sessions", {**BOOKING, "host_site": "lens"})).status
            case "page" | "again":
                status = (await visitor.post("/book", form)).status
            case "trial":
                status = (await visitor.post("/book", {**form, "do": "check"})).status
            case "series":
                series = {**form, "start": "2027-03-18", "hour": "15:00", "count": "1", "do": "book"}
                status = (await visitor.post("/series/new", series)).status
            case "plan":
                plan = "date,start,kind,host,sites\n2027-03-18,15:00,staff,lens,calais\n"
                sent = {"form_token": form["form_token"], "do": "book", "plan": plan}
                status = (await visitor.post("/series/import", sent)).status
        assert status == (200 if what == "trial" else 409)
        seen.append(await counted())

    assert seen == [0, 1, 2, 2, 2, 3, 4]
