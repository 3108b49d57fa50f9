"""One's own calendar and site in the browser: the walks by keyboard alone, without scripts."""

from __future__ import annotations

from typing import Any, Literal

from playwright.async_api import Browser, Locator

from tests.browser.readers import Reader
from tests.web.callers import Api

CALAIS: dict[str, Any] = {"role": "coordinator", "sites": ["calais"]}


async def reach(reader: Reader, wanted: Locator) -> None:
    """Tab until the focus is on this."""
    for _ in range(80):
        await reader.page.keyboard.press("Tab")
        if await wanted.and_(reader.page.locator(":focus")).count():
            return
    raise AssertionError(f"{wanted} cannot be reached by keyboard on {reader.page.url}")


async def press(reader: Reader, role: Literal["button", "link"], name: str) -> None:
    """Go to what bears this name, by keyboard, and press Enter."""
    await reach(reader, reader.page.get_by_role(role, name=name, exact=True).first)
    await reader.page.keyboard.press("Enter")


async def test_an_address_is_made_and_revoked_by_keyboard_without_scripts(api: Api, browser: Browser) -> None:
    reader = await Reader.at(api, browser, "fr", 390, java_script_enabled=False)
    await reader.sign_in(**CALAIS)
    page = reader.page
    await press(reader, "link", "Mon calendrier")
    await page.wait_for_url("**/calendar")
    await reach(reader, page.get_by_label("Nom dans votre logiciel d’agenda"))
    await page.keyboard.type("Séances de Calais")
    await reader.picture("calendar-typed")
    await press(reader, "button", "Créer l’adresse")
    await page.wait_for_url("**/feeds/*")
    assert await page.inner_text("h1") == "Calendrier\u00a0: Séances de Calais"
    await press(reader, "link", "Mon calendrier")
    await page.wait_for_url("**/calendar")
    await reader.picture("calendar-made")
    await reach(reader, page.locator("summary", has_text="Révoquer"))
    await page.keyboard.press("Enter")
    await press(reader, "button", "Révoquer l’adresse Séances de Calais")
    await page.wait_for_url("**/calendar?done=revoked")
    assert "Aucune pour l’instant" in await page.inner_text("main")


async def test_with_scripts_the_address_is_copied_by_a_button(api: Api, browser: Browser) -> None:
    reader = await Reader.at(api, browser, "fr", 1280, permissions=["clipboard-read", "clipboard-write"])
    await reader.sign_in(**CALAIS)
    await reader.see("/calendar")
    await reader.page.get_by_role("button", name="Créer l’adresse").click()
    await reader.picture("calendar-subscribing")
    await reader.page.get_by_role("button", name="Copier").click()
    await reader.page.get_by_role("button", name="Copié").wait_for()

    copied = await reader.page.evaluate("navigator.clipboard.readText()")
    assert copied == await reader.page.get_by_label("L’adresse").input_value() and copied.endswith(".ics")
    assert reader.complaints == [] and await reader.violations() == []
    await reader.see("/calendar")
    await reader.picture("calendar")


async def test_a_closure_is_entered_and_its_session_moved_by_keyboard_without_scripts(
    api: Api, browser: Browser
) -> None:
    """Closure → re-plan."""
    admin = await api.of("admin")
    await admin.book(start="2027-01-13T15:00", required_sites=["calais", "sainte-justine"])
    await admin.book(host_site="calais", start="2027-01-13T10:00", required_sites=["arras"], title="Staff de Calais")
    reader = await Reader.at(api, browser, "fr", 1280, java_script_enabled=False)
    await reader.sign_in(**CALAIS)
    page = reader.page
    await press(reader, "link", "Mon site")
    await page.wait_for_url("**/site")
    await reach(reader, page.get_by_label("Premier jour"))
    await page.keyboard.type("01132027")  # month first: the field speaks the language of the browser, not ours
    await reach(reader, page.get_by_label("Motif"))
    await page.keyboard.type("Travaux d’électricité")
    await reader.picture("site-typed")
    await press(reader, "button", "Saisir, et voir les séances touchées")
    await page.wait_for_url("**/closures/*")
    await reader.picture("closure")
    assert await page.locator(".cards > li").count() == 2
    await reach(reader, page.get_by_role("button", name="Déplacer au jeudi 14 janvier 2027 à 10"))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**?done=moved")
    assert await page.locator(".cards > li").count() == 1
    await press(reader, "button", "Décliner pour CH de Calais Visio Périnat — staff")
    await page.wait_for_url("**?done=declined")
    assert "Elle ne touche aucune séance" in await page.inner_text("main")
    await press(reader, "link", "Retour à la page de CH de Calais")
    await page.wait_for_url("**/site?site=calais")
    main = await page.inner_text("main")
    assert "jeudi 14 janvier 2027 à 10" in main and "Travaux d’électricité" in main


async def test_a_site_answers_by_keyboard_without_scripts(api: Api, browser: Browser) -> None:
    admin = await api.of("admin")
    await admin.book(start="2027-01-13T15:00", required_sites=["sainte-justine", "calais"])
    reader = await Reader.at(api, browser, "fr", 390, java_script_enabled=False)
    await reader.sign_in(role="coordinator", sites=["sainte-justine"])
    page = reader.page
    await press(reader, "link", "Mon site")
    await page.wait_for_url("**/site")
    assert "9\u00a0h\u00a000 (heure de Montréal)" in await page.inner_text("main")
    await reader.picture("site-waiting")
    await reach(reader, page.get_by_role("button", name="Accepter"))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**done=answered")
    assert "Rien n’attend" in await page.inner_text("main")
