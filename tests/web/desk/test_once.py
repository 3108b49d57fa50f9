"""Every form sent twice, at once or by back and reload, does once, and the second is no error."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import func, select

from perinat_sched.storage import tables
from perinat_sched.web.desk.page import Page
from perinat_sched.web.desk.routes import PAGES
from tests.web.callers import Api
from tests.web.desk.forms import form_to, press
from tests.web.desk.visitors import Visitor, signed_in
from tests.web.desk.world import World

SENDING = [page for page in PAGES if page.method == "POST"]
SECOND = {  # what the second one reads where it is not the same again
    "/sign-in/{secret}": 410,  # a link opens once
    "/sign-out": 401,
    "/sign-out/everywhere": 401,
    "/feeds/{secret}/revocation": 410,
    "/admin/tokens": 410,  # its secret is shown once
    "/sessions/{id}/mails/{mail}": 422,  # it is on its way already
    "/admin/mails/{id}/retry": 422,
}


ANEW = {"/admin/tokens/{id}/link"}  # a second link, as one asked


async def counted(api: Api) -> Counter[str]:
    """The rows of every table that people fill."""
    kept = ("sessions", "series", "closures", "feeds", "tokens", "audit")
    found: Counter[str] = Counter()
    async with api.services.database.read() as tx:
        for name in kept:
            table = tables.metadata.tables[name]
            found[name] = (await tx.execute(select(func.count()).select_from(table))).scalar_one()
    return found


@pytest.mark.parametrize("page", SENDING, ids=lambda page: page.path)
@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "at once"])
async def test_a_form_that_is_sent_twice_does_once(api: Api, page: Page, at_once: bool) -> None:
    world = await World.made(api)
    values = await world.values(page.path)
    form, address = await world.filled(page, values), world.address(page, values)
    visitor = world.visitor if page.signed_in else Visitor(api.anybody)
    before = await counted(api)
    one_more = page.path in ANEW
    if at_once:
        first, second = sorted(
            await asyncio.gather(visitor.post(address, form), visitor.post(address, form)), key=lambda a: a.status
        )
    else:
        first = await visitor.post(address, form)
        after = await counted(api)
        second = await visitor.post(address, form)
        assert one_more or await counted(api) == after
    made = await counted(api) - before

    assert first.status in (200, 303), first.body.decode()
    assert second.status in (SECOND.get(page.path, first.status), first.status), second.body.decode()
    if page.path != "/admin/example":
        assert all(number <= 1 for name, number in made.items() if name not in ("sessions", "audit")), made
        assert made["sessions"] <= (3 if page.path == "/series/new" else 1)
    if page.path in ("/book", "/series/new", "/calendar", "/site/closures", "/admin/bridges"):
        assert second.headers["Location"] == first.headers["Location"]


async def test_a_calendar_address_is_made_once_and_shown_again(api: Api) -> None:
    """The database keeps no address: it is made anew from the key of the form, which only this service can do."""
    visitor, other = await signed_in(api), await signed_in(api)
    form = form_to((await visitor.get("/calendar")).body, "/calendar")
    first, second = [await press(visitor, form, of="site:calais", label="Bureau") for _ in range(2)]
    changed = await press(visitor, form, of="site:calais", label="Salle")
    own = {**form.sent(of="site:calais", label="Bureau"), "form_token": await other.form_token()}
    another = await other.post("/calendar", own)

    assert first.status == 303 and first.headers["Location"] == second.headers["Location"]
    assert (await visitor.get(first.headers["Location"])).status == 200
    assert (await counted(api))["feeds"] == 2  # hers, and the other's
    assert (
        changed.status == 422
        and "déjà été envoyé" in changed.body.decode()
        and 'value="Salle"' in changed.body.decode()
    )
    assert another.headers["Location"] != first.headers["Location"]
    again = form_to(changed.body, "/calendar")
    assert (await press(visitor, again)).status == 303
