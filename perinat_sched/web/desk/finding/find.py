"""Find: when everybody can meet, as slots to take and as a map of hours; and where not, why, with the way out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from http import HTTPStatus
from math import lcm

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.availability.slots import SlotQuery
from perinat_sched.booking.session import Session
from perinat_sched.booking.slot_request import SlotsAsked
from perinat_sched.errors import Forbidden, InvalidRequest
from perinat_sched.people.access import Subject, may
from perinat_sched.web.desk import clocks, html, offers
from perinat_sched.web.desk.finding.found import Found, found
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.wrongs import Wrongs, whole_number
from perinat_sched.web.directory import WEEKDAYS
from perinat_sched.web.schemas.base import MOST_SITES, QueryDay
from perinat_sched.web.schemas.directory import Weekday

HALF_HOUR = 30  # minutes
MINUTE = timedelta(minutes=1)
USUALLY = timedelta(days=13)  # after the first day
MOST_DAYS = 35  # five tables
MOST_SLOTS = 200  # of which the best of some days are shown before the map
A_MONDAY = date(2027, 3, 1)


class FindQuery(PageQuery):
    """Who, how long, when; `move` names a session that is to be moved, `again` one that is to be booked anew."""

    kind: str = Field(default="", max_length=40)
    host: str = Field(default="", max_length=40)
    network: str = Field(default="", max_length=40)
    site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    optional_site: list[str] = Field(default_factory=list, max_length=MOST_SITES)
    duration_minutes: str = Field(default="", max_length=10)
    first: QueryDay | None = Field(default=None, alias="from")
    last: QueryDay | None = Field(default=None, alias="to")
    after: str = Field(default="", max_length=10)
    before: str = Field(default="", max_length=10)
    weekday: list[Weekday] = Field(default_factory=list, max_length=7)
    move: str = Field(default="", max_length=64)
    again: str = Field(default="", max_length=64)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What stands in the form."""

    kind: str
    host: str
    network: str
    sites: tuple[str, ...]
    optional_sites: tuple[str, ...]
    duration_minutes: str
    first: date
    last: date
    after: str
    before: str
    weekdays: tuple[Weekday, ...]

    def asked(self, grid: int, moved: Session | None) -> SlotsAsked:
        """The question to the search. Raises InvalidRequest."""
        if self.last - self.first >= timedelta(days=MOST_DAYS):
            raise InvalidRequest.of("to", "Search at most {days} days at once.", days=MOST_DAYS)
        before = _hour("before", self.before)
        return SlotsAsked(
            sites=(self.host, *self.sites),
            optional_sites=self.optional_sites,
            kind=self.kind,
            network=self.network or None,
            duration_minutes=whole_number("duration_minutes", self.duration_minutes),
            first_day=self.first,
            last_day=self.last,
            after=_hour("after", self.after),
            before=before.hour * 60 + before.minute if before else None,
            weekdays=frozenset(WEEKDAYS.index(day) for day in self.weekdays),
            order="best",
            limit=MOST_SLOTS,
            step_minutes=lcm(HALF_HOUR, grid),
            except_session=moved.id if moved else None,
        )


async def show(visit: Visit[FindQuery, None]) -> web.Response:
    """The form; once a host is chosen, with what there is."""
    query, services = visit.query, visit.services
    moved = await _moved(visit)
    question = _question(visit, moved)
    if visit.mistaken:
        return _page(visit, question, moved, wrongs=visit.mistaken)
    if not query.host and moved is None:
        return _page(visit, question, moved)
    try:
        asked = question.asked(services.directory.defaults.grid_minutes, moved)
        understood, survey = await services.enquiries.survey(visit.actor, asked)
    except InvalidRequest as error:
        return _page(visit, question, moved, wrongs=visit.wrongs(error))
    return _page(
        visit,
        _filled(question, understood),
        moved,
        answer=found(survey, understood, services.directory, visit.language),
    )


async def _moved(visit: Visit[FindQuery, None]) -> Session | None:
    """The session that is to be moved. Raises NotFound, Forbidden."""
    if not visit.query.move:
        return None
    session = await visit.services.enquiries.get(visit.actor, visit.query.move)
    if not may(visit.actor, "change", session.subject, visit.services.directory):
        raise Forbidden
    return session


def _question(visit: Visit[FindQuery, None], moved: Session | None) -> Question:
    """What was asked; what was not, as it is usual here, or as the session to be moved is."""
    query, directory = visit.query, visit.services.directory
    first = query.first or zones.to_local(visit.services.clock(), visit.zone).date()
    host = moved.host_site if moved else query.host or visit.site.code
    question = Question(
        kind=query.kind or next(iter(directory.kinds)),
        host=host,
        network=moved.network if moved else query.network,
        sites=tuple(code for code in query.site if code != host),
        optional_sites=tuple(code for code in query.optional_site if code != host),
        duration_minutes=query.duration_minutes.strip(),
        first=first,
        last=query.last or first + USUALLY,
        after=query.after,
        before=query.before,
        weekdays=tuple(query.weekday),
    )
    if moved is None or query.host:
        return question
    guests = [part for part in moved.taking_part() if part.site != host]
    return replace(
        question,
        kind=moved.kind,
        sites=tuple(part.site for part in guests if part.required),
        optional_sites=tuple(part.site for part in guests if not part.required),
        duration_minutes=str(moved.duration // MINUTE),
    )


def _filled(question: Question, understood: SlotQuery) -> Question:
    """With what the search took where nothing was said."""
    minutes = understood.proposal.duration // MINUTE
    return replace(question, network=understood.proposal.network, duration_minutes=str(minutes))


def _hour(field: str, text: str) -> time | None:
    if not text:
        return None
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise InvalidRequest.of(field, "Write an hour as HH:MM.") from None


def _page(
    visit: Visit[FindQuery, None],
    question: Question,
    moved: Session | None,
    *,
    answer: Found | None = None,
    wrongs: Wrongs | None = None,
) -> web.Response:
    directory, language = visit.services.directory, visit.language
    subject = Subject.of(question.host, (), question.network)
    return html.respond(
        visit.request,
        "finding/find.html.j2",
        HTTPStatus.UNPROCESSABLE_ENTITY if wrongs else HTTPStatus.OK,
        question=question,
        moved=moved,
        when=offers.moment(moved.start, moved.timezone, directory, language, [moved.host_site]) if moved else "",
        again=visit.query.again,
        found=answer,
        later=question.last + timedelta(days=7),
        wrongs=wrongs or Wrongs(),
        may_book=answer is not None and may(visit.actor, "book", subject, directory),
        directory=directory,
        weekdays=[
            (code, i18n.weekday(clocks.noon(A_MONDAY + timedelta(days=number), "UTC"), language))
            for number, code in enumerate(WEEKDAYS)
        ],
    )
