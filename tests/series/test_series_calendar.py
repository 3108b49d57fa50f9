"""The components of a series expand to exactly the sessions that are shown, whatever was moved, cancelled, hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import recurring_ical_events
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from perinat_sched import zones
from perinat_sched.booking.session import Draft, Participation, Session
from perinat_sched.feeds.face import Face
from perinat_sched.feeds.series_calendar import Shown, components, dress
from perinat_sched.series import recurrence
from perinat_sched.series.series import Series

NOW = datetime(2027, 1, 1, tzinfo=UTC)
RULES = [
    ("FREQ=WEEKLY;BYDAY=TH;COUNT=20", "2027-02-04T15:00"),
    ("FREQ=WEEKLY;COUNT=12", "2027-10-07T15:00"),
    ("FREQ=MONTHLY;BYDAY=3TH;COUNT=12", "2027-01-21T15:00"),
    ("FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231", "2027-01-29T09:00"),
    ("FREQ=DAILY;INTERVAL=2;COUNT=30", "2027-03-14T02:15"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=15", "2027-03-01T10:00"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15;COUNT=15", "2027-01-15T10:00"),
]
ZONES = ["Europe/Paris", "America/Toronto", "Indian/Reunion"]


def a_series(rule: str, start: str, zone: str) -> Series:
    wall = datetime.fromisoformat(start)
    draft = Draft(
        kind="staff", title="Visio", description="", network="perinat", host_site="lille", wall_start=wall,
        timezone=zone, fold=0, start=zones.near(wall, zone), duration=timedelta(hours=1),
        required_sites=(), optional_sites=(),
    )  # fmt: skip
    return Series(
        id="s", uid="s@perinat-sched", revision=0, session=draft, fold=None, rrule=rule, created_at=NOW, updated_at=NOW
    )


def an_occurrence(series: Series, wall: datetime) -> Session:
    draft = series.session
    return Session(
        id=f"{wall}", uid=series.uid, revision=0, sequence=0, status="confirmed", kind=draft.kind, title=draft.title,
        description="", network="perinat", host_site="lille", wall_start=wall, timezone=draft.timezone, fold=0,
        start=zones.near(wall, draft.timezone), duration=draft.duration, tzdata_version="",
        participations=(Participation(site="lille", required=True, room=None, answer="accepted", held=True),),
        bridge=None, ports=0, join_url=None, access_code=None, override_reason=None, series=series.id,
        recurrence=wall, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def seen(session: Session) -> Shown:
    return Shown(session=session, seen=Face(status=session.status, summary=session.title))


def expanded(series: Series, shown: list[Session]) -> list[tuple[datetime, datetime, str, str]]:
    calendar = Calendar()
    for component in components(series, [seen(one) for one in shown]):
        event, session = Event(), component.session
        event.add("uid", session.uid)
        event.add("summary", session.title)
        event.add("status", session.status.upper())
        for name, instant in (("dtstart", session.start), ("dtend", session.end)):
            event.add(name, zones.to_local(instant, session.timezone) if component.clock else instant)
        event.add("dtstamp", session.updated_at)
        event.add("sequence", session.sequence)
        dress(event, component, series)
        calendar.add_component(event)
    read = Calendar.from_ical(calendar.to_ical())
    found = recurring_ical_events.of(read).between(date(2026, 1, 1), date(2029, 1, 1))
    return sorted(
        (one["dtstart"].dt.astimezone(UTC), one["dtend"].dt.astimezone(UTC), str(one["summary"]), str(one["status"]))
        for one in found
    )


@st.composite
def a_history(draw):
    """A series of which some dates were moved, retitled, cancelled or are not shown."""
    rule, start = draw(st.sampled_from(RULES))
    series = a_series(rule, start, draw(st.sampled_from(ZONES)))
    zone = series.session.timezone
    times = recurrence.expand(recurrence.parse(rule, zone), series.session.wall_start)
    shown = []
    for wall in times:
        if not zones.instants(wall, zone):
            continue  # a skipped hour is never booked
        session = an_occurrence(series, wall)
        match draw(st.sampled_from(["as ruled"] * 4 + ["moved", "retitled", "cancelled", "hidden", "longer"])):
            case "moved":
                moved = wall + timedelta(minutes=draw(st.integers(-24 * 60, 24 * 60)) // 5 * 5)
                session = replace(session, wall_start=moved, start=zones.near(moved, zone), sequence=1)
            case "retitled":
                session = replace(session, title="Autre")
            case "cancelled":
                session = replace(session, status="cancelled")
            case "longer":
                session = replace(session, duration=timedelta(minutes=90))
            case "hidden":
                continue
        shown.append(session)
    return series, shown


@given(a_history())
def test_the_components_expand_to_the_sessions_that_are_shown_ics_14(case) -> None:
    series, shown = case
    assert expanded(series, shown) == sorted((one.start, one.end, one.title, one.status.upper()) for one in shown)


@given(a_history())
def test_a_recurrence_id_stands_once_and_never_with_an_exdate_ics_02_ics_21(case) -> None:
    series, shown = case
    made = components(series, [seen(one) for one in shown])
    ids = [one.recurrence for one in made]
    assert len(ids) == len(set(ids))
    for one in made:
        assert not set(one.exdates) & set(ids)
        assert one.rrule is None or one.rrule.rpartition("UNTIL=")[2].endswith("Z")


def test_a_series_that_follows_another_says_so() -> None:
    series = replace(a_series(*RULES[0], "Europe/Paris"), follows="other")
    days = ("2027-02-04T15:00", "2027-02-11T15:00")
    (master,) = components(series, [seen(an_occurrence(series, datetime.fromisoformat(day))) for day in days])
    event = Event()
    dress(event, master, series)
    assert event["related-to"] == "other@perinat-sched"
