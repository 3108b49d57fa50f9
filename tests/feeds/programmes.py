"""Random series with a history, from a seed, and what a calendar must show of them, reckoned from the sessions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from perinat_sched import zones
from perinat_sched.booking import store as booking
from perinat_sched.booking.session import Draft, Participation, Session
from perinat_sched.errors import InvalidRequest
from perinat_sched.feeds.store import Scope
from perinat_sched.series import recurrence
from perinat_sched.series import store as series_store
from perinat_sched.series.recurrence import WEEKDAYS, Rule
from perinat_sched.series.series import Series
from perinat_sched.storage.database import Database, Tx
from tests.feeds.examples import CREATED, part, session

TODAY = date(2027, 1, 15)  # the house's
FIRST, LAST = date(2026, 1, 5), date(2028, 12, 20)
ZONES = ["Europe/Paris"] * 4 + ["America/Toronto"] * 2
ZONES += ["Indian/Reunion", "America/Miquelon", "Pacific/Noumea", "Asia/Jerusalem", "Europe/Dublin"]
HOURS = ["13:00", "15:00", "08:00", "23:30", "00:15", "01:30", "02:15", "02:45"]
SCOPES: list[tuple[Scope, str]] = [("network", "perinat"), ("room", "calais-1"), ("site", "lille")]
SCOPES += [("site", "calais"), ("site", "sainte-justine")]
PREFIX = {"tentative": "[À confirmer] ", "cancelled": "ANNULÉ – ", "confirmed": ""}

Told = tuple[datetime, datetime, str, str]


@dataclass
class Programme:
    """A series, or dates, each with its own fate."""

    seed: int
    dice: random.Random = field(init=False)
    series: Series = field(init=False)
    sessions: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        zone = self.dice.choice(ZONES)
        rule, times = self._rule_and_times(zone)
        draft = Draft(
            kind="staff", title="Visio — staff", description="", network="perinat", host_site="lille",
            wall_start=times[0], timezone=zone, fold=0, start=zones.near(times[0], zone),
            duration=timedelta(minutes=self.dice.choice([15, 60, 90, 180])),
            required_sites=("calais",), optional_sites=("sainte-justine",),
        )  # fmt: skip
        self.series = Series(
            id=f"series-{self.seed}", uid=f"series-{self.seed}@perinat.example", revision=self.dice.randint(0, 5),
            sequence=self.dice.randint(0, 3), session=draft, fold=None, rrule=rule,
            dates=() if rule else tuple(f"{one:%Y-%m-%d}" for one in times), created_at=CREATED, updated_at=CREATED,
        )  # fmt: skip
        away = self.dice.choice([0, 0.1, 0.4])  # excluded, holidays, left out: no sessions
        for wall in times:
            if zones.instants(wall, zone) and self.dice.random() >= away:
                self.sessions.append(self._changed(self._occurrence(wall)))
        if not any(self._in_window(one) for one in self.sessions):
            self.__init__(self.seed + 100_000)  # type: ignore[misc]

    def _rule_and_times(self, zone: str) -> tuple[str | None, list[datetime]]:
        dice = self.dice
        while True:
            since = datetime.combine(FIRST + timedelta(days=dice.randint(0, 600)), datetime.min.time())
            since = datetime.fromisoformat(f"{since:%Y-%m-%d}T{dice.choice(HOURS)}")
            if dice.random() < 0.15:
                days = sorted({since + timedelta(days=dice.randint(0, 400)) for _ in range(dice.randint(1, 9))})
                return None, days
            rule = self._rule(since)
            until = datetime.combine(LAST, since.time())
            start = recurrence.first(rule, since, until)
            if start is None:
                continue
            try:
                return recurrence.written(rule, zone), recurrence.expand(
                    recurrence.parse(recurrence.written(rule, zone), zone), start
                )
            except InvalidRequest:
                continue  # too long, or a count that is never reached

    def _rule(self, since: datetime) -> Rule:
        dice = self.dice
        frequency = dice.choice(["DAILY", "WEEKLY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY"])
        by_day: tuple[tuple[int, str], ...] = ()
        by_month_day: tuple[int, ...] = ()
        if frequency == "WEEKLY" and dice.random() < 0.7:
            by_day = tuple((0, name) for name in dice.sample(list(WEEKDAYS), dice.randint(1, 3)))
        elif frequency == "MONTHLY" and dice.random() < 0.7:
            by_day = ((dice.choice([1, 2, 3, 4, -1, -2]), dice.choice(list(WEEKDAYS))),)
        elif frequency == "MONTHLY":
            by_month_day = tuple(dice.sample([1, 2, 13, 15, 28, 30, -1], dice.randint(1, 2)))
        ends: dict[str, Any] = (
            {"count": dice.randint(2, 40)} if dice.random() < 0.5
            else {"until": since + timedelta(days=dice.randint(30, 700))}
        )  # fmt: skip
        return Rule(
            frequency=frequency, interval=dice.choice([1, 1, 1, 2, 3]), by_day=by_day, by_month_day=by_month_day, **ends
        )

    def _occurrence(self, wall: datetime) -> Session:
        draft = self.series.session
        start = self.dice.choice(zones.instants(wall, draft.timezone))  # of a repeated hour either
        return session(
            f"{wall:%Y-%m-%dT%H:%M}", timezone=draft.timezone, fold=zones.to_local(start, draft.timezone).fold,
            id=f"p{self.seed}-{wall:%Y%m%d}", uid=self.series.uid, revision=0, sequence=0, title=draft.title,
            duration=draft.duration, series=self.series.id, recurrence=wall, created_at=CREATED, updated_at=CREATED,
        )  # fmt: skip

    def _changed(self, of: Session) -> Session:
        """As ruled most of the time; else one of the things that happen to a date."""
        dice, more = self.dice, timedelta(minutes=5)
        revised = replace(of, revision=1, sequence=1, updated_at=CREATED + timedelta(days=1))
        match dice.choice(["as ruled"] * 12 + ["moved"] * 3 + ["cancelled"] * 2 + ["told", "longer", "sites", "zone"]):
            case "moved":
                start = of.start + more * dice.randint(-24 * 12 * 3, 24 * 12 * 3)
                local = zones.to_local(start, of.timezone)
                return replace(revised, start=start, wall_start=local.replace(tzinfo=None, fold=0), fold=local.fold)
            case "zone":
                local = zones.to_local(of.start, "America/Toronto")
                wall = local.replace(tzinfo=None, fold=0)
                return replace(revised, timezone="America/Toronto", wall_start=wall, fold=local.fold)
            case "cancelled":
                return replace(revised, status="cancelled", cancellation_reason=dice.choice(["", "panne"]))
            case "told":
                return replace(revised, title="Visio — autre", status=dice.choice(["tentative", "confirmed"]))
            case "longer":
                return replace(revised, duration=of.duration + more)
            case "sites":
                return replace(revised, participations=self._parts())
        return of

    def _parts(self) -> tuple[Participation, ...]:
        calais = part("calais", self.dice.choice(["accepted", "declined", "pending"]), room="calais-1")
        others = [calais, part("sainte-justine", required=False), part("noumea", required=False)]
        return (part("lille", room="lille-1"), *self.dice.sample(others, self.dice.randint(0, 3)))

    def change(self) -> tuple[Session, Session]:
        """One date, changed once more: before, after."""
        position = self.dice.randrange(len(self.sessions))
        before = self.sessions[position]
        after = before
        while after.revision == before.revision:
            again = self._changed(replace(before, status="confirmed"))
            after = replace(again, revision=before.revision + (again.revision > 0) * (again is not before))
            if again.sequence == before.sequence and again == replace(before, status="confirmed"):
                after = before
        after = replace(after, sequence=before.sequence + 1)
        self.sessions[position] = after
        return before, after

    # What calendars must show

    @staticmethod
    def _in_window(one: Session) -> bool:
        midnight = datetime.combine(TODAY, datetime.min.time(), UTC)
        return one.end > midnight - timedelta(days=60) and one.start < midnight + timedelta(days=400)

    def told(self, scope: str, of: str, *, cancelled: bool = True) -> list[Told]:
        """Start, end, status and words of all that a feed shows: every date of a series that the window touches."""
        old = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(days=30)
        return sorted(
            (one.start, one.end, one.status.upper(), PREFIX[one.status] + one.title)
            for one in self.sessions
            if any(self._in_window(each) for each in self.sessions)
            and (one.status != "cancelled" or (cancelled and one.end > old))
            and _belongs(one, scope, of)
        )

    async def save(self, database: Database) -> None:
        async def work(tx: Tx) -> None:
            await series_store.add(tx, self.series, {})
            await booking.add_many(tx, [(one, ()) for one in self.sessions], {})

        await database.write(work)


def _belongs(one: Session, scope: str, of: str) -> bool:
    there = [p for p in one.participations if p.answer != "declined"]
    match scope:
        case "site":
            return any(p.site == of for p in there)
        case "room":
            return any(p.room == of for p in there)
    return one.network == of


def programmes(seeds: Sequence[int]) -> list[Programme]:
    return [Programme(seed) for seed in seeds]
