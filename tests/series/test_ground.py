"""When the ground moves under a series: each of its dates is treated as any session, and told with the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from perinat_sched.booking.recalculation import Recalculation
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import series as series_table
from perinat_sched.storage.tables import sessions
from perinat_sched.web.services import Services
from tests.feeds.test_series import expanded
from tests.series.test_booking import booked
from tests.series.test_changes import all_sessions
from tests.series.test_mail import CALAIS, LILLE, Post, sequence, starts
from tests.web.callers import Api, Caller


@pytest.fixture
def post(services: Services, database: Database) -> Post:
    return Post(services, database)


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def move_ground(services: Services, directory: Directory) -> None:
    """A start under another configuration."""
    await services.database.sync_resources(directory)
    await Recalculation(
        database=services.database,
        directory=directory,
        calendars=services.series.calendars,
        clock=services.clock,
    ).where_the_ground_moved()


async def by_other_rules(database: Database, dates: list[Any]) -> None:
    """As if other rules of clocks had given the instants of a series: today's give others, an hour later."""

    def later(wall: str) -> str:
        return f"{datetime.fromisoformat(wall) + timedelta(hours=1):%Y-%m-%dT%H:%M}"

    async def work(tx: Tx) -> None:
        for one in dates:
            wall = later(one["wall_start"])
            values = {"wall_start": wall, "recurrence_id": wall, "tzdata_version": "2025b"}
            await tx.execute(update(sessions).where(sessions.c.id == one["id"]).values(values))
        await tx.execute(update(series_table).values(wall_start=later(dates[0]["wall_start"])))

    await database.write(work)


async def feed_of_calais(api: Api, admin: Caller) -> list[datetime]:
    opened = (await admin("POST", "/feeds", {"scope": "site", "of": "calais"})).json["url"]
    answer = await api.client.get("/feeds/" + opened.rpartition("/")[2])
    return [start for start, *_ in expanded(await answer.read())]


async def test_where_the_law_on_clocks_changes_all_dates_keep_their_wall_time_and_one_mail_says_so(
    api: Api, admin: Caller, post: Post, services: Services, database: Database
) -> None:
    series = await booked(admin)
    await post.mails()
    before = await all_sessions(admin)
    await by_other_rules(database, before)
    await move_ground(services, services.directory)

    after = await all_sessions(admin)
    assert [one["start"][11:16] for one in after] == ["14:00"] * 4
    assert {(one["revision"], one["sequence"]) for one in after} == {(1, 1)}
    assert {(one["series"], one["uid"]) for one in after} == {(series["id"], series["uid"])}
    mails = await post.mails()
    assert set(mails) == {*LILLE, CALAIS}
    calendar = post.calendar_to(CALAIS)
    assert starts(calendar) == [f"{one['start'][:10]}T13:00" for one in after]
    assert sequence(calendar) >= 1
    assert await feed_of_calais(api, admin) == [datetime.fromisoformat(one["start"]) for one in after]


async def test_where_a_room_is_no_more_the_dates_lose_their_place_and_host_and_site_are_told_once(
    admin: Caller, post: Post, services: Services
) -> None:
    await booked(admin)
    await post.mails()
    calais = services.directory.sites["calais"]
    closed = {**services.directory.sites, "calais": replace(calais, active=False)}
    await move_ground(services, replace(services.directory, sites=closed))

    after = await all_sessions(admin)
    assert {one["status"] for one in after} == {"tentative"}
    assert all("place-lost" in {warning["code"] for warning in one["warnings"]} for one in after)
    post.mailbox.raw.clear()
    await post.delivery.run_once()
    words = [(to, str(mail["Subject"])) for (to, _), mail in zip(post.mailbox.raw, post.mailbox.mails, strict=True)]
    assert sorted(to for to, subject in words if "Place perdue" in subject) == sorted([*LILLE, CALAIS])
    assert len(words) == 3 and all("4 dates" in subject for _, subject in words)
