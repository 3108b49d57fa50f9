"""A small network and its sessions, for the tests of feeds; and how a feed is compared with its golden file."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from perinat_sched import zones
from perinat_sched.booking.session import Answer, Participation, Session
from perinat_sched.feeds.calendar import Cover
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.sites.network import (
    Bridge,
    Defaults,
    Directory,
    Kind,
    Language,
    Network,
    OpeningHours,
    Room,
    Site,
)

GOLDEN = Path(__file__).parent.parent / "golden"
ORGANIZER = "Périnat – planification <visio@perinat.example>"
CREATED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
UPDATED = datetime(2026, 12, 7, 8, 15, tzinfo=UTC)

HOURS = (OpeningHours(weekdays=frozenset(range(5)), opens=8 * 60, closes=19 * 60),)


def site(code: str, name: str, city: str | None, timezone: str = "Europe/Paris", **more: Any) -> Site:
    rooms = more.pop("rooms", ())
    return Site(
        code=code,
        name=name,
        city=city,
        timezone=timezone,
        networks=more.pop("networks", ("perinat",)),
        opening_hours=HOURS,
        rooms=tuple(Room(code=room, site=code, name=called) for room, called in rooms),
        **more,
    )


def kind(code: str, french: str, english: str) -> Kind:
    name = {"fr": french, "en": english}
    return Kind(code=code, name=name, title=name, priority="clinical", duration_minutes=60, reminders=())


def directory(*sites: Site) -> Directory:
    places = sites or (
        site(
            "lille",
            "CHU de Lille – Jeanne de Flandre",
            "Lille",
            networks=("perinat", "metropole"),
            rooms=[("lille-1", "Salle de staff"), ("lille-2", "Salle CPDPN")],
        ),
        site("calais", "CH de Calais", "Calais", rooms=[("calais-1", "Salle de réunion")]),
        site("sainte-justine", "CHU Sainte-Justine", "Montréal", "America/Toronto", kind="partner"),
        site("reunion", "CHU de La Réunion", "Saint-Denis", "Indian/Reunion", kind="partner"),
        site("noumea", "CHT de Nouvelle-Calédonie", "Nouméa", "Pacific/Noumea", kind="partner"),
    )
    return Directory(
        networks={
            "perinat": Network(code="perinat", name="Périnat Nord–Pas-de-Calais"),
            "metropole": Network(code="metropole", name="Lille Métropole"),
        },
        bridges={"mcu-lille": Bridge(code="mcu-lille", name="Pont", ports=12, networks=("perinat",))},
        kinds={
            "staff": kind("staff", "Staff de périnatalité", "Perinatal staff meeting"),
            "cpdpn": kind("cpdpn", "CPDPN", "Prenatal diagnosis meeting"),
        },
        sites={place.code: place for place in places},
        rooms={room.code: room for place in places for room in place.rooms},
        defaults=Defaults(),
    )


NETWORK = directory()


def part(code: str, answer: Answer = "accepted", *, room: str | None = None, required: bool = True) -> Participation:
    return Participation(site=code, required=required, room=room, answer=answer, held=answer != "declined")


PARTS = (
    part("lille", room="lille-1"),
    part("calais", room="calais-1"),
    part("sainte-justine", required=False),
)


def session(wall: str = "2027-01-21T15:00", **changes: Any) -> Session:
    """A confirmed hour in Lille with Calais and Montréal, unless said otherwise."""
    timezone, fold = changes.get("timezone", "Europe/Paris"), changes.get("fold", 0)
    wall_start = datetime.fromisoformat(wall)
    facts: dict[str, Any] = {
        "id": "5f8d2c1e-0000-4000-8000-000000000001",
        "revision": 3,
        "sequence": 1,
        "status": "confirmed",
        "kind": "staff",
        "title": "Visio Périnat — staff",
        "description": "",
        "network": "perinat",
        "host_site": "lille",
        "wall_start": wall_start,
        "timezone": timezone,
        "fold": fold,
        "start": zones.to_utc(wall_start, timezone, fold),
        "duration": timedelta(hours=1),
        "tzdata_version": zones.TZDATA_VERSION,
        "participations": PARTS,
        "bridge": "mcu-lille",
        "ports": 3,
        "join_url": "https://visio.example/salle/perinat?x=1,2;y",
        "access_code": "SECRET-4711",
        "override_reason": None,
        "created_at": CREATED,
        "updated_at": UPDATED,
    }
    facts |= changes
    return Session(**{"uid": f"{facts['id']}@perinat.example", **facts})


def cover(language: Language = "fr", *, site: str | None = "lille", **more: Any) -> Cover:
    facts: dict[str, Any] = {"name": "CHU de Lille – Jeanne de Flandre", "zone": "Europe/Paris"}
    looked_at = {name: more.pop(name) for name in ("room", "observer", "alarm") if name in more}
    view = Viewpoint(language=language, site=site, **looked_at)
    return Cover(view=view, organizer=ORGANIZER, **(facts | more))


def same_as_golden(name: str, actual: bytes) -> None:
    """What leaves the house is compared whole. GOLDEN=write accepts what is there now: then read the difference."""
    file = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        file.write_bytes(actual)
    assert actual.decode().split("\r\n") == file.read_bytes().decode().split("\r\n")
