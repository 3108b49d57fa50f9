"""The document describes the service, all of it, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from perinat_sched.web.desk.routes import FILES, PAGES
from perinat_sched.web.route import Policy
from perinat_sched.web.routes import ROUTES
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import Api


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    answer = await api.anybody("GET", "//openapi.json")
    read: dict[str, Any] = answer.json
    return read


async def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_every_route_of_the_server_but_the_pages_for_people_is_in_it_and_no_other(
    document: dict[str, Any], services: Services
) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in application(services).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    pages = {(page.method, page.path) for page in PAGES} | {("GET", f"/static/{name}") for name in FILES}
    assert not described & pages
    assert described | pages == served


async def test_every_operation_has_a_name_of_its_own_and_says_who_may(document: dict[str, Any]) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["description"] for operation in operations)


async def test_a_token_is_asked_for_under_the_api_and_nowhere_else(document: dict[str, Any]) -> None:
    guarded = {
        path: "security" in operation for path, methods in document["paths"].items() for operation in methods.values()
    }

    assert all(needs == path.startswith("/api/v1/") for path, needs in guarded.items())


async def test_every_request_refuses_what_it_does_not_know(document: dict[str, Any]) -> None:
    bodies = [route.body.__name__ for route in ROUTES if isinstance(route.body, type)]

    assert bodies
    assert all(document["components"]["schemas"][name]["additionalProperties"] is False for name in bodies)


def test_every_route_has_a_policy() -> None:
    assert all(isinstance(route.policy, Policy) for route in ROUTES)
    assert not [route for route in ROUTES if route.in_api and not route.policy.needs_token]
