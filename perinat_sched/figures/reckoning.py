"""A network's year in numbers: sessions, hours and sites by kind and month, use of rooms and ports, answers.

What counts is what took place: sessions that have begun and were not cancelled; what is still to come is counted
apart. A session belongs to the month in which it begins by its own clock. Lengths are whole minutes. Values only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from perinat_sched.booking.session import Answer, Status
from perinat_sched.intervals import Interval, peak

MINUTE = timedelta(minutes=1)
MONTHS = range(1, 13)
NO_CODE = "cancelled"  # what a cancellation without a code is


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A site's part in a session."""

    site: str
    room: str | None  # None: none, or not held
    answer: Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A session, as far as it counts."""

    kind: str
    host: str
    month: int  # in which it begins, by its own clock
    interval: Interval
    status: Status
    cancellation: str | None
    bridge: str | None
    ports: int
    parts: Sequence[Part]

    @property
    def minutes(self) -> int:
        return self.interval.duration // MINUTE

    @property
    def sites(self) -> list[str]:
        """Those who took part."""
        return [part.site for part in self.parts if part.answer != "declined"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A kind, or a reason, month by month."""

    code: str
    months: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.months)


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteRow:
    """What a site did."""

    code: str
    hosted: int
    took_part: int
    minutes: int
    answers: Mapping[Answer, int]  # to sessions that others host


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """How much of a room or a bridge was used."""

    code: str
    used: int  # minutes; of a bridge, of all its ports together
    open: int  # minutes for which it could have been
    busiest: int = 0  # of a bridge: the most ports at once
    ports: int = 1

    @property
    def share(self) -> float:
        return self.used / self.open if self.open else 0.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The year."""

    sessions: Sequence[Row]  # by kind, like the next two
    minutes: Sequence[Row]
    sites: Sequence[Row]
    cancellations: Sequence[Row]  # by code
    by_site: Sequence[SiteRow]
    rooms: Sequence[Use]
    bridges: Sequence[Use]
    to_come: int


def reckon(
    facts: Iterable[Fact],
    *,
    now: datetime,
    sites: Sequence[str],
    rooms: Mapping[str, int],
    bridges: Mapping[str, tuple[int, int]],
) -> Figures:
    """Of every session of the year. `rooms`: minutes open; `bridges`: ports, and minutes at which a site is open.

    Sites, rooms and bridges are answered in the order given, whether or not they did anything, then those that only
    the sessions know.
    """
    every = list(facts)
    held = [fact for fact in every if fact.status != "cancelled" and fact.interval.start <= now]
    cancelled = [fact for fact in every if fact.status == "cancelled"]
    return Figures(
        sessions=_by_month(held, lambda fact: fact.kind, lambda fact: 1),
        minutes=_by_month(held, lambda fact: fact.kind, lambda fact: fact.minutes),
        sites=_by_month(held, lambda fact: fact.kind, lambda fact: len(fact.sites)),
        cancellations=_by_month(cancelled, lambda fact: fact.cancellation or NO_CODE, lambda fact: 1),
        by_site=[_site(code, held) for code in _all(sites, (site for fact in held for site in fact.sites))],
        rooms=_rooms(held, rooms),
        bridges=[_bridge(code, held, *bridges[code]) for code in bridges],
        to_come=sum(fact.status != "cancelled" and fact.interval.start > now for fact in every),
    )


def _by_month(facts: Iterable[Fact], code: Callable[[Fact], str], count: Callable[[Fact], int]) -> list[Row]:
    """The largest first."""
    counts: dict[str, Counter[int]] = {}
    for fact in facts:
        counts.setdefault(code(fact), Counter())[fact.month] += count(fact)
    rows = [Row(code=name, months=tuple(months[month] for month in MONTHS)) for name, months in counts.items()]
    return sorted(rows, key=lambda row: (-row.total, row.code))


def _all(known: Sequence[str], found: Iterable[str]) -> list[str]:
    return [*known, *sorted(set(found) - set(known))]


def _site(code: str, held: Sequence[Fact]) -> SiteRow:
    took_part = [fact for fact in held if code in fact.sites]
    answers = Counter(part.answer for fact in held if fact.host != code for part in fact.parts if part.site == code)
    return SiteRow(
        code=code,
        hosted=sum(fact.host == code for fact in held),
        took_part=len(took_part),
        minutes=sum(fact.minutes for fact in took_part),
        answers=answers,
    )


def _rooms(held: Sequence[Fact], open_for: Mapping[str, int]) -> list[Use]:
    used: Counter[str] = Counter()
    for fact in held:
        for room in {part.room for part in fact.parts if part.room}:
            used[room] += fact.minutes
    return [Use(code=code, used=used[code], open=open_for.get(code, 0)) for code in _all(list(open_for), used)]


def _bridge(code: str, held: Sequence[Fact], ports: int, open_for: int) -> Use:
    loads = [(fact.interval, fact.ports) for fact in held if fact.bridge == code]
    spans = [interval for interval, _ in loads]
    whole = Interval(min(span.start for span in spans), max(span.end for span in spans)) if spans else None
    return Use(
        code=code,
        used=sum((interval.duration // MINUTE) * taken for interval, taken in loads),
        open=open_for * ports,
        busiest=peak(loads, whole) if whole else 0,
        ports=ports,
    )
