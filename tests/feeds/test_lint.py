"""The house's own lint over everything that was ever accepted by eye, and over a thousand sessions (ICS-38)."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import perinat_sched
from perinat_sched import zones
from perinat_sched.booking.session import Session, Status
from perinat_sched.feeds.calendar import render_feed
from perinat_sched.people.access import Detail
from tests.feeds.examples import GOLDEN, NETWORK, PARTS, cover, part, session
from tests.feeds.lint import complaints, content_lines

SOURCES = sorted(Path(perinat_sched.__file__).parent.rglob("*.py"))
FULL = (GOLDEN / "feed-full-fr.ics").read_bytes()


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.ics")), ids=lambda path: path.stem)
def test_nothing_is_wrong_with_a_golden_calendar__ics_02_05_11_18_38(golden: Path) -> None:
    assert complaints(golden.read_bytes()) == []


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        (b"BEGIN:VCALENDAR", b"\r\nBEGIN:VCALENDAR", "ICS-30"),
        (b"SUMMARY:", b"SUMMARY:" + b"x" * 70, "ICS-30"),
        (b"SUMMARY:", b"SUMMARY:\x0b", "ICS-31"),
        (b"SEQUENCE:1\r\n", b"", "ICS-05"),
        (b"DTSTAMP:20261207T081500Z\r\n", b"DTSTAMP:20261207T081500\r\n", "ICS-04"),
        (b"DTSTART;TZID=Europe/Paris:2027", b"DTSTART:2027", "ICS-10"),
        (b"DTEND;TZID=Europe/Paris:20270121T16", b"DTEND;TZID=Europe/Paris:20270121T14", "ICS-10"),
        (b"TZID=Europe/Paris", b"TZID=Europe/Brussels", "not defined"),
        (b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", b"RDATE:20281029T030000", "ICS-11"),
        (b"TZOFFSETTO:+0100", b"TZOFFSETTO:+010000", "ICS-11"),
        (b"TRANSP:TRANSPARENT", b"TRANSP:OPAQUE", "ICS-20"),
        (b"SUMMARY:ANNUL\xc3\x89 \xe2\x80\x93 ", b"SUMMARY:", "ICS-20"),
        (b"SUMMARY:[\xc3\x80 confirmer] ", b"SUMMARY:", "ICS-20"),
        (b"00000002@", b"00000001@", "ICS-02"),
        (b";VALUE=DURATION", b"", "ICS-33"),
        (b"FEATURE=AUDIO,VIDEO", b'FEATURE="AUDIO,VI"', "ICS-34"),
        (b"CALSCALE:GREGORIAN", b"UID:x\r\nCALSCALE:GREGORIAN", "ICS-42"),
        (b"STATUS:CONFIRMED", b"ATTENDEE:mailto:x@y.example\r\nSTATUS:CONFIRMED", "ICS-45"),
        (b"URL:https://visio.example/salle/perinat?x=1,2;y\r\n", b"", "ICS-40"),
    ],
)
def test_the_lint_notices_each_fault__ics_33_38(right: bytes, wrong: bytes, complaint: str) -> None:
    assert right in FULL
    assert any(complaint in found for found in complaints(FULL.replace(right, wrong, 1)))


def a_thousand() -> list[tuple[Session, Detail]]:
    """Two years and more of sessions from five time zones, at all hours, each state and level of detail."""
    states: list[Status] = ["tentative", "confirmed", "cancelled"]
    details: list[Detail] = ["full", "kind", "busy"]
    places = ("Europe/Paris", "America/Toronto", "Indian/Reunion", "Pacific/Noumea", "Asia/Jerusalem")
    sessions = []
    for number in range(1_000):
        start = datetime(2026, 12, 1, tzinfo=UTC) + number * timedelta(hours=17, minutes=35)
        zone = places[number % 5]
        local = zones.to_local(start, zone)
        sessions.append(
            session(
                id=f"s{number}",
                uid=f"s{number}@perinat.example",
                wall_start=local.replace(tzinfo=None, fold=0),
                timezone=zone,
                fold=local.fold,
                start=start,
                title=f"Visio {number} — été 👶",
                status=states[number % 3],
                participations=(*PARTS[: 1 + number % 3], part("noumea", "pending", required=False)),
            )
        )
    return [(each, details[position % 3]) for position, each in enumerate(sessions)]


def test_nothing_is_wrong_with_a_thousand_sessions_and_each_is_there__ics_38_46() -> None:
    feed = render_feed(cover(zone="Europe/Paris"), a_thousand(), NETWORK)
    assert complaints(feed) == []
    found = content_lines(feed)
    assert found.count("BEGIN:VEVENT") == found.count("END:VEVENT") == 1_000
    assert len({line for line in found if line.startswith("UID:")}) == 1_000
    assert len(feed) < 1_000_000  # Google's limit is unknown: ICS-46 asks for a megabyte at most


# --- ICS-06 ------------------------------------------------------------------------------------------------------


def careless_new(source: str) -> list[int]:
    """The lines that make a calendar or a component with `new(…)` and leave its UID or its stamp to icalendar."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "new"
        and ast.unparse(call.func.value).rpartition(".")[2] in ("Calendar", "Event", "Todo", "Journal", "FreeBusy")
        and not {"uid", "stamp"} <= {keyword.arg for keyword in call.keywords}
    ]


def test_nothing_here_lets_icalendar_draw_a_uid_or_read_the_clock__ics_06() -> None:
    assert SOURCES
    assert {source: found for source in SOURCES if (found := careless_new(source.read_text()))} == {}


def test_a_careless_new_would_be_found__ics_06() -> None:
    code = "a = Event.new()\nb = icalendar.Calendar.new(uid='x')\nc = Event.new(uid='x', stamp=then)\nd = Message.new()"
    assert careless_new(code) == [1, 2]
