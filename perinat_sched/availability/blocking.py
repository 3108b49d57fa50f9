"""Why there are not more slots: what each needed site, and the bridge, costs.

For each of them: how many more starts there would be without it. A start comes back without a site only if that site
alone refused it, or if one port less is what the bridge needed; so it is enough to know what one refuses, and what
two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perinat_sched.availability.conflicts import SITES_WITHOUT_BRIDGE, Code
from perinat_sched.availability.prospects import Bridging, Question, SiteProspect, together
from perinat_sched.availability.timetable import minus


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocking:
    """What one needed site, or the bridge (the network's first, None where it has none), stands in the way of."""

    site: str | None
    bridge: str | None
    slots_without: int  # starts more if it were not needed: without its room, its hours, its port
    reasons: tuple[Code, ...]  # what it says against the starts that would come back, the most frequent first


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How the needed sites and the bridges agree, at the starts that are in time for the kind of session."""

    agreed: int  # no site refuses
    alone: int  # a single site refuses
    carried: int  # a bridge carries the needed sites, or none is needed

    @classmethod
    def of(cls, question: Question, needed: Sequence[SiteProspect], bridging: Bridging) -> Agreement:
        once, twice = _once_and_twice(site.refused for site in needed)
        punctual = minus(question.starts, question.late)
        carried = bridging.carried(len(needed), together(site.spread for site in needed))
        return cls(agreed=minus(punctual, once), alone=punctual & (once ^ twice), carried=carried)

    @property
    def bookable(self) -> int:
        """The starts without conflict."""
        return self.agreed & self.carried


def explain(agreement: Agreement, needed: Sequence[SiteProspect], bridging: Bridging) -> tuple[Blocking, ...]:
    """One entry a needed site, in their order; then the bridge, where one is needed."""
    stuck = minus(agreement.agreed, agreement.carried)
    shortage: Code = "ports_exhausted" if bridging.bridges else "no_bridge"
    without = _Without(needed, bridging)
    entries = []
    for site in needed:
        back = (site.refused & agreement.alone | stuck) & without.carried(site)
        short = minus(back, agreement.carried)
        entries.append(
            Blocking(
                site=site.site.code,
                bridge=None,
                slots_without=back.bit_count(),
                reasons=_ranked([*site.reasons(back), (shortage, short)]) if back else (),
            )
        )
    if len(needed) > SITES_WITHOUT_BRIDGE:
        bridge = bridging.bridges[0].code if bridging.bridges else None
        reasons = (shortage,) if stuck else ()
        entries.append(Blocking(site=None, bridge=bridge, slots_without=stuck.bit_count(), reasons=reasons))
    return tuple(entries)


class _Without:
    """Where the bridges carry the session without one of its sites: one port less, and perhaps narrower margins."""

    def __init__(self, needed: Sequence[SiteProspect], bridging: Bridging) -> None:
        self._ports = len(needed) - 1
        self._bridging = bridging
        self._spread = together(site.spread for site in needed)
        self._single = {}  # margins → the starts at which a single site brings them
        for margins in self._spread:
            once, twice = _once_and_twice(site.spread.get(margins, 0) for site in needed)
            self._single[margins] = once ^ twice
        self._usual = bridging.carried(self._ports, self._spread)

    def carried(self, site: SiteProspect) -> int:
        gone = {margins: where & self._single[margins] for margins, where in site.spread.items()}
        if not any(gone.values()):
            return self._usual
        narrower = {margins: where ^ gone.get(margins, 0) for margins, where in self._spread.items()}
        return self._bridging.carried(self._ports, narrower)


def _once_and_twice(sets: Iterable[int]) -> tuple[int, int]:
    """What is in at least one of the sets, and what is in at least two."""
    once = twice = 0
    for bits in sets:
        twice |= once & bits
        once |= bits
    return once, twice


def _ranked(reasons: Iterable[tuple[Code, int]]) -> tuple[Code, ...]:
    """The codes given against any start, the most frequent first."""
    given = [(code, where) for code, where in reasons if where]
    if len(given) > 1:  # counting costs more than all the rest
        given.sort(key=lambda entry: (-entry[1].bit_count(), entry[0]))
    return tuple(code for code, _ in given)
