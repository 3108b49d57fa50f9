"""The pages of series in Chromium: accessible and fitting in both languages, and walked by keyboard without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Error, Locator, Page

from tests.browser.readers import Reader
from tests.series.test_import import PLAN
from tests.web.callers import Api
from tests.web.desk.every_page import SERIES


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_what_comes_after_a_form_of_a_series_is_accessible_and_fits(
    api: Api, browser: Browser, language: str, width: int
) -> None:
    """axe-core finds 0 violations; 0 errors of the content security policy."""
    admin = await api.of("admin")
    await admin.book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    booked = (await admin("POST", "/series", SERIES)).json
    path = f"/series/{booked['id']}"
    reader = await Reader.at(api, browser, language, width)
    page = reader.page
    wrong: list[str] = []

    async def look(name: str) -> None:
        wrong.extend(await reader.violations())
        wrong.extend([f"{name} is wider than the window"] if await reader.overflows() else [])
        await reader.picture(name)

    await reader.sign_in()
    await reader.see("/series/import")
    await page.set_input_files("#file", {"name": "plan.csv", "mimeType": "text/csv", "buffer": PLAN.encode("cp1252")})
    await page.click("button[value=try]")
    await look("series-import-tried")
    await reader.see("/series/new")
    await page.fill("#hour", "15:00")
    await page.fill("#exclude", "x")
    await page.click("button[value=try]")
    await look("series-wrong")
    await reader.see(path)
    await page.locator("form[action*='/dates'] button").click()
    await look("series-later-refused")

    assert wrong == []
    assert reader.complaints == []


async def test_dry_run_book_move_one_and_change_the_rest_by_keyboard_alone_without_scripts(
    api: Api, browser: Browser
) -> None:
    """The walk: what is asked for, each date with its verdict, booked; reload and back book nothing more."""
    await (await api.of("admin")).book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    reader = await Reader.at(api, browser, "fr", 1280, java_script_enabled=False)
    await reader.sign_in("coordinator", sites=["lille"])
    page = reader.page

    await press(page, page.get_by_role("link", name="Séries", exact=True))
    await press(page, page.get_by_role("link", name="Réserver une série"))
    await typed(page, page.locator("#start"), "02182027")
    await typed(page, page.locator("#hour"), "0300PM")
    await typed(page, page.locator("#count"), "4")
    await reach(page, page.locator("input[name=site][value=calais]"))
    await page.keyboard.press("Space")
    await press(page, page.get_by_role("button", name="Voir les dates", exact=True))
    assert "3 dates sur 4 peuvent être réservées" in await page.inner_text("main")
    await press(page, page.get_by_role("button", name="Réserver les 3 dates possibles"))
    await page.wait_for_url("**/series/*done=booked*")
    series = page.url
    await page.reload()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser asks first, and what it asks for is a dry run
        await page.go_back()
    page = await page.context.new_page()
    await page.goto(series)
    assert len((await (await api.of("admin"))("GET", "/series")).json["items"]) == 1

    await press(page, page.get_by_role("link", name="jeudi 11 mars 2027", exact=True))
    await press(page, page.get_by_role("link", name="Modifier", exact=True))
    await typed(page, page.locator("#start"), "03112027")
    await page.keyboard.press("Tab")  # from the year, which may have six digits, to the hour
    await page.keyboard.type("0430PM")
    await press(page, page.get_by_role("button", name="Enregistrer", exact=True))
    assert "done=changed" in page.url, await page.inner_text("main")
    await page.goto(series)
    assert "jeudi 11 mars 2027 à 16 h 30" in (await page.inner_text("main")).replace("\u00a0", " ")

    await press(page, page.get_by_role("link", name="Modifier à partir d’ici jeudi 25 février 2027"))
    await typed(page, page.locator("#hour"), "0400PM")
    await press(page, page.get_by_role("button", name="Modifier la série"))
    await page.wait_for_url("**done=changed*")
    assert "à 16 h 00 (heure de Paris)" in (await page.inner_text("h1")).replace("\u00a0", " ")
    await press(page, page.get_by_role("link", name="Annuler toutes les dates à venir"))
    await press(page, page.get_by_role("button", name="Annuler ces dates"))
    await page.wait_for_url("**done=cancelled*")
    assert "est annulé" in await page.inner_text("[role=status]")


async def reach(page: Page, wanted: Locator) -> None:
    """Tab until the focus is there."""
    for _ in range(150):
        if await wanted.and_(page.locator(":focus")).count():
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by keyboard")


async def press(page: Page, wanted: Locator) -> None:
    await reach(page, wanted)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def typed(page: Page, wanted: Locator, keys: str) -> None:
    """What one types into a field; a day and an hour as this Chromium takes them."""
    await reach(page, wanted)
    await page.keyboard.press("Control+A")
    await page.keyboard.type(keys)
