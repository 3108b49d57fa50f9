"""Every page in both languages, wide and narrow: accessible, without a complaint of the browser, without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.readers import Reader
from tests.web.callers import Api
from tests.web.desk.every_page import prepared


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_is_accessible_and_fits_and_the_browser_complains_of_nothing(
    api: Api, browser: Browser, language: str, width: int
) -> None:
    """axe-core finds 0 violations; 0 errors of the content security policy. The pages: tests/web/desk/every_page.py."""
    addresses = await prepared(api, language)
    reader = await Reader.at(api, browser, language, width)
    wrong: list[str] = []

    async def look(name: str) -> None:
        wrong.extend(await reader.violations())
        wrong.extend([f"{name} is wider than the window"] if await reader.overflows() else [])
        await reader.picture(name)

    for name, path in addresses.open.items():
        await reader.see(path)
        await look(name)
    await reader.see("/sign-in")
    await reader.page.fill("#address", "nobody")
    await reader.page.click("main button")
    await look("sign-in-wrong")
    await reader.page.fill("#address", "anne@lille.example")
    await reader.page.click("main button")
    await look("sent")
    await reader.sign_in()
    for name, path in addresses.signed_in.items():
        await reader.see(path)
        await look(name)

    assert addresses.pages_left_out() == set()
    assert wrong == []
    assert reader.complaints == []


async def test_without_scripts_and_by_keyboard_alone_one_gets_in_and_out(api: Api, browser: Browser) -> None:
    reader = await Reader.at(api, browser, "fr", 390, java_script_enabled=False)
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    page = reader.page

    await reader.see("/account")
    assert await page.title() == "Se connecter – Périnat"
    await reader.see(f"/sign-in/{secret}")
    await reader.press("button", "Se connecter")
    await page.wait_for_url("**/week*")
    await reader.see("/account")
    assert "Anne" in await page.inner_text("main")
    await reader.press("button", "Se déconnecter de tous les navigateurs")
    await page.wait_for_url("**/sign-in*")
    await reader.see("/account")
    assert await page.title() == "Se connecter – Périnat"
