"""A coordinator's forms of series, as a browser sends them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tests.web.callers import Answer
from tests.web.desk.visitors import OURS, Visitor

THURSDAYS = {  # ten Thursdays of the spring of 2027, the odd weeks of Montréal among them
    "kind": "staff",
    "host": "lille",
    "site": ["calais"],
    "start": "2027-02-18",
    "hour": "15:00",
    "repeat": "week",
    "interval": "1",
    "count": "10",
    "exclude": "15/04/2027 – 22/04/2027",
    "key": "a-form",
}


async def send(visitor: Visitor, path: str, **form: Any) -> Answer:
    """Send a form; several values of a name as a list."""
    fields: dict[str, str | Sequence[str]] = {"form_token": await visitor.form_token(), **form}
    raw = urlencode(fields, doseq=True)
    headers = {**OURS, "Accept": "text/html", "Cookie": visitor.cookie, **visitor.headers}
    return await visitor.caller("POST", f"/{path}", raw=raw, headers=headers, exactly=True)


async def new(visitor: Visitor, do: str, **changed: Any) -> Answer:
    """The form of a new series."""
    return await send(visitor, "/series/new", do=do, **(THURSDAYS | changed))


async def booked(visitor: Visitor, do: str = "book", **changed: Any) -> str:
    """Book a series; the path of its page."""
    answer = await new(visitor, do, **changed)
    assert answer.status == 303, answer.body.decode()
    return answer.headers["Location"].partition("?")[0]


def value(page: bytes, name: str) -> str:
    """What stands in a field."""
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page.decode())
    assert found is not None, name
    return unescape(found[1])
