"""The reader of a mail: the language, the clock and the place by which hours are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache

from perinat_sched import zones
from perinat_sched.i18n import Language, Message, apart, hour, moment, place_of, say
from perinat_sched.notices.layout import Line
from perinat_sched.sites.network import Directory, Site

KEPT = 256  # hours: all readers of a session are told those of its other sites


@dataclass(frozen=True)
class Reader:
    """Who reads for a site; a site that left the configuration reads French by the session's clock."""

    directory: Directory
    code: str  # the site's
    session_zone: str

    @cached_property
    def site(self) -> Site | None:
        return self.directory.sites.get(self.code)

    @cached_property
    def language(self) -> Language:
        return self.site.language if self.site else "fr"

    @cached_property
    def zone(self) -> str:
        return self.site.timezone if self.site else self.session_zone

    @cached_property
    def place(self) -> str:
        """Whose hour the reader's is."""
        return self.place_of(self.site)

    def say(self, message: Message) -> str:
        return say(message, self.language)

    def place_of(self, site: Site | None) -> str:
        return self.place_in(site.timezone if site else self.session_zone, site)

    def place_in(self, zone: str, site: Site | None) -> str:
        """Whose hour a zone's is; `site`: one that lies there."""
        return place_of(zone, self.language, site.city if site else None)

    def local(self, instant: datetime) -> datetime:
        return zones.to_local(instant, self.zone)

    def moment(self, instant: datetime) -> str:
        """An instant in the reader's date and hour, with the place."""
        return self.told(self.local(instant))

    def told(self, local: datetime, zone: str | None = None) -> str:
        """A local date and hour of the reader's, as it was told; `zone`: the reader's of that time."""
        place = self.place if zone in (None, self.zone) else self.place_in(zone, None)
        return moment(local, self.language, place)

    def hours(self, start: datetime, others: Iterable[Site]) -> Iterator[Line]:
        """Every other site's hour, with its date where that is not the reader's."""
        own_day = self.local(start).date()
        for site in others:
            told = _hour(start, site.timezone, self.language, self.place_of(site), own_day)
            yield Line(label=site.name, value=told)

    def ways_to(self, site: Site) -> list[str]:
        """How a site is reached: by telephone first."""
        return [way for way in (site.phone, *site.contacts) if way]

    def footer(self, host: Site | None) -> str:
        """Who has written, and whom an answer reaches (`host`; nobody promises the host its own answers)."""
        if host and host.code != self.code:
            return self.say(Message("This mail was sent by a program. An answer to it reaches {host}.", host=host.name))
        return self.say(Message("This mail was sent by a program."))

    def difference(self, instant: datetime, there: str) -> str:
        """`5 h`, `3 h 30`: how far the reader's clocks and another zone's are apart at an instant."""
        return apart(zones.offset(instant, self.zone) - zones.offset(instant, there))


@lru_cache(maxsize=KEPT)
def _hour(instant: datetime, zone: str, language: Language, place: str, day: date) -> str:
    """An instant by another's clock; with its date, where that is not `day`."""
    local = zones.to_local(instant, zone)
    return (hour if local.date() == day else moment)(local, language, place)


def minutes(duration: timedelta) -> str:
    return f"{duration // timedelta(minutes=1)}\u00a0min"
