"""The seals of the audit: whoever changes or removes a line, in the file itself, is found out.

Soon after it was written each line gets a seal, an HMAC with the installation's key over the seal before and the
line, so that the seals are a chain. The database's guards stop programs from changing the audit; the chain shows what
was done behind their back. The lines that were removed from the end, seals and all, only show against a head that
was kept elsewhere: it is logged once a day. Sealed is what was committed, in the order in which it was found: to chain
lines within their own transactions would let one booking through at a time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select

from perinat_sched.storage.database import Database, Tx
from perinat_sched.storage.tables import audit, audit_seals
from perinat_sched.zones import Clock

logger = logging.getLogger(__name__)

BATCH = 500
LATE = 10_000  # how many lines later another may still be committed
SOON = timedelta(minutes=1)  # a line that is older has its seal, and no transaction lasts longer
FIRST = "0" * 64  # the seal before the first


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a reading of the whole chain found."""

    sealed: int  # lines
    broken: tuple[int, ...]  # their places in the chain: the line is gone, or is not what was sealed
    unsealed: int  # lines that should have a seal
    head: str  # the last seal

    @property
    def whole(self) -> bool:
        return not self.broken and not self.unsealed


class Seals:
    """Seals what was written, and reads it over again."""

    def __init__(self, database: Database, key: bytes, clock: Clock) -> None:
        self._database = database
        self._key = hmac.new(key, b"audit", hashlib.sha256).digest()
        self._clock = clock
        self._newest = 0  # line that has been looked at, and since when it is the newest
        self._since: datetime | None = None

    async def seal(self) -> int:
        """Seal what has none yet; how many lines. Several nodes may do so at once: one of them does."""
        async with self._database.read() as tx:
            newest = (await tx.execute(select(func.max(audit.c.id)))).scalar_one() or 0
        now = self._clock()
        if newest != self._newest or self._since is None:
            self._newest, self._since = newest, now
        elif now - self._since > SOON:  # no transaction that drew an earlier number is open any more
            return 0
        done = 0
        while count := await self._database.write(self._seal_some):
            done += count
        return done

    async def _seal_some(self, tx: Tx) -> int:
        position, mac = await _head(tx)
        rows = (await tx.execute(_unsealed().limit(BATCH))).all()
        seals = []
        for number, row in enumerate(rows, position + 1):
            mac = self._mac(mac, row)
            seals.append({"position": number, "audit_id": row.id, "mac": mac})
        if seals:
            await tx.execute(insert(audit_seals), seals)
        return len(seals)

    async def tell_head(self) -> None:
        """Log the last seal: who keeps the log can show that nothing was cut off."""
        async with self._database.read() as tx:
            position, mac = await _head(tx)
        logger.info("the audit's seal", extra={"action": "audit_sealed", "lines": position, "head": mac})

    async def verify(self) -> Verdict:
        """Read the whole chain."""
        mac, broken, places = FIRST, [], 0
        async with self._database.read() as tx:
            async for seal, row in _chain(tx):
                places += 1
                right = row is not None and hmac.compare_digest(self._mac(mac, row), seal.mac)
                if not right or seal.position != places:
                    broken.append(seal.position)
                    places = seal.position
                mac = seal.mac
            late = _unsealed().where(audit.c.at < self._clock() - SOON).subquery()
            unsealed = (await tx.execute(select(func.count()).select_from(late))).scalar_one()
        return Verdict(sealed=places, broken=tuple(broken), unsealed=unsealed, head=mac)

    def _mac(self, before: str, row: Row[Any]) -> str:
        line = [row.id, int(row.at.timestamp()), row.actor, row.action, row.object_type, row.object_id, row.details]
        said = json.dumps(line, sort_keys=True, ensure_ascii=False).encode()
        return hmac.new(self._key, before.encode() + b"\n" + said, hashlib.sha256).hexdigest()


async def _head(tx: Tx) -> tuple[int, str]:
    query = select(audit_seals.c.position, audit_seals.c.mac).order_by(audit_seals.c.position.desc()).limit(1)
    found = (await tx.execute(query)).one_or_none()
    return (found.position, found.mac) if found else (0, FIRST)


def _unsealed() -> Any:
    """Lines without a seal, among those that may have come late."""
    sealed = select(audit_seals.c.audit_id).where(audit_seals.c.audit_id == audit.c.id)
    newest = select(func.coalesce(func.max(audit_seals.c.audit_id), 0)).scalar_subquery()
    return select(audit).where(audit.c.id > newest - LATE, ~sealed.exists()).order_by(audit.c.id)


async def _chain(tx: Tx) -> AsyncIterator[tuple[Row[Any], Row[Any] | None]]:
    """Each seal with its line, in order."""
    after = 0
    while seals := await _seals(tx, after):
        lines = select(audit).where(audit.c.id.in_([seal.audit_id for seal in seals]))
        rows = {row.id: row for row in await tx.execute(lines)}
        for seal in seals:
            yield seal, rows.get(seal.audit_id)
        after = seals[-1].position


async def _seals(tx: Tx, after: int) -> Sequence[Row[Any]]:
    query = select(audit_seals).where(audit_seals.c.position > after).order_by(audit_seals.c.position).limit(BATCH)
    return (await tx.execute(query)).all()
