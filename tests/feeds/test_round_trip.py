"""Random sessions and edits, written and read back by a strict parser: the calendar says what the database knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from perinat_sched import zones
from perinat_sched.booking.rules import revised
from perinat_sched.booking.session import Answer, Session, Status
from perinat_sched.feeds.calendar import one_line, paragraph, render_feed
from perinat_sched.feeds.face import Face, face
from perinat_sched.people.access import Detail
from tests.feeds.examples import CREATED, NETWORK, PARTS, cover, part, session
from tests.feeds.lint import complaints

ZONES = ["Europe/Paris", "America/Toronto", "Indian/Reunion", "Pacific/Noumea", "America/Miquelon", "Asia/Jerusalem"]
SITES = {"lille": "lille-1", "calais": "calais-1", "sainte-justine": None, "reunion": None, "noumea": None}
COVER = cover("en")

instants = st.datetimes(datetime(2026, 12, 1), datetime(2028, 3, 1)).map(  # noqa: DTZ001 - made UTC here
    lambda naive: naive.replace(minute=naive.minute // 5 * 5, second=0, microsecond=0, tzinfo=UTC)
)
near_a_change_of_clocks = st.builds(
    lambda change, minutes: datetime.fromisoformat(change) + timedelta(minutes=5 * minutes),
    st.sampled_from(
        ["2027-03-28T01:00+00:00", "2027-10-31T01:00+00:00", "2027-03-14T07:00+00:00", "2027-11-07T06:00+00:00"]
    ),
    st.integers(-40, 40),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
links = st.sampled_from([None, "https://visio.example/a?b=1,2;c", "https://visio.example/é"])
statuses: st.SearchStrategy[Status] = st.sampled_from(["tentative", "confirmed", "cancelled"])
answers: st.SearchStrategy[Answer] = st.sampled_from(["pending", "accepted", "declined", "tentative"])
details: st.SearchStrategy[Detail] = st.sampled_from(["full", "kind", "busy"])
parts = st.dictionaries(st.sampled_from([*SITES][1:]), answers).map(
    lambda chosen: (part("lille", room="lille-1"), *(part(s, a, room=SITES[s]) for s, a in chosen.items()))
)


@st.composite
def hours(draw: st.DrawFn) -> dict[str, Any]:
    """When: an instant and the wall time and pass that it is in a zone."""
    start, zone = draw(instants | near_a_change_of_clocks), draw(st.sampled_from(ZONES))
    local = zones.to_local(start, zone)
    return {
        "start": start,
        "timezone": zone,
        "wall_start": local.replace(tzinfo=None, fold=0),
        "fold": local.fold,
        "duration": timedelta(minutes=5 * draw(st.integers(1, 96))),
    }


facts = st.one_of(
    hours(),
    st.fixed_dictionaries({"title": texts}),
    st.fixed_dictionaries({"description": texts}),
    st.fixed_dictionaries({"join_url": links}),
    st.fixed_dictionaries({"status": statuses, "cancellation_reason": texts}),
    st.fixed_dictionaries({"participations": parts}),
)


@st.composite
def booked(draw: st.DrawFn) -> list[tuple[Session, Detail]]:
    """Up to five sessions, each after some changes of any sort."""
    sessions = []
    for number in range(draw(st.integers(0, 5))):
        of = session(
            id=f"s{number}", uid=f"s{number}@perinat.example", revision=0, sequence=0, updated_at=CREATED,
            title=draw(texts), status=draw(statuses), **draw(hours()),
        )  # fmt: skip
        for minute, change in enumerate(draw(st.lists(facts, max_size=3)), start=1):
            of = revised(of, replace(of, **change), CREATED + timedelta(minutes=minute))
        sessions.append((of, draw(details)))
    return sessions


def read(feed: bytes) -> dict[str, Event]:
    """The events by UID, from a parser that may have nothing to complain of."""
    calendar = Calendar.from_ical(feed)
    assert [component.errors for component in calendar.walk() if component.errors] == []
    events = {str(event["UID"]): event for event in calendar.events}
    assert len(events) == len(calendar.events)
    return events


def sequence(event: Event) -> int:
    return int(event.decoded("sequence"))


@given(booked())
def test_what_is_read_back_equals_the_sessions__ics_02_03_04_05_10_16(sessions: list[tuple[Session, Detail]]) -> None:
    feed = render_feed(COVER, sessions, NETWORK)
    assert complaints(feed) == []
    events = read(feed)
    assert set(events) == {of.uid for of, _ in sessions}
    for of, detail in sessions:
        event, seen = events[of.uid], face(of, NETWORK, detail, COVER.view)
        assert (event.decoded("dtstart"), event.decoded("dtend")) == (of.start, of.end)
        assert (sequence(event), event["STATUS"]) == (of.sequence, of.status.upper())
        assert event.decoded("dtstamp") == event.decoded("last-modified") == of.updated_at
        assert event.decoded("created") == of.created_at
        assert told(event) == Face(
            status=of.status,
            summary=one_line(seen.summary),
            description=paragraph(seen.description),
            location=one_line(seen.location),
            link=seen.link,
        )


def told(event: Event) -> Face:
    status: Any = str(event["STATUS"]).lower()
    link = event.get("URL")
    return Face(
        status=status,
        summary=str(event["SUMMARY"]),
        description=str(event.get("DESCRIPTION", "")),
        location=str(event.get("LOCATION", "")),
        link=str(link) if link else None,
    )


@given(booked(), st.randoms(use_true_random=False))
def test_bytes_are_equal_when_nothing_changed_and_differ_when_something_did__ics_04(
    sessions: list[tuple[Session, Detail]], random: Any
) -> None:
    feed = render_feed(COVER, sessions, NETWORK)
    shuffled = list(sessions)
    random.shuffle(shuffled)
    assert render_feed(COVER, shuffled, NETWORK) == feed
    for of, detail in sessions:
        moved = revised(of, replace(of, duration=of.duration + timedelta(minutes=5)), of.updated_at)
        assert render_feed(COVER, [(moved, detail)], NETWORK) != render_feed(COVER, [(of, detail)], NETWORK)


@pytest.mark.parametrize(
    ("change", "rise"),
    [
        ({"title": "autre"}, 0),
        ({"description": "autre"}, 0),
        ({"kind": "cpdpn"}, 0),
        ({"access_code": "0000"}, 0),
        ({"override_reason": "urgence"}, 0),
        ({"participations": (replace(PARTS[0], comment="autre"), *PARTS[1:])}, 0),
        ({"participations": (PARTS[0], replace(PARTS[1], answer="pending"), *PARTS[2:])}, 0),
        ({"participations": (PARTS[0], replace(PARTS[1], answer="declined"), *PARTS[2:])}, 1),
        ({"participations": (replace(PARTS[0], room="lille-2"), *PARTS[1:])}, 1),
        ({"participations": (*PARTS, part("reunion"))}, 1),
        ({"participations": PARTS[:2]}, 1),
        ({"start": session().start + timedelta(hours=1)}, 1),
        ({"duration": timedelta(hours=2)}, 1),
        ({"timezone": "Europe/Brussels"}, 1),
        ({"join_url": "https://other.example/"}, 1),
        ({"status": "tentative"}, 1),
        ({"status": "cancelled"}, 1),
    ],
    ids=["title", "description", "kind", "access code", "reason", "comment", "an answer", "declined", "room",
         "a site more", "a site less", "start", "length", "zone", "link", "tentative", "cancelled"],
)  # fmt: skip
def test_each_change_raises_the_sequence_as_it_should__ics_03(change: dict[str, Any], rise: int) -> None:
    before = session()
    after = revised(before, replace(before, **change), before.updated_at)
    assert (after.revision - before.revision, after.sequence - before.sequence) == (1, rise)


@given(st.lists(facts, max_size=8))
def test_sequence_never_falls_and_rises_with_time_place_link_and_status__ics_03(changes: list[dict[str, Any]]) -> None:
    history = [session(revision=0, sequence=0, updated_at=CREATED)]
    for minute, change in enumerate(changes, start=1):
        history.append(revised(history[-1], replace(history[-1], **change), CREATED + timedelta(minutes=minute)))
    written = [read(render_feed(COVER, [(of, "full")], NETWORK))[of.uid] for of in history]
    assert sequence(written[0]) == 0
    for (before, after), (earlier, later) in zip(pairwise(history), pairwise(written), strict=True):
        significant = (before.interval, before.status, before.join_url) != (
            after.interval,
            after.status,
            after.join_url,
        )
        rise = sequence(later) - sequence(earlier)
        assert rise in ((1,) if significant else (0, 1))
        texts_only = ("title", "description", "cancellation_reason", "revision", "updated_at")
        if replace(after, **{name: getattr(before, name) for name in texts_only}) == before:
            assert rise == 0
        assert later.decoded("last-modified") >= earlier.decoded("last-modified")
