"""The domain's values as the API writes them, for one reader: as much as she sees, in her language.

An instant is written with the offset of the zone beside it. Where the reader may only know a session's kind and time,
the same shape comes with its texts empty and its places null, so that a program needs no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from perinat_sched import i18n, zones
from perinat_sched.availability.conflicts import Conflict
from perinat_sched.availability.slots import Slot
from perinat_sched.booking import rules
from perinat_sched.booking.session import Participation, Session, WarningCode
from perinat_sched.i18n import Message, say
from perinat_sched.intervals import Interval
from perinat_sched.people.access import Actor, Sight, may, sight
from perinat_sched.sites.network import Directory, Language
from perinat_sched.web.schemas.sessions import ParticipationOut, SessionOut, WarningOut
from perinat_sched.web.schemas.slots import ConflictOut, ContactOut, SlotOut, SlotSiteOut

MINUTE = timedelta(minutes=1)

WARNINGS: Mapping[WarningCode, Message] = {
    "unusual-local-time": Message("{site} is at {hour} then: not the usual difference of clocks."),
    "optional-site-not-free": Message("{site} is not free then and holds no place."),
    "place-lost": Message("{site} has lost its place: answer for it again, choose another room, or another hour."),
}
BRIDGE_LOST = Message("The session has lost its bridge: choose another hour, or take fewer sites.")


def written(instant: datetime, zone: str) -> str:
    """RFC 3339, with the offset of `zone`."""
    return zones.to_local(instant, zone).isoformat()


@dataclass(frozen=True, kw_only=True)
class View:
    """Through whose eyes, and in which language."""

    actor: Actor
    directory: Directory
    language: Language

    def session(self, session: Session) -> SessionOut:
        """A session, with its access code for those who may change it."""
        subject = session.subject
        seen = sight(self.actor, subject, self.directory)
        if seen != "full":
            return self._outline(session)
        whole = self._whole(session)
        if not may(self.actor, "change", subject, self.directory):
            return whole
        return whole.model_copy(update={"access_code": session.access_code})

    def _whole(self, session: Session) -> SessionOut:
        zone = session.timezone
        return self._outline(session).model_copy(
            update={
                "title": session.title,
                "description": session.description,
                "host_site": session.host_site,
                "participations": [self._participation(session, p) for p in session.participations],
                "bridge": session.bridge,
                "ports": session.ports,
                "join_url": session.join_url,
                "warnings": [self.warning(session, *found) for found in rules.warnings(session, self.directory)],
                "created_at": written(session.created_at, zone),
                "updated_at": written(session.updated_at, zone),
            }
        )

    def _outline(self, session: Session) -> SessionOut:
        """Kind and time."""
        return SessionOut(
            id=session.id,
            uid=session.uid,
            revision=session.revision,
            sequence=session.sequence,
            series=session.series,
            recurrence_id=f"{session.recurrence:%Y-%m-%dT%H:%M}" if session.recurrence else None,
            status=session.status,
            kind=session.kind,
            title="",
            description="",
            network=session.network,
            host_site=None,
            wall_start=f"{session.wall_start:%Y-%m-%dT%H:%M}",
            timezone=session.timezone,
            duration_minutes=session.duration // MINUTE,
            start=written(session.start, session.timezone),
            end=written(session.end, session.timezone),
            participations=[],
            bridge=None,
            ports=0,
            join_url=None,
            warnings=[],
            created_at=None,
            updated_at=None,
        )

    def _participation(self, session: Session, part: Participation) -> ParticipationOut:
        zone = self._zone(part.site, session.timezone)
        return ParticipationOut(
            site=part.site,
            role="host" if part.site == session.host_site else "participant",
            required=part.required,
            room=part.room,
            answer=part.answer,
            local_start=written(session.start, zone),
            local_end=written(session.end, zone),
            timezone=zone,
        )

    def warning(self, session: Session, code: WarningCode, site: str | None) -> WarningOut:
        if site is None:
            return WarningOut(code=code, site=None, detail=say(BRIDGE_LOST, self.language))
        place = self.directory.sites.get(site)
        zone = self._zone(site, session.timezone)
        local = zones.to_local(session.start, zone)
        clock = i18n.place_of(zone, self.language, place.city if place else None)
        hour = i18n.hour(local, self.language, clock)
        detail = Message(WARNINGS[code].text, site=place.name if place else site, hour=hour)
        return WarningOut(code=code, site=site, detail=say(detail, self.language))

    def _zone(self, site: str, otherwise: str) -> str:
        """A site's zone; one that left the configuration has none of its own."""
        return self.directory.sites[site].timezone if site in self.directory.sites else otherwise

    def slot(self, slot: Slot, zone: str, seen: Mapping[str, Sight]) -> SlotOut:
        """A slot, its hours in `zone`; `seen` is how much the reader sees of the sessions in its way."""
        return SlotOut(
            start=written(slot.start, zone),
            end=written(slot.end, zone),
            timezone=zone,
            sites=[
                SlotSiteOut(
                    site=place.site,
                    required=place.required,
                    free=place.free,
                    room=place.room,
                    local_start=written(slot.start, self.directory.sites[place.site].timezone),
                    local_end=written(slot.end, self.directory.sites[place.site].timezone),
                    timezone=self.directory.sites[place.site].timezone,
                )
                for place in slot.places
            ],
            optional_free=slot.optional_free,
            ports_left=slot.ports_left,
            conflicts=[self.conflict(conflict, zone, seen) for conflict in slot.conflicts],
        )

    def conflict(self, conflict: Conflict, zone: str, seen: Mapping[str, Sight]) -> ConflictOut:
        """A reason to refuse; nothing of a session that the reader does not see but whom to ring."""
        interval, session = visible(conflict, seen)
        return ConflictOut(
            code=conflict.code,
            site=conflict.site,
            room=conflict.room,
            bridge=conflict.bridge,
            since=written(interval.start, zone) if interval else None,
            until=written(interval.end, zone) if interval else None,
            session=session,
            contact=self._contact(whom_to_ring(conflict)),
            detail=say(conflict.message, self.language),
            overridable=conflict.overridable,
        )

    def _contact(self, code: str | None) -> ContactOut | None:
        site = self.directory.sites.get(code) if code else None
        return ContactOut(name=site.name, phone=site.phone) if site else None


def visible(conflict: Conflict, seen: Mapping[str, Sight]) -> tuple[Interval | None, str | None]:
    """When a conflict is, and the session in the way: nothing of one that the reader does not see."""
    if conflict.hold is None:
        return conflict.interval, None
    hidden = seen.get(conflict.hold.session, "none") == "none"
    return (None, None) if hidden else (conflict.interval, conflict.hold.session)


def whom_to_ring(conflict: Conflict) -> str | None:
    """The site that can do something about it."""
    return conflict.hold.host if conflict.hold else conflict.site
