"""The dates of a series, against a day-by-day reading of the rule, and everything that is refused."""

# ruff: noqa: DTZ001 - wall times

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perinat_sched.errors import InvalidRequest
from perinat_sched.series import recurrence
from perinat_sched.series.recurrence import Rule

PARIS = "Europe/Paris"
NAMES = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
THURSDAY = datetime(2027, 1, 7, 13)


def times(text: str, start: datetime = THURSDAY) -> list[datetime]:
    return recurrence.expand(recurrence.parse(text, PARIS), start)


def in_month(day: date, of: int) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    return day.day == (of if of > 0 else last + 1 + of)


def nth(day: date, ordinal: int, first: date, last: date) -> bool:
    """Whether a day is the nth of its weekday between two days; 0: any."""
    same = [one for one in range((last - first).days + 1) if (first + timedelta(one)).weekday() == day.weekday()]
    place = same.index((day - first).days)
    return ordinal in (0, place + 1, place - len(same))


def falls(day: date, rule: Rule, start: date) -> bool:
    """RFC 5545 § 3.3.10 read for one day, without any library."""
    months = (day.year - start.year) * 12 + day.month - start.month
    monday = start - timedelta(days=start.weekday())
    apart = {
        "DAILY": (day - start).days,
        "WEEKLY": (day - monday).days // 7,
        "MONTHLY": months,
        "YEARLY": day.year - start.year,
    }[rule.frequency]
    if apart % rule.interval:
        return False
    yearly = rule.frequency == "YEARLY"
    period = (date(day.year, 1, 1), date(day.year, 12, 31)) if yearly else (
        day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
    )  # fmt: skip
    if rule.by_month_day and not any(in_month(day, one) for one in rule.by_month_day):
        return False
    if rule.by_day:
        return any(NAMES[day.weekday()] == name and nth(day, ordinal, *period) for ordinal, name in rule.by_day)
    if rule.by_month_day or rule.frequency == "DAILY":
        return True
    if rule.frequency == "WEEKLY":
        return day.weekday() == start.weekday()
    return day.day == start.day and (rule.frequency == "MONTHLY" or day.month == start.month)


@st.composite
def ruled(draw):
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    most = {"MONTHLY": 5, "YEARLY": 53}.get(frequency, 0)
    month_days = st.integers(-31, 31).filter(bool)
    by_month_day = () if frequency == "WEEKLY" else draw(st.lists(month_days, max_size=3, unique=True).map(tuple))
    ordinals = st.integers(-most, most) if most and not by_month_day else st.just(0)
    by_day = draw(st.lists(st.tuples(ordinals, st.sampled_from(NAMES)), max_size=3, unique=True).map(tuple))
    start = datetime.combine(draw(st.dates(date(2026, 1, 1), date(2028, 12, 31))), datetime.min.time().replace(hour=15))
    until = start + timedelta(days=draw(st.integers(0, 720)))
    return start, Rule(
        frequency=frequency, interval=draw(st.integers(1, 6)), until=until, by_day=by_day, by_month_day=by_month_day
    )


@given(ruled())
def test_a_rule_means_what_a_reading_day_by_day_means(case) -> None:
    start, rule = case
    assert rule.until
    days = [start.date() + timedelta(n) for n in range((rule.until - start).days + 1)]
    expected = [datetime.combine(day, start.time()) for day in days if falls(day, rule, start.date())]
    assume(expected)
    first = expected[0]
    if first != start:
        with pytest.raises(InvalidRequest) as refused:
            recurrence.expand(rule, start)
        assert refused.value.errors[0].field == "start"
        return
    found = recurrence.expand(rule, start)
    assert found == expected[: recurrence.MOST_OCCURRENCES + 1]
    text = recurrence.written(rule, PARIS)
    assert recurrence.parse(text, PARIS) == rule


def test_the_third_thursdays_and_the_last_fridays() -> None:
    assert times("FREQ=MONTHLY;BYDAY=3TH;COUNT=3", datetime(2027, 1, 21, 15)) == [
        datetime(2027, 1, 21, 15), datetime(2027, 2, 18, 15), datetime(2027, 3, 18, 15),
    ]  # fmt: skip
    assert times("freq=monthly;byday=-1FR;count=2", datetime(2027, 1, 29, 9))[1] == datetime(2027, 2, 26, 9)


def test_every_thursday_and_the_first_monday_are_one_rule() -> None:
    """dateutil alone would look for Thursdays that are first Mondays."""
    assert [one.day for one in times("FREQ=MONTHLY;BYDAY=TH,1MO;COUNT=7", datetime(2027, 2, 1, 15))] == [
        1, 4, 11, 18, 25, 1, 4,
    ]  # fmt: skip
    yearly = times("FREQ=YEARLY;BYDAY=FR,-1TH;UNTIL=20281231", datetime(2027, 1, 1, 15))
    assert len(yearly) == 53 + 52 + 2 and yearly[52:54] == [datetime(2027, 12, 30, 15), datetime(2027, 12, 31, 15)]


def test_until_is_compared_in_the_zone_of_the_series() -> None:
    until = "FREQ=DAILY;UNTIL=20270602T220000Z"  # midnight in Paris of 3 June
    assert times(until, datetime(2027, 6, 1, 0))[-1] == datetime(2027, 6, 3, 0)
    assert recurrence.expand(recurrence.parse(until, "America/Toronto"), datetime(2027, 6, 1, 20))[-1].day == 1
    assert times("FREQ=DAILY;UNTIL=20270603", datetime(2027, 6, 1, 13))[-1] == datetime(2027, 6, 3, 13)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=TH", "COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20270201", "COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=1000000000", "from 1 to 366"),
        ("FREQ=WEEKLY;COUNT=0", "from 1 to 366"),
        ("FREQ=WEEKLY;INTERVAL=0;COUNT=3", "from 1 to"),
        ("FREQ=SECONDLY;COUNT=3", "FREQ is one of"),
        ("FREQ=HOURLY;COUNT=3", "FREQ is one of"),
        ("COUNT=3", "FREQ is one of"),
        ("FREQ=WEEKLY;UNTIL=20270106", "before the start"),
        ("FREQ=WEEKLY;UNTIL=20270231", "UNTIL is a day"),
        ("FREQ=WEEKLY;UNTIL=soon", "UNTIL is a day"),
        ("FREQ=WEEKLY;UNTIL=20991231", "at most 2 years"),
        ("FREQ=YEARLY;COUNT=4", "at most 2 years"),
        ("FREQ=WEEKLY;INTERVAL=100;COUNT=3", "at most 2 years"),
        ("FREQ=WEEKLY;BYSETPOS=1;COUNT=3", "not supported"),
        ("FREQ=WEEKLY;COUNT=3;COUNT=4", "each part once"),
        ("FREQ=WEEKLY;COUNT", "each part once"),
        ("FREQ=WEEKLY;BYDAY=3TH;COUNT=3", "goes with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=6TH;COUNT=3", "goes with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=JEUDI;COUNT=3", "BYDAY lists weekdays"),
        ("FREQ=WEEKLY;BYMONTHDAY=7;COUNT=3", "does not go with"),
        ("FREQ=MONTHLY;BYMONTHDAY=32;COUNT=3", "days of the month"),
        ("FREQ=WEEKLY;COUNT=٣", "from 1 to 366"),
        ("", "each part once"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        times(text)
    error = refused.value.errors[0]
    assert error.field == "rrule"
    assert said in error.message.text.format(**error.message.values)


def test_a_start_that_is_no_occurrence_of_its_own_rule_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        times("FREQ=WEEKLY;BYDAY=FR;COUNT=3")
    assert refused.value.errors[0].field == "start"
    assert refused.value.errors[0].message.values["first"] == "2027-01-08T13:00"


def test_dates_one_by_one_are_sorted_and_begin_with_the_start() -> None:
    found = recurrence.listed(["2027-06-03", "2027-01-28", "2027-06-03"], datetime(2027, 1, 28, 10))
    assert found == [datetime(2027, 1, 28, 10), datetime(2027, 6, 3, 10)]
    for days, field in [(["2027-02-01"], "start"), ([], "start"), (["2027-02-30"], "dates[0]"),
                        (["2027-01-28", "2029-06-01"], "dates")]:  # fmt: skip
        with pytest.raises(InvalidRequest) as refused:
            recurrence.listed(days, datetime(2027, 1, 28, 10))
        assert refused.value.errors[0].field == field


def test_exclusions_are_days_and_ranges_and_those_that_match_nothing_are_known() -> None:
    thursdays = times("FREQ=WEEKLY;COUNT=4")
    assert recurrence.unmatched(["2027-01-14", "2027-01-15", "2027-01-20/2027-01-22"], thursdays) == ["2027-01-15"]
    for text in ("2027-01-32", "2027-02-02/2027-02-01", "jeudi", "2027-01-14/"):
        with pytest.raises(InvalidRequest) as refused:
            recurrence.spans([text])
        assert refused.value.errors[0].field == "exclude[0]"


HOURS = st.times().map(lambda one: one.replace(minute=one.minute // 5 * 5, second=0, microsecond=0))


@given(HOURS, HOURS, st.datetimes(datetime(2027, 3, 2), datetime(2027, 3, 20)))
def test_a_rule_at_another_hour_has_the_same_days(before: time, after: time, until: datetime) -> None:
    first = date(2027, 3, 1)
    rule = Rule(frequency="DAILY", until=until)
    moved = recurrence.at_another_hour(rule, before, after)

    def days(rule: Rule, at: time) -> list[date]:
        return [one.date() for one in recurrence.expand(rule, datetime.combine(first, at))]

    assert days(moved, after) == days(rule, before)
