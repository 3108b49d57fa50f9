"""Bookings that carry an Idempotency-Key: the answer is kept as it goes out, so it is written before it is sent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from perinat_sched.booking.replay import Replay
from perinat_sched.errors import BookingRefused
from perinat_sched.storage.idempotency import IdempotencyKey, StoredAnswer
from perinat_sched.web import problems, reading, refusals
from perinat_sched.web.call import Call, written_out

T = TypeVar("T")


def replay(call: Call[Any, Any], route: str, render: Callable[[T], Awaitable[StoredAnswer]]) -> Replay[T] | None:
    """What a route does with the key of a request; None: there is none. Raises InvalidRequest where it is unusable."""
    key = reading.idempotency_key(call.request)
    if key is None:
        return None
    meant = call.body.model_dump_json(by_alias=True)
    return Replay(
        key=IdempotencyKey.of(call.actor.token, route, key, meant),
        render=render,
        render_refusal=partial(_refused, call),
    )


def stored(told: BaseModel, status: int, headers: Mapping[str, str]) -> StoredAnswer:
    """A model as the JSON answer that is kept."""
    return StoredAnswer(status=status, body=written_out(told), headers={"Content-Type": "application/json", **headers})


def sent(answer: StoredAnswer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body.encode(), headers=answer.headers)


async def _refused(call: Call[Any, Any], refused: BookingRefused) -> StoredAnswer:
    extensions = await refusals.extensions(call.services, call.actor, refused, call.language)
    return StoredAnswer(
        status=problems.type_of(refused).status,
        body=json.dumps(problems.document(refused, call.language, extensions), ensure_ascii=False),
        headers={"Content-Type": problems.CONTENT_TYPE, "Content-Language": call.language},
    )
