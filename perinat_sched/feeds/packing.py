"""gzip of a long text of which little changes: what is as it was is not compressed again.

A text comes in sheets. Each is compressed with the one before it as its dictionary, so together they are about as
short as in one go, and what a sheet becomes depends on these two alone: sheets that were packed before are taken over.
The same sheets give the same bytes, whatever was packed before. (RFC 1951, 1952; pigz packs like this, in parallel)
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from itertools import chain, pairwise
from typing import NamedTuple

LEVEL = 1  # the quickest
REACH = 32 * 1024  # bytes back to which deflate can refer

Sheet = tuple[bytes, ...]  # in parts: so it is known again without being joined
Place = tuple[Sheet, Sheet]  # a sheet behind another

_HEAD = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"  # deflate, no name, no hour, quickest, any system
_END = b"\x03\x00"  # the last block, with nothing in it


class Packed(NamedTuple):
    """A sheet behind another, compressed, and the SHA-256 of its text."""

    deflated: bytes
    digest: bytes


class Pack(NamedTuple):
    """A whole text, the same as gzip, and what became of each sheet."""

    plain: bytes
    packed: bytes
    digest: bytes  # SHA-256 of the digests of its sheets: what is as it was is not hashed again either
    sheets: Mapping[Place, Packed]


def pack(sheets: Iterable[Sheet], known: Mapping[Place, Packed]) -> Pack:
    """The text of these sheets; `known` are those of another text."""
    places = list(pairwise([(), *sheets]))
    done = {place: known.get(place) or _packed(*place) for place in places}
    plain = b"".join(chain.from_iterable(sheet for _, sheet in places))
    end = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) % 2**32).to_bytes(4, "little")
    ordered = [done[place] for place in places]
    packed = b"".join([_HEAD, *(each.deflated for each in ordered), _END, end])
    digest = hashlib.sha256(b"".join([each.digest for each in ordered])).digest()
    return Pack(plain, packed, digest, done)


def _packed(before: Sheet, sheet: Sheet) -> Packed:
    text, dictionary = b"".join(sheet), b"".join(before)[-REACH:]
    press = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
    return Packed(press.compress(text) + press.flush(zlib.Z_SYNC_FLUSH), hashlib.sha256(text).digest())
