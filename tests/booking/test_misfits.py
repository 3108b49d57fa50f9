"""Sessions that a new configuration would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from perinat_sched.booking.recalculation import Recalculation
from perinat_sched.sites.network import OpeningHours
from tests.booking.conftest import ADMIN, Office
from tests.builders import NO_CALENDARS, a_directory, a_partner, a_site

SHORT_DAY = (OpeningHours(weekdays=frozenset(range(5)), opens=8 * 60, closes=15 * 60 + 30),)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"calais": {"opening_hours": SHORT_DAY}}, ["outside_hours"]),
        ({"calais": {"active": False}}, ["site_inactive"]),
        ({"calais": {"rooms": ("another",)}}, ["site_inactive"]),
        ({"ports": 2}, ["ports_exhausted"]),
        ({"ports": None}, ["no_bridge"]),
        ({"without": "calais"}, ["site_inactive"]),
    ],
    ids=["unchanged", "other-hours", "inactive", "room-gone", "fewer-ports", "no-bridge", "site-gone"],
)
async def test_a_session_that_no_longer_fits_is_found(
    open_office: Any, change: dict[str, Any], expected: list[str]
) -> None:
    def directory(change: dict[str, Any]) -> Any:
        sites = [a_site("lille"), a_site("calais", **change.get("calais", {})), a_partner()]
        left = [site for site in sites if site.code != change.get("without")]
        return a_directory(*left, ports=change.get("ports", 12))

    office: Office = await open_office(directory({}))
    await office.book(required_sites=("calais", "sainte-justine"), actor=ADMIN)
    await office.book(start="2027-03-19T18:45", override_reason="Astreinte", required_sites=(), actor=ADMIN)
    today = Recalculation(
        database=office.database, directory=directory(change), calendars=NO_CALENDARS, clock=lambda: office.now
    )
    assert [conflict.code async for misfit in today.misfits() for conflict in misfit.conflicts] == expected
