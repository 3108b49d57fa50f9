"""How a feed is handed over: what a client says it takes, and what is kept of earlier answers."""

from __future__ import annotations

import pytest

from perinat_sched.feeds.edition import Edition, Shelf, accepts_gzip


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip, deflate, br", True),
        ("deflate;q=1.0, gzip; q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("identity", False),
        ("gzipped", False),
        ("gzip;level=9", False),
        (";;,,q=1", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it_and_nothing_else__http_04(accept_encoding: str | None, accepted: bool) -> None:
    assert accepts_gzip(accept_encoding) is accepted


def test_equal_bytes_have_equal_editions_and_others_have_other_etags() -> None:
    one, same, other = (Edition.of(body) for body in (b"a", b"a", b"b"))
    assert one == same
    assert len({e.etag(packed=packed) for e in (one, other) for packed in (False, True)}) == 4


def test_an_edition_is_handed_out_again_only_for_the_state_it_was_made_from() -> None:
    shelf, edition = Shelf(), Edition.of(b"a")
    assert shelf.get("feed", "monday") is None
    shelf.put("feed", "monday", edition)
    assert shelf.get("feed", "monday") is edition
    assert shelf.get("feed", "tuesday") is None
    assert shelf.get("other", "monday") is None


def test_the_longest_unread_goes_first_when_the_shelf_is_full() -> None:
    size = Edition.of(bytes(100)).size
    shelf = Shelf(limit=2 * size)
    for feed in ("a", "b"):
        shelf.put(feed, 1, Edition.of(bytes(100)))
    assert shelf.get("a", 1)
    shelf.put("c", 1, Edition.of(bytes(100)))
    assert [feed for feed in "abc" if shelf.get(feed, 1)] == ["a", "c"]


def test_an_edition_larger_than_the_shelf_is_not_kept() -> None:
    shelf = Shelf(limit=10)
    shelf.put("a", 1, Edition.of(b"x" * 11))
    assert shelf.get("a", 1) is None
