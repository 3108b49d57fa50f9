"""Every page in both languages, wide and narrow: accessible, without a complaint of the browser, without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.readers import Reader
from tests.web.callers import Api

OPEN = {
    "start": "/",
    "sign-in": "/sign-in",
    "accessibility": "/accessibility",
    "privacy": "/privacy",
    "nothing": "/nothing",
}
SIGNED_IN = {
    "start-signed-in": "/",
    "account": "/account",
    "week-site": "/week?of=site:calais&day=2027-03-10&clock=sainte-justine",
    "week-network": "/week?of=network:perinat&day=2027-05-05",
    "week-table": "/week?of=network:perinat&day=2027-03-18&view=table",
    "bridge": "/bridge?day=2027-03-18",
    "find": "/find?host=lille&site=calais&site=valenciennes&optional_site=sainte-justine&from=2027-03-10&to=2027-03-19",
    "find-none": "/find?host=lille&site=sainte-justine&site=reunion&from=2027-01-11&to=2027-01-15",
    "find-wrong": "/find?host=lille&site=calais&duration_minutes=7",
    "book": "/book?host=lille&site=calais&site=sainte-justine&start=2027-03-17T15:00",
    "book-refused": "/book?host=lille&site=calais&site=sainte-justine&start=2027-03-18T15:00",
    "book-override": "/book?host=lille&site=lens&start=2027-03-21T15:00",
    "book-wrong": "/book?host=lille&start=2027-10-31T02:30",
    "book-empty": "/book",
    "calendar": "/calendar",
    "site": "/site?site=sainte-justine",
    "site-several-rooms": "/site?site=lille",
    "door": "/rooms/calais-1/door?day=2027-03-18",
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
OF_SESSION = {
    "session": "?done=booked",
    "change": "/change?start=2027-03-19T15:00&site=calais",
    "cancel": "/cancel",
    "answer": "/sites/calais",
    "attendance": "/attendance",
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
    opened = await admin("POST", "/feeds", {"scope": "site", "of": "calais", "label": "Calais", "language": language})
    feed = "/feeds/" + opened.json["page_url"].rpartition("/")[2]
    stop = "/unsubscribe/" + api.services.unsubscribing.url("staff@calais.example").rpartition("/")[2]
    works = {"site": "calais", "from": "2027-03-18", "until": "2027-03-19", "reason": "Travaux"}
    closure = (await admin("POST", "/closures", works)).json["id"]
    reader = await Reader.at(api, browser, language, width)
    wrong: list[str] = []

    async def look(name: str) -> None:
        wrong.extend(await reader.violations())
        wrong.extend([f"{name} is wider than the window"] if await reader.overflows() else [])
        await reader.picture(name)

    secret = {"subscribing": feed, "revocation": f"{feed}/revocation", "unsubscribe": stop}
    for name, path in (OPEN | secret).items():
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
    own = {name: f"/sessions/{booked['id']}{path}" for name, path in OF_SESSION.items()}
    for name, path in (SIGNED_IN | own | {"closure": f"/closures/{closure}"}).items():
        await reader.see(path)
        await look(name)

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
