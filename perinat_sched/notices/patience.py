"""How a relay that is away is waited for: one mail asks for it now and then, and all the others wait with it.

So an hour without a relay costs a dozen calls, however many mails wait; none of them uses up its own attempts or ends
in a long pause of its own, and when the relay is back they leave within minutes, the oldest first, as fast as it takes
them (`outbox`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 5)]  # after the 1st, 2nd, every further call in vain
JITTER = 0.2
LONGEST = PAUSES[-1] * (1 + JITTER)


class Patience:
    """Of one process towards its relay."""

    def __init__(self, chance: Callable[[float, float], float]) -> None:
        self._chance = chance
        self._in_vain = 0
        self._until: datetime | None = None  # None: as far as we know, the relay is there

    @property
    def until(self) -> datetime | None:
        """Until when the relay is left alone, as far as it is known to be away."""
        return self._until

    def limit(self, now: datetime, most: int) -> int:
        """How many mails may be tried now: none while the relay is left alone, then one to ask for it, else `most`.

        A pause that lies further off than any pause can is one of a clock that was put back: it is over.
        """
        if self._until is None:
            return most
        return 0 if now < self._until <= now + LONGEST else 1

    def away(self, now: datetime) -> datetime:
        """Nobody was there; until when to leave it alone."""
        pause = PAUSES[min(self._in_vain, len(PAUSES) - 1)] * self._chance(1 - JITTER, 1 + JITTER)
        self._in_vain += 1
        self._until = now + pause
        return self._until

    def there(self) -> None:
        """It has spoken to us."""
        self._in_vain, self._until = 0, None
