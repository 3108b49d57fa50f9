"""A year's plan pasted from a spreadsheet or sent as a file: a verdict a line, then all of it or what fits is booked.

What is booked already is found again, so the same plan sent twice books nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched.errors import Forbidden, InvalidRequest
from perinat_sched.i18n import Message, moment
from perinat_sched.notices.readers import told_of
from perinat_sched.people.access import Sight
from perinat_sched.series import sheet
from perinat_sched.series.importing import Imported, ImportRefused, Verdict
from perinat_sched.sites.network import Language
from perinat_sched.web import refusals
from perinat_sched.web.desk import html, offers
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.desk.series.dates import VERDICTS, Reason, odd_hours, reasons_of
from perinat_sched.web.desk.series.new import hosts_of
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs
from perinat_sched.web.reading import LARGEST_BODY
from perinat_sched.web.views import View

EXAMPLES: Mapping[Language, Sequence[str]] = {
    "fr": (
        "Date;Heure;Durée;Type;Hôte;Sites;Titre",
        "04/02/2027;13h00;60;Staff de périnatalité;Lille;Calais, Lens;",
        "11/02/2027;13h00;60;Staff de périnatalité;Lille;Calais, Lens;",
        "03/03/2027;09h00;90;RCP;Arras;Lens;Visio Périnat – RCP",
    ),
    "en": (
        "Date,Start,Duration,Kind,Host,Sites,Title",
        '2027-02-04,13:00,60,staff,lille,"calais, lens",',
        '2027-02-11,13:00,60,staff,lille,"calais, lens",',
        "2027-03-03,09:00,90,rcp,arras,lens,Périnat video – case review",
    ),
}


class PlanForm(PageForm):
    """A plan, as text or as a file, and what is to be done with it."""

    do: Literal["try", "book", "leave_out"] = "try"
    plan: str = Field(default="", max_length=LARGEST_BODY)
    file: str = Field(default="", max_length=LARGEST_BODY)
    no_patient_data: Literal["", "true"] = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What became of one line."""

    number: int
    when: str
    title: str
    verdict: str
    words: Message
    session: str | None
    wrong: Sequence[Message]
    reasons: Sequence[Reason]
    nearest: str
    hours: Sequence[str]


async def show(visit: Visit[PageQuery, None]) -> web.Response:
    hosts_of(visit)
    return await _page(visit, "")


async def send(visit: Visit[PageQuery, PlanForm]) -> web.Response:
    """Try the lines, or book them. A file is shown as text from then on."""
    hosts_of(visit)
    form, importing = visit.form, visit.services.series_import
    sure, plan = bool(form.no_patient_data), form.plan
    try:
        if form.file:
            plan = sheet.decoded(_bytes(form.file))
        if form.do == "try":
            tried = await importing.try_out(visit.actor, plan.encode(), "refuse", sure=sure)
            return await _page(visit, plan, imported=tried)
        way: Literal["refuse", "leave_out"] = "leave_out" if form.do == "leave_out" else "refuse"
        booked = await importing.book(visit.actor, plan.encode(), way, sure=sure)
    except ImportRefused as refused:
        return await _page(visit, plan, HTTPStatus.CONFLICT, imported=refused.imported)
    except Forbidden:
        none = Wrongs.of_one("plan", Message("None of these lines is for a site for which you may book."))
        return await _page(visit, plan, HTTPStatus.FORBIDDEN, wrongs=none)
    except ABOUT_FORMS as error:
        return await _page(visit, plan, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=visit.wrongs(error))
    visit.services.delivery.wake()
    told = sorted(told_of(booked.booked, visit.services.directory))
    query = "&".join([f"booked={len(booked.booked)}", *(f"told={code}" for code in told)])
    return html.see(visit.request, f"/series?{query}")


def _bytes(file: str) -> bytes:
    """A file as it was sent. Raises InvalidRequest where something else was typed in its place."""
    try:
        return file.encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidRequest.of("form", "This form cannot be read: open the page again.") from None


async def _page(
    visit: Visit[Any, Any],
    plan: str,
    status: int = HTTPStatus.OK,
    *,
    imported: Imported | None = None,
    wrongs: Wrongs | None = None,
) -> web.Response:
    seen = await refusals.sights(visit.services, visit.actor, imported.conflicts) if imported else {}
    lines = [_line(visit, verdict, seen) for verdict in imported.verdicts] if imported else []
    said = [one.verdict for one in lines]
    return html.respond(
        visit.request,
        "series/spreadsheet.html.j2",
        status,
        plan=plan,
        lines=lines,
        series=len(imported.series) if imported else 0,
        unread=imported.unread if imported else (),
        new=said.count("bookable"),
        present=said.count("exists"),
        invalid=said.count("invalid"),
        conflicts=said.count("conflict") + said.count("left_out"),
        example="\n".join(EXAMPLES[visit.language]),
        wrongs=wrongs or Wrongs(),
    )


def _line(visit: Visit[Any, Any], verdict: Verdict, seen: Mapping[str, Sight]) -> Line:
    directory, language, one = visit.services.directory, visit.language, verdict.occurrence
    session = one.session if one else None
    zone = session.timezone if session else verdict.series.session.timezone if verdict.series else visit.zone
    when = ""
    if session:
        when = offers.moment(session.start, zone, directory, language, [session.host_site])
    elif one:  # an hour that the clocks skip on that date
        when = moment(one.recurrence, language, zone)
    view = View(actor=visit.actor, directory=directory, language=language)
    there = session is not None and visit.services.enquiries.sight(visit.actor, session) == "full"
    return Line(
        number=verdict.number,
        when=when,
        title=session.title if session and there else "",
        verdict=verdict.said,
        words=VERDICTS[verdict.said],
        session=session.id if session and there and verdict.said == "exists" else None,
        wrong=[error.message for error in verdict.errors],
        reasons=reasons_of(one, zone, view, seen) if one else [],
        nearest=offers.moment(one.nearest.start, zone, directory, language, [session.host_site])
        if one and one.nearest and session
        else "",
        hours=list(odd_hours(session, directory, language)) if session and there else [],
    )
