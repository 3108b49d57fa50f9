"""No text of anybody's ends a line, opens a component or breaks a character (ICS-30 to ICS-35)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event

from perinat_sched.feeds.calendar import one_line, paragraph, render_feed, written
from perinat_sched.feeds.invitation import Invitation
from perinat_sched.sites.network import Directory, Kind, Room
from tests.feeds.examples import PARTS, UPDATED, cover, directory, session, site

ALLOWED = {
    "BEGIN", "END", "VERSION", "PRODID", "CALSCALE", "METHOD", "NAME", "X-WR-CALNAME", "X-WR-TIMEZONE",
    "REFRESH-INTERVAL", "X-PUBLISHED-TTL", "TZID", "X-LIC-LOCATION", "DTSTART", "RRULE", "TZNAME", "TZOFFSETFROM",
    "TZOFFSETTO", "SUMMARY", "DTEND", "DTSTAMP", "UID", "SEQUENCE", "ATTENDEE", "CONFERENCE", "CREATED", "DESCRIPTION",
    "LAST-MODIFIED", "LOCATION", "ORGANIZER", "STATUS", "TRANSP", "URL", "X-MICROSOFT-CDO-BUSYSTATUS",
    "X-WR-CALDESC", "COLOR", "X-APPLE-CALENDAR-COLOR",
}  # fmt: skip
COMPONENTS = ["VCALENDAR", "VTIMEZONE", "STANDARD", "DAYLIGHT", "VEVENT"]
NASTY = [
    "x\r\nATTACH:https://evil.example/",
    "x\nATTACH:y",
    "x\rATTACH:y",
    "x\\nATTACH:y\\",
    "x\x0bATTACH:y\x0cATTACH:y\x1cATTACH:y\x85ATTACH:y\u2028ATTACH:y\u2029ATTACH:y",
    '";X-EVIL=1:"',
    "x:mailto:victim@evil.example",
    "END:VEVENT",
    "\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:y",
    "a,b;c\\d^n^'\"e",
    "\x00\x07\x1b[31m\x7f\x9f\ud800\ufeff",
    "🤰🏽👶🏿 é" * 40,
    " leading, trailing \t",
    "",
]
texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=[]), max_size=120),
    st.lists(st.sampled_from([*NASTY, "\r\n", ":", ";", '"', "\\", "é"]), max_size=4).map("".join),
)


def network_named(name: str, city: str) -> Directory:
    """The example network with this name wherever a name can stand."""
    known = directory()
    lille = site("lille", name, city, networks=("perinat",))
    calais = replace(known.sites["calais"], name=name, city=city)
    room = Room(code="lille-1", site="lille", name=name)
    staff: Kind = replace(known.kinds["staff"], name={"fr": name, "en": name})
    return replace(
        known, sites={**known.sites, "lille": lille, "calais": calais}, rooms={"lille-1": room}, kinds={"staff": staff}
    )


def assert_well_formed(calendar: bytes) -> None:
    assert calendar.startswith(b"BEGIN:VCALENDAR\r\n") and calendar.endswith(b"END:VCALENDAR\r\n")
    physical = calendar.removesuffix(b"\r\n").split(b"\r\n")
    assert max(len(line) for line in physical) <= 75
    for line in physical:
        text = line.decode("utf-8")  # a fold never splits a character
        assert not [c for c in text if c in "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029" or (c < " " and c != "\t")]
    content = calendar.decode().replace("\r\n ", "").split("\r\n")[:-1]
    assert {line.replace(";", ":").partition(":")[0] for line in content} <= ALLOWED
    begun = [line.removeprefix("BEGIN:") for line in content if line.startswith("BEGIN:")]
    assert begun == COMPONENTS
    assert sum(line.startswith("END:") for line in content) == len(begun)


@settings(max_examples=120, deadline=None)
@given(name=texts, text=texts, city=texts, detail=st.sampled_from(["full", "kind", "busy"]))
@example(name="\ud800", text="\r", city="\u2028", detail="full")
def test_no_name_or_text_changes_the_lines_of_a_feed__ics_30_31_32(name, text, city, detail) -> None:
    of = session(
        title=text, description=text, status="cancelled", cancellation_reason=text, join_url=f"https://x/{text}"
    )
    feed = render_feed(cover(name=name), [(of, detail)], network_named(name, city))
    assert_well_formed(feed)
    [event] = Calendar.from_ical(feed).events
    if detail == "full":
        assert str(event["SUMMARY"]) == f"ANNULÉ – {one_line(text)}"
        assert paragraph(text) in str(event["DESCRIPTION"])


@settings(max_examples=120, deadline=None)
@given(name=texts, text=texts, method=st.sampled_from(["REQUEST", "CANCEL"]), at=st.sampled_from(["lille", "calais"]))
@example(name="-", text="x\r\nATTENDEE:-\r\nLOCATION:-\r\n", method="REQUEST", at="lille")
def test_no_name_or_text_changes_the_lines_of_an_invitation__ics_31_35(name, text, method, at) -> None:
    stamp = datetime(2026, 12, 7, 8, 16, tzinfo=UTC)
    invitation = Invitation(
        session(title=text, description=text, participations=PARTS), network_named(name, name),
        method=method, asked=True, organizer="Périnat <visio@perinat.example>", language="en", stamp=stamp,
    )  # fmt: skip
    made = invitation.to(at, "staff@calais.example")
    assert_well_formed(made)
    [event] = Calendar.from_ical(made).events
    assert event["ATTENDEE"] == "mailto:staff@calais.example"
    assert str(event["ATTENDEE"].params["CN"]) == one_line(name).replace('"', "'").replace("\\", "/")
    assert event.decoded("last-modified") == UPDATED
    assert event.to_ical() in made, "each line is written and folded as icalendar does it"


@pytest.mark.parametrize(
    "link", ["https://x.example/\r\nATTACH:y", "https://x.example/ \x00\ta", "https://é.example/🤰"]
)
def test_a_link_never_ends_its_line__ics_34(link: str) -> None:
    assert_well_formed(render_feed(cover(), [(session(join_url=link), "full")], directory()))


@given(
    st.lists(texts | st.integers(60, 80).map("a".ljust) | st.text("\\^;,aé€🤰", min_size=30, max_size=300), max_size=4)
)
def test_an_event_is_written_as_icalendar_writes_it(lines: list[str]) -> None:
    event = Event()
    for line in lines:
        event.add("comment", one_line(line))
    assert written(event) == event.to_ical()


def test_line_breaks_of_every_kind_become_one_and_what_is_invisible_goes() -> None:
    assert paragraph("a\r\nb\rc\u2028d\x85e\x00\x1b\ufefff\tg") == "a\nb\nc\nd\nef\tg"
    assert one_line("a\r\nb\tc") == "a b c"
