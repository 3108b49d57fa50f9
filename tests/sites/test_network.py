"""The network's own rules: which bridges, and whose word counts for set-up, notice and length."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from perinat_sched.sites.network import Bridge, Limits, Room
from tests.builders import a_directory, a_kind, a_site


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("kind", "room", "site", "set_up"),
    [
        (None, None, None, 30),
        (None, None, 20, 20),
        (None, 10, 20, 10),
        (5, 10, 20, 5),
        (0, 10, 20, 0),
        (None, 0, 20, 0),
        (5, None, None, 5),
    ],
    ids=[
        "the default",
        "the site",
        "room over site",
        "kind over room",
        "a kind of none",
        "a room of none",
        "kind alone",
    ],
)
@pytest.mark.parametrize("name", ["set_up_minutes", "release_minutes"])
def test_margins_are_the_kinds_else_the_rooms_else_the_sites(
    name: str, kind: int | None, room: int | None, site: int | None, set_up: int
) -> None:
    directory = a_directory(a_site("lille"), set_up_minutes=30, release_minutes=30)
    margins = directory.margins(
        replace(a_kind(), limits=Limits(**{name: kind})),
        a_site("lille", limits=Limits(**{name: site})),
        Room(code="lille-1", site="lille", name="Salle", limits=Limits(**{name: room})),
    )
    said, other = (margins.set_up, margins.release) if name == "set_up_minutes" else (margins.release, margins.set_up)
    assert said == minutes(set_up)
    assert other == minutes(30)  # one is said, the other stays as it was


def test_a_place_without_a_room_has_its_sites_margins() -> None:
    directory = a_directory(a_site("lille"))
    margins = directory.margins(None, a_site("lille", limits=Limits(set_up_minutes=45)), None)
    assert (margins.set_up, margins.release) == (minutes(45), minutes(15))


def test_notice_is_the_kinds_else_the_largest_of_the_sites() -> None:
    hurried, slow = (a_site(code, limits=Limits(minimum_notice_hours=h)) for code, h in (("lille", 1), ("arras", 48)))
    usual = a_site("calais")
    directory = a_directory(hurried, slow, usual, minimum_notice_hours=24)
    silent = replace(a_kind(), limits=Limits())
    assert directory.minimum_notice(a_kind(minimum_notice_hours=0), [slow]) == timedelta()
    assert directory.minimum_notice(silent, [hurried, slow, usual]) == timedelta(hours=48)
    assert directory.minimum_notice(silent, [hurried, usual]) == timedelta(hours=24)
    assert directory.minimum_notice(silent, [hurried]) == timedelta(hours=1)
    assert directory.minimum_notice(None, []) == timedelta(hours=24)


def test_length_is_the_smallest_of_what_is_said_else_the_default() -> None:
    site = a_site("lille", limits=Limits(max_duration_minutes=120))
    room = Room(code="lille-1", site="lille", name="Salle", limits=Limits(max_duration_minutes=90))
    directory = a_directory(site, max_duration_minutes=480)
    silent = replace(a_kind(), limits=Limits())
    assert directory.max_duration(silent, a_site("calais")) == minutes(480)
    assert directory.max_duration(silent, site) == minutes(120)
    assert directory.max_duration(silent, site, room) == minutes(90)
    assert directory.max_duration(a_kind(max_duration_minutes=60), site, room) == minutes(60)


def test_a_network_prefers_its_bridges_in_the_order_of_the_file() -> None:
    def bridge(code: str, *networks: str) -> Bridge:
        return Bridge(code=code, name=code, ports=4, networks=networks)

    bridges = [bridge("z", "perinat", "hpsm"), bridge("b", "hpsm"), bridge("a", "perinat")]
    directory = a_directory(a_site("lille"), bridges=bridges)
    assert [bridge.code for bridge in directory.bridges_of("perinat")] == ["z", "a"]
    assert directory.bridges_of("sih-lrt") == []
