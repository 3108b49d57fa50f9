"""How often a booking was refused, by reason: counted where it is refused, so that it is the same for every caller."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from perinat_sched.availability.conflicts import Code
from perinat_sched.errors import BookingRefused

R = TypeVar("R", bound=BookingRefused)


class Refusals(Counter[Code]):
    """By code, since the service began."""

    def counted(self, refused: R) -> R:
        """One more, with each of its reasons."""
        self.update(conflict.code for conflict in refused.conflicts)
        return refused
