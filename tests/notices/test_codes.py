"""The access code reaches every site that has accepted, before the start, in as few mails as possible.

The last reminder carries it. Who accepts only then, or whose code becomes another, gets it at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from perinat_sched.booking.session import Answer, Session
from perinat_sched.notices import store
from perinat_sched.notices.mailer import Refused, TryLater
from perinat_sched.notices.notice import FOR_THE_CODE, Notice
from perinat_sched.notices.policy import objection
from tests.builders import A_DAY_BEFORE
from tests.notices.conftest import PostRoom
from tests.notices.examples import (
    A_WEEK_BEFORE,
    CALAIS,
    LILLE,
    NETWORK,
    Desk,
    changed,
    network,
    part,
    session,
)

READER = "staff@calais.example"
LAST = datetime(2027, 1, 20, 14, tzinfo=UTC)  # the hour of the last reminder
AN_HOUR = timedelta(hours=1)


def calais(answer: Answer, **more: Any) -> dict[str, Any]:
    return {"participations": (LILLE, replace(CALAIS, answer=answer, **more))}


def answered(before: Session, answer: Answer, at: datetime, **more: Any) -> Session:
    return changed(before, sequence=before.sequence, updated_at=at, **calais(answer), **more)


def for_the_code(desk: Desk, reader: str = READER) -> list[Notice]:
    return [row for row in desk.rows.values() if row.lead == FOR_THE_CODE and row.recipient == reader]


def reminded(answer: Answer = "pending", **changes: Any) -> Desk:
    """Invited, and reminded a day before, with Calais's answer as it is."""
    desk = Desk()
    desk.plan(session(**calais(answer), **changes))
    desk.sent()
    desk.becomes("sent", kind="reminder")
    return desk


def test_who_accepts_after_the_last_reminder_gets_the_code_at_once_and_nobody_else_hears_of_it():
    desk = reminded()
    plan = desk.plan(answered(desk.about, "accepted", LAST + AN_HOUR))
    [row] = plan.new
    assert (row.kind, row.lead, row.recipient, row.due_at) == ("reminder", FOR_THE_CODE, READER, LAST + AN_HOUR)
    assert row.expires_at == session().start
    assert plan.changed == ()


def test_who_accepts_before_the_last_reminder_learns_the_code_from_it():
    desk = Desk()
    desk.plan(session(**calais("pending")))
    desk.sent()
    desk.plan(answered(desk.about, "accepted", LAST - AN_HOUR))
    desk.becomes("sent", kind="reminder")
    desk.plan(changed(desk.about, title="Autre", sequence=0, updated_at=LAST + AN_HOUR))
    assert for_the_code(desk) == []


def test_a_reminder_that_waits_for_its_relay_is_going_to_say_it():
    desk = Desk()
    desk.plan(session(**calais("pending")))
    desk.sent()
    plan = desk.plan(answered(desk.about, "accepted", LAST + AN_HOUR))
    assert plan.new == ()


@pytest.mark.parametrize("answer", ["pending", "tentative", "declined"])
def test_who_has_not_accepted_is_told_no_code(answer: Answer):
    desk = reminded()
    desk.plan(answered(desk.about, answer, LAST + AN_HOUR))
    assert for_the_code(desk) == []


def test_a_session_without_a_code_tells_none():
    desk = reminded(access_code=None)
    desk.plan(answered(desk.about, "accepted", LAST + AN_HOUR))
    assert for_the_code(desk) == []


def test_a_code_that_changes_after_the_last_reminder_is_told_once_to_who_accepted():
    desk = reminded("accepted")
    other = changed(desk.about, access_code="0815", sequence=0, updated_at=LAST + AN_HOUR)
    readers = [row.recipient for row in desk.plan(other).new]
    assert readers == ["staff@lille.example", "coordination@lille.example", READER]
    desk.becomes("sent", kind="reminder")
    assert desk.plan(changed(other, title="Autre", sequence=0)).new == ()
    back = changed(other, access_code="4711", sequence=0)
    assert len(desk.plan(back).new) == 3


def test_a_code_that_changes_before_the_last_reminder_is_nobodys_news():
    desk = Desk()
    desk.plan(session(**calais("accepted")))
    desk.sent()
    assert desk.plan(changed(desk.about, access_code="0815", sequence=0, updated_at=LAST - AN_HOUR)).new == ()


def test_a_code_changed_again_before_its_mail_left_is_one_mail_and_one_taken_back_is_none():
    desk = reminded("accepted")
    desk.settle = timedelta(seconds=5)
    other = changed(desk.about, access_code="0815", sequence=0, updated_at=LAST + AN_HOUR)
    desk.plan(other)
    another = changed(other, access_code="1234", sequence=0, after=timedelta(seconds=2))
    desk.plan(another)
    [row] = for_the_code(desk)
    assert (row.state, row.due_at, row.code) == ("due", LAST + AN_HOUR + desk.settle, "1234")
    desk.plan(changed(another, access_code="4711", sequence=0, after=timedelta(seconds=2)))
    assert [(row.state, row.last_error) for row in for_the_code(desk)] == [("skipped", "superseded")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"status": "cancelled"}, "cancelled", id="cancelled"),
        pytest.param({"wall": "2027-01-25T15:00"}, "moved", id="moved"),
        pytest.param(calais("declined"), "not-taking-part", id="declined"),
        pytest.param(calais("tentative"), "superseded", id="no longer sure"),
    ],
)
def test_a_code_is_told_only_while_it_is_wanted(change: dict[str, Any], reason: str):
    desk = reminded()
    desk.plan(answered(desk.about, "accepted", LAST + AN_HOUR))
    [row] = for_the_code(desk)
    now = changed(desk.about, sequence=0, **change)
    assert objection(row, now, desk.directory, list(desk.rows.values())) == reason
    desk.plan(now)
    assert [(row.state, row.last_error) for row in for_the_code(desk)] == [("skipped", reason)]


def test_a_site_that_accepts_declines_and_accepts_again_is_told_once():
    desk = reminded()
    yes = answered(desk.about, "accepted", LAST + AN_HOUR)
    desk.plan(yes)
    desk.becomes("sent", kind="reminder")
    no = answered(yes, "declined", LAST + 2 * AN_HOUR)
    desk.plan(no)
    desk.sent()
    desk.plan(answered(no, "accepted", LAST + 3 * AN_HOUR))
    desk.sent()  # an invitation again, which carries it
    desk.plan(changed(desk.about, title="Autre", sequence=0))
    assert len(for_the_code(desk)) == 1


def test_a_move_within_the_last_day_carries_the_code_and_calls_for_no_mail_besides():
    desk = reminded("accepted")
    desk.plan(changed(desk.about, "2027-01-21T16:00", updated_at=LAST + 2 * AN_HOUR))
    assert {row.kind for row in desk.rows.values() if row.state == "due"} == {"update"}
    desk.sent()
    assert desk.plan(changed(desk.about, title="Autre", sequence=1)).new == ()


def test_a_move_within_the_last_day_that_is_still_to_be_accepted_is_told_the_code_when_it_is():
    desk = reminded("accepted")
    moved = changed(desk.about, "2027-01-21T16:00", updated_at=LAST + 2 * AN_HOUR, **calais("pending"))
    desk.plan(moved)
    desk.sent()
    desk.plan(answered(moved, "accepted", LAST + 3 * AN_HOUR))
    assert [row.starts for row in for_the_code(desk)] == [moved.start]


def test_a_code_that_an_address_refused_is_not_tried_again_until_it_is_another():
    desk = reminded()
    yes = answered(desk.about, "accepted", LAST + AN_HOUR)
    desk.plan(yes)
    desk.becomes("failed", kind="reminder")
    renamed = changed(yes, title="Autre", sequence=0)
    assert desk.plan(renamed).new == ()
    desk.plan(changed(renamed, access_code="0815", sequence=0))
    assert [row.state for row in for_the_code(desk)] == ["failed", "due"]


def test_a_kind_without_reminders_tells_the_code_in_its_invitation_and_later_acceptances_at_once():
    desk = Desk(network(reminders=()))
    desk.plan(session(participations=(LILLE, CALAIS, part("reunion", "pending"))))
    assert {row.kind for row in desk.rows.values()} == {"invitation"}
    desk.sent()
    yes = changed(desk.about, sequence=0, participations=(LILLE, CALAIS, part("reunion")))
    assert [(row.lead, row.recipient) for row in desk.plan(yes).new] == [(FOR_THE_CODE, "staff@reunion.example")]


def test_only_the_last_of_several_reminders_tells_it():
    desk = Desk(network(reminders=(A_WEEK_BEFORE, A_DAY_BEFORE)))
    desk.plan(session(**calais("pending")))
    desk.sent()
    yes = answered(desk.about, "accepted", LAST - timedelta(days=3))
    assert desk.plan(yes).new == ()


def test_a_row_of_an_earlier_release_is_taken_to_have_told_the_code():
    desk = reminded("accepted")
    desk.rows = {row.id: replace(row, facts=None) if row.lead else row for row in desk.rows.values()}
    assert desk.plan(changed(desk.about, title="Autre", sequence=0, updated_at=LAST + AN_HOUR)).new == ()


def test_nothing_is_told_after_the_start():
    desk = reminded()
    plan = desk.plan(answered(desk.about, "accepted", session().start + AN_HOUR))
    assert plan.new == ()


def test_who_reads_for_two_sites_is_told_the_code_for_the_site_that_accepted():
    sites = NETWORK.sites
    desk = Desk(network(sainte_justine=replace(sites["sainte-justine"], contacts=(READER,))))
    desk.plan(session(participations=(LILLE, replace(CALAIS, answer="declined"), part("sainte-justine", "pending"))))
    desk.sent()
    desk.becomes("sent", kind="reminder")
    both = (LILLE, replace(CALAIS, answer="declined"), part("sainte-justine"))
    desk.plan(changed(desk.about, sequence=0, updated_at=LAST + AN_HOUR, participations=both))
    assert [row.site for row in for_the_code(desk)] == ["sainte-justine"]


# Delivered


async def a_day_before(room: PostRoom, **changes: Any) -> Session:
    """Invited and reminded, Calais still to answer."""
    about = await room.book(session(**calais("pending"), **changes))
    await room.delivery().run_once()
    room.now = LAST
    await room.delivery().run_once()
    room.mailbox.raw.clear()
    return about


def text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\u00a0", " ")


async def test_the_code_arrives_when_the_site_accepts_late_and_again_when_it_changes(room: PostRoom):
    about = await a_day_before(room)
    yes = await room.change(answered(about, "accepted", LAST + AN_HOUR))
    await room.delivery().run_once()
    await room.delivery().run_once()
    [(to, _)] = room.mailbox.raw
    [mail] = room.mailbox.mails
    assert (to, str(mail["Subject"]).partition(",")[0]) == (READER, "Code d’accès\u00a0: Visio Périnat — staff")
    assert "- Code d’accès : 4711" in text(mail)
    assert "https://visio.example/perinat" in text(mail)
    other = await room.change(changed(yes, access_code="0815", sequence=0, updated_at=LAST + 2 * AN_HOUR))
    await room.delivery().run_once()
    assert sorted(to for to, _ in room.mailbox.raw[1:]) == ["coordination@lille.example", READER, "staff@lille.example"]
    [_, mail] = room.mailbox.to(READER)
    assert "- Code d’accès : 4711 → 0815" in text(mail)
    assert "- Code d’accès : 0815" in text(mail)
    assert "moins de 48" in text(mail)
    [row] = [row for row in await room.rows(other) if row.recipient == READER and row.code == "0815"]
    assert (row.state, row.message_id) == ("sent", str(mail["Message-ID"]))


async def test_a_late_code_hangs_on_the_invitation_and_stops_with_the_reminders(room: PostRoom):
    """MAIL-03, MAIL-04"""
    about = await room.book(session(**calais("pending")))
    delivery = room.delivery(stop_url=lambda address: f"https://visio.example/unsubscribe/{address}")
    await delivery.run_once()
    [invitation] = room.mailbox.to(READER)
    room.now = LAST
    await delivery.run_once()
    yes = await room.change(answered(about, "accepted", LAST + AN_HOUR))
    await delivery.run_once()
    mail = room.mailbox.to(READER)[-1]
    assert str(mail["Subject"]).startswith("Code d’accès")
    assert mail["References"] == invitation["Message-ID"]
    assert mail["List-Unsubscribe"] == f"<https://visio.example/unsubscribe/{READER}>"
    await room.database.write(lambda tx: store.set_unsubscribed(tx, READER, room.now))
    await room.change(changed(yes, access_code="0815", sequence=0, updated_at=LAST + 2 * AN_HOUR))
    sent = len(room.mailbox.to(READER))
    await delivery.run_once()
    await delivery.run_once()
    assert len(room.mailbox.to(READER)) == sent
    rows = [row for row in await room.rows(about) if row.recipient == READER and row.lead == FOR_THE_CODE]
    assert [row.last_error for row in rows] == [None, "unsubscribed"]


@pytest.mark.parametrize(
    ("answer", "copies"),
    [
        pytest.param(TryLater("451 busy"), 1, id="4xx"),
        pytest.param(TryLater("cut", ambiguous=True), 1, id="cut after DATA"),
        pytest.param(Refused("550 no"), 0, id="5xx"),
    ],
)
async def test_a_code_that_is_put_off_comes_once_and_one_refused_is_visible(
    room: PostRoom, answer: Exception, copies: int
):
    about = await a_day_before(room)
    room.mailbox.answers = {READER: [answer]}
    await room.change(answered(about, "accepted", LAST + AN_HOUR))
    await room.delivery().run_once()
    room.passes(minutes=5)
    await room.delivery().run_once()
    assert len(room.mailbox.to(READER)) == copies
    [row] = [row for row in await room.rows(about) if row.lead == FOR_THE_CODE]
    assert row.state == ("sent" if copies else "failed")


async def test_a_last_reminder_put_off_tells_the_code_to_who_accepted_meanwhile(room: PostRoom):
    about = await room.book(session(**calais("pending")))
    await room.delivery().run_once()
    room.now = LAST
    room.mailbox.answers = {READER: [TryLater("451 busy")]}
    await room.delivery().run_once()
    await room.change(answered(about, "accepted", LAST + timedelta(seconds=10)))
    await room.delivery().run_once()
    room.passes(minutes=5)
    await room.delivery().run_once()
    mail = room.mailbox.to(READER)[-1]
    assert str(mail["Subject"]).startswith("Rappel")
    assert "- Code d’accès : 4711" in text(mail)
    assert not [row for row in await room.rows(about) if row.lead == FOR_THE_CODE]


async def test_codes_that_change_together_come_in_one_mail(room: PostRoom):
    two = [
        await room.book(session(**calais("accepted"), id=f"s{number}", uid=f"s{number}", access_code=f"000{number}"))
        for number in (1, 2)
    ]
    await room.delivery().run_once()
    room.now = LAST
    await room.delivery().run_once()
    room.mailbox.raw.clear()
    for each in two:
        await room.change(changed(each, access_code=f"9{each.access_code}", sequence=0, updated_at=LAST + AN_HOUR))
    await room.delivery().run_once()
    [mail] = room.mailbox.to(READER)
    assert [code in text(mail) for code in ("90001", "90002")] == [True, True]
