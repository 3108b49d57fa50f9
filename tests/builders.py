"""Small networks for tests: a few sites, their rooms, one bridge, all open on weekdays from 8 to 19."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from perinat_sched.sites.closures import Calendars
from perinat_sched.sites.network import (
    Bridge,
    Defaults,
    Directory,
    Kind,
    Limits,
    Network,
    OpeningHours,
    Reminder,
    Room,
    Site,
)

WEEKDAYS = frozenset(range(5))
OFFICE_HOURS = (OpeningHours(weekdays=WEEKDAYS, opens=8 * 60, closes=19 * 60),)
A_DAY_BEFORE = Reminder(text="P1D", days=1, rest=timedelta())
NO_CALENDARS = Calendars(agendas={}, room_zones={})


def a_site(code: str, *, rooms: Iterable[str] | None = None, **given: Any) -> Site:
    """A public maternity in Paris time with one room, `<code>-1`, that accepts automatically."""
    codes = [f"{code}-1"] if rooms is None else rooms
    usual: dict[str, Any] = {
        "name": code.capitalize(),
        "timezone": "Europe/Paris",
        "networks": ("perinat",),
        "opening_hours": OFFICE_HOURS,
        "contacts": (f"staff@{code}.example",),
        "phone": "+33 3 00 00 00 00",
    }
    return Site(
        code=code, rooms=tuple(Room(code=room, site=code, name=f"Salle {room}") for room in codes), **(usual | given)
    )


def a_partner(code: str = "sainte-justine", **given: Any) -> Site:
    """A partner in Montréal without managed rooms, which answers by hand."""
    usual = {"timezone": "America/Toronto", "kind": "partner", "answers": "by_hand", "rooms": ()}
    return a_site(code, **(usual | given))


def a_kind(code: str = "staff", **limits: int) -> Kind:
    """A staff meeting of 60 minutes with two hours' notice and a reminder a day before."""
    return Kind(
        code=code,
        name={"fr": "Staff de périnatalité", "en": "Perinatal staff meeting"},
        title={"fr": "Visio Périnat — staff", "en": "Périnat video — staff"},
        priority="clinical",
        duration_minutes=60,
        reminders=(A_DAY_BEFORE,),
        limits=Limits(**({"minimum_notice_hours": 2} | limits)),
    )


def a_directory(
    *sites: Site,
    ports: int | None = 12,
    bridges: Iterable[Bridge] | None = None,
    kinds: Iterable[Kind] | None = None,
    **defaults: int,
) -> Directory:
    """These sites in the network `perinat`, with one bridge `mcu` of `ports` ports (None: no bridge)."""
    if bridges is None:
        bridges = [Bridge(code="mcu", name="Pont", ports=ports, networks=("perinat",))] if ports else []
    networks = sorted({network for site in sites for network in site.networks} | {"perinat"})
    return Directory(
        networks={code: Network(code=code, name=code.capitalize()) for code in networks},
        bridges={bridge.code: bridge for bridge in bridges},
        kinds={kind.code: kind for kind in (kinds or [a_kind()])},
        sites={site.code: site for site in sites},
        rooms={room.code: room for site in sites for room in site.rooms},
        defaults=Defaults(**defaults),
    )
