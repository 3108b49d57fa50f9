"""The rules for one start: against the contract's words read a second time, and in named cases."""

from __future__ import annotations

from hypothesis import given

from perinat_sched.availability.conflicts import fit
from tests.availability.plain_reading import Reading
from tests.availability.worlds import World, many, worlds


@many
@given(worlds())
def test_the_rules_say_what_the_contract_says(world: World) -> None:
    for start in world.candidates():
        found = fit(world.ground, world.proposal, start)
        verdict = Reading(world.ground, world.proposal, start).verdict()
        of_the_whole = ("ports_exhausted", "no_bridge", "too_long", "too_late", "in_the_past")
        assert {(c.code, None if c.code in of_the_whole else c.site) for c in found.conflicts} == verdict.refusals
        assert (found.bookable, found.overridable) == (verdict.bookable, verdict.overridable)
        places = tuple((place.site.code, place.held, place.room.code if place.room else None) for place in found.places)
        assert [p for p in places if p[1]] == [p for p in verdict.places if p[1]]
        assert (found.bridge, found.ports) == (verdict.bridge, verdict.ports)
