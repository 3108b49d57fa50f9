"""Cursors: where a list goes on, sealed, so that one only opens the list it was made for, to whom it was given.

A cursor is an id in another shape, so it is authorised like one: the seal covers the caller, the route and the
question, and a foreign or tampered cursor is an invalid request, nothing more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from perinat_sched.errors import InvalidRequest
from perinat_sched.signing import Signer


@dataclass(frozen=True)
class Cursors:
    """Seals and opens cursors."""

    signer: Signer

    def seal(self, context: str, position: list[str]) -> str:
        """The cursor for `position` in the list that `context` (caller, route, question) names."""
        return self.signer.seal(f"cursor\0{context}", json.dumps(position).encode())

    def open(self, context: str, cursor: str) -> list[str]:
        """The position in a cursor. Raises InvalidRequest where it was not sealed for this."""
        payload = self.signer.open(f"cursor\0{context}", cursor)
        if payload is None:
            raise InvalidRequest.of("cursor", "This cursor does not belong to this list: begin without one.")
        return [str(part) for part in json.loads(payload)]
