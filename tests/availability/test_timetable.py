"""Time as bits: what touches a cell takes it, and runs of cells are found wherever they begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perinat_sched.availability.timetable import Cells, Runs, cells_of, minus, numbers
from perinat_sched.intervals import Interval

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
MORNING = Cells.over(Interval(START, START + timedelta(hours=4)), timedelta(minutes=5))
sets = st.sets(st.integers(0, 199))


def after(**given: float) -> datetime:
    return START + timedelta(**given)


@pytest.mark.parametrize(
    ("interval", "touched"),
    [
        pytest.param(Interval(START, after(minutes=5)), {0}, id="a whole cell"),
        pytest.param(Interval(after(minutes=5), after(minutes=15)), {1, 2}, id="two"),
        pytest.param(Interval(after(seconds=299), after(seconds=301)), {0, 1}, id="a second of each of two"),
        pytest.param(Interval(after(minutes=9), after(minutes=10, microseconds=1)), {1, 2}, id="a microsecond more"),
        pytest.param(Interval(after(minutes=9, microseconds=1), after(minutes=10)), {1}, id="a microsecond less"),
        pytest.param(Interval(after(hours=-9), after(minutes=1)), {0}, id="from long before"),
        pytest.param(Interval(after(hours=3, minutes=59), after(days=9)), {47}, id="until long after"),
        pytest.param(Interval(after(days=-9), after(days=9)), set(range(48)), id="all of it"),
        pytest.param(Interval(after(days=-9), START), set(), id="before it"),
        pytest.param(Interval(after(hours=4), after(hours=5)), set(), id="after it"),
    ],
)
def test_what_touches_a_cell_takes_all_of_it(interval: Interval, touched: set[int]) -> None:
    assert set(numbers(MORNING.touched([interval]))) == touched


def test_cells_begin_at_whole_numbers_of_cells_and_cover_the_window() -> None:
    cells = Cells.over(Interval(after(minutes=2), after(minutes=8)), timedelta(minutes=5))
    assert (cells.origin, cells.count) == (START, 2)
    assert cells.before(START) == cells.before(after(hours=-1)) == 0
    assert cells.before(after(seconds=1)) == cells.before(after(minutes=5)) == 0b1
    assert cells.before(after(hours=9)) == cells.all == 0b11


@given(sets, sets)
def test_sets_of_cells_are_numbers_and_back(some: set[int], others: set[int]) -> None:
    bits = cells_of(some, 200)
    assert list(numbers(bits)) == sorted(some)
    assert set(numbers(minus(bits, cells_of(others, 200)))) == some - others


@given(sets, st.integers(1, 40))
def test_runs_begin_where_so_many_cells_are_free(free: set[int], length: int) -> None:
    runs = Runs(cells_of(free, 200))
    for asked in (length, 1, length):  # the order in which lengths are asked for makes no difference
        begin = {cell for cell in free if set(range(cell, cell + asked)) <= free}
        assert set(numbers(runs.starts(asked))) == begin
