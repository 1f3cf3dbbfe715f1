from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reesim.errors import InputError
from reesim.scenario.calendar import STEP_YEARS, Calendar, parse_end, parse_start, parse_window, years_between

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        (2010, date(2010, 1, 1), date(2010, 12, 31)),
        ("2010", date(2010, 1, 1), date(2010, 12, 31)),
        ("2010Q3", date(2010, 7, 1), date(2010, 9, 30)),
        ("2010-q1", date(2010, 1, 1), date(2010, 3, 31)),
        ("2012-02", date(2012, 2, 1), date(2012, 2, 29)),
        ("2010-12", date(2010, 12, 1), date(2010, 12, 31)),
        ("9999-12", date(9999, 12, 1), date(9999, 12, 31)),
        ("2010-07-08", date(2010, 7, 8), date(2010, 7, 8)),
        (date(2010, 7, 8), date(2010, 7, 8), date(2010, 7, 8)),
        (datetime(2010, 7, 8, 12), date(2010, 7, 8), date(2010, 7, 8)),
        (np.datetime64("2010-07-08T12:00"), date(2010, 7, 8), date(2010, 7, 8)),
        (pd.Timestamp("2010-07-08"), date(2010, 7, 8), date(2010, 7, 8)),
    ],
)
def test_a_partial_date_means_its_whole_period(value, first, last):
    assert parse_window(value) == (first, last)
    assert (parse_start(value), parse_end(value)) == (first, last)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("2010-13", "no month 13"),
        ("2010-00", "no month 0"),
        ("2010-02-30", "2010-02 has 28 days"),
        ("2010-01-00", "2010-01 has 31 days"),
        ("2010Q5", "no quarter 5"),
        ("0000", "no year 0"),
        ("2010-7", "write a date as"),
        ("07/2010", "write a date as"),
        ("٢٠١٠", "write a date as"),
        (201007, "write a date as"),
        (2010.5, "write a date as"),
        (True, "write a date as"),
        (None, "write a date as"),
        ("x" * 1000, "write a date as"),
    ],
)
def test_impossible_dates_are_refused_with_a_sentence(value, why):
    with pytest.raises(ValueError, match=why) as caught:
        parse_start(value)
    assert len(str(caught.value)) < 200


@QUICK
@given(DATES, DATES)
def test_years_add_up(a, b):
    first, last = sorted((a, b))
    middle = first + (last - first) // 2
    whole = years_between(first, last)
    parts = years_between(first, middle) + (years_between(middle + timedelta(days=1), last) if middle < last else 0.0)
    # Sums of a few quotients of small integers: some roundings of numbers below 200.
    assert whole == pytest.approx(parts, abs=1e-12)


def test_a_calendar_year_is_exactly_one_year():
    assert years_between(date(2011, 1, 1), date(2011, 12, 31)) == 1.0
    assert years_between(date(2012, 1, 1), date(2012, 12, 31)) == 1.0
    assert years_between(date(2010, 1, 1), date(2014, 12, 31)) == 5.0
    assert years_between(date(2012, 1, 1), date(2012, 6, 30)) == 182 / 366


@QUICK
@given(DATES, st.integers(0, 900), st.sampled_from(sorted(STEP_YEARS)))
def test_periods_tile_the_calendar(start, days, step):
    end = start + timedelta(days=days)
    calendar = Calendar(start, end, step)
    assert calendar.starts[0] == np.datetime64(start)
    assert calendar.starts[-1] <= np.datetime64(end) < calendar.ends[-1]
    assert (calendar.starts[1:] == calendar.ends[:-1]).all()
    assert (calendar.starts < calendar.ends).all()
    for row in (0, len(calendar) // 2, len(calendar) - 1):
        assert calendar.index_of(calendar.starts[row]) == row
        assert calendar.index_of(calendar.ends[row] - np.timedelta64(1, "D")) == row


@QUICK
@given(DATES, st.integers(0, 900), st.sampled_from(sorted(STEP_YEARS)))
def test_a_baseline_row_stands_one_step_earlier(start, days, step):
    end = start + timedelta(days=days)
    plain, extended = Calendar(start, end, step), Calendar(start, end, step, has_extra_baseline=True)
    assert (extended.starts[1:] == plain.starts).all()
    assert (extended.ends[1:] == plain.ends).all()
    assert extended.ends[0] == plain.starts[0]
    length = int((extended.ends[0] - extended.starts[0]).astype(int))
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[step]
    assert longest - 4 <= length <= longest or length == longest


def test_steps_by_hand():
    assert [str(day) for day in Calendar("2010-01-31", "2010-05", "month").starts] == [
        "2010-01-31",
        "2010-02-28",
        "2010-03-31",
        "2010-04-30",
        "2010-05-31",
    ]
    assert len(Calendar("2010-01", "2015-12", "month")) == 72
    assert len(Calendar(2010, 2010, "day")) == 365
    assert [str(day) for day in Calendar("2010Q1", "2010Q4", "quarter").starts[-2:]] == ["2010-07-01", "2010-10-01"]
    assert [str(day) for day in Calendar("2010-02", "2012-01", "year").starts] == ["2010-02-01", "2011-02-01"]
    assert [str(day) for day in Calendar("2010-01-01", "2010-01-15", "week").starts] == [
        "2010-01-01",
        "2010-01-08",
        "2010-01-15",
    ]
    assert Calendar("2010", "2010", "day").dt == 1 / 365.25
    assert Calendar("2010", "2010", "quarter").dt == 0.25


def test_times_are_a_datetime_index():
    times = Calendar("2010-01", "2010-03").times
    assert isinstance(times, pd.DatetimeIndex)
    assert list(times) == [pd.Timestamp(2010, month, 1) for month in (1, 2, 3)]
    assert times.name == "time"


def test_arrays_cannot_be_written_and_equality_is_by_meaning():
    calendar = Calendar("2010-01", "2010-03")
    with pytest.raises(ValueError, match="read-only"):
        calendar.starts[0] = np.datetime64("2000-01-01")
    assert calendar == Calendar(date(2010, 1, 1), "2010Q1", "month")
    assert calendar != Calendar("2010-01", "2010-03", has_extra_baseline=True)


def test_dates_outside_and_bad_calendars_are_refused():
    calendar = Calendar("2010-01", "2010-03")
    for outside in ("2009-12-31", "2010-04-01", "1066", "2011"):
        with pytest.raises(InputError, match="outside the calendar, which runs from 2010-01-01 to 2010-03-31"):
            calendar.index_of(outside)
    with pytest.raises(InputError, match="write a date as"):
        calendar.index_of("soon")
    with pytest.raises(InputError, match="comes before the start"):
        Calendar("2010-02", "2010-01")
    with pytest.raises(InputError, match="choose one of day, week"):
        Calendar("2010", "2010", "fortnight")
    with pytest.raises(InputError, match="no month 13"):
        Calendar("2010-13", "2011")
