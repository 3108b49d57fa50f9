"""A person at a browser: signs in by the button of a link, and notes every complaint of the browser."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from tests.web.callers import Api

AXE = (Path(__file__).parents[2] / ".venv" / "browser" / "node_modules" / "axe-core" / "axe.min.js").read_text()
SHOTS = os.environ.get("TEST_PERINAT_SHOTS")  # a folder for pictures of every page


@dataclass
class Reader:
    """One page of a browser, and what the browser complained of."""

    api: Api
    page: Page
    language: str
    width: int
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def at(cls, api: Api, browser: Browser, language: str, width: int, **options: Any) -> Reader:
        locale = {"fr": "fr-FR", "en": "en-GB"}[language]
        context = await browser.new_context(locale=locale, viewport={"width": width, "height": 900}, **options)
        reader = cls(api, await context.new_page(), language, width)
        reader.page.on("console", reader._note)
        reader.page.on("pageerror", lambda error: reader.complaints.append(str(error)))
        return reader

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:  # a page of an error
            self.complaints.append(message.text)

    def url(self, path: str) -> str:
        return str(self.api.client.make_url("/")).rstrip("/") + path

    async def sign_in(self, role: str = "admin", **given: Any) -> None:
        _, row = await self.api.services.tokens.create(role=role, name=given.pop("name", "Anne"), **given)
        [secret] = await self.api.services.sign_ins.links([row])
        await self.page.goto(self.url(f"/sign-in/{secret}"))
        await self.page.click("main button")

    async def see(self, path: str) -> None:
        await self.page.goto(self.url(path))

    async def tab_to(self, role: Any, name: str) -> None:
        """Press Tab until the focus is on what bears this name."""
        wanted = self.page.get_by_role(role, name=name, exact=True)
        for _ in range(120):
            await self.page.keyboard.press("Tab")
            if await wanted.and_(self.page.locator(":focus")).count():
                return
        raise AssertionError(f"{name} cannot be reached by keyboard")

    async def press(self, role: Any, name: str, key: str = "Enter") -> None:
        """Go there by keyboard alone, and press a key."""
        await self.tab_to(role, name)
        await self.page.keyboard.press(key)

    async def violations(self) -> list[str]:
        """What axe-core finds wrong on the page one is on."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{self.page.url}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]

    async def overflows(self) -> bool:
        """Whether the page itself, not a table in it, is wider than the window."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    async def picture(self, name: str) -> None:
        if SHOTS:
            await self.page.screenshot(path=f"{SHOTS}/{name}-{self.language}-{self.width}.png", full_page=True)
