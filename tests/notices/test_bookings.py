"""From what people do to what others read: real bookings, real delivery, both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar

from perinat_sched.notices.delivery import Delivery
from perinat_sched.storage.database import Database
from tests.booking.conftest import ADMIN, Office
from tests.builders import a_directory, a_partner, a_site
from tests.notices.examples import MAIL_FROM, Mailbox, content, read

LILLE, CALAIS, LENS, MONTREAL = (f"staff@{site}.example" for site in ("lille", "calais", "lens", "sainte-justine"))


class House:
    """An office and its post."""

    def __init__(self, database: Database) -> None:
        directory = a_directory(a_site("lille"), a_site("calais"), a_site("lens", answers="by_hand"), a_partner())
        self.office = Office(database, directory)
        self.mailbox = Mailbox()
        self.delivery = Delivery(
            database=database,
            directory=directory,
            mailer=self.mailbox,
            clock=lambda: self.office.now,
            mail_from=MAIL_FROM,
        )

    async def book(self, **asked: Any) -> Any:
        return await self.office.book(required_sites=("calais", "lens"), optional_sites=("sainte-justine",), **asked)

    async def mails(self) -> dict[str, str]:
        """The first word of the subject each reader gets now; a minute goes by."""
        self.mailbox.raw.clear()
        await self.delivery.run_once()
        self.office.now += timedelta(minutes=1)
        assert len(self.mailbox.subjects) == len(dict(self.mailbox.subjects))
        return dict(self.mailbox.subjects)


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await database.sync_resources(house.office.directory)
    return house


async def test_a_booking_lives_its_life_by_mail(house: House):
    booked = await house.book()
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS, MONTREAL), "Invitation")

    accepted = await house.office.answer(booked, "lens", "accepted")
    assert await house.mails() == {}

    renamed = await house.office.change(accepted, title="Visio Périnat — staff, salle B")
    assert await house.mails() == {}

    declined = await house.office.answer(renamed, "calais", "declined")
    assert await house.mails() == {CALAIS: "Annulation", LILLE: "Refus"}

    back = await house.office.answer(declined, "calais", "accepted")
    assert await house.mails() == {CALAIS: "Invitation"}

    moved = await house.office.change(back, ADMIN, start="2027-03-19T15:00")
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS, MONTREAL), "Modification")

    fewer = await house.office.change(moved, ADMIN, optional_sites=())
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS), "Modification") | {MONTREAL: "Annulation"}

    await house.office.bookings.cancel(ADMIN, fewer.id, "postponed", "", sure=False)
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS), "Annulation")

    await house.office.bookings.resume(ADMIN, fewer.id)
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS), "Invitation")

    house.office.now = moved.start - timedelta(days=1)
    assert await house.mails() == dict.fromkeys((LILLE, CALAIS, LENS), "Rappel")
    assert await house.mails() == {}


async def test_what_calendars_get_has_one_uid_and_sequences_that_only_rise(house: House):
    """ITIP-06, ICS-01, ICS-03"""
    booked = await house.book()
    seen: dict[str, list[int]] = {}
    uids = set()

    async def collect() -> None:
        await house.mails()
        for reader, raw in house.mailbox.raw:
            for part in read(raw).walk():
                if part.get_content_type() == "text/calendar":
                    event = Calendar.from_ical(content(part)).walk("VEVENT")[0]
                    seen.setdefault(reader, []).append(int(str(event["SEQUENCE"])))
                    uids.add(str(event["UID"]))

    await collect()
    for day in (19, 22, 23):
        booked = await house.office.change(booked, ADMIN, start=f"2027-03-{day}T15:00")
        await collect()
    await house.office.bookings.cancel(ADMIN, booked.id, "no_case", "", sure=False)
    await collect()
    assert uids == {booked.uid}
    assert len(seen) == 4
    assert all(each == sorted(set(each)) and len(each) == 5 for each in seen.values())
