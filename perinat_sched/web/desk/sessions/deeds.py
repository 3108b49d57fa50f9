"""What was done to a session, in words; and the list of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perinat_sched.booking.history import Deed, calls
from perinat_sched.booking.session import Answer, Session
from perinat_sched.i18n import Message, say
from perinat_sched.web.desk.clocks import hour, moment
from perinat_sched.web.desk.page import Visit
from perinat_sched.web.desk.words import ANSWERS

ACTIONS: Mapping[str, Message] = {
    "session_booked": Message("booked"),
    "session_changed": Message("changed"),
    "session_answered": Message("answer of {site}: {answer}"),
    "session_cancelled": Message("cancelled"),
    "session_resumed": Message("cancellation undone"),
    "session_called": Message("rang {site}"),
    "session_resettled": Message("put upon a new ground: closures, rooms or clocks changed"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A deed, as people read it."""

    when: str
    who: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One site of the list of calls."""

    code: str
    site: str
    phone: str | None
    hour: str
    answer: Message
    rung: str  # who, and when; empty: nobody yet


def told(visit: Visit[Any, Any], deed: Deed) -> Told:
    directory, language = visit.services.directory, visit.language
    site = directory.sites.get(deed.site or "")
    answer = ANSWERS.get(deed.answer or "", deed.answer)
    what = ACTIONS.get(deed.action, Message("changed"))
    return Told(
        when=moment(visit, deed.at),
        who=deed.by or say(Message("the service itself"), language),
        what=say(Message(what.text, site=site.name if site else deed.site, answer=answer), language),
    )


def call_list(visit: Visit[Any, Any], session: Session, deeds: Sequence[Deed]) -> list[Line]:
    """Everybody who takes part or declined, with whom somebody rang since the session last changed."""
    directory, language = visit.services.directory, visit.language
    done = calls(deeds, session)

    def line(code: str, answer: Answer) -> Line:
        site = directory.sites.get(code)
        zone = site.timezone if site else session.timezone
        call = told(visit, done[code]) if code in done else None
        return Line(
            code=code,
            site=site.name if site else code,
            phone=site.phone if site else None,
            hour=hour(language, session.start, zone, site.city if site else None),
            answer=ANSWERS[answer],
            rung=f"{call.who}, {call.when}" if call else "",
        )

    return [line(part.site, part.answer) for part in session.participations]
