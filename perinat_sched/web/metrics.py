"""What the service counts about itself, for Prometheus: by route template, never by path, person or place."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from itertools import accumulate

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from perinat_sched.booking.recalculation import Outcome
from perinat_sched.booking.refusals import Refusals
from perinat_sched.notices.settling import Tally

BUCKETS = Histogram.DEFAULT_BUCKETS  # seconds
LIMITS = [str(limit).replace("inf", "+Inf") for limit in BUCKETS]
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """Counters of one application, in a registry of their own."""

    def __init__(self, version: str, tzdata: str, mails: Tally, refusals: Refusals) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = _Answers()
        self._registry.register(self._answers)
        self._registry.register(_Refused(refusals))
        self._ground = prometheus_client.Counter(
            "perinat_ground_moved", "What a new ground did to booked sessions", ["what"], registry=self._registry
        )
        self._registry.register(_Mails(mails))
        about = Gauge("perinat_build_info", "Versions that run", ["version", "tzdata"], registry=self._registry)
        about.labels(version, tzdata).set(1)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._answers.count(method, route, status, seconds)

    def ground_moved(self, outcome: Outcome) -> None:
        for what, count in asdict(outcome).items():
            self._ground.labels(what).inc(count)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Answers(Collector):
    """Answers and the time they took: counted at every request, so in plain numbers, by one thread."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._within: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(BUCKETS))  # by route
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        self._answers[method, route, status] += 1
        self._within[route][bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("perinat_http_requests", "Answers", labels=["method", "route", "status"])
        for (method, route, status), count in self._answers.items():
            answers.add_metric([method, route, str(status)], count)
        yield answers
        times = HistogramMetricFamily("perinat_http_request_seconds", "Time to answer", labels=["route"])
        for route, within in self._within.items():
            times.add_metric([route], list(zip(LIMITS, accumulate(within), strict=True)), self._seconds[route])
        yield times


class _Refused(Collector):
    """Refused bookings, as the actions tell them."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def collect(self) -> Iterator[CounterMetricFamily]:
        told = CounterMetricFamily("perinat_booking_refusals", "Refused bookings, by reason", labels=["code"])
        for code, count in self._refusals.items():
            told.add_metric([code], count)
        yield told


class _Mails(Collector):
    """What became of mails, as delivery tells it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[CounterMetricFamily]:
        mails = CounterMetricFamily("perinat_mails", "Mails, by kind and what became of them", labels=["kind", "state"])
        skipped: Counter[str] = Counter()
        for (mail, _), count in self._tally.skipped.items():
            skipped[mail] += count
        states = {"sent": self._tally.sent, "failed": self._tally.failed, "retried": self._tally.retried}
        for state, counts in (states | {"skipped": skipped}).items():
            for kind, count in counts.items():
                mails.add_metric([kind, state], count)
        yield mails
        reminders = CounterMetricFamily("perinat_reminders_skipped", "Reminders that no longer help", labels=["reason"])
        for (mail, reason), count in self._tally.skipped.items():
            if mail == "reminder":
                reminders.add_metric([reason], count)
        yield reminders
        ambiguous = CounterMetricFamily("perinat_mails_ambiguous", "Mails that may have been handed over twice")
        ambiguous.add_metric([], self._tally.ambiguous)
        yield ambiguous
