"""What Chromium prints: the sheets fit their pages, and everything that was on the screen for orientation is gone."""

from __future__ import annotations

from io import BytesIO

import pytest
from playwright.async_api import Browser
from pypdf import PdfReader

from tests.browser.readers import SHOTS, Reader
from tests.web.callers import Api

A4 = (595, 842)  # points


async def printed(reader: Reader, path: str, name: str) -> list[str]:
    """The text of each page."""
    await reader.see(path)
    file = f"{SHOTS}/{name}-{reader.language}.pdf" if SHOTS else None
    paper = await reader.page.pdf(prefer_css_page_size=True, path=file)
    pages = PdfReader(BytesIO(paper)).pages
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in pages} == {A4}
    return [" ".join(page.extract_text().split()) for page in pages]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_door_sheet_is_one_page(api: Api, browser: Browser, language: str) -> None:
    admin = await api.of("admin")
    for day in range(15, 20):
        for hour in (9, 11, 14, 16):
            await admin.book(
                start=f"2027-03-{day}T{hour:02d}:00", duration_minutes=60, required_sites=["calais", "lens"]
            )
    reader = await Reader.at(api, browser, language, 1280)
    await reader.sign_in()
    [page] = await printed(reader, "/rooms/calais-1/door?day=2027-03-18", "door")

    hours = {"fr": "16 h 00–17 h 00", "en": "16:00–17:00"}[language]
    assert page.count(hours) == 5 and "CH de Calais" in page
    for word in ("Périnat Semaine", "Semaine suivante", "Next week", "Imprimez", "Print this", "Vie privée", "Privacy"):
        assert word not in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_each_site_has_a_page_to_sign(api: Api, browser: Browser, language: str) -> None:
    booked = await (await api.of("admin")).book(required_sites=["calais", "lens", "sainte-justine"])
    reader = await Reader.at(api, browser, language, 1280)
    await reader.sign_in()
    pages = await printed(reader, f"/sessions/{booked['id']}/attendance", "attendance")

    sites = ["CHU de Lille", "CH de Calais", "CH de Lens", "CHU Sainte-Justine"]
    assert len(pages) == len(sites)
    assert all(site in page for site, page in zip(sites, pages, strict=True))
    assert all(" 14 " in page and "Signature" in page for page in pages)
    hour = {"fr": "10 h 00 (heure de Montréal)", "en": "10:00 (Montréal time)"}[language]
    assert [hour in page for page in pages] == [False, False, False, True]
    [alone] = await printed(reader, f"/sessions/{booked['id']}/attendance?site=calais", "attendance-one")
    assert "CH de Calais" in alone
