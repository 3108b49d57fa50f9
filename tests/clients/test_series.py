"""Series of random rules and histories, read by other people's programs: each shows what the database has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from icalendar import Calendar

from perinat_sched.storage.database import Database
from tests.clients.conftest import served
from tests.clients.readers import READERS, Shown, Window, libical_errors
from tests.clients.test_reading import differences
from tests.feeds.house import House
from tests.feeds.programmes import SCOPES, Programme
from tests.feeds.test_series import empty

SEEDS = range(200, 216)
FOR_THE_SLOW = 8  # feeds
YEARS = Window(datetime(2025, 12, 1, tzinfo=UTC), datetime(2029, 2, 1, tzinfo=UTC))

Expected = list[tuple[str, bytes, list[Shown]]]


@pytest.fixture
async def feeds(database: Database) -> Expected:
    """Every scope of some programmes, as it is published, and what it must show from 2026 to 2028."""
    house = House(database)
    admin = await house.actor("admin")
    secrets = {scope: await house.secret(admin, *scope) for scope in SCOPES}
    found: Expected = []
    for seed in SEEDS:
        programme = Programme(seed)
        await programme.save(database)
        for scope, secret in secrets.items():
            told = [
                Shown(int(start.timestamp()), int(end.timestamp()), status, words, programme.series.uid)
                for start, end, status, words in programme.told(*scope)
            ]
            found.append((f"{seed}, {scope[1]}", (await house.publish(secret)).body, sorted(told)))
        await empty(database)
    return found


@pytest.mark.parametrize("name", READERS)
async def test_a_program_shows_every_date_of_a_series_to_the_second__ics_14_15_21(
    feeds: Expected, name: str, tmp_path: Path
) -> None:
    reader = READERS[name]
    chosen = feeds[:: len(feeds) // FOR_THE_SLOW] if reader.slow else feeds
    if name == "node-ical":  # of dates that have no rule, and so share a UID without a master, it shows one
        chosen = [feed for feed in chosen if _ruled(feed[1])]
        assert len(chosen) > 40
    published = tmp_path / "published"
    published.mkdir()
    for number, (_, body, _) in enumerate(chosen):
        (published / f"{number}.ics").write_bytes(body)
    with served(published) as address:
        shown = reader.read([f"{address}/{number}.ics" for number in range(len(chosen))], YEARS, tmp_path)
    wrong = [
        f"{feed}: {line}"
        for (feed, _, expected), found in zip(chosen, shown, strict=True)
        for line in differences(reader.shows(expected), found)
    ]
    assert not wrong, "\n".join(wrong[:20])


def _ruled(feed: bytes) -> bool:
    events = Calendar.from_ical(feed).events
    return len(events) < 2 or "RRULE" in events[0]


async def test_libical_has_nothing_to_say_against_a_series__ics_38(feeds: Expected) -> None:
    for feed, body, _ in feeds:
        assert libical_errors(body) == "0 errors\n", feed
