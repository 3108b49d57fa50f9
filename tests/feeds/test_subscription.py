"""Feeds at their addresses, on both engines: who may have one, what it shows, and when it ends."""

from __future__ import annotations

import gzip
import hashlib
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import select, update

from perinat_sched.errors import Forbidden, Gone, HealthDataSuspected, InvalidRequest, NotFound
from perinat_sched.feeds.store import Scope
from perinat_sched.people import store as people_store
from perinat_sched.people.access import Detail
from perinat_sched.storage.database import Database
from perinat_sched.storage.tables import audit, feeds, sessions, tokens
from tests.feeds.examples import PARTS, part, session
from tests.feeds.house import EXPIRY, NOW, House, numbered


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def rows(database: Database, table: Any) -> list[Any]:
    async with database.read() as tx:
        return list(await tx.execute(select(table)))


async def test_the_address_is_shown_once_and_only_its_hash_is_kept(house: House) -> None:
    feed, secret = await house.feeds.create(await house.actor("admin"), "site", "calais", "full", "Mon agenda", "fr")
    assert len(secret) == 43
    assert house.feeds.url(secret) == f"https://perinat.example/agenda/feeds/{secret}.ics"
    assert house.feeds.webcal_url(secret) == f"webcal://perinat.example/agenda/feeds/{secret}.ics"
    [row] = await rows(house.database, feeds)
    assert row.hash == hashlib.sha256(secret.encode()).hexdigest()
    [noted] = await rows(house.database, audit)
    assert (noted.action, noted.object_id, noted.actor) == ("feed_created", feed.id, "t")
    assert secret not in repr([row, noted, feed])
    assert "Mon agenda" not in repr(noted)


@pytest.mark.parametrize(
    ("role", "rights", "scope", "of", "allowed"),
    [
        ("admin", {}, "network", "perinat", True),
        ("coordinator", {"sites": ("calais",)}, "site", "calais", True),
        ("coordinator", {"sites": ("calais",)}, "room", "calais-1", True),
        ("coordinator", {"sites": ("calais",)}, "network", "perinat", True),
        ("coordinator", {"sites": ("calais",)}, "network", "metropole", False),
        ("coordinator", {"sites": ("calais",)}, "site", "lille", False),
        ("coordinator", {"sites": ("calais",)}, "room", "lille-1", False),
        ("coordinator", {"networks": ("metropole",)}, "site", "lille", True),
        ("coordinator", {"networks": ("metropole",)}, "site", "calais", False),
        ("clinician", {"sites": ("calais",)}, "site", "calais", True),
        ("clinician", {"sites": ("calais",)}, "room", "calais-1", False),
        ("clinician", {"sites": ("calais",)}, "network", "perinat", False),
    ],
)
async def test_anothers_feed_is_forbidden_whatever_its_detail(
    house: House, role: str, rights: Any, scope: Scope, of: str, allowed: bool
) -> None:
    actor = await house.actor(role, **rights)
    details: list[Detail] = ["full", "kind", "busy"]
    for detail in details:
        with nullcontext() if allowed else pytest.raises(Forbidden):
            await house.secret(actor, scope, of, detail)
    assert len(await rows(house.database, feeds)) == (3 if allowed else 0)


async def test_all_unknown_codes_are_named_at_once(house: House) -> None:
    actor = await house.actor("admin")
    with pytest.raises(InvalidRequest) as refused:
        await house.feeds.create(actor, "room", "lille", "full", "a\nb", "fr", ["staff", "stafff"])
    assert [error.field for error in refused.value.errors] == ["of", "kinds[1]", "label"]
    assert await rows(house.database, feeds) == []


async def test_a_label_with_health_data_is_refused(house: House) -> None:
    with pytest.raises(HealthDataSuspected):
        await house.secret(await house.actor("admin"), "site", "calais", label="2 84 05 59 350 123")


async def test_everybody_lists_and_revokes_their_own_feeds_and_an_administrator_all(house: House) -> None:
    calais = await house.actor("coordinator", "calais", sites=("calais",))
    lille = await house.actor("coordinator", "lille", sites=("lille",))
    admin = await house.actor("admin", "admin")
    first, _ = await house.feeds.create(calais, "site", "calais", "full", "", "fr")
    house.now[0] += timedelta(minutes=1)
    second, _ = await house.feeds.create(lille, "site", "lille", "busy", "", "en", ["staff"])
    assert await house.feeds.list_for(calais) == [first]
    assert await house.feeds.list_for(lille) == [second]
    assert await house.feeds.list_for(admin) == [first, second]

    with pytest.raises(NotFound):
        await house.feeds.revoke(lille, first.id)
    with pytest.raises(NotFound):
        await house.feeds.revoke(admin, "no such feed")
    await house.feeds.revoke(calais, first.id)
    await house.feeds.revoke(admin, first.id)  # again: nothing more to do
    assert await house.feeds.list_for(admin) == [second]
    assert [row.action for row in await rows(house.database, audit)].count("feed_revoked") == 1


async def test_an_address_that_is_not_exactly_right_is_unknown(house: House) -> None:
    secret = await house.secret(await house.actor("admin"), "site", "calais")
    for wrong in (secret[:-1], secret + "A", secret.swapcase(), secret + "\n", " " + secret, "", "\ud800", "é" * 5000):
        with pytest.raises(NotFound):
            await house.publish(wrong)
    assert (await house.publish(secret)).status == 200


@pytest.mark.parametrize("ending", ["feed revoked", "token revoked", "token expired"])
async def test_an_address_is_gone_once_it_or_its_owner_is__http_07(house: House, ending: str) -> None:
    actor = await house.actor("coordinator", sites=("calais",))
    feed, secret = await house.feeds.create(actor, "site", "calais", "full", "", "fr")
    etag = dict((await house.publish(secret)).headers)["ETag"]
    match ending:
        case "feed revoked":
            await house.feeds.revoke(actor, feed.id)
        case "token revoked":
            await house.database.write(lambda tx: people_store.revoke(tx, actor.token, NOW))
        case "token expired":
            house.now[0] = EXPIRY
    with pytest.raises(Gone):
        await house.publish(secret, if_none_match=etag)


async def test_detail_is_capped_at_every_reading_by_what_the_owner_may_see(house: House) -> None:
    """ICS-22: a network's feed shows in full what the owner's site takes part in, of the rest kind and time."""
    await house.book(numbered(1), numbered(2, "2027-01-22T15:00", participations=PARTS[:1]))
    actor = await house.actor("coordinator", sites=("calais",))
    secret = await house.secret(actor, "network", "perinat")
    seen = await house.events(secret)
    assert seen["s1"]["SUMMARY"] == "Visio Périnat — staff"
    assert seen["s2"]["SUMMARY"] == "Staff de périnatalité"
    assert "DESCRIPTION" in seen["s1"] and "DESCRIPTION" not in seen["s2"]

    await house.database.write(lambda tx: tx.execute(update(tokens).values(sites=["noumea"], role="clinician")))
    seen = await house.events(secret)
    assert [str(event["SUMMARY"]) for event in seen.values()] == ["Occupé", "Occupé"]


@pytest.mark.parametrize(
    ("detail", "summary"), [("full", "Visio Périnat — staff"), ("kind", "Staff de périnatalité"), ("busy", "Occupé")]
)
async def test_less_detail_than_one_may_see_can_be_asked_for(house: House, detail: Detail, summary: str) -> None:
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "site", "calais", detail)
    assert (await house.events(secret))["s1"]["SUMMARY"] == summary


async def test_a_feed_shows_the_sessions_of_its_scope(house: House) -> None:
    elsewhere = (part("lille", room="lille-2"), part("reunion", "pending"))
    await house.book(
        numbered(1),
        numbered(2, "2027-01-22T15:00", participations=(PARTS[0], part("calais", "declined"))),
        numbered(3, "2027-01-23T15:00", participations=elsewhere, network="metropole"),
    )
    admin = await house.actor("admin")
    shown: dict[tuple[Scope, str], set[str]] = {
        ("site", "lille"): {"s1", "s2", "s3"},
        ("site", "calais"): {"s1"},  # it declined s2
        ("site", "reunion"): {"s3"},
        ("room", "lille-1"): {"s1", "s2"},
        ("room", "lille-2"): {"s3"},
        ("network", "perinat"): {"s1", "s2"},
        ("network", "metropole"): {"s3"},
    }
    for (scope, of), expected in shown.items():
        assert set(await house.events(await house.secret(admin, scope, of))) == expected, of


async def test_a_feed_may_be_of_some_kinds_only(house: House) -> None:
    await house.book(numbered(1), numbered(2, "2027-01-22T15:00", kind="cpdpn"))
    secret = await house.secret(await house.actor("admin"), "site", "lille", kinds=["cpdpn"])
    assert set(await house.events(secret)) == {"s2"}


async def test_a_feed_shows_its_window_and_cancelled_sessions_for_thirty_days__ics_20(house: House) -> None:
    async def booked(day: str, status: str = "confirmed", *, end: str = "15:00") -> None:
        wall = f"{day}T{end}"
        await house.book(session(wall, id=f"{day} {status}", status=status))

    for day in ("2026-11-15", "2026-11-16", "2028-02-18", "2028-02-20"):
        await booked(day)
    for day in ("2026-12-15", "2026-12-16", "2027-03-01"):
        await booked(day, "cancelled")
    shown = await house.events(await house.secret(await house.actor("admin"), "site", "lille"))
    assert set(shown) == {
        "2026-11-16 confirmed", "2028-02-18 confirmed", "2026-12-16 cancelled", "2027-03-01 cancelled",
    }  # fmt: skip
    assert shown["2027-03-01 cancelled"]["STATUS"] == "CANCELLED"


async def test_a_feed_is_named_by_its_label_or_else_by_what_it_shows(house: House) -> None:
    admin = await house.actor("admin")
    named: list[tuple[str, Scope, str, str]] = [
        ("Mes staffs", "site", "calais", "Mes staffs"),
        ("", "site", "calais", "CH de Calais"),
        ("", "room", "lille-1", "Salle de staff"),
        ("", "network", "perinat", "Périnat Nord–Pas-de-Calais"),
    ]
    for label, scope, of, name in named:
        told = await house.publish(await house.secret(admin, scope, of, label=label))
        assert Calendar.from_ical(told.body)["X-WR-CALNAME"] == name
        assert told.body.count(b"BEGIN:VTIMEZONE") == 1


async def test_the_answer_says_what_caches_and_robots_must_know__http_01_04_05(house: House) -> None:
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "room", "lille-1")
    plain, packed = await house.publish(secret), await house.publish(secret, accept_gzip=True)
    headers = dict(plain.headers)
    assert re.fullmatch('"[0-9a-f]{32}"', headers.pop("ETag"))
    assert headers == {
        "Last-Modified": "Fri, 15 Jan 2027 10:00:00 GMT",
        "Content-Type": "text/calendar; charset=utf-8",
        "Content-Disposition": 'inline; filename="lille-1.ics"',
        "Content-Length": str(len(plain.body)),
        "Vary": "Accept-Encoding",
        "Cache-Control": "private, max-age=300",
        "X-Robots-Tag": "noindex",
        "Referrer-Policy": "no-referrer",
    }
    assert gzip.decompress(packed.body) == plain.body
    assert dict(packed.headers)["Content-Encoding"] == "gzip"
    assert dict(packed.headers)["ETag"] == dict(plain.headers)["ETag"][:-1] + '-gz"'


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_head_says_what_get_would(house: House, packed: bool) -> None:
    secret = await house.secret(await house.actor("admin"), "site", "calais")
    get, head = [await house.publish(secret, accept_gzip=packed, head=each) for each in (False, True)]
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


async def test_a_client_that_has_the_bytes_gets_304__http_02(house: House) -> None:
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    plain = dict((await house.publish(secret)).headers)["ETag"]
    for known in (plain, f"W/{plain}", f'"a", {plain}, "b"', "*", f' W/"x",{plain}'):
        told = await house.publish(secret, if_none_match=known)
        assert (told.status, told.body, dict(told.headers)["ETag"]) == (304, b"", plain)
        assert set(dict(told.headers)) == {
            "ETag", "Last-Modified", "Vary", "Cache-Control", "X-Robots-Tag", "Referrer-Policy",
        }  # fmt: skip
    for other in ('"x"', plain.strip('"'), "", '""'):
        assert (await house.publish(secret, if_none_match=other)).status == 200
    told = await house.publish(secret, if_none_match=plain, accept_gzip=True)
    assert (told.status, dict(told.headers)["ETag"]) == (304, plain)


async def test_nothing_changes_by_itself_within_a_day__ics_04(house: House) -> None:
    await house.book(numbered(1))
    secret = await house.secret(await house.actor("admin"), "site", "lille")
    first = await house.publish(secret)
    house.now[0] += timedelta(hours=13)
    assert await house.publish(secret) == first
    assert await House(house.database, house.now).publish(secret) == first  # another node


async def test_a_change_on_one_node_is_in_the_feed_of_another_at_once(house: House) -> None:
    """Within one second too: revisions are compared, not hours."""
    other = House(house.database, house.now)
    before = numbered(1)
    await house.book(before)
    secret = await house.secret(await house.actor("admin"), "site", "calais")
    first = dict((await other.publish(secret)).headers)["ETag"]
    await house.change(before, title="Visio — autre")
    second = await other.publish(secret, if_none_match=first)
    assert second.status == 200
    assert "Visio — autre" in second.body.decode()
    await house.change(replace(before, revision=4), participations=PARTS[:1])  # Calais no longer takes part …
    await house.book(numbered(2, revision=4))  # … and another session of the same revision and second does
    assert set(await other.events(secret)) == {"s2"}


async def test_statements_do_not_grow_with_the_number_of_sessions(house: House) -> None:
    actor = await house.actor("admin")
    costs = []
    for many in (1, 50):
        await house.book(*(numbered(many * 100 + n, f"2027-02-{n % 28 + 1:02d}T08:00") for n in range(many)))
        secret = await house.secret(actor, "network", "perinat")
        for _ in ("cold", "warm"):
            with house.database.counting() as count:
                await house.publish(secret)
            costs.append(count.total)
    assert costs == [5, 2, 5, 2]


async def test_a_feed_of_what_left_the_configuration_is_unknown(house: House) -> None:
    secret = await house.secret(await house.actor("admin"), "site", "calais")
    await house.database.write(lambda tx: tx.execute(update(feeds).values(of="gone")))
    with pytest.raises(NotFound):
        await house.publish(secret)


async def test_the_access_code_is_in_no_feed(house: House) -> None:
    await house.book(numbered(1, access_code="4711-SECRET"))
    [row] = await rows(house.database, sessions)
    assert row.access_code == "4711-SECRET"
    scopes: list[tuple[Scope, str]] = [("site", "lille"), ("room", "lille-1"), ("network", "perinat")]
    for scope, of in scopes:
        told = await house.publish(await house.secret(await house.actor("admin", of), scope, of))
        assert b"4711" not in told.body
