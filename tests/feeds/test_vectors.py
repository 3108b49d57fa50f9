"""The hours that were worked out beforehand, by other programs (standards.md § G), in what a calendar says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import recurring_ical_events
from icalendar import Calendar

from perinat_sched.booking.session import Session
from perinat_sched.feeds.calendar import render_feed
from tests.feeds.examples import NETWORK, PARTS, cover, session

VECTORS = Path(__file__).parent.parent / "vectors"
FIRST_WEDNESDAY = date(2026, 1, 7)

# 14:00 in Lille: in Montréal 08:00, but 09:00 in the weeks in which only one of the two has changed its clocks.
USUAL = ["2026-03-04", "2026-04-01", "2026-10-21", "2026-11-04", "2027-03-10", "2027-03-31", "2027-10-27", "2027-11-10"]
USUAL += ["2028-03-08", "2028-03-29", "2028-10-25", "2028-11-08"]
ODD = ["2026-03-11", "2026-03-18", "2026-03-25", "2026-10-28", "2027-03-17", "2027-03-24", "2027-11-03"]
ODD += ["2028-03-15", "2028-03-22", "2028-11-01"]


def weekly(hour: str, timezone: str) -> list[Session]:
    """Every Wednesday of three years."""
    days = [FIRST_WEDNESDAY + timedelta(weeks=week) for week in range(156)]
    return [session(f"{day}T{hour}", timezone=timezone, id=f"w{day}", uid=f"w{day}@x.example") for day in days]


@pytest.mark.parametrize(
    ("hour", "timezone", "expected"),
    [
        ("14:00", "Europe/Paris", "series_paris14_expected_utc.json"),
        ("08:00", "America/Toronto", "series_toronto08_expected_utc.json"),
    ],
)
def test_three_years_of_wednesdays_are_read_at_the_instants_of_the_vectors__ics_15(
    hour: str, timezone: str, expected: str
) -> None:
    sessions = weekly(hour, timezone)
    feed = render_feed(cover(), [(of, "full") for of in sessions], NETWORK)
    instants = [datetime.fromisoformat(text) for text in json.loads((VECTORS / expected).read_text())]
    assert len(instants) == 156
    calendar = Calendar.from_ical(feed)
    assert [event.decoded("dtstart") for event in calendar.events] == instants
    found = recurring_ical_events.of(calendar).between(date(2026, 1, 1), date(2029, 1, 1))
    assert sorted(event.start.astimezone(UTC) for event in found) == instants


@pytest.mark.parametrize(("day", "hour"), [*((day, "08:00") for day in USUAL), *((day, "09:00") for day in ODD)])
def test_a_session_tells_montreals_hour_and_warns_in_the_odd_weeks__ics_41(day: str, hour: str) -> None:
    of = session(f"{day}T14:00", participations=PARTS)
    [event] = Calendar.from_ical(render_feed(cover(), [(of, "full")], NETWORK)).events
    said = str(event["DESCRIPTION"]).splitlines()
    assert "14:00 Lille (heure de Paris) · CHU de Lille – Jeanne de Flandre · Salle de staff" in said
    assert f"{hour} Montréal (heure de Montréal) · CHU Sainte-Justine" in said
    warned = [line for line in said if line.startswith("⚠")]
    assert warned == (
        ["⚠ Décalage inhabituel à cette date\u00a0: 5\u00a0h entre Lille et Montréal"] if day in ODD else []
    )
