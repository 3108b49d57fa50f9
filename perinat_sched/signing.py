"""Signatures with the installation's key: what we give out and may be shown again, unforged.

Each sort of thing has a purpose of its own, so that a signature for one is none for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

SEAL = 16  # bytes of the HMAC


@dataclass(frozen=True)
class Signer:
    """Seals and opens payloads; `purpose` says what for."""

    key: bytes

    def seal(self, purpose: str, payload: bytes) -> str:
        """The payload with its seal, in letters that may stand in an address."""
        return base64.urlsafe_b64encode(self._mac(purpose, payload) + payload).decode().rstrip("=")

    def secret(self, purpose: str, payload: bytes) -> str:
        """A secret of 256 bits that only this service can make, the same for the same payload."""
        made = hmac.new(self.key, purpose.encode() + b"\0" + payload, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def open(self, purpose: str, sealed: str) -> bytes | None:
        """The payload; None where it was not sealed for this."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        seal, payload = raw[:SEAL], raw[SEAL:]
        return payload if payload and hmac.compare_digest(seal, self._mac(purpose, payload)) else None

    def _mac(self, purpose: str, payload: bytes) -> bytes:
        return hmac.new(self.key, purpose.encode() + b"\0" + payload, hashlib.sha256).digest()[:SEAL]
