"""A rendered feed, and how it is handed over the wire: whole, compressed, or not at all when it is known already.

Clients ask every few minutes or hours and mostly for nothing new, so each coding has its own strong ETag, made from
the exact bytes, and a client that has them gets 304. Nothing here says when something was modified: a date that moves
backwards when a session leaves the window would make some clients miss a change. (standards.md § D; RFC 9110)
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

MAX_AGE = 300  # seconds
SHELF_BYTES = 64 * 1024 * 1024

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_QUALITY = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a feed's address answers. `body` is empty for 304 and for HEAD."""

    status: Literal[200, 304]
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """The bytes of a feed at one moment, plain and compressed; equal plain bytes have equal ETags on every node."""

    plain: bytes
    packed: bytes
    digest: str

    @classmethod
    def of(cls, body: bytes) -> Edition:
        return cls(plain=body, packed=gzip.compress(body, mtime=0), digest=hashlib.sha256(body).hexdigest()[:32])

    def etag(self, *, packed: bool) -> str:
        return f'"{self.digest}-gz"' if packed else f'"{self.digest}"'

    @property
    def size(self) -> int:
        return len(self.plain) + len(self.packed)


def answer(edition: Edition, name: str, *, if_none_match: str | None, accept_gzip: bool, head: bool) -> Published:
    """200 with the bytes, or 304 for a client that has them, in either coding. `name` becomes the file's name."""
    etag = edition.etag(packed=accept_gzip)
    if if_none_match is not None:
        known = set(_TAG.findall(if_none_match))  # weak comparison: `W/` does not matter
        if if_none_match.strip() == "*" or etag in known:
            return Published(status=304, headers=_always(etag))
        if (other := edition.etag(packed=not accept_gzip)) in known:
            return Published(status=304, headers=_always(other))
    body = edition.packed if accept_gzip else edition.plain
    headers = [
        *_always(etag),
        ("Content-Type", "text/calendar; charset=utf-8"),
        ("Content-Disposition", f'inline; filename="{re.sub("[^A-Za-z0-9._-]", "-", name)}.ics"'),
        ("Content-Length", str(len(body))),
    ]
    if accept_gzip:
        headers.append(("Content-Encoding", "gzip"))
    return Published(status=200, headers=tuple(headers), body=b"" if head else body)


def _always(etag: str) -> tuple[tuple[str, str], ...]:
    """What stands in every answer: 304 carries what a 200 would (RFC 9110 § 15.4.5), and no address leaks."""
    return (
        ("ETag", etag),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", f"private, max-age={MAX_AGE}"),
        ("X-Robots-Tag", "noindex"),
        ("Referrer-Policy", "no-referrer"),
    )


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client that sends this Accept-Encoding takes gzip: named, or any coding, and not with `q=0`."""
    wanted: dict[str, bool] = {}
    for item in (accept_encoding or "").split(","):
        if match := _QUALITY.fullmatch(item):
            wanted[match[1].lower()] = (match[2] or "1").strip("0.") != ""
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", False)))


@dataclass(frozen=True)
class Shelf:
    """The last edition of each feed in this process, with the state it was made from; the longest unread goes first."""

    limit: int = SHELF_BYTES
    kept: OrderedDict[str, tuple[Hashable, Edition]] = field(default_factory=OrderedDict)

    def get(self, feed_id: str, state: Hashable) -> Edition | None:
        """The edition made from exactly this state."""
        made_from, edition = self.kept.get(feed_id, (None, None))
        if edition is None or made_from != state:
            return None
        self.kept.move_to_end(feed_id)
        return edition

    def put(self, feed_id: str, state: Hashable, edition: Edition) -> None:
        self.kept[feed_id] = (state, edition)
        self.kept.move_to_end(feed_id)
        while sum(kept.size for _, kept in self.kept.values()) > self.limit:
            self.kept.popitem(last=False)
