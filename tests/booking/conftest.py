"""An office that books: a small network on a real database, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from perinat_sched.booking.actions import Bookings
from perinat_sched.booking.closures import Closures
from perinat_sched.booking.enquiries import Enquiries
from perinat_sched.booking.request import Asked, Changes
from perinat_sched.booking.session import Session
from perinat_sched.people.access import Actor
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database
from tests.builders import NO_CALENDARS, a_directory, a_partner, a_site

NOW = datetime(2027, 3, 1, 8, tzinfo=UTC)
ADMIN = Actor(token="admin", role="admin")
OF_LILLE = Actor(token="of-lille", role="coordinator", sites=frozenset(("lille",)))
OF_CALAIS = Actor(token="of-calais", role="coordinator", sites=frozenset(("calais",)))
ASKED = Asked(kind="staff", host_site="lille", start="2027-03-18T15:00", required_sites=("calais",))


@dataclass
class Office:
    """Bookings on a database, by the hour of `now`."""

    database: Database
    directory: Directory
    now: datetime = NOW
    bookings: Bookings = field(init=False)
    enquiries: Enquiries = field(init=False)
    closures: Closures = field(init=False)

    def __post_init__(self) -> None:
        common: dict[str, Any] = {
            "database": self.database,
            "directory": self.directory,
            "calendars": NO_CALENDARS,
            "clock": lambda: self.now,
        }
        self.enquiries = Enquiries(**common)
        self.bookings = Bookings(**common, enquiries=self.enquiries)
        self.closures = Closures(**common, enquiries=self.enquiries)

    async def book(self, actor: Actor = OF_LILLE, **asked: Any) -> Any:
        """Book the usual session, with what is given."""
        booked = await self.bookings.book(actor, replace(ASKED, **asked))
        assert isinstance(booked, Session)
        return booked

    async def change(self, session: Session, actor: Actor = OF_LILLE, **changes: Any) -> Any:
        return await self.bookings.change(actor, session.id, session.revision, Changes(**changes))

    async def answer(
        self, session: Session, site: str, answer: Any, actor: Actor = ADMIN, room: str | None = None
    ) -> Any:
        return await self.bookings.answer(actor, session.id, site, answer, room, "", sure=False)


@pytest.fixture
async def open_office(database: Database) -> AsyncIterator[Any]:
    """Opens an office over a directory of the test's choice."""

    async def open_over(directory: Directory) -> Office:
        await database.sync_resources(directory)
        return Office(database, directory)

    yield open_over


@pytest.fixture
async def office(open_office: Any) -> Office:
    """Lille (two rooms), Calais and Roubaix; Lens and Sainte-Justine answer by hand; twelve ports."""
    return await open_office(
        a_directory(
            a_site("lille", rooms=("lille-1", "lille-2")),
            a_site("calais"),
            a_site("roubaix"),
            a_site("lens", answers="by_hand"),
            a_partner(),
        )
    )
