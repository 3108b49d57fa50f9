"""Change a session, or move it: the form holds what it is, and only what is typed otherwise is changed.

The form names the revision that it shows. Where somebody changed the session meanwhile nothing is saved: both are
shown beside each other, and what was typed stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import Field

from perinat_sched.booking.session import Session
from perinat_sched.errors import BookingRefused, Forbidden, InvalidRequest, RevisionMismatch
from perinat_sched.i18n import Message
from perinat_sched.people.access import may
from perinat_sched.sites.network import Directory, Language
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.refusal import Refusal, refusal
from perinat_sched.web.desk.sessions.sheet import Sheet, SheetForm, guests
from perinat_sched.web.desk.stale import Difference, Stale, since
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs, whole_number
from perinat_sched.web.schemas.base import MOST_SITES


class ChangeQuery(PageQuery):
    """The slot to move to, with those it was searched for."""

    kind: str = Field(default="", max_length=40)
    site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    optional_site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    start: str = Field(default="", max_length=40)
    fold: str = Field(default="", max_length=10)
    duration_minutes: str = Field(default="", max_length=10)


class ChangeForm(SheetForm):
    """A session to be changed, as it was at `revision`."""

    revision: str = Field(default="", max_length=10)


async def show(visit: Visit[ChangeQuery, None]) -> web.Response:
    """The session in a form, at the slot that was chosen, where one was."""
    session = await _session(visit)
    query, sheet = visit.query, Sheet.of(session)
    if query.start:
        sheet = replace(
            sheet,
            kind=query.kind or sheet.kind,
            sites=guests(query.site, sheet.host),
            optional_sites=guests(query.optional_site, sheet.host),
            start=query.start,
            fold=query.fold,
            duration_minutes=query.duration_minutes or sheet.duration_minutes,
        )
    return _page(visit, session, sheet)


async def send(visit: Visit[PageQuery, ChangeForm]) -> web.Response:
    session, sheet = await _session(visit), Sheet.sent(visit.form)
    if visit.form.do == "override" and not sheet.override_reason.strip():
        return _page(visit, session, sheet, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=Wrongs.no_reason())
    try:
        revision = whole_number("revision", visit.form.revision)
        if revision is None:
            raise InvalidRequest.of("revision", "This is required.")
        changes = sheet.changes(session)
        if revision != session.revision and not changes.named() - {"no_patient_data"}:
            return html.see(visit.request, f"/sessions/{session.id}?done=changed")  # sent twice
        await visit.services.bookings.change(visit.actor, session.id, revision, changes)
    except RevisionMismatch:
        return await _stale(visit, sheet, revision or 0)
    except BookingRefused as error:
        why = await refusal(visit, error.conflicts, error.alternatives, error.timezone)
        return _page(visit, session, sheet, HTTPStatus.CONFLICT, refused=why)
    except ABOUT_FORMS as error:
        wrongs = visit.wrongs(error)
        return _page(visit, session, sheet, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    visit.services.delivery.wake()
    return html.see(visit.request, f"/sessions/{session.id}?done=changed")


async def _session(visit: Visit[Any, Any]) -> Session:
    """The session, for those who may change it. Raises NotFound, Forbidden."""
    session = await visit.services.enquiries.get(visit.actor, visit.path("id"))
    if not may(visit.actor, "change", session.subject, visit.services.directory):
        raise Forbidden
    return session


async def _stale(visit: Visit[Any, ChangeForm], sheet: Sheet, revision: int) -> web.Response:
    """What changed meanwhile, beside what was typed."""
    session = await _session(visit)
    stale = Stale(
        deeds=await since(visit, session, revision),
        differences=list(differences(Sheet.of(session), sheet, visit.services.directory, visit.language)),
    )
    if not stale.differences:  # sent twice
        return html.see(visit.request, f"/sessions/{session.id}?done=changed")
    return _page(visit, session, sheet, HTTPStatus.PRECONDITION_FAILED, stale=stale)


def differences(now: Sheet, typed: Sheet, directory: Directory, language: Language) -> Iterable[Difference]:
    """Field by field, in words."""
    one, other = _words(now, directory, language), _words(typed, directory, language)
    for field, text in one.items():
        if text != other[field]:
            yield Difference(field=FIELDS[field], now=text, typed=other[field])


FIELDS = {
    "kind": Message("Kind"),
    "start": Message("Day and hour (the host’s clock)"),
    "duration_minutes": Message("Length in minutes"),
    "sites": Message("Required sites"),
    "optional_sites": Message("Optional sites"),
    "rooms": Message("Rooms"),
    "title": Message("Title"),
    "description": Message("Description"),
    "join_url": Message("Link to join"),
    "access_code": Message("Access code"),
}


def _words(sheet: Sheet, directory: Directory, language: Language) -> dict[str, str]:
    def names(codes: Iterable[str]) -> str:
        return ", ".join(directory.sites[code].name if code in directory.sites else code for code in sorted(codes))

    kind = directory.kinds.get(sheet.kind)
    rooms = [directory.rooms[code].name if code in directory.rooms else code for code in sheet.rooms.values()]
    return {
        "kind": kind.name[language] if kind else sheet.kind,
        "start": offers.typed(sheet.start, directory, language, sheet.host),
        "duration_minutes": sheet.duration_minutes,
        "sites": names(sheet.sites),
        "optional_sites": names(sheet.optional_sites),
        "rooms": ", ".join(sorted(rooms)),
        "title": sheet.title,
        "description": sheet.description.replace("\r\n", "\n").strip(),
        "join_url": sheet.join_url,
        "access_code": sheet.access_code,
    }


def _page(
    visit: Visit[Any, Any],
    session: Session,
    sheet: Sheet,
    status: int = HTTPStatus.OK,
    *,
    wrongs: Wrongs | None = None,
    refused: Refusal | None = None,
    stale: Stale | None = None,
) -> web.Response:
    directory, language = visit.services.directory, visit.language
    was = Sheet.of(session)
    kind, host = directory.kinds.get(sheet.kind), directory.sites.get(sheet.host)
    return html.respond(
        visit.request,
        "sessions/change.html.j2",
        status,
        session=session,
        sheet=sheet,
        when=offers.moment(session.start, session.timezone, directory, language, [session.host_site]),
        moves=offers.typed(sheet.start, directory, language, sheet.host) if sheet.start != was.start else "",
        wrongs=wrongs or Wrongs(),
        refused=refused,
        stale=stale,
        directory=directory,
        neutral=kind.title[host.language] if kind and host else "",
    )
