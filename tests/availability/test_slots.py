"""The search agrees with the rules: every slot it lists books, and none that books is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given

from perinat_sched.availability.conflicts import Fit, fit
from perinat_sched.availability.proposal import Proposal
from perinat_sched.availability.slots import Slot, alternatives, prepare, search, survey, window
from perinat_sched.intervals import Interval
from perinat_sched.zones import to_local
from tests.availability.worlds import MINUTE, World, many, worlds


def seen(slot: Slot) -> tuple[object, ...]:
    return (
        slot.start,
        slot.end,
        [(place.site, place.required, place.free, place.room) for place in slot.places],
        slot.optional_free,
        slot.bridge,
        slot.conflicts,
    )


def expected(found: Fit) -> tuple[object, ...]:
    return (
        found.interval.start,
        found.interval.end,
        [(p.site.code, p.required, p.held and p.free, p.room.code if p.room else None) for p in found.places],
        sum(place.held and not place.required for place in found.places),
        found.bridge,
        found.conflicts,
    )


@many
@given(worlds())
def test_the_slots_are_exactly_the_starts_that_can_be_booked_with_the_places_booking_gives(world: World) -> None:
    found = search(world.ground, world.query)
    fits = world.fits()
    assert found.starts == len(fits)
    assert [seen(slot) for slot in found.slots] == [expected(fit) for fit in fits.values() if fit.bookable]
    assert found.bookable == len(found.slots)


@many
@given(worlds())
def test_a_survey_tells_of_every_start_who_is_not_free_and_what_else_is_in_the_way(world: World) -> None:
    found = survey(world.ground, world.query)
    fits = world.fits()

    assert found.search == search(world.ground, world.query)
    assert [start.at for start in found.starts] == [one.interval.start for one in fits.values()]
    for start, one in zip(found.starts, fits.values(), strict=True):
        codes = {conflict.code for conflict in one.conflicts}
        needed = [place.site.code for place in one.places if place.required and not place.free]
        assert start.bookable == one.bookable
        assert [site for site in start.missing if site in world.proposal.needed] == needed
        assert not {place.site.code for place in one.places if place.held and not place.required} & {*start.missing}
        whole = codes & {"too_late", "too_long"} or bridge_words(one)
        assert (start.reason in whole) if whole else start.reason is None


@many
@given(worlds(include_overridable=True))
def test_with_overridable_ones_the_slots_are_exactly_the_starts_that_a_reason_would_allow(world: World) -> None:
    found = search(world.ground, world.query)
    assert [seen(slot) for slot in found.slots] == [expected(fit) for fit in world.fits().values() if fit.overridable]


@many
@given(worlds(order="best", include_overridable=True, limit=30))
def test_the_best_slots_are_free_then_of_most_optional_sites_then_at_good_hours_then_early(world: World) -> None:
    def good_hours(found: Fit) -> bool:
        return all(
            (wall := to_local(found.interval.start, place.site.timezone)).hour >= 9
            and to_local(found.interval.end, place.site.timezone).replace(tzinfo=None)
            <= wall.replace(hour=17, minute=0, second=0, tzinfo=None)
            for place in found.places
            if place.held
        )

    allowed = [found for found in world.fits().values() if found.overridable]
    allowed.sort(
        key=lambda one: (not one.bookable, -sum(p.held for p in one.places), not good_hours(one), one.interval)
    )
    assert [slot.start for slot in search(world.ground, world.query).slots] == [
        found.interval.start for found in allowed[:30]
    ]


def without(proposal: Proposal, site: str) -> Proposal | None:
    """The same session without a needed site; None when it was the only one."""
    others = [code for code in proposal.needed if code != site]
    return replace(proposal, host=others[0], required=tuple(others[1:])) if others else None


def bridge_words(found: Fit) -> set[str]:
    return {str(conflict.code) for conflict in found.conflicts} & {"ports_exhausted", "no_bridge"}


def words_of(world: World, site: str, found: Fit) -> set[str]:
    """What one site says against a start by itself: the notice of the session's kind is not its own."""
    proposal, kind = world.proposal, world.proposal.kind
    place = next(place for place in found.places if place.site.code == site)
    words: set[str] = {conflict.code for conflict in place.conflicts}
    if proposal.duration > place.longest:
        words |= {"too_long"} & proposal.timing
    if kind is None or kind.limits.minimum_notice_hours is None:
        notice = world.directory.minimum_notice(kind, [place.site])
        words |= {"too_late"} & proposal.timing if found.interval.start < world.ground.now + notice else set()
    return words


@many
@given(worlds())
def test_blocking_counts_the_starts_that_come_back_without_each_site_and_without_the_bridge(world: World) -> None:
    found = search(world.ground, world.query)
    fits = world.fits()
    bookable = sum(one.bookable for one in fits.values())
    entries = iter(found.blocking)
    for site in world.proposal.needed:
        entry, rest = next(entries), without(world.proposal, site)
        assert (entry.site, entry.bridge) == (site, None)
        if rest is None:
            continue  # nobody is left to meet: there is nothing to compare with
        free = {start for start in fits if fit(world.ground, rest, start).bookable}
        back = [one for start, one in fits.items() if start in free and not one.bookable]
        assert entry.slots_without == len(free) - bookable == len(back)
        words = [words_of(world, site, one) | bridge_words(one) for one in back]
        assert set(entry.reasons) == set().union(*words)
        counts = [sum(code in some for some in words) for code in entry.reasons]
        assert counts == sorted(counts, reverse=True)
    if len(world.proposal.needed) > 2:
        entry = next(entries)
        assert entry.site is None
        assert entry.slots_without == sum(bool(bridge_words(one)) and len(one.conflicts) == 1 for one in fits.values())
        assert set(entry.reasons) <= ({"ports_exhausted"} if world.directory.bridges else {"no_bridge"})
        assert bool(entry.reasons) == bool(entry.slots_without)
    assert next(entries, None) is None
    for code in ("too_late", "too_long"):
        refused = sum(code in {c.code for c in one.conflicts} for one in fits.values())
        assert dict(found.rules).get(code, 0) == refused


@many
@given(worlds(include_overridable=True))
def test_the_ports_left_are_those_that_one_more_session_could_still_take(world: World) -> None:
    for slot in search(world.ground, world.query).slots:
        one = fit(world.ground, world.proposal, slot.start)
        shown = one.bridge or next((b.code for b in world.directory.bridges_of(world.proposal.network)), None)
        if shown is None:
            assert slot.ports_left is None
            continue
        arounds = [place.around(one.interval) for place in one.places if place.held]
        around = Interval(min(a.start for a in arounds), max(a.end for a in arounds))
        holds = world.ground.holds.get(shown, ())
        moments = [around.start, *(h.interval.start for h in holds if around.start <= h.interval.start < around.end)]
        busiest = max(sum(h.units for h in holds if h.interval.start <= m < h.interval.end) for m in moments)
        assert slot.ports_left == world.directory.bridges[shown].ports - busiest - one.ports
        assert one.bridge is None or slot.ports_left >= 0


@many
@given(worlds(step_minutes=None))
def test_alternatives_are_the_first_bookable_starts_after_an_instant_that_do_not_overlap(world: World) -> None:
    starts = [start for start, found in world.fits().items() if found.bookable]
    for after in (world.ground.now, *world.candidates()[:60:15]):
        last, length = (
            max(after, world.ground.now) + (world.query.last_day - world.query.first_day),
            world.proposal.duration,
        )
        chosen: list[datetime] = []
        for start in starts:
            if after < start <= last and len(chosen) < 3 and (not chosen or start >= chosen[-1] + length):
                chosen.append(start)
        assert [slot.start for slot in alternatives(world.ground, world.query, after)] == chosen


@many
@given(worlds())
def test_only_what_touches_the_window_matters(world: World) -> None:
    whole = window(world.directory, world.query)

    closures = {code: [c for c in every if c.interval.overlaps(whole)] for code, every in world.ground.closures.items()}
    holds = {code: [h for h in every if h.around.overlaps(whole)] for code, every in world.ground.holds.items()}
    near = replace(world.ground, closures=closures, holds=holds)
    assert search(near, world.query) == search(world.ground, world.query)


@many
@given(worlds())
def test_a_timetable_serves_another_search_of_the_same_ground(world: World) -> None:
    timetable = prepare(world.ground, replace(world.query, last_day=world.query.last_day + timedelta(days=2)))
    assert search(world.ground, world.query, timetable) == search(world.ground, world.query)
    shorter = replace(world.query, proposal=replace(world.proposal, duration=30 * MINUTE))
    assert search(world.ground, shorter, timetable) == search(world.ground, shorter)
