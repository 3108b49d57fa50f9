"""Closures that people enter, and what they change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from perinat_sched.booking.closures import ClosureAsked
from perinat_sched.errors import BookingRefused, Forbidden, HealthDataSuspected, InvalidRequest, NotFound
from tests.booking.conftest import ADMIN, OF_CALAIS, OF_LILLE, Office

WORKS: dict[str, Any] = {
    "scope": "site",
    "code": "calais",
    "start": "2027-03-18T14:00",
    "until": "2027-03-18T18:00",
    "reason": "Travaux",
}


async def test_a_closure_names_the_sessions_it_hits_and_cancels_none(office: Office) -> None:
    session = await office.book()
    await office.book(start="2027-03-19T15:00")
    _, hits = await office.closures.enter(OF_CALAIS, ClosureAsked(**WORKS))
    assert hits == [session.id]
    assert (await office.enquiries.get(OF_CALAIS, session.id)).status == "confirmed"


@pytest.mark.parametrize(
    ("scope", "code", "refusal"),
    [
        ("site", "calais", "site_closed"),
        ("room", "calais-1", "room_busy_elsewhere"),
        ("bridge", "mcu", "ports_exhausted"),
    ],
)
async def test_what_is_closed_is_refused_until_it_is_opened_again(
    office: Office, scope: Any, code: str, refusal: str
) -> None:
    hours = {"start": "2027-03-18T13:00:00Z", "until": "2027-03-18T17:00:00Z"}
    closed, _ = await office.closures.enter(ADMIN, ClosureAsked(**(WORKS | hours | {"scope": scope, "code": code})))
    three: dict[str, Any] = {"required_sites": ("calais", "roubaix")}
    with pytest.raises(BookingRefused) as refused:
        await office.book(**three)
    assert [conflict.code for conflict in refused.value.conflicts] == [refusal]
    await office.closures.remove(ADMIN, closed.id)
    assert (await office.book(**three)).ports == 3


async def test_days_close_the_whole_local_day_the_last_one_included(office: Office) -> None:
    await office.closures.enter(OF_CALAIS, ClosureAsked(**(WORKS | {"start": "2027-03-27", "until": "2027-03-28"})))
    (closure,) = await office.closures.of_site("calais", date(2027, 3, 28), date(2027, 3, 28))
    assert closure.interval.duration == timedelta(hours=47), "the clocks go forward that Sunday"
    assert (closure.reason, closure.source) == ("Travaux", "entered")
    assert not await office.closures.of_site("calais", date(2027, 3, 29), date(2027, 3, 30))


async def test_only_who_books_for_a_place_closes_it(office: Office) -> None:
    for stranger, scope, code in (
        (OF_LILLE, "site", "calais"),
        (OF_LILLE, "room", "calais-1"),
        (OF_CALAIS, "bridge", "mcu"),
    ):
        with pytest.raises(Forbidden):
            await office.closures.enter(stranger, ClosureAsked(**(WORKS | {"scope": scope, "code": code})))
    entered, _ = await office.closures.enter(OF_CALAIS, ClosureAsked(**WORKS))
    with pytest.raises(Forbidden):
        await office.closures.remove(OF_LILLE, entered.id)
    with pytest.raises(NotFound):
        await office.closures.remove(ADMIN, "no-such-closure")


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("site", {"code": "nowhere"}),
        ("until", {"until": "2027-03-18T14:00"}),
        ("until", {"until": "2029-03-18T14:00"}),
        ("from", {"start": "yesterday"}),
        ("from", {"start": "0001-01-01"}),
        ("from", {"start": "2027-02-30"}),
        ("from", {"start": "0001-01-01T00:00:00Z"}),
        ("until", {"until": "9999-12-31T23:59:59Z"}),
        ("until", {"until": "3000-01-01T00:00:00Z"}),
        ("until", {"until": "9999-12-31"}),
        ("reason", {"reason": "  "}),
        ("reason", {"reason": "x\r\nATTACH:http://evil"}),
        ("timezone", {"timezone": "Europe/Pari"}),
    ],
)
async def test_a_wrong_closure_names_the_field(office: Office, field: str, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await office.closures.enter(ADMIN, ClosureAsked(**(WORKS | asked)))
    assert [error.field for error in refusal.value.errors] == [field]


async def test_a_reason_bears_no_patient_data(office: Office) -> None:
    with pytest.raises(HealthDataSuspected):
        await office.closures.enter(OF_CALAIS, ClosureAsked(**(WORKS | {"reason": "IPP 123456"})))


@pytest.mark.parametrize(
    ("zone", "skipped", "opens"),
    [
        ("Europe/Paris", "2027-03-28T02:30", "2027-03-28T01:30:00+00:00"),
        ("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-02T15:45:00+00:00"),
        ("Antarctica/Troll", "2027-03-28T01:30", "2027-03-28T01:30:00+00:00"),
    ],
)
async def test_a_closure_at_a_skipped_hour_is_read_with_the_offset_before_it(
    office: Office, zone: str, skipped: str, opens: str
) -> None:
    day = skipped[:10]
    asked = ClosureAsked(**(WORKS | {"timezone": zone, "start": f"{day}T00:30", "until": skipped}))
    closure, _ = await office.closures.enter(ADMIN, asked)
    assert closure.interval.end.isoformat() == opens
