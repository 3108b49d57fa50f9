from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.policy import Plan, objection
from perinat_sched.notices.readers import reminds_at
from perinat_sched.sites.network import Directory, Reminder
from tests.builders import A_DAY_BEFORE, a_site
from tests.notices.conftest import PostRoom
from tests.notices.examples import (
    A_WEEK_BEFORE,
    AN_HOUR_BEFORE,
    BOOKED,
    CALAIS,
    DOMAIN,
    LILLE,
    MONTREAL,
    NETWORK,
    Desk,
    changed,
    network,
    of,
    part,
    session,
)

CALENDAR = ("invitation", "update", "cancellation")
EVERYBODY = [
    "staff@lille.example",
    "coordination@lille.example",
    "staff@calais.example",
    "staff@sainte-justine.example",
]


def invited() -> Desk:
    """The usual session, its invitations sent."""
    desk = Desk()
    desk.plan(session())
    desk.sent()
    return desk


def test_every_contact_of_every_site_is_invited_once():
    desk = Desk()
    assert of(desk.plan(session()).new, *CALENDAR) == [("invitation", address) for address in EVERYBODY]
    assert desk.plan(session()).new == ()


def test_an_address_of_two_sites_gets_one_mail_for_the_first_of_them():
    desk = Desk(network(calais=a_site("calais", contacts=("Staff@Lille.example", "staff@calais.example"))))
    mails = [row for row in desk.plan(session()).new if row.kind == "invitation"]
    assert [(row.recipient, row.site) for row in mails[:3]] == [
        ("staff@lille.example", "lille"),
        ("coordination@lille.example", "lille"),
        ("staff@calais.example", "calais"),
    ]
    assert len(mails) == 4


def test_a_site_that_the_configuration_no_longer_has_is_nobody():
    assert Desk().plan(session(participations=(LILLE, part("gone")))).new


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"title": "Autre titre"}, id="title"),
        pytest.param({"description": "Ordre du jour"}, id="description"),
        pytest.param({"status": "tentative"}, id="status"),
        pytest.param({"bridge": None, "ports": 0}, id="bridge"),
        pytest.param({"access_code": "0815"}, id="access code"),
        pytest.param({"participations": (LILLE, CALAIS, replace(MONTREAL, answer="accepted"))}, id="another's answer"),
        pytest.param({"participations": (LILLE, CALAIS, replace(MONTREAL, comment="oui"))}, id="another's comment"),
    ],
)
def test_nothing_is_sent_for_a_change_that_nobody_must_hear(change):
    """Titles, notes, codes and the answers of others."""
    plan = invited().plan(changed(session(), **change))
    assert of((*plan.new, *plan.changed), *CALENDAR, "declined") == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"duration": timedelta(minutes=90)}, id="length"),
        pytest.param({"join_url": None}, id="link"),
        pytest.param({"timezone": "Europe/Brussels"}, id="zone"),
    ],
)
def test_what_concerns_all_is_told_to_all(change):
    plan = invited().plan(changed(session(), **change))
    assert of(plan.new, *CALENDAR) == [("update", address) for address in EVERYBODY]


def test_a_move_is_told_to_all():
    plan = invited().plan(changed(session(), "2027-01-22T15:00"))
    assert of(plan.new, *CALENDAR) == [("update", address) for address in EVERYBODY]


def test_a_room_is_told_to_its_own_site_alone():
    plan = invited().plan(changed(session(), participations=(LILLE, replace(CALAIS, room="calais-2"), MONTREAL)))
    assert of(plan.new, *CALENDAR) == [("update", "staff@calais.example")]


def test_a_new_site_is_invited_and_the_others_hear_of_it():
    plan = invited().plan(changed(session(), participations=(LILLE, CALAIS, MONTREAL, part("reunion", "pending"))))
    assert of(plan.new, *CALENDAR) == [
        *(("update", address) for address in EVERYBODY),
        ("invitation", "staff@reunion.example"),
    ]


def test_a_removed_site_is_told_not_to_come_and_the_others_hear_of_it():
    """ITIP-07"""
    plan = invited().plan(changed(session(), participations=(LILLE, CALAIS)))
    assert sorted(of(plan.new, *CALENDAR)) == [
        ("cancellation", "staff@sainte-justine.example"),
        *sorted(("update", address) for address in EVERYBODY[:3]),
    ]


def test_a_site_that_declines_leaves_and_only_the_host_hears_of_it():
    plan = invited().plan(changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL)))
    assert sorted(of(plan.new, *CALENDAR, "declined")) == [
        ("cancellation", "staff@calais.example"),
        ("declined", "coordination@lille.example"),
        ("declined", "staff@lille.example"),
    ]


def test_the_host_is_not_told_that_an_optional_site_declines():
    plan = invited().plan(changed(session(), participations=(LILLE, CALAIS, replace(MONTREAL, answer="declined"))))
    assert of(plan.new, *CALENDAR, "declined") == [("cancellation", "staff@sainte-justine.example")]


def test_the_host_is_told_once_of_each_refusal():
    desk, refused = invited(), changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL))
    desk.plan(refused)
    desk.sent()
    moved_link = changed(refused, join_url="https://visio.example/2")
    assert of(desk.plan(moved_link).new, "declined") == []
    desk.sent()
    back = changed(moved_link, participations=(LILLE, CALAIS, MONTREAL))
    assert of(desk.plan(back).new, *CALENDAR, "declined") == [("invitation", "staff@calais.example")]
    desk.sent()
    again = changed(back, participations=(LILLE, part("calais", "declined"), MONTREAL), sequence=back.sequence)
    assert len(of(desk.plan(again).new, "declined")) == 2


def test_the_host_hears_nothing_of_a_refusal_taken_back_before_the_mail_left():
    desk, refused = invited(), changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL))
    desk.plan(refused)
    desk.plan(changed(refused, participations=(LILLE, CALAIS, MONTREAL)))
    assert of(list(desk.rows.values()), "declined", "cancellation") == []


def test_a_cancelled_session_is_cancelled_for_all():
    desk = invited()
    cancelled = changed(session(), status="cancelled", cancellation_code="postponed")
    assert of(desk.plan(cancelled).new, *CALENDAR) == [("cancellation", address) for address in EVERYBODY]
    desk.sent()
    assert desk.plan(changed(cancelled, sequence=cancelled.sequence)).new == ()


def test_a_session_that_takes_place_after_all_is_announced_again():
    desk, cancelled = invited(), changed(session(), status="cancelled")
    desk.plan(cancelled)
    desk.sent()
    plan = desk.plan(changed(cancelled, status="confirmed"))
    assert of(plan.new, *CALENDAR) == [("invitation", address) for address in EVERYBODY]
    assert {row.sequence for row in plan.new} == {2}


def test_what_was_cancelled_before_anybody_was_told_is_never_mentioned():
    desk = Desk()
    desk.plan(session())
    plan = desk.plan(changed(session(), status="cancelled"))
    assert plan.new == ()
    assert {(row.state, row.last_error) for row in desk.rows.values()} == {("skipped", "cancelled")}


def test_a_cancellation_taken_back_before_it_left_is_never_mentioned():
    desk, cancelled = invited(), changed(session(), status="cancelled")
    desk.plan(cancelled)
    plan = desk.plan(changed(cancelled, status="confirmed"))
    assert of(list(desk.rows.values()), *CALENDAR) == []
    assert {row.kind for row in plan.new} == set()


def test_two_moves_before_the_mail_left_make_one_mail():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    desk.plan(changed(moved, "2027-01-25T15:00"))
    waiting = [row for row in desk.rows.values() if row.state == "due" and row.kind in CALENDAR]
    assert [(row.kind, row.sequence) for row in waiting] == [("update", 2)] * 4


def test_a_move_and_back_before_the_mail_left_makes_none():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    desk.plan(changed(moved, "2027-01-21T15:00"))
    assert of(list(desk.rows.values()), *CALENDAR) == []


def test_who_was_never_told_gets_an_invitation_even_after_a_move():
    desk = Desk()
    desk.plan(session())
    assert {row.kind for row in desk.plan(changed(session(), "2027-01-22T15:00")).new} == {"invitation", "reminder"}


def test_an_invitation_in_flight_counts_as_told():
    desk = Desk()
    desk.plan(session())
    desk.becomes("leased")
    desk.rows = {key: replace(row, handed_at=row.due_at) for key, row in desk.rows.items()}
    assert len(of(desk.plan(changed(session(), status="cancelled")).new, "cancellation")) == 4


@pytest.mark.parametrize("state", ["due", "leased"])
@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        pytest.param({"status": "cancelled"}, set(), id="cancelled"),
        pytest.param({"wall": "2027-01-22T15:00"}, {"invitation"}, id="moved"),
    ],
)
def test_an_invitation_that_was_only_claimed_is_taken_back_and_counts_as_untold(state, change, kinds):
    """Its claimer may have died; one that lives learns it when it would note the handing over."""
    desk = Desk()
    desk.plan(session())
    desk.becomes(state, kind="invitation")
    plan = desk.plan(changed(session(), **change))
    assert {row.kind for row in plan.new if row.kind != "reminder"} == kinds
    first = [row for row in desk.rows.values() if row.kind == "invitation" and row.sequence == 0]
    assert {(row.state, row.lease, row.leased_until) for row in first} == {("skipped", None, None)}


def test_a_refused_address_is_not_tried_again_until_there_is_news():
    desk = Desk()
    desk.plan(session())
    desk.becomes("failed", kind="invitation")
    renamed = changed(session(), title="Autre")
    assert desk.plan(renamed).new == ()
    assert len(of(desk.plan(changed(renamed, "2027-01-22T15:00")).new, "invitation")) == 4


def test_a_mail_that_may_have_arrived_is_followed_by_an_update_and_by_a_cancellation():
    desk = Desk()
    desk.plan(session())
    desk.rows = {k: replace(row, handed_at=row.due_at, ambiguous=True) for k, row in desk.rows.items()}
    moved = changed(session(), "2027-01-22T15:00")
    assert len(of(desk.plan(moved).new, "update")) == 4
    assert len(of(desk.plan(changed(moved, status="cancelled")).new, "cancellation")) == 4


def test_a_cancellation_in_doubt_that_is_taken_back_is_followed_by_the_truth_though_it_was_told_before():
    """The reader may have crossed the session out."""
    desk, cancelled = invited(), changed(session(), status="cancelled")
    desk.plan(cancelled)
    for row in list(desk.rows.values()):
        if row.kind == "cancellation":
            desk.rows[row.id] = replace(row, handed_at=row.due_at, ambiguous=True)
    moved = changed(cancelled, "2027-01-22T15:00", status="confirmed")
    desk.plan(moved)
    plan = desk.plan(changed(moved, "2027-01-21T15:00"))
    assert of(plan.new, *CALENDAR) == [("invitation", reader) for reader in EVERYBODY]


def test_a_change_that_was_refused_and_taken_back_is_not_news_to_who_never_heard_of_it():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    desk.becomes("failed", kind="update", recipient="staff@calais.example")
    desk.becomes("sent", kind="update")
    plan = desk.plan(changed(moved, "2027-01-21T15:00"))
    assert ("update", "staff@calais.example") not in of(plan.new, *CALENDAR)
    assert len(of(plan.new, *CALENDAR)) == len(EVERYBODY) - 1


def test_answers_to_and_fro_without_a_new_sequence_lose_no_mail():
    desk, now = invited(), session()
    gone = (LILLE, CALAIS, replace(MONTREAL, answer="declined"))
    for _ in range(3):
        now = changed(now, participations=gone, sequence=0)
        assert of(desk.plan(now).new, *CALENDAR) == [("cancellation", "staff@sainte-justine.example")]
        desk.sent()
        now = changed(now, participations=(LILLE, CALAIS, MONTREAL), sequence=0)
        assert of(desk.plan(now).new, *CALENDAR) == [("invitation", "staff@sainte-justine.example")]
        desk.sent()
    assert len({row.key for row in desk.rows.values()}) == len(desk.rows)


# Reminders


@pytest.mark.parametrize(
    ("wall", "zone", "lead", "local"),
    [
        pytest.param("2027-01-21T15:00", "Europe/Paris", A_DAY_BEFORE, "2027-01-20T15:00+01:00", id="a day before"),
        pytest.param(
            "2027-03-29T10:00", "Europe/Paris", A_DAY_BEFORE, "2027-03-28T10:00+02:00", id="spring, same side"
        ),
        pytest.param("2027-03-28T10:00", "Europe/Paris", A_DAY_BEFORE, "2027-03-27T10:00+01:00", id="across spring"),
        pytest.param("2027-10-31T10:00", "Europe/Paris", A_DAY_BEFORE, "2027-10-30T10:00+02:00", id="across autumn"),
        pytest.param("2027-11-04T15:00", "Europe/Paris", A_WEEK_BEFORE, "2027-10-28T15:00+02:00", id="a week, autumn"),
        pytest.param(
            "2027-03-14T09:00", "America/Toronto", A_DAY_BEFORE, "2027-03-13T09:00-05:00", id="Montréal, spring"
        ),
        pytest.param(
            "2027-11-07T09:00", "America/Toronto", A_DAY_BEFORE, "2027-11-06T09:00-04:00", id="Montréal, autumn"
        ),
        pytest.param(
            "2027-03-28T03:30", "Europe/Paris", AN_HOUR_BEFORE, "2027-03-28T01:30+01:00", id="an hour is elapsed"
        ),
        pytest.param("2027-03-29T02:30", "Europe/Paris", A_DAY_BEFORE, "2027-03-28T03:30+02:00", id="a skipped hour"),
        pytest.param("2027-11-01T02:30", "Europe/Paris", A_DAY_BEFORE, "2027-10-31T02:30+02:00", id="a repeated hour"),
        pytest.param(
            "2027-03-28T10:00",
            "Europe/Paris",
            Reminder(text="P1DT1H", days=1, rest=timedelta(hours=1)),
            "2027-03-27T09:00+01:00",
            id="a day and an hour",
        ),
    ],
)
def test_a_lead_time_counts_days_on_the_wall(wall, zone, lead, local):
    """MAIL-02"""
    assert reminds_at(session(wall, timezone=zone), lead) == datetime.fromisoformat(local).astimezone(UTC)


async def test_a_reminder_follows_the_clock_when_the_same_moment_is_another_wall_time(room: PostRoom):
    """MAIL-02: another zone of the session, or another law on clocks, between the reminder and the start."""
    spring = await room.book(session("2027-03-28T10:00"))
    await room.delivery().run_once()
    tunis = await room.change(
        changed(spring, wall_start=datetime.fromisoformat("2027-03-28T09:00"), timezone="Africa/Tunis")
    )
    await room.delivery().run_once()
    hours = {(row.state, row.due_at, row.try_at) for row in await room.rows(tunis) if row.lead}
    assert hours == {("due", *[datetime(2027, 3, 27, 8, tzinfo=UTC)] * 2)}
    await room.change(changed(tunis, wall_start=spring.wall_start, timezone="Europe/Paris"))
    await room.delivery().run_once()
    assert {row.due_at for row in await room.rows(tunis) if row.lead} == {datetime(2027, 3, 27, 9, tzinfo=UTC)}


def test_each_site_is_reminded_at_each_lead_time():
    reminders = [row for row in Desk(network(reminders=(A_WEEK_BEFORE, A_DAY_BEFORE))).plan(session()).new if row.lead]
    assert [(row.lead, row.recipient) for row in reminders] == [
        (lead, address) for lead in ("P7D", "P1D") for address in EVERYBODY
    ]
    assert {row.due_at for row in reminders} == {
        datetime(2027, 1, 14, 14, tzinfo=UTC),
        datetime(2027, 1, 20, 14, tzinfo=UTC),
    }
    assert {row.expires_at for row in reminders} == {session().start}


def test_a_reminder_whose_hour_is_past_at_booking_is_skipped():
    late = session(updated_at=datetime(2027, 1, 20, 14, 0, 1, tzinfo=UTC))
    assert {(r.state, r.last_error) for r in Desk().plan(late).new if r.lead} == {("skipped", "too-late")}


def test_a_reminder_that_fell_due_while_the_service_was_down_is_still_sent():
    plan = Desk().plan(session(), now=datetime(2027, 1, 21, 8, tzinfo=UTC))
    assert {row.state for row in plan.new if row.lead} == {"due"}


def test_a_moved_session_is_reminded_at_its_new_hour_alone():
    """MAIL-02, MAIL-08"""
    desk = invited()
    desk.plan(changed(session(), "2027-01-25T15:00"))
    due = {(row.due_at, row.starts) for row in desk.rows.values() if row.lead and row.state == "due"}
    assert due == {(datetime(2027, 1, 24, 14, tzinfo=UTC), datetime(2027, 1, 25, 14, tzinfo=UTC))}
    assert {row.last_error for row in desk.rows.values() if row.state == "skipped"} == {"moved"}


def test_a_session_moved_and_moved_back_is_reminded_once():
    desk, moved = invited(), changed(session(), "2027-01-25T15:00")
    desk.plan(moved)
    desk.plan(changed(moved, "2027-01-21T15:00"))
    due = [row for row in desk.rows.values() if row.lead and row.state == "due"]
    assert sorted(row.recipient for row in due) == sorted(EVERYBODY)
    assert {row.starts for row in due} == {session().start}


@pytest.mark.parametrize(
    ("change", "reason", "whom"),
    [
        pytest.param({"status": "cancelled"}, "cancelled", EVERYBODY, id="cancelled"),
        pytest.param({"participations": (LILLE, CALAIS)}, "not-taking-part", EVERYBODY[3:], id="removed"),
        pytest.param(
            {"participations": (LILLE, part("calais", "declined"), MONTREAL)},
            "not-taking-part",
            EVERYBODY[2:3],
            id="declined",
        ),
    ],
)
def test_who_does_not_come_is_not_reminded_until_they_come_after_all(change, reason, whom):
    """MAIL-08"""
    desk, off = invited(), changed(session(), **change)
    desk.plan(off)
    skipped = {row.recipient: row.last_error for row in desk.rows.values() if row.lead and row.state == "skipped"}
    assert skipped == dict.fromkeys(whom, reason)
    desk.plan(changed(off, status="confirmed", participations=session().participations))
    assert sorted(row.recipient for row in desk.rows.values() if row.lead and row.state == "due") == sorted(EVERYBODY)


def test_a_lead_time_that_is_no_longer_configured_is_dropped_at_the_next_change():
    desk = Desk(network(reminders=(A_WEEK_BEFORE, A_DAY_BEFORE)))
    desk.plan(session())
    desk.directory = NETWORK
    desk.plan(changed(session(), title="Autre"))
    assert {(r.lead, r.state, r.last_error) for r in desk.rows.values() if r.lead} == {
        ("P7D", "skipped", "superseded"),
        ("P1D", "due", None),
    }


def test_a_reader_of_two_sites_is_reminded_for_the_one_that_still_comes():
    desk = Desk(network(calais=a_site("calais", contacts=("staff@sainte-justine.example",))))
    desk.plan(session())
    desk.plan(changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL)))
    sites = {row.recipient: row.site for row in desk.rows.values() if row.lead}
    assert sites["staff@sainte-justine.example"] == "sainte-justine"


def test_a_session_that_takes_place_after_all_too_late_for_its_reminder_is_not_reminded():
    desk, cancelled = invited(), changed(session(), status="cancelled")
    desk.plan(cancelled)
    desk.sent()
    desk.plan(changed(cancelled, status="confirmed", updated_at=datetime(2027, 1, 20, 15, tzinfo=UTC)))
    assert {row.state for row in desk.rows.values() if row.lead} == {"skipped"}


def test_the_same_session_plans_the_same_rows_whoever_plans_them():
    assert Desk().plan(session(), now=BOOKED) == Desk().plan(session(), now=BOOKED)


def test_keys_say_what_makes_a_mail_the_same():
    """MAIL-01"""
    keys = {row.kind: row.key for row in Desk().plan(session()).new if row.recipient == "staff@calais.example"}
    about, start = session().id, int(session().start.timestamp())
    assert keys == {
        "invitation": f"invitation:{about}:0:staff@calais.example",
        "reminder": f"reminder:{about}:{start}:P1D:staff@calais.example",
    }


def test_a_message_id_hides_its_recipient_and_belongs_to_the_mailbox():
    for row in Desk().plan(session()).new:
        assert row.message_id.endswith(f"@{DOMAIN}>")
        assert "calais" not in row.message_id


def test_news_of_a_session_that_is_long_over_helps_nobody():
    desk = invited()
    cancelled = changed(session(), status="cancelled", updated_at=session().end + timedelta(days=2))
    plan = desk.plan(cancelled)
    assert {(row.state, row.last_error) for row in plan.new} == {("skipped", "too-late")}


@pytest.mark.parametrize(
    ("changed_at", "state"),
    [
        pytest.param(datetime(2027, 1, 20, 15, tzinfo=UTC), "due", id="after the due hour"),
        pytest.param(datetime(2027, 1, 19, 15, tzinfo=UTC), "due", id="before it"),
    ],
)
def test_a_change_of_title_does_not_cost_a_reminder_that_fell_due_while_the_service_was_down(changed_at, state):
    desk = invited()
    desk.rows = {key: row for key, row in desk.rows.items() if row.kind != "reminder"}
    desk.plan(changed(session(), title="Autre", sequence=0, updated_at=changed_at))
    assert {row.state for row in desk.rows.values() if row.lead} == {state}


def test_a_site_that_is_added_after_the_due_hour_is_invited_and_not_reminded():
    desk = invited()
    late = datetime(2027, 1, 20, 15, tzinfo=UTC)
    desk.plan(changed(session(), participations=(*session().participations, part("reunion")), updated_at=late))
    reminded = {row.recipient: row.state for row in desk.rows.values() if row.lead}
    assert reminded["staff@reunion.example"] == "skipped"
    assert {reminded[address] for address in EVERYBODY} == {"due"}


def test_a_session_moved_after_the_due_hour_of_its_new_time_is_not_reminded():
    desk = invited()
    desk.plan(changed(session(), "2027-01-20T20:00", updated_at=datetime(2027, 1, 20, 8, tzinfo=UTC)))
    rows = [row for row in desk.rows.values() if row.lead and row.starts == datetime(2027, 1, 20, 19, tzinfo=UTC)]
    assert {(row.state, row.last_error) for row in rows} == {("skipped", "too-late")}


# When the ground moves


def lost(site: str) -> Session:
    """The usual session after a site's place no longer fits."""
    parts = [replace(p, room=None, held=False, lost=True) if p.site == site else p for p in session().participations]
    return changed(session(), participations=tuple(parts), status="tentative")


def test_a_lost_place_is_told_to_its_site_and_to_the_host_once():
    desk = invited()
    gone = lost("calais")
    assert sorted(of(desk.plan(gone).new, *CALENDAR, "place-lost")) == [
        ("place-lost", "coordination@lille.example"),
        ("place-lost", "staff@calais.example"),
        ("place-lost", "staff@lille.example"),
    ]
    desk.sent()
    assert desk.plan(changed(gone, title="Autre")).new == ()


def test_a_place_found_again_is_an_update_and_its_next_loss_is_told_anew():
    desk = invited()
    desk.plan(lost("calais"))
    desk.sent()
    back = changed(lost("calais"), participations=session().participations, after=timedelta(hours=2))
    assert of(desk.plan(back).new, *CALENDAR, "place-lost") == [("update", "staff@calais.example")]
    desk.sent()
    again = replace(lost("calais"), revision=3, sequence=3, updated_at=back.updated_at + timedelta(hours=1))
    assert len(of(desk.plan(again).new, "place-lost")) == 3


def test_a_place_lost_and_found_before_the_mail_left_is_never_mentioned():
    desk = invited()
    desk.plan(lost("calais"))
    desk.plan(changed(lost("calais"), participations=session().participations))
    assert of(list(desk.rows.values()), *CALENDAR, "place-lost") == []


def test_the_hosts_own_lost_place_is_told_to_it_once():
    desk = invited()
    assert of(desk.plan(lost("lille")).new, *CALENDAR, "place-lost") == [
        ("place-lost", "staff@lille.example"),
        ("place-lost", "coordination@lille.example"),
    ]


def test_a_lost_bridge_is_told_to_the_host_alone():
    desk = invited()
    gone = changed(session(), bridge=None, ports=0, bridge_lost=True, status="tentative")
    assert of(desk.plan(gone).new, *CALENDAR, "place-lost") == [
        ("place-lost", "staff@lille.example"),
        ("place-lost", "coordination@lille.example"),
    ]


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        pytest.param(lost("calais"), None, id="still lost"),
        pytest.param(changed(lost("calais"), participations=session().participations), "taken-back", id="found again"),
        pytest.param(changed(lost("calais"), status="cancelled"), "cancelled", id="cancelled"),
    ],
)
def test_a_loss_is_told_only_while_it_holds(now, reason):
    desk = invited()
    desk.plan(lost("calais"))
    row = row_of(desk, "place-lost", "staff@lille.example")
    assert objection(row, now, NETWORK, list(desk.rows.values())) == reason


# What delivery asks before it hands over


def row_of(desk: Desk, kind: str, recipient: str = "staff@calais.example") -> Notice:
    return next(row for row in desk.rows.values() if row.kind == kind and row.recipient == recipient)


@pytest.mark.parametrize(
    ("kind", "now", "reason"),
    [
        pytest.param("invitation", session(), None, id="still true"),
        pytest.param("invitation", changed(session(), title="Autre"), None, id="another title"),
        pytest.param("invitation", changed(session(), "2027-01-22T15:00"), "superseded", id="moved"),
        pytest.param("invitation", changed(session(), status="cancelled"), "cancelled", id="cancelled"),
        pytest.param("invitation", changed(session(), participations=(LILLE,)), "not-taking-part", id="removed"),
        pytest.param("reminder", session(), None, id="reminder still true"),
        pytest.param("reminder", changed(session(), "2027-01-22T15:00"), "moved", id="reminder of a moved one"),
        pytest.param("reminder", changed(session(), status="cancelled"), "cancelled", id="reminder of a cancelled one"),
        pytest.param(
            "reminder",
            changed(session(), participations=(LILLE, part("calais", "declined"))),
            "not-taking-part",
            id="reminder to who declined",
        ),
    ],
)
def test_a_mail_is_sent_only_if_it_is_still_true(kind, now, reason):
    desk = Desk()
    desk.plan(session())
    assert objection(row_of(desk, kind), now, NETWORK, list(desk.rows.values())) == reason


def test_a_mail_never_follows_its_successor():
    desk, moved = invited(), changed(session(), "2027-01-22T15:00")
    desk.plan(moved)
    late = replace(row_of(desk, "invitation"), state="leased", handed_at=None)
    assert objection(late, moved, NETWORK, list(desk.rows.values())) == "superseded"
    assert objection(row_of(desk, "update"), moved, NETWORK, list(desk.rows.values())) is None


def test_a_cancellation_is_not_sent_to_who_comes_after_all():
    desk, cancelled = invited(), changed(session(), status="cancelled")
    desk.plan(cancelled)
    row = row_of(desk, "cancellation")
    assert objection(row, cancelled, NETWORK, list(desk.rows.values())) is None
    assert objection(row, changed(cancelled, status="confirmed"), NETWORK, []) == "taken-back"


def test_the_host_is_not_told_of_a_refusal_that_was_taken_back():
    desk, refused = invited(), changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL))
    desk.plan(refused)
    row = row_of(desk, "declined", "staff@lille.example")
    assert objection(row, refused, NETWORK, []) is None
    assert objection(row, changed(refused, participations=(LILLE, CALAIS, MONTREAL)), NETWORK, []) == "taken-back"
    assert objection(row, changed(refused, status="cancelled"), NETWORK, []) == "cancelled"


def test_a_refusal_whose_session_is_cancelled_before_the_mail_left_is_not_told():
    desk, refused = invited(), changed(session(), participations=(LILLE, part("calais", "declined"), MONTREAL))
    desk.plan(refused)
    desk.plan(changed(refused, status="cancelled"))
    assert {(row.state, row.last_error) for row in desk.rows.values() if row.kind == "declined"} == {
        ("skipped", "cancelled")
    }


def at_another_clock(timezone: str) -> Directory:
    """The network with Sainte-Justine under another clock than Montréal's."""
    return network(sainte_justine=replace(NETWORK.sites["sainte-justine"], timezone=timezone))


def test_a_site_whose_clock_is_another_one_is_told_its_hour_anew_and_nobody_else_is():
    """When the ground moves: the session keeps its moment, its people read another hour."""
    desk = invited()
    desk.directory = at_another_clock("America/Halifax")
    plan = desk.plan(session(), now=BOOKED + timedelta(days=3))
    assert of(plan.new, *CALENDAR) == [("update", "staff@sainte-justine.example")]
    [update] = plan.new
    assert update.due_at == BOOKED + timedelta(days=3)  # not the hour of a change of the session there is none of
    assert not [row for row in desk.rows.values() if row.lead and row.state != "due"]
    desk.sent()
    assert desk.plan(session(), now=BOOKED + timedelta(days=4)) == Plan()
    desk.directory = NETWORK
    assert of(desk.plan(session(), now=BOOKED + timedelta(days=5)).new, *CALENDAR) == [
        ("update", "staff@sainte-justine.example")
    ]


@pytest.mark.parametrize("timezone", ["America/Montreal", "America/New_York"])
def test_a_clock_that_shows_the_same_hour_is_no_news(timezone):
    desk = invited()
    desk.directory = at_another_clock(timezone)
    assert desk.plan(session(), now=BOOKED + timedelta(days=3)) == Plan()


def test_a_row_of_the_first_release_knows_no_hour_and_calls_for_no_mail():
    desk = invited()
    desk.rows = {
        row.id: replace(row, facts=replace(row.news, local=None, wall=None, zone=None)) if row.news else row
        for row in desk.rows.values()
    }
    assert desk.plan(session(), now=BOOKED + timedelta(days=3)) == Plan()


def test_who_was_not_yet_told_the_other_hour_gets_one_invitation_and_no_update():
    desk = Desk(at_another_clock("America/Halifax"))
    desk.plan(session())
    desk.directory = NETWORK
    desk.plan(session())
    standing = [row for row in desk.rows.values() if row.kind in CALENDAR and row.site == "sainte-justine"]
    assert [row.kind for row in standing if row.state == "due"] == ["invitation"]


def test_a_contact_who_comes_with_another_configuration_is_invited_now_and_not_at_the_hour_of_the_booking():
    """A mail dated months ago would lie among the old ones."""
    desk, later = invited(), BOOKED + timedelta(days=10, milliseconds=7)
    desk.directory = network(
        calais=replace(NETWORK.sites["calais"], contacts=("staff@calais.example", "garde@x.example"))
    )
    plan = desk.plan(session(), now=later)
    assert [(row.kind, row.due_at, row.state) for row in plan.new] == [
        ("invitation", BOOKED + timedelta(days=10), "due"),
        ("reminder", datetime(2027, 1, 20, 14, tzinfo=UTC), "due"),
    ]
    assert {row.recipient for row in plan.new} == {"garde@x.example"}


def test_an_address_that_left_the_configuration_hears_nothing_while_its_site_still_comes():
    desk = invited()
    desk.directory = network(calais=a_site("calais", contacts=("accueil@calais.example",)))
    plan = desk.plan(changed(session(), title="Autre titre"))
    assert of(plan.new, *CALENDAR) == [("invitation", "accueil@calais.example")]
