"""Changes are told some seconds after the first of them: several make one mail, one that is taken back makes none."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.notices.conftest import PostRoom
from tests.notices.examples import CALAIS, LILLE, MONTREAL, Desk, changed, part, session

READER = "staff@calais.example"
SETTLE = timedelta(seconds=5)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def invited() -> Desk:
    desk = Desk(settle=SETTLE)
    desk.plan(session())
    desk.sent()
    return desk


def waiting(desk: Desk) -> list[tuple[str, int, timedelta]]:
    """Of Calais's calendar mails that wait: kind, sequence, and how long after the booking each is due."""
    return [
        (row.kind, row.sequence, row.due_at - session().updated_at)
        for row in desk.rows.values()
        if row.state == "due" and row.recipient == READER and row.kind != "reminder"
    ]


def test_a_change_is_due_some_seconds_after_it():
    desk = Desk(settle=SETTLE)
    desk.plan(session())
    assert waiting(desk) == [("invitation", 0, SETTLE)]


def test_with_zero_a_change_is_due_at_once():
    desk = Desk()
    desk.plan(session())
    assert waiting(desk) == [("invitation", 0, timedelta())]


def test_the_first_change_sets_the_hour_however_often_it_is_changed_again():
    desk, now = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(now)
    for day in (25, 26, 27, 28):
        now = changed(now, f"2027-01-{day}T15:00", after=seconds(1))
        desk.plan(now)
    assert waiting(desk) == [("update", 5, timedelta(hours=1) + SETTLE)]


def test_a_change_to_what_is_overdue_goes_at_once():
    """The pass that would have sent it has not come yet: it has waited long enough."""
    desk, now = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(now)
    desk.plan(changed(now, "2027-01-25T15:00", after=seconds(8)))
    assert waiting(desk) == [("update", 2, timedelta(hours=1) + seconds(8))]


def test_a_change_taken_back_makes_none_and_the_hour_stays_with_the_first():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    back = changed(moved, "2027-01-21T15:00", after=seconds(2))
    desk.plan(back)
    assert waiting(desk) == []
    desk.plan(changed(back, "2027-01-25T15:00", after=seconds(1)))
    assert waiting(desk) == [("update", 3, timedelta(hours=1) + SETTLE)]


def test_a_change_long_after_one_that_was_taken_back_settles_anew():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    back = changed(moved, "2027-01-21T15:00", after=seconds(2))
    desk.plan(back)
    desk.plan(changed(back, "2027-01-25T15:00"))
    assert waiting(desk) == [("update", 3, timedelta(hours=2) + seconds(2) + SETTLE)]


def test_a_booking_cancelled_meanwhile_was_never_heard_of():
    desk = Desk(settle=SETTLE)
    desk.plan(session())
    desk.plan(changed(session(), status="cancelled", after=seconds(3)))
    assert waiting(desk) == []


def test_a_refusal_taken_back_meanwhile_is_never_heard_of():
    desk, refused = invited(), changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL))
    desk.plan(refused)
    desk.plan(changed(refused, participations=(LILLE, CALAIS, MONTREAL), after=seconds(3)))
    assert [row.kind for row in desk.rows.values() if row.state == "due" and row.kind != "reminder"] == []


def test_a_mail_after_another_has_a_later_second_so_that_dtstamp_rises_itip_06():
    desk = Desk()
    desk.plan(session())
    desk.sent()
    gone = changed(session(), participations=(LILLE, CALAIS), sequence=0, after=timedelta())
    [cancelled] = [row for row in desk.plan(gone).new if row.kind == "cancellation"]
    assert cancelled.due_at == session().updated_at + seconds(1)
    desk.sent()
    back = changed(gone, participations=session().participations, sequence=0, after=timedelta())
    [again] = [row for row in desk.plan(back).new if row.kind == "invitation"]
    assert again.due_at == session().updated_at + seconds(2)


async def test_several_changes_within_the_time_make_one_mail_from_what_the_reader_last_was_told(room: PostRoom):
    delivery = room.delivery(settle=SETTLE)
    first = await room.book(session())
    await delivery.run_once()
    assert room.mailbox.raw == []
    room.passes(seconds=5)
    await delivery.run_once()
    assert len(room.mailbox.to(READER)) == 1
    room.passes(hours=1)
    now = await room.change(changed(first, "2027-01-22T15:00", after=room.now - first.updated_at))
    for hour in (16, 17):
        room.passes(seconds=2)
        await delivery.run_once()
        now = await room.change(changed(now, f"2027-01-22T{hour}:00", after=seconds(2)))
    assert len(room.mailbox.to(READER)) == 1
    room.passes(seconds=1)
    await delivery.run_once()
    _, update = room.mailbox.to(READER)
    body = update.get_body(("plain",))
    assert body is not None
    assert "21 janvier 2027 à 15 h 00 (heure de Paris) → vendredi 22 janvier 2027 à 17 h 00" in (
        body.get_content().replace("\u00a0", " ")
    )


async def test_several_nodes_plan_the_same_mail_due_at_the_same_second(room: PostRoom):
    ones = [room.delivery(settle=SETTLE) for _ in range(3)]
    first = await room.book(session())
    await asyncio.gather(*(each.plan() for each in ones))
    moved = await room.change(changed(first, "2027-01-22T15:00", after=seconds(3)))
    await asyncio.gather(*(each.plan() for each in ones))
    rows = [row for row in await room.rows(moved) if row.recipient == READER and row.state == "due"]
    assert [(row.kind, row.due_at) for row in rows if row.kind == "invitation"] == [
        ("invitation", first.updated_at + SETTLE)
    ]
    room.passes(seconds=2)
    await asyncio.gather(*(each.run_once() for each in ones))
    assert len(room.mailbox.to(READER)) == 1
