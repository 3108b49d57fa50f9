"""What people store or configure is shown as text, on every page, in every file: never as a tag, a formula, a line.

Walks all pages with hostile texts in every field of every object: a new page is covered by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import icalendar
import pytest

from perinat_sched.settings import Settings
from perinat_sched.sites.network import Directory
from perinat_sched.web.desk.page import Page
from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Api
from tests.web.desk.visitors import Visitor
from tests.web.desk.world import FORMS, World

TAG = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
TYPED = TAG + "{{7*7}}%0d%0a\u05d0\u05d1\U0001f476" + "x" * 90
CONFIGURED = "=cmd|' /C calc'!A0" + TAG + "w" * 60
NAMES = ("name", "city", "title", "phone")


def hostile(thing: Any) -> Any:
    """The same with hostile texts wherever the configuration says a name."""
    if isinstance(thing, tuple):
        return tuple(hostile(one) for one in thing)
    if not is_dataclass(thing) or isinstance(thing, type):
        return thing
    changed: dict[str, Any] = {}
    for one in fields(thing):
        value = getattr(thing, one.name)
        if one.name in NAMES and isinstance(value, str):
            changed[one.name] = CONFIGURED
        elif one.name in NAMES and isinstance(value, dict):
            changed[one.name] = dict.fromkeys(value, CONFIGURED)
        elif one.name == "rooms":
            changed[one.name] = hostile(value)
    return replace(thing, **changed)


@pytest.fixture
def configured(example: Settings, database_url: str, tmp_path: Path) -> Settings:
    directory: Directory = example.directory
    sites = {code: hostile(site) for code, site in directory.sites.items()}
    changed = replace(
        directory,
        networks={code: hostile(one) for code, one in directory.networks.items()},
        bridges={code: hostile(one) for code, one in directory.bridges.items()},
        kinds={code: hostile(one) for code, one in directory.kinds.items()},
        sites=sites,
        rooms={room.code: room for site in sites.values() for room in site.rooms},
    )
    return replace(example, directory=changed, database_url=database_url, secret_key_file=tmp_path / "secret.key")


class Tags(HTMLParser):
    """Every tag of a page and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def dangerous(page: str) -> Iterator[str]:
    """Tags that no template of ours has."""
    reader = Tags()
    reader.feed(page)
    for tag, given in reader.found:
        strange = tag in ("style", "iframe", "object", "base", "embed") or (tag == "script" and not given.get("src"))
        foreign = tag in ("img", "script", "link") and not (given.get("src") or given.get("href", "")).startswith("/")
        active = any(name.startswith("on") or name == "style" for name in given)
        runs = any(given.get(name, "").strip().lower().startswith(("javascript:", "data:")) for name in ("href", "src"))
        if strange or foreign or active or runs:
            yield f"{tag} {given}"


def check(answer_type: str, body: str) -> None:
    match answer_type.partition(";")[0]:
        case "text/html":
            assert not list(dangerous(body))
        case "image/svg+xml":
            tags = {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(body).iter()}
            assert not tags & {"script", "image", "foreignObject", "a"} and "&lt;script" in body
        case "text/csv":
            cells = [
                cell for line in csv.reader(body.removeprefix("\ufeff").splitlines(), delimiter=";") for cell in line
            ]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))]
        case "text/calendar":
            names = {name for one in icalendar.Calendar.from_ical(body).walk() for name in one}
            assert "SCRIPT" not in names
        case other:
            raise AssertionError(other)


async def seed(api: Api, world: World) -> None:
    """Hostile texts in what sites and administrators write."""
    calais = f"/sessions/{(await world.values('/sessions/{id}'))['id']}/participations/calais/answer"
    given = await world.admin("PUT", calais, {"answer": "tentative", "comment": TYPED})
    assert given.status == 200, given.body.decode()
    feed = await world.owner("POST", "/feeds", {"scope": "site", "of": "calais", "label": TYPED[:95]})
    closure = {"site": "calais", "from": "2027-03-06", "until": "2027-03-06", "reason": TYPED[:150]}
    assert (feed.status, (await world.admin("POST", "/closures", closure)).status) == (201, 201)
    await api.services.tokens.create(role="admin", name=TYPED[:95])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
async def test_hostile_texts_are_shown_as_texts(api: Api, page: Page) -> None:
    texts = {"title": TYPED, "description": TYPED, "access_code": TYPED[:90]}
    world = await World.made(api, **texts)
    if "example" not in page.path:  # which is for an empty database
        await seed(api, world)
    values = await world.values(page.path)
    visitor = world.visitor if page.signed_in else Visitor(api.anybody)
    address = world.address(page, values)
    if page.method == "GET":
        answers = [await visitor.get(address), await visitor.get(f"{address}{'&' if '?' in address else '?'}lang=en")]
    else:
        form = await world.filled(page, values)
        typed = {name: TYPED if name not in ("form_token", "key", "seen", "site") else form[name] for name in form}
        answers = [await visitor.post(address, typed)]
        for name in sorted(form.keys() & FORMS[page.path].typed.keys() | form.keys() - {"form_token"}):
            answers.append(await visitor.post(address, {**form, name: TYPED}))
    for answer in answers:
        assert answer.status < 500, answer.body.decode()
        if answer.body:
            check(answer.headers["Content-Type"], answer.body.decode())
        assert "evil" not in answer.headers.get("Location", "") and "\n" not in answer.headers.get("Location", "")
