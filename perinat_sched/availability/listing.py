"""Slots written out: which rooms and which bridge each listed start would get.

A search finds a year of starts and lists a few; only for those is it said who gets which room. Where nothing speaks
against a start, the bits know; where something does, `conflicts.fit` is asked for its words, on the little of the
ground that lies near that start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from perinat_sched.availability.conflicts import Fit, fit, set_up_to_release
from perinat_sched.availability.ground import Ground, Hold
from perinat_sched.availability.prospects import Question, SiteProspect
from perinat_sched.availability.seating import Seating
from perinat_sched.availability.slot import Slot, SlotPlace
from perinat_sched.availability.timetable import cells_of, numbers
from perinat_sched.intervals import Interval
from perinat_sched.sites.closures import Closure
from perinat_sched.sites.network import Bridge, Margins

DAY = timedelta(days=1)


def clear_slots(
    listed: Sequence[int],
    question: Question,
    needed: Sequence[SiteProspect],
    optional: Sequence[SiteProspect],
    seating: Seating,
) -> Iterator[Slot]:
    """The slots at some starts without conflicts, given as numbers of cells."""
    timetable, duration = question.timetable, question.proposal.duration
    where = cells_of(listed, timetable.cells.count)
    places: dict[int, list[SlotPlace]] = {number: [] for number in listed}
    sites = [(site, True, where) for site in needed]
    sites += [(site, False, where & seating.optional[site.site.code]) for site in optional]
    for site, required, seated in sites:
        for place, at in _places(site, required, where, seated):
            for number in listed if at == where else numbers(at):
                places[number].append(place)
    margins: dict[int, list[Margins]] = {number: [] for number in listed}
    for brought, at in seating.spread.items():
        for number in numbers(at & where):
            margins[number].append(brought)
    for seats in seating.seats:
        for number in numbers(seats.where & where):
            start = timetable.cells.instant(number)
            interval = Interval(start, start + duration)
            around = interval.widened(max(m.set_up for m in margins[number]), max(m.release for m in margins[number]))
            yield Slot(
                start=start,
                end=interval.end,
                places=tuple(places[number]),
                optional_free=seats.held - len(needed),
                bridge=seats.bridge.code if seats.bridge else None,
                ports_left=_ports_left(question, seats.bridge, seats.held, around),
            )


def overridable_slots(listed: Sequence[int], question: Question) -> Iterator[Slot]:
    """The slots at some starts with conflicts, all overridable, in the words of `conflicts.fit`."""
    timetable, proposal = question.timetable, question.proposal
    starts = [timetable.cells.instant(number) for number in listed]
    near = _near(question, {start.date() for start in starts}) if starts else {}
    for start in starts:
        yield _of_fit(fit(near[start.date()], proposal, start), question)


def _places(site: SiteProspect, required: bool, where: int, seated: int) -> Iterator[tuple[SlotPlace, int]]:
    """A site's place at the starts `where`: in a room where it is seated, without one elsewhere."""
    code = site.site.code
    if where != seated:
        yield SlotPlace(site=code, required=required, free=False, room=None), where ^ seated
    if not site.rooms:
        yield SlotPlace(site=code, required=required, free=True, room=None), seated
    for room, given in site.giving(seated):
        yield SlotPlace(site=code, required=required, free=True, room=room.room.code), given


def _of_fit(found: Fit, question: Question) -> Slot:
    bridge = question.directory.bridges[found.bridge] if found.bridge else None
    around = set_up_to_release([place for place in found.places if place.held], found.interval)
    return Slot(
        start=found.interval.start,
        end=found.interval.end,
        places=tuple(
            SlotPlace(
                site=place.site.code,
                required=place.required,
                free=place.held and place.free,
                room=place.room.code if place.room else None,
            )
            for place in found.places
        ),
        optional_free=sum(place.held and not place.required for place in found.places),
        bridge=found.bridge,
        ports_left=_ports_left(question, bridge, found.ports, around),
        conflicts=found.conflicts,
    )


def _ports_left(question: Question, bridge: Bridge | None, ports: int, around: Interval) -> int | None:
    """The free ports of a bridge once `ports` more are taken, at its busiest moment in `around`.

    Of the network's first bridge where the session needs none; None where there is none.
    """
    if bridge is None:
        bridge, ports = next(iter(question.directory.bridges_of(question.proposal.network)), None), 0
    return None if bridge is None else bridge.ports - ports - question.timetable.load(bridge.code, around)


def _near(question: Question, days: Collection[date]) -> dict[date, Ground]:
    """For each day (UTC), the part of the ground that a session of this proposal starting on it could meet.

    One pass over the ground, however many days; `fit` looks through all it is given for every start.
    """
    ground, proposal, directory = question.ground, question.proposal, question.directory
    sites = [directory.sites[code] for code in (*proposal.needed, *proposal.optional)]
    rooms = [(site, room) for site in sites for room in (site.rooms or (None,))]
    margins = [directory.margins(proposal.kind, site, room) for site, room in rooms]
    reach = proposal.duration + max(max(m.set_up, m.release) for m in margins)
    codes = {site.code for site in sites} | {room.code for _, room in rooms if room}
    codes |= {bridge.code for bridge in directory.bridges_of(proposal.network)}
    closures: dict[date, dict[str, list[Closure]]] = {day: {} for day in days}
    holds: dict[date, dict[str, list[Hold]]] = {day: {} for day in days}
    first = datetime.combine(min(days), time(), tzinfo=UTC) - reach
    last = datetime.combine(max(days), time(), tzinfo=UTC) + DAY + reach
    for code in codes:
        for closure in ground.closures.get(code, ()):
            for day in _days(closure.interval, reach, days):
                closures[day].setdefault(code, []).append(closure)
        for hold in ground.holds.get(code, ()):
            if hold.around.start < last and hold.around.end > first:  # most are not: spare them the rest
                for day in _days(hold.around, reach, days):
                    holds[day].setdefault(code, []).append(hold)
    return {day: replace(ground, closures=closures[day], holds=holds[day]) for day in days}


def _days(interval: Interval, reach: timedelta, days: Collection[date]) -> Iterator[date]:
    """The days of `days` from which an interval is within reach."""
    first, last = (interval.start - reach).date(), (interval.end + reach).date()
    return (day for n in range((last - first).days + 1) if (day := first + n * DAY) in days)
