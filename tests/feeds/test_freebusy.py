"""Free/busy: the hours of a site or a room that are taken, and nothing else (FB-01, ICS-36)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from perinat_sched.booking.session import Session
from perinat_sched.feeds.calendar import Cover
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.feeds.freebusy import busy_times, render
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Closure
from tests.feeds.examples import ORGANIZER, UPDATED, part, same_as_golden, session
from tests.feeds.lint import content_lines

SPAN = Interval(datetime(2027, 1, 18, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
UID = "0c9f6a52-0000-4000-8000-000000000009@perinat.example"
CALAIS, ROOM = Viewpoint(language="fr", site="calais"), Viewpoint(language="fr", room="calais-1")
MINUTE = timedelta(minutes=1)


def closed(start: str, hours: int = 24, reason: str = "Pont de l’Ascension") -> Closure:
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return Closure(interval=Interval(first, first + timedelta(hours=hours)), reason=reason, source="calendar")


def of(view: Viewpoint, *sessions: Session, closures: list[Closure] | None = None) -> bytes:
    cover = Cover(name="CH de Calais", zone="Europe/Paris", view=view, organizer=ORGANIZER)
    return render(cover, sessions, SPAN, uid=UID, stamp=UPDATED, closures=closures or [])


def told(view: Viewpoint, *sessions: Session, closures: list[Closure] | None = None) -> list[str]:
    lines = content_lines(of(view, *sessions, closures=closures))
    return [line.removeprefix("FREEBUSY;FBTYPE=") for line in lines if line.startswith("FREEBUSY")]


TENTATIVE = session("2027-01-21T16:00", status="tentative")
WAITING = session(
    "2027-01-22T10:00", participations=(part("lille", room="lille-1"), part("calais", "pending", room="calais-1"))
)


@pytest.mark.parametrize(("name", "view"), [("freebusy-site.ics", CALAIS), ("freebusy-room.ics", ROOM)])
def test_it_is_its_golden_file__fb_01(name: str, view: Viewpoint) -> None:
    closures = [closed("2027-01-25T23:00"), closed("2027-01-26T08:00", 4)]
    same_as_golden(name, of(view, session(), TENTATIVE, WAITING, closures=closures))


def test_two_sessions_that_touch_stay_distinct_where_one_is_to_be_confirmed__fb_01() -> None:
    assert told(CALAIS, session(), TENTATIVE) == [
        "BUSY:20270121T140000Z/20270121T150000Z",
        "BUSY-TENTATIVE:20270121T150000Z/20270121T160000Z",
    ]
    assert told(CALAIS, session(), session("2027-01-21T16:00")) == ["BUSY:20270121T140000Z/20270121T160000Z"]


def test_the_strongest_is_said_where_several_are_true__fb_01() -> None:
    assert told(CALAIS, session(duration=timedelta(hours=2)), TENTATIVE, closures=[closed("2027-01-21T15:30", 2)]) == [
        "BUSY:20270121T140000Z/20270121T153000Z",
        "BUSY-UNAVAILABLE:20270121T153000Z/20270121T173000Z",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "BUSY"),
        ({"status": "tentative"}, "BUSY-TENTATIVE"),
        ({"participations": (part("lille"), part("calais", "pending", room="calais-1"))}, "BUSY-TENTATIVE"),
        ({"participations": (part("lille"), part("calais", "declined", room=None))}, None),
        ({"participations": (part("lille"),)}, None),
        ({"status": "cancelled"}, None),
    ],
    ids=["confirmed", "to be confirmed", "the site has not answered", "declined", "without the site", "cancelled"],
)
def test_taken_is_what_is_held(changes: dict[str, Any], expected: str | None) -> None:
    for view in (CALAIS, ROOM) if changes != {} or expected else (CALAIS,):
        found = [line.partition(":")[0] for line in told(view, session(**changes))]
        assert found == ([expected] if expected else [])


def test_a_room_is_taken_from_start_to_end_and_another_room_is_not() -> None:
    assert told(ROOM, session()) == ["BUSY:20270121T140000Z/20270121T150000Z"]
    assert told(Viewpoint(language="fr", room="calais-2"), session()) == []
    assert told(Viewpoint(language="fr", site="sainte-justine"), session()) == told(ROOM, session())  # it has no room


def test_what_lasts_over_the_ends_of_the_span_is_cut_there() -> None:
    over = [closed(start) for start in ("2027-01-17T12:00", "2027-01-31T12:00", "2027-02-01T00:00")]
    assert told(CALAIS, closures=over) == [
        "BUSY-UNAVAILABLE:20270118T000000Z/20270118T120000Z",
        "BUSY-UNAVAILABLE:20270131T120000Z/20270201T000000Z",
    ]


def test_it_holds_hours_and_nothing_of_what_is_in_them__fb_01() -> None:
    canary = session(title="canari", description="canari", join_url="https://canari.example/", override_reason="canari")
    lines = content_lines(of(CALAIS, canary, closures=[closed("2027-01-26T00:00", reason="canari")]))
    assert {line.replace(";", ":").partition(":")[0] for line in lines} == {
        "BEGIN", "END", "VERSION", "PRODID", "CALSCALE", "METHOD", "UID", "DTSTAMP", "DTSTART", "DTEND", "ORGANIZER",
        "FREEBUSY",
    }  # fmt: skip
    assert "canari" not in "".join(lines) and "SECRET" not in "".join(lines)
    assert "METHOD:PUBLISH" in lines
    assert f"UID:{UID}" in lines
    assert "DTSTAMP:20261207T081500Z" in lines  # the last change, not the hour of rendering
    assert ("DTSTART:20270118T000000Z" in lines) and ("DTEND:20270201T000000Z" in lines)


def test_icalendar_reads_the_periods_as_they_were_meant__ics_36() -> None:
    [found] = Calendar.from_ical(of(CALAIS, session(), TENTATIVE)).walk("VFREEBUSY")
    periods: Any = found["FREEBUSY"]
    assert [(period.start, period.end, period.params["FBTYPE"]) for period in periods] == [
        (session().start, session().end, "BUSY"),
        (TENTATIVE.start, TENTATIVE.end, "BUSY-TENTATIVE"),
    ]


def test_the_order_of_the_sessions_does_not_matter() -> None:
    several = (session(), TENTATIVE, WAITING)
    assert of(CALAIS, *several) == of(CALAIS, *reversed(several))


starts = st.integers(0, 180).map(lambda minutes: datetime(2027, 1, 18, 12, tzinfo=UTC) + minutes * MINUTE)
lengths = st.integers(1, 90).map(lambda minutes: minutes * MINUTE)
held = st.builds(
    lambda start, duration, status, answer, room: session(
        start=start, duration=duration, status=status, participations=(part("calais", answer, room=room),)
    ),
    starts,
    lengths,
    st.sampled_from(["confirmed", "tentative", "cancelled"]),
    st.sampled_from(["accepted", "pending", "declined"]),
    st.sampled_from(["calais-1", "calais-2", None]),
)
closings = st.builds(
    lambda start, length: Closure(interval=Interval(start, start + length), reason="x", source="entered"),
    starts,
    lengths,
)


@given(st.lists(held, max_size=6), st.lists(closings, max_size=3), st.sampled_from([CALAIS, ROOM]))
def test_every_minute_is_told_as_it_is__fb_01(
    sessions: list[Session], closures: list[Closure], view: Viewpoint
) -> None:
    """Against brute force: each minute of the span is asked on its own."""
    span = Interval(datetime(2027, 1, 18, 12, 30, tzinfo=UTC), datetime(2027, 1, 18, 16, tzinfo=UTC))
    found = busy_times(view, sessions, span, closures)
    minute = span.start
    while minute < span.end:
        truths = ["BUSY-UNAVAILABLE" for one in closures if one.interval.start <= minute < one.interval.end]
        for each in sessions:
            [calais] = each.participations
            here = calais.answer != "declined" and (view.room is None or calais.room == view.room)
            if here and each.status != "cancelled" and each.start <= minute < each.end:
                sure = each.status == "confirmed" and calais.answer == "accepted"
                truths.append("BUSY" if sure else "BUSY-TENTATIVE")
        strongest = [name for name in ("BUSY-UNAVAILABLE", "BUSY", "BUSY-TENTATIVE") if name in truths][:1]
        assert [name for interval, name in found if interval.start <= minute < interval.end] == strongest
        minute += MINUTE
    for (before, one), (after, other) in pairwise(found):
        assert before.end < after.start or (before.end == after.start and one != other)
