"""How a feed is handed over: what a client says it takes, and what it has already."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from perinat_sched.feeds.calendar import Cover, Piece, sheets_of
from perinat_sched.feeds.edition import Answers, Asked, Edition, Options, accepts_gzip
from perinat_sched.feeds.face import Viewpoint

NOW = datetime(2027, 1, 15, 10, tzinfo=UTC)


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
    one, same, other = (Edition.of((body,)) for body in (b"a", b"a", b"b"))
    assert one == same
    assert len({e.facts().etag(packed=packed) for e in (one, other) for packed in (False, True)}) == 4


@pytest.mark.parametrize("seed", range(20))
def test_an_etag_is_of_the_bytes_whatever_they_were_made_from__http_02(seed: int) -> None:
    """Sessions come, go and change: bytes that were there before have the ETag of before, and no others have it."""
    dice = random.Random(seed)
    cover = Cover(name="x", zone="Europe/Paris", view=Viewpoint(language="fr"), organizer="visio@perinat.example")
    there: dict[int, bytes] = {}
    editions: list[Edition] = []
    for _ in range(200):
        number = dice.randrange(6)
        there[number] = dice.choice([b"", b"%d a\r\n" % number, b"%d b\r\n" % number])
        pieces = [Piece.of(NOW, str(seed * 6 + one), [None], text) for one, text in sorted(there.items()) if text]
        before = dice.choice([None, *editions[-1:]])
        editions.append(Edition.of(*sheets_of(cover, pieces), before=before))
    assert len({(e.plain, e.digest) for e in editions}) == len({e.plain for e in editions}) > 50
    assert len({e.digest for e in editions}) == len({e.plain for e in editions})


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("Fri, 15 Jan 2027 10:00:00 GMT", True),
        ("Fri, 15 Jan 2027 10:00:01 GMT", True),
        ("Friday, 15-Jan-27 10:00:00 GMT", True),
        ("Fri, 15 Jan 2027 09:59:59 GMT", False),
        ("Fri, 15 Jan 2027 10:00:00 +0100", False),
        ("2027-01-15T10:00:00Z", False),
        ("yesterday", False),
        ("Fri, 99 Jan 2027 10:00:00 GMT", False),
        ("", False),
    ],
)
def test_a_date_counts_to_the_second_and_one_that_is_none_does_not__http_03(sent: str, known: bool) -> None:
    edition = Edition.of((b"a",))
    facts = replace(edition.facts(), changed_at=datetime(2027, 1, 15, 10, tzinfo=UTC))
    told = Answers(facts, edition, "a").to(Asked(if_modified_since=sent))
    assert told is not None
    assert told.status == (304 if known else 200)
    both = Answers(facts, edition, "a").to(Asked(if_modified_since=sent, if_none_match='"another"'))
    assert both is not None and both.status == 200  # the ETag decides where there is one


def test_what_changed_at_an_unknown_instant_does_not_say_when__http_03() -> None:
    edition = Edition.of((b"a",))
    told = Answers(edition.facts(), edition, "a").to(Asked(if_modified_since="Fri, 15 Jan 2027 10:00:00 GMT"))
    assert told is not None
    assert (told.status, "Last-Modified" in dict(told.headers)) == (200, False)


def test_bytes_are_needed_for_a_get_alone() -> None:
    facts = Edition.of((b"a",)).facts()
    assert Answers(facts, None, "a").to(Asked()) is None
    assert Answers(facts, None, "a").to(Asked(head=True)) is not None
    assert Answers(facts, None, "a").to(Asked(if_none_match="*")) is not None


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        (Options(), ""),
        (Options(alarm=15), "alarm=15"),
        (Options(cancelled=False), "cancelled=no"),
        (Options(alarm=1440, cancelled=False), "alarm=1440&cancelled=no"),
    ],
)
def test_a_variant_is_named_as_it_is_asked_for(options: Options, variant: str) -> None:
    assert options.variant == variant
