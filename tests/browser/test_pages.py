"""Every page in both languages, wide and narrow: accessible, without a complaint of the browser, without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.readers import Reader
from tests.web.callers import Api

OPEN = {"sign-in": "/sign-in", "accessibility": "/accessibility", "privacy": "/privacy", "nothing": "/nothing"}
SIGNED_IN = {
    "account": "/account",
    "week-site": "/week?of=site:calais&day=2027-03-10&clock=sainte-justine",
    "week-network": "/week?of=network:perinat&day=2027-05-05",
    "week-table": "/week?of=network:perinat&day=2027-03-18&view=table",
    "bridge": "/bridge?day=2027-03-18",
    "week-list": "/week?of=room:lille-1&day=2027-03-18&view=list",
    "admin": "/admin",
    "admin-sites": "/admin/sites",
    "admin-closures": "/admin/closures?site=calais&year=2027",
    "admin-tokens": "/admin/tokens",
    "admin-mails": "/admin/mails",
    "admin-audit": "/admin/audit",
    "admin-seals": "/admin/audit/verification",
    "figures": "/figures?network=perinat&year=2027",
}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_is_accessible_and_fits_and_the_browser_complains_of_nothing(
    api: Api, browser: Browser, language: str, width: int
) -> None:
    """axe-core finds 0 violations; 0 errors of the content security policy."""
    admin = await api.of("admin")
    booked = await admin.book(
        required_sites=["calais", "lens", "sainte-justine"],
        description="Ordre du jour",
        join_url="https://visio.example/a",
    )
    await api.services.delivery.run_once()
    await admin.book(host_site="calais", start="2027-03-10T09:30", required_sites=["arras"], duration_minutes=120)
    reader = await Reader.at(api, browser, language, width)
    wrong: list[str] = []

    async def look(name: str) -> None:
        wrong.extend(await reader.violations())
        wrong.extend([f"{name} is wider than the window"] if await reader.overflows() else [])
        await reader.picture(name)

    for name, path in OPEN.items():
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
    for name, path in (SIGNED_IN | {"session": f"/sessions/{booked['id']}"}).items():
        await reader.see(path)
        await look(name)

    assert wrong == []
    assert reader.complaints == []


async def test_without_scripts_and_by_keyboard_alone_one_gets_in_and_out(api: Api, browser: Browser) -> None:
    reader = await Reader.at(api, browser, "fr", 390, java_script_enabled=False)
    _, row = await api.services.tokens.create(role="admin", name="Anne")
    [secret] = await api.services.sign_ins.links([row])
    page = reader.page

    async def press(name: str) -> None:
        """Tab until the focus is on what bears this name, and press Enter."""
        wanted = page.get_by_role("button", name=name, exact=True)
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await wanted.and_(page.locator(":focus")).count():
                await page.keyboard.press("Enter")
                return
        raise AssertionError(f"{name} cannot be reached by keyboard")

    await reader.see("/account")
    assert await page.title() == "Se connecter – Périnat"
    await reader.see(f"/sign-in/{secret}")
    await press("Se connecter")
    await page.wait_for_url("**/week*")
    await reader.see("/account")
    assert "Anne" in await page.inner_text("main")
    await press("Se déconnecter de tous les navigateurs")
    await page.wait_for_url("**/sign-in*")
    await reader.see("/account")
    assert await page.title() == "Se connecter – Périnat"
