"""A series of 52 dates at ten sites against 52 single bookings, and what more dates cost.

`python -m benchmarks.series`. The example network on both engines, a year in which the ten sites meet four times on
every weekday already. CPU time of the service's own process, the best of several runs, without the collector of
garbage, which looks at everything there is whenever it likes; and statements of SQL, which must not grow with the
dates. Each run is checked for what it booked.

- *dry run* and *booking* of 52 Thursdays, against 52 bookings of one session with the same sites.
- *growth*: a dry run of 360 days against one of 36, all of them free, and all of them in conflict, each with the
  nearest slot that would do.

Measured on two shared cores, milliseconds of CPU (ratios count, not times):

                     50 alone  a series  ratio  dry run  ratio  36, 360 free dates   taken dates
          sqlite       409       201   0.49      169   0.41      47   346   7.4      44   346   7.8
      postgresql       326       160   0.49      149   0.46      42   335   8.0      43   355   8.3

Two thirds of a dry run are reading the year's 11,000 holds, whatever the dates; in an empty year it takes 40 ms.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import TypeVar

from perinat_sched import app, settings
from perinat_sched.booking.request import Asked as SessionAsked
from perinat_sched.booking.session import Session
from perinat_sched.people.access import Actor
from perinat_sched.series.request import Asked
from perinat_sched.series.series import Whole
from perinat_sched.web.services import Services
from tests.postgres import create_database, running_postgres
from tests.service import ROOT

T = TypeVar("T")

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
ADMIN = Actor(token="benchmark", role="admin")
OTHERS = ("roubaix", "tourcoing", "seclin", "valenciennes", "lens", "arras", "calais", "boulogne", "dunkerque")
THURSDAY, DAY = "2027-01-07", "2027-01-06"
TAKEN, FREE = ("08:30", "10:30", "12:30", "14:30"), "16:30"
WEEKS, HOLIDAYS = 52, 2  # Thursdays of 2027; Ascension and 11 November
FEW, MANY = 36, 360
RUNS = 5
DRY_RUN, BOOKING = 0.5, 0.6  # of the CPU that single bookings take; our own marks, above the worst of two runs


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run took."""

    ms: float  # of CPU
    statements: int


def asked(day: str, hour: str, rule: str) -> Asked:
    session = SessionAsked(
        kind="staff", network="perinat", host_site="lille", start=f"{day}T{hour}", required_sites=OTHERS
    )
    return Asked(session=session, rrule=rule, on_conflict="leave_out")


def daily(hour: str, dates: int) -> Asked:
    return asked(DAY, hour, f"FREQ=DAILY;COUNT={dates}")


THURSDAYS = asked(THURSDAY, FREE, f"FREQ=WEEKLY;COUNT={WEEKS}")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The services of one database, and how they are measured."""

    services: Services

    async def best(self, work: Callable[[], Awaitable[T]], undo: Callable[[T], Awaitable[object]] | None = None) -> Run:
        """The best of several runs, each taken back."""
        runs = []
        for _ in range(RUNS):
            gc.collect()
            gc.disable()
            with self.services.database.counting() as cost:
                began = process_time()
                done = await work()
                runs.append(Run(ms=(process_time() - began) * 1000, statements=cost.total))
            gc.enable()
            if undo:
                await undo(done)
        return min(runs, key=lambda run: run.ms)

    async def fill(self) -> None:
        """A year in which everybody meets four times a day."""
        for hour in TAKEN:
            await self.services.series.book(ADMIN, daily(hour, 366))

    async def dry_run(self, series: Asked, verdict: str) -> Run:
        async def work() -> None:
            tried = await self.services.series.try_out(ADMIN, series)
            said = [one.verdict for one in tried.occurrences]
            weekdays = sum(one.recurrence.weekday() < 5 for one in tried.occurrences)
            assert said.count(verdict) >= weekdays * 9 // 10, said  # a few are holidays
            assert verdict == "bookable" or all(one.nearest for one in tried.occurrences if one.conflicts)

        return await self.best(work)

    async def book_series(self) -> Run:
        async def end(whole: Whole) -> None:
            await self.services.series_upkeep.cancel(ADMIN, whole.series.id, None, "cancelled", "", sure=True)

        return await self.best(lambda: self.services.series.book(ADMIN, THURSDAYS), end)

    async def book_alone(self, days: Sequence[str]) -> Run:
        async def work() -> list[Session]:
            done = []
            for day in days:
                session = replace(THURSDAYS.session, start=f"{day}T{FREE}")
                booked = await self.services.bookings.book(ADMIN, session)
                assert isinstance(booked, Session)
                done.append(booked)
            return done

        async def end(done: list[Session]) -> None:
            for one in done:
                await self.services.bookings.cancel(ADMIN, one.id, "cancelled", "", sure=True)

        return await self.best(work, end)


async def measure(name: str, url: str, folder: Path) -> list[str]:
    """Measure one engine, print it; what missed its mark."""
    example = settings.load(
        {"PERINAT_CONFIG_DIR": str(ROOT / "config"), "PERINAT_CALENDARS_DIR": str(ROOT / "calendars")}
    )
    configured = replace(example, database_url=url, secret_key_file=folder / "secret.key")
    async with app.opened(configured) as database:
        bench = Bench(services=app.assemble(configured, database, lambda: NOW))
        await bench.fill()
        tried = await bench.services.series.try_out(ADMIN, THURSDAYS)
        days = [f"{one.recurrence:%Y-%m-%d}" for one in tried.occurrences if one.verdict == "bookable"]
        assert len(days) == WEEKS - HOLIDAYS, days
        alone, booked = await bench.book_alone(days), await bench.book_series()
        dry = await bench.dry_run(THURSDAYS, "bookable")
        free = [await bench.dry_run(daily(FREE, dates), "bookable") for dates in (FEW, MANY)]
        taken = [await bench.dry_run(daily(TAKEN[1], dates), "left_out") for dates in (FEW, MANY)]
    row = [alone.ms, booked.ms, booked.ms / alone.ms, dry.ms, dry.ms / alone.ms]
    growth = [many.ms / few.ms for few, many in (free, taken)]
    print(f"{name:>12}{row[0]:10.0f}{row[1]:10.0f}{row[2]:7.2f}{row[3]:9.0f}{row[4]:7.2f}", end="")
    print(
        "".join(
            f"{few.ms:8.0f}{many.ms:6.0f}{times:6.1f}" for (few, many), times in zip((free, taken), growth, strict=True)
        )
    )
    marks = {
        f"{name}: booking {row[2]:.2f} of single bookings, at most {BOOKING}": row[2] <= BOOKING,
        f"{name}: dry run {row[4]:.2f} of single bookings, at most {DRY_RUN}": row[4] <= DRY_RUN,
        f"{name}: {max(growth):.1f} times as much for {MANY / FEW:.0f} times the dates": max(growth) <= MANY / FEW,
        f"{name}: {free} {taken}: statements grow with dates": all(
            few.statements == many.statements for few, many in (free, taken)
        ),
    }
    return [mark for mark, reached in marks.items() if not reached]


def main() -> None:
    print(
        f"{'':12}{WEEKS - HOLIDAYS:>7} alone  a series  ratio  dry run  ratio  {FEW}, {MANY} free dates   taken dates"
    )
    with tempfile.TemporaryDirectory() as folder, running_postgres(fsync=True) as server:
        missed = asyncio.run(measure("sqlite", f"sqlite:///{folder}/series.db", Path(folder)))
        missed += asyncio.run(measure("postgresql", create_database(server, "series"), Path(folder)))
    assert not missed, "; ".join(missed)


if __name__ == "__main__":
    main()
