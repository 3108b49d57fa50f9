"""What this process keeps of feeds: the last edition of each variant, what it was made from, and what is gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, Self

from perinat_sched.feeds.calendar import Piece
from perinat_sched.feeds.edition import Answers, Edition, Facts, Options, Published
from perinat_sched.feeds.store import Feed
from perinat_sched.people.store import TokenRow

SHELF_BYTES = 64 * 1024 * 1024
MOST_GONE = 10_000
MOST_TOLD = 1_000
OVERHEAD = 2_000  # bytes of what is kept besides an edition, about

Key = tuple[str, Options]  # the hash of the address' secret, and what is asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the database said of an address when it was last asked."""

    feed: Feed
    owner: TokenRow
    stamp: int | None  # of `Changes`, taken before the database was asked
    since: float  # as long as it is the same day (UTC) and the owner's token has not expired
    until: float  # both in seconds since 1970, which are compared quicker than instants

    @classmethod
    def of(cls, feed: Feed, owner: TokenRow, stamp: int | None, now: datetime) -> Self:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(midnight + timedelta(days=1), owner.expires_at)
        return cls(feed=feed, owner=owner, stamp=stamp, since=midnight.timestamp(), until=until.timestamp())

    def holds(self, stamp: int | None, now: float) -> bool:
        """Whether nothing can have changed until `now` (seconds since 1970), by the stamp of then."""
        return stamp is not None and self.stamp == stamp and self.since <= now < self.until


# How a program asks, word for word: the secret of the address, what is asked for, the method, If-None-Match,
# If-Modified-Since and Accept-Encoding. Nearly every time it is the same.
Words = tuple[str, Options, str, str | None, str | None, str | None]


class Told(NamedTuple):
    """What was answered to such words: the answer to the same words, as long as what stood behind it holds."""

    address: str  # the hash of its secret
    answer: Published
    then: Standing


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A variant of a feed as it was then."""

    standing: Standing
    state: str  # SHA-256 of everything the edition is made from
    frame: str  # likewise, without the sessions: what every piece is made from
    facts: Facts
    edition: Edition | None = None  # None: nobody has needed the bytes here
    pieces: Mapping[str, Piece] = field(default_factory=dict)  # by "id:revision"

    @cached_property
    def answers(self) -> Answers:
        """What its address answers."""
        return Answers(self.facts, self.edition, self.standing.feed.of)

    @property
    def size(self) -> int:
        """Bytes of memory, about: pieces are as long as the plain edition together, sheets as the packed one."""
        return OVERHEAD + 2 * (len(self.edition.plain) + len(self.edition.packed) if self.edition else 0)


@dataclass
class Shelf:
    """Within `limit` bytes; the longest unread goes first, where reading what was just told does not count."""

    limit: int = SHELF_BYTES
    _kept: OrderedDict[Key, Kept] = field(default_factory=OrderedDict)
    _size: int = 0
    _gone: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _told: dict[Words, Told] = field(default_factory=dict)

    def told(self, words: Words) -> Told | None:
        return self._told.get(words)

    def tell(self, words: Words, told: Told) -> None:
        if (told.address, words[1]) not in self._kept:
            return  # it was too large
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told[words] = told

    def get(self, key: Key) -> Kept | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: Key, kept: Kept) -> None:
        self._remove(key)
        self._kept[key] = kept
        self._size += kept.size
        while self._size > self.limit:
            self._remove(next(iter(self._kept)))

    def end(self, hashed: str) -> None:
        """This address is gone for good: nothing revoked or expired comes back."""
        for key in [key for key in self._kept if key[0] == hashed]:
            self._remove(key)
        self._gone[hashed] = None
        if len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)

    def ended(self, hashed: str) -> bool:
        return hashed in self._gone

    def _remove(self, key: Key) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._size -= kept.size
            self._told.clear()  # which held its bytes
