"""A series proposed for another time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.series.test_booking import booked, verdicts
from tests.web.callers import Answer, Api, Caller


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


async def copied(caller: Caller, series: Any, first: str, last: str) -> Answer:
    return await caller("POST", f"/series/{series['id']}/copy", {"from": first, "until": last})


async def test_dates_given_one_by_one_are_copied_weekday_by_weekday(admin: Caller) -> None:
    """The first falls on the first such weekday, the others as far behind it as they were; what is too late is left."""
    dates: dict[str, Any] = {"rrule": None, "dates": ["2027-02-04", "2027-02-16", "2027-03-04", "2027-04-01"]}
    series = await booked(admin, **dates, exclude=["2027-02-16"])
    answer = await copied(admin, series, "2028-02-01", "2028-03-10")

    assert answer.status == 200, answer.body
    assert (answer.json["rrule"], answer.json["dates"]) == (None, ["2028-02-03", "2028-03-02"])
    assert verdicts(answer.json) == {"2028-02-03T13:00": "bookable", "2028-03-02T13:00": "bookable"}
    again = await admin("POST", "/series", {
        name: answer.json[name] for name in ("kind", "network", "host_site", "start", "required_sites", "dates")
    })  # fmt: skip
    assert again.status == 201
    assert (await copied(admin, series, "2028-02-04", "2028-02-08")).fields == ["from"]


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("0001-01-01", "2028-01-01", "from"),
        ("1999-12-31", "2028-01-01", "from"),
        ("9999-12-31", "9999-12-31", "from"),
        ("2028-01-01", "9999-12-31", "until"),
        ("2028-01-01", "2031-01-01", "until"),
        ("2028-01-01", "2027-12-31", "until"),
        ("2028-02-04", "2028-02-08", "from"),
        ("2028-2-4", "2028-02-08", "from"),
        ("2028-02-04", "bientôt", "until"),
    ],
)
@pytest.mark.parametrize("form", [{}, {"rrule": None, "dates": ["2027-02-04", "2027-02-18"]}], ids=["rule", "dates"])
async def test_a_copy_names_the_day_that_is_wrong(
    admin: Caller, form: dict[str, Any], first: str, last: str, field: str
) -> None:
    answer = await copied(admin, await booked(admin, **form), first, last)

    assert (answer.status, answer.fields) == (422, [field])
