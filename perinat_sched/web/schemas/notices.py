"""Mails, as those read of them whom they concern."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from perinat_sched.web.schemas.base import RFC3339, Paging, Told

NoticeState = Literal["due", "sent", "failed", "skipped"]


class NoticeFilter(Paging):
    """Which mails."""

    state: NoticeState | None = None


class NoticeOut(Told):
    """A mail about a session: to whom, when, and what became of it."""

    id: str
    session: str
    kind: str
    recipient: str
    due_at: RFC3339
    state: NoticeState
    attempts: int
    sent_at: RFC3339 | None
    message_id: str
    ambiguous: bool = Field(description="It may have been handed over twice: nobody can know")
    last_error: str | None = Field(description="What the relay said last, or why the mail was skipped")


class NoticeList(Told):
    items: list[NoticeOut]
    next: str | None
