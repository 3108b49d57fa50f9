"""Who wants no reminders: each reminder carries a signed address by which its reader stops them, and gets them again.

Only reminders stop. Invitations, changes and cancellations go on: who does not hear of them stands before a dark
screen. The address names its reader and is signed, so it needs no login, works from any mail program (RFC 8058), and
stops nobody else's mail.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from perinat_sched.errors import NotFound
from perinat_sched.notices import store
from perinat_sched.signing import Signer
from perinat_sched.storage import audit
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import Clock

PURPOSE = "unsubscribe"
READER = "reader"  # who acts, in the audit: whoever has the mail


@dataclass(frozen=True, kw_only=True)
class Unsubscribing:
    """Stops and resumes the reminders to an address."""

    database: Database
    clock: Clock
    signer: Signer
    public_url: str

    def url(self, address: str) -> str:
        """Where the reminders to an address are stopped."""
        return f"{self.public_url}/unsubscribe/{self.signer.seal(PURPOSE, address.encode())}"

    async def stopped(self, token: str) -> bool:
        """Whether the reminders of a link's reader are stopped. Raises NotFound where the link is none of ours."""
        address = self._address(token)
        async with self.database.read() as tx:
            return bool(await store.unsubscribed(tx, [address]))

    async def stop(self, token: str) -> None:
        """No more reminders. Doing so twice changes nothing. Raises NotFound."""
        await self._set(token, stopped=True)

    async def resume(self, token: str) -> None:
        """Reminders again, those that are still to come. Raises NotFound."""
        await self._set(token, stopped=False)

    async def _set(self, token: str, *, stopped: bool) -> None:
        address, now = self._address(token), self.clock()

        async def work(tx: Tx) -> None:
            if not await store.set_unsubscribed(tx, address, now if stopped else None):
                return
            await audit.record(
                tx,
                at=now,
                actor=READER,
                action="reminders_stopped" if stopped else "reminders_resumed",
                object_type="address",
                object_id=hashlib.sha256(address.casefold().encode()).hexdigest(),
            )

        await self.database.write(work)

    def _address(self, token: str) -> str:
        payload = self.signer.open(PURPOSE, token)
        if payload is None:
            raise NotFound
        return payload.decode()
