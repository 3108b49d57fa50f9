"""A series in feeds: one UID, and in every calendar the hours that the database has, to the second."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar
from sqlalchemy import delete

from perinat_sched import zones
from perinat_sched.booking.session import Draft, Session
from perinat_sched.feeds.calendar import Cover, feed_of, series_piece
from perinat_sched.feeds.edition import Options
from perinat_sched.series import store as series_store
from perinat_sched.series.series import Series
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import participations, sessions
from perinat_sched.storage.tables import series as series_table
from tests.feeds.examples import CREATED, NETWORK, PARTS, cover, part, session
from tests.feeds.house import House
from tests.feeds.lint import complaints
from tests.feeds.programmes import SCOPES, Programme, Told

VECTORS = Path(__file__).parent.parent / "vectors"
THURSDAYS = [f"2027-02-{day:02d}T15:00" for day in (4, 11, 18, 25)]


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def expanded(feed: bytes) -> list[Told]:
    """What recurring-ical-events makes of a feed in which nothing may be amiss."""
    calendar = Calendar.from_ical(feed)
    assert [component.errors for component in calendar.walk() if component.errors] == []
    found = recurring_ical_events.of(calendar).between(date(2025, 12, 1), date(2029, 2, 1))
    return sorted(
        (one.start.astimezone(UTC), one.end.astimezone(UTC), str(one["STATUS"]), str(one["SUMMARY"])) for one in found
    )


async def empty(database: Database) -> None:
    async def work(tx: Tx) -> None:
        for table in (participations, sessions, series_table):
            await tx.execute(delete(table))

    await database.write(work)


@pytest.mark.parametrize("seeds", [range(first, first + 6) for first in range(0, 24, 6)], ids=str)
async def test_every_scope_of_every_history_expands_to_the_sessions__ics_02_14_21(house: House, seeds: range) -> None:
    """Random rules, zones, exclusions, moves, cancellations; after a further change a node that keeps pieces says the
    same as one without memory."""
    admin = await house.actor("admin")
    secrets = {scope: await house.secret(admin, *scope) for scope in SCOPES}
    for seed in seeds:
        programme = Programme(seed)
        await programme.save(house.database)
        for scope, secret in secrets.items():
            told = await house.publish(secret)
            assert complaints(told.body) == []
            assert expanded(told.body) == programme.told(*scope), (seed, scope)
        before, after = programme.change()
        await house.change(before, **{name: getattr(after, name) for name in CHANGEABLE})
        for scope, secret in secrets.items():
            told = await house.publish(secret)
            assert (await House(house.database, house.now).publish(secret)).body == told.body
            without = await house.publish(secret, Options(cancelled=False))
            assert expanded(without.body) == programme.told(*scope, cancelled=False), (seed, scope)
        await empty(house.database)


CHANGEABLE = ("start", "wall_start", "timezone", "fold", "duration", "status", "title", "participations", "sequence",
              "updated_at", "cancellation_reason")  # fmt: skip


def a_series(wall: str, timezone: str, rrule: str | None) -> Series:
    start = datetime.fromisoformat(wall)
    of = session(wall, timezone=timezone)
    draft = Draft(
        kind=of.kind, title=of.title, description="", network=of.network, host_site=of.host_site, wall_start=start,
        timezone=timezone, fold=0, start=of.start, duration=of.duration, required_sites=("calais",), optional_sites=(),
    )  # fmt: skip
    return Series(
        id="s", uid="s@perinat.example", revision=0, session=draft, fold=None, rrule=rrule, created_at=CREATED,
        updated_at=CREATED,
    )  # fmt: skip


def dates_of(series: Series, *walls: str) -> list[Session]:
    return [
        session(wall, timezone=series.session.timezone, id=f"s{wall[:10]}", uid=series.uid, series=series.id,
                recurrence=datetime.fromisoformat(wall), sequence=0)
        for wall in walls
    ]  # fmt: skip


def events_of(series: Series, shown: list[Session], at: Cover | None = None) -> list[Any]:
    piece = series_piece(at or cover(), series, [(one, "full") for one in shown], NETWORK)
    feed = feed_of(at or cover(), [piece])
    assert complaints(feed) == []
    return list(Calendar.from_ical(feed).events)


@pytest.mark.parametrize(
    ("wall", "zone", "expected", "odd"),
    [
        ("14:00", "Europe/Paris", "series_paris14_expected_utc.json", 0),  # Lille and Calais have one clock
        ("08:00", "America/Toronto", "series_toronto08_expected_utc.json", 10),  # Lille's hour is another
    ],
)
def test_three_years_of_wednesdays_are_one_rule_at_the_instants_of_the_vectors__ics_14_15(
    wall: str, zone: str, expected: str, odd: int
) -> None:
    instants = [datetime.fromisoformat(text) for text in json.loads((VECTORS / expected).read_text())]
    series = a_series(f"2026-01-07T{wall}", zone, "FREQ=WEEKLY;BYDAY=WE;UNTIL=20281227T235900Z")
    walls = [f"{zones.to_local(instant, zone):%Y-%m-%dT%H:%M}" for instant in instants]
    shown = [replace(one, participations=PARTS[:2]) for one in dates_of(series, *walls)]
    master, *others = events_of(series, shown)
    assert (len(instants), len(others)) == (156, odd)
    assert master["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20281227T130000Z;BYDAY=WE"
    assert "EXDATE" not in master
    piece = series_piece(cover(), series, [(one, "full") for one in shown], NETWORK)
    assert [start for start, *_ in expanded(feed_of(cover(), [piece]))] == instants


def test_the_weeks_in_which_montreal_is_otherwise_have_words_of_their_own__ics_41() -> None:
    series = a_series("2027-03-04T15:00", "Europe/Paris", "FREQ=WEEKLY;COUNT=6")
    walls = ["2027-03-04", "2027-03-11", "2027-03-18", "2027-03-25", "2027-04-01", "2027-04-08"]
    master, *others = events_of(series, dates_of(series, *(f"{day}T15:00" for day in walls)))
    assert "09:00 Montréal" in master["DESCRIPTION"]
    assert [str(event["RECURRENCE-ID"].dt)[:10] for event in others] == ["2027-03-18", "2027-03-25"]
    assert all("10:00 Montréal" in event["DESCRIPTION"] and "⚠" in event["DESCRIPTION"] for event in others)


def test_a_recurrence_id_keeps_the_clock_of_the_series_wherever_its_date_was_moved__ics_14() -> None:
    series = a_series(THURSDAYS[0], "Europe/Paris", "FREQ=WEEKLY;COUNT=4")
    shown = dates_of(series, *THURSDAYS)
    moved = datetime.fromisoformat("2027-02-11T10:00")
    start = zones.to_utc(moved, "America/Toronto", None)
    shown[1] = replace(shown[1], timezone="America/Toronto", wall_start=moved, start=start, sequence=1)
    master, other = events_of(series, shown)
    assert other["RECURRENCE-ID"].to_ical() == b"20270211T150000"
    assert other["RECURRENCE-ID"].params["TZID"] == master["DTSTART"].params["TZID"] == "Europe/Paris"
    assert other["DTSTART"].params["TZID"] == "America/Toronto"


def test_a_cancelled_date_is_shown_and_one_that_is_not_shown_is_excluded__ics_21() -> None:
    series = a_series(THURSDAYS[0], "Europe/Paris", "FREQ=WEEKLY;COUNT=4")
    shown = dates_of(series, *THURSDAYS)
    shown[1] = replace(shown[1], status="cancelled", sequence=1)
    master, other = events_of(series, [shown[0], shown[1], shown[3]])
    assert (other["STATUS"], other["RECURRENCE-ID"].to_ical()) == ("CANCELLED", b"20270211T150000")
    assert master["EXDATE"].to_ical() == b"20270218T150000"
    assert master["EXDATE"].params["TZID"] == "Europe/Paris"


def test_a_cancelled_series_is_one_cancelled_rule() -> None:
    series = a_series(THURSDAYS[0], "Europe/Paris", "FREQ=WEEKLY;COUNT=4")
    [only] = events_of(series, [replace(one, status="cancelled") for one in dates_of(series, *THURSDAYS)])
    assert (only["STATUS"], only["TRANSP"], "RRULE" in only) == ("CANCELLED", "TRANSPARENT", True)


@pytest.mark.parametrize(
    ("days", "rules"),
    [
        (["2027-02-04", "2027-02-11", "2027-03-04"], 1),  # weekly, with two exclusions
        (["2027-01-28", "2027-04-14", "2027-06-25", "2027-11-16"], 0),  # four meetings a year: no rule but themselves
        (["2027-02-04"], 0),
    ],
)
def test_dates_that_were_given_one_by_one_are_a_rule_only_where_they_nearly_make_one(days, rules: int) -> None:
    series = a_series(f"{days[0]}T15:00", "Europe/Paris", None)
    events = events_of(series, dates_of(series, *(f"{day}T15:00" for day in days)))
    assert sum("RRULE" in event for event in events) == rules
    assert {str(event["UID"]) for event in events} == {series.uid}
    if not rules:
        assert [event["RECURRENCE-ID"].dt.isoformat()[:10] for event in events] == days


async def test_no_date_changes_while_the_window_moves_over_a_running_series(house: House) -> None:
    """Its first date, its rule and its exceptions stay: only what was cancelled a month ago becomes an exclusion."""
    programme = Programme(3)
    await programme.save(house.database)
    secret = await house.secret(await house.actor("admin"), "network", "perinat")
    first = Calendar.from_ical((await house.publish(secret, Options(cancelled=False))).body).events
    house.now[0] = house.now[0].replace(month=2)
    assert Calendar.from_ical((await house.publish(secret, Options(cancelled=False))).body).events == first


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope[1])
async def test_a_site_that_takes_no_part_in_a_date_does_not_see_it(house: House, scope) -> None:
    series = a_series(THURSDAYS[0], "Europe/Paris", "FREQ=WEEKLY;COUNT=4")
    shown = dates_of(series, *THURSDAYS)
    shown[2] = replace(shown[2], participations=(part("lille", room="lille-1"), part("reunion")))
    programme = Programme(0)
    programme.series, programme.sessions = series, shown
    await programme.save(house.database)
    secret = await house.secret(await house.actor("admin"), *scope)
    seen = [start for start, *_ in expanded((await house.publish(secret)).body)]
    there = shown if scope[1] in ("lille", "perinat") else [one for one in shown if one is not shown[2]]
    assert seen == [one.start for one in there]


async def test_a_changed_date_costs_the_same_statements_whatever_the_length_of_the_series(house: House) -> None:
    secret = await house.secret(await house.actor("admin"), "network", "perinat")
    costs = []
    for size in (3, 90):
        await empty(house.database)
        series = a_series("2026-12-03T15:00", "Europe/Paris", f"FREQ=WEEKLY;COUNT={size}")
        first = datetime(2026, 12, 3, 15)  # noqa: DTZ001 - a wall time
        walls = [first + (datetime(2027, 1, 8) - datetime(2027, 1, 1)) * week for week in range(size)]  # noqa: DTZ001
        programme = Programme(0)
        programme.series, programme.sessions = series, dates_of(series, *(f"{one:%Y-%m-%dT%H:%M}" for one in walls))
        await programme.save(house.database)
        await house.publish(secret)
        await house.change(programme.sessions[1], title="Autre")
        with house.database.counting() as count:
            assert b"Autre" in (await house.publish(secret)).body
        costs.append(count.total)
    assert costs[0] == costs[1] <= 9


async def test_a_rule_that_changes_without_its_sessions_is_news(house: House) -> None:
    """The text of the feed depends on it, so nothing that was made before may be used."""
    series = a_series(THURSDAYS[0], "Europe/Paris", "FREQ=WEEKLY;COUNT=4")
    programme = Programme(0)
    programme.series, programme.sessions = series, dates_of(series, *THURSDAYS)
    await programme.save(house.database)
    secret = await house.secret(await house.actor("admin"), "network", "perinat")
    before = (await house.publish(secret)).body
    async with house.database.watching():
        changed = replace(series, revision=1, rrule="FREQ=WEEKLY;BYDAY=TH,FR;COUNT=8")
        await house.database.write(lambda tx: series_store.replace(tx, changed, {}))
        after = (await house.publish(secret)).body
    assert before != after
    assert b"BYDAY=TH,FR" in after
