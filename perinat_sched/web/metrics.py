"""What the service counts about itself, for Prometheus: by route template, never by path, person or place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from perinat_sched.booking.recalculation import Outcome
from perinat_sched.notices.settling import Tally

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """Counters of one application, in a registry of their own."""

    def __init__(self, version: str, tzdata: str, mails: Tally) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = prometheus_client.Counter(
            "perinat_http_requests", "Answers", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram("perinat_http_request_seconds", "Time to answer", ["route"], registry=self._registry)
        self._refusals = prometheus_client.Counter(
            "perinat_booking_refusals", "Refused bookings, by reason", ["code"], registry=self._registry
        )
        self._ground = prometheus_client.Counter(
            "perinat_ground_moved", "What a new ground did to booked sessions", ["what"], registry=self._registry
        )
        self._registry.register(_Mails(mails))
        about = Gauge("perinat_build_info", "Versions that run", ["version", "tzdata"], registry=self._registry)
        about.labels(version, tzdata).set(1)

        self._of_answers = lru_cache(maxsize=None)(self._answers.labels)  # as many as there are routes and statuses
        self._of_seconds = lru_cache(maxsize=None)(self._seconds.labels)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._of_answers(method if method in METHODS else "other", route, status).inc()
        self._of_seconds(route).observe(seconds)

    def refused(self, code: str) -> None:
        self._refusals.labels(code).inc()

    def ground_moved(self, outcome: Outcome) -> None:
        for what, count in asdict(outcome).items():
            self._ground.labels(what).inc(count)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)


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
