from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from perinat_sched.notices.delivery import LEASE, Delivery
from perinat_sched.notices.mailer import Away, Refused, SmtpMailer, TryLater
from perinat_sched.notices.outbox import BATCH
from perinat_sched.notices.settling import PAUSES
from perinat_sched.storage.tables import notices
from tests.notices.conftest import PostRoom, until
from tests.notices.examples import (
    CALAIS,
    LILLE,
    MAIL_FROM,
    MONTREAL,
    Mailbox,
    changed,
    content,
    network,
    numbered,
    part,
    read,
    session,
)
from tests.notices.relay import running_relay

CALAIS_READER = "staff@calais.example"
EVERYBODY = ["coordination@lille.example", CALAIS_READER, "staff@lille.example", "staff@sainte-justine.example"]
WITHOUT_CALAIS = (LILLE, part("calais", "declined"), MONTREAL)


async def test_a_booked_session_invites_and_reminds_everybody_once(room: PostRoom):
    await room.book(session())
    delivery = room.delivery()
    await delivery.run_once()
    await delivery.run_once()
    assert sorted(room.mailbox.subjects) == [(address, "Invitation") for address in EVERYBODY]
    room.now = session().start - timedelta(days=1)
    await delivery.run_once()
    await room.delivery().run_once()
    assert sorted(room.mailbox.subjects[4:]) == [(address, "Rappel") for address in EVERYBODY]
    assert delivery.tally.sent == Counter(invitation=4, reminder=4)
    assert {row.state for row in await room.rows(session())} == {"sent"}


async def test_a_reminder_leaves_neither_before_its_hour_nor_after_the_start(room: PostRoom):
    await room.book(session())
    await room.delivery().run_once()
    room.now = session().start - timedelta(days=1, seconds=1)
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == 4
    room.now = session().start
    delivery = room.delivery()
    await delivery.run_once()
    assert len(room.mailbox.raw) == 4
    assert delivery.tally.skipped == Counter({("reminder", "too-late"): 4})


async def test_an_update_says_what_changed_and_hangs_on_the_invitation(room: PostRoom):
    first = await room.book(session())
    await room.delivery().run_once()
    await room.change(changed(first, "2027-01-22T15:30"))
    await room.delivery().run_once()
    invitation, update = room.mailbox.to(CALAIS_READER)
    assert update["Subject"].startswith("Modification")
    assert update["References"] == invitation["Message-ID"]
    body = update.get_body(("plain",))
    assert body is not None
    assert "jeudi 21 janvier 2027 à 15 h 00 (heure de Paris) → vendredi 22 janvier 2027 à 15 h 30" in (
        body.get_content().replace("\u00a0", " ")
    )


async def test_a_cancelled_session_is_cancelled_for_all_and_never_reminds(room: PostRoom):
    first = await room.book(session())
    await room.delivery().run_once()
    await room.change(changed(first, status="cancelled", cancellation_code="no_case"))
    await room.delivery().run_once()
    assert sorted(room.mailbox.subjects[4:]) == [(address, "Annulation") for address in EVERYBODY]
    room.now = session().start - timedelta(days=1)
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == 8


async def test_a_moved_session_reminds_at_its_new_hour_alone(room: PostRoom):
    first = await room.book(session())
    await room.delivery().run_once()
    later = await room.change(changed(first, "2027-01-25T15:00"))
    await room.delivery().run_once()
    room.now = session().start - timedelta(days=1)
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == 8
    room.now = later.start - timedelta(days=1)
    await room.delivery().run_once()
    assert [word for _, word in room.mailbox.subjects[8:]] == ["Rappel"] * 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"status": "cancelled"}, "cancelled", id="cancelled"),
        pytest.param({"wall": "2027-01-25T15:00"}, "moved", id="moved"),
        pytest.param({"participations": WITHOUT_CALAIS}, "not-taking-part", id="declined"),
    ],
)
async def test_a_change_that_is_not_yet_planned_stops_the_reminder_all_the_same(room: PostRoom, change, reason):
    """The race: claimed by one process while another commits the change."""
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.run_once()
    room.now = session().start - timedelta(days=1)
    await room.change(changed(first, **change))
    await delivery.deliver()
    row = await room.row(first, "reminder", CALAIS_READER)
    assert (row.state, row.last_error) == ("skipped", reason)
    assert CALAIS_READER not in [to for to, _ in room.mailbox.raw[4:]]


async def test_what_is_sent_says_what_holds_now(room: PostRoom):
    """An invitation that waited is skipped for the truth, which is an invitation itself."""
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    second = await room.change(changed(first, "2027-01-22T15:00"))
    await delivery.deliver()
    assert room.mailbox.raw == []
    await delivery.run_once()
    assert [word for _, word in room.mailbox.subjects] == ["Invitation"] * 4
    assert {row.sequence for row in await room.rows(second) if row.state == "sent"} == {1}


async def test_a_changed_title_is_in_the_mail_that_waited(room: PostRoom):
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    await room.change(changed(first, title="Autre titre", sequence=0))
    await delivery.run_once()
    assert len(room.mailbox.raw) == 4
    assert "Autre titre" in room.mailbox.mails[0]["Subject"]


async def test_sequences_never_go_backwards_for_a_reader(room: PostRoom):
    """A mail put off by its server is overtaken by the next; it must not follow."""
    first = await room.book(session())
    room.mailbox.answers = {CALAIS_READER: [TryLater("451 greylisted")]}
    delivery = room.delivery()
    await delivery.run_once()
    await room.change(changed(first, "2027-01-22T15:00"))
    await delivery.run_once()
    room.passes(hours=2)
    await delivery.run_once()
    assert [mail["Subject"].split()[0] for mail in room.mailbox.to(CALAIS_READER)] == ["Invitation"]
    mine = [row for row in await room.rows(first) if row.recipient == CALAIS_READER and not row.lead]
    assert [(row.sequence, row.state) for row in mine] == [(0, "skipped"), (1, "sent")]


async def test_a_mail_waits_while_another_to_the_same_reader_is_in_flight(room: PostRoom):
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    row = await room.row(first, "invitation", CALAIS_READER)
    await room.alter(row, state="leased", lease="other", leased_until=room.now + LEASE, handed_at=room.now)
    await room.change(changed(first, "2027-01-22T15:00", after=timedelta(seconds=2)))
    await delivery.run_once()
    assert CALAIS_READER not in [to for to, _ in room.mailbox.raw]
    await room.alter(row, state="sent", lease=None, sent_at=room.now)
    await delivery.run_once()
    assert room.mailbox.subjects[-1] == (CALAIS_READER, "Modification")


async def test_a_refusal_is_visible_and_delays_nobody(room: PostRoom):
    await room.book(session())
    room.mailbox.answers = {"staff@lille.example": [Refused("550 5.1.1 staff@lille.example unknown")]}
    delivery = room.delivery()
    await delivery.run_once()
    assert sorted(to for to, _ in room.mailbox.raw) == [each for each in EVERYBODY if each != "staff@lille.example"]
    row = await room.row(session(), "invitation", "staff@lille.example")
    assert (row.state, row.attempts, row.last_error, row.handed_at) == ("failed", 1, "550 5.1.1 … unknown", None)
    room.passes(hours=5)
    await delivery.run_once()
    assert delivery.tally.failed == Counter(invitation=1)
    assert room.mailbox.connections == 1


async def test_a_mail_put_off_is_tried_again_after_growing_pauses_with_the_same_id_and_date(room: PostRoom):
    """MAIL-01"""
    await room.book(session())
    room.mailbox.answers = {CALAIS_READER: [TryLater("451 busy") for _ in range(8)]}
    delivery = room.delivery()
    await delivery.run_once()
    pauses = []
    for attempt in range(1, 9):
        row = await room.row(session(), "invitation", CALAIS_READER)
        assert (row.state, row.attempts, row.ambiguous) == ("due", attempt, False)
        pauses.append(row.try_at - room.now)
        room.now = row.try_at - timedelta(seconds=1)
        await delivery.run_once()
        assert CALAIS_READER not in [to for to, _ in room.mailbox.raw]
        room.now = row.try_at
        await delivery.run_once()
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    row = await room.row(session(), "invitation", CALAIS_READER)
    assert (row.state, row.attempts, row.last_error) == ("sent", 9, None)
    assert delivery.tally.retried == Counter(invitation=8)
    mail = read(room.mailbox.raw[-1][1])
    assert (mail["Message-ID"], mail["Date"].datetime) == (row.message_id, row.due_at)


@pytest.mark.parametrize("chance", [min, max])
async def test_pauses_differ_by_a_fifth_so_that_mails_do_not_come_back_all_at_once(room: PostRoom, chance):
    await room.book(session())
    room.mailbox.answers = {CALAIS_READER: [TryLater("451 busy")]}
    await room.delivery(chance=chance).run_once()
    row = await room.row(session(), "invitation", CALAIS_READER)
    assert (row.try_at - room.now).total_seconds() == chance(48, 72)


async def test_a_reminder_that_cannot_be_sent_before_the_start_has_failed(room: PostRoom):
    await room.book(session())
    delivery = room.delivery()
    await delivery.run_once()
    room.mailbox.answers = {CALAIS_READER: [TryLater("451 busy") for _ in range(50)]}
    room.now = session().start - timedelta(days=1)
    while room.now < session().start:
        await delivery.run_once()
        room.passes(minutes=30)
    row = await room.row(session(), "reminder", CALAIS_READER)
    assert (row.state, row.last_error) == ("failed", "451 busy")


async def test_a_reminder_that_was_tried_in_vain_has_failed_when_its_session_begins(room: PostRoom):
    await room.book(session())
    delivery = room.delivery()
    await delivery.run_once()
    room.mailbox.answers = {CALAIS_READER: [TryLater("451 busy")]}
    room.now = session().start - timedelta(days=1)
    await delivery.run_once()
    room.now = session().start
    await delivery.run_once()
    assert (await room.row(session(), "reminder", CALAIS_READER)).state == "failed"
    assert delivery.tally.failed == Counter(reminder=1)


async def test_a_session_that_changes_faster_than_it_is_written_down_waits(room: PostRoom):
    now = await room.book(session())

    class Late(Delivery):
        async def _noted(self, *args: Any) -> list[bool]:
            nonlocal now
            now = await room.change(changed(now, title=f"Titre {now.revision}", sequence=0))
            return await super()._noted(*args)

    restless = Late(
        database=room.database,
        directory=room.directory,
        mailer=room.mailbox,
        clock=lambda: room.now,
        mail_from=MAIL_FROM,
    )
    await restless.plan()
    await restless.deliver()
    assert room.mailbox.raw == []
    assert {row.state for row in await room.rows(now)} == {"due"}
    await room.delivery().run_once()
    assert {str(mail["Subject"]).split(",")[0] for mail in room.mailbox.mails} == {
        f"Invitation\u00a0: Titre {now.revision - 1}"
    }


async def test_a_mail_whose_session_changes_meanwhile_keeps_no_other_waiting_that_is_already_noted(room: PostRoom):
    """They leave while what they say is fresh; it follows within the same pass."""
    await room.book(numbered(1))
    restless = await room.book(numbered(2))

    asked: list[int] = []  # how many mails had left at each note

    class Late(Delivery):
        async def _noted(self, *args: Any) -> list[bool]:
            if not asked:
                await room.change(changed(restless, title="Autre titre", sequence=0))
            asked.append(len(room.mailbox.raw))
            return await super()._noted(*args)

    late = Late(
        database=room.database,
        directory=room.directory,
        mailer=room.mailbox,
        clock=lambda: room.now,
        mail_from=MAIL_FROM,
    )
    await late.run_once()
    assert asked[:2] == [0, 4]
    assert sum("Autre titre" in str(mail["Subject"]) for mail in room.mailbox.mails) == 4
    rows = [row for row in await room.rows(restless) if not row.lead]
    assert {(row.state, row.attempts, row.ambiguous) for row in rows} == {("sent", 1, False)}


async def test_a_relay_that_is_away_costs_one_call_and_loses_nothing(room: PostRoom):
    for number in range(3):
        await room.book(numbered(number))

    class Shut(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            self.connections += 1
            raise Away("no relay")

    shut = Shut()
    delivery = room.delivery(shut)
    await delivery.run_once()
    assert shut.connections == 2  # one connection, one attempt
    assert delivery.last_pass == room.now
    room.passes(minutes=2)
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == 12
    rows = [row for number in range(3) for row in await room.rows(numbered(number)) if not row.lead]
    assert Counter(row.attempts for row in rows) == Counter({1: 11, 2: 1})  # the others never left


async def test_what_an_outage_has_delayed_warns_of_the_hours_that_remain_when_it_leaves(room: PostRoom):
    """HTTP-09: due three days before the start, gone when less than two remain."""
    first = await room.book(session())
    await room.delivery().run_once()
    due_at = first.start - timedelta(days=3)
    await room.change(changed(first, status="cancelled", after=due_at - first.updated_at))

    class Shut(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            raise Away("no relay")

    await room.delivery(Shut()).run_once()
    room.now = first.start - timedelta(hours=40)
    await room.delivery().run_once()
    told = room.mailbox.mails[4:]
    assert [mail["Date"].datetime for mail in told] == [due_at] * 4
    assert all("48" in content(mail.get_body(("plain",))).decode() for mail in told)


async def test_a_lapsed_lease_comes_back_and_is_flagged_only_if_the_mail_had_left(room: PostRoom):
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    [handed, claimed] = [await room.row(first, "invitation", who) for who in (CALAIS_READER, "staff@lille.example")]
    lease = {"state": "leased", "lease": "gone", "leased_until": room.now + LEASE}
    await room.alter(handed, **lease, handed_at=room.now)
    await room.alter(claimed, **lease)
    room.now += LEASE - timedelta(seconds=1)
    await delivery.run_once()
    assert len(room.mailbox.raw) == 2
    room.passes(seconds=1)
    await delivery.run_once()
    assert sorted(to for to, _ in room.mailbox.raw) == EVERYBODY
    rows = [row for row in await room.rows(first) if not row.lead]
    assert {row.recipient for row in rows if row.ambiguous} == {CALAIS_READER}
    assert {row.state for row in rows} == {"sent"}
    assert delivery.tally.ambiguous == 1
    assert read(room.mailbox.raw[-1][1])["Message-ID"] in {row.message_id for row in rows}


async def test_a_doubt_stays_however_often_its_lease_lapses(room: PostRoom):
    """RFC 1047"""
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    row = await room.row(first, "invitation", CALAIS_READER)
    lapsed = {"state": "leased", "lease": "gone", "leased_until": room.now, "handed_at": None}
    await room.alter(row, **lapsed, ambiguous=True)
    await delivery.run_once()
    row = await room.row(first, "invitation", CALAIS_READER)
    assert (row.state, row.ambiguous) == ("sent", True)


async def test_a_lease_that_is_lost_while_its_mail_is_written_keeps_that_mail_alone_from_leaving(room: PostRoom):
    first = await room.book(session())

    class Robbed(Delivery):
        async def _noted(self, *args: Any) -> list[bool]:
            await room.alter(await room.row(first, "invitation", CALAIS_READER), lease="another's")
            return await super()._noted(*args)

    delivery = Robbed(
        database=room.database,
        directory=room.directory,
        mailer=room.mailbox,
        clock=lambda: room.now,
        mail_from=MAIL_FROM,
    )
    await delivery.run_once()
    assert sorted(to for to, _ in room.mailbox.raw) == [each for each in EVERYBODY if each != CALAIS_READER]
    row = await room.row(first, "invitation", CALAIS_READER)
    assert (row.state, row.lease, row.handed_at, row.attempts) == ("leased", "another's", None, 0)


async def test_who_lost_the_lease_neither_sends_nor_settles(room: PostRoom):
    first = await room.book(session())
    slow, delivery = room.delivery(), room.delivery()
    await slow.plan()
    claimed = await slow._claim()
    room.now += LEASE
    await delivery.run_once()
    assert len(room.mailbox.raw) == 4
    async with slow.outbox.sending(room.mailbox):
        await slow._hand_over(claimed)
    assert len(room.mailbox.raw) == 4
    assert {row.state for row in await room.rows(first) if not row.lead} == {"sent"}


async def test_a_claim_whose_news_was_taken_back_sends_nothing_and_its_readers_are_invited_at_once(room: PostRoom):
    """Whether its claimer died or is only slow: what has not left is not known to anybody."""
    first = await room.book(session())
    slow = room.delivery()
    await slow.plan()
    claimed = await slow._claim()
    await room.change(changed(first, "2027-01-22T15:00", after=timedelta(seconds=2)))
    await room.delivery().run_once()
    assert sorted(room.mailbox.subjects) == [(address, "Invitation") for address in EVERYBODY]
    async with slow.outbox.sending(room.mailbox):
        await slow._hand_over(claimed)
    assert len(room.mailbox.raw) == 4
    assert all("22 janvier" in mail["Subject"] for mail in room.mailbox.mails)


async def test_who_lost_the_lease_while_sending_leaves_the_row_to_its_new_holder(room: PostRoom):
    first = await room.book(session(participations=(CALAIS,), host_site="calais"))

    class Robbed(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            await super().send(message, recipient)
            await room.alter(await room.row(first, "invitation", CALAIS_READER), lease="another's")

    await room.delivery(Robbed()).run_once()
    row = await room.row(first, "invitation", CALAIS_READER)
    assert (row.state, row.lease, row.sent_at) == ("leased", "another's", None)


async def test_a_reader_who_moved_to_another_site_is_written_to_for_that_site(room: PostRoom):
    """The configuration changed between planning and sending, and the session did not."""
    first = await room.book(session())
    await room.delivery().plan()
    sites = room.directory.sites
    room.directory = network(
        calais=replace(sites["calais"], contacts=()),
        sainte_justine=replace(sites["sainte-justine"], contacts=(CALAIS_READER,)),
    )
    await room.delivery().run_once()
    [mail] = room.mailbox.to(CALAIS_READER)
    assert "Montréal" in mail["Subject"]
    [row] = [row for row in await room.rows(first) if (row.recipient, row.state) == (CALAIS_READER, "sent")]
    assert row.site == "sainte-justine"


async def test_two_deliverers_never_send_twice(room: PostRoom):
    """MAIL-01"""
    for number in range(12):
        await room.book(numbered(number))

    class Slow(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            await asyncio.sleep(0.002)
            await super().send(message, recipient)

    room.mailbox = Slow()
    ones = [room.delivery() for _ in range(4)]
    await ones[0].plan()
    await asyncio.gather(*(each.run_once() for each in ones))
    ids = [read(raw)["Message-ID"] for _, raw in room.mailbox.raw]
    assert (len(ids), len(set(ids))) == (48, 48)
    assert sum(1 for each in ones if each.tally.sent) > 1


async def test_a_session_planned_by_several_at_once_has_each_notice_once(room: PostRoom):
    first = await room.book(session())
    await asyncio.gather(*(room.delivery().plan() for _ in range(4)))
    assert len(await room.rows(first)) == 8


async def test_a_text_that_could_make_a_header_fails_visibly_and_delays_nobody(room: PostRoom):
    await room.book(numbered(1, title="=?utf-8?q?hi=0D=0ABcc:_v@x?="))
    await room.book(numbered(2))
    delivery = room.delivery()
    await delivery.run_once()
    assert len(room.mailbox.raw) == 4
    rows = [row for row in await room.rows(numbered(1)) if not row.lead]
    assert {(row.state, row.last_error) for row in rows} == {("failed", "unsafe Subject")}


async def test_a_drained_delivery_gives_back_what_it_has_not_begun(room: PostRoom):
    first = await room.book(session())

    class Stopping(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            await super().send(message, recipient)
            delivery.drain()

    delivery = room.delivery(Stopping())
    await delivery.run_once()
    states = Counter(row.state for row in await room.rows(first) if not row.lead)
    assert states == Counter(sent=1, due=3)
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == 3


class Dawdling(Mailbox):
    """Takes a mail only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Semaphore(0)
        self.offered = 0

    async def send(self, message: bytes, recipient: str) -> None:
        self.offered += 1
        await self.let_go.acquire()
        await super().send(message, recipient)


async def test_while_a_relay_dawdles_over_a_mail_the_others_are_given_back_and_what_it_took_is_settled(room: PostRoom):
    """Else they would say what held long ago, and a death would leave all of them in doubt."""
    first, relay = await room.book(session()), Dawdling()
    delivery = room.delivery(relay)
    delivery.outbox.fresh = 0.1
    relay.let_go.release()
    running = asyncio.create_task(delivery.run_once())
    for _ in range(500):
        rows = [row for row in await room.rows(first) if row.kind == "invitation"]
        if {"sent", "due"} <= {row.state for row in rows}:
            break
        await asyncio.sleep(0.01)
    kept = [(row.state, row.attempts, row.handed_at is not None) for row in rows]
    assert sorted(kept) == [("due", 0, False), ("due", 0, False), ("leased", 1, True), ("sent", 1, True)]
    for _ in range(3):
        relay.let_go.release()
    await running
    assert sorted(to for to, _ in relay.raw) == EVERYBODY
    rows = [row for row in await room.rows(first) if row.kind == "invitation"]
    assert {(row.state, row.attempts, row.ambiguous) for row in rows} == {("sent", 1, False)}


async def test_a_relay_that_dawdles_is_offered_what_it_takes_in_time_and_more_when_it_is_quick_again(room: PostRoom):
    for number in range(12):
        await room.book(numbered(number))
    relay = Dawdling()
    delivery = room.delivery(relay)
    delivery.outbox.fresh = 0.01
    await delivery.plan()
    dawdling = asyncio.create_task(delivery.deliver())
    await until(lambda: relay.offered)
    for _ in range(500):
        if await leased(room) == 1:
            break
        await asyncio.sleep(0.01)
    relay.let_go.release()
    assert await dawdling == 1
    delivery.outbox.fresh = 60
    for _ in range(47):
        relay.let_go.release()
    assert [await delivery.deliver() for _ in range(7)] == [1, 2, 4, 8, 16, 16, 0]
    assert len(relay.raw) == 48


async def leased(room: PostRoom) -> int:
    async with room.database.read() as tx:
        states = (await tx.execute(select(notices.c.state))).scalars().all()
    return states.count("leased")


@pytest.mark.parametrize("minutes", [0, 16])
async def test_what_the_relay_took_while_the_database_failed_is_settled_later_and_not_sent_twice(
    room: PostRoom, minutes: int
):
    """Also when it was away for longer than a lease lasts."""
    first = await room.book(session())

    async def rename(old: str, new: str) -> None:
        await room.database.write(lambda tx: tx.execute(text(f"ALTER TABLE {old} RENAME TO {new}")))

    class Last(Mailbox):
        async def send(self, message: bytes, recipient: str) -> None:
            await super().send(message, recipient)
            if len(self.raw) == 4:
                await rename("notices", "away")

    room.mailbox = Last()
    delivery = room.delivery()
    with pytest.raises(DBAPIError):
        await delivery.run_once()
    await rename("away", "notices")
    assert {row.state for row in await room.rows(first) if not row.lead} == {"leased"}
    room.passes(minutes=minutes)
    await delivery.run_once()
    assert {(row.state, row.ambiguous) for row in await room.rows(first) if not row.lead} == {("sent", False)}
    assert len(room.mailbox.raw) == 4


async def test_a_pass_without_work_costs_few_statements(room: PostRoom):
    for number in range(5):
        await room.book(numbered(number))
    delivery = room.delivery()
    await delivery.run_once()
    with room.database.counting() as count:
        await delivery.run_once()
    assert count.total <= 8


async def test_handing_over_a_batch_costs_no_statement_for_each_mail(room: PostRoom):
    for number in range(BATCH // 4):
        await room.book(numbered(number))
    delivery = room.delivery()
    delivery.outbox.fresh = 60  # nothing is written down for being late
    await delivery.plan()
    with room.database.counting() as count:
        assert await delivery.deliver() == BATCH
    # Claimed (2), read (2), noted in two halves (3 each), settled (2; 1 more where the second settles the first).
    assert 12 <= count.total <= 13


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_a_claim_costs_does_not_grow_with_the_mails_that_have_left(room: PostRoom):
    """It looks for mails by their state: of one reader, by that too."""
    await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    with room.database.counting() as count:
        await delivery.deliver()
    [claim] = [statement for statement in count.statements if "ORDER BY notices.try_at" in statement]
    async with room.database.read() as tx:
        plan = await tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {claim}", ("",) * claim.count("?"))
    searches = [row.detail for row in plan if re.search(r"notices|sibling", row.detail)]
    assert len(searches) == 6
    assert [each for each in searches if "(state=? AND " not in each and "recipient=? AND state=?" not in each] == []


async def test_planning_many_sessions_costs_no_statement_for_each_notice(room: PostRoom):
    for number in range(20):
        await room.book(numbered(number))
    with room.database.counting() as count:
        await room.delivery().plan()
    assert count.total <= 20 + 10  # one a session, to say that it is planned


# A real relay


@pytest.mark.parametrize(
    ("answers", "state", "copies", "ambiguous"),
    [
        pytest.param([], "sent", 1, False, id="250"),
        pytest.param(["450 4.2.0 greylisted"], "sent", 1, False, id="4xx at RCPT"),
        pytest.param(["data 452 4.3.1 full"], "sent", 1, False, id="4xx after DATA"),
        pytest.param(["550 5.1.1 unknown"], "failed", 0, False, id="5xx at RCPT"),
        pytest.param(["data 554 5.7.1 no"], "failed", 0, False, id="5xx after DATA"),
        pytest.param(["cut"], "sent", 1, True, id="cut after DATA, not taken"),
        pytest.param(["cut-after"], "sent", 2, True, id="cut after DATA, taken"),
    ],
)
async def test_whatever_a_relay_answers_nothing_is_lost_and_doubts_are_flagged(
    room: PostRoom, answers, state, copies, ambiguous
):
    first = await room.book(session())
    async with running_relay() as relay:
        relay.answers = {CALAIS_READER: [*answers]}
        delivery = room.delivery(SmtpMailer(relay.url, sender="visio@perinat.example"))
        await delivery.run_once()
        assert sorted({*relay.recipients, CALAIS_READER}) == EVERYBODY
        room.passes(minutes=2)
        await delivery.run_once()
        await delivery.run_once()
        row = await room.row(first, "invitation", CALAIS_READER)
        mails = [read(content) for to, content in relay.taken if to == CALAIS_READER]
        assert (row.state, row.ambiguous, len(mails)) == (state, ambiguous, copies)
        assert {mail["Message-ID"] for mail in mails} <= {row.message_id}
        assert len(relay.taken) == 3 + copies


async def test_mail_leaves_within_five_seconds_of_the_change(room: PostRoom):
    async with running_relay() as relay:
        delivery = room.delivery(SmtpMailer(relay.url, sender="visio@perinat.example"))
        running = asyncio.create_task(delivery.run())
        await room.book(session())
        delivery.wake()
        await until(lambda: len(relay.taken) == 4)
        delivery.drain()
        await asyncio.wait_for(running, 5)


async def test_a_pass_that_fails_does_not_end_the_delivery(room: PostRoom):
    class Broken(Mailbox):
        def connection(self):
            self.connections += 1
            if self.connections == 1:
                raise RuntimeError("broken")
            return super().connection()

    room.mailbox = Broken()
    delivery = room.delivery()
    running = asyncio.create_task(delivery.run())
    await room.book(session())
    delivery.wake()
    await until(lambda: room.mailbox.connections)
    room.now += LEASE
    delivery.wake()
    await until(lambda: len(room.mailbox.raw) == 4)
    delivery.drain()
    await asyncio.wait_for(running, 5)


async def test_on_sqlite_a_restart_takes_up_at_once_what_a_dead_process_had_leased(room: PostRoom):
    first = await room.book(session())
    delivery = room.delivery()
    await delivery.plan()
    row = await room.row(first, "invitation", CALAIS_READER)
    await room.alter(row, state="leased", lease="dead", leased_until=room.now + LEASE)
    running = asyncio.create_task(delivery.run())
    delivery.wake()
    expected = 4 if room.database.dialect == "sqlite" else 3
    await until(lambda: len(room.mailbox.raw) == expected)
    delivery.drain()
    await running
    await room.delivery().run_once()
    assert len(room.mailbox.raw) == expected
