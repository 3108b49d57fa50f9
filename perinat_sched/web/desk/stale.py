"""Forms about something that was changed after the page was opened: what changed, and whether it still holds.

A form carries what its page showed (`seen`). Where a session's hour, sites, rooms, link or status are others since, or
what is true of a series as a whole, nothing is done: the page says so, and sent once more the form is meant as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import Field

from perinat_sched.booking.session import Session
from perinat_sched.errors import InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.people.access import may
from perinat_sched.web.desk import offers
from perinat_sched.web.desk.page import PageForm, Visit
from perinat_sched.web.desk.sessions.deeds import Told, told

_SEEN = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})(?:@([0-9T:-]{16}))?")


class Numbered(Protocol):
    """A session or a series: what counts its changes."""

    @property
    def revision(self) -> int: ...

    @property
    def sequence(self) -> int: ...


class SeenForm(PageForm):
    """A form about something that others may change meanwhile."""

    seen: str = Field(default="", max_length=40)

    @property
    def sequence(self) -> int | None:
        """The last one that counts, as the page showed it; None: the form does not say. Raises InvalidRequest."""
        parts = self._parts()
        return int(parts[2]) if parts else None

    @property
    def revision(self) -> int | None:
        parts = self._parts()
        return int(parts[1]) if parts else None

    @property
    def start(self) -> str:
        """When the session was to be, by its own clock."""
        parts = self._parts()
        return (parts[3] or "") if parts else ""

    def _parts(self) -> re.Match[str] | None:
        parts = _SEEN.fullmatch(self.seen)
        if self.seen and parts is None:
            raise InvalidRequest.of("form", "This form cannot be read: open the page again.")
        return parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A field that somebody else's change, or the form, has otherwise."""

    field: Message
    now: str
    typed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stale:
    """It is no longer what the form showed."""

    deeds: Sequence[Told] = ()  # since then
    was: str = ""  # when it was to be, where that is another hour now
    now: str = ""
    differences: Sequence[Difference] = ()


def seen(session: Session) -> str:
    """What a page shows of a session, as its forms carry it."""
    return f"{numbered(session)}@{session.wall_start:%Y-%m-%dT%H:%M}"


def numbered(thing: Numbered) -> str:
    """The same of a series."""
    return f"{thing.revision}.{thing.sequence}"


async def meanwhile(visit: Visit[Any, Any], session: Session, form: SeenForm) -> Stale:
    """What became of a session since the page of a form; who did it, for those who may know."""
    directory, language, host = visit.services.directory, visit.language, session.host_site
    was = offers.typed(form.start, directory, language, host)
    now = offers.typed(f"{session.wall_start:%Y-%m-%dT%H:%M}", directory, language, host)
    return Stale(deeds=await since(visit, session, form.revision or 0), was=was if was != now else "", now=now)


async def since(visit: Visit[Any, Any], session: Session, revision: int) -> list[Told]:
    """What was done to a session after a revision of it."""
    if not may(visit.actor, "change", session.subject, visit.services.directory):
        return []
    deeds = await visit.services.history.of(visit.actor, session)
    return [told(visit, deed) for deed in deeds if deed.revision is not None and deed.revision > revision]
