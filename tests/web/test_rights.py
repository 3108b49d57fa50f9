"""Every route × every role × own and other sites: who may, who may not, for whom there is nothing.

The world: a session of the network `perinat` that Lille hosts and Calais takes part in, a feed that somebody of
Calais opened, a closure of Calais. A route that is new must be given an example here, a policy that is new a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices
from perinat_sched.web.route import Media, Policy, Route
from perinat_sched.web.routes import ROUTES
from tests.web.callers import BOOKING, Answer, Api, Caller

ACTORS: Mapping[str, dict[str, Any]] = {
    "administrator": {"role": "admin"},
    "coordinator of the host": {"role": "coordinator", "sites": ("lille",)},
    "coordinator of the participant": {"role": "coordinator", "sites": ("calais",)},
    "coordinator of another site": {"role": "coordinator", "sites": ("dunkerque",)},
    "coordinator of the network": {"role": "coordinator", "networks": ("perinat",)},
    "coordinator of another network": {"role": "coordinator", "networks": ("hpsm",)},
    "clinician of the host": {"role": "clinician", "sites": ("lille",)},
    "clinician of the participant": {"role": "clinician", "sites": ("calais",)},
    "clinician of another site": {"role": "clinician", "sites": ("dunkerque",)},
    "nobody": {},
}
MAY, MAY_NOT, NOTHING_THERE, WHO_ARE_YOU = "may", "forbidden", "not-found", "unauthenticated"


def row(*outcomes: str) -> dict[str, str]:
    return dict(zip(ACTORS, outcomes, strict=True))


Y, N, O, W = MAY, MAY_NOT, NOTHING_THERE, WHO_ARE_YOU  # noqa: E741
EXPECTED: Mapping[Policy, Mapping[str, str]] = {
    #                           admin host part site net  othr chost cpart csite nobody
    Policy.ANYBODY: row(         Y,   Y,   Y,   Y,   Y,   Y,   Y,    Y,    Y,    Y),
    Policy.ADDRESS: row(         Y,   Y,   Y,   Y,   Y,   Y,   Y,    Y,    Y,    Y),
    Policy.SIGNED_IN: row(       Y,   Y,   Y,   Y,   Y,   Y,   Y,    Y,    Y,    W),
    Policy.SEES_SESSION: row(    Y,   Y,   Y,   Y,   Y,   O,   Y,    Y,    O,    W),
    Policy.BOOKS: row(           Y,   Y,   N,   N,   Y,   N,   N,    N,    N,    W),
    Policy.CHANGES_SESSION: row( Y,   Y,   N,   N,   Y,   O,   N,    N,    O,    W),
    Policy.ANSWERS: row(         Y,   N,   Y,   N,   Y,   O,   N,    N,    O,    W),
    Policy.RESENDS: row(         Y,   Y,   N,   O,   Y,   O,   N,    N,    O,    W),
    Policy.CLOSES: row(          Y,   N,   Y,   N,   Y,   N,   N,    N,    N,    W),
    Policy.PUBLISHES: row(       Y,   N,   Y,   N,   Y,   N,   N,    Y,    N,    W),
    Policy.OWNS_FEED: row(       Y,   O,   O,   O,   O,   O,   O,    O,    O,    W),
    Policy.ADMINISTRATORS: row(  Y,   N,   N,   N,   N,   N,   N,    N,    N,    W),
}  # fmt: skip

CLOSURE = {"site": "calais", "from": "2027-02-01", "until": "2027-02-01", "reason": "Travaux"}
FEED = {"scope": "site", "of": "calais"}
BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/api/v1/sessions"): BOOKING,
    ("PATCH", "/api/v1/sessions/{id}"): {"description": "Ordre du jour"},
    ("POST", "/api/v1/sessions/{id}/cancellation"): {},
    ("PUT", "/api/v1/sessions/{id}/participations/{site}/answer"): {"answer": "accepted"},
    ("POST", "/api/v1/series"): {**BOOKING, "rrule": "FREQ=WEEKLY;COUNT=2"},
    ("PATCH", "/api/v1/series/{id}"): {"description": "Ordre du jour"},
    ("POST", "/api/v1/series/{id}/cancellation"): {},
    ("POST", "/api/v1/series/{id}/occurrences"): {"recurrence_id": "2027-03-01T09:00"},
    ("POST", "/api/v1/series/{id}/copy"): {"from": "2027-09-06", "until": "2027-09-30"},
    ("PUT", "/api/v1/series/{id}/participations/{site}/answer"): {"answer": "accepted"},
    ("POST", "/api/v1/series/import"): "date,start,kind,host,sites\n2027-03-18,15:00,staff,lille,calais\n",
    ("POST", "/api/v1/closures"): CLOSURE,
    ("POST", "/api/v1/feeds"): FEED,
}
QUERIES: Mapping[str, str] = {
    "/api/v1/slots": "?site=lille&site=calais&duration_minutes=60&from=2027-03-18&to=2027-03-18&limit=1",
    "/api/v1/sites/{code}/sessions.csv": "?year=2027",
    "/api/v1/sites/{code}/closures": "?from=2027-03-18&to=2027-03-18",
}


class World:
    """Fresh things to act upon, made by an administrator."""

    def __init__(self, api: Api, admin: Caller, owner: Caller) -> None:
        self.api, self.admin, self.owner = api, admin, owner
        self._start = datetime(2027, 3, 1, 9)  # noqa: DTZ001 - a wall time

    async def values(self, route: Route) -> dict[str, str]:
        """What stands in the variable parts of an address."""
        if route.path.startswith("/api/v1/series/{id}"):
            return {"id": (await self._series())["id"], "site": "calais"}
        if route.path == "/api/v1/sessions/{id}/exception":
            return {"id": (await self._series())["occurrences"][0]["session"]}
        if route.path.startswith("/api/v1/sessions/{id}"):
            return {"id": await self._session(route.method), "site": "calais"}
        if route.path == "/api/v1/closures/{id}":
            return {"id": (await self.admin("POST", "/closures", CLOSURE)).json["id"]}
        if route.path == "/api/v1/notices/{id}/retry":
            return {"id": await self._failed_mail()}
        if route.path == "/api/v1/feeds/{id}":
            return {"id": (await self.owner("POST", "/feeds", FEED)).json["id"]}
        if route.path == "/feeds/{secret}.ics":
            url = (await self.owner("POST", "/feeds", FEED)).json["url"]
            return {"secret": url.rpartition("/")[2].removesuffix(".ics")}
        return {"code": "lille", "name": "swagger-ui.css"}

    def _next_day(self) -> datetime:
        self._start += timedelta(days=1 if self._start.weekday() < 4 else 3)
        return self._start

    async def _session(self, method: str = "GET") -> str:
        session = await self.admin.book(start=f"{self._next_day():%Y-%m-%dT%H:%M}")
        if method == "DELETE":
            await self.admin("POST", f"/sessions/{session['id']}/cancellation")
        return str(session["id"])

    async def _series(self) -> Any:
        start = f"{self._next_day():%Y-%m-%dT%H:%M}"
        asked = {**BOOKING, "start": start, "dates": [start[:10]], "kind": "staff", "required_sites": ["calais"]}
        return (await self.admin("POST", "/series", asked)).json

    async def _failed_mail(self) -> str:
        """To Calais, about a session of theirs."""
        about = await self._session()
        await self.api.services.delivery.plan()

        async def work(tx: Tx) -> str:
            mine = (notices.c.session_id == about) & (notices.c.site == "calais") & (notices.c.kind == "invitation")
            await tx.execute(update(notices).where(mine).values(state="failed"))
            return str((await tx.execute(select(notices.c.id).where(mine))).scalar_one())

        return await self.api.services.database.write(work)


async def call(caller: Caller, route: Route, values: Mapping[str, str]) -> Answer:
    path = "/" + route.path.format(**values) + QUERIES.get(route.path, "")
    body = BODIES[route.method, route.path] if route.body else None
    headers = {"If-Match": '"0"'}
    if isinstance(route.body, Media):
        return await caller(route.method, path, raw=body, headers={**headers, "Content-Type": route.body.type})
    return await caller(route.method, path, body, headers=headers)


def outcome(answer: Answer) -> str:
    return answer.slug if answer.status in (401, 403, 404) else MAY


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_who_may(api: Api, route: Route) -> None:
    await api.services.delivery.run_once()
    admin = await api.of("admin")
    world = World(api, admin, await api.of("coordinator", sites=("calais",)))
    found = {}
    for name, given in ACTORS.items():
        caller = await api.of(**given) if given else api.anybody
        answer = await call(caller, route, await world.values(route))
        assert answer.status < 500, answer.body
        found[name] = outcome(answer)

    assert found == EXPECTED[route.policy]


async def test_a_session_is_not_booked_for_somebody_elses_site(api: Api) -> None:
    calais = await api.of("coordinator", sites=("calais",))

    answer = await calais("POST", "/sessions", {**BOOKING, "required_sites": ["calais"], "host_site": "lille"})

    assert (answer.status, answer.slug) == (403, "forbidden")


async def test_only_administrators_close_a_bridge(api: Api) -> None:
    asked = {**CLOSURE, "site": None, "bridge": "mcu-lille"}

    answers = [
        await (await api.of("coordinator", networks=("perinat",)))("POST", "/closures", asked),
        await (await api.of("admin"))("POST", "/closures", asked),
    ]

    assert [answer.status for answer in answers] == [403, 201]


@pytest.mark.parametrize(
    ("scope", "of", "status"),
    [
        ("site", "calais", 201),
        ("room", "calais-1", 201),
        ("network", "perinat", 201),
        ("site", "lens", 403),
        ("room", "lens-1", 403),
        ("network", "hpsm", 403),
    ],
)
async def test_a_coordinator_publishes_her_site_its_rooms_and_its_networks(
    api: Api, scope: str, of: str, status: int
) -> None:
    calais = await api.of("coordinator", sites=("calais",))

    answer = await calais("POST", "/feeds", {"scope": scope, "of": of, "detail": "busy"})

    assert answer.status == status


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer ps_", id="the prefix alone"),
        pytest.param("Bearer ps_" + "A" * 43, id="unknown"),
        pytest.param("Bearer \u00e9", id="an accent"),
        pytest.param("Basic cHM6cHM=", id="basic"),
        pytest.param("Token ps_x", id="another scheme"),
    ],
)
async def test_without_a_valid_token_nobody_is_known(api: Api, header: str | None) -> None:
    answer = await api.anybody("GET", "/me", headers={} if header is None else {"Authorization": header})

    assert (answer.status, answer.slug) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_token_opens_nothing_any_more(api: Api) -> None:
    caller = await api.of("admin")
    await api.services.tokens.revoke((await caller("GET", "/me")).json["token"])

    assert (await caller("GET", "/me")).status == 401


async def test_who_knows_kind_and_time_does_not_learn_who_takes_part_by_answering(api: Api) -> None:
    session = await (await api.of("admin")).book()
    dunkerque = await api.of("coordinator", sites=("dunkerque",))

    answers = [
        await dunkerque("PUT", f"/sessions/{session['id']}/participations/{site}/answer", {"answer": "accepted"})
        for site in ("calais", "lens", "nowhere")
    ]

    assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
