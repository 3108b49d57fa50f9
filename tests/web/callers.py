"""Callers of the API in tests: a client and a token, and what came back as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp.test_utils import TestClient
from multidict import CIMultiDict
from yarl import URL

from perinat_sched.web.services import Services

NOW = datetime(2027, 1, 4, 8, tzinfo=UTC)  # a Monday
API = "/api/v1"

BOOKING: Mapping[str, Any] = {
    "kind": "staff",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-03-18T15:00",
    "required_sites": ["calais"],
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        """The problem's slug; where the answer is no problem, a test that asks fails."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        return str(self.json["type"]).removeprefix("urn:perinat-sched:problem:")

    @property
    def fields(self) -> list[str]:
        """The fields an invalid request names."""
        return [error["field"] for error in self.json["errors"]]


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, or with none."""

    client: TestClient[Any, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        exactly: bool = False,
    ) -> Answer:
        """Send a request: `body` as JSON, or `raw` as it is.

        `path` is under /api/v1, unless it begins with two slashes; `exactly`: it is sent as it is written.
        """
        sent = {**self.headers, **(headers or {})}
        data: bytes | str | None = raw
        if body is not None:
            data = json.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        address = path[1:] if path.startswith("//") else API + path
        origin = str(self.client.make_url("/")).rstrip("/")
        url = URL(origin + address, encoded=exactly)
        async with self.client.session.request(method, url, data=data, headers=sent, allow_redirects=False) as response:
            return Answer(response.status, CIMultiDict(response.headers), await response.read())

    async def book(self, **given: Any) -> dict[str, Any]:
        """Book a session, which must succeed."""
        answer = await self("POST", "/sessions", {**BOOKING, **given})
        assert answer.status == 201, answer.body.decode()
        booked: dict[str, Any] = answer.json
        return booked


@dataclass
class Api:
    """A service and those who call it."""

    client: TestClient[Any, Any]
    services: Services

    async def of(self, role: str, *, sites: tuple[str, ...] = (), networks: tuple[str, ...] = ()) -> Caller:
        """Somebody new with this role."""
        token, _ = await self.services.tokens.create(role=role, sites=sites, networks=networks, name="test")
        return Caller(self.client, {"Authorization": f"Bearer {token}"})

    @property
    def anybody(self) -> Caller:
        """Somebody without a token."""
        return Caller(self.client)
