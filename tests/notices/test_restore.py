"""After the database was put back, nobody is written to about what was due before: it may have been sent already."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perinat_sched.storage.backup import HELD, backup, restore
from tests.conftest import opened
from tests.notices.conftest import PostRoom
from tests.notices.examples import session

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def test_mails_that_were_due_before_a_restore_are_held_and_later_ones_are_sent(
    database_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    about = session(f"{now + timedelta(days=3):%Y-%m-%dT15:00}", created_at=now, updated_at=now)
    async with opened(database_url) as database:
        room = PostRoom(database, now=now)
        await room.book(about)
        await room.delivery().plan()
        await asyncio.to_thread(backup, database_url, tmp_path / "copy.db")
    await asyncio.to_thread(restore, database_url, tmp_path / "copy.db")
    async with opened(database_url) as database:
        room = PostRoom(database, now=now)
        await room.delivery().run_once()
        assert room.mailbox.raw == []
        rows = await room.rows(about)
        assert {(row.state, row.last_error) for row in rows if not row.lead} == {("failed", HELD)}
        room.now = about.start - timedelta(days=1)
        await room.delivery().run_once()
        assert [word for _, word in room.mailbox.subjects] == ["Rappel"] * 4
