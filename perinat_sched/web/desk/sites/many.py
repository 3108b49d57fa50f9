"""Series that wait on the page of a site: one answer for all their dates, beside the answers date by date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from perinat_sched.booking.session import Session
from perinat_sched.people.access import SiteRef, may
from perinat_sched.sites.network import Site
from perinat_sched.web.desk.page import Visit
from perinat_sched.web.desk.series.new import when
from perinat_sched.web.desk.stale import SeenForm, numbered
from perinat_sched.web.schemas.base import LONGEST_CODE


class ManyForm(SeenForm):
    """A site's answer to every date of a series that is to come."""

    site: str = Field(default="", max_length=LONGEST_CODE)
    series: str = Field(default="", max_length=64)
    answer: Literal["accepted", "declined", "tentative"]


@dataclass(frozen=True, kw_only=True)
class Many:
    """A series of which several dates wait."""

    id: str
    seen: str  # what its form carries
    name: str
    when: str
    dates: int  # that wait
    hosted: bool  # by the site itself, which cannot decline
    may: bool


async def waiting(visit: Visit[Any, Any], site: Site, sessions: Sequence[Session]) -> list[Many]:
    """The series of which more than one date waits. One statement, whatever their number."""
    directory, counts = visit.services.directory, _counted(sessions)
    found = await visit.services.series.several(visit.actor, counts)
    return [
        Many(
            id=one.id,
            seen=numbered(one),
            name=one.session.title,
            when=when(one, directory, visit.language),
            dates=counts[one.id],
            hosted=one.session.host_site == site.code,
            may=may(visit.actor, "answer", SiteRef(site.code, one.subject), directory),
        )
        for one in found
    ]


def _counted(sessions: Sequence[Session]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for session in sessions:
        if session.series is not None:
            counts[session.series] = counts.get(session.series, 0) + 1
    return {series: count for series, count in counts.items() if count > 1}
