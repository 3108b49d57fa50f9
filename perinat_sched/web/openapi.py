"""The API's own description (OpenAPI 3.1), from the table of routes and the models the server validates with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

import perinat_sched
from perinat_sched.web import problems
from perinat_sched.web.route import Header, Media, Policy, Route
from perinat_sched.web.routes import ROUTES
from perinat_sched.web.schemas.operation import BookingRefusedProblem, InvalidRequestProblem, Problem
from perinat_sched.web.schemas.series import SeriesOut
from perinat_sched.web.schemas.sessions import SessionOut

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
SPECIAL: dict[int, type[Problem]] = {409: BookingRefusedProblem, 422: InvalidRequestProblem}
ASKING = (
    Policy.BOOKS,
    Policy.CHANGES_SESSION,
    Policy.ANSWERS,
    Policy.RESENDS,
    Policy.CLOSES,
    Policy.PUBLISHES,
    Policy.ADMINISTRATORS,
)

ETAGS = r'^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'
HEADERS: dict[Header, Json] = {
    Header.IF_MATCH: {
        "description": "The ETag of the session or series as it was read",
        "schema": {"type": "string", "pattern": ETAGS, "examples": ['"0"']},
    },
    Header.IF_NONE_MATCH: {
        "description": "The ETag one has already",
        "schema": {"type": "string", "examples": ['"0"']},
    },
    Header.IF_MODIFIED_SINCE: {
        "description": "When what one has was modified; counts without If-None-Match, and only where it is a date",
        "schema": {"type": "string", "examples": ["Fri, 15 Jan 2027 10:00:00 GMT"]},
    },
    Header.IDEMPOTENCY_KEY: {
        "description": "The same key, for 24 hours, gets the same answer: nothing is booked twice",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
}


def document() -> Json:
    """The whole document."""
    references, definitions = _schemas()
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Périnat scheduler",
            "version": perinat_sched.__version__,
            "description": "Videoconference sessions between maternity hospitals. No health data enters here.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, ROUTES))],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "perinat-sched token create"}
            },
        },
    }


Models = Mapping[tuple[Any, JsonSchemaMode], Json]  # (model, mode) → reference


def _schemas() -> tuple[Models, Json]:
    used: dict[tuple[Any, JsonSchemaMode], None] = {}
    for route in ROUTES:
        if isinstance(route.body, type):
            used[route.body, "validation"] = None
        for told in route.answers.values():
            if isinstance(told, type):
                used[told, "serialization"] = None
    for problem in (Problem, *SPECIAL.values()):
        used[problem, "serialization"] = None
    references, schema = models_json_schema(list(used), by_alias=True, ref_template=REFERENCE)
    definitions: Json = schema["$defs"]
    return references, definitions


def _operation(route: Route, references: Models) -> Json:
    operation: Json = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}",
        "summary": route.summary,
        "description": f"For {route.policy.value}." if route.policy.needs_token else f"Open to {_open(route)}.",
        "tags": [_tag(route)],
        "responses": {str(status): response for status, response in sorted(_responses(route, references))},
    }
    if parameters := [*_path(route), *_query(route), *_headers(route)]:
        operation["parameters"] = parameters
    if isinstance(route.body, Media):
        content: Json = {route.body.type: {"schema": {"type": "string", "description": route.body.description}}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.body:
        content = {"application/json": {"schema": references[route.body, "validation"]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.policy.needs_token:
        operation["security"] = [{"token": []}]
    return operation


def _open(route: Route) -> str:
    return "whoever knows the address" if route.policy is Policy.ADDRESS else "everybody"


def _tag(route: Route) -> str:
    return route.path.removeprefix("/api/v1/").split("/")[0] if route.in_api else "operation"


def _path(route: Route) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query(route: Route) -> Iterator[Json]:
    if route.query is None:
        return
    schema = route.query.model_json_schema(by_alias=True)
    for name, field in schema.get("properties", {}).items():
        told = {key: value for key, value in field.items() if key not in ("anyOf", "title", "description", "default")}
        told |= next((choice for choice in field.get("anyOf", ()) if choice != {"type": "null"}), {})
        if field.get("default") is not None:
            told["default"] = field["default"]
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": told}
        if "description" in field:
            parameter["description"] = field["description"]
        yield parameter


def _headers(route: Route) -> Iterator[Json]:
    for header in route.headers:
        yield {"name": header.value, "in": "header", "required": header is Header.IF_MATCH, **HEADERS[header]}


def _responses(route: Route, references: Models) -> Iterator[tuple[int, Json]]:
    for status, told in route.answers.items():
        response: Json = {"description": HTTPStatus(status).phrase}
        if isinstance(told, Media):
            response = {"description": told.description, "content": {told.type: {}}}
        elif told is not None:
            response["content"] = {"application/json": {"schema": references[told, "serialization"]}}
        if headers := dict(_told_in_headers(route, told)):
            response["headers"] = headers
        yield status, response
    for status in refusals(route) - route.answers.keys():
        problem = references[SPECIAL.get(status, Problem), "serialization"]
        yield (
            status,
            {
                "description": HTTPStatus(status).phrase,
                "content": {problems.CONTENT_TYPE: {"schema": problem}},
            },
        )


def _told_in_headers(route: Route, told: object) -> Iterator[tuple[str, Json]]:
    if told in (SessionOut, SeriesOut):
        yield "ETag", {"description": "The revision", "schema": {"type": "string"}}
    if route.locates:
        for name in ("Location", "Content-Location"):
            yield name, {"description": "The address of what is answered, if it is new", "schema": {"type": "string"}}


def refusals(route: Route) -> set[int]:
    """Every status with which a route may refuse."""
    found = set(route.refuses)
    found |= {401} if route.policy.needs_token else set()
    found |= {403} if route.policy in ASKING else set()
    found |= {404} if "{" in route.path else set()
    found |= {422} if route.query or route.body else set()
    found |= {400, 408, 413, 415} if route.body else set()
    found |= {429} if route.writes else set()
    found |= {503} if route.in_api else set()
    return found
