"""Visitors of the pages in tests: a browser's cookies and headers, without the browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from perinat_sched.people.store import TokenRow
from tests.web.callers import Answer, Api, Caller

OURS: Mapping[str, str] = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Visitor:
    """Somebody with a browser: keeps the cookie it is given."""

    caller: Caller
    cookie: str = ""
    token: TokenRow | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        return self._keep(await self.caller("GET", "/" + path, headers=self._sent(headers), exactly=True))

    async def post(self, path: str, form: Mapping[str, Any], headers: Mapping[str, str] = OURS) -> Answer:
        sent = self._sent({"Content-Type": OURS["Content-Type"], **headers})
        return self._keep(
            await self.caller("POST", "/" + path, raw=urlencode(form, doseq=True), headers=sent, exactly=True)
        )

    async def form_token(self) -> str:
        """What stands in the forms of this visitor's pages."""
        found = re.search(rb'name="form_token" value="([0-9a-f]+)"', (await self.get("/account")).body)
        assert found is not None
        return found[1].decode()

    def _sent(self, headers: Mapping[str, str]) -> dict[str, str]:
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        return {"Accept": "text/html", **self.headers, **cookie, **headers}

    def _keep(self, answer: Answer) -> Answer:
        for given in answer.headers.getall("Set-Cookie", []):
            pair = given.partition(";")[0]
            self.cookie = "" if pair.endswith('=""') or pair.endswith("=") else pair
        return answer


async def signed_in(api: Api, role: str = "admin", **given: Any) -> Visitor:
    """Somebody who has opened a link."""
    _, row = await api.services.tokens.create(role=role, name=given.pop("name", "test"), **given)
    [secret] = await api.services.sign_ins.links([row])
    visitor = Visitor(api.anybody, token=row)
    answer = await visitor.post(f"/sign-in/{secret}", {})
    assert answer.status == 303, answer.body.decode()
    return visitor


def fields(page: bytes, **typed: Any) -> dict[str, Any]:
    """What a browser would send of the page's one form without touching it, but for what is typed."""
    text = page.decode()
    form = text[text.index('<form class="sheet"') : text.index("</form>")]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        given = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if given.get("type") in ("checkbox", "radio") and " checked" not in tag:
            continue
        name, value = given["name"], given["value"].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
        found[name] = [*found.get(name, []), value] if given.get("type") == "checkbox" else value
    for name, options in re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        [*_, chosen] = ["", *re.findall(r'<option value="([^"]*)" selected>', options)]
        found[name] = [*found.get(name, []), chosen] if name == "room" else chosen
    found |= re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL)
    return {**found, **typed}
