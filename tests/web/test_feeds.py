"""Feeds over HTTP: opened with a token, read by whoever knows the address."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched import app
from perinat_sched.settings import Settings
from perinat_sched.storage.database import Database
from perinat_sched.web.server import application
from tests.web.callers import NOW, Api, Caller


async def open_feed(caller: Caller, **given: Any) -> dict[str, Any]:
    answer = await caller("POST", "/feeds", {"scope": "site", "of": "calais", **given})
    assert answer.status == 201, answer.body
    opened: dict[str, Any] = answer.json
    return opened


def path_of(feed: dict[str, Any]) -> str:
    return "/" + str(feed["url"]).removeprefix("http://127.0.0.1:8080")


async def test_a_feed_is_opened_and_its_address_is_shown_once(api: Api) -> None:
    admin = await api.of("admin")

    opened = await open_feed(admin, label="Calais", language="en", kinds=["staff"])
    [listed] = (await admin("GET", "/feeds")).json["items"]

    assert opened["url"].startswith("http://127.0.0.1:8080/feeds/")
    assert opened["page_url"] + ".ics" == opened["url"]
    assert opened["webcal_url"] == opened["url"].replace("http:", "webcal:")
    assert listed == {name: value for name, value in opened.items() if not name.endswith("url")}


async def test_a_calendar_program_reads_it_without_a_token(api: Api) -> None:
    admin = await api.of("admin")
    session = await admin.book()
    feed = path_of(await open_feed(admin))

    answer = await api.anybody("GET", feed, headers={"Accept": "text/html", "Accept-Encoding": "identity"})

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert session["uid"].encode() in answer.body
    head = await api.anybody("HEAD", feed, headers={"Accept-Encoding": "identity"})
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(answer.body)))
    assert head.headers["ETag"] == answer.headers["ETag"]
    again = await api.anybody(
        "GET", feed, headers={"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "identity"}
    )
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert "Content-Type" not in again.headers


async def test_nothing_stands_between_a_program_and_its_calendar__http_01_05_10(api: Api) -> None:
    """No redirect, no cookie, no question for a password, whatever is asked for; what only editors send is refused."""
    feed = path_of(await open_feed(await api.of("admin")))

    for accepted in ("text/calendar", "text/html", "image/png;q=0.1", ""):
        answer = await api.anybody("GET", feed, headers={"Accept": accepted, "Accept-Encoding": "identity"})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
        assert answer.headers["Content-Disposition"] == 'inline; filename="calais.ics"'
        assert not {"Set-Cookie", "WWW-Authenticate", "Location"} & set(answer.headers)
        kept = [answer.headers[name] for name in ("Cache-Control", "X-Robots-Tag", "Referrer-Policy", "Vary")]
        assert kept == ["private, max-age=300", "noindex", "no-referrer", "Accept-Encoding"]
    assert [(await api.anybody(method, feed)).status for method in ("PROPFIND", "PUT")] == [405, 405]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"If-None-Match": '"a", {etag}'}, 304),
        ({"If-None-Match": "W/{etag}"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"a"'}, 200),
        ({"If-Modified-Since": "{date}"}, 304),
        ({"If-Modified-Since": "{date}", "If-None-Match": '"a"'}, 200),
        ({"If-Modified-Since": "Sun, 03 Jan 2027 08:00:00 GMT", "If-None-Match": "{etag}"}, 304),
        ({"If-Modified-Since": "Sun, 03 Jan 2027 08:00:00 GMT"}, 200),
        ({"If-Modified-Since": "last week"}, 200),
    ],
)
async def test_a_program_says_what_it_has_by_etag_or_else_by_date__http_02_03(
    api: Api, sent: dict[str, str], status: int
) -> None:
    feed = path_of(await open_feed(await api.of("admin")))
    first = await api.anybody("GET", feed, headers={"Accept-Encoding": "identity"})
    known = {"etag": first.headers["ETag"], "date": first.headers["Last-Modified"]}

    headers = {name: value.format(**known) for name, value in sent.items()}
    for method in ("GET", "HEAD"):
        answer = await api.anybody(method, feed, headers={"Accept-Encoding": "identity", **headers})
        assert answer.status == status
        assert (answer.headers["ETag"], answer.headers["Last-Modified"]) == (known["etag"], known["date"])
        assert (answer.body == b"") is (status == 304 or method == "HEAD")


async def test_it_is_sent_as_gzip_to_whom_takes_it(api: Api) -> None:
    admin = await api.of("admin")
    feed = path_of(await open_feed(admin))
    plain = await api.anybody("GET", feed, headers={"Accept-Encoding": "identity"})

    async with api.client.session.get(
        api.client.make_url(feed[1:]), headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as response:
        packed = await response.read()

    assert response.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in response.headers["Vary"]
    assert gzip.decompress(packed) == plain.body
    assert response.headers["ETag"] != plain.headers["ETag"]


async def test_each_variant_of_an_address_is_a_calendar_of_its_own(api: Api) -> None:
    """`alarm` (ICS-23), `cancelled=no` (ICS-20), and what some program adds, which is its own business."""
    admin = await api.of("admin")
    await admin.book()
    off = await admin.book(start="2027-03-19T15:00")
    await admin("POST", f"/sessions/{off['id']}/cancellation", {})
    feed = path_of(await open_feed(admin))

    plain, alarm, without, strange = [
        await api.anybody("GET", feed + query) for query in ("", "?alarm=15", "?cancelled=no", "?nocache=1")
    ]

    assert (plain.body.count(b"BEGIN:VEVENT"), plain.body.count(b"BEGIN:VALARM")) == (2, 0)
    assert (alarm.body.count(b"BEGIN:VEVENT"), alarm.body.count(b"TRIGGER:-PT15M")) == (2, 1)
    assert (without.body.count(b"BEGIN:VEVENT"), off["uid"].encode() in without.body) == (1, False)
    assert strange.body == plain.body
    assert len({answer.headers["ETag"] for answer in (plain, alarm, without, strange)}) == 3


@pytest.mark.parametrize("query", ["?alarm=soon", "?alarm=0", "?alarm=100000", "?cancelled=maybe", "?format=pdf"])
async def test_a_wrong_variant_is_refused_by_its_name(api: Api, query: str) -> None:
    feed = path_of(await open_feed(await api.of("admin")))

    answer = await api.anybody("GET", feed + query)

    assert (answer.status, answer.fields) == (422, [query[1:].partition("=")[0]])


async def test_free_busy_is_what_is_held_and_when_it_is_closed_and_follows_at_once__fb_01(api: Api) -> None:
    admin = await api.of("admin")
    await admin.book()
    site = path_of(await open_feed(admin, kinds=["rcp"])) + "?format=ifb"
    room = path_of(await open_feed(admin, scope="room", of="calais-1")) + "?format=ifb"
    held = b"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270318T140000Z/20270318T150000Z"

    first = await api.anybody("GET", site)
    assert held in first.body, "whatever its kind, a session takes the place"
    assert held in (await api.anybody("GET", room)).body
    assert b"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270505T220000Z/20270506T220000Z" in first.body, "Ascension Day"
    assert b"SUMMARY" not in first.body and b"VEVENT" not in first.body
    again = await api.anybody("GET", site, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304

    given = {"site": "calais", "from": "2027-03-18T15:30", "until": "2027-03-18T18:00", "reason": "travaux"}
    closed = await admin("POST", "/closures", given)
    assert closed.status == 201, closed.body
    second = await api.anybody("GET", site)
    assert b"FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270318T140000Z/20270318T143000Z" in second.body
    assert b"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270318T143000Z/20270318T170000Z" in second.body
    assert b"travaux" not in second.body
    assert (await admin("DELETE", f"/closures/{closed.json['id']}")).status == 204
    assert (await api.anybody("GET", site)).body == first.body


async def test_a_network_has_no_free_busy(api: Api) -> None:
    feed = path_of(await open_feed(await api.of("admin"), scope="network", of="perinat"))

    answer = await api.anybody("GET", feed + "?format=ifb")

    assert (answer.status, answer.fields) == (422, ["format"])


async def test_a_revoked_feed_is_gone_and_doing_it_twice_changes_nothing(api: Api) -> None:
    admin = await api.of("admin")
    feed = await open_feed(admin)

    revoked = await admin("DELETE", f"/feeds/{feed['id']}")
    again = await admin("DELETE", f"/feeds/{feed['id']}")

    assert (revoked.status, revoked.body, again.status) == (204, b"", 204)
    answer = await api.anybody("GET", path_of(feed))
    assert (answer.status, answer.slug) == (410, "gone")


async def test_revoking_its_owners_token_revokes_it(api: Api) -> None:
    calais = await api.of("coordinator", sites=("calais",))
    feed = await open_feed(calais)
    token = (await calais("GET", "/me")).json["token"]

    await api.services.tokens.revoke(token)

    assert (await api.anybody("GET", path_of(feed))).status == 410


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda secret: secret[:-1], id="truncated"),
        pytest.param(lambda secret: secret + "A", id="extended"),
        pytest.param(lambda secret: secret.swapcase(), id="another case"),
        pytest.param(lambda secret: secret + "%0a", id="a line break behind it"),
        pytest.param(lambda secret: "%0a" + secret, id="a line break before it"),
        pytest.param(lambda secret: "%00" + secret, id="NUL before it"),
        pytest.param(lambda secret: secret + ".ics", id="another ending"),
        pytest.param(lambda secret: "..%2f" + secret, id="a folder up"),
        pytest.param(lambda secret: "%ff" * 43, id="no UTF-8"),
        pytest.param(lambda secret: "x.ics?token=" + secret, id="in the query"),
    ],
)
async def test_an_address_that_is_not_exactly_the_one_is_unknown(api: Api, spoil: Any) -> None:
    admin = await api.of("admin")
    secret = path_of(await open_feed(admin)).removeprefix("//feeds/").removesuffix(".ics")

    answer = await api.anybody("GET", f"//feeds/{spoil(secret)}.ics", exactly=True)

    assert (answer.status, answer.slug) == (404, "not-found")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scope": "everything"}, "scope"),
        ({"of": "nowhere"}, "of"),
        ({"detail": "all"}, "detail"),
        ({"language": "de"}, "language"),
        ({"kinds": ["nothing"]}, "kinds[0]"),
        ({"kinds": "staff"}, "kinds"),
        ({"label": "a\r\nATTACH:x"}, "label"),
    ],
)
async def test_a_feed_that_cannot_be_meant_is_refused(api: Api, given: dict[str, Any], field: str) -> None:
    admin = await api.of("admin")

    answer = await admin("POST", "/feeds", {"scope": "site", "of": "calais", **given})

    assert (answer.status, answer.fields) == (422, [field])
    assert (await admin("GET", "/feeds")).json["items"] == []


async def test_anothers_feed_does_not_exist_for_others(api: Api) -> None:
    feed = await open_feed(await api.of("coordinator", sites=("calais",)))
    lens = await api.of("coordinator", sites=("lens",))

    assert (await lens("DELETE", f"/feeds/{feed['id']}")).status == 404
    assert (await lens("GET", "/feeds")).json["items"] == []


async def test_who_read_a_feed_last_is_written_down_and_told_to_its_owner__http_07(
    api: Api, database: Database, configured: Settings
) -> None:
    admin = await api.of("admin")
    feed, unread = path_of(await open_feed(admin)), path_of(await open_feed(admin, of="lens"))
    assert feed != unread
    for program in ("curl/8.5.0", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928)"):
        await api.anybody("GET", feed, headers={"User-Agent": program})
    told = [("calais", "2027-01-04T08:00:00+00:00", "Outlook"), ("lens", None, "")]

    def read(listed: Any) -> list[tuple[str, str | None, str]]:
        return sorted((each["of"], each["last_read_at"], each["last_read_by"]) for each in listed.json["items"])

    assert read(await admin("GET", "/feeds")) == told  # not written down yet: this process knows
    await api.services.readings.write_down()  # what the chore does once a minute
    other = app.assemble(configured, database, lambda: NOW)
    async with TestClient(TestServer(application(other))) as client:
        assert read(await Caller(client, admin.headers)("GET", "/feeds")) == told


async def test_the_window_is_as_far_as_the_configuration_says(
    api: Api, database: Database, configured: Settings
) -> None:
    """`[feeds] past_days`, `future_days` and `cancelled_days`, from midnight UTC of today, 4 January."""
    admin = await api.of("admin")
    near, far = await admin.book(start="2027-01-12T15:00"), await admin.book(start="2027-01-14T15:00")
    off = await admin.book(start="2027-01-12T17:00")
    await admin("POST", f"/sessions/{off['id']}/cancellation", {})
    feed = path_of(await open_feed(admin))

    async def shown(at: datetime, **days: Any) -> set[str]:
        node = app.assemble(replace(configured, **days), database, lambda: at)
        async with TestClient(TestServer(application(node))) as client:
            body = (await Caller(client)("GET", feed)).body
            return {name for name, each in (("near", near), ("far", far), ("off", off)) if each["uid"].encode() in body}

    assert await shown(NOW) == {"near", "far", "off"}
    assert await shown(NOW, feed_future_days=9) == {"near", "off"}
    later = NOW + timedelta(days=19)  # 23 January
    assert await shown(later, feed_past_days=10, feed_cancelled_days=10) == {"far"}
    assert await shown(later, feed_past_days=11, feed_cancelled_days=10) == {"near", "far"}
    assert await shown(later, feed_past_days=11, feed_cancelled_days=11) == {"near", "far", "off"}
