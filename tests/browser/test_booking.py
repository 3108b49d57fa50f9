"""From signing in to a booked session, and from a refusal to another hour: by keyboard alone, without scripts."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser

from tests.browser.readers import Reader
from tests.web.callers import Api


def at(day: str, hour: str) -> str:
    """A moment as the pages write it."""
    return f"{day} à {hour} (heure de Paris)".replace(" h ", "\u00a0h\u00a0")


async def sessions(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await api.of("admin"))("GET", "/sessions")).json["items"]
    return found


async def coordinator(api: Api, browser: Browser) -> Reader:
    """Anne of Lille, signed in by keyboard."""
    reader = await Reader.at(api, browser, "fr", 1280, java_script_enabled=False)
    _, row = await api.services.tokens.create(role="coordinator", name="Anne", sites=("lille",))
    [secret] = await api.services.sign_ins.links([row])
    await reader.see(f"/sign-in/{secret}")
    await reader.press("button", "Se connecter")
    await reader.page.wait_for_url("**/week*")
    return reader


async def test_one_signs_in_finds_a_slot_books_it_and_takes_the_calendar_along(api: Api, browser: Browser) -> None:
    """Sign in → find → book → feed. Back and reload book nothing again."""
    reader = await coordinator(api, browser)
    page = reader.page
    await reader.press("link", "Trouver et réserver")
    await page.wait_for_url("**/find")
    await reader.press("checkbox", "CH de Calais requis", "Space")
    await reader.press("checkbox", "CHU Sainte-Justine facultatif", "Space")
    await reader.press("button", "Chercher")
    await page.wait_for_url("**/find?*")
    await reader.press("link", f"Choisir {at('mardi 5 janvier 2027', '15 h 00')}")
    await page.wait_for_url("**/book*")
    assert "Tous ceux qu’il faut sont libres" in await page.inner_text("main")
    await reader.press("button", "Réserver")
    await page.wait_for_url("**/sessions/*")
    assert "Réservée" in await page.inner_text("main [role=status]")
    booked = page.url

    await page.reload()
    await page.go_back()
    assert await page.title() == "Impossible – Réserver – Périnat"  # by one's own session
    await reader.press("link", "Voir cette séance")
    await page.wait_for_url("**/sessions/*")
    assert page.url in booked and len(await sessions(api)) == 1

    await reader.press("link", "Mon calendrier")
    await page.wait_for_url("**/calendar")
    await reader.press("button", "Créer l’adresse")
    await page.wait_for_url("**/feeds/*")
    address = await page.get_by_label("L’adresse").input_value()
    feed = (await api.anybody("GET", "/" + address[address.index("/feeds/") :], exactly=False)).body.decode()
    assert feed.count("BEGIN:VEVENT") == 1 and "20270105T" in feed
    assert reader.complaints == []


async def test_one_is_refused_takes_an_alternative_and_moves_it_again(api: Api, browser: Browser) -> None:
    await (await api.of("admin")).book(host_site="lens", required_sites=["calais"])
    reader = await coordinator(api, browser)
    page = reader.page
    await reader.see("/book?kind=staff&host=lille&site=calais&start=2027-03-18T15:00")
    assert await page.title() == "Impossible – Réserver – Périnat"
    assert await page.locator(":focus").get_attribute("role") == "alert"  # what went wrong is read first
    await reader.press("button", f"Réserver {at('jeudi 18 mars 2027', '16 h 45')}")
    await page.wait_for_url("**/sessions/*")
    await reader.press("link", "Déplacer vers un autre créneau")
    await page.wait_for_url("**/find?move=*")
    await reader.press("link", f"Choisir {at('mardi 5 janvier 2027', '9 h 00')}")
    await page.wait_for_url("**/change?*")
    await reader.press("button", "Enregistrer")
    await page.wait_for_url("**done=changed")

    starts = sorted(session["wall_start"] for session in await sessions(api))
    assert starts == ["2027-01-05T09:00", "2027-03-18T15:00"]
    assert reader.complaints == []


async def test_what_comes_after_a_form_that_cannot_be_saved_is_accessible_too(api: Api, browser: Browser) -> None:
    admin = await api.of("admin")
    booked = await admin.book(required_sites=["calais"], title="Staff")
    await admin.book(host_site="lens", required_sites=["calais"], start="2027-03-19T15:00")
    for width in (1280, 390):
        reader = await Reader.at(api, browser, "fr", width)
        page = reader.page
        await reader.sign_in()
        await reader.see(f"/sessions/{booked['id']}/change?start=2027-03-19T15:00&site=calais")
        await page.click("button.main")
        assert await page.title() == "Impossible – Modifier – Périnat"
        wrong = await reader.violations()
        await reader.picture("change-refused")
        await reader.see(f"/sessions/{booked['id']}/change")
        change = {"title": f"De Zoé, {width}"}
        await admin("PATCH", f"/sessions/{booked['id']}", change, headers={"If-Match": "*"})
        await page.fill("#title", "D’Anne")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("[role=alert]")
        assert await page.title() == "Modifié entre-temps – Modifier – Périnat"
        wrong += await reader.violations()
        await reader.picture("change-stale")
        await page.fill("#join_url", "https://visio.example/?pwd=1")
        await page.click("form.sheet > p:last-of-type button")
        assert await page.title() == "Erreur – Modifier – Périnat"
        wrong += await reader.violations()
        wrong += [f"wider than {width}"] if await reader.overflows() else []
        await reader.picture("change-wrong")
        assert wrong == [] and reader.complaints == []
