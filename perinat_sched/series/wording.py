"""A rule as people say it: "every Thursday", "the third Thursday of each month, every 2 months". No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from perinat_sched import i18n, zones
from perinat_sched.i18n import Message, say
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import WEEKDAYS, Rule
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Language

ORDINALS = {
    0: Message("every {day}"),
    1: Message("the first {day}"),
    2: Message("the second {day}"),
    3: Message("the third {day}"),
    4: Message("the fourth {day}"),
    5: Message("the fifth {day}"),
    -1: Message("the last {day}"),
    -2: Message("the last {day} but one"),
}
EVERY = {  # by frequency: what comes each time, what comes every so many
    "MONTHLY": (Message("{days} of each month"), Message("{days}, every {count} months")),
    "YEARLY": (Message("{days} of each year"), Message("{days}, every {count} years")),
}
A_MONDAY = date(2027, 3, 1)


def when(series: Series, language: Language, city: str | None) -> str:
    """`chaque jeudi à 13 h 00 (heure de Paris), du jeudi 7 janvier 2027 au jeudi 16 décembre 2027`."""
    draft = series.session
    start = draft.wall_start.replace(tzinfo=zones.zone(draft.timezone))
    hour = i18n.hour(start, language, i18n.place_of(draft.timezone, language, city))
    if series.rrule is None:
        days = sorted(date.fromisoformat(text) for text in series.dates)
        listed = Message(
            "on {count} given days at {hour}, {days}", count=len(days), hour=hour, days=_span(days, language)
        )
        return say(listed, language)
    rule = recurrence.parse(series.rrule, draft.timezone)
    if rule.until is not None:
        end = _span([start.date(), rule.until.date()], language)
    else:
        end = say(Message("{count} times from {first}", count=rule.count, first=i18n.day(start, language)), language)
    told = Message("{pattern} at {hour}, {end}", pattern=pattern(rule, draft.wall_start, language), hour=hour, end=end)
    return say(told, language)


def without(series: Series, language: Language) -> list[str]:
    """The days that are left out, as people say them."""
    return [_span([span.first, span.last], language) for span in recurrence.spans(series.exclude)]


def pattern(rule: Rule, start: datetime, language: Language) -> str:
    """How often, and on which days, without hour and end."""
    said = recurrence.fixed(rule, start)
    if said.frequency == "DAILY":
        return _daily(said, language)
    if said.frequency == "WEEKLY":
        return _weekly(said, language)
    days = _monthly(said, language) if said.by_day or said.by_month_day else say(Message("the same day"), language)
    each, every = EVERY[said.frequency]
    told = each if said.interval == 1 else every
    return say(Message(told.text, days=days, count=said.interval), language)


def _weekly(rule: Rule, language: Language) -> str:
    days = sorted(rule.by_day, key=lambda day: list(WEEKDAYS).index(day[1]))
    if rule.interval == 1:
        names = _all([weekday(name, language) for _, name in days], language)
        return say(Message("every {day}", day=names), language)
    told = Message("every {count} weeks, {days}", count=rule.interval, days=_all(_on(days, language), language))
    return say(told, language)


def _daily(rule: Rule, language: Language) -> str:
    often = Message("every day") if rule.interval == 1 else Message("every {count} days", count=rule.interval)
    only = [*_on(rule.by_day, language), *_numbered(rule.by_month_day, language)]
    if not only:
        return say(often, language)
    return say(Message("{often}, only {days}", often=often, days=_all(only, language)), language)


def _monthly(rule: Rule, language: Language) -> str:
    weekdays = _all([_ordinal(number, name, language) for number, name in rule.by_day], language)
    numbered = _all(_numbered(rule.by_month_day, language), language)
    if weekdays and numbered:
        return say(Message("{days} that falls on {numbered}", days=weekdays, numbered=numbered), language)
    return weekdays or numbered


def _ordinal(number: int, name: str, language: Language) -> str:
    day = weekday(name, language)
    if number in ORDINALS:
        return say(Message(ORDINALS[number].text, day=day), language)
    if number < 0:
        return say(Message("the {day} number {number} from the end", day=day, number=-number), language)
    return say(Message("the {day} number {number}", day=day, number=number), language)


def _on(days: Iterable[tuple[int, str]], language: Language) -> list[str]:
    return [say(Message("on {day}", day=weekday(name, language)), language) for _, name in days]


def _numbered(days: Iterable[int], language: Language) -> list[str]:
    told = []
    for number in days:
        if number == -1:
            message = Message("the last day")
        elif number < 0:
            message = Message("the day number {number} from the end", number=-number)
        else:
            message = Message("day {number}", number="1er" if language == "fr" and number == 1 else number)
        told.append(say(message, language))
    return told


def weekday(name: str, language: Language) -> str:
    """`jeudi` for `TH`."""
    return i18n.weekday(_noon(A_MONDAY + timedelta(days=list(WEEKDAYS).index(name))), language)


def _all(words: Sequence[str], language: Language) -> str:
    """`lundi, mardi et jeudi`."""
    if len(words) < 2:
        return "".join(words)
    return say(Message("{some} and {last}", some=", ".join(words[:-1]), last=words[-1]), language)


def _span(days: Sequence[date], language: Language) -> str:
    first, last = (i18n.day(_noon(day), language) for day in (days[0], days[-1]))
    return first if first == last else say(Message("from {first} to {last}", first=first, last=last), language)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12))
