"""Change a series: all that is still to come, or one date and the following, as a new series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from perinat_sched.booking.request import Changes as SessionChanges
from perinat_sched.errors import InvalidRequest, RevisionMismatch
from perinat_sched.i18n import Message, day, say
from perinat_sched.series import request, wording
from perinat_sched.series.changes import Changes
from perinat_sched.series.recurrence import WEEKDAYS
from perinat_sched.series.request import Asked
from perinat_sched.series.series import Series, SeriesRefused
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.desk.series import form as series_form
from perinat_sched.web.desk.series import overview
from perinat_sched.web.desk.series.form import SeriesForm
from perinat_sched.web.desk.series.new import Tried, address, choices, tried, when
from perinat_sched.web.desk.stale import Difference, Stale
from perinat_sched.web.desk.words import REPEATS
from perinat_sched.web.desk.wrongs import ABOUT_FORMS, Wrongs, whole_number

RULE = ("repeat", "interval", "weekday", "ordinal", "rrule", "dates", "until", "count", "start")
OF_A_SESSION: Mapping[str, str] = {  # what a form calls otherwise than the series
    "kind": "kind",
    "title": "title",
    "description": "description",
    "network": "network",
    "site": "required_sites",
    "optional_site": "optional_sites",
    "room": "rooms",
    "start": "start",
    "hour": "start",
    "timezone": "timezone",
    "fold": "fold",
    "duration_minutes": "duration_minutes",
    "join_url": "join_url",
    "access_code": "access_code",
    "override_reason": "override_reason",
}


class FromQuery(PageQuery):
    """From which date on; empty: all that is still to come."""

    since: str = Field(default="", max_length=16, alias="from")


class ChangeForm(SeriesForm):
    """The series as it shall be, from which date on, and which revision is changed."""

    do: Literal["try", "book", "leave_out"] = "book"
    since: str = Field(default="", max_length=16)
    revision: str = Field(default="", max_length=10)


async def show(visit: Visit[FromQuery, None]) -> web.Response:
    since = visit.query.since
    present = await visit.services.series_changes.present(visit.actor, visit.path("id"), since or None)
    return _page(visit, present, _filled(visit, present, since))


async def send(visit: Visit[PageQuery, ChangeForm]) -> web.Response:
    """Try it, or change it, or say what speaks against which date. A form of an older revision changes nothing."""
    form, services, series_id = visit.form, visit.services, visit.path("id")
    since = form.since or None
    try:
        present = await services.series_changes.present(visit.actor, series_id, since)
    except InvalidRequest:  # it no longer has that date: perhaps because this form was sent before
        return await overview.changed(visit, series_id)
    try:
        changes = _changes(_filled(visit, present, form.since), form)
        named = whole_number("form", form.revision)
        revision = -1 if named is None else named
        if form.do == "try":
            whole = await services.series_changes.try_out(visit.actor, series_id, revision, changes, since)
            return _page(visit, present, form, tried=await tried(visit, whole))
        changed = await services.series_changes.change(visit.actor, series_id, revision, changes, since)
    except SeriesRefused as refused:
        return _page(visit, present, form, HTTPStatus.CONFLICT, tried=await tried(visit, refused.whole))
    except RevisionMismatch:
        present = await services.series_changes.present(visit.actor, series_id, since)
        fresh = form.model_copy(update={"revision": str(present.revision)})
        found = list(differences(visit, _filled(visit, present, form.since), form))
        if not found:  # sent twice
            return html.see(visit.request, f"/series/{series_id}?done=changed")
        return _page(visit, present, fresh, HTTPStatus.PRECONDITION_FAILED, stale=Stale(differences=found))
    except ABOUT_FORMS as error:
        wrongs = visit.wrongs(error)
        return _page(visit, present, form, HTTPStatus.UNPROCESSABLE_ENTITY, wrongs=wrongs)
    services.delivery.wake()
    return html.see(visit.request, address(changed.series, "changed", changed.changed, services.directory))


FIELDS: Mapping[str, Message] = {
    "kind": Message("Kind"),
    "start": Message("First date"),
    "hour": Message("Hour (by the clock of the series)"),
    "timezone": Message("Whose clock"),
    "duration_minutes": Message("Length in minutes"),
    "repeat": Message("Repeats"),
    "interval": Message("Every so many (2: every second)"),
    "ordinal": Message("Which weekday of the month"),
    "weekday": Message("On these weekdays"),
    "until": Message("Last day"),
    "count": Message("or number of dates"),
    "dates": Message("Given days"),
    "rrule": Message("Rule of iCalendar"),
    "exclude": Message("Days and ranges"),
    "exclude_holidays_of": Message("Holidays"),
    "site": Message("Required sites"),
    "optional_site": Message("Optional sites"),
    "room": Message("Rooms"),
    "network": Message("Network"),
    "title": Message("Title"),
    "description": Message("Description"),
    "join_url": Message("Link to join"),
    "access_code": Message("Access code"),
}


def differences(visit: Visit[Any, Any], now: ChangeForm, typed: ChangeForm) -> Iterator[Difference]:
    """Field by field, in words, what the series has otherwise than the form."""
    words = _words(visit)
    for name, field in FIELDS.items():
        one, other = (_plain(getattr(form, name)) for form in (now, typed))
        if one != other:
            yield Difference(field=field, now=_said(one, words), typed=_said(other, words))


def _words(visit: Visit[Any, Any]) -> dict[str, str]:
    """What codes in the form are called."""
    directory, language = visit.services.directory, visit.language
    named = {one.code: one.name for group in (directory.sites, directory.networks) for one in group.values()}
    rooms = {f"{room.site}:{room.code}": room.name for room in directory.rooms.values()}
    kinds = {kind.code: kind.name[language] for kind in directory.kinds.values()}
    repeats = {code: say(words, language) for code, words in REPEATS.items()}
    return {**named, **rooms, **kinds, **repeats, **{code: wording.weekday(code, language) for code in WEEKDAYS}}


def _said(value: Any, words: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(words.get(text, text) for text in value)
    return words.get(value, value)


def _filled(visit: Visit[Any, Any], present: Series, since: str) -> ChangeForm:
    """The form of the series as it is."""
    asked = Asked(
        session=request.asked_again(present),
        rrule=present.rrule,
        dates=present.dates if present.rrule is None else None,
        exclude=present.exclude,
        exclude_holidays_of=present.exclude_holidays_of,
    )
    form = series_form.filled(asked, present.session.timezone, visit.language)
    return ChangeForm(**form.model_dump(), since=since, revision=str(present.revision))


def _changes(before: ChangeForm, form: ChangeForm) -> Changes:
    """What differs from the series as it is. Raises InvalidRequest."""
    asked = series_form.asked(form)
    every = {*OF_A_SESSION, *RULE, "exclude", "exclude_holidays_of"}
    differs = {name for name in every if _plain(getattr(form, name)) != _plain(getattr(before, name))}
    named = {field for name, field in OF_A_SESSION.items() if name in differs}
    given = {field: getattr(asked.session, field) for field in named}
    ruled = not differs.isdisjoint(RULE)
    return Changes(
        session=SessionChanges(**given, no_patient_data=asked.session.no_patient_data),
        rrule=asked.rrule if ruled else None,
        dates=asked.dates if ruled else None,
        exclude=asked.exclude if "exclude" in differs else None,
        exclude_holidays_of=asked.exclude_holidays_of if "exclude_holidays_of" in differs else None,
        override=asked.override or None,
    )


def _plain(value: Any) -> Any:
    """A field without what means nothing: empty choices, the order of boxes, how a browser ends lines."""
    if isinstance(value, list):
        return sorted(text for text in value if text)
    return value.replace("\r\n", "\n").strip()


def _page(
    visit: Visit[Any, Any],
    present: Series,
    form: ChangeForm,
    status: int = HTTPStatus.OK,
    *,
    tried: Tried | None = None,
    wrongs: Wrongs | None = None,
    stale: Stale | None = None,
) -> web.Response:
    directory = visit.services.directory
    host = directory.sites.get(present.session.host_site)
    return html.respond(
        visit.request,
        "series/change.html.j2",
        status,
        series_id=visit.path("id"),
        title=present.session.title,
        when=when(present, directory, visit.language),
        host=host.name if host else present.session.host_site,
        since=day(present.session.wall_start, visit.language) if form.since else "",
        form=form,
        tried=tried,
        wrongs=wrongs or Wrongs(),
        stale=stale,
        hosts=None,
        **choices(visit, form),
    )
