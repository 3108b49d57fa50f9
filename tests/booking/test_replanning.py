"""A closure falls on booked sessions: each is told with slots it could go to, and any of them can be taken."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from perinat_sched.booking.closures import ClosureAsked
from perinat_sched.errors import Forbidden, IdempotencyKeyReused, NotFound
from perinat_sched.people.access import Actor
from perinat_sched.storage.idempotency import IdempotencyKey
from tests.booking.conftest import ADMIN, OF_CALAIS, OF_LILLE, Office

DAYS: dict[str, Any] = {
    "scope": "site", "code": "calais", "start": "2027-03-18", "until": "2027-03-19", "reason": "Travaux",
}  # fmt: skip


async def closed(office: Office, actor: Actor = OF_CALAIS, **given: Any) -> str:
    entered, _ = await office.closures.enter(actor, ClosureAsked(**(DAYS | given)))
    return entered.id


def starts(hit: Any) -> list[str]:
    """By the clock of Paris, in winter."""
    return [f"{slot.start:%d %H:%M}" for slot in hit.slots]


async def test_a_session_is_offered_its_own_hour_on_other_days_and_the_soonest_one(office: Office) -> None:
    session = await office.book()
    _, (hit,) = await office.closures.hits(OF_CALAIS, await closed(office))

    assert hit.session == session
    assert starts(hit) == ["22 07:00", "22 14:00", "23 14:00"]  # UTC: Monday at eight and at three, Tuesday at three


async def test_every_slot_that_is_offered_can_be_taken_and_then_the_closure_hits_nothing(office: Office) -> None:
    sessions = [await office.book(), await office.book(start="2027-03-19T15:00", required_sites=("calais", "roubaix"))]
    closure = await closed(office)
    for session in sessions:
        _, hits = await office.closures.hits(ADMIN, closure)
        hit = next(hit for hit in hits if hit.session.id == session.id)
        await office.change(session, start=hit.slots[-1].start.isoformat())

    assert (await office.closures.hits(ADMIN, closure))[1] == []


async def test_where_a_room_is_closed_the_same_hour_in_another_room_comes_first(office: Office) -> None:
    session = await office.book()
    room = session.rooms_held["lille"]
    closure = await closed(office, OF_LILLE, scope="room", code=room)
    _, (hit,) = await office.closures.hits(OF_LILLE, closure)
    other = {place.site: place.room for place in hit.slots[0].places}["lille"]

    assert hit.slots[0].start == session.start and other not in (None, room)
    moved = await office.change(session, rooms={"lille": other})
    assert (moved.start, moved.rooms_held["lille"]) == (session.start, other)
    assert (await office.closures.hits(OF_LILLE, closure))[1] == []


async def test_what_has_begun_is_over_or_declined_is_not_hit(office: Office) -> None:
    await office.book(start="2027-03-18T09:00")
    declined = await office.book(start="2027-03-18T16:00")
    await office.answer(declined, "calais", "declined")
    late = await office.book(start="2027-03-18T14:00")
    closure = await closed(office)
    office.now = late.start.replace(hour=11)

    assert [hit.session.id for hit in (await office.closures.hits(OF_CALAIS, closure))[1]] == [late.id]


async def test_a_session_over_midnight_is_offered_the_soonest_hours(office: Office) -> None:
    await office.book(start="2027-03-18T23:30", override_reason="Urgence")
    _, (hit,) = await office.closures.hits(ADMIN, await closed(office))
    assert starts(hit) == ["22 07:00", "22 08:00", "22 09:00"]


async def test_only_who_keeps_the_place_is_told(office: Office) -> None:
    closure = await closed(office)
    with pytest.raises(Forbidden):
        await office.closures.hits(OF_LILLE, closure)
    with pytest.raises(NotFound):
        await office.closures.hits(ADMIN, "no-such-closure")


async def test_the_same_form_sent_twice_closes_once(office: Office) -> None:
    key = IdempotencyKey(token="of-calais", route="POST /site/closures", key="k", fingerprint="a")
    first, _ = await office.closures.enter(OF_CALAIS, ClosureAsked(**DAYS), key)
    again, _ = await office.closures.enter(OF_CALAIS, ClosureAsked(**DAYS), key)

    assert first == again
    assert [each.id for each in await office.closures.entered(office.directory.sites["calais"])] == [first.id]
    other = IdempotencyKey(token="of-calais", route="POST /site/closures", key="k", fingerprint="b")
    with pytest.raises(IdempotencyKeyReused):
        await office.closures.enter(OF_CALAIS, ClosureAsked(**DAYS), other)


async def test_what_was_entered_for_a_site_and_its_rooms_is_listed_until_it_is_over(office: Office) -> None:
    site = await closed(office, OF_LILLE, code="lille", start="2027-03-20", until="2027-03-20")
    room = await closed(office, OF_LILLE, scope="room", code="lille-1", start="2027-03-18", until="2027-03-18")
    await closed(office)
    lille = office.directory.sites["lille"]

    assert [each.id for each in await office.closures.entered(lille)] == [room, site]
    office.now = office.now.replace(day=19)
    assert [each.id for each in await office.closures.entered(lille)] == [site]


async def test_what_waits_for_an_answer_is_undecided_or_has_lost_its_place(office: Office) -> None:
    pending = await office.book(required_sites=("lens",))
    perhaps = await office.book(required_sites=("lens",), start="2027-03-19T15:00")
    await office.answer(perhaps, "lens", "tentative")
    yes = await office.book(required_sites=("lens",), start="2027-03-22T15:00")
    await office.answer(yes, "lens", "accepted")
    cancelled = await office.book(required_sites=("lens",), start="2027-03-23T15:00")
    await office.bookings.cancel(OF_LILLE, cancelled.id, "cancelled", "", sure=False)
    of_lens = Actor(token="of-lens", role="coordinator", sites=frozenset(("lens",)))

    async def waiting(actor: Actor) -> list[str]:
        return [session.id for session in await office.enquiries.waiting(actor, "lens", limit=100)]

    assert await waiting(of_lens) == [pending.id, perhaps.id]
    assert await waiting(OF_CALAIS) == []  # who would learn of it by asking
    office.now = pending.end
    assert await waiting(of_lens) == [perhaps.id]


async def test_the_hits_cost_the_same_number_of_statements_whatever_their_number(office: Office) -> None:
    statements: list[str] = []
    engines = office.database._engines
    for engine in {engines.reader, engines.writer}:
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    counts = []
    for hours in (("09",), ("11", "14")):
        for hour in hours:
            await office.book(start=f"2027-03-18T{hour}:00", duration_minutes=30)
        closure = await closed(office)
        statements.clear()
        assert len((await office.closures.hits(ADMIN, closure))[1]) == len(counts) * 2 + 1
        counts.append(len(statements))
        await office.closures.remove(ADMIN, closure)
    assert counts[0] == counts[1] > 0
