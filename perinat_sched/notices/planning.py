"""Planning: which rows there are to be, written down before anything is sent.

A session that changed is planned by whoever locks it first; two planners of the same session plan the same rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from perinat_sched.booking.session import Session
from perinat_sched.intervals import Interval
from perinat_sched.notices import drift, policy, store
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.policy import Plan
from perinat_sched.sites.network import Directory
from perinat_sched.storage.database import Database, Tx
from perinat_sched.zones import ODD_OFFSET_DAYS, Clock

BATCH = 20  # sessions planned in one transaction
LOOK_FOR_ODD_WEEKS = timedelta(hours=1)


class Planning:
    """Plans the notices of one database.

    `domain`: of Message-IDs; `settle`: how long after a change its mail is due.
    """

    def __init__(
        self, *, database: Database, directory: Directory, clock: Clock, domain: str, settle: timedelta
    ) -> None:
        self.database = database
        self.directory = directory
        self.clock = clock
        self.domain = domain
        self.settle = settle
        self._odd_weeks_seen: datetime | None = None

    async def plan(self) -> list[Plan]:
        """Insert the notices that some changed sessions call for; none where no session waits for it."""
        return await self.database.write(self._plan)

    async def _plan(self, tx: Tx) -> list[Plan]:
        now = self.clock()
        sessions = await store.unplanned(tx, BATCH)
        if not sessions:
            return []
        rows = await store.of_sessions(tx, [session.id for session in sessions], locked=True)
        plans = [(session, self._plan_of(session, rows[session.id], now)) for session in sessions]
        await store.write(tx, plans)
        return [plan for _, plan in plans]

    def _plan_of(self, session: Session, rows: list[Notice], now: datetime) -> Plan:
        return policy.plan(session, self.directory, rows, now=now, domain=self.domain, settle=self.settle)

    async def plan_odd_weeks(self) -> None:
        """Once an hour: insert the notices that the odd weeks of the next fortnight call for."""
        now = self.clock()
        if self._odd_weeks_seen and now - self._odd_weeks_seen < LOOK_FOR_ODD_WEEKS:
            return
        rows: list[Notice] = []
        async with self.database.read() as tx:
            ahead = Interval(now, now + drift.AHEAD + timedelta(days=ODD_OFFSET_DAYS))
            for period in drift.periods(await store.zones_of_sessions(tx, ahead), self.directory, now):
                sessions = await store.sessions_of(tx, period)
                rows += drift.warnings(period, sessions, self.directory, now=now, domain=self.domain)
            known = await store.keys_of(tx, [row.key for row in rows])
        new = [row for row in rows if row.key not in known]
        if new:
            await self.database.write(lambda tx: store.add(tx, new))
        self._odd_weeks_seen = now
