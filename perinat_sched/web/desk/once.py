"""A form that makes something carries a key of its own: sent twice, by back, reload or a double click, it makes one."""

from __future__ import annotations

from typing import Any

from perinat_sched.storage.idempotency import IdempotencyKey
from perinat_sched.web.desk.page import Visit

OF_THE_FORM = {"form_token", "key"}  # what says nothing of what is wanted


def once(visit: Visit[Any, Any], route: str) -> IdempotencyKey | None:
    """The key of the form that was sent, for what it wants; None where it has none."""
    form = visit.form
    if not form.key:
        return None
    return IdempotencyKey.of(visit.actor.token, route, form.key, form.model_dump_json(exclude=OF_THE_FORM))
