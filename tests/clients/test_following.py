"""What changes arrives at the next visit, and what did not change is not sent again (HTTP-02, ICS-03, ICS-20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import office_of
from tests.clients.office import Office
from tests.clients.programme import WINDOW, YEAR
from tests.clients.readers import READERS

pytestmark = pytest.mark.xdist_group("following")  # its services are started once


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One service for all tests here: each finds what the others left, and books on days of its own."""
    folder = tmp_path_factory.mktemp("following")
    with office_of(folder / "service", f"sqlite:///{folder}/perinat.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def hours() -> Iterator[str]:
    """Hours that nobody has booked yet."""
    return (f"{day}T10:00" for day in YEAR)


@pytest.mark.parametrize("name", READERS)
def test_a_moved_a_cancelled_and_a_new_session_arrive_at_the_next_visit(
    name: str, office: Office, hours: Iterator[str], tmp_path: Path
) -> None:
    moved, cancelled, left, declined = (office.book(next(hours), required_sites=["calais"]) for _ in range(4))
    feeds = [office.open_feed("network", "perinat"), office.open_feed("site", "calais", "kind", "en")]
    reader = READERS[name]

    def agree() -> None:
        shown = reader.read([feed.url for feed in feeds], WINDOW, tmp_path)
        assert shown == [reader.shows(office.expected(feed)) for feed in feeds]

    agree()
    before = [len(office.expected(feed)) for feed in feeds]
    office.change(moved, start=next(hours))
    office.cancel(cancelled)
    office.change(left, required_sites=["lens"], title="Sans Calais, désormais")
    office.answer(declined, "calais", "declined")
    office.book(next(hours), required_sites=["calais"])
    assert [len(office.expected(feed)) for feed in feeds] == [before[0] + 1, before[1] - 1]
    agree()
    office("DELETE", f"sessions/{cancelled['id']}/cancellation")
    agree()


def test_evolution_asks_with_the_etag_and_gets_nothing_where_nothing_changed__http_02(
    office: Office, hours: Iterator[str], tmp_path: Path
) -> None:
    session = office.book(next(hours), required_sites=["calais"])
    feed = office.open_feed("network", "perinat")
    evolution = READERS["Evolution Data Server"].read

    before = len(office.feed_answers())
    first = evolution([feed.url], WINDOW, tmp_path)
    assert office.feed_answers()[before:].count(200) == 1
    seen = len(office.feed_answers())
    again = evolution([feed.url], WINDOW, tmp_path)
    assert set(office.feed_answers()[seen:]) == {304}
    assert first == again == [office.expected(feed)]

    office.cancel(session)
    seen = len(office.feed_answers())
    after = evolution([feed.url], WINDOW, tmp_path)
    assert office.feed_answers()[seen:].count(200) == 1
    assert after == [office.expected(feed)]


def test_a_second_sync_of_vdirsyncer_changes_nothing(office: Office, hours: Iterator[str], tmp_path: Path) -> None:
    """It asks for everything again, without an ETag; what it is given is byte for byte the same (ICS-04)."""
    for _ in range(3):
        office.book(next(hours), required_sites=["calais"])
    feed = office.open_feed("network", "perinat")

    def synced() -> dict[str, tuple[bytes, int]]:
        READERS["khal through vdirsyncer"].read([feed.url], WINDOW, tmp_path)
        return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (tmp_path / "feed0").glob("*.ics")}

    first = synced()
    assert len(first) == len(office.expected(feed))
    assert synced() == first
