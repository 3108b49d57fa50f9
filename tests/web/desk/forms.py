"""The forms of a page as a browser reads them, so that tests send what people would send."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests.web.callers import Answer
from tests.web.desk.visitors import Visitor


@dataclass
class Form:
    """One form: where it is sent, how, and what it says untouched."""

    method: str
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)  # name and value; both empty: it says nothing
    names: set[str] = field(default_factory=set)  # of all fields, sent or not

    def sent(self, button: str = "", **typed: Any) -> dict[str, Any]:
        """What is sent when the button of this name is pressed, the first of them, with what is typed."""
        pressed = {name: value for name, value in reversed(self.buttons) if name and name == button}
        return {**self.fields, **pressed, **typed}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: tuple[str, list[str], str | None] | None = None  # its name, what is chosen, its first option
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("method", "get").lower(), given.get("action", ""))
            self.forms.append(self._form)
        if self._form is None:
            return
        if name := given.get("name", ""):
            self._form.names.add(name)
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self._form.fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "button":
            self._form.buttons.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = (name, [], None)
        elif tag == "option" and self._select:
            name, chosen, first = self._select
            value = given.get("value", "")
            chosen = [*chosen, value] if "selected" in given else chosen
            self._select = (name, chosen, value if first is None else first)
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = [""]

    def handle_data(self, data: str) -> None:
        if self._area and self._form:
            self._form.fields[self._area][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select and self._form:
            name, chosen, first = self._select
            self._form.fields.setdefault(name, []).append(chosen[-1] if chosen else first or "")
            self._select = None
        elif tag == "textarea" and self._form:
            text = self._form.fields[self._area][0]
            self._form.fields[self._area] = [text.removeprefix("\n")]
            self._area = ""


def forms(page: bytes) -> list[Form]:
    """All of them, in the order of the page."""
    reader = _Reader()
    reader.feed(page.decode())
    return reader.forms


def form_to(page: bytes, ending: str, **holding: str) -> Form:
    """The first form that is sent to an address which ends so, and that holds these values."""
    found = [
        one
        for one in forms(page)
        if one.method == "post"
        and one.action.partition("?")[0].endswith(ending)
        and all(value in one.fields.get(name, []) for name, value in holding.items())
    ]
    assert found, (ending, holding, [one.action for one in forms(page)])
    return found[0]


async def press(visitor: Visitor, form: Form, button: str = "", **typed: Any) -> Answer:
    """Send a form."""
    return await visitor.post(form.action, form.sent(button, **typed))
