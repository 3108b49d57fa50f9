"""The service as browsers meet it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import Api


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    """The service behind a socket; each visitor keeps a cookie of her own."""
    async with TestClient(TestServer(application(services)), cookie_jar=DummyCookieJar()) as client:
        yield Api(client, services)
