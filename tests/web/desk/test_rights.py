"""Every page × every role × own and other sites: who may, who may not, for whom there is nothing; and that who may
not is told nothing.

What the API allows a role, pages allow it: the rows are those of the API's test. A page that is new must be given one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from perinat_sched.web.desk.page import Page
from perinat_sched.web.desk.routes import PAGES
from perinat_sched.web.route import Policy
from tests.web.callers import Answer, Api
from tests.web.desk.visitors import Visitor, signed_in
from tests.web.desk.world import TITLE, World
from tests.web.test_rights import ACTORS, EXPECTED, MAY, MAY_NOT, NOTHING_THERE, WHO_ARE_YOU, row

Y, N, O, W = MAY, MAY_NOT, NOTHING_THERE, WHO_ARE_YOU  # noqa: E741
#                   admin host part site net  othr chost cpart csite nobody
SEES_ALL = row(       Y,   Y,   Y,   O,   Y,   O,   Y,    Y,    O,    W)  # fmt: skip
BOOKS_SOMEWHERE = row(Y,   Y,   Y,   Y,   Y,   Y,   N,    N,    N,    W)  # fmt: skip
OF_A_NETWORK = row(   Y,   N,   N,   N,   Y,   Y,   N,    N,    N,    W)  # fmt: skip
OF_CALAIS = row(      Y,   O,   Y,   O,   Y,   O,   O,    N,    O,    W)  # fmt: skip
RIGHTS: Mapping[str, Policy | Mapping[str, str]] = {
    "GET /account": Policy.SIGNED_IN,
    "POST /sign-out": Policy.SIGNED_IN,
    "POST /sign-out/everywhere": Policy.SIGNED_IN,
    "GET /week": Policy.SIGNED_IN,
    "GET /rooms/{code}/door": Policy.SIGNED_IN,
    "GET /sessions/{id}/attendance": SEES_ALL,
    "GET /find": Policy.SIGNED_IN,
    "GET /book": Policy.BOOKS,
    "POST /book": Policy.BOOKS,
    "GET /sessions/{id}": Policy.SEES_SESSION,
    "GET /bridge": Policy.SIGNED_IN,
    "GET /sessions/{id}/change": Policy.CHANGES_SESSION,
    "POST /sessions/{id}/change": Policy.CHANGES_SESSION,
    "GET /sessions/{id}/cancel": Policy.CHANGES_SESSION,
    "POST /sessions/{id}/cancel": Policy.CHANGES_SESSION,
    "POST /sessions/{id}/resume": Policy.CHANGES_SESSION,
    "GET /sessions/{id}/sites/{site}": Policy.ANSWERS,
    "POST /sessions/{id}/sites/{site}": Policy.ANSWERS,
    "POST /sessions/{id}/calls": Policy.CHANGES_SESSION,
    "POST /sessions/{id}/mails/{mail}": Policy.RESENDS,
    "GET /sessions/{id}/calendar.ics": Policy.SEES_SESSION,
    "GET /series": Policy.SIGNED_IN,
    "GET /series/new": BOOKS_SOMEWHERE,
    "POST /series/new": Policy.BOOKS,
    "GET /series/import": BOOKS_SOMEWHERE,
    "POST /series/import": Policy.BOOKS,
    "GET /series/{id}": Policy.SEES_SESSION,
    "GET /series/{id}/change": Policy.CHANGES_SESSION,
    "POST /series/{id}/change": Policy.CHANGES_SESSION,
    "GET /series/{id}/cancellation": Policy.CHANGES_SESSION,
    "POST /series/{id}/cancellation": Policy.CHANGES_SESSION,
    "GET /series/{id}/answer": {**EXPECTED[Policy.ANSWERS], "coordinator of the host": Y},  # for itself
    "POST /series/{id}/answer": Policy.ANSWERS,
    "POST /series/{id}/dates": Policy.CHANGES_SESSION,
    "POST /sessions/{id}/exception": Policy.CHANGES_SESSION,
    "GET /site": Policy.SIGNED_IN,
    "POST /site/answer": OF_CALAIS,
    "POST /site/series": OF_CALAIS,
    "POST /site/closures": OF_CALAIS,
    "GET /closures/{id}": Policy.CLOSES,
    "POST /closures/{id}": Policy.CLOSES,
    "POST /closures/{id}/removal": Policy.CLOSES,
    "GET /calendar": Policy.SIGNED_IN,
    "POST /calendar": Policy.PUBLISHES,
    "POST /calendar/{id}/name": Policy.OWNS_FEED,
    "POST /calendar/{id}/revocation": Policy.OWNS_FEED,
    "GET /figures": OF_A_NETWORK,
    "GET /figures/{table}.csv": OF_A_NETWORK,
    "GET /figures/{table}.svg": OF_A_NETWORK,
}
NOTHING = "00000000-0000-4000-8000-000000000000"
STATUSES = {401: WHO_ARE_YOU, 403: MAY_NOT, 404: NOTHING_THERE}


def expected(page: Page) -> Mapping[str, str]:
    if not page.signed_in:
        return EXPECTED[Policy.ANYBODY]
    if page.administrators:
        return EXPECTED[Policy.ADMINISTRATORS]
    rights = RIGHTS[f"{page.method} {page.path}"]
    return EXPECTED[rights] if isinstance(rights, Policy) else rights


def plain(answer: Answer) -> str:
    """A page without what differs at every request."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}", "", answer.body.decode())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
async def test_who_may(api: Api, page: Page) -> None:
    world = await World.made(api)
    found = {}
    for name, given in ACTORS.items():
        visitor = await signed_in(api, **given) if given else Visitor(api.anybody)
        values = await world.values(page.path)
        address = world.address(page, values)
        unknown = address.replace(values["id"], NOTHING) if "id" in values else address
        if page.method == "GET":
            answer, nothing = await visitor.get(address), await visitor.get(unknown)
        else:
            form = {**await world.filled(page, values), **({"form_token": await visitor.form_token()} if given else {})}
            nothing = await visitor.post(unknown, form) if unknown != address else await visitor.get("/account")
            answer = await visitor.post(address, form)
        assert answer.status < 500, answer.body.decode()
        found[name] = STATUSES.get(answer.status, MAY)
        if answer.status in STATUSES:
            assert TITLE not in answer.body.decode() and "staff@" not in answer.body.decode()
        if answer.status == 404 and unknown != address:  # there is no telling one nothing from another
            assert (nothing.status, plain(nothing)) == (404, plain(answer))

    assert found == expected(page)
