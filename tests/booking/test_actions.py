"""Booking, changing, cancelling and answering, on both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused, Forbidden, InvalidRequest, NotFound, RevisionMismatch
from perinat_sched.people.access import Actor
from perinat_sched.storage.tables import audit, holds
from tests.booking.conftest import ADMIN, OF_CALAIS, OF_LILLE, Office
from tests.builders import a_directory, a_partner, a_site


def codes(refusal: pytest.ExceptionInfo[BookingRefused]) -> list[tuple[str, str | None]]:
    return sorted((conflict.code, conflict.site) for conflict in refusal.value.conflicts)


def answers(session: Session) -> dict[str, str]:
    return {p.site: p.answer for p in session.participations}


async def held(office: Office) -> int:
    async with office.database.read() as tx:
        return len((await tx.execute(select(holds))).all())


async def test_a_session_takes_a_room_at_each_site_and_no_bridge_for_two(office: Office) -> None:
    session = await office.book()
    assert [(p.site, p.room, p.answer) for p in session.participations] == [
        ("lille", "lille-1", "accepted"),
        ("calais", "calais-1", "accepted"),
    ]
    assert (session.bridge, session.ports, session.status) == (None, 0, "confirmed")
    assert (session.revision, session.sequence) == (0, 0)
    assert await office.enquiries.get(OF_LILLE, session.id) == session


async def test_three_sites_meet_on_a_bridge_with_a_port_each(office: Office) -> None:
    session = await office.book(required_sites=("calais", "sainte-justine"))
    assert (session.bridge, session.ports) == ("mcu", 3)
    assert session.participation("sainte-justine").room is None
    assert answers(session)["sainte-justine"] == "pending"
    assert session.status == "tentative"


async def test_two_sessions_never_overlap_in_a_room_and_the_refusal_offers_alternatives(office: Office) -> None:
    first = await office.book(rooms={"lille": "lille-1"})
    with pytest.raises(BookingRefused) as refusal:
        await office.book(start="2027-03-18T15:30")
    assert codes(refusal) == [("room_taken", "calais")]
    assert (hold := refusal.value.conflicts[0].hold) and hold.session == first.id
    offered = refusal.value.alternatives
    assert [slot.start.isoformat() for slot in offered] == [
        "2027-03-18T15:45:00+00:00",  # 16:45 in Lille: release and set-up of Calais's one room are kept apart
        "2027-03-18T16:45:00+00:00",
        "2027-03-19T07:00:00+00:00",
    ]
    assert (await office.book(start=offered[0].start.isoformat())).status == "confirmed"


async def test_all_reasons_are_reported_at_once(office: Office) -> None:
    await office.book()
    office.now += timedelta(days=17, hours=5, minutes=45)  # 14:45 in Lille
    with pytest.raises(BookingRefused) as refusal:
        await office.book(start="2027-03-18T15:55", duration_minutes=540, required_sites=("calais", "sainte-justine"))
    assert codes(refusal) == [
        ("outside_hours", "calais"),
        ("outside_hours", "lille"),
        ("outside_hours", "sainte-justine"),
        ("room_taken", "calais"),
        ("too_late", None),
        ("too_long", None),
    ]


async def test_a_reason_overrides_what_may_be_overridden_and_asks_the_site(office: Office) -> None:
    evening: dict[str, Any] = {"start": "2027-03-18T19:00", "required_sites": ("calais",)}
    with pytest.raises(BookingRefused) as refusal:
        await office.book(**evening)
    assert all(conflict.overridable for conflict in refusal.value.conflicts)
    session = await office.book(**evening, override_reason="Astreinte")
    assert answers(session) == {"lille": "accepted", "calais": "pending"}, "the caller's own site agrees by asking"
    assert [p.overridden for p in session.participations] == [True, True]
    assert session.status == "tentative"


async def test_a_reason_never_overrides_a_taken_room(office: Office) -> None:
    await office.book()
    with pytest.raises(BookingRefused):
        await office.book(start="2027-03-18T15:30", override_reason="Urgent")


async def test_set_up_alone_is_overridable_in_a_room(office: Office) -> None:
    await office.book(rooms={"lille": "lille-1"})
    with pytest.raises(BookingRefused) as refusal:
        await office.book(start="2027-03-18T16:10")
    assert codes(refusal) == [("set_up_overlap", "calais")]
    assert (await office.book(start="2027-03-18T16:10", override_reason="Court")).status == "tentative"


async def test_an_optional_site_that_is_not_free_takes_part_without_a_place(office: Office) -> None:
    await office.book(host_site="roubaix", required_sites=("calais",), actor=ADMIN)
    session = await office.book(required_sites=(), optional_sites=("calais", "lens"))
    calais, lens = session.participation("calais"), session.participation("lens")
    assert (calais.answer, calais.room, calais.held) == ("pending", None, False)
    assert (lens.answer, lens.room) == ("pending", "lens-1")
    assert session.status == "confirmed"
    with pytest.raises(BookingRefused) as refusal:
        await office.answer(session, "calais", "accepted")
    assert codes(refusal) == [("room_taken", "calais")]


async def test_an_optional_site_takes_room_and_port_when_it_accepts_later(office: Office) -> None:
    other = await office.book(host_site="roubaix", required_sites=("calais",), actor=ADMIN)
    session = await office.book(required_sites=("lens",), optional_sites=("calais",))
    assert session.ports == 0
    await office.bookings.cancel(ADMIN, other.id, "cancelled", "", sure=False)
    accepted = await office.answer(session, "calais", "accepted")
    assert (accepted.participation("calais").room, accepted.bridge, accepted.ports) == ("calais-1", "mcu", 3)


async def test_optional_sites_get_ports_in_the_order_given(open_office) -> None:
    office = await open_office(a_directory(a_site("lille"), a_site("calais"), a_site("lens"), a_site("arras"), ports=3))
    session = await office.book(required_sites=("lens",), optional_sites=("arras", "calais"))
    assert [(p.site, p.held) for p in session.participations[2:]] == [("arras", True), ("calais", False)]
    assert session.ports == 3


async def test_a_session_is_confirmed_once_every_required_site_has_accepted(office: Office) -> None:
    session = await office.book(required_sites=("lens",), optional_sites=("sainte-justine",))
    assert session.status == "tentative"
    accepted = await office.answer(session, "lens", "accepted")
    assert (accepted.status, accepted.revision, accepted.sequence) == ("confirmed", 1, 1)
    again = await office.answer(accepted, "lens", "accepted")
    assert again == accepted, "the same answer changes nothing"


async def test_a_required_site_that_declines_frees_its_place(office: Office) -> None:
    session = await office.book(required_sites=("calais", "lens"))
    declined = await office.answer(session, "calais", "declined")
    assert (declined.status, declined.bridge, declined.ports) == ("tentative", None, 0)
    assert (declined.participation("calais").room, declined.participation("calais").held) == (None, False)
    other = await office.book(host_site="roubaix", required_sites=("calais",), actor=ADMIN)
    assert other.participation("calais").room == "calais-1"
    with pytest.raises(BookingRefused):
        await office.answer(declined, "calais", "accepted")


async def test_the_host_cannot_decline(office: Office) -> None:
    session = await office.book()
    with pytest.raises(InvalidRequest) as refusal:
        await office.answer(session, "lille", "declined")
    assert [error.field for error in refusal.value.errors] == ["answer"]


async def test_a_site_may_answer_with_another_room(office: Office) -> None:
    session = await office.book()
    moved = await office.answer(session, "lille", "accepted", room="lille-2")
    assert moved.participation("lille").room == "lille-2"
    assert moved.sequence == 1
    with pytest.raises(InvalidRequest):
        await office.answer(session, "lille", "accepted", room="calais-1")


async def test_moving_within_its_own_slot_works_and_asks_by_hand_sites_again(office: Office) -> None:
    session = await office.book(required_sites=("calais", "lens"))
    session = await office.answer(session, "lens", "accepted")
    moved = await office.change(session, start="2027-03-18T15:30")
    assert moved.start == session.start + timedelta(minutes=30)
    assert answers(moved) == {"lille": "accepted", "calais": "accepted", "lens": "pending"}
    assert (moved.revision, moved.sequence, moved.status) == (2, 2, "tentative")
    assert [p.room for p in moved.participations] == [p.room for p in session.participations]


async def test_a_title_changes_the_revision_and_nothing_else(office: Office) -> None:
    session = await office.answer(await office.book(required_sites=("lens",)), "lens", "accepted")
    renamed = await office.change(session, title="Visio Périnat — réunion", description="Ordre du jour")
    assert (renamed.revision, renamed.sequence) == (session.revision + 1, session.sequence)
    assert answers(renamed) == answers(session)


async def test_the_zone_alone_keeps_the_wall_time_and_the_start_alone_keeps_the_zone(office: Office) -> None:
    session = await office.book(required_sites=())
    there = await office.change(session, timezone="America/Montreal", start="2027-03-18T10:00")
    assert (there.timezone, there.start) == ("America/Toronto", session.start)
    later = await office.change(there, start="2027-03-18T11:00")
    assert later.timezone == "America/Toronto"
    back = await office.change(later, timezone="Europe/Paris")
    assert f"{back.wall_start:%H:%M}" == "11:00"


async def test_a_refused_change_leaves_everything_as_it_was(office: Office) -> None:
    await office.book(host_site="roubaix", required_sites=("calais",), start="2027-03-18T10:00", actor=ADMIN)
    session, before = await office.book(), await held(office)
    with pytest.raises(BookingRefused):
        await office.change(session, start="2027-03-18T10:30", title="Autre")
    assert await office.enquiries.get(OF_LILLE, session.id) == session
    assert await held(office) == before


async def test_a_stale_revision_is_refused(office: Office) -> None:
    session = await office.book()
    await office.change(session, title="Un")
    with pytest.raises(RevisionMismatch):
        await office.change(session, title="Deux")


async def test_replacing_the_required_sites_keeps_answer_and_room_of_those_that_stay(office: Office) -> None:
    session = await office.book(required_sites=("calais", "lens"))
    session = await office.answer(session, "lens", "accepted")
    changed = await office.change(session, required_sites=("lens", "roubaix"))
    assert answers(changed) == {"lille": "accepted", "lens": "accepted", "roubaix": "accepted"}
    assert changed.status == "confirmed"
    assert await held(office) == 4, "three rooms and the bridge"


async def test_an_overridden_session_can_be_renamed_and_enlarged_without_a_new_reason(office: Office) -> None:
    session = await office.book(start="2027-03-18T18:30", override_reason="Astreinte")
    renamed = await office.change(session, title="Autre")
    with pytest.raises(BookingRefused) as refusal:
        await office.change(renamed, required_sites=("calais", "roubaix"))
    assert codes(refusal) == [("outside_hours", "roubaix")], "only the new site's hours count"


async def test_a_cancelled_session_frees_its_places_and_takes_them_again(office: Office) -> None:
    session = await office.book()
    cancelled = await office.bookings.cancel(OF_LILLE, session.id, "no_case", "Aucun dossier", sure=False)
    assert (cancelled.status, cancelled.sequence) == ("cancelled", 1)
    assert await held(office) == 0
    again = await office.bookings.cancel(OF_LILLE, session.id, "cancelled", "", sure=False)
    assert again == cancelled, "cancelling twice changes nothing"
    with pytest.raises(InvalidRequest) as refusal:
        await office.change(cancelled, title="x")
    assert refusal.value.errors[0].field == "status"
    resumed = await office.bookings.resume(OF_LILLE, session.id)
    assert (resumed.status, resumed.sequence) == ("confirmed", 2)
    assert resumed.participations == session.participations


async def test_a_cancellation_cannot_be_undone_when_the_place_was_given_away(office: Office) -> None:
    session = await office.book()
    await office.bookings.cancel(OF_LILLE, session.id, "cancelled", "", sure=False)
    await office.book(host_site="roubaix", required_sites=("calais",), actor=ADMIN)
    with pytest.raises(BookingRefused) as refusal:
        await office.bookings.resume(OF_LILLE, session.id)
    assert codes(refusal) == [("room_taken", "calais")]


async def test_a_past_session_may_be_cancelled_but_not_moved_into_the_past(office: Office) -> None:
    session = await office.book()
    office.now += timedelta(days=30)
    with pytest.raises(BookingRefused) as refusal:
        await office.change(session, start="2027-03-19T15:00")
    assert codes(refusal) == [("in_the_past", None)]
    assert (await office.bookings.cancel(OF_LILLE, session.id, "no_show", "", sure=False)).status == "cancelled"


async def test_only_its_host_s_coordinator_changes_a_session_and_others_do_not_see_it(office: Office) -> None:
    session = await office.book(required_sites=("calais",))
    with pytest.raises(Forbidden):
        await office.change(session, actor=OF_CALAIS, title="x")
    with pytest.raises(Forbidden):
        await office.book(actor=OF_CALAIS)
    with pytest.raises(Forbidden):
        await office.answer(session, "lille", "tentative", actor=OF_CALAIS)
    clinician = Actor(token="c", role="clinician", sites=frozenset(("lens",)))
    with pytest.raises(NotFound):
        await office.enquiries.get(clinician, session.id)
    with pytest.raises(NotFound):
        await office.answer(session, "roubaix", "accepted")


async def test_every_change_leaves_an_audit_row_in_its_transaction(office: Office) -> None:
    session = await office.book(required_sites=("lens",))
    session = await office.answer(session, "lens", "accepted")
    session = await office.change(session, title="Autre")
    await office.bookings.cancel(OF_LILLE, session.id, "cancelled", "", sure=False)
    await office.bookings.resume(OF_LILLE, session.id)
    async with office.database.read() as tx:
        rows = (await tx.execute(select(audit).order_by(audit.c.id))).all()
    assert [row.action for row in rows] == [
        "session_booked", "session_answered", "session_changed", "session_cancelled", "session_resumed",
    ]  # fmt: skip
    assert {row.object_id for row in rows} == {session.id}


async def test_a_booking_needs_a_constant_number_of_statements(open_office) -> None:
    async def statements(sites: int) -> int:
        names = [f"s{number}" for number in range(sites)]
        directory = a_directory(*(a_site(name) for name in names), ports=60)
        office = await open_office(directory)
        with office.database.counting() as count:
            await office.book(
                actor=ADMIN, host_site="s0", required_sites=tuple(names[1:]), start=f"2027-03-{sites + 1:02}T15:00"
            )
        return count.total

    assert await statements(3) == await statements(24)


async def test_moving_by_hand_places_asks_a_declined_site_again(office: Office) -> None:
    session = await office.book(required_sites=("lens",))
    session = await office.answer(session, "lens", "declined")
    moved = await office.change(session, start="2027-03-19T15:00")
    assert answers(moved)["lens"] == "pending"
    assert moved.participation("lens").room == "lens-1"


async def test_lengthening_too_late_may_be_overridden_even_in_progress(office: Office) -> None:
    session = await office.book()
    office.now = session.start + timedelta(minutes=10)
    with pytest.raises(BookingRefused) as refusal:
        await office.change(session, duration_minutes=90)
    assert codes(refusal) == [("too_late", None)]
    longer = await office.change(session, duration_minutes=90, override_reason="Discussion prolongée")
    assert longer.duration == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("kind", {"kind": "dance"}),
        ("host_site", {"host_site": "nowhere"}),
        ("required_sites[0]", {"required_sites": ("nowhere",)}),
        ("required_sites[1]", {"required_sites": ("calais", "calais")}),
        ("required_sites[0]", {"required_sites": ("lille",)}),
        ("optional_sites[0]", {"optional_sites": ("calais",)}),
        ("network", {"network": "nowhere"}),
        ("rooms.calais", {"rooms": {"calais": "lille-1"}}),
        ("rooms.lens", {"rooms": {"lens": "lens-1"}}),
        ("duration_minutes", {"duration_minutes": 7}),
        ("duration_minutes", {"duration_minutes": 0}),
        ("duration_minutes", {"duration_minutes": 25 * 60}),
        ("start", {"start": "2027-03-18T15:02"}),
        ("start", {"start": "2027-03-18"}),
        ("start", {"start": "2027-02-30T15:00"}),
        ("start", {"start": "0000-01-01T00:00"}),
        ("start", {"start": "9999-12-31T23:55"}),
        ("start", {"start": "2200-01-01T12:00"}),
        ("start", {"start": "2027-03-18T15:00:00+99:99"}),
        ("start", {"start": "2027-03-18T23:59:60Z"}),
        ("timezone", {"timezone": "Europe/Pari"}),
        ("timezone", {"timezone": "../../etc/passwd"}),
        ("timezone", {"timezone": ""}),
    ],
)
async def test_a_wrong_field_is_named(office: Office, field: str, changes: dict) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await office.book(**changes)
    assert field in [error.field for error in refusal.value.errors]
    assert await held(office) == 0


async def test_the_network_must_be_named_where_the_host_is_in_several(open_office) -> None:
    office = await open_office(
        a_directory(a_site("lille", networks=("metropole", "perinat")), a_site("calais"), a_partner())
    )
    with pytest.raises(InvalidRequest):
        await office.book()
    with pytest.raises(InvalidRequest) as refusal:
        await office.book(network="metropole")
    assert [error.field for error in refusal.value.errors] == ["required_sites[0]"]
    assert (await office.book(network="perinat")).network == "perinat"


async def test_an_unknown_kind_is_the_only_error_it_causes(office: Office) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await office.book(kind="dance")
    assert [error.field for error in refusal.value.errors] == ["kind"]


async def test_a_length_or_title_given_as_null_goes_back_to_the_kind_s(office: Office) -> None:
    session = await office.book(duration_minutes=90, title="Autre")
    changed = await office.change(session, duration_minutes=None, title=None)
    assert (changed.duration, changed.title) == (timedelta(minutes=60), "Visio Périnat — staff")


async def test_a_session_is_not_moved_into_a_network_where_one_may_not_book(open_office: Any) -> None:
    both = ("hpsm", "perinat")
    office = await open_office(a_directory(a_site("lille", networks=both), a_site("seclin", networks=both)))
    of_hpsm = Actor(token="hpsm", role="coordinator", networks=frozenset(("hpsm",)))
    session = await office.book(actor=of_hpsm, network="hpsm", required_sites=("seclin",))
    with pytest.raises(Forbidden):
        await office.change(session, actor=of_hpsm, network="perinat")
    assert (await office.change(session, actor=ADMIN, network="perinat")).network == "perinat"


async def test_replacing_the_sites_forgets_the_rooms_asked_for_at_those_that_leave(office: Office) -> None:
    session = await office.book(rooms={"calais": "calais-1", "lille": "lille-2"})
    changed = await office.change(session, required_sites=("roubaix",))
    assert [(p.site, p.room, p.room_asked) for p in changed.participations] == [
        ("lille", "lille-2", True),
        ("roubaix", "roubaix-1", False),
    ]


async def test_a_room_that_is_no_longer_asked_for_may_be_another_one_after_a_move(office: Office) -> None:
    taken = {"host_site": "roubaix", "required_sites": ("lille",), "rooms": {"lille": "lille-2"}}
    await office.book(actor=ADMIN, start="2027-03-19T15:00", **taken)
    session = await office.book(rooms={"lille": "lille-2"})
    with pytest.raises(BookingRefused):
        await office.change(session, start="2027-03-19T15:00")
    free = await office.change(session, rooms={})
    assert free.participation("lille").room == "lille-2", "it stays while nothing calls for another"
    moved = await office.change(free, start="2027-03-19T15:00")
    assert moved.participation("lille").room == "lille-1"
    asked = await office.change(moved, rooms={"lille": "lille-1"})
    assert (asked.participation("lille").room_asked, asked.sequence) == (True, moved.sequence)


async def test_moving_an_overridden_session_into_open_hours_confirms_it(office: Office) -> None:
    session = await office.book(actor=ADMIN, start="2027-03-18T20:00", override_reason="Astreinte")
    assert answers(session) == {"lille": "pending", "calais": "pending"}
    moved = await office.change(session, actor=ADMIN, start="2027-03-18T15:00")
    assert (answers(moved), moved.status) == ({"lille": "accepted", "calais": "accepted"}, "confirmed")


@pytest.mark.parametrize("gone", ["calais", "its-room", "inactive"])
async def test_a_site_answers_although_another_one_left_the_configuration(open_office: Any, gone: str) -> None:
    lens = a_site("lens", answers="by_hand")
    office = await open_office(a_directory(a_site("lille"), a_site("calais"), lens))
    session = await office.book(required_sites=("calais", "lens"))
    left = {
        "calais": [],
        "its-room": [a_site("calais", rooms=("another",))],
        "inactive": [a_site("calais", active=False)],
    }[gone]
    today = a_directory(a_site("lille"), *left, lens)
    await office.database.sync_resources(today)
    later = Office(office.database, today)
    assert answers(await later.answer(session, "lens", "accepted"))["lens"] == "accepted"
    declined = await later.answer(session, "lens", "declined")
    assert (declined.status, declined.bridge) == ("tentative", None)


async def test_removing_a_site_that_declined_changes_the_sequence(office: Office) -> None:
    session = await office.book(optional_sites=("lens",))
    declined = await office.answer(session, "lens", "declined")
    assert (await office.change(declined, optional_sites=())).sequence == declined.sequence + 1


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:55:00Z", "2200-01-01T12:00:00Z"])
async def test_an_instant_out_of_all_bounds_is_refused_in_any_zone(office: Office, start: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await office.book(start=start, timezone="America/Toronto")
    assert [error.field for error in refusal.value.errors] == ["start"]
