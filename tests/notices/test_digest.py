"""Reminders of one reader that fall due at one moment make one mail, and are settled together."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from perinat_sched.booking.session import Session
from perinat_sched.notices import store
from perinat_sched.notices.delivery import LEASE
from perinat_sched.notices.mailer import Refused, TryLater
from perinat_sched.notices.notice import Notice, message_id
from perinat_sched.sites.network import Reminder
from tests.builders import A_DAY_BEFORE
from tests.notices.conftest import PostRoom
from tests.notices.examples import (
    AN_HOUR_BEFORE,
    CALAIS,
    DOMAIN,
    LILLE,
    Mailbox,
    changed,
    network,
    part,
    read,
    session,
)

READER = "staff@calais.example"
DUE = session().start - timedelta(days=1)


def numbered(number: int, **changes: Any) -> Session:
    wall = changes.pop("wall", "2027-01-21T15:00")
    facts = {"title": f"Séance {number}", "participations": (LILLE, CALAIS), "join_url": f"https://v.example/{number}"}
    return session(wall, id=f"session-{number}", uid=f"session-{number}@perinat.example", **facts | changes)


async def booked(room: PostRoom, *sessions: Session) -> list[Session]:
    """Invited already; it is the moment of the reminders."""
    for each in sessions:
        await room.book(each)
    await room.delivery().run_once()
    room.mailbox.raw.clear()
    room.now = DUE
    return list(sessions)


async def reminders(room: PostRoom, sessions: list[Session]) -> list[Notice]:
    return [await room.row(each, "reminder", READER) for each in sessions]


async def test_reminders_of_one_reader_and_minute_are_one_mail_in_order_each_with_hour_and_place(room: PostRoom):
    sessions = await booked(room, numbered(2), numbered(1))
    await room.delivery().run_once()
    [mail] = room.mailbox.to(READER)
    assert mail["Subject"].replace("\u00a0", " ") == (
        "Rappel : 2 visioconférences, la première jeudi 21 janvier 2027 à 15 h 00 (heure de Paris)"
    )
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content().replace("\u00a0", " ")
    assert text.index("SÉANCE 1") < text.index("https://v.example/1") < text.index("SÉANCE 2")
    assert text.count("- Date et heure : jeudi 21 janvier 2027 à 15 h 00 (heure de Paris)") == 2
    rows = await reminders(room, sessions)
    assert {row.state for row in rows} == {"sent"}
    assert {row.message_id for row in rows} == {str(mail["Message-ID"])}
    assert str(mail["Message-ID"]) == message_id([row.key for row in rows], DOMAIN)


async def test_a_digest_hangs_on_the_invitation_to_the_session_that_begins_first(room: PostRoom):
    """MAIL-03: on one alone, for several would tie the threads of their sessions into one."""
    sessions = await booked(room, numbered(1, wall="2027-01-21T16:00"), numbered(2, wall="2027-01-21T15:00"))
    room.passes(hours=1)
    for each in await reminders(room, sessions):
        await room.alter(each, due_at=room.now, try_at=room.now)
    await room.delivery().run_once()
    [mail] = room.mailbox.to(READER)
    first = await room.row(sessions[1], "invitation", READER)
    assert mail["References"] == first.message_id


async def test_a_session_cancelled_meanwhile_drops_out(room: PostRoom):
    sessions = await booked(room, numbered(1), numbered(2), numbered(3))
    await room.change(changed(sessions[1], status="cancelled", after=timedelta(hours=1)))
    await room.delivery().deliver()
    [mail] = room.mailbox.to(READER)
    assert "2 visioconférences" in mail["Subject"].replace("\u00a0", " ")
    assert [(row.state, row.last_error) for row in await reminders(room, sessions)] == [
        ("sent", None),
        ("skipped", "cancelled"),
        ("sent", None),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"wall": "2027-01-21T16:00"}, "moved", id="moved"),
        pytest.param({"status": "cancelled"}, "cancelled", id="cancelled"),
        pytest.param({"participations": (LILLE, part("calais", "declined"))}, "not-taking-part", id="declined"),
        pytest.param({"participations": (LILLE,)}, "not-taking-part", id="removed"),
    ],
)
async def test_what_changes_between_the_claim_and_the_mail_is_not_in_the_digest(
    room: PostRoom, change: dict[str, Any], reason: str
):
    """Another node commits it."""
    sessions = await booked(room, numbered(1), numbered(2), numbered(3))
    delivery = room.delivery()
    claimed = await delivery._claim()
    await room.change(changed(sessions[1], after=room.now - sessions[1].updated_at, **change))
    async with delivery.outbox.sending(room.mailbox):
        await delivery._hand_over(claimed)
    [mail] = [mail for mail in room.mailbox.to(READER) if str(mail["Subject"]).startswith("Rappel")]
    body = mail.get_body(("plain",))
    assert body is not None
    assert [number for number in (1, 2, 3) if f"https://v.example/{number}" in body.get_content()] == [1, 3]
    rows = [
        next(row for row in await room.rows(each) if (row.kind, row.recipient) == ("reminder", READER))
        for each in sessions
    ]
    assert [(row.state, row.last_error) for row in rows] == [("sent", None), ("skipped", reason), ("sent", None)]


async def test_who_stops_reminders_between_the_claim_and_the_mail_gets_none(room: PostRoom):
    """MAIL-04"""
    sessions = await booked(room, numbered(1), numbered(2))
    delivery = room.delivery()
    claimed = await delivery._claim()
    await room.database.write(lambda tx: store.set_unsubscribed(tx, READER.upper(), room.now))
    async with delivery.outbox.sending(room.mailbox):
        await delivery._hand_over(claimed)
    assert room.mailbox.to(READER) == []
    assert {row.last_error for row in await reminders(room, sessions)} == {"unsubscribed"}


async def test_of_two_where_one_drops_out_the_other_is_an_ordinary_reminder(room: PostRoom):
    sessions = await booked(room, numbered(1), numbered(2))
    await room.change(changed(sessions[1], status="cancelled", after=timedelta(hours=1)))
    await room.delivery().deliver()
    [mail] = room.mailbox.to(READER)
    assert "Séance 1" in mail["Subject"]
    assert mail["Message-ID"] == (await reminders(room, sessions))[0].message_id


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        pytest.param(TryLater("451 busy"), {("due", 1, False)}, id="4xx"),
        pytest.param(TryLater("cut", ambiguous=True), {("due", 1, True)}, id="cut after DATA"),
        pytest.param(Refused("550 no"), {("failed", 1, False)}, id="5xx"),
    ],
)
async def test_all_are_settled_alike(room: PostRoom, answer, states):
    sessions = await booked(room, numbered(1), numbered(2))
    room.mailbox.answers = {READER: [answer]}
    delivery = room.delivery()
    await delivery.run_once()
    rows = await reminders(room, sessions)
    assert {(row.state, row.attempts, row.ambiguous) for row in rows} == states
    assert len({row.try_at for row in rows}) == 1
    room.passes(minutes=2)
    await delivery.run_once()
    again = 0 if states == {("failed", 1, False)} else 1
    assert len(room.mailbox.to(READER)) == again


async def test_a_digest_cut_off_by_a_dead_worker_comes_again_whole_and_flagged(room: PostRoom):
    sessions = await booked(room, numbered(1), numbered(2))
    for row in await reminders(room, sessions):
        await room.alter(row, state="leased", lease="gone", leased_until=room.now + LEASE, handed_at=room.now)
    room.now += LEASE
    await room.delivery().run_once()
    assert len(room.mailbox.to(READER)) == 1
    assert {(row.state, row.ambiguous) for row in await reminders(room, sessions)} == {("sent", True)}


async def test_several_deliverers_never_share_a_digest(room: PostRoom):
    sessions = await booked(room, *(numbered(number) for number in range(30)))

    class Slow(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            await asyncio.sleep(0.002)
            await super().send(message, recipient)

    room.mailbox = Slow()
    await asyncio.gather(*(room.delivery().run_once() for _ in range(4)))
    assert Counter(to for to, _ in room.mailbox.raw) == Counter(
        {READER: 1, "staff@lille.example": 1, "coordination@lille.example": 1}
    )
    assert {row.state for row in await reminders(room, sessions)} == {"sent"}


async def test_two_lead_times_of_one_session_at_one_moment_are_one_ordinary_reminder(room: PostRoom):
    same_moment = Reminder(text="PT24H", days=0, rest=timedelta(hours=24))
    room.directory = network(reminders=(A_DAY_BEFORE, same_moment))
    await booked(room, numbered(1))
    await room.delivery().run_once()
    [mail] = room.mailbox.to(READER)
    assert "Séance 1" in mail["Subject"]
    assert {row.state for row in await room.rows(numbered(1))} == {"sent"}


async def test_reminders_of_other_minutes_are_mails_of_their_own(room: PostRoom):
    room.directory = network(reminders=(AN_HOUR_BEFORE, A_DAY_BEFORE))
    await booked(room, numbered(1), numbered(2, wall="2027-01-21T15:05"))
    room.passes(minutes=5)
    await room.delivery().run_once()
    assert len(room.mailbox.to(READER)) == 2


async def test_who_wants_no_reminders_gets_none_and_everything_else(room: PostRoom):
    """MAIL-04"""
    sessions = await booked(room, numbered(1), numbered(2))
    await room.database.write(lambda tx: store.set_unsubscribed(tx, READER.upper(), room.now))
    delivery = room.delivery(stop_url=lambda address: f"https://visio.example/unsubscribe/{address}")
    await delivery.run_once()
    assert room.mailbox.to(READER) == []
    assert delivery.tally.skipped == Counter({("reminder", "unsubscribed"): 2})
    [other] = room.mailbox.to("staff@lille.example")
    assert other["List-Unsubscribe"] == "<https://visio.example/unsubscribe/staff@lille.example>"
    assert other["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await room.change(changed(sessions[0], status="cancelled", after=room.now - sessions[0].updated_at))
    await delivery.run_once()
    [mail] = room.mailbox.to(READER)
    assert mail["Subject"].startswith("Annulation")
    assert mail["List-Unsubscribe"] is None


async def test_a_reader_who_wants_them_again_gets_the_reminders_to_come(room: PostRoom):
    await booked(room, numbered(1))
    await room.database.write(lambda tx: store.set_unsubscribed(tx, READER, room.now))
    await room.database.write(lambda tx: store.set_unsubscribed(tx, READER, None))
    await room.delivery().run_once()
    assert [read(raw)["To"] for to, raw in room.mailbox.raw if to == READER] == [READER]
