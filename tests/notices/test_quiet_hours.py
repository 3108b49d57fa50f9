"""MAIL-08: nobody is reminded in their night, where a network has set one; a reminder comes the evening before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from perinat_sched.notices.notice import FOR_THE_CODE
from perinat_sched.notices.readers import code_at, falls_due
from perinat_sched.sites.network import QuietHours
from tests.builders import A_DAY_BEFORE
from tests.notices.conftest import PostRoom
from tests.notices.examples import AN_HOUR_BEFORE, BOOKED, NETWORK, Desk, changed, network, part, session

NIGHT = QuietHours(begins=21 * 60, ends=7 * 60)
QUIET = replace(NETWORK, quiet_hours=NIGHT)


@pytest.mark.parametrize(
    ("wall", "site", "lead", "due"),
    [
        pytest.param("2027-01-21T15:00", "calais", A_DAY_BEFORE, "2027-01-20T15:00+01:00", id="by day"),
        pytest.param("2027-01-21T15:00", "noumea", A_DAY_BEFORE, "2027-01-20T21:00+11:00", id="1 h in Nouméa"),
        pytest.param("2027-01-21T22:00", "calais", A_DAY_BEFORE, "2027-01-20T21:00+01:00", id="before midnight"),
        pytest.param("2027-01-21T21:00", "calais", A_DAY_BEFORE, "2027-01-20T21:00+01:00", id="as it begins"),
        pytest.param("2027-01-21T06:59", "calais", A_DAY_BEFORE, "2027-01-19T21:00+01:00", id="as it ends"),
        pytest.param("2027-01-21T07:00", "calais", A_DAY_BEFORE, "2027-01-20T07:00+01:00", id="after it"),
        pytest.param("2027-01-21T07:30", "calais", AN_HOUR_BEFORE, "2027-01-20T21:00+01:00", id="an hour before"),
        pytest.param("2027-03-29T05:00", "calais", A_DAY_BEFORE, "2027-03-27T21:00+01:00", id="a night in spring"),
        pytest.param("2027-11-01T05:00", "calais", A_DAY_BEFORE, "2027-10-30T21:00+02:00", id="a night in autumn"),
    ],
)
def test_a_reminder_that_would_fall_in_its_readers_night_comes_the_evening_before(wall, site, lead, due):
    assert falls_due(session(wall), lead, QUIET, site) == datetime.fromisoformat(due)


@pytest.mark.parametrize(("minute", "due"), [("13:59", "13:59"), ("14:00", "14:00"), ("15:59", "14:00")])
def test_quiet_hours_may_lie_within_a_day(minute, due):
    siesta = replace(NETWORK, quiet_hours=QuietHours(begins=14 * 60, ends=16 * 60))
    at = falls_due(session(f"2027-01-21T{minute}"), A_DAY_BEFORE, siesta, "calais")
    assert at == datetime.fromisoformat(f"2027-01-20T{due}+01:00")


def test_without_quiet_hours_a_reminder_keeps_its_lead_time():
    at = falls_due(session(), A_DAY_BEFORE, NETWORK, "noumea")
    assert at == datetime.fromisoformat("2027-01-21T01:00+11:00")


def test_the_access_code_comes_with_the_reminder_of_the_evening_before():
    about = session(participations=(part("lille"), part("noumea")))
    evening = datetime.fromisoformat("2027-01-20T21:00+11:00")
    assert code_at(about, QUIET, "noumea", evening) == "4711"
    assert code_at(about, QUIET, "noumea", evening - timedelta(seconds=1)) is None
    assert code_at(about, QUIET, "lille", evening) is None


def test_quiet_hours_that_are_set_later_bring_forward_what_is_still_to_come():
    desk = Desk()
    desk.plan(session(participations=(part("lille"), part("noumea"))))
    desk.sent()
    desk.directory = replace(network(), quiet_hours=NIGHT)
    desk.plan(changed(desk.about, title="Autre", sequence=0))
    due = {row.site: row.due_at for row in desk.rows.values() if row.lead and row.lead != FOR_THE_CODE}
    assert due == {
        "lille": datetime.fromisoformat("2027-01-20T15:00+01:00"),
        "noumea": datetime.fromisoformat("2027-01-20T21:00+11:00"),
    }


async def test_what_would_wake_a_reader_of_noumea_at_night_is_one_mail_in_the_evening(room: PostRoom):
    room.directory = QUIET
    for number, wall in enumerate(("2027-01-21T15:00", "2027-01-21T17:30")):
        ours = (part("lille"), part("noumea"))
        await room.book(session(wall, id=f"s{number}", uid=f"s{number}", participations=ours, created_at=BOOKED))
    await room.delivery().run_once()
    room.mailbox.raw.clear()
    room.now = datetime.fromisoformat("2027-01-20T21:00+11:00")
    await room.delivery().run_once()
    [mail] = room.mailbox.mails
    assert mail["To"] == "staff@noumea.example"
    assert "2\u00a0visioconférences" in mail["Subject"] or "2 visioconférences" in mail["Subject"]
    room.now = datetime.fromisoformat("2027-01-21T06:59+11:00")
    await room.delivery().run_once()
    assert [mail["To"] for mail in room.mailbox.mails].count("staff@noumea.example") == 1
