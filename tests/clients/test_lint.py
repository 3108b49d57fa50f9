"""Our own lint finds what it is there for: each fault that some client fell over, put into a good calendar."""

from __future__ import annotations

import pytest

from tests.clients.lint import lint
from tests.feeds.examples import GOLDEN

GOOD = (GOLDEN / "feed-full-fr.ics").read_bytes()


@pytest.mark.parametrize(
    ("number", "right", "wrong"),
    [
        ("ICS-02", b"UID:5f8d2c1e-0000-4000-8000-000000000002", b"UID:5f8d2c1e-0000-4000-8000-000000000001"),
        ("ICS-05", b"DTSTAMP:20261207T081500Z\r\n", b""),
        ("ICS-05", b"CREATED:", b"X-CREATED:"),
        ("ICS-10", b"DTSTART;TZID=Europe/Paris:20270121", b"DTSTART:20270121"),
        ("ICS-11", b"BEGIN:DAYLIGHT", b"BEGIN:STANDARD"),
        ("ICS-11", b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", b"RDATE:20271031T030000"),
        ("ICS-11", b"X-LIC-LOCATION:Europe/Paris", b"COMMENT:until 2038"),
        ("ICS-11", b"TZID:Europe/Paris", b"TZID:Europe/Lisbon"),
        ("ICS-20", b"TRANSP:TRANSPARENT", b"TRANSP:OPAQUE"),
        ("ICS-20", "SUMMARY:ANNULÉ – ".encode(), b"SUMMARY:"),
        ("ICS-30", b"BEGIN:VCALENDAR", b"\r\nBEGIN:VCALENDAR"),
        ("ICS-30", b"CALSCALE:GREGORIAN", b"CALSCALE:GREGORIAN" + b"x" * 60),
        ("ICS-30", "É".encode(), b"\xc3\r\n \x89"),
        ("ICS-31", b"STATUS:CONFIRMED", b"STATUS:CON\x0bFIRMED"),
        ("ICS-33", b"REFRESH-INTERVAL;VALUE=DURATION", b"REFRESH-INTERVAL"),
        ("ICS-34", b"FEATURE=AUDIO,VIDEO", b'FEATURE="VIDEO"'),
        ("ICS-42", b"VERSION:2.0", b"VERSION:2.0\r\nUID:1"),
        ("ICS-45", b"STATUS:CONFIRMED", b"ATTENDEE:mailto:a@b.example\r\nSTATUS:CONFIRMED"),
    ],
)
def test_a_fault_is_found(number: str, right: bytes, wrong: bytes) -> None:
    assert lint(GOOD) == []
    spoiled = GOOD.replace(right, wrong, 1)
    assert spoiled != GOOD
    assert number in {fault.partition(":")[0] for fault in lint(spoiled)}
