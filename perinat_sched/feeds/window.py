"""How far a feed looks back and ahead, in whole days of UTC: the only thing about it that moves by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from perinat_sched.intervals import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Days before and after today, and how long a cancelled session stays after its end."""

    past_days: int = 60
    future_days: int = 400
    cancelled_days: int = 30

    def on(self, day: date) -> Interval:
        """The time that is shown on a day (UTC)."""
        midnight = _midnight(day)
        return Interval(midnight - timedelta(days=self.past_days), midnight + timedelta(days=self.future_days))

    def cancelled_since(self, day: date) -> datetime:
        """The instant from which cancelled sessions are still shown on a day (UTC), by their end."""
        return _midnight(day) - timedelta(days=self.cancelled_days)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
