"""Calendar feeds: opened and revoked by signed-in callers, read by whoever knows the address."""

from __future__ import annotations

import re
from http import HTTPStatus

from aiohttp import hdrs, web

from perinat_sched.errors import NotFound
from perinat_sched.feeds.publication import hashed
from perinat_sched.feeds.store import Feed, Reading
from perinat_sched.web.call import Call, answer
from perinat_sched.web.directory import paged
from perinat_sched.web.schemas.base import NoQuery, Paging
from perinat_sched.web.schemas.feeds import FeedList, FeedOpened, FeedOut, FeedQuery, FeedRequest
from perinat_sched.web.views import written

SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # anything else was never an address of ours


async def create(call: Call[NoQuery, FeedRequest]) -> web.Response:
    asked, feeds = call.body, call.services.feeds
    feed, secret = await feeds.create(
        call.actor,
        asked.scope,
        asked.of,
        asked.detail,
        asked.label,
        asked.language,
        asked.kinds,
        asked.no_patient_data,
    )
    opened = FeedOpened(
        **dict(_told(feed)),
        url=feeds.url(secret),
        webcal_url=feeds.webcal_url(secret),
        page_url=feeds.page_url(secret),
    )
    return answer(opened, HTTPStatus.CREATED)


async def listed(call: Call[Paging, None]) -> web.Response:
    services = call.services
    page, following = paged(call, await services.feeds.list_for(call.actor))
    read = await services.readings.of(page)
    return answer(FeedList(items=[_told(feed, read.get(feed.id)) for feed in page], next=following))


async def revoke(call: Call[NoQuery, None]) -> web.Response:
    await call.services.feeds.revoke(call.actor, call.path("id"))
    return web.Response(status=HTTPStatus.NO_CONTENT)


def address_of(secret: str) -> str:
    """What stands for the secret of an address. Raises NotFound for what was never one of ours."""
    if not SECRET.fullmatch(secret):
        raise NotFound
    return hashed(secret)


async def published(call: Call[FeedQuery, None]) -> web.Response:
    request, services, query, _ = call
    headers, publisher, now = request.headers, services.publisher, services.seconds()
    secret, tags = request.match_info["secret"], headers.get(hdrs.IF_NONE_MATCH)
    words = (
        secret,
        query.options,
        request.method,
        tags and ",".join(headers.getall(hdrs.IF_NONE_MATCH)),
        headers.get(hdrs.IF_MODIFIED_SINCE),
        headers.get(hdrs.ACCEPT_ENCODING),
    )
    told = publisher.again(words, now)
    address = told.address if told else address_of(secret)
    services.feed_reads.count(address)
    told = told or await publisher.tell(address, words)
    services.readings.note(told.then.feed.id, headers.get(hdrs.USER_AGENT, ""), now)
    reply = told.answer
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


def _told(feed: Feed, read: Reading | None = None) -> FeedOut:
    return FeedOut(
        id=feed.id,
        scope=feed.scope,
        of=feed.of,
        detail=feed.detail,
        label=feed.label,
        language=feed.language,
        kinds=list(feed.kinds),
        created_at=written(feed.created_at, "UTC"),
        last_read_at=written(read.at, "UTC") if read else None,
        last_read_by=read.by if read else "",
    )
