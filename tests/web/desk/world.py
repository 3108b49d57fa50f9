"""Everything that pages show and forms are about, made fresh, for tests that walk all pages.

A page that is new and has something variable in its address, or a form, must be given an example here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from perinat_sched.storage.database import Tx
from perinat_sched.storage.tables import notices
from perinat_sched.web.desk.page import Page
from tests.web.callers import BOOKING, Api, Caller
from tests.web.desk.forms import Form, form_to, forms
from tests.web.desk.visitors import Visitor, signed_in

TITLE = "Zanzibar"  # of every session: who must not know of one must not read it
PLAN = "date,start,kind,host,sites\n2027-06-03,15:00,staff,lille,calais\n"
HOLIDAYS = ("03-29", "05-06", "05-07", "05-17", "07-14")  # of Lille in 2027, on weekdays
HERE = "{here}"  # the address that the form is sent to


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How a form is come by, and what is typed into it."""

    page: str = HERE
    button: str = ""
    typed: Mapping[str, Any] = field(default_factory=dict)
    holding: Mapping[str, str] = field(default_factory=dict)


FORMS: Mapping[str, Sent] = {
    "/sign-in": Sent(typed={"address": "anne@calais.example"}),
    "/sign-in/{secret}": Sent(),
    "/sign-out": Sent(page="/account"),
    "/sign-out/everywhere": Sent(page="/account"),
    "/book": Sent(page="/book?kind=staff&network=perinat&host=lille&site=calais&start={start}", typed={"title": TITLE}),
    "/sessions/{id}/change": Sent(typed={"title": "Autre"}),
    "/sessions/{id}/cancel": Sent(typed={"reason": "Grève"}),
    "/sessions/{id}/resume": Sent(page="/sessions/{id}"),
    "/sessions/{id}/sites/{site}": Sent(typed={"answer": "accepted"}),
    "/sessions/{id}/calls": Sent(page="/sessions/{id}", holding={"site": "calais"}),
    "/sessions/{id}/mails/{mail}": Sent(page="/sessions/{id}"),
    "/series/new": Sent(button="do", typed={"hour": "15:00", "count": "3", "site": ["calais"], "network": "perinat",
                                            "host": "lille", "do": "book", "title": TITLE}),
    "/series/import": Sent(button="do", typed={"plan": PLAN,
                                               "do": "book"}),
    "/series/{id}/change": Sent(button="do", typed={"title": "Autre", "do": "book"}),
    "/series/{id}/cancellation": Sent(typed={"reason": "Grève"}),
    "/series/{id}/answer": Sent(typed={"site": "calais", "answer": "accepted"}),
    "/series/{id}/dates": Sent(page="/series/{id}"),
    "/sessions/{id}/exception": Sent(page="/series/{series}"),
    "/site/answer": Sent(page="/site?site=calais", button="answer"),
    "/site/series": Sent(page="/site?site=calais", button="answer"),
    "/site/closures": Sent(page="/site?site=calais", typed={"first": "2027-07-01", "reason": "Travaux"}),
    "/closures/{id}": Sent(typed={"to": "decline"}),
    "/closures/{id}/removal": Sent(page="/closures/{id}"),
    "/feeds/{secret}/revocation": Sent(),
    "/unsubscribe/{token}": Sent(),
    "/unsubscribe/{token}/undo": Sent(page="/unsubscribe/{token}"),
    "/calendar": Sent(typed={"of": "site:calais", "label": "Bureau"}),
    "/calendar/{id}/name": Sent(page="/calendar", typed={"label": "Secrétariat"}),
    "/calendar/{id}/revocation": Sent(page="/calendar"),
    "/admin/bridges": Sent(typed={"place": "bridge:mcu-lille", "first": "2027-07-01", "reason": "Travaux"}),
    "/admin/bridges/{id}/removal": Sent(page="/admin/bridges/{id}"),
    "/admin/tokens": Sent(typed={"name": "Zoé", "role": "coordinator", "sites": ["calais"]}),
    "/admin/tokens/{id}/link": Sent(page="/admin/tokens"),
    "/admin/tokens/{id}/revocation": Sent(),
    "/admin/mails/retry": Sent(page="/admin/mails"),
    "/admin/mails/{id}/retry": Sent(page="/admin/mails"),
    "/admin/example": Sent(page="/admin"),
    "/admin/example/removal": Sent(page="/admin"),
}  # fmt: skip
QUESTIONS: Mapping[str, str] = {  # a page that says little without one
    "/week": "?of=network:perinat&day=2027-03-01",
    "/find": "?host=lille&site=calais&kind=staff&from=2027-03-01&to=2027-03-05",
    "/book": "?host=lille&site=calais&kind=staff&start=2027-08-02T15:00",
    "/bridge": "?day=2027-03-01",
    "/rooms/{code}/door": "?day=2027-03-01",
    "/figures": "?year=2027",
    "/figures/{table}.csv": "?year=2027",
    "/figures/{table}.svg": "?year=2027",
    "/admin/closures": "?site=calais&year=2027",
}


class World:
    """What an administrator has made."""

    def __init__(self, api: Api, admin: Caller, visitor: Visitor, owner: Caller, **texts: Any) -> None:
        """`owner`: somebody of Calais, whose feeds are here; `texts`: what every session has besides."""
        self.api, self.admin, self.visitor, self.owner = api, admin, visitor, owner
        self._texts = {"title": TITLE, **texts}
        self._start = datetime(2027, 2, 26, 15)  # noqa: DTZ001 - a wall time

    @classmethod
    async def made(cls, api: Api, **texts: Any) -> World:
        return cls(
            api,
            await api.of("admin"),
            await signed_in(api, name="Ada"),
            await api.of("coordinator", sites=("calais",)),
            **texts,
        )

    async def values(self, path: str) -> dict[str, str]:
        """What stands in the variable parts of an address: something fresh."""
        found = await self._values(path)
        start = f"{self._next_day():%Y-%m-%dT%H:%M}" if path == "/book" else ""
        return {"here": path.format(**found), "start": start, **found}

    async def form(self, page: Page, values: Mapping[str, str]) -> Form:
        """The form that is sent there, as its page has it for an administrator."""
        sent = FORMS[page.path]
        place = sent.page.format(**values)
        shown = await self.visitor.get(place)
        assert shown.status == 200, (place, shown.status, shown.body.decode())
        # a form without an address is sent to its own page
        said = any(one.action.partition("?")[0] == values["here"] for one in forms(shown.body))
        form = form_to(shown.body, values["here"] if said else "", **sent.holding)
        return replace(form, action=form.action or values["here"])

    async def filled(self, page: Page, values: Mapping[str, str]) -> dict[str, Any]:
        """What is sent, with what is typed."""
        sent = FORMS[page.path]
        return (await self.form(page, values)).sent(sent.button, **sent.typed)

    def address(self, page: Page, values: Mapping[str, str]) -> str:
        return page.path.format(**values) + (QUESTIONS.get(page.path, "") if page.method == "GET" else "")

    async def _values(self, path: str) -> dict[str, str]:
        services = self.api.services
        if path == "/sign-in/{secret}":
            _, row = await services.tokens.create(role="clinician", sites=["calais"], name="Zoé")
            [secret] = await services.sign_ins.links([row])
            return {"secret": secret}
        if path.startswith("/feeds/{secret}"):
            return {"secret": (await self._feed())["url"].rpartition("/")[2].removesuffix(".ics")}
        if path.startswith("/unsubscribe/"):
            token = services.unsubscribing.url("staff@calais.example").rpartition("/")[2]
            await (services.unsubscribing.stop if path.endswith("/undo") else services.unsubscribing.resume)(token)
            return {"token": token}
        if path.startswith("/calendar/{id}"):
            return {"id": (await self._feed())["id"]}
        if path.startswith("/admin/tokens/{id}"):
            return {"id": (await services.tokens.create(role="clinician", sites=["calais"], name="Zoé"))[1].id}
        if path == "/admin/mails/retry":
            await self._failed_mail()
        if path.startswith("/admin/mails/{id}"):
            return {"id": (await self._failed_mail())[1]}
        if path.startswith("/admin/bridges/{id}"):
            return {"id": await self._closure("bridge", "mcu-lille")}
        if path == "/sessions/{id}/exception":
            series = await self._series()
            session = series["occurrences"][0]["session"]
            await self.admin("PATCH", f"/sessions/{session}", {"duration_minutes": 90}, headers={"If-Match": "*"})
            return {"id": session, "series": series["id"]}
        if path == "/series/{id}/dates":
            return {"id": await self._series_with_a_date_left_out()}
        if path.startswith("/series/{id}"):
            return {"id": (await self._series())["id"]}
        if path.startswith("/closures/{id}"):
            return {"id": await self._closure()}
        if path == "/site/series":
            first, second = self._next_day(), self._next_day()
            await self._series(start=f"{first:%Y-%m-%dT%H:%M}", dates=[f"{first:%Y-%m-%d}", f"{second:%Y-%m-%d}"])
        if path == "/site/answer":
            return {"id": await self._waiting()}
        if path.startswith("/sessions/{id}"):
            return await self._session(path)
        if path.startswith("/admin/example"):
            form = {"form_token": await self.visitor.form_token()}
            await self.visitor.post("/admin/example" + ("" if path.endswith("/removal") else "/removal"), form)
        return {"code": "calais-1", "table": "rooms"}

    async def _session(self, path: str) -> dict[str, str]:
        if "{mail}" in path:
            session, mail = await self._failed_mail()
            return {"id": session, "mail": mail}
        session = str((await self._booked())["id"])
        if path.endswith("/resume"):
            await self.admin("POST", f"/sessions/{session}/cancellation", {})
        return {"id": session, "site": "calais"}

    def _next_day(self) -> datetime:
        self._start += timedelta(days=1 if self._start.weekday() < 4 else 7 - self._start.weekday())
        return self._next_day() if f"{self._start:%m-%d}" in HOLIDAYS else self._start

    async def _booked(self, **given: Any) -> dict[str, Any]:
        return await self.admin.book(**{"start": f"{self._next_day():%Y-%m-%dT%H:%M}", **self._texts, **given})

    async def _series(self, **given: Any) -> Any:
        start = f"{self._next_day():%Y-%m-%dT%H:%M}"
        asked = {**BOOKING, "start": start, "dates": [start[:10]], **self._texts, **given}
        answer = await self.admin("POST", "/series", asked)
        assert answer.status == 201, answer.body.decode()
        return answer.json

    async def _series_with_a_date_left_out(self) -> str:
        blocked = await self._booked(host_site="lens")
        asked = {"start": blocked["start"][:16], "dates": [blocked["start"][:10], "2027-11-04"]}
        made = await self._series(**asked, on_conflict="leave_out")
        await self.admin("POST", f"/sessions/{blocked['id']}/cancellation", {})
        return str(made["id"])

    async def _closure(self, scope: str = "site", code: str = "calais") -> str:
        """On a day on which Calais takes part in a session of Lille."""
        booked = await self._booked()
        day = booked["start"][:10]
        asked = {scope: code, "from": day, "until": day, "reason": self._texts.get("reason", "Travaux")}
        made = await self.admin("POST", "/closures", asked)
        return str(made.json["id"])

    async def _waiting(self) -> str:
        """A session that waits for the answer of Calais."""
        booked = await self._booked()
        await self.admin("PUT", f"/sessions/{booked['id']}/participations/calais/answer", {"answer": "tentative"})
        return str(booked["id"])

    async def _feed(self) -> Any:
        return (await self.owner("POST", "/feeds", {"scope": "site", "of": "calais", "label": "Bureau"})).json

    async def _failed_mail(self) -> tuple[str, str]:
        """A session, and a mail to Calais about it."""
        about = str((await self._booked())["id"])
        await self.api.services.delivery.plan()

        async def work(tx: Tx) -> str:
            mine = (notices.c.session_id == about) & (notices.c.site == "calais") & (notices.c.kind == "invitation")
            await tx.execute(update(notices).where(mine).values(state="failed"))
            return str((await tx.execute(select(notices.c.id).where(mine))).scalar_one())

        return about, await self.api.services.database.write(work)
