"""The dates of a series: a rule or a list, without what is excluded, all in the wall time of one zone.

Nothing here knows an hour in UTC: 15:00 stays 15:00 whatever the clocks do. A date carries at most one occurrence, so
an occurrence is known by its date; its recurrence id is that date with the hour of the series. Of RFC 5545's rules
those are understood that people schedule with, all of them bounded; everything else is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import NoReturn

from dateutil import rrule as rules

from perinat_sched import zones
from perinat_sched.errors import InvalidRequest

MOST_OCCURRENCES = 366
YEARS = 2  # a series lasts no longer
MOST_INTERVAL = 731
MOST_EXCLUSIONS = 366

FREQUENCIES = {"DAILY": rules.DAILY, "WEEKLY": rules.WEEKLY, "MONTHLY": rules.MONTHLY, "YEARLY": rules.YEARLY}
WEEKDAYS = {
    "MO": rules.MO, "TU": rules.TU, "WE": rules.WE, "TH": rules.TH, "FR": rules.FR, "SA": rules.SA, "SU": rules.SU
}  # fmt: skip
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY")
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
BY_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
MONTH_DAY = re.compile(r"[+-]?[0-9]{1,2}", re.ASCII)
UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z?))?", re.ASCII)
MOST_ORDINAL = {"MONTHLY": 5, "YEARLY": 53}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule that was understood. Its end is a count or a last wall time, never neither."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None  # naive, in the series' zone, included
    by_day: tuple[tuple[int, str], ...] = ()  # (0, "TH"): every Thursday; (3, "TH"): the third
    by_month_day: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Days that are left out, both included."""

    first: date
    last: date


def parse(text: str, zone: str) -> Rule:
    """A rule as RFC 5545 writes it; `zone` is the series', in which UNTIL is compared. Raises InvalidRequest."""
    parts: dict[str, str] = {}
    for piece in text.upper().split(";"):
        name, equals, value = piece.partition("=")
        if not equals or not value or name in parts:
            raise InvalidRequest.of(
                "rrule", "Write a rule as parts NAME=value with semicolons between them, each part once."
            )
        if name not in PARTS:
            raise InvalidRequest.of(
                "rrule", "{part} is not supported: use only {known}.", part=repr(name[:20]), known=", ".join(PARTS)
            )
        parts[name] = value
    frequency = parts.get("FREQ", "")
    if frequency not in FREQUENCIES:
        raise InvalidRequest.of("rrule", "FREQ is one of {known}.", known=", ".join(FREQUENCIES))
    if ("COUNT" in parts) == ("UNTIL" in parts):
        raise InvalidRequest.of("rrule", "A rule ends: give either COUNT or UNTIL, and not both.")
    return Rule(
        frequency=frequency,
        interval=_whole(parts.get("INTERVAL", "1"), "INTERVAL", MOST_INTERVAL),
        count=_whole(parts["COUNT"], "COUNT", MOST_OCCURRENCES) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], zone) if "UNTIL" in parts else None,
        by_day=_by_day(parts["BYDAY"], frequency) if "BYDAY" in parts else (),
        by_month_day=_by_month_day(parts["BYMONTHDAY"], frequency) if "BYMONTHDAY" in parts else (),
    )


def _whole(text: str, part: str, most: int) -> int:
    if not NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        raise InvalidRequest.of("rrule", "{part} is a whole number from 1 to {most}.", part=part, most=most)
    return int(text)


def _until(text: str, zone: str) -> datetime:
    match = UNTIL.fullmatch(text)
    try:
        if match:
            day, hour, utc = match.groups()
            read = datetime.strptime(day + (hour or "235959"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - a wall time
            return zones.to_local(read.replace(tzinfo=UTC), zone).replace(tzinfo=None, fold=0) if utc else read
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest.of("rrule", "UNTIL is a day or an instant: 20271216 or 20271216T225900Z.")


def _by_day(text: str, frequency: str) -> tuple[tuple[int, str], ...]:
    found = []
    for piece in text.split(","):
        match = BY_DAY.fullmatch(piece)
        if not match:
            raise InvalidRequest.of("rrule", "BYDAY lists weekdays, as in TH, 3TH or -1FR.")
        ordinal = int(match[1]) if match[1] else 0
        if match[1] and not 1 <= abs(ordinal) <= MOST_ORDINAL.get(frequency, 0):
            raise InvalidRequest.of(
                "rrule", "A numbered weekday such as 3TH goes with FREQ=MONTHLY (up to 5) or YEARLY (up to 53)."
            )
        found.append((ordinal, match[2]))
    return tuple(dict.fromkeys(found))


def _by_month_day(text: str, frequency: str) -> tuple[int, ...]:
    pieces = text.split(",")
    if frequency == "WEEKLY":
        raise InvalidRequest.of("rrule", "BYMONTHDAY does not go with FREQ=WEEKLY: use MONTHLY, or leave it out.")
    if not all(MONTH_DAY.fullmatch(piece) and 1 <= abs(int(piece)) <= 31 for piece in pieces):
        raise InvalidRequest.of("rrule", "BYMONTHDAY lists days of the month, 1 to 31, or -1 for the last.")
    return tuple(dict.fromkeys(int(piece) for piece in pieces))


def expand(rule: Rule, start: datetime) -> list[datetime]:
    """The wall times of a rule whose first occurrence is `start` (naive), in order. Raises InvalidRequest."""
    horizon = last_after(start)
    if rule.until is not None and rule.until < start:
        raise InvalidRequest.of("rrule", "UNTIL lies before the start: choose a later one.")
    if rule.until is not None and rule.until > horizon + timedelta(days=1):
        _too_far()
    found = list(islice(_times(rule, start, min(rule.until or horizon, horizon)), rule.count or MOST_OCCURRENCES + 1))
    if not found or found[0] != start:
        raise InvalidRequest.of(
            "start", "The start is no occurrence of its own rule: start on {first}, or change the rule.",
            first=f"{found[0]:%Y-%m-%dT%H:%M}" if found else "-",
        )  # fmt: skip
    if rule.count is not None and len(found) < rule.count:
        _too_far()
    return found


def _times(rule: Rule, start: datetime, until: datetime) -> rules.rrule:
    """dateutil takes days that are numbered and days that are not, side by side, for days that must be both: every
    Thursday is then each of the month's, or year's, by its number."""
    every = range(1, MOST_ORDINAL[rule.frequency] + 1) if any(ordinal for ordinal, _ in rule.by_day) else (None,)
    weekdays = [WEEKDAYS[day](n) for ordinal, day in rule.by_day for n in ((ordinal,) if ordinal else every)]
    return rules.rrule(
        FREQUENCIES[rule.frequency],
        dtstart=start,
        interval=rule.interval,
        wkst=rules.MO,
        until=until,  # bounded, whatever the rule says
        byweekday=weekdays or None,
        bymonthday=rule.by_month_day or None,
    )


def spelled(rule: Rule, start: datetime) -> list[datetime]:
    """The wall times of a rule that has an UNTIL, from `start` on, which need not be one of them."""
    assert rule.until is not None
    return list(_times(rule, start, rule.until))


def listed(days: Sequence[str], start: datetime) -> list[datetime]:
    """The wall times of a series whose dates are given one by one, at the hour of `start`. Raises InvalidRequest."""
    found = {day(text, f"dates[{position}]") for position, text in enumerate(days)}
    times = sorted(datetime.combine(one, start.time()) for one in found)
    if not times or times[0] != start:
        raise InvalidRequest.of("start", "The start is the first of the dates: start on {first}, or list it.",
                                first=f"{times[0]:%Y-%m-%dT%H:%M}" if times else "-")  # fmt: skip
    if times[-1] > last_after(start):
        raise InvalidRequest.of("dates", "A series lasts at most {years} years: make a second one.", years=YEARS)
    return times


def spans(texts: Sequence[str]) -> list[Span]:
    """What is excluded: `2027-05-06`, or `2027-07-29/2027-08-26`, both days included. Raises InvalidRequest."""
    found = []
    for position, text in enumerate(texts):
        first, slash, last = text.partition("/")
        name = f"exclude[{position}]"
        span = Span(first=day(first, name), last=day(last if slash else first, name))
        if span.last < span.first:
            raise InvalidRequest.of(name, "The range ends before it begins: turn it round.")
        found.append(span)
    return found


def unmatched(texts: Sequence[str], times: Sequence[datetime]) -> list[str]:
    """Those exclusions that concern no date of the series: most often a slip of the pen."""
    pairs = zip(texts, spans(texts), strict=True)
    return [text for text, span in pairs if not any(span.first <= one.date() <= span.last for one in times)]


def day(text: str, field_name: str) -> date:
    """`YYYY-MM-DD`. Raises InvalidRequest."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidRequest.of(field_name, "Write a date as YYYY-MM-DD.")


def last_after(start: datetime) -> datetime:
    """The last instant of a series that begins at `start`."""
    same_day = start.day if (start.month, start.day) != (2, 29) else 28
    return start.replace(year=start.year + YEARS, day=same_day)


def _too_far() -> NoReturn:
    raise InvalidRequest.of(
        "rrule", "A series lasts at most {years} years: end it earlier, and make a second one.", years=YEARS
    )


def fixed(rule: Rule, start: datetime) -> Rule:
    """The same rule with everything said that it takes from its start: it may then begin elsewhere."""
    if rule.by_day or rule.by_month_day:
        return rule
    if rule.frequency == "WEEKLY":
        return replace(rule, by_day=((0, list(WEEKDAYS)[start.weekday()]),))
    if rule.frequency == "MONTHLY":
        return replace(rule, by_month_day=(start.day,))
    return rule


def at_another_hour(rule: Rule, before: time, after: time) -> Rule:
    """The same days at another hour: an UNTIL between the two hours would take the last day away, or add one."""
    if rule.until is None or (rule.until.time() >= before) == (rule.until.time() >= after):
        return rule
    last = rule.until.date() if rule.until.time() >= before else rule.until.date() - timedelta(days=1)
    return replace(rule, until=datetime.combine(last, after))


def first(rule: Rule, since: datetime, until: datetime) -> datetime | None:
    """The first time from `since` on that is of the rule; None: there is none until `until`."""
    return next(iter(_times(rule, since, min(until, last_after(since)))), None)


def written(rule: Rule, zone: str) -> str:
    """The rule as RFC 5545 writes it, UNTIL in UTC as TZID asks for (ICS-14)."""
    parts = [f"FREQ={rule.frequency}"]
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    if rule.by_day:
        parts.append("BYDAY=" + ",".join(f"{ordinal or ''}{name}" for ordinal, name in rule.by_day))
    if rule.by_month_day:
        parts.append("BYMONTHDAY=" + ",".join(map(str, rule.by_month_day)))
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.until is not None:
        last = zones.to_utc(rule.until, zone, 1) if zones.instants(rule.until, zone) else rule.until.replace(tzinfo=UTC)
        parts.append(f"UNTIL={last:%Y%m%dT%H%M%SZ}")
    return ";".join(parts)
