"""Administration in a browser: by keyboard alone and without scripts; what comes after a form is accessible too."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.readers import Reader
from tests.web.callers import Api


async def press(reader: Reader, name: str, *, role: str = "button") -> None:
    """Tab until the focus is on what bears this name, and press Enter."""
    wanted = reader.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(60):
        await reader.page.keyboard.press("Tab")
        if await wanted.and_(reader.page.locator(":focus")).count():
            await reader.page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


async def test_by_keyboard_alone_a_year_is_loaded_looked_at_and_taken_away(api: Api, browser: Browser) -> None:
    reader = await Reader.at(api, browser, "fr", 1280, java_script_enabled=False)
    await reader.sign_in()
    await reader.see("/week")
    await press(reader, "Charger le programme d’exemple")
    await reader.page.wait_for_url("**/week?of=network*")
    assert "Visio Périnat — staff" in await reader.page.inner_text("main")
    await press(reader, "Administration", role="link")
    await press(reader, "Retirer le programme d’exemple")
    await reader.page.wait_for_selector("text=Charger le programme d’exemple")


@pytest.mark.parametrize("width", [1280, 390])
async def test_an_access_is_made_and_signs_in_by_its_link(api: Api, browser: Browser, width: int) -> None:
    """axe-core finds 0 violations on what comes after each form."""
    reader = await Reader.at(api, browser, "fr", width)
    page, wrong = reader.page, []

    async def look(name: str) -> None:
        wrong.extend(await reader.violations())
        wrong.extend([f"{name} is wider than the window"] if await reader.overflows() else [])
        await reader.picture(name)

    await reader.sign_in()
    await reader.see("/admin/tokens")
    await page.fill("#name", "Berthe")
    await page.click("text=Créer l’accès")
    assert await page.input_value("#name") == "Berthe" and "Erreur" in await page.title()
    await look("admin-tokens-wrong")
    await page.check("text=CH de Lens")
    await page.click("text=Créer l’accès")
    assert (await page.input_value("#secret")).startswith("ps_")
    await look("admin-token")
    await page.reload()
    assert "n’est montré qu’une fois" in await page.inner_text("main")
    await page.click("text=Révoquer Berthe")
    await look("admin-revocation")
    await page.click("text=Retour aux accès")
    await page.get_by_role("button", name="Lien de connexion Berthe").click()
    await look("admin-link")
    address = await page.input_value("#url")
    await reader.see(address.partition("8080")[2])
    await page.click("main button")
    await reader.see("/account")
    assert "Berthe" in await page.inner_text("main")
    assert wrong == [] and reader.complaints == []
