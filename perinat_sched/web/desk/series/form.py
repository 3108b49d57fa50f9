"""A series as a form has it, and as it is asked for: days, hours and numbers are text until they are read here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import Field

from perinat_sched.booking import request as booking
from perinat_sched.errors import FieldError, InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import MOST_EXCLUSIONS, MOST_OCCURRENCES, WEEKDAYS, Rule
from perinat_sched.series.request import Asked
from perinat_sched.sites.network import Directory, Language
from perinat_sched.web.desk.page import PageForm
from perinat_sched.web.desk.wrongs import whole_number
from perinat_sched.web.schemas.base import LONGEST_CODE, MOST_SITES

Short = Annotated[str, Field(max_length=300)]
Long = Annotated[str, Field(max_length=12_000)]
Code = Annotated[str, Field(max_length=LONGEST_CODE)]
Repeat = Literal["week", "month_weekday", "month_day", "month_last", "day", "rule", "dates"]

A_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})", re.ASCII)
BETWEEN = re.compile(r"(?:\s|[/–—-]|du|au|from|to|until)*", re.ASCII)  # what stands around the days of a range
FREQUENCIES: Mapping[Repeat, str] = {
    "week": "WEEKLY",
    "month_weekday": "MONTHLY",
    "month_day": "MONTHLY",
    "month_last": "MONTHLY",
    "day": "DAILY",
}


class SeriesForm(PageForm):
    """What stands in the form of a series, whether it is new or changed."""

    key: str = Field(default="", max_length=64)  # the form's own: sent twice, it books once
    do: Literal["try", "book", "leave_out"] = "try"
    kind: Code = ""
    title: Short = ""
    description: Long = ""
    network: Code = ""
    host: Code = ""
    site: list[Code] = Field(default_factory=list, max_length=MOST_SITES)
    optional_site: list[Code] = Field(default_factory=list, max_length=MOST_SITES)
    room: list[Short] = Field(default_factory=list, max_length=2 * MOST_SITES)  # site:room
    start: Short = ""
    hour: Short = ""
    timezone: Short = ""
    fold: Literal["", "0", "1"] = ""
    duration_minutes: Short = ""
    join_url: str = Field(default="", max_length=3000)
    access_code: Short = ""
    repeat: Repeat = "week"
    interval: Short = "1"
    weekday: list[Short] = Field(default_factory=list, max_length=7)
    ordinal: Short = ""
    rrule: str = Field(default="", max_length=500)
    dates: Long = ""
    until: Short = ""
    count: Short = ""
    exclude: Long = ""
    exclude_holidays_of: list[Short] = Field(default_factory=list, max_length=50)
    override: list[Short] = Field(default_factory=list, max_length=MOST_OCCURRENCES)
    override_reason: Short = ""
    no_patient_data: Literal["", "true"] = ""


def within(form: SeriesForm, directory: Directory) -> SeriesForm:
    """In the first network that all are in, where none is named."""
    sites = [directory.sites[code] for code in (form.host, *form.site, *form.optional_site) if code in directory.sites]
    common = [name for name in directory.networks if sites and all(name in site.networks for site in sites)]
    return form.model_copy(update={"network": common[0]}) if common and not form.network else form


def asked(form: SeriesForm) -> Asked:
    """The series that is asked for. Raises InvalidRequest with all that cannot be read."""
    reader = _Reader()
    first = reader.day("start", form.start)
    hour = reader.hour("hour", form.hour)
    minutes = reader.number("duration_minutes", form.duration_minutes)
    rule = reader.rule(form, first) if form.repeat != "dates" else None
    days = reader.days("dates", form.dates) if form.repeat == "dates" else None
    excluded = reader.exclusions("exclude", form.exclude)
    overridden = tuple(text for text in form.override if text.endswith(f"T{form.hour.strip()}"))
    if overridden and not form.override_reason.strip():
        reader.note("override_reason", Message("Say why: the sites concerned read it."))
    reader.finish()
    assert first and hour is not None
    return Asked(
        session=booking.Asked(
            kind=form.kind,
            host_site=form.host,
            start=f"{first}T{hour:%H:%M}",
            title=form.title.strip() or None,
            description=form.description,
            network=form.network or None,
            timezone=form.timezone or None,
            fold=int(form.fold) if form.fold else None,
            duration_minutes=minutes,
            required_sites=_others(form.site, form.host),
            optional_sites=_others(form.optional_site, form.host),
            rooms=dict(text.split(":", 1) for text in form.room if ":" in text),
            join_url=form.join_url.strip() or None,
            access_code=form.access_code.strip() or None,
            override_reason=form.override_reason.strip() or None,
            no_patient_data=bool(form.no_patient_data),
        ),
        rrule=rule,
        dates=tuple(f"{day}" for day in days) if days is not None else None,
        exclude=excluded,
        exclude_holidays_of=tuple(form.exclude_holidays_of),
        on_conflict="leave_out" if form.do == "leave_out" else "refuse",
        override=overridden,
    )


def _others(sites: Sequence[str], host: str) -> tuple[str, ...]:
    return tuple(code for code in sites if code != host)


class _Reader:
    """Reads field by field; what cannot be read is noted, and reading goes on."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def note(self, field: str, message: Message) -> None:
        self._errors.append(FieldError(field, message))

    def finish(self) -> None:
        if self._errors:
            raise InvalidRequest(*self._errors)

    def day(self, field: str, text: str) -> date | None:
        match = A_DAY.fullmatch(text.strip())
        found = _date(match) if match else None
        if found is None:
            self.note(field, Message("Write a day as DD/MM/YYYY or YYYY-MM-DD."))
        return found

    def hour(self, field: str, text: str) -> time | None:
        try:
            return time.fromisoformat(text.strip()).replace(tzinfo=None)
        except ValueError:
            self.note(field, Message("Write an hour as HH:MM."))
            return None

    def number(self, field: str, text: str) -> int | None:
        try:
            return whole_number(field, text)
        except InvalidRequest as error:
            self._errors.extend(error.errors)
            return None

    def days(self, field: str, text: str) -> list[date]:
        """Days, however they are separated."""
        found = [_date(match) for match in A_DAY.finditer(text)]
        if A_DAY.sub("", text).strip(" \t\r\n,;") or None in found or not found:
            self.note(field, Message("Write the days one a line, as DD/MM/YYYY or YYYY-MM-DD."))
        return [day for day in found if day]

    def exclusions(self, field: str, text: str) -> tuple[str, ...]:
        """Days and ranges, one a line, as the series has them."""
        found = []
        for line in (part.strip() for part in re.split(r"[\n,;]", text)):
            if not line:
                continue
            days = [_date(match) for match in A_DAY.finditer(line)]
            if not 1 <= len(days) <= 2 or None in days or not BETWEEN.fullmatch(A_DAY.sub("", line)):
                self.note(
                    field,
                    Message("{line}: write a day, or the first and the last day of a range.", line=repr(line[:40])),
                )
            else:
                found.append("/".join(f"{day}" for day in days))
        if len(found) > MOST_EXCLUSIONS:
            self.note(field, Message("Write at most {most} lines: use ranges.", most=MOST_EXCLUSIONS))
        return tuple(found)

    def rule(self, form: SeriesForm, first: date | None) -> str:
        """The rule as RFC 5545 writes it."""
        if form.repeat == "rule":
            return form.rrule.strip()
        parts = [f"FREQ={FREQUENCIES[form.repeat]}"]
        interval = self.number("interval", form.interval) or 1
        if interval != 1:
            parts.append(f"INTERVAL={interval}")
        days = [day for day in form.weekday if day in WEEKDAYS]
        match form.repeat:
            case "week" | "day" if days:
                parts.append("BYDAY=" + ",".join(days))
            case "month_weekday" if first:
                parts.append(f"BYDAY={form.ordinal or _place(first)}{list(WEEKDAYS)[first.weekday()]}")
            case "month_day" if first:
                parts.append(f"BYMONTHDAY={first.day}")
            case "month_last":
                parts.append("BYMONTHDAY=-1")
        count, until = self.number("count", form.count), None
        if form.until.strip():
            until = self.day("until", form.until)
        if bool(form.count.strip()) == bool(form.until.strip()):
            self.note("until", Message("Say when the series ends: a last day or a number of dates, and not both."))
        parts.append(f"UNTIL={until:%Y%m%d}" if until else f"COUNT={count}")
        return ";".join(parts)


def _date(match: re.Match[str]) -> date | None:
    """The day first, unless the year is."""
    year, month, day = match[1] or match[6], match[2] or match[5], match[3] or match[4]
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _place(day: date) -> int:
    """Which such weekday of its month it is; a fifth one is the last."""
    place = (day.day - 1) // 7 + 1
    return place if place < 5 else -1


def filled(given: Asked, zone: str, language: Language, *, key: str = "") -> SeriesForm:
    """The form that asks for this."""
    session = given.session
    first, _, hour = session.start.partition("T")
    return SeriesForm(
        key=key,
        kind=session.kind,
        title=session.title or "",
        description=session.description,
        network=session.network or "",
        host=session.host_site,
        site=list(session.required_sites),
        optional_site=list(session.optional_sites),
        room=[f"{site}:{room}" for site, room in session.rooms.items()],
        start=first,
        hour=hour,
        timezone=session.timezone or "",
        fold="" if session.fold is None else "1" if session.fold else "0",
        duration_minutes=str(session.duration_minutes or ""),
        join_url=session.join_url or "",
        access_code=session.access_code or "",
        exclude="\n".join(_typed(text, language) for text in given.exclude),
        exclude_holidays_of=list(given.exclude_holidays_of),
        override=list(given.override),
        override_reason=session.override_reason or "",
        **_repeated(given, zone, date.fromisoformat(first), language),
    )


def _typed(text: str, language: Language) -> str:
    """A day, or a range, as people write it here."""
    days = [f"{date.fromisoformat(day):%d/%m/%Y}" if language == "fr" else day for day in text.split("/")]
    return " – ".join(days)


def _repeated(given: Asked, zone: str, first: date, language: Language) -> dict[str, Any]:
    if given.rrule is None:
        return {"repeat": "dates", "dates": "\n".join(_typed(day, language) for day in given.dates or ())}
    rule = recurrence.parse(given.rrule, zone)
    end: dict[str, Any] = {
        "until": f"{rule.until:%Y-%m-%d}" if rule.until else "",
        "count": str(rule.count or ""),
        "interval": str(rule.interval),
    }
    days = [name for _, name in rule.by_day]
    place = _place_in(rule, first)
    match rule.frequency:
        case "WEEKLY":
            return {**end, "repeat": "week", "weekday": days}
        case "DAILY" if not rule.by_month_day:
            return {**end, "repeat": "day", "weekday": days}
        case "MONTHLY" if place is not None:
            return {**end, "repeat": "month_weekday", "ordinal": str(place)}
        case "MONTHLY" if not days and rule.by_month_day in ((), (first.day,)):
            return {**end, "repeat": "month_day"}
        case "MONTHLY" if not days and rule.by_month_day == (-1,):
            return {**end, "repeat": "month_last"}
    return {"repeat": "rule", "rrule": given.rrule}


def _place_in(rule: Rule, first: date) -> int | None:
    """The number of the one weekday of the month on which it falls; None where the rule is another one."""
    if len(rule.by_day) != 1 or rule.by_month_day:
        return None
    place, name = rule.by_day[0]
    return place if place and name == list(WEEKDAYS)[first.weekday()] else None
