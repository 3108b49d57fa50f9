"""Searching and listing on a real database: what is listed can be booked, what may not be seen is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest

from perinat_sched import zones
from perinat_sched.booking.request import Asked
from perinat_sched.booking.session import Session
from perinat_sched.booking.slot_request import SlotsAsked
from perinat_sched.booking.store import SessionFilter
from perinat_sched.errors import BookingRefused, Forbidden, InvalidRequest, NotFound
from perinat_sched.people.access import Actor
from tests.booking.conftest import ADMIN, OF_CALAIS, OF_LILLE, Office
from tests.builders import a_directory, a_site

WEEK: dict[str, Any] = {"first_day": date(2027, 3, 15), "last_day": date(2027, 3, 19)}
SEARCH = SlotsAsked(sites=("lille", "calais", "sainte-justine"), kind="staff", **WEEK)


async def test_every_slot_listed_books_and_none_that_books_is_missing(office: Office) -> None:
    await office.book(start="2027-03-18T15:00")
    await office.book(start="2027-03-16T14:00", required_sites=("roubaix",))
    asked = SlotsAsked(sites=SEARCH.sites, kind="staff", step_minutes=30, limit=500, **WEEK)
    _, found = await office.enquiries.search(OF_LILLE, asked)
    listed = {slot.start for slot in found.slots}
    assert len(listed) == found.bookable > 10
    start = zones.start_of_day(date(2027, 3, 15), "Europe/Paris")
    for step in range(5 * 48):
        moment = start + timedelta(minutes=30 * step)
        wanted = Asked(
            kind="staff", host_site="lille", start=moment.isoformat(), required_sites=("calais", "sainte-justine")
        )
        try:
            booked = await office.bookings.book(OF_LILLE, wanted)
        except BookingRefused:
            assert moment not in listed, moment
        else:
            assert moment in listed, moment
            assert isinstance(booked, Session)
            await office.bookings.cancel(OF_LILLE, booked.id, "cancelled", "", sure=False)


async def test_a_trial_finds_what_booking_finds_and_books_nothing(office: Office) -> None:
    await office.book(start="2027-03-18T15:00")
    free = Asked(kind="staff", host_site="lille", start="2027-03-19T15:00", required_sites=("calais",))
    taken = replace(free, start="2027-03-18T15:30")

    for asked in (free, taken, replace(free, start="2027-03-20T15:00", required_sites=("roubaix",))):
        tried = await office.enquiries.trial(OF_LILLE, asked)
        try:
            booked = await office.bookings.book(OF_LILLE, asked)
        except BookingRefused as refused:
            assert tried.fit.conflicts == refused.conflicts
            assert tried.alternatives == refused.alternatives != ()
        else:
            assert isinstance(booked, Session)
            assert tried.fit.bookable and tried.alternatives == ()
            assert {place.site.code: place.room.code for place in tried.fit.places if place.room} == booked.rooms_held
    for wrong, error in ((replace(free, kind="x"), InvalidRequest), (replace(free, host_site="calais"), Forbidden)):
        with pytest.raises(error):
            await office.enquiries.trial(OF_LILLE, replace(wrong, required_sites=()))


async def test_montreal_s_odd_week_opens_an_hour_earlier_in_paris(office: Office) -> None:
    async def first(day: date) -> str:
        asked = SlotsAsked(sites=SEARCH.sites, kind="staff", first_day=day, last_day=day)
        _, found = await office.enquiries.search(OF_LILLE, asked)
        return f"{zones.to_local(found.slots[0].start, 'Europe/Paris'):%H:%M}"

    assert await first(date(2027, 3, 11)) == "14:00"
    assert await first(date(2027, 3, 18)) == "13:00"


async def test_a_search_says_which_site_stands_in_the_way(office: Office) -> None:
    day = date(2027, 3, 18)
    for start in ("2027-03-18T08:00", "2027-03-18T12:00", "2027-03-18T16:00"):
        await office.book(start=start, duration_minutes=180, host_site="roubaix", actor=ADMIN)
    _, found = await office.enquiries.search(
        OF_LILLE, SlotsAsked(sites=("lille", "calais"), kind="staff", first_day=day, last_day=day)
    )
    assert not found.slots
    by_site = {entry.site: entry for entry in found.blocking}
    assert by_site["calais"].slots_without == (19 - 8 - 1) * 12 + 1
    assert set(by_site["calais"].reasons) <= {"room_taken", "set_up_overlap"}
    assert by_site["lille"].slots_without == 0


async def test_a_search_costs_the_same_statements_for_two_sites_and_fifty(open_office: Any) -> None:
    names = [f"s{number}" for number in range(50)]
    office = await open_office(a_directory(*(a_site(name) for name in names), ports=60))

    async def statements(sites: int, days: int) -> int:
        asked = SlotsAsked(
            sites=tuple(names[:sites]),
            kind="staff",
            first_day=date(2027, 3, 2),
            last_day=date(2027, 3, 2) + timedelta(days=days),
        )
        with office.database.counting() as count:
            await office.enquiries.search(ADMIN, asked)
        return count.total

    few = await statements(2, 1)
    for number in range(5):
        await office.book(
            actor=ADMIN, host_site=names[number], required_sites=(names[40 + number],), start="2027-03-04T15:00"
        )
    assert few == await statements(50, 365) == 2


async def test_a_search_for_a_session_to_be_moved_counts_its_own_places_as_free(office: Office) -> None:
    session = await office.book()
    day = session.wall_start.date()
    hour: dict[str, Any] = {"first_day": day, "last_day": day, "after": time(15), "before": 16 * 60 + 30}
    asked: dict[str, Any] = {"sites": ("lille", "calais"), "kind": "staff", **hour}
    _, taken = await office.enquiries.search(OF_LILLE, SlotsAsked(**asked))
    _, free = await office.enquiries.search(OF_LILLE, SlotsAsked(**asked, except_session=session.id))
    assert (len(taken.slots), len(free.slots)) == (0, 7)
    stranger = Actor(token="x", role="clinician", sites=frozenset(("lens",)))
    with pytest.raises(NotFound):
        await office.enquiries.search(stranger, SlotsAsked(**asked, except_session=session.id))


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("site", {"sites": ()}),
        ("site", {"sites": ("nowhere",)}),
        ("site[0]", {"sites": ("lille", "nowhere")}),
        ("site[0]", {"sites": ("lille", "lille")}),
        ("site", {"sites": tuple(f"s{n}" for n in range(51))}),
        ("optional_site[0]", {"optional_sites": ("calais",)}),
        ("kind", {"kind": "dance"}),
        ("duration_minutes", {"kind": None}),
        ("duration_minutes", {"duration_minutes": 7}),
        ("room[0]", {"rooms": ("calais",)}),
        ("room[0]", {"rooms": ("calais:lille-1",)}),
        ("room[0]", {"rooms": ("lens:lens-1",)}),
        ("to", {"last_day": date(2027, 3, 14)}),
        ("to", {"last_day": date(2028, 3, 15)}),
        ("from", {"first_day": date(1999, 1, 1), "last_day": date(1999, 1, 2)}),
        ("from", {"first_day": date(9999, 12, 31), "last_day": date(9999, 12, 31)}),
        ("limit", {"limit": 501}),
        ("step_minutes", {"step_minutes": 7}),
        ("before", {"after": time(12), "before": 12 * 60}),
        ("timezone", {"timezone": "localtime"}),
        ("network", {"network": "nowhere"}),
    ],
)
async def test_a_wrong_search_names_the_field(office: Office, field: str, asked: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"sites": ("lille", "calais"), "kind": "staff", **WEEK}
    with pytest.raises(InvalidRequest) as refusal:
        await office.enquiries.search(OF_LILLE, SlotsAsked(**(usual | asked)))
    assert field in [error.field for error in refusal.value.errors]


async def test_a_list_shows_what_the_reader_sees_in_order_and_by_pages(office: Office) -> None:
    ours = [await office.book(start=f"2027-03-{day}T15:00") for day in (18, 17, 16)]
    elsewhere = await office.book(host_site="roubaix", required_sites=("lens",), actor=ADMIN, start="2027-03-15T15:00")
    everything = SessionFilter()

    async def seen(actor: Actor, wanted: SessionFilter = everything) -> list[str]:
        ids, after = [], None
        while True:
            page = await office.enquiries.sessions(actor, wanted, after=after, limit=2)
            ids += [session.id for session in page.sessions]
            after = page.next
            if after is None:
                return ids

    in_order = [session.id for session in reversed(ours)]
    assert await seen(ADMIN) == [elsewhere.id, *in_order]
    assert await seen(OF_CALAIS) == [elsewhere.id, *in_order], "kind and time in her networks"
    assert await seen(Actor(token="c", role="clinician", sites=frozenset(("calais",)))) == in_order
    assert await seen(OF_CALAIS, SessionFilter(site="lens")) == [], "who takes part elsewhere is not told"
    assert await seen(ADMIN, SessionFilter(site="lens")) == [elsewhere.id]
    on_days = SessionFilter(first_day=date(2027, 3, 16), last_day=date(2027, 3, 17))
    assert await seen(ADMIN, on_days) == in_order[:2]


async def test_days_of_a_list_are_those_of_each_host(open_office: Any) -> None:
    office = await open_office(a_directory(a_site("noumea", timezone="Pacific/Noumea"), a_site("lille")))
    session = await office.book(actor=ADMIN, host_site="noumea", required_sites=(), start="2027-03-18T08:00")
    assert f"{session.start:%d}" == "17", "it is still the day before in UTC"
    found = await office.enquiries.sessions(
        ADMIN, SessionFilter(first_day=date(2027, 3, 18), last_day=date(2027, 3, 18)), after=None, limit=10
    )
    assert [one.id for one in found.sessions] == [session.id]


async def test_lists_agree_with_what_single_readings_say(open_office: Any) -> None:
    networks = {"a": ("one",), "b": ("one", "two"), "c": ("two",), "d": ("one", "two")}
    office = await open_office(a_directory(*(a_site(code, networks=of) for code, of in networks.items()), ports=None))
    shapes = [("a", "b", "one"), ("b", "a", "one"), ("b", "c", "two"), ("d", "c", "two"), ("c", None, "two")]
    for day, (host, other, network) in enumerate(shapes, start=8):
        await office.book(
            actor=ADMIN,
            host_site=host,
            required_sites=(other,) if other else (),
            network=network,
            start=f"2027-03-{day:02}T10:00",
        )
    everything = (await office.enquiries.sessions(ADMIN, SessionFilter(), after=None, limit=10)).sessions
    assert len(everything) == len(shapes)
    places = [frozenset(), frozenset("a"), frozenset("c"), frozenset("ad")]
    for role in ("admin", "coordinator", "clinician"):
        for sites in places:
            for nets in (frozenset(), frozenset(("one",)), frozenset(("two",))):
                actor = Actor(token="x", role=role, sites=sites, networks=nets)
                page = await office.enquiries.sessions(actor, SessionFilter(), after=None, limit=10)
                seen = [one.id for one in everything if office.enquiries.sight(actor, one) != "none"]
                assert [one.id for one in page.sessions] == seen, actor
                for site in networks:
                    page = await office.enquiries.sessions(actor, SessionFilter(site=site), after=None, limit=10)
                    in_full = [
                        o.id for o in everything if site in o.sites and office.enquiries.sight(actor, o) == "full"
                    ]
                    assert [one.id for one in page.sessions] == in_full, (actor, site)
