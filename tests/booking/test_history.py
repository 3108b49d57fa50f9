"""What was done to a session, read from the audit log on a real database; and who was rung."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from perinat_sched.booking.history import CALLED, History, calls
from perinat_sched.errors import Forbidden, InvalidRequest, NotFound
from perinat_sched.people.access import Actor
from perinat_sched.people.actions import Tokens
from tests.booking.conftest import ADMIN, OF_CALAIS, OF_LILLE, Office

OF_NOBODY = Actor(token="reader", role="clinician", sites=frozenset(("roubaix",)))


def history_of(office: Office) -> History:
    return History(
        database=office.database, directory=office.directory, clock=lambda: office.now, enquiries=office.enquiries
    )


async def test_the_history_is_of_this_session_alone_in_order_with_names(office: Office) -> None:
    _, token = await Tokens(office.database, office.directory, lambda: office.now).create(
        role="coordinator", name="Anne", sites=("lille",)
    )
    anne = Actor(token=token.id, role="coordinator", sites=frozenset(("lille",)))
    booked = await office.book(anne)
    await office.book(start="2027-03-19T15:00")
    office.now += timedelta(hours=1)
    await office.answer(booked, "calais", "declined", OF_CALAIS)
    deeds = await history_of(office).of(OF_LILLE, booked)

    assert [(deed.by, deed.action, deed.revision, deed.site, deed.answer) for deed in deeds] == [
        ("Anne", "session_booked", 0, None, None),
        (None, "session_answered", 1, "calais", "declined"),
    ]
    assert [deed.at for deed in deeds] == [office.now - timedelta(hours=1), office.now]


async def test_a_call_counts_once_and_until_the_session_changes(office: Office) -> None:
    history, booked = history_of(office), await office.book()
    await asyncio.gather(*(history.call(OF_LILLE, booked.id, "calais") for _ in range(4)))
    deeds = await history.of(OF_LILLE, booked)
    renamed = await office.change(booked, title="Autre titre")
    moved = await office.change(renamed, start="2027-03-19T15:00")

    assert [deed.action for deed in deeds].count(CALLED) == 1
    assert set(calls(deeds, booked)) == set(calls(deeds, renamed)) == {"calais"}
    assert calls(deeds, moved) == {}
    await history.call(OF_LILLE, booked.id, "calais")
    assert set(calls(await history.of(OF_LILLE, moved), moved)) == {"calais"}


async def test_both_are_for_those_who_may_change_the_session(office: Office) -> None:
    history, booked = history_of(office), await office.book()
    await history.call(ADMIN, booked.id, "lille")

    with pytest.raises(Forbidden):
        await history.of(OF_CALAIS, booked)
    for actor, session, site, error in (
        (OF_CALAIS, booked.id, "calais", Forbidden),
        (OF_NOBODY, booked.id, "calais", NotFound),
        (OF_LILLE, booked.id, "roubaix", InvalidRequest),
        (OF_LILLE, "nothing", "calais", NotFound),
    ):
        with pytest.raises(error):
            await history.call(actor, session, site)
    assert [deed.site for deed in await history.of(OF_LILLE, booked)] == [None, "lille"]
