"""What went wrong, as HTTP says it (RFC 9457): one table from the errors of the domain to status and slug.

The text is the error's own, in the language the caller asks for; machines read the type and the extensions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from perinat_sched import errors
from perinat_sched.errors import PerinatError
from perinat_sched.i18n import Message, say
from perinat_sched.sites.network import Language

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:perinat-sched:problem:"


class MalformedRequest(PerinatError):
    """The body is not JSON in UTF-8."""


class MethodNotAllowed(PerinatError):
    """This address does not know this method: see Allow for those it knows."""

    def __init__(self, allowed: str) -> None:
        super().__init__()
        self.allowed = allowed


class TooLarge(PerinatError):
    """The request is larger than 256 KB."""


class TooSlow(PerinatError):
    """The body did not arrive within 15 seconds."""


class UnsupportedMediaType(PerinatError):
    """The body is of another media type than this address reads."""

    def __init__(self, expected: str) -> None:
        super().__init__(Message("Send the body as it is, as {expected}, without a content coding.", expected=expected))


class UnexpectedError(PerinatError):
    """Something went wrong here, and it is not your fault. It is written in our log under this request's id."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """How a class of errors looks outside."""

    status: int
    slug: str
    title: Message


TYPES: Mapping[type[PerinatError], ProblemType] = {
    MalformedRequest: ProblemType(400, "malformed-request", Message("Not JSON")),
    errors.Unauthenticated: ProblemType(401, "unauthenticated", Message("No valid token")),
    errors.Forbidden: ProblemType(403, "forbidden", Message("Not allowed")),
    errors.NotFound: ProblemType(404, "not-found", Message("Nothing here")),
    MethodNotAllowed: ProblemType(405, "method-not-allowed", Message("Unknown method here")),
    TooSlow: ProblemType(408, "request-timeout", Message("Too slow")),
    errors.BookingRefused: ProblemType(409, "booking-refused", Message("Booking refused")),
    errors.Gone: ProblemType(410, "gone", Message("Revoked")),
    errors.RevisionMismatch: ProblemType(412, "revision-mismatch", Message("Changed meanwhile")),
    TooLarge: ProblemType(413, "too-large", Message("Too large")),
    UnsupportedMediaType: ProblemType(415, "unsupported-media-type", Message("Another media type")),
    errors.InvalidRequest: ProblemType(422, "invalid-request", Message("Invalid request")),
    errors.SkippedLocalTime: ProblemType(422, "skipped-local-time", Message("This hour does not exist")),
    errors.RepeatedLocalTime: ProblemType(422, "repeated-local-time", Message("This hour comes twice")),
    errors.HealthDataSuspected: ProblemType(422, "health-data-suspected", Message("Health data?")),
    errors.IdempotencyKeyReused: ProblemType(422, "idempotency-key-reused", Message("Key already used")),
    errors.RevisionRequired: ProblemType(428, "revision-required", Message("Revision required")),
    errors.TooManyRequests: ProblemType(429, "too-many-requests", Message("Too many requests")),
    errors.Unavailable: ProblemType(503, "unavailable", Message("Unavailable")),
    PerinatError: ProblemType(500, "internal-error", Message("Internal error")),
}


def type_of(error: PerinatError) -> ProblemType:
    """The row of the nearest class that has one."""
    return next(TYPES[kind] for kind in type(error).__mro__ if kind in TYPES)


def document(error: PerinatError, language: Language, extensions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The members of the problem; `extensions` are those that need to know who asks (conflicts, alternatives)."""
    kind = type_of(error)
    return {
        "type": TYPE_PREFIX + kind.slug,
        "title": say(kind.title, language),
        "status": kind.status,
        "detail": say(error.message, language),
        **_extensions(error, language),
        **(extensions or {}),
    }


def _extensions(error: PerinatError, language: Language) -> dict[str, Any]:
    match error:
        case errors.InvalidRequest():
            told = [{"field": one.field, "detail": say(one.message, language)} for one in error.errors]
            return {"errors": told}
        case errors.SkippedLocalTime() | errors.RepeatedLocalTime():
            return {"candidates": [instant.isoformat() for instant in error.candidates]}
        case errors.HealthDataSuspected():
            return {"field": error.field, "pattern": error.pattern}
        case _:
            return {}


def headers(error: PerinatError) -> dict[str, str]:
    """What the status asks for besides the document."""
    match error:
        case errors.Unauthenticated():
            return {"WWW-Authenticate": 'Bearer realm="perinat-sched"'}
        case MethodNotAllowed():
            return {"Allow": error.allowed}
        case errors.TooManyRequests() | errors.Unavailable():
            return {"Retry-After": str(error.retry_after)}
        case TooSlow() | TooLarge():
            return {"Connection": "close"}
        case _:
            return {}


def response(error: PerinatError, language: Language, extensions: Mapping[str, Any] | None = None) -> web.Response:
    """The answer that tells of an error."""
    return web.Response(
        status=type_of(error).status,
        body=json.dumps(document(error, language, extensions), ensure_ascii=False).encode(),
        headers={"Content-Type": CONTENT_TYPE, "Content-Language": language} | headers(error),
    )


def of_http(failure: web.HTTPException) -> PerinatError:
    """What aiohttp itself refuses, as an error of ours."""
    match failure.status:
        case HTTPStatus.NOT_FOUND:
            return errors.NotFound()
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return TooLarge()
        case _:
            return UnexpectedError()
