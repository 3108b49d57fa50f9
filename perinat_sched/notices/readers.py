"""Who reads about a session, what they must hear of it, and when they are reminded: what follows from it alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking.session import Session
from perinat_sched.notices.notice import Address, Facts, Kind, Notice
from perinat_sched.sites.network import MINUTES_A_DAY, Directory, Reminder, Site

THE_BRIDGE = ""  # where a site's code stands: the session has lost its bridge


def fold(address: str) -> str:
    """Addresses that differ in case alone are one reader's."""
    return address.casefold()


def contacts(directory: Directory, site: str) -> tuple[str, ...]:
    """Who reads for a site; nobody, for one that the configuration no longer has."""
    known = directory.sites.get(site)
    return known.contacts if known else ()


def answered_by(sessions: Iterable[Session], directory: Directory) -> Site | None:
    """The site that an answer to a mail about these sessions reaches: their host, where all have one and the same."""
    hosts = {session.host_site for session in sessions}
    host = directory.sites.get(hosts.pop()) if len(hosts) == 1 else None
    return host if host and host.contacts else None


def readers_of(session: Session, directory: Directory) -> dict[str, Address]:
    """Who is to know of a session, by address: each once, for the first of their sites. Nobody when cancelled."""
    readers: dict[str, Address] = {}
    for contact, site in _read_by(session, directory):
        readers.setdefault(fold(contact), Address(recipient=contact, site=site))
    return readers


def reader_of(session: Session, directory: Directory, address: str) -> Address | None:
    """The one of them with this address."""
    reader = fold(address)
    theirs = (Address(recipient=who, site=site) for who, site in _read_by(session, directory) if fold(who) == reader)
    return next(theirs, None)


def _read_by(session: Session, directory: Directory) -> Iterator[tuple[str, str]]:
    """Every contact of the sites that take part, with the site, in their order."""
    if session.status != "cancelled":
        for part in session.taking_part():
            for contact in contacts(directory, part.site):
                yield contact, part.site


def facts_for(session: Session, directory: Directory, site: str) -> Facts:
    """What the readers at a site must hear of a session."""
    part = session.participation(site)
    known = directory.sites.get(site)
    zone = known.timezone if known else session.timezone
    return Facts(
        site=site,
        start=session.start,
        duration=session.duration,
        timezone=session.timezone,
        join_url=session.join_url,
        room=part.room if part else None,
        sites=tuple(sorted(session.sites)),
        host=session.host_site,
        lost=bool(part and part.lost),
        wall=session.wall_start,
        local=zones.to_local(session.start, zone),
        zone=zone,
        uid=session.uid if session.series else None,
    )


def told_of(changes: Iterable[tuple[Session | None, Session]], directory: Directory) -> set[str]:
    """The sites that are told of changes to sessions (before: None for a new one): whose readers get a mail."""
    return {site for before, after in changes for site in _told_of(before, after, directory)}


def _told_of(before: Session | None, after: Session, directory: Directory) -> Iterator[str]:
    knew, knows = (readers_of(one, directory) if one else {} for one in (before, after))
    for address, to in {**knew, **knows}.items():
        same = before is not None and address in knew and address in knows
        if not same or before is None or _says(before, directory, knew[address]) != _says(after, directory, to):
            yield to.site
    for kind, sites in concerns(after).items():
        if set(sites) - set(concerns(before)[kind] if before else ()) and contacts(directory, after.host_site):
            yield after.host_site


def _says(session: Session, directory: Directory, to: Address) -> tuple[Facts, str | None]:
    facts = facts_for(session, directory, to.site)
    return facts, facts.uid


def concerns(session: Session) -> dict[Kind, list[str]]:
    """What the host is told of, by site; nobody's business once the session is cancelled.

    The required sites that do not come; the places that no longer fit (the host's own is among what it hears as a
    reader), and the bridge.
    """
    if session.status == "cancelled":
        return {"declined": [], "place-lost": []}
    refusing = [part.site for part in session.participations if part.required and part.answer == "declined"]
    lost = [part.site for part in session.taking_part() if part.lost and part.site != session.host_site]
    return {"declined": refusing, "place-lost": [*lost, *([THE_BRIDGE] if session.bridge_lost else [])]}


def leads(session: Session, directory: Directory) -> Sequence[Reminder]:
    """How long before the start the readers of a session are reminded."""
    kind = directory.kinds.get(session.kind)
    return kind.reminders if kind else ()


def reminds_at(session: Session, lead: Reminder) -> datetime:
    """When (UTC) a reminder of `session` is due: days in the wall time of its zone, the rest in elapsed time.

    An hour that the clocks skip that day is read with the offset before the gap, a repeated one as the first
    (RFC 5545 § 3.3.5).
    """
    if not lead.days:
        return session.start - lead.rest
    wall = session.wall_start - timedelta(days=lead.days)
    return wall.replace(tzinfo=zones.zone(session.timezone)).astimezone(UTC) - lead.rest


def falls_due(session: Session, lead: Reminder, directory: Directory, site: str) -> datetime:
    """When (UTC) the readers at a site are reminded: at their lead time, or the evening before, should that be night.

    Earlier rather than later, so that nobody is left with less time than the kind gives them (MAIL-08).
    """
    due_at, night, known = reminds_at(session, lead), directory.quiet_hours, directory.sites.get(site)
    if night is None or known is None:
        return due_at
    local = zones.to_local(due_at, known.timezone).replace(tzinfo=None)
    since = (local.hour * 60 + local.minute - night.begins) % MINUTES_A_DAY
    if since >= (night.ends - night.begins) % MINUTES_A_DAY:
        return due_at
    evening = local.replace(second=0) - timedelta(minutes=since)
    return zones.to_utc_again(evening, known.timezone, fold=0)


def code_at(session: Session, directory: Directory, site: str, at: datetime) -> str | None:
    """The access code, for a site that has accepted; from the last reminder's hour on, or at once without reminders."""
    part = session.participation(site)
    if part is None or part.answer != "accepted":
        return None
    hours = [falls_due(session, lead, directory, site) for lead in leads(session, directory)]
    return session.access_code if at >= max(hours, default=at) else None


def code_in(notice: Notice, session: Session, directory: Directory) -> str | None:
    """The access code, where a mail carries it: the last reminder, and what is told later than that."""
    carries = notice.kind in ("reminder", "invitation", "update")
    return code_at(session, directory, notice.site, notice.due_at) if carries else None
