"""Stopping reminders from a mail (MAIL-04, RFC 8058): the page, the one click, the way back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import FormData

from perinat_sched.storage import audit
from tests.web.callers import Api

READER = "Staff@Calais.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FORM = "application/x-www-form-urlencoded"
FOREIGN = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}


def path_of(api: Api, address: str = READER) -> str:
    return "/unsubscribe/" + api.services.unsubscribing.url(address).rpartition("/")[2]


async def stopped(api: Api) -> bool:
    return await api.services.unsubscribing.stopped(path_of(api).rpartition("/")[2])


async def test_opening_the_page_stops_nothing_because_scanners_follow_links(api: Api) -> None:
    for method in ("GET", "HEAD"):
        answer = await api.client.request(method, path_of(api))
        assert answer.status == 200
    assert not await stopped(api)


async def test_one_click_without_login_stops_the_reminders_in_any_case_of_the_address(api: Api) -> None:
    answer = await api.client.post(path_of(api), data=FormData(ONE_CLICK))
    assert answer.status == 200
    assert await stopped(api)
    token = path_of(api, READER.lower()).rpartition("/")[2]
    assert await api.services.unsubscribing.stopped(token)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"data": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": FORM}}, id="as RFC 8058 says"),
        pytest.param({"data": FormData(ONE_CLICK, default_to_multipart=True)}, id="multipart, as it says too"),
        pytest.param({"data": b"", "headers": {"Content-Type": FORM}}, id="without a body"),
        pytest.param({"data": FormData(ONE_CLICK), "headers": FOREIGN}, id="from a mail program's own page"),
        pytest.param({"data": FormData(ONE_CLICK), "headers": {"Cookie": "a=b"}}, id="with another's cookie"),
    ],
)
async def test_one_click_works_from_any_mail_program(api: Api, how: dict[str, Any]) -> None:
    """RFC 8058: the signed address alone is the right to stop; no cookie, no origin and no body is."""
    assert (await api.client.post(path_of(api), **how)).status == 200
    assert await stopped(api)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_nothing_but_a_post_stops_reminders(api: Api, method: str) -> None:
    assert (await api.client.request(method, path_of(api))).status == 405
    assert not await stopped(api)


async def test_the_way_back_is_no_way_to_stop_and_needs_its_own_post(api: Api) -> None:
    await api.client.post(path_of(api))
    assert (await api.client.get(path_of(api) + "/undo")).status == 405
    assert await stopped(api)


async def test_the_page_has_one_button_and_afterwards_a_way_back(api: Api) -> None:
    english = {"Accept-Language": "en"}
    page = await (await api.client.get(path_of(api), headers=english)).text()
    assert re.findall(r"<button>(.+?)</button>", page) == ["Stop the reminders"]
    action = re.findall(r'action="[^"]*?(/unsubscribe/[^"]+)"', page)[0]
    page = await (await api.client.post(action, headers=english)).text()
    assert re.findall(r"<button>(.+?)</button>", page) == ["Reminders again"]
    back = re.findall(r'action="[^"]*?(/unsubscribe/[^"]+)"', page)[0]
    assert (await api.client.post(back)).status == 200
    assert not await stopped(api)


async def test_a_french_reader_is_told_in_french_by_a_page_without_scripts(api: Api) -> None:
    answer = await api.client.get(path_of(api), headers={"Accept-Language": "fr"})
    page = await answer.text()
    assert '<html lang="fr">' in page
    assert "Arrêter les rappels" in page
    assert "<script" not in page
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("change", ["short", "long", "another"])
async def test_a_forged_address_stops_nothing(api: Api, change: str) -> None:
    token = path_of(api).rpartition("/")[2]
    token = {"short": token[:-2], "long": token + "A", "another": token[:-8] + "AAAAAAAA"}[change]
    assert (await api.client.get(f"/unsubscribe/{token}")).status == 404
    assert (await api.client.post(f"/unsubscribe/{token}")).status == 404


async def test_a_cursor_is_no_link(api: Api) -> None:
    cursor = api.services.cursors.seal("unsubscribe", [READER])
    assert (await api.client.post(f"/unsubscribe/{cursor}")).status == 404


async def test_stopping_is_audited_once_without_the_address(api: Api) -> None:
    for _ in range(2):
        await api.client.post(path_of(api))
    await api.client.post(path_of(api) + "/undo")
    async with api.services.database.read() as tx:
        rows = await audit.read(tx, after=None, limit=10)
    assert [(row.action, row.actor) for row in reversed(rows)] == [
        ("reminders_stopped", "reader"),
        ("reminders_resumed", "reader"),
    ]
    assert not any("calais" in row.object_id for row in rows)
