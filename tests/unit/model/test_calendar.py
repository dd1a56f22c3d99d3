"""The calendar against Python's within its years, and its laws beyond them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError
from everwhen.model import calendar as cal

EPOCH = date(1970, 1, 1)
python_dates = st.dates()
days = st.integers(cal.DAYS_MIN, cal.DAYS_MAX)


@given(python_dates)
def test_as_python_counts(day):
    number = (day - EPOCH).days
    assert cal.days_from_civil(day.year, day.month, day.day) == number
    assert cal.civil_from_days(number) == (day.year, day.month, day.day)
    week_year, week, week_day = day.isocalendar()
    assert cal.week_and_year(number) == (week, week_year)
    assert cal.week_day(number) == week_day
    assert cal.ordinal_day(number) == day.timetuple().tm_yday
    assert cal.days_of_week(week_year, week, week_day) == number
    assert cal.days_of_ordinal(day.year, cal.ordinal_day(number)) == number


@given(days)
def test_parts_and_back(number):
    year, month, day = cal.civil_from_days(number)
    assert cal.days_of(year, month, day) == number
    assert 1 <= day <= cal.days_in_month(year, month)
    assert cal.days_of_quarter(year, (month + 2) // 3, cal.day_of_quarter(number)) == number
    week, week_year = cal.week_and_year(number)
    if cal.YEAR_MIN < year < cal.YEAR_MAX:
        assert cal.days_of_week(week_year, week, cal.week_day(number)) == number


@given(days, st.integers(-30_000, 30_000))
def test_months_are_added_and_counted_back(number, months):
    year, month, day = cal.civil_from_days(number)
    if not cal.YEAR_MIN + 3000 < year < cal.YEAR_MAX - 3000:
        return
    moved = cal.add_months(number, months)
    new_year, new_month, new_day = cal.civil_from_days(moved)
    assert (new_year - year) * 12 + new_month - month == months
    assert new_day == min(day, cal.days_in_month(new_year, new_month))
    if day <= 28:
        assert cal.months_between(number, moved) == months


@given(python_dates, python_dates)
def test_months_between_are_the_most_that_fit(start, end):
    first, last = (start - EPOCH).days, (end - EPOCH).days
    if first > last:
        first, last = last, first
    months = cal.months_between(first, last)
    assert cal.add_months(first, months) <= last
    year, month, day = cal.civil_from_days(first)
    following = (year * 12 + month - 1) + months + 1
    # the day of the start has not come again in the month after
    assert (following, day) > (
        cal.civil_from_days(last)[0] * 12 + cal.civil_from_days(last)[1] - 1,
        cal.civil_from_days(last)[2],
    )


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (cal.days_of, (2019, 2, 29)),
        (cal.days_of, (2019, 13, 1)),
        (cal.days_of, (2019, 0, 1)),
        (cal.days_of, (2019, 4, 31)),
        (cal.days_of, (10**9, 1, 1)),
        (cal.days_of_week, (2017, 53, 1)),
        (cal.days_of_week, (2017, 0, 1)),
        (cal.days_of_week, (2017, 1, 8)),
        (cal.days_of_ordinal, (2019, 366)),
        (cal.days_of_quarter, (2019, 1, 91)),
        (cal.days_of_quarter, (2019, 5, 1)),
        (cal.add_months, (cal.DAYS_MAX, 1)),
    ],
)
def test_days_that_do_not_exist(make, arguments):
    with pytest.raises(QueryArgumentError) as error:
        make(*arguments)
    assert error.value.detail == "InvalidArgumentValue"


def test_the_ends_of_the_calendar():
    assert cal.civil_from_days(cal.DAYS_MIN) == (-999_999_999, 1, 1)
    assert cal.civil_from_days(cal.DAYS_MAX) == (999_999_999, 12, 31)
    assert cal.days_in_month(2000, 2) == 29
    assert cal.days_in_month(1900, 2) == 28
    assert EPOCH + timedelta(days=cal.days_from_civil(2026, 11, 23)) == date(2026, 11, 23)
