"""Not too fast: per token and per feed address, never per network address."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from perinat_sched.errors import TooManyRequests
from perinat_sched.web.limits import MOST_CALLERS, Limit
from perinat_sched.web.server import application
from perinat_sched.web.services import Services
from tests.web.callers import BOOKING, Api


class Seconds:
    """A clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_as_many_a_minute() -> None:
    clock = Seconds()
    limit = Limit(6, clock)
    for _ in range(6):
        limit.count("a")

    with pytest.raises(TooManyRequests) as refused:
        limit.count("a")
    assert refused.value.retry_after == 10

    limit.count("b")
    clock.now = 10.0
    limit.count("a")
    with pytest.raises(TooManyRequests):
        limit.count("a")


def test_zero_is_no_limit() -> None:
    limit = Limit(0, Seconds())
    for _ in range(10_000):
        limit.count("a")


def test_callers_without_number_do_not_fill_the_memory() -> None:
    limit = Limit(1, Seconds())
    for number in range(MOST_CALLERS + 500):
        limit.count(str(number))

    assert len(limit._buckets) == MOST_CALLERS


async def test_a_token_that_writes_too_fast_waits_and_others_do_not(services: Services) -> None:
    slow = replace(services, writes=Limit(2, Seconds()))
    async with TestClient(TestServer(application(slow))) as client:
        api = Api(client, slow)
        admin, other = await api.of("admin"), await api.of("admin")

        statuses = [(await admin("POST", "/sessions", {**BOOKING, "kind": "x"})).status for _ in range(3)]
        refused = await admin("DELETE", "/feeds/x")

        assert statuses == [422, 422, 429]
        assert (refused.slug, refused.headers["Retry-After"]) == ("too-many-requests", "30")
        assert (await admin("GET", "/me")).status == 200
        assert (await other("DELETE", "/feeds/x")).status == 404


async def test_a_feed_address_that_is_read_too_fast_waits_and_its_neighbours_do_not__http_10(
    services: Services,
) -> None:
    slow = replace(services, feed_reads=Limit(1, Seconds()))
    async with TestClient(TestServer(application(slow))) as client:
        api = Api(client, slow)
        admin = await api.of("admin")
        feeds = [
            (await admin("POST", "/feeds", {"scope": "site", "of": "calais"})).json["url"].rpartition("/")[2]
            for _ in range(2)
        ]

        answers = [await api.anybody("GET", f"//feeds/{name}") for name in (feeds[0], feeds[0], feeds[1])]

        assert [answer.status for answer in answers] == [200, 429, 200]
