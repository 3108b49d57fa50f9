"""Codes, hours and lengths as callers write them: checked together, refused together.

Search and booking ask for the same things in two shapes (a query, a body); what is wrong with a site, a room, a zone
or a length is said here once, under the name the caller gave the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from perinat_sched import zones
from perinat_sched.errors import FieldError, InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory, Kind, Site

T = TypeVar("T")

LONGEST_MINUTES = 24 * 60
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def instant(field_name: str, text: str) -> datetime | None:
    """An RFC 3339 instant in UTC, or None where `text` does not have that form. Raises InvalidRequest."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest.of(field_name, "There is no such date or hour.") from None


class Checks:
    """Collects what is wrong with a request's fields, so that all of it is said at once."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.errors: list[FieldError] = []

    def wrong(self, field_name: str, text: str, **values: object) -> None:
        self.errors.append(FieldError(field_name, Message(text, **values)))

    def refuse(self) -> None:
        """Raise InvalidRequest if anything was wrong."""
        if self.errors:
            raise InvalidRequest(*self.errors)

    def text(self, field_name: str, check: Callable[[], str]) -> str | None:
        """What `check` gives, or None with its refusal kept."""
        try:
            return check()
        except InvalidRequest as refusal:
            self.errors.extend(refusal.errors)
            return None

    def known(self, field_name: str, code: str, known: Mapping[str, T]) -> T | None:
        if code not in known:
            self.wrong(field_name, "There is no {code} here: take a code of the configuration.", code=repr(code))
        return known.get(code)

    def participants(self, host: str, named: Mapping[str, Sequence[str]]) -> list[tuple[str, Site]]:
        """The sites besides the host, each with the field that named it: known, and named once."""
        found: list[tuple[str, Site]] = []
        seen = {host}
        for list_name, codes in named.items():
            for position, code in enumerate(codes):
                field_name = f"{list_name}[{position}]"
                if code in seen:
                    self.wrong(
                        field_name, "{code} is named twice: name each site once, and not the host.", code=repr(code)
                    )
                elif site := self.known(field_name, code, self.directory.sites):
                    found.append((field_name, site))
                seen.add(code)
        return found

    def network(self, code: str | None, host: Site | None, sites: Sequence[tuple[str, Site]]) -> str | None:
        """The network asked for, else the host's only one; every site is in it."""
        if code is None and host is not None:
            if len(host.networks) > 1:
                self.wrong(
                    "network", "{site} is in several networks: say which ({codes}).",
                    site=host.code, codes=", ".join(host.networks),
                )  # fmt: skip
                return None
            code = host.networks[0]
        if code is None or not self.known("network", code, self.directory.networks):
            return None
        for field_name, site in [("host_site", host), *sites]:
            if site is not None and code not in site.networks:
                self.wrong(field_name, "{site} is not in the network {network}.", site=site.code, network=code)
        return code

    def rooms(
        self, asked: Mapping[str, tuple[str, str]], host: str, sites: Sequence[tuple[str, Site]]
    ) -> dict[str, str]:
        """Rooms by site; `asked` is field → (site, room)."""
        taking_part = {host, *(site.code for _, site in sites)}
        for field_name, (site, code) in asked.items():
            room = self.directory.rooms.get(code)
            if site not in taking_part:
                self.wrong(field_name, "{site} does not take part: name rooms of sites that do.", site=repr(site))
            elif room is None or room.site != site:
                self.wrong(field_name, "{site} has no room {room}.", site=site, room=repr(code))
        return dict(asked.values())

    def duration(self, minutes: int | None, kind: Kind | None) -> timedelta | None:
        """The length asked for, else the kind's."""
        grid = self.directory.defaults.grid_minutes
        if minutes is None:
            if kind is None:
                self.wrong("duration_minutes", "Say how long, in minutes.")
                return None
            minutes = kind.duration_minutes
        if not 0 < minutes <= LONGEST_MINUTES or minutes % grid:
            self.wrong(
                "duration_minutes", "A length is a multiple of {grid} minutes, at most {longest}.",
                grid=grid, longest=LONGEST_MINUTES,
            )  # fmt: skip
            return None
        return timedelta(minutes=minutes)

    def zone(self, name: str | None, host: Site | None) -> str | None:
        """The zone asked for under its canonical name, else the host's."""
        if name is None:
            return host.timezone if host else None
        try:
            return zones.canonical(name)
        except zones.UnknownZone as unknown:
            self.wrong(
                "timezone", "{zone} is not an IANA time zone: take one such as {nearest}.",
                zone=repr(name), nearest=unknown.nearest or "Europe/Paris",
            )  # fmt: skip
            return None
