"""What a process keeps of feeds, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from perinat_sched.feeds.edition import Asked, Edition, Options
from perinat_sched.feeds.shelf import MOST_GONE, MOST_TOLD, Kept, Shelf, Standing, Told, Words
from perinat_sched.feeds.store import Feed
from perinat_sched.people.store import TokenRow

NOW = datetime(2027, 1, 15, 10, tzinfo=UTC)
FEED = Feed(
    id="f", owner="t", scope="site", of="calais", detail="full", label="", language="fr", kinds=(), created_at=NOW
)
OWNER = TokenRow(
    id="t", name="t", role="admin", sites=(), networks=(), person=None, email=None,
    created_at=NOW, expires_at=NOW + timedelta(days=1),
)  # fmt: skip
STANDING = Standing.of(FEED, OWNER, 1, NOW)


def kept(body: bytes) -> Kept:
    edition = Edition.of((body,))
    return Kept(standing=STANDING, state="s", frame="f", facts=edition.facts(), edition=edition)


def on(shelf: Shelf) -> str:
    return "".join(name for name in "abc" if shelf.get((name, Options())))


def test_the_longest_unread_goes_first_when_the_shelf_is_full() -> None:
    shelf = Shelf(limit=2 * kept(bytes(100)).size)
    for name in "ab":
        shelf.put((name, Options()), kept(bytes(100)))
    assert shelf.get(("a", Options()))
    shelf.put(("c", Options()), kept(bytes(100)))
    assert on(shelf) == "ac"


def test_a_new_edition_takes_the_place_of_the_one_before() -> None:
    shelf = Shelf(limit=2 * kept(bytes(100)).size)
    for name in "aaab":
        shelf.put((name, Options()), kept(bytes(100)))
    assert on(shelf) == "ab"


def test_an_edition_larger_than_the_shelf_is_not_kept() -> None:
    shelf = Shelf(limit=10)
    shelf.put(("a", Options()), kept(b"x"))
    assert on(shelf) == ""


def test_an_address_that_ended_is_known_as_such_in_every_variant() -> None:
    shelf = Shelf()
    shelf.put(("a", Options()), kept(b"a"))
    shelf.put(("a", Options(alarm=5)), kept(b"a"))
    shelf.end("a")
    assert (shelf.ended("a"), shelf.ended("b"), on(shelf), shelf.get(("a", Options(alarm=5)))) == (
        True,
        False,
        "",
        None,
    )


def test_ended_addresses_without_number_do_not_fill_the_memory() -> None:
    shelf = Shelf()
    for number in range(MOST_GONE + 1):
        shelf.end(str(number))
    assert (shelf.ended("0"), shelf.ended("1"), shelf.ended(str(MOST_GONE))) == (False, True, True)


def words(address: str, encodings: str = "gzip") -> Words:
    return (f"secret of {address}", Options(), "GET", None, None, encodings)


def told(address: str, body: bytes) -> Told:
    answer = kept(body).answers.to(Asked())
    assert answer is not None
    return Told(address, answer, STANDING)


def test_what_was_told_goes_with_what_it_was_told_from() -> None:
    shelf = Shelf(limit=2 * kept(bytes(100)).size)
    for name in "ab":
        shelf.put((name, Options()), kept(bytes(100)))
        shelf.tell(words(name), told(name, bytes(100)))
    assert shelf.told(words("a")) and shelf.told(words("b"))
    shelf.put(("c", Options()), kept(bytes(100)))
    assert on(shelf) == "bc"
    assert shelf.told(words("a")) is None
    shelf.tell(words("b"), told("b", bytes(100)))
    shelf.end("b")
    assert shelf.told(words("b")) is None


def test_an_answer_larger_than_the_shelf_is_not_kept_by_its_words_either() -> None:
    shelf = Shelf(limit=10)
    shelf.put(("a", Options()), kept(b"x"))
    shelf.tell(words("a"), told("a", b"x"))
    assert shelf.told(words("a")) is None


def test_whoever_asks_in_ever_other_words_fills_no_memory() -> None:
    shelf = Shelf()
    shelf.put(("a", Options()), kept(b"x"))
    for number in range(2 * MOST_TOLD + 5):
        shelf.tell(words("a", f"gzip;q=0.{number}"), told("a", b"x"))
    assert len(shelf._told) <= MOST_TOLD
    assert shelf.told(words("a", f"gzip;q=0.{number}"))
