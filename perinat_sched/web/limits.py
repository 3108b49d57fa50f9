"""How often one caller may write, and one feed address be read: a bucket a caller, never an address on the network.

A hospital has one address for all its people, so nothing is counted by IP.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from perinat_sched.errors import TooManyRequests

MOST_CALLERS = 10_000  # who has not called for longest is forgotten: by then the bucket is full again


class Limit:
    """`per_minute` requests at once, then as many a minute; 0: no limit."""

    def __init__(self, per_minute: int, seconds: Callable[[], float]) -> None:
        """`seconds` is a clock that only goes forward."""
        self._most = float(per_minute)
        self._seconds = seconds
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, since when; the last to call at the end

    def count(self, caller: str) -> None:
        """One more request. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._seconds()
        left, since = self._buckets.pop(caller, (self._most, now))
        left += (now - since) * self._most / 60
        if left > self._most:
            left = self._most
        self._buckets[caller] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > MOST_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        if left < 1:
            raise TooManyRequests(math.ceil((1 - left) * 60 / self._most))
