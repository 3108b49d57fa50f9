"""An edition of a feed, and how it is handed over the wire: whole, compressed, or not at all when it is known already.

Clients ask every few minutes or hours and mostly for nothing new, so each coding has its own strong ETag, made from
the exact bytes, and a client that has them gets 304. Last-Modified is when the bytes last changed, whatever the
reason: a session's own date would go back when it leaves the window, and some clients would miss that. What HEAD and
304 say (`Facts`) is kept in the database, so neither needs the bytes. (standards.md § D; RFC 9110)
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Literal, Self

MAX_AGE = 300  # seconds
DIGEST = 32  # hexadecimal digits
MOST_READ = 1000  # answers whose headers are kept ready

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_QUALITY = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a subscriber may ask for in the query of an address; each combination is a variant of its own."""

    alarm: int | None = None  # minutes before the start
    cancelled: bool = True  # whether cancelled sessions are shown
    free_busy: bool = False  # only when the place is taken, as VFREEBUSY

    @property
    def variant(self) -> str:
        """The query that asks for this; empty for the usual."""
        if self.free_busy:  # where alarms and cancelled sessions do not stand
            return "format=ifb"
        alarm = [] if self.alarm is None else [f"alarm={self.alarm}"]
        return "&".join([*alarm, *([] if self.cancelled else ["cancelled=no"])])


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How a client asks: what it has already, what it takes, and whether it wants the bytes at all."""

    if_none_match: str | None = None
    if_modified_since: str | None = None
    accept_gzip: bool = False
    head: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a feed's address answers. `body` is empty for 304 and for HEAD."""

    status: Literal[200, 304]
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is said of an edition without its bytes."""

    digest: str
    plain_bytes: int
    packed_bytes: int
    changed_at: datetime | None = None  # None: could not be recorded, so it is not said

    def etag(self, *, packed: bool) -> str:
        return f'"{self.digest}-gz"' if packed else f'"{self.digest}"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """The bytes of a feed at one moment, plain and compressed; equal plain bytes have equal ETags on every node."""

    plain: bytes
    packed: bytes

    @classmethod
    def of(cls, body: bytes) -> Self:
        return cls(plain=body, packed=gzip.compress(body, compresslevel=1, mtime=0))

    def facts(self) -> Facts:
        digest = hashlib.sha256(self.plain).hexdigest()[:DIGEST]
        return Facts(digest=digest, plain_bytes=len(self.plain), packed_bytes=len(self.packed))


def answer(facts: Facts, edition: Edition | None, name: str, asked: Asked) -> Published | None:
    """200 with the bytes, or 304 for a client that has them, in either coding; None where the bytes are needed.

    `name` becomes the file's name.
    """
    if (known := _known(facts, asked)) is not None:
        return Published(status=304, headers=_always(facts, known))
    if edition is None and not asked.head:
        return None
    packed = asked.accept_gzip
    headers = _whole(facts, name, packed)
    if edition is None or asked.head:
        return Published(status=200, headers=headers)
    return Published(status=200, headers=headers, body=edition.packed if packed else edition.plain)


@lru_cache(maxsize=MOST_READ)
def _whole(facts: Facts, name: str, packed: bool) -> tuple[tuple[str, str], ...]:
    return (
        *_always(facts, facts.etag(packed=packed)),
        ("Content-Type", "text/calendar; charset=utf-8"),
        ("Content-Disposition", f'inline; filename="{re.sub("[^A-Za-z0-9._-]", "-", name)}.ics"'),
        ("Content-Length", str(facts.packed_bytes if packed else facts.plain_bytes)),
        *([("Content-Encoding", "gzip")] if packed else []),
    )


def _known(facts: Facts, asked: Asked) -> str | None:
    """The ETag of the edition that the client has; None where it has another, or says nothing."""
    etag = facts.etag(packed=asked.accept_gzip)
    if asked.if_none_match is not None:  # If-Modified-Since does not count beside it (RFC 9110 § 13.1.3)
        if asked.if_none_match in (etag, "*"):
            return etag
        tags = _TAG.findall(asked.if_none_match)  # weak comparison: `W/` does not matter
        other = facts.etag(packed=not asked.accept_gzip)
        return next((known for known in (etag, other) if known in tags), None)
    if asked.if_modified_since is not None and facts.changed_at is not None:
        since = http_date(asked.if_modified_since)
        return etag if since is not None and facts.changed_at <= since else None
    return None


def http_date(text: str) -> datetime | None:
    """A date as HTTP writes it; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


@lru_cache(maxsize=MOST_READ)
def _always(facts: Facts, etag: str) -> tuple[tuple[str, str], ...]:
    """What stands in every answer: 304 carries what a 200 would (RFC 9110 § 15.4.5), and no address leaks."""
    changed = facts.changed_at
    return (
        ("ETag", etag),
        *([("Last-Modified", format_datetime(changed, usegmt=True))] if changed else []),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", f"private, max-age={MAX_AGE}"),
        ("X-Robots-Tag", "noindex"),
        ("Referrer-Policy", "no-referrer"),
    )


@lru_cache(maxsize=MOST_READ)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client that sends this Accept-Encoding takes gzip: named, or any coding, and not with `q=0`."""
    wanted: dict[str, bool] = {}
    for item in (accept_encoding or "").split(","):
        if match := _QUALITY.fullmatch(item):
            wanted[match[1].lower()] = (match[2] or "1").strip("0.") != ""
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", False)))
