"""Spans of time against a brute force over whole hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perinat_sched.intervals import Interval, difference, intersection, peak, union, usage

EPOCH = datetime(2027, 1, 1, tzinfo=UTC)
HOURS = range(40)


def at(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


def span(start: int, end: int) -> Interval:
    return Interval(at(start), at(end))


pairs = st.tuples(st.integers(0, 38), st.integers(1, 12)).map(lambda p: (p[0], min(p[0] + p[1], 39)))
spans = pairs.map(lambda pair: span(*pair))
span_lists = st.lists(spans, max_size=12)
load_lists = st.lists(st.tuples(spans, st.integers(1, 5)), max_size=10)


def hours_of(intervals: list[Interval]) -> set[int]:
    """The hours that begin in any of the intervals."""
    return {hour for hour in HOURS if any(one.start <= at(hour) < one.end for one in intervals)}


def is_neat(intervals: list[Interval]) -> bool:
    """Sorted, and none touches the next."""
    return all(left.end < right.start for left, right in pairwise(intervals))


@given(span_lists)
def test_union_holds_the_same_hours_in_as_few_intervals_as_possible(given_spans: list[Interval]) -> None:
    merged = union(given_spans)
    assert hours_of(merged) == hours_of(given_spans)
    assert is_neat(merged)


@given(span_lists, span_lists)
def test_difference_is_what_is_in_one_and_not_in_the_other(left: list[Interval], right: list[Interval]) -> None:
    rest = difference(left, right)
    assert hours_of(rest) == hours_of(left) - hours_of(right)
    assert is_neat(rest)


@given(span_lists, span_lists)
def test_intersection_is_what_is_in_both(left: list[Interval], right: list[Interval]) -> None:
    common = intersection(left, right)
    assert hours_of(common) == hours_of(left) & hours_of(right)
    assert common == sorted(common)
    assert intersection(right, left) == common


@given(span_lists, span_lists)
def test_what_is_left_and_what_is_common_make_the_whole(left: list[Interval], right: list[Interval]) -> None:
    assert union([*difference(left, right), *intersection(left, right)]) == union(left)


@given(load_lists)
def test_usage_counts_the_units_of_every_hour(loads: list[tuple[Interval, int]]) -> None:
    steps = usage(loads)
    for hour in HOURS:
        expected = sum(units for one, units in loads if one.start <= at(hour) < one.end)
        assert [units for one, units in steps if one.start <= at(hour) < one.end] == ([expected] if expected else [])


@given(load_lists, spans)
def test_peak_is_the_most_of_any_hour_in_the_window(loads: list[tuple[Interval, int]], window: Interval) -> None:
    inside = (hour for hour in HOURS if window.start <= at(hour) < window.end)
    expected = max(sum(units for one, units in loads if one.start <= at(h) < one.end) for h in inside)
    assert peak(loads, window) == expected


@given(spans, spans)
def test_overlapping_is_having_an_hour_in_common(left: Interval, right: Interval) -> None:
    assert left.overlaps(right) == bool(hours_of([left]) & hours_of([right]))
    assert left.contains(right) == (hours_of([right]) <= hours_of([left]))


def test_what_touches_does_not_overlap() -> None:
    assert not span(8, 12).overlaps(span(12, 13))
    assert union([span(8, 12), span(12, 13)]) == [span(8, 13)]


def test_a_session_is_widened_by_its_set_up_and_release() -> None:
    assert span(8, 9).widened(timedelta(hours=1), timedelta(hours=2)) == span(7, 11)
    assert span(8, 9).duration == timedelta(hours=1)


@pytest.mark.parametrize("end", [8, 7], ids=["empty", "backwards"])
def test_an_interval_that_does_not_end_after_it_starts_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        span(8, end)
