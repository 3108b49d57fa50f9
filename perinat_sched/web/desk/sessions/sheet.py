"""A session as it stands in a form: to be booked, or to be changed. What was typed stays what was typed.

Nothing is checked here but numbers: what is wrong with a session is said by the actions, for the API and for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from perinat_sched.booking.request import Asked, Changes, asked_again
from perinat_sched.booking.session import Session
from perinat_sched.booking.slot_request import common_network
from perinat_sched.sites.network import Directory
from perinat_sched.web.desk.page import PageForm
from perinat_sched.web.desk.wrongs import whole_number
from perinat_sched.web.schemas.base import MOST_SITES

NUMBERS = 10
CODE = 100
LINE = 2_500  # the longest that is read: what is too long is said by the actions
TEXT = 40_000


class SheetForm(PageForm):
    """The fields. `take` is an alternative that was chosen, `do` what else a button asked for."""

    kind: str = Field(default="", max_length=CODE)
    host: str = Field(default="", max_length=CODE)
    network: str = Field(default="", max_length=CODE)
    site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    optional_site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    room: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    start: str = Field(default="", max_length=CODE)
    fold: str = Field(default="", max_length=NUMBERS)
    duration_minutes: str = Field(default="", max_length=NUMBERS)
    title: str = Field(default="", max_length=LINE)
    description: str = Field(default="", max_length=TEXT)
    join_url: str = Field(default="", max_length=LINE)
    access_code: str = Field(default="", max_length=LINE)
    override_reason: str = Field(default="", max_length=LINE)
    no_patient_data: Literal["", "true"] = ""
    take: str = Field(default="", max_length=CODE)
    do: Literal["", "check", "override"] = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What stands in the form."""

    kind: str = ""
    host: str = ""
    network: str = ""
    sites: tuple[str, ...] = ()
    optional_sites: tuple[str, ...] = ()
    rooms: Mapping[str, str]  # site → room; none: any that is free
    start: str = ""
    fold: str = ""
    duration_minutes: str = ""
    title: str = ""
    description: str = ""
    join_url: str = ""
    access_code: str = ""
    override_reason: str = ""
    no_patient_data: bool = False

    @classmethod
    def sent(cls, form: SheetForm) -> Sheet:
        """As it was typed; with the hour that was chosen, where one was, which needs no override."""
        sheet = cls(
            kind=form.kind,
            host=form.host,
            network=form.network,
            sites=guests(form.site, form.host),
            optional_sites=guests(form.optional_site, form.host),
            rooms=rooms(form.room, {form.host, *form.site, *form.optional_site}),
            start=form.start,
            fold=form.fold,
            duration_minutes=form.duration_minutes.strip(),
            title=form.title,
            description=form.description,
            join_url=form.join_url,
            access_code=form.access_code,
            override_reason=form.override_reason,
            no_patient_data=form.no_patient_data == "true",
        )
        if not form.take:
            return sheet
        start, _, fold = form.take.partition("/")
        return replace(sheet, start=start, fold=fold, override_reason="")

    @classmethod
    def of(cls, session: Session) -> Sheet:
        """A booked session."""
        asked = asked_again(session)
        return cls(
            kind=asked.kind,
            host=asked.host_site,
            network=session.network,
            sites=asked.required_sites,
            optional_sites=asked.optional_sites,
            rooms=asked.rooms,
            start=asked.start,
            fold=str(session.fold) if session.fold else "",
            duration_minutes=str(asked.duration_minutes),
            title=session.title,
            description=session.description,
            join_url=session.join_url or "",
            access_code=session.access_code or "",
        )

    def within(self, directory: Directory) -> Sheet:
        """In the network that is named, else in the first that all the sites are in."""
        common = common_network((self.host, *self.sites, *self.optional_sites), directory)
        return replace(self, network=self.network or common or "")

    def asked(self) -> Asked:
        """The session to be booked. Raises InvalidRequest."""
        return Asked(
            kind=self.kind,
            host_site=self.host,
            network=self.network or None,
            start=self.start,
            fold=whole_number("start", self.fold),
            duration_minutes=whole_number("duration_minutes", self.duration_minutes),
            required_sites=self.sites,
            optional_sites=self.optional_sites,
            rooms=self.rooms,
            title=self.title if self.title.strip() else None,
            description=self.description,
            join_url=self.join_url.strip() or None,
            access_code=self.access_code.strip() or None,
            override_reason=self.override_reason.strip() or None,
            no_patient_data=self.no_patient_data,
        )

    def changes(self, before: Session) -> Changes:
        """What the form says otherwise than the session. Raises InvalidRequest."""
        was = Sheet.of(before).asked()
        asked = replace(
            self.asked(),
            required_sites=_in_order(self.sites, was.required_sites),
            optional_sites=_in_order(self.optional_sites, was.optional_sites),
        )
        names = ("kind", "title", "description", "duration_minutes", "required_sites", "optional_sites", "join_url",
                 "access_code")  # fmt: skip
        given = {name: getattr(asked, name) for name in names if getattr(asked, name) != getattr(was, name)}
        if _lines(self.description) == _lines(before.description):
            given.pop("description", None)
        if dict(self.rooms) != dict(was.rooms):
            given["rooms"] = self.rooms
        if (asked.start, asked.fold or 0) != (was.start, was.fold or 0):
            given |= {"start": asked.start, "fold": asked.fold}
        if asked.override_reason:
            given["override_reason"] = asked.override_reason
        return Changes(**given, no_patient_data=self.no_patient_data)


def guests(codes: Iterable[str], host: str) -> tuple[str, ...]:
    """The sites ticked; the host takes part in any case."""
    return tuple(code for code in codes if code != host)


def rooms(chosen: Iterable[str], sites: Iterable[str]) -> dict[str, str]:
    """The rooms chosen, `site:room`, of the sites that take part."""
    pairs = (choice.partition(":") for choice in chosen)
    taking_part = set(sites)
    return {site: room for site, _, room in pairs if room and site in taking_part}


def _in_order(codes: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """Sites in the order they had (ports are given in it), then the new ones: a form has an order of its own."""
    return (*(code for code in before if code in codes), *(code for code in codes if code not in before))


def _lines(text: str) -> str:
    """Browsers send CRLF."""
    return text.replace("\r\n", "\n").strip()
