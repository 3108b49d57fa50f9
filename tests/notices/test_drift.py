"""Two weeks before an odd week each site is told once which of its sessions fall otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from tests.notices.conftest import PostRoom
from tests.notices.examples import LILLE, MONTREAL, changed, part, session

PARIS, MONTREAL_ZONE = "Europe/Paris", "America/Toronto"
SPRING = Interval(datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC))
AUTUMN = Interval(datetime(2027, 10, 31, 1, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC))
TOLD_AT = SPRING.start - timedelta(days=14)
READER = "staff@sainte-justine.example"


def on(day: int, **changes: Any) -> Session:
    facts = {"title": f"Séance du {day}", "participations": (LILLE, MONTREAL)}
    return session(f"2027-03-{day}T15:00", id=f"march-{day}", uid=f"march-{day}@perinat.example", **facts | changes)


async def warnings(room: PostRoom) -> list[Any]:
    """The drift mails that are sent now, to anybody."""
    room.mailbox.raw.clear()
    await room.delivery().run_once()
    return [mail for mail in room.mailbox.mails if str(mail["Subject"]).startswith(("Heure", "Unusual"))]


@pytest.mark.parametrize("period", [SPRING, AUTUMN])
def test_an_odd_period_lasts_from_one_countrys_change_to_the_others(period):
    for instant in (period.start, period.start + timedelta(days=3), period.end - timedelta(seconds=1)):
        assert zones.odd_period(instant, PARIS, MONTREAL_ZONE) == period
    assert zones.odd_period(period.start - timedelta(seconds=1), PARIS, MONTREAL_ZONE) is None
    assert zones.odd_period(period.end, PARIS, MONTREAL_ZONE) is None


def test_a_whole_season_is_no_odd_period():
    assert zones.odd_period(SPRING.start, PARIS, "Indian/Reunion") is None


async def test_a_site_is_told_once_two_weeks_before_which_sessions_fall_otherwise(room: PostRoom):
    for day in (11, 18, 25, 30):
        await room.book(on(day))
    room.now = TOLD_AT - timedelta(seconds=1)
    assert await warnings(room) == []
    room.now = TOLD_AT
    [mail] = await warnings(room)
    assert mail["To"] == READER
    assert mail["Subject"].replace("\u00a0", " ") == (
        "Heures inhabituelles : 2 visioconférences, la première jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)"
    )
    text = mail.get_body(("plain",)).get_content().replace("\u00a0", " ")
    assert "Du dimanche 14 mars 2027 au samedi 27 mars 2027" in text
    assert "le décalage entre Montréal et Paris est de 5 h au lieu de 6 h" in text
    for day in (18, 25):
        assert (
            f"- Séance du {day} : jeudi {day} mars 2027 à 10 h 00 (heure de Montréal), "
            "au lieu de 9 h 00 (heure de Montréal)"
        ) in text
    assert "Séance du 11" not in text
    for _ in range(3):
        room.passes(days=1)
        assert await warnings(room) == []


async def test_a_session_booked_within_the_two_weeks_is_warned_of_in_its_invitation_alone(room: PostRoom):
    room.now = TOLD_AT + timedelta(days=2)
    await room.book(on(18, created_at=room.now, updated_at=room.now))
    await room.delivery().run_once()
    [invitation] = room.mailbox.to(READER)
    body = invitation.get_body(("plain",))
    assert body is not None
    assert "inhabituel" in body.get_content()
    room.passes(hours=2)
    assert await warnings(room) == []


async def test_a_service_that_was_down_that_day_tells_it_later_of_what_is_still_to_come(room: PostRoom):
    for day in (16, 18):
        await room.book(on(day))
    room.now = datetime(2027, 3, 17, 8, tzinfo=UTC)
    [mail] = await warnings(room)
    assert "Heure inhabituelle" in mail["Subject"]
    assert "Séance du 18" in mail["Subject"]
    assert parsedate_to_datetime(mail["Date"]) == room.now  # not the day on which it should have been sent


async def test_what_is_cancelled_or_declined_before_the_mail_leaves_is_not_in_it(room: PostRoom):
    sessions = [await room.book(on(day)) for day in (18, 22, 25)]
    delivery = room.delivery()
    room.now = TOLD_AT
    await delivery.planning.plan_odd_weeks()
    await room.change(changed(sessions[0], status="cancelled", after=room.now - sessions[0].updated_at))
    gone = (LILLE, part("sainte-justine", "declined", required=False))
    await room.change(changed(sessions[1], participations=gone, after=room.now - sessions[1].updated_at))
    [mail] = await warnings(room)
    text = mail.get_body(("plain",)).get_content()
    assert [day for day in (18, 22, 25) if f"Séance du {day}" in text] == [25]


async def test_it_hangs_on_the_invitation_to_the_session_that_begins_first(room: PostRoom):
    """MAIL-03"""
    sessions = [await room.book(on(day)) for day in (25, 18)]
    await room.delivery().run_once()
    room.now = TOLD_AT
    [mail] = await warnings(room)
    assert mail["References"] == (await room.row(sessions[1], "invitation", READER)).message_id


async def test_where_nothing_is_left_nothing_is_said(room: PostRoom):
    first = await room.book(on(18))
    room.now = TOLD_AT
    delivery = room.delivery()
    await delivery.planning.plan_odd_weeks()
    await room.change(changed(first, status="cancelled", after=room.now - first.updated_at))
    assert await warnings(room) == []
    assert (await room.row(first, "drift", READER)).last_error == "superseded"


async def test_a_session_by_montreals_clock_warns_lille(room: PostRoom):
    await room.book(on(18, timezone=MONTREAL_ZONE, host_site="sainte-justine", participations=(MONTREAL, LILLE)))
    room.now = TOLD_AT
    mails = await warnings(room)
    assert sorted(mail["To"] for mail in mails) == ["coordination@lille.example", "staff@lille.example"]


async def test_the_keys_name_zone_pair_period_and_recipient(room: PostRoom):
    first = await room.book(on(18))
    room.now = TOLD_AT
    await warnings(room)
    row = await room.row(first, "drift", READER)
    assert row.key == f"drift:{PARIS}:{MONTREAL_ZONE}:{int(SPRING.start.timestamp())}:{READER}"
