"""Cursors: where a list goes on, sealed, so that one only opens the list it was made for, to whom it was given.

A cursor is an id in another shape, so it is authorised like one: the seal covers the caller, the route and the
question, and a foreign or tampered cursor is an invalid request, nothing more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from perinat_sched.errors import InvalidRequest

SEAL = 16  # bytes of the HMAC


@dataclass(frozen=True)
class Cursors:
    """Seals and opens cursors with a key of the installation."""

    key: bytes

    def seal(self, context: str, position: list[str]) -> str:
        """The cursor for `position` in the list that `context` (caller, route, question) names."""
        payload = json.dumps(position).encode()
        return base64.urlsafe_b64encode(self._mac(context, payload) + payload).decode().rstrip("=")

    def open(self, context: str, cursor: str) -> list[str]:
        """The position in a cursor. Raises InvalidRequest where it was not sealed for this."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        seal, payload = raw[:SEAL], raw[SEAL:]
        if not payload or not hmac.compare_digest(seal, self._mac(context, payload)):
            raise InvalidRequest.of("cursor", "This cursor does not belong to this list: begin without one.")
        return [str(part) for part in json.loads(payload)]

    def _mac(self, context: str, payload: bytes) -> bytes:
        mac = hmac.new(self.key, b"cursor\0" + context.encode() + b"\0" + payload, hashlib.sha256)
        return mac.digest()[:SEAL]
