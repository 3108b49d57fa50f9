"""Every error has its place in the table of problems."""

from __future__ import annotations

from collections.abc import Iterator

from perinat_sched import errors
from perinat_sched.errors import PerinatError
from perinat_sched.web import openapi, problems
from perinat_sched.web.routes import ROUTES

CONTRACT = {
    (400, "malformed-request"),
    (401, "unauthenticated"),
    (403, "forbidden"),
    (404, "not-found"),
    (405, "method-not-allowed"),
    (409, "booking-refused"),
    (410, "gone"),
    (412, "revision-mismatch"),
    (413, "too-large"),
    (415, "unsupported-media-type"),
    (422, "health-data-suspected"),
    (422, "idempotency-key-reused"),
    (422, "invalid-request"),
    (422, "repeated-local-time"),
    (422, "skipped-local-time"),
    (428, "revision-required"),
    (429, "too-many-requests"),
    (503, "unavailable"),
}
AT_THE_COMMAND_LINE = {"MissingGuards", "DatabaseTooNew", "DatabaseLocked", "ConfigurationError", "BackupError"}
BEHIND = {"PerinatError", "GuardViolation", "UnexpectedError"}


def every(kind: type[PerinatError]) -> Iterator[type[PerinatError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from every(narrower)


def test_the_table_has_every_problem_of_the_contract() -> None:
    assert {(kind.status, kind.slug) for kind in problems.TYPES.values()} >= CONTRACT


def test_every_error_that_may_reach_a_caller_has_its_own_row() -> None:
    modules = (errors.__name__, problems.__name__)
    missing = {
        kind.__name__ for kind in every(PerinatError) if kind.__module__ in modules and kind not in problems.TYPES
    }

    assert missing <= AT_THE_COMMAND_LINE | BEHIND


def test_every_status_that_a_route_may_answer_is_in_the_table() -> None:
    known = {kind.status for kind in problems.TYPES.values()}

    assert all(openapi.refusals(route) <= known for route in ROUTES)
