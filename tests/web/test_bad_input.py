"""Bad input (reliability.md § 5), each a clear error and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.web.callers import BOOKING, Api, Caller


async def assert_nothing_booked(admin: Caller) -> None:
    assert (await admin("GET", "/sessions")).json["items"] == []


@pytest.mark.parametrize(
    ("given", "slug", "field"),
    [
        pytest.param({"start": "0000-03-18T15:00"}, "invalid-request", "start", id="the year 0"),
        pytest.param({"start": "1999-03-18T15:00"}, "invalid-request", "start", id="the year 1999"),
        pytest.param({"start": "2200-03-18T15:00"}, "invalid-request", "start", id="the year 2200"),
        pytest.param({"start": "9999-12-31T23:55"}, "invalid-request", "start", id="the end of time"),
        pytest.param({"start": "9999-12-31T23:55:00-23:59"}, "invalid-request", "start", id="after the end of time"),
        pytest.param({"start": "0001-01-01T00:00:00+23:59"}, "invalid-request", "start", id="before all time"),
        pytest.param({"start": "2027-02-30T15:00"}, "invalid-request", "start", id="30 February"),
        pytest.param({"start": "2027-13-01T15:00"}, "invalid-request", "start", id="month 13"),
        pytest.param({"start": "2027-03-18T24:00"}, "invalid-request", "start", id="24:00"),
        pytest.param({"start": "2027-03-18T23:59:60Z"}, "invalid-request", "start", id="a leap second"),
        pytest.param({"start": "2027-03-18T15:00:00"}, "invalid-request", "start", id="seconds without an offset"),
        pytest.param({"start": "2027-03-18T15:03"}, "invalid-request", "start", id="off the grid"),
        pytest.param({"start": "2027-03-18T15:00:30Z"}, "invalid-request", "start", id="half a minute"),
        pytest.param({"start": "2027-03-28T02:30"}, "skipped-local-time", None, id="a skipped hour"),
        pytest.param({"start": "2027-10-31T02:30"}, "repeated-local-time", None, id="a repeated hour"),
        pytest.param({"timezone": "Europe/Pari"}, "invalid-request", "timezone", id="Europe/Pari"),
        pytest.param({"timezone": "../../etc/passwd"}, "invalid-request", "timezone", id="a path for a zone"),
        pytest.param({"timezone": "localtime"}, "invalid-request", "timezone", id="localtime"),
        pytest.param({"timezone": ""}, "invalid-request", "timezone", id="an empty zone"),
        pytest.param({"timezone": "+01:00"}, "invalid-request", "timezone", id="an offset for a zone"),
        pytest.param({"duration_minutes": 61}, "invalid-request", "duration_minutes", id="61 minutes"),
        pytest.param({"kind": "nothing"}, "invalid-request", "kind", id="an unknown kind"),
        pytest.param({"network": "nothing"}, "invalid-request", "network", id="an unknown network"),
        pytest.param({"network": None}, "invalid-request", "network", id="which of several networks"),
        pytest.param({"host_site": "Lille"}, "invalid-request", "host_site", id="a site in another case"),
        pytest.param({"host_site": "lille\x00"}, "invalid-request", "host_site", id="NUL in a code"),
        pytest.param({"required_sites": ["nowhere"]}, "invalid-request", "required_sites[0]", id="an unknown site"),
        pytest.param(
            {"required_sites": ["calais", "calais"]}, "invalid-request", "required_sites[1]", id="a site twice"
        ),
        pytest.param({"required_sites": ["lille"]}, "invalid-request", "required_sites[0]", id="the host again"),
        pytest.param({"optional_sites": ["calais"]}, "invalid-request", "optional_sites[0]", id="both kinds of site"),
        pytest.param({"rooms": {"calais": "lens-1"}}, "invalid-request", "rooms.calais", id="another site's room"),
        pytest.param({"rooms": {"lens": "lens-1"}}, "invalid-request", "rooms.lens", id="a room of a site not there"),
        pytest.param({"title": "   "}, "invalid-request", "title", id="blanks"),
        pytest.param({"title": "\u200b"}, "invalid-request", "title", id="a zero-width space"),
        pytest.param({"title": "a\x00b"}, "invalid-request", "title", id="NUL"),
        pytest.param({"title": "a\u202eb"}, "invalid-request", "title", id="right to left"),
        pytest.param({"title": "a\rb"}, "invalid-request", "title", id="a bare CR"),
        pytest.param({"title": "x\r\nATTACH:http://evil"}, "invalid-request", "title", id="a line of iCalendar"),
        pytest.param({"title": "=?utf-8?q?hi=0D=0ABcc:_v@x?="}, "invalid-request", "title", id="an encoded Bcc"),
        pytest.param({"title": "a" * 201}, "invalid-request", "title", id="a long title"),
        pytest.param({"description": "a\x07b"}, "invalid-request", "description", id="a bell"),
        pytest.param({"join_url": "javascript:alert(1)"}, "invalid-request", "join_url", id="javascript:"),
        pytest.param({"join_url": "data:text/html,x"}, "invalid-request", "join_url", id="data:"),
        pytest.param({"join_url": "http://visio.example"}, "invalid-request", "join_url", id="http"),
        pytest.param({"join_url": "https://u:p@visio.example/a"}, "invalid-request", "join_url", id="a password"),
        pytest.param({"join_url": "https://visio.example/?pwd=1"}, "invalid-request", "join_url", id="a passcode"),
        pytest.param({"override_reason": "a\nb"}, "invalid-request", "override_reason", id="two lines of reason"),
        pytest.param({"title": "Dossier de Mme Dupont"}, "health-data-suspected", None, id="a patient's name"),
    ],
)
async def test_a_booking_that_cannot_be_meant_is_refused(
    api: Api, given: Mapping[str, Any], slug: str, field: str | None
) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", {**BOOKING, **given})

    assert (answer.status, answer.slug) == (422, slug)
    if field:
        assert field in answer.fields
    await assert_nothing_booked(admin)


async def test_a_refused_text_is_not_repeated(api: Api) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", {**BOOKING, "title": "Dossier de Mme Dupont"})

    assert (answer.json["field"], bool(answer.json["pattern"])) == ("title", True)
    assert b"Dupont" not in answer.body


async def test_the_instants_that_may_be_meant_are_named(api: Api) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", {**BOOKING, "start": "2027-10-31T02:30"})

    assert answer.json["candidates"] == ["2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00"]


async def test_what_looks_like_markup_is_text(api: Api) -> None:
    admin = await api.of("admin")

    title = '<script>alert("x")</script> {{7*7}}'

    assert (await admin.book(title=title))["title"] == title


@pytest.mark.parametrize(
    ("raw", "status", "slug"),
    [
        pytest.param(b"", 400, "malformed-request", id="nothing"),
        pytest.param(b"{", 400, "malformed-request", id="a brace"),
        pytest.param(b'{"kind": NaN}', 400, "malformed-request", id="NaN"),
        pytest.param(b'{"kind": "\xff"}', 400, "malformed-request", id="no UTF-8"),
        pytest.param(b"[]", 422, "invalid-request", id="a list"),
        pytest.param(b"null", 422, "invalid-request", id="null"),
        pytest.param(b'"text"', 422, "invalid-request", id="a text"),
        pytest.param(b'{"kind": "\\ud800"}', 422, "invalid-request", id="half a surrogate pair"),
        pytest.param(b'{"kind": "a", "kind": "b"}', 422, "invalid-request", id="a name twice"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, 422, "invalid-request", id="depth 100,000"),
        pytest.param(b'"' + b"a" * 300_000 + b'"', 413, "too-large", id="300 kB"),
    ],
)
async def test_a_body_that_is_none_is_refused(api: Api, raw: bytes, status: int, slug: str) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", raw=raw)

    assert (answer.status, answer.slug) == (status, slug)
    await assert_nothing_booked(admin)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="a form"),
        pytest.param({"Content-Type": "text/plain"}, id="text"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, id="a form with files"),
        pytest.param({"Content-Type": "application/json; charset=iso-8859-1"}, id="Latin-1"),
        pytest.param({"Content-Type": "application/json", "Content-Encoding": "gzip"}, id="gzip"),
    ],
)
async def test_a_body_of_another_type_is_refused(api: Api, headers: Mapping[str, str]) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/sessions", raw=json.dumps(BOOKING), headers=headers)

    assert (answer.status, answer.slug) == (415, "unsupported-media-type")


SEARCH = "site=lille&site=calais&from=2027-03-01&to=2027-03-02&duration_minutes=60"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        pytest.param("/sites?limit=0", "limit", id="limit 0"),
        pytest.param("/sites?limit=501", "limit", id="limit 501"),
        pytest.param("/sites?limit=1.5", "limit", id="limit 1.5"),
        pytest.param("/sites?limit=+5", "limit", id="limit blank 5"),
        pytest.param("/sites?limit=1_0", "limit", id="limit 1_0"),
        pytest.param("/sites?limit=٥", "limit", id="limit in Arabic digits"),
        pytest.param("/sites?limit=", "limit", id="limit empty"),
        pytest.param("/sites?limit=99999999999999999999", "limit", id="limit enormous"),
        pytest.param("/sites?limit=1&limit=2", "limit", id="limit twice"),
        pytest.param("/sites?page=2", "page", id="a parameter nobody knows"),
        pytest.param("/sites?cursor=x", "cursor", id="a cursor of one letter"),
        pytest.param("/sites?cursor=%00", "cursor", id="NUL for a cursor"),
        pytest.param("/sites?cursor=é", "cursor", id="an accent for a cursor"),
        pytest.param("/me?x=1", "x", id="a parameter where there is none"),
        pytest.param("/sessions?site=nowhere", "site", id="an unknown site"),
        pytest.param("/sessions?site=%00", "site", id="NUL for a site"),
        pytest.param("/sessions?kind=x' OR '1'='1", "kind", id="SQL for a kind"),
        pytest.param("/sessions?status=lost", "status", id="an unknown status"),
        pytest.param("/sessions?from=2027-02-30", "from", id="30 February"),
        pytest.param("/sessions?from=2027-3-1", "from", id="a short date"),
        pytest.param("/sessions?from=2027W101", "from", id="a week date"),
        pytest.param("/sessions?from=0000-01-01", "from", id="the year 0"),
        pytest.param("/sessions?to=9999-12-31", "to", id="the year 9999"),
        pytest.param("/sessions?from=2027-03-02&to=2027-03-01", "to", id="to before from"),
        pytest.param("/sites/lille/closures", "from", id="closures of no day"),
        pytest.param("/sites/lille/closures?from=2027-01-01&to=2029-01-01", "to", id="closures of two years"),
        pytest.param("/slots", "site", id="no site"),
        pytest.param(f"/slots?{SEARCH}&site=", "site[2]", id="an empty site"),
        pytest.param(f"/slots?{SEARCH}&duration_minutes=30", "duration_minutes", id="two lengths"),
        pytest.param(f"/slots?{SEARCH}&room=calais-1", "room[0]", id="a room without its site"),
        pytest.param(f"/slots?{SEARCH}&after=9:00", "after", id="9:00"),
        pytest.param(f"/slots?{SEARCH}&before=25:00", "before", id="25:00"),
        pytest.param(f"/slots?{SEARCH}&weekday=monday", "weekday[0]", id="monday"),
        pytest.param(f"/slots?{SEARCH}&order=latest", "order", id="an unknown order"),
        pytest.param(f"/slots?{SEARCH}&include_overridable=1", "include_overridable", id="1 for true"),
        pytest.param(f"/slots?{SEARCH}&step_minutes=7", "step_minutes", id="a step off the grid"),
        pytest.param(f"/slots?{SEARCH}&timezone=Europe/Pari", "timezone", id="Europe/Pari"),
        pytest.param(f"/slots?{SEARCH.replace('to=2027', 'to=2029')}", "to", id="two years"),
        pytest.param(f"/slots?{SEARCH}" + "&optional_site=lens" * 51, "optional_site", id="51 sites"),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(api: Api, path: str, field: str) -> None:
    admin = await api.of("admin")

    answer = await admin("GET", path)

    assert (answer.status, answer.slug) == (422, "invalid-request")
    assert field in answer.fields


@pytest.mark.parametrize(
    "path",
    [
        "/sessions/%00",
        "/sessions/..%2f..%2fetc",
        "/sessions/" + "x" * 2000,
        "/sessions/%F0%9F%98%80",
        "/sites/%00",
        "/sites/LILLE",
        "/sites//lille",
        "/sites/lille/",
        "/Sites",
        "/sites/%2e%2e/me",
        "//api/v1/../v1/me",
        "//API/V1/me",
        "///api/v1/me",
    ],
)
async def test_an_address_is_taken_as_it_is_written(api: Api, path: str) -> None:
    admin = await api.of("admin")

    assert (await admin("GET", path, exactly=True)).status == 404


async def test_the_method_is_the_one_that_is_sent(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()

    answer = await admin("GET", f"/sessions/{session['id']}/cancellation", headers={"X-HTTP-Method-Override": "POST"})

    assert (answer.status, answer.slug) == (405, "method-not-allowed")
    assert (await admin("GET", f"/sessions/{session['id']}")).json["status"] != "cancelled"
