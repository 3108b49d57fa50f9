"""Every page there is, each with an address at which it has something to show: for the tests that walk them all.

A page of `desk.routes` that stands nowhere here fails `test_every_page.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perinat_sched.web.desk.routes import PAGES
from tests.series.test_import import PLAN
from tests.web.callers import Api

OPEN = {
    "start": "/",
    "sign-in": "/sign-in",
    "accessibility": "/accessibility",
    "privacy": "/privacy",
    "nothing": "/nothing",
    "used-up": "/sign-in/nobody-has-this",
    "sign-in-first": "/account",
}
SIGNED_IN = {
    "start-signed-in": "/",
    "account": "/account",
    "week-site": "/week?of=site:calais&day=2027-03-10&clock=sainte-justine",
    "week-network": "/week?of=network:perinat&day=2027-05-05",
    "week-table": "/week?of=network:perinat&day=2027-03-18&view=table",
    "week-list": "/week?of=room:lille-1&day=2027-03-18&view=list",
    "bridge": "/bridge?day=2027-03-18",
    "bridge-empty": "/bridge?day=2027-03-20",
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
    "site-entered": "/site?site=calais",
    "site-unknown": "/site?site=nowhere",
    "door": "/rooms/calais-1/door?day=2027-03-18",
    "series-list": "/series",
    "series-new": "/series/new",
    "series-import": "/series/import",
    "admin": "/admin",
    "admin-sites": "/admin/sites",
    "admin-closures": "/admin/closures?site=calais&year=2027",
    "admin-bridges": "/admin/bridges",
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
SERIES = {
    "kind": "staff",
    "network": "perinat",
    "host_site": "lille",
    "start": "2027-02-18T15:00",
    "required_sites": ["calais", "sainte-justine"],
    "rrule": "FREQ=WEEKLY;COUNT=8",
    "exclude": ["2027-03-11"],
    "on_conflict": "leave_out",
}
# What is asked for by GET and is no page for people.
NO_PAGES = {"/figures/{table}.csv", "/figures/{table}.svg", "/sessions/{id}/calendar.ics"}


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where every page is, by a name for its picture."""

    open: Mapping[str, str]
    signed_in: Mapping[str, str]
    forms: Mapping[str, tuple[str, Mapping[str, Any]]]  # what is sent, and is refused or only tried

    def pages_left_out(self) -> set[str]:
        """The pages of the table of routes that are at none of these addresses."""
        reads = [page.path for page in PAGES if page.method == "GET" and page.path not in NO_PAGES]
        patterns = [(path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for path in reads]
        found = set()
        for address in (*self.open.values(), *self.signed_in.values()):
            asked = address.partition("?")[0]
            found.add(next((path for path, pattern in patterns if pattern.fullmatch(asked)), None))
        return set(reads) - found


async def prepared(api: Api, language: str) -> Addresses:
    """The example network with sessions, a series, a closure, a feed, mails, and the addresses of all pages."""
    admin = await api.of("admin")
    booked = await admin.book(
        required_sites=["calais", "lens", "sainte-justine"],
        description="Ordre du jour",
        join_url="https://visio.example/a",
    )
    await api.services.delivery.run_once()
    await admin.book(host_site="calais", start="2027-03-10T09:30", required_sites=["arras"], duration_minutes=120)
    await admin.book(start="2027-01-13T15:00", required_sites=["calais", "sainte-justine"])
    opened = await admin("POST", "/feeds", {"scope": "site", "of": "calais", "label": "Calais", "language": language})
    feed = "/feeds/" + opened.json["page_url"].rpartition("/")[2]
    stop = "/unsubscribe/" + api.services.unsubscribing.url("staff@calais.example").rpartition("/")[2]
    works = {"site": "calais", "from": "2027-03-18", "until": "2027-03-19", "reason": "Travaux"}
    closure = (await admin("POST", "/closures", works)).json["id"]
    bridge = {"bridge": "mcu-lille", "from": "2027-03-18", "until": "2027-03-18", "reason": "Maintenance"}
    maintenance = (await admin("POST", "/closures", bridge)).json["id"]
    _, row = await api.services.tokens.create(role="admin", name="Berthe")
    [secret] = await api.services.sign_ins.links([row])

    await admin.book(host_site="calais", required_sites=["lens"], start="2027-03-04T15:30")
    series = (await admin("POST", "/series", SERIES)).json
    moved = series["occurrences"][1]["session"]
    await admin("PATCH", f"/sessions/{moved}", {"start": "2027-02-25T16:30"}, headers={"If-Match": '"0"'})
    path, session = f"/series/{series['id']}", f"/sessions/{booked['id']}"
    return Addresses(
        open=OPEN
        | {"link": f"/sign-in/{secret}", "subscribing": feed, "revocation": f"{feed}/revocation", "unsubscribe": stop},
        signed_in=SIGNED_IN
        | {name: session + rest for name, rest in OF_SESSION.items()}
        | {
            "closure": f"/closures/{closure}",
            "admin-bridge": f"/admin/bridges/{maintenance}",
            "admin-revocation": f"/admin/tokens/{row.id}/revocation",
            "series": f"{path}?done=booked&told=calais&told=lille",
            "series-change": f"{path}/change?from=2027-03-18T15:00",
            "series-cancellation": f"{path}/cancellation",
            "series-answer": f"{path}/answer",
            "series-next-year": f"/series/new?again={series['id']}&from=2028-03-01&to=2028-05-31",
            "series-session": f"/sessions/{moved}",
        },
        forms={
            "sign-in-wrong": ("/sign-in", {"address": "nobody"}),
            "sent": ("/sign-in", {"address": "anne@lille.example"}),
            "book-taken": (
                "/book",
                {"kind": "staff", "host": "lille", "site": "calais", "start": "2027-03-18T15:00"}
                | {"duration_minutes": "60", "network": "perinat", "title": "Staff"},
            ),
            "change-refused": (f"{session}/change", {"revision": "0", "start": "2027-03-04T15:00", "site": "calais"}),
            "answer-wrong": (f"{session}/sites/calais", {"answer": "accepted", "comment": "Mme A. née le 01/02/1990"}),
            "site-answer-wrong": (
                "/site/answer",
                {"site": "calais", "session": booked["id"], "answer": "accepted", "comment": "née le 01/02/1990"},
            ),
            "closure-wrong": ("/site/closures", {"site": "calais", "place": "site:calais", "first": ""}),
            "bridges-wrong": ("/admin/bridges", {"place": "bridge:mcu-lille", "first": ""}),
            "calendar-wrong": ("/calendar", {"of": "site:calais", "label": "x" * 300}),
            "cancel-wrong": (
                f"{session}/cancel",
                {"revision": "0", "code": "cancelled", "reason": "née le 01/02/1990"},
            ),
            "series-tried": ("/series/new", TRIED | {"do": "try"}),
            "series-wrong": ("/series/new", TRIED | {"do": "try", "exclude": "x"}),
            "series-later-refused": (f"{path}/dates", {"date": "2027-03-04T15:00"}),
            "series-answer-refused": (f"{path}/answer", {"site": "calais", "answer": "accepted", "room": "lens-1"}),
            "import-tried": ("/series/import", {"plan": PLAN, "do": "try"}),
            "tokens-wrong": ("/admin/tokens", {"name": "Zoé", "role": "coordinator"}),
        },
    )


TRIED = {
    "kind": "staff",
    "network": "perinat",
    "host": "lille",
    "site": "calais",
    "start": "2027-02-18",
    "hour": "15:00",
    "count": "4",
    "duration_minutes": "60",
}
