"""Every page that lists something: the number of its SQL statements does not grow with what it lists."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import update

from perinat_sched.storage.tables import notices
from tests.web.callers import Api
from tests.web.desk.every_page import SERIES
from tests.web.desk.visitors import Visitor, signed_in

LISTS = {
    "week": "/week?of=network:perinat&day=2027-03-18",
    "week of a site": "/week?of=site:calais&day=2027-03-18",
    "door": "/rooms/calais-1/door?day=2027-03-18",
    "bridge": "/bridge?day=2027-03-18",
    "series": "/series",
    "my site": "/site?site=calais",
    "my calendar": "/calendar",
    "figures": "/figures?network=perinat&year=2027",
    "administration": "/admin",
    "sites": "/admin/sites",
    "closures": "/admin/closures?site=calais&year=2027",
    "bridges": "/admin/bridges",
    "tokens": "/admin/tokens",
    "mails": "/admin/mails",
    "audit": "/admin/audit",
}


async def more(api: Api, weeks: int, hours: list[int]) -> None:
    """Sessions, series, failed mails, closures, addresses and accesses: one of each an hour."""
    admin = await api.of("admin")
    for hour in hours:
        start = date(2027, 3, 4) - timedelta(weeks=weeks)
        await admin.book(required_sites=["calais", "lens"], start=f"2027-03-18T{hour:02}:00", duration_minutes=30)
        series = SERIES | {"start": f"{start}T{hour:02}:00", "duration_minutes": 30, "rrule": "FREQ=WEEKLY;COUNT=2"}
        series |= {"exclude": [], "required_sites": ["calais"]}
        assert (await admin("POST", "/series", series)).status == 201
        for place in ({"site": "calais"}, {"bridge": "mcu-lille"}):
            closure = {"from": f"2027-05-{hour:02}", "until": f"2027-05-{hour:02}", "reason": "Travaux"}
            assert (await admin("POST", "/closures", place | closure)).status == 201
    await api.services.delivery.plan()
    await api.services.database.write(lambda tx: tx.execute(update(notices).values(state="failed", last_error="no")))


async def costs(api: Api, visitor: Visitor) -> dict[str, int]:
    found = {}
    for name, path in LISTS.items():
        with api.services.database.counting() as count:
            answer = await visitor.get(path)
        assert answer.status == 200, answer.body.decode()
        found[name] = len(count.statements)
    return found


async def test_no_list_costs_more_statements_for_being_longer(api: Api) -> None:
    visitor = await signed_in(api)

    async def address(name: str) -> None:
        form = {"form_token": await visitor.form_token(), "of": "site:calais", "label": name}
        assert (await visitor.post("/calendar", form)).status == 303

    await more(api, 0, [9])
    await address("Un")
    few = await costs(api, visitor)
    await more(api, 1, [11, 13, 15, 17])
    for name in ("Deux", "Trois", "Quatre"):
        await address(name)
    pages = {name: (await visitor.get(path)).body for name, path in LISTS.items()}

    assert await costs(api, visitor) == few
    assert max(few.values()) <= 9
    assert pages["series"].count(b"<tr>") == 6 and pages["mails"].count(b"/retry") > 20
