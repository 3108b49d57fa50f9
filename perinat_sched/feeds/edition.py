"""An edition of a feed, and how it is handed over the wire: whole, compressed, or not at all when it is known already.

Clients ask every few minutes or hours and mostly for nothing new, so each coding has its own strong ETag, made from
the exact bytes, and a client that has them gets 304. Last-Modified is when the bytes last changed, whatever the
reason: a session's own date would go back when it leaves the window, and some clients would miss that. What HEAD and
304 say (`Facts`) is kept in the database, so neither needs the bytes. (standards.md § D; RFC 9110)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal, NamedTuple, Self

from multidict import CIMultiDict, CIMultiDictProxy

from perinat_sched.feeds.packing import Packed, Place, Sheet, pack

MAX_AGE = 300  # seconds
DIGEST = 32  # hexadecimal digits

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_QUALITY = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.IGNORECASE)


class Options(NamedTuple):
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


class Asked(NamedTuple):
    """How a client asks: what it has already, what it takes, and whether it wants the bytes at all."""

    if_none_match: str | None = None
    if_modified_since: str | None = None
    accept_gzip: bool = False
    head: bool = False

    @classmethod
    def by(cls, method: str, tags: str | None, since: str | None, encodings: str | None) -> Self:
        """From a request's method, its If-None-Match, If-Modified-Since and Accept-Encoding."""
        return cls(tags or None, since, accepts_gzip(encodings), method == "HEAD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a feed's address answers. `body` is empty for 304 and for HEAD."""

    status: Literal[200, 304]
    headers: CIMultiDictProxy[str]  # as the server copies them quickest
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
    digest: str  # hexadecimal
    sheets: Mapping[Place, Packed] = field(repr=False, compare=False)  # what it was packed from

    @classmethod
    def of(cls, *sheets: Sheet, before: Edition | None = None) -> Self:
        """The calendar of these sheets; what they share with the edition `before` is taken over."""
        made = pack(sheets, before.sheets if before else {})
        return cls(plain=made.plain, packed=made.packed, digest=made.digest.hex()[:DIGEST], sheets=made.sheets)

    def facts(self) -> Facts:
        return Facts(digest=self.digest, plain_bytes=len(self.plain), packed_bytes=len(self.packed))


class Answers:
    """What an address answers while an edition is current, each answer made once for all who ask.

    304 for a client that has the bytes, in either coding; 200 for others, with the bytes where they are here.
    """

    def __init__(self, facts: Facts, edition: Edition | None, name: str) -> None:
        """`name` becomes the file's name."""
        self._changed_at = facts.changed_at
        self._etags = [facts.etag(packed=packed) for packed in (False, True)]
        self._known = {etag: Published(status=304, headers=_ready(_always(facts, etag))) for etag in self._etags}
        self._heads = [Published(status=200, headers=_ready(_whole(facts, name, packed))) for packed in (False, True)]
        bodies = (edition.plain, edition.packed) if edition else ()
        self._whole = [replace(head, body=body) for head, body in zip(self._heads, bodies, strict=False)]

    def to(self, asked: Asked) -> Published | None:
        """None where the bytes are needed, and not here."""
        tags, since, packed, head = asked
        if tags is not None or since is not None:
            etag = tags if tags in self._known else self._etag_of(asked)  # most clients send just that
            if etag is not None:
                return self._known[etag]
        if head:
            return self._heads[packed]
        return self._whole[packed] if self._whole else None

    def _etag_of(self, asked: Asked) -> str | None:
        """The ETag of what the client has; None where that is something else, or it does not say."""
        tags, etag = asked.if_none_match, self._etags[asked.accept_gzip]
        if tags is not None:  # If-Modified-Since does not count beside it (RFC 9110 § 13.1.3)
            found = _TAG.findall(tags)  # weak comparison: `W/` does not matter
            other = self._etags[not asked.accept_gzip]
            return etag if tags == "*" else next((known for known in (etag, other) if known in found), None)
        if asked.if_modified_since is not None and self._changed_at is not None:
            since = http_date(asked.if_modified_since)
            return etag if since is not None and self._changed_at <= since else None
        return None


def _ready(headers: list[tuple[str, str]]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(headers))


def _whole(facts: Facts, name: str, packed: bool) -> list[tuple[str, str]]:
    return [
        *_always(facts, facts.etag(packed=packed)),
        ("Content-Type", "text/calendar; charset=utf-8"),
        ("Content-Disposition", f'inline; filename="{re.sub("[^A-Za-z0-9._-]", "-", name)}.ics"'),
        ("Content-Length", str(facts.packed_bytes if packed else facts.plain_bytes)),
        *([("Content-Encoding", "gzip")] if packed else []),
    ]


def _always(facts: Facts, etag: str) -> list[tuple[str, str]]:
    """What stands in every answer: 304 carries what a 200 would (RFC 9110 § 15.4.5), and no address leaks."""
    changed = facts.changed_at
    return [
        ("ETag", etag),
        *([("Last-Modified", format_datetime(changed, usegmt=True))] if changed else []),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", f"private, max-age={MAX_AGE}"),
        ("X-Robots-Tag", "noindex"),
        ("Referrer-Policy", "no-referrer"),
    ]


def http_date(text: str) -> datetime | None:
    """A date as HTTP writes it; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client that sends this Accept-Encoding takes gzip: named, or any coding, and not with `q=0`."""
    wanted: dict[str, bool] = {}
    for item in (accept_encoding or "").split(","):
        if match := _QUALITY.fullmatch(item):
            wanted[match[1].lower()] = (match[2] or "1").strip("0.") != ""
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", False)))
