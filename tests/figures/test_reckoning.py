"""The figures of a year against a brute force that counts minute by minute and session by session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from perinat_sched.booking.session import Status
from perinat_sched.figures.reckoning import Fact, Figures, Part, Row, reckon
from perinat_sched.intervals import Interval
from perinat_sched.series.sheet import written

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
NOW = NEW_YEAR + timedelta(days=2)
SITES = ["lille", "calais", "lens"]
ROOMS = {"lille-1": 1000, "calais-1": 600, "lens-1": 0}
BRIDGES = {"mcu": (12, 700)}
STATUSES: Sequence[Status] = get_args(Status)


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    start = NEW_YEAR + timedelta(minutes=draw(st.integers(0, 4 * 24 * 60)))
    sites = draw(st.lists(st.sampled_from([*SITES, "gone"]), min_size=1, unique=True))
    status: Status = draw(st.sampled_from(STATUSES))
    return Fact(
        kind=draw(st.sampled_from(["staff", "rcp"])),
        host=sites[0],
        month=draw(st.integers(1, 12)),
        interval=Interval(start, start + timedelta(minutes=draw(st.integers(5, 300)))),
        status=status,
        cancellation=draw(st.sampled_from([None, "no_case"])) if status == "cancelled" else None,
        bridge=draw(st.sampled_from([None, "mcu"])),
        ports=draw(st.integers(1, 6)),
        parts=[
            Part(
                site=site,
                room=draw(st.sampled_from([None, f"{site}-1"])),
                answer="accepted" if number == 0 else draw(st.sampled_from(["accepted", "declined", "pending"])),
            )
            for number, site in enumerate(sites)
        ],
    )


def reckoned(of: list[Fact]) -> Figures:
    return reckon(of, now=NOW, sites=SITES, rooms=ROOMS, bridges=BRIDGES)


def cells(rows: object) -> dict[tuple[str, int], int]:
    assert isinstance(rows, list) and all(isinstance(row, Row) for row in rows)
    return {(row.code, month): n for row in rows for month, n in enumerate(row.months, 1) if n}


def minutes_of(fact: Fact) -> list[datetime]:
    found, minute = [], fact.interval.start
    while minute < fact.interval.end:
        found.append(minute)
        minute += timedelta(minutes=1)
    return found


@given(st.lists(facts(), max_size=12))
def test_the_figures_are_those_that_a_brute_force_counts(of: list[Fact]) -> None:
    told = reckoned(of)
    held = [fact for fact in of if fact.status != "cancelled" and not fact.interval.start > NOW]
    sessions: dict[tuple[str, int], int] = {}
    minutes: dict[tuple[str, int], int] = {}
    sites: dict[tuple[str, int], int] = {}
    in_room: dict[str, int] = {}
    at_once: dict[datetime, int] = {}
    took_part: dict[str, int] = {}
    for fact in held:
        cell = (fact.kind, fact.month)
        sessions[cell] = sessions.get(cell, 0) + 1
        minutes[cell] = minutes.get(cell, 0) + len(minutes_of(fact))
        for part in fact.parts:
            if part.answer != "declined":
                sites[cell] = sites.get(cell, 0) + 1
                took_part[part.site] = took_part.get(part.site, 0) + 1
            for _ in minutes_of(fact) if part.room else ():
                in_room[str(part.room)] = in_room.get(str(part.room), 0) + 1
        for minute in minutes_of(fact) if fact.bridge else ():
            at_once[minute] = at_once.get(minute, 0) + fact.ports

    assert (cells(told.sessions), cells(told.minutes), cells(told.sites)) == (sessions, minutes, sites)
    assert {row.code: row.took_part for row in told.by_site if row.took_part} == took_part
    assert {use.code: use.used for use in told.rooms if use.used} == in_room
    [bridge] = told.bridges
    assert (bridge.used, bridge.busiest) == (sum(at_once.values()), max(at_once.values(), default=0))
    assert (bridge.open, bridge.ports) == (12 * 700, 12)
    cancelled = [fact for fact in of if fact.status == "cancelled"]
    assert sum(row.total for row in told.cancellations) == len(cancelled)
    assert {row.code for row in told.cancellations} == {fact.cancellation or "cancelled" for fact in cancelled}
    assert told.to_come == len(of) - len(held) - len(cancelled)


@given(st.lists(facts(), max_size=12))
def test_answers_are_those_to_sessions_of_others(of: list[Fact]) -> None:
    for row in reckoned(of).by_site:
        asked = [
            part.answer
            for fact in of
            if fact.status != "cancelled" and fact.interval.start <= NOW and fact.host != row.code
            for part in fact.parts
            if part.site == row.code
        ]
        assert {answer: n for answer, n in row.answers.items() if n} == {a: asked.count(a) for a in set(asked)}


def test_configured_places_come_first_and_in_their_order_and_an_empty_year_has_them_too() -> None:
    told = reckoned([])

    assert [row.code for row in told.by_site] == SITES and [use.code for use in told.rooms] == list(ROOMS)
    assert [use.share for use in told.rooms] == [0, 0, 0] and told.sessions == []


def test_a_file_for_a_spreadsheet_has_its_mark_and_no_formula() -> None:
    body = written(["Site", "=1"], [["=HYPERLINK(1)", "3"], ["+33", "@x"], ["a;b", "-1"]], ";")

    assert body.decode("utf-8") == "\ufeffSite;'=1\r\n'=HYPERLINK(1);3\r\n'+33;'@x\r\n\"a;b\";'-1\r\n"
