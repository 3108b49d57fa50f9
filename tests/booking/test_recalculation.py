"""When the ground moves: other rules of clocks, another configuration, other calendars, under booked sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from perinat_sched import zones
from perinat_sched.booking import store
from perinat_sched.booking.closures import ClosureAsked, Scope
from perinat_sched.booking.recalculation import Outcome, Recalculation, spells
from perinat_sched.booking.session import Session
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import BookingRefused, RevisionMismatch, Unavailable
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import Bridge, Directory, OpeningHours
from perinat_sched.storage import guards
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import audit, holds, resources, sessions
from tests.booking.conftest import ADMIN, NOW, Office
from tests.builders import NO_CALENDARS, a_directory, a_partner, a_site
from tests.conftest import opened

T = TypeVar("T")
HOUR = timedelta(hours=1)
UNTIL_HALF_PAST_THREE = (OpeningHours(weekdays=frozenset(range(5)), opens=8 * 60, closes=15 * 60 + 30),)
THREE = ("calais", "roubaix")  # with Lille


def recalculation(
    office: Office, directory: Directory, calendars: Calendars = NO_CALENDARS, database: Database | None = None
) -> Recalculation:
    return Recalculation(
        database=database or office.database, directory=directory, calendars=calendars, clock=lambda: office.now
    )


async def move_ground(office: Office, directory: Directory | None = None) -> Outcome:
    """A start under another configuration: afterwards the office works by it."""
    directory = directory or office.directory
    await office.database.sync_resources(directory)
    outcome = await recalculation(office, directory).where_the_ground_moved()
    office.directory = directory
    office.__post_init__()
    return outcome


def a_network(**changes: Any) -> Directory:
    """Lille (two rooms), Calais, Roubaix, Lens by hand, Sainte-Justine; `lille=…` changes that site."""
    sites = {
        "lille": a_site("lille", **{"rooms": ("lille-1", "lille-2"), **changes.get("lille", {})}),
        "calais": a_site("calais", **changes.get("calais", {})),
        "roubaix": a_site("roubaix", **changes.get("roubaix", {})),
        "lens": a_site("lens", answers="by_hand"),
        "sainte-justine": a_partner(),
    }
    left = [site for code, site in sites.items() if code != changes.get("without")]
    return a_directory(*left, ports=changes.get("ports", 12), bridges=changes.get("bridges"))


async def read(office: Office, session: Session) -> Session:
    return await office.enquiries.get(ADMIN, session.id)


async def by_other_rules(office: Office, session: Session, hours: int) -> None:
    """As if other rules of clocks had given its instant: today's give another one, `hours` later."""
    wall = session.wall_start + hours * HOUR
    values = {"wall_start": f"{wall:%Y-%m-%dT%H:%M}", "tzdata_version": "2025b"}

    async def work(tx: Tx) -> None:
        await tx.execute(update(sessions).where(sessions.c.id == session.id).values(values))

    await office.database.write(work)


async def held(office: Office, session: Session) -> dict[str, tuple[datetime, datetime, int]]:
    """What a session holds: from, until, units, by room or bridge."""
    query = select(resources.c.code, holds.c.starts, holds.c.ends, holds.c.units).join(holds)
    async with office.database.read() as tx:
        rows = await tx.execute(query.where(holds.c.session_id == session.id))
        return {code: (starts, ends, units) for code, starts, ends, units in rows}


def lost(session: Session) -> list[str | None]:
    return [p.site for p in session.participations if p.lost] + [None] * session.bridge_lost


# Places


@pytest.mark.parametrize(
    ("change", "expected", "ports"),
    [
        ({}, [], 3),
        ({"calais": {"opening_hours": UNTIL_HALF_PAST_THREE}}, ["calais"], 0),
        ({"calais": {"active": False}}, ["calais"], 0),
        ({"calais": {"rooms": ("another",)}}, ["calais"], 0),
        ({"calais": {"rooms": ()}}, ["calais"], 0),
        ({"without": "calais"}, ["calais"], 0),
        ({"lille": {"rooms": ("lille-2",)}}, ["lille"], 0),
        ({"without": "lille"}, ["lille"], 0),
        ({"ports": 2}, [None], 0),
        ({"ports": None}, [None], 0),
        ({"calais": {"active": False}, "roubaix": {"active": False}, "ports": 2}, ["calais", "roubaix"], 0),
        ({"bridges": [Bridge(code="second", name="Second", ports=4, networks=("perinat",))]}, [], 3),
    ],
    ids=[
        "unchanged", "other-hours", "inactive", "room-gone", "no-rooms", "site-gone", "hosts-room-gone", "host-gone",
        "fewer-ports", "no-bridge", "all-but-the-host", "another-bridge",
    ],
)  # fmt: skip
async def test_a_session_keeps_its_time_and_loses_the_place_that_no_longer_fits(
    open_office: Any, change: dict[str, Any], expected: list[str | None], ports: int
) -> None:
    office: Office = await open_office(a_network())
    before = await office.book(required_sites=THREE)
    await move_ground(office, a_network(**change))
    after = await read(office, before)
    assert (after.start, after.wall_start) == (before.start, before.wall_start)
    assert lost(after) == expected
    assert after.ports == ports
    assert after.status == ("tentative" if expected else "confirmed")
    rooms = {p.site: p.room for p in after.participations}
    assert rooms == {site: room for site, room in before.rooms_held.items() if site not in expected} | {
        site: None for site in expected if site
    }
    assert (after.revision, after.sequence) == ((1, 1) if expected else (0, 0)) or change.get("bridges")
    taken = {room for room in rooms.values() if room} | ({after.bridge} if after.bridge else set())
    assert set(await held(office, before)) == taken


@pytest.mark.parametrize("later", ["2027-03-18T15:00", "2027-03-18T16:00"], ids=["begins-first", "begins-second"])
async def test_of_two_sessions_the_one_booked_later_loses_whichever_begins_first(open_office: Any, later: str) -> None:
    office: Office = await open_office(a_network())
    first = await office.book(start="2027-03-18T15:30", required_sites=THREE)
    office.now += timedelta(minutes=1)
    second = await office.book(start=later, required_sites=("lens", "sainte-justine"), actor=ADMIN)
    assert await move_ground(office, a_network(ports=4)) == Outcome(lost=1)
    assert await read(office, first) == first
    after = await read(office, second)
    assert (lost(after), after.bridge, after.ports) == ([None], None, 0)
    assert after.rooms_held == second.rooms_held


async def test_a_second_start_on_the_same_ground_changes_nothing(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    smaller = a_network(calais={"active": False})
    assert await move_ground(office, smaller) == Outcome(lost=1)
    after = await read(office, booked)
    with office.database.counting() as count:
        assert await recalculation(office, smaller).where_the_ground_moved() == Outcome()
    assert count.total == 2  # is it the same ground, is there a session reckoned otherwise?
    other = replace(smaller, networks=dict(smaller.networks))
    assert await move_ground(office, other) == Outcome()
    office.now += timedelta(seconds=1)
    assert await move_ground(office, a_network(calais={"active": False}, roubaix={"name": "CH"})) == Outcome()
    assert await read(office, booked) == after


async def test_what_was_overridden_or_agreed_to_all_the_same_is_not_lost(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    late = await office.book(start="2027-03-18T19:30", override_reason="Astreinte")
    early = a_network(roubaix={"opening_hours": UNTIL_HALF_PAST_THREE})
    await move_ground(office, early)
    optional = await office.book(start="2027-03-19T15:00", optional_sites=("roubaix",))
    assert not optional.participation("roubaix").held
    agreed = await office.answer(optional, "roubaix", "accepted")
    assert agreed.participation("roubaix").held
    await move_ground(office, a_network(roubaix={"opening_hours": UNTIL_HALF_PAST_THREE}, ports=11))
    assert lost(await read(office, late)) == lost(await read(office, optional)) == []


async def test_a_closure_that_somebody_entered_costs_no_place(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    places: list[tuple[Scope, str]] = [("site", "calais"), ("room", "lille-1"), ("bridge", "mcu")]
    for scope, code in places:
        day = "2027-03-18"
        asked = ClosureAsked(scope=scope, code=code, start=day, until=day, reason="Travaux")
        _, hits = await office.closures.enter(ADMIN, asked)
        assert hits == [booked.id]
    await move_ground(office, a_network(ports=11))
    assert await read(office, booked) == booked


async def test_a_session_does_not_come_to_a_bridge_that_is_closed(open_office: Any) -> None:
    def bridges(ports: int) -> list[Bridge]:
        each = [("first", ports), ("second", 4), ("third", 4)]
        return [Bridge(code=code, name=code, ports=units, networks=("perinat",)) for code, units in each]

    office: Office = await open_office(a_network(bridges=bridges(12)))
    booked = await office.book(required_sites=THREE)
    closed = ClosureAsked(scope="bridge", code="second", start="2027-03-18", until="2027-03-18", reason="Travaux")
    await office.closures.enter(ADMIN, closed)
    await move_ground(office, a_network(bridges=bridges(2)))
    after = await read(office, booked)
    assert (after.bridge, after.ports, lost(after)) == ("third", 3, [])
    assert set(await held(office, booked)) == {"lille-1", "calais-1", "roubaix-1", "third"}


async def test_a_set_up_that_grows_into_another_session_costs_no_room_but_ports(open_office: Any) -> None:
    office: Office = await open_office(a_network(ports=5))
    first = await office.book(required_sites=THREE)
    office.now += timedelta(minutes=1)
    second = await office.book(start="2027-03-18T16:45", required_sites=THREE)
    longer = a_network(ports=5)
    await move_ground(office, replace(longer, defaults=replace(longer.defaults, set_up_minutes=60)))
    assert await read(office, first) == first
    assert (await held(office, first))["mcu"][0] == first.start - HOUR
    after = await read(office, second)
    assert lost(after) == [None]
    assert after.rooms_held == second.rooms_held


async def test_an_optional_site_that_loses_its_place_leaves_the_session_confirmed(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(optional_sites=("roubaix",))
    await move_ground(office, a_network(roubaix={"active": False}))
    after = await read(office, booked)
    assert (after.status, lost(after), after.bridge) == ("confirmed", ["roubaix"], None)


async def test_sessions_of_the_past_and_under_way_stay_as_they_are(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    past = await office.book(start="2027-03-18T15:00", required_sites=THREE)
    under_way = await office.book(start="2027-03-19T15:00", required_sites=THREE)
    follows = await office.book(start="2027-03-19T16:30", required_sites=THREE, override_reason="Suite")
    for each in (past, under_way):
        await by_other_rules(office, each, 1)
    office.now = under_way.start + timedelta(minutes=5)
    await move_ground(office, a_network(ports=3))
    for each in (past, under_way):
        assert (await read(office, each)).start == each.start
        assert (await held(office, each))["mcu"][2] == 3
    assert lost(await read(office, follows)) == [None]  # its set-up meets the ports of the one under way


# Hours


async def test_tz04_the_instant_follows_the_clocks_and_holds_follow_the_instant(office: Office) -> None:
    moved = await office.book(required_sites=THREE)
    stays = await office.book(start="2027-03-19T15:00")
    await by_other_rules(office, moved, 1)
    assert await move_ground(office) == Outcome(moved=1)
    after = await read(office, moved)
    assert after.start == moved.start + HOUR
    assert (after.revision, after.sequence) == (moved.revision + 1, moved.sequence + 1)
    assert after.tzdata_version == zones.TZDATA_VERSION
    assert after.status == "confirmed"
    taken = await held(office, moved)
    assert {code: span[0] for code, span in taken.items()} == {
        "lille-1": after.start, "calais-1": after.start, "roubaix-1": after.start,
        "mcu": after.start - timedelta(minutes=30),
    }  # fmt: skip
    assert await read(office, stays) == stays


async def test_tz01_other_rules_that_give_the_same_instant_leave_only_their_stamp(office: Office) -> None:
    booked = await office.book()
    await by_other_rules(office, booked, 0)
    assert await move_ground(office) == Outcome()
    assert await read(office, booked) == booked
    assert booked.tzdata_version == zones.TZDATA_VERSION


async def test_tz04_a_day_full_of_sessions_moves_by_an_hour_together(office: Office) -> None:
    """Each moves to where the next one stands: no guard is in the way."""
    day = [await office.book(start=f"2027-03-18T{hour:02}:00", required_sites=(), rooms={"lille": "lille-1"},
                             override_reason="Journée continue") for hour in range(9, 16)]  # fmt: skip
    for each in day:
        await by_other_rules(office, each, 1)
    assert await move_ground(office) == Outcome(moved=7)
    for each in day:
        after = await read(office, each)
        assert after.start == each.start + HOUR
        assert await held(office, each) == {"lille-1": (after.start, after.end, 1)}


async def test_tz04_a_session_that_moves_into_another_loses_the_room_if_it_was_booked_later(office: Office) -> None:
    for moves_first in (True, False):
        office.now = NOW
        day = "2027-03-18" if moves_first else "2027-03-19"
        first = await office.book(start=f"{day}T15:00", rooms={"lille": "lille-1"}, required_sites=("roubaix",))
        office.now += timedelta(minutes=1)
        second = await office.book(
            start=f"{day}T16:00", rooms={"lille": "lille-1"}, required_sites=("calais",), override_reason="Suite"
        )
        await by_other_rules(office, *((first, 1) if moves_first else (second, -1)))
        assert await move_ground(office, replace(office.directory)) == Outcome(moved=1, lost=1)
        assert lost(await read(office, first)) == []
        after = await read(office, second)
        assert lost(after) == ["lille"]
        assert after.status == "tentative"
        assert after.rooms_held == {"calais": "calais-1"}


async def test_tz04_a_site_by_hand_whose_own_clocks_show_another_hour_is_asked_again(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=("lens", "sainte-justine"), actor=ADMIN)
    for site in ("lens", "sainte-justine"):
        booked = await office.answer(booked, site, "accepted")
    assert booked.status == "confirmed"
    await by_other_rules(office, booked, 1)
    await move_ground(office)
    after = await read(office, booked)
    assert [p.answer for p in after.participations] == ["accepted", "accepted", "pending"]
    assert after.status == "tentative"


async def test_tz04_a_cancelled_session_has_the_hour_of_today_and_can_be_resumed(office: Office) -> None:
    booked = await office.book()
    cancelled = await office.bookings.cancel(ADMIN, booked.id, "postponed", "", sure=False)
    await by_other_rules(office, cancelled, 1)
    await move_ground(office)
    after = await read(office, booked)
    assert (after.status, after.start) == ("cancelled", booked.start + HOUR)
    assert await held(office, booked) == {}
    resumed = await office.bookings.resume(ADMIN, booked.id)
    assert resumed.start == booked.start + HOUR


async def test_a_session_in_an_hour_that_is_now_skipped_takes_place_and_can_be_changed(office: Office) -> None:
    """RFC 5545 § 3.3.5: with the offset before the gap, 03:30 by the clock."""
    booked = await office.book(start="2027-03-28T01:30", override_reason="Essai de nuit")
    await by_other_rules(office, booked, 1)
    await move_ground(office)
    after = await read(office, booked)
    assert after.start == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert f"{after.wall_start:%H:%M}" == "02:30"
    renamed = await office.change(after, title="Essai")
    wider = await office.change(renamed, required_sites=("calais", "roubaix"), override_reason="Essai de nuit")
    assert (wider.title, wider.start, wider.wall_start) == ("Essai", after.start, after.wall_start)


# The way back


@pytest.fixture
async def short_of_calais(open_office: Any) -> tuple[Office, Session]:
    """A session of Lille, Calais and Roubaix whose place in Calais was lost with its room; another one came."""
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    await move_ground(office, a_network(calais={"rooms": ("calais-2",)}))
    after = await read(office, booked)
    assert lost(after) == ["calais"]
    return office, after


@pytest.mark.parametrize("way", ["answer", "room", "move", "cancel"])
async def test_a_lost_place_is_taken_again_by_an_answer_a_room_or_another_hour(
    short_of_calais: tuple[Office, Session], way: str
) -> None:
    office, session = short_of_calais
    match way:
        case "answer":
            after = await office.answer(session, "calais", "accepted")
        case "room":
            after = await office.change(session, rooms={"calais": "calais-2"})
        case "move":
            after = await office.change(session, start="2027-03-19T15:00")
        case _:
            await office.bookings.cancel(ADMIN, session.id, "cancelled", "", sure=False)
            after = await office.bookings.resume(ADMIN, session.id)
    assert lost(after) == []
    assert (after.status, after.ports) == ("confirmed", 3)
    assert after.rooms_held["calais"] == "calais-2"
    assert (await held(office, session)).keys() == {"lille-1", "calais-2", "roubaix-1", "mcu"}


async def test_a_title_leaves_a_lost_place_lost_and_a_refusal_ends_it(short_of_calais: tuple[Office, Session]) -> None:
    office, session = short_of_calais
    renamed = await office.change(session, title="Staff")
    assert (lost(renamed), renamed.status) == (["calais"], "tentative")
    declined = await office.answer(renamed, "calais", "declined")
    assert (lost(declined), declined.status) == ([], "tentative")


async def test_others_answer_while_the_host_has_lost_its_place(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=("calais", "lens"), actor=ADMIN)
    await move_ground(office, a_network(lille={"rooms": ("lille-2",)}))
    other = await office.book(rooms={"lille": "lille-2"}, required_sites=(), actor=ADMIN)
    answered = await office.answer(await read(office, booked), "lens", "accepted")
    assert lost(answered) == ["lille"]
    assert (await held(office, booked)).keys() == {"calais-1", "lens-1"}
    for site in ("calais", "lens"):
        answered = await office.answer(answered, site, "declined")
    assert await held(office, booked) == {}
    with pytest.raises(BookingRefused) as refused:
        await office.answer(answered, "lille", "accepted")
    assert [conflict.code for conflict in refused.value.conflicts] == ["room_taken"]
    await office.bookings.cancel(ADMIN, other.id, "cancelled", "", sure=False)
    back = await office.answer(answered, "lille", "accepted")
    assert (lost(back), back.rooms_held) == ([], {"lille": "lille-2"})


async def test_a_site_agrees_while_the_session_waits_for_a_bridge_and_takes_it_when_it_is_free(
    open_office: Any,
) -> None:
    office: Office = await open_office(a_network())
    first = await office.book(required_sites=("roubaix", "sainte-justine"), actor=ADMIN)
    office.now += timedelta(minutes=1)
    booked = await office.book(
        host_site="calais", start="2027-03-18T16:00", required_sites=("lens", "lille"), actor=ADMIN
    )
    await move_ground(office, a_network(ports=3))
    agreed = await office.answer(await read(office, booked), "lens", "accepted")
    assert (lost(agreed), agreed.status) == ([None], "tentative")
    await office.bookings.cancel(ADMIN, first.id, "cancelled", "", sure=False)
    again = await office.answer(agreed, "lens", "accepted")
    assert (lost(again), again.status, again.ports) == ([], "confirmed", 3)


async def test_what_was_lost_comes_back_when_the_ground_moves_back(open_office: Any) -> None:
    """A mistake in the configuration, mended: rooms, ports and status are as before."""
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE, rooms={"lille": "lille-2"})
    other = await office.book(start="2027-03-19T15:00", required_sites=("calais", "roubaix", "lens"), actor=ADMIN)
    mistaken = a_network(lille={"rooms": ("lille-1",)}, calais={"active": False}, ports=2)
    assert (await move_ground(office, mistaken)).lost == 4
    assert (await read(office, booked)).status == "tentative"
    assert await move_ground(office, a_network()) == Outcome(back=4)
    for before in (booked, other):
        after = await read(office, before)
        assert lost(after) == []
        assert (after.status, after.bridge, after.ports) == (before.status, before.bridge, before.ports)
        assert after.rooms_held == before.rooms_held
        assert set(await held(office, before)) == {*before.rooms_held.values(), "mcu"}


async def test_what_was_lost_stays_lost_where_somebody_else_came_meanwhile(open_office: Any) -> None:
    office: Office = await open_office(a_network(ports=5))
    without = await office.book(required_sites=THREE)
    await move_ground(office, a_network(ports=2, calais={"active": False}))
    await move_ground(office, a_network(ports=2, roubaix={"active": False}))
    assert lost(await read(office, without)) == ["roubaix"]
    office.now += timedelta(minutes=1)
    await move_ground(office, a_network(ports=2))
    assert lost(await read(office, without)) == ["roubaix"]  # two need no bridge; for three there is none
    meanwhile = await office.book(host_site="roubaix", required_sites=(), actor=ADMIN)
    assert meanwhile.rooms_held == {"roubaix": "roubaix-1"}
    assert await move_ground(office, a_network(ports=5)) == Outcome()
    assert lost(await read(office, without)) == ["roubaix"]


async def test_two_sites_need_no_bridge_any_more(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    await move_ground(office, a_network(ports=2))
    after = await office.answer(await read(office, booked), "roubaix", "declined")
    assert (lost(after), after.bridge) == ([], None)


async def test_a_session_whose_site_left_the_configuration_can_be_renamed_but_not_moved(open_office: Any) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    for gone in ("calais", "lille"):
        await move_ground(office, a_network(without=gone))
        session = await read(office, booked)
        renamed = await office.change(session, actor=ADMIN, title=f"Sans {gone}", join_url="https://visio.example/a")
        assert (renamed.title, renamed.participations) == (f"Sans {gone}", session.participations)
    without = await office.change(renamed, actor=ADMIN, title=None)
    assert without.title == "Sans lille"


# Starting


async def test_nodes_that_start_at_once_settle_it_once(office: Office, database_url: str) -> None:
    booked = [await office.book(start=f"2027-03-{day}T15:00") for day in (16, 17, 18, 19)]
    for each in booked:
        await by_other_rules(office, each, 1)
    if office.database.dialect == "sqlite":  # one service a file
        await asyncio.gather(*(recalculation(office, office.directory).where_the_ground_moved() for _ in range(4)))
    else:
        async with opened(database_url) as one, opened(database_url) as other:
            for node in (one, other):
                await node.sync_resources(office.directory)
            nodes = [recalculation(office, office.directory, database=node) for node in (one, other)]
            await asyncio.gather(*(node.where_the_ground_moved() for node in nodes))
    for each in booked:
        after = await read(office, each)
        assert (after.revision, after.sequence, after.start) == (1, 1, each.start + HOUR)
    async with office.database.read() as tx:
        rows = (await tx.execute(select(audit).where(audit.c.action == "session_resettled"))).all()
    assert sorted(row.object_id for row in rows) == sorted(each.id for each in booked)
    assert {row.actor for row in rows} == {"system"}


async def test_people_book_change_and_cancel_on_another_node_meanwhile(office: Office, database_url: str) -> None:
    """Nobody meets a guard or a deadlock, and nothing is held twice."""
    booked = []
    for day in (15, 16, 17, 18, 19):
        for hour in (9, 11, 13, 15, 17):
            start = f"2027-03-{day}T{hour:02}:00"
            booked.append(await office.book(start=start, required_sites=THREE, override_reason="Suite"))
            await by_other_rules(office, booked[-1], (1, 0, -1)[hour % 3])

    async def people(other: Office) -> None:
        for number, session in enumerate(booked):
            try:
                match number % 4:
                    case 0:
                        await other.change(session, title="Staff", start=f"{session.wall_start:%Y-%m-%d}T08:00")
                    case 1:
                        await other.bookings.cancel(ADMIN, session.id, "cancelled", "", sure=False)
                    case 2:
                        await other.answer(session, "calais", "declined")
                    case _:
                        start = f"{session.wall_start + HOUR:%Y-%m-%dT%H:%M}"
                        await other.book(start=start, required_sites=THREE, override_reason="Suite")
            except (BookingRefused, RevisionMismatch):
                continue

    async with (
        opened(database_url) if office.database.dialect == "postgresql" else nullcontext(office.database) as node
    ):
        await node.sync_resources(office.directory)
        others = [Office(node, office.directory, now=office.now) for _ in range(3)]
        await office.database.sync_resources(smaller := a_network(calais={"rooms": ()}))
        bit_by_bit = replace(recalculation(office, smaller), spell=2)
        await asyncio.gather(bit_by_bit.where_the_ground_moved(), *(people(other) for other in others))
    async with office.database.read() as tx:
        assert await guards.double_booked(tx) == []
        rows = (await tx.execute(select(holds, resources.c.capacity).join(resources))).all()
    for row in rows:
        beside = (r for r in rows if r.resource_id == row.resource_id and r.starts <= row.starts < r.ends)
        assert sum(other.units for other in beside) <= row.capacity
    for _ in range(2):  # what was booked behind its back is put right by the next
        await office.database.write(lambda tx: store.note_ground(tx, "another"))
        outcome = await move_ground(office, smaller)
    assert outcome == Outcome()
    in_calais = await office.enquiries.sessions(ADMIN, SessionFilter(site="calais"), after=None, limit=100)
    standing = [session for session in in_calais.sessions if session.status != "cancelled"]
    assert not any("calais" in session.rooms_held for session in standing)


@dataclass
class Failing:
    """A database that goes away after some writes."""

    database: Database
    left: int
    done: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        if not self.left:
            raise Unavailable
        self.left -= 1
        return await self.database.write(work)


async def test_a_start_that_is_cut_off_is_finished_by_the_next(office: Office) -> None:
    booked = [await office.book(start=f"2027-03-{day}T15:00") for day in (16, 17, 18, 19)]
    for each in booked:
        await by_other_rules(office, each, 1)
    cut: Any = Failing(office.database, left=2)
    with pytest.raises(Unavailable):
        one_by_one = replace(recalculation(office, office.directory, database=cut), spell=1)
        await one_by_one.where_the_ground_moved()
    moved = [(await read(office, each)).start != each.start for each in booked]
    assert moved == [True, True, False, False]
    assert await move_ground(office) == Outcome(moved=2)
    assert [(await read(office, each)).sequence for each in booked] == [1, 1, 1, 1]


async def test_the_statements_do_not_grow_with_the_sessions_of_a_spell(office: Office) -> None:
    await move_ground(office)
    totals = []
    for days in (range(15, 17), range(17, 27)):
        booked = [
            await office.book(start=f"2027-03-{day}T{hour:02}:00", required_sites=THREE, override_reason="Suite")
            for day in days
            for hour in (9, 11, 14, 16)
        ]
        for each in booked:
            await by_other_rules(office, each, 1)
        with office.database.counting() as count:
            assert (await move_ground(office, replace(office.directory))).moved == len(booked)
        totals.append(count.total)
    assert totals[0] == totals[1]


def test_spells_are_never_crossed_and_as_small_as_can_be() -> None:
    def span(start: float, end: float) -> Interval:
        return Interval(NOW + start * HOUR, NOW + end * HOUR)

    spans = [span(5, 6), span(0, 2), span(1, 3), span(2, 4), span(7, 8), span(8, 9)]
    assert spells(spans, 2) == [span(0, 4), span(5, 8), span(8, 9)]
    assert spells([], 2) == []


async def test_a_calendar_that_closes_a_site_or_makes_a_room_busy_costs_their_places(
    open_office: Any, tmp_path: Any
) -> None:
    office: Office = await open_office(a_network())
    booked = await office.book(required_sites=THREE)
    directory = a_network()
    for name in ("calais", "roubaix-1"):
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20270101T000000Z",
                 "DTSTART;VALUE=DATE:20270318", "SUMMARY:Fermé", "END:VEVENT", "END:VCALENDAR", ""]  # fmt: skip
        (tmp_path / f"{name}.ics").write_text("\r\n".join(lines))
    problems: list[Any] = []
    closed = Calendars.read(tmp_path, directory, problems)
    assert problems == []
    outcome = await recalculation(office, directory, closed).where_the_ground_moved()
    assert outcome.lost == 2
    assert lost(await read(office, booked)) == ["calais", "roubaix"]
    async with office.database.read() as tx:
        assert await store.ground(tx) is not None
