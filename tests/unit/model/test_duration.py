"""Durations: text, components, arithmetic with temporal values, the duration between two."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from everwhen.errors import ArithmeticFailure, QueryArgumentError, QueryTypeError
from everwhen.model import values as v
from everwhen.model.duration import Duration, duration_of_map, parse_duration
from everwhen.model.temporal import Date, DateTime
from everwhen.model.temporal_between import between, in_days, in_months, in_seconds
from everwhen.model.temporal_math import plus
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)
from everwhen.model.temporal_parts import PARTS, temporal_part
from tests.unit.model.strategies import datetimes, durations, local_datetimes


@given(durations)
def test_text_reads_back(value):
    assert parse_duration(str(value)) == value


@given(durations)
def test_negation(value):
    assert value.negated().negated() == value
    assert value.plus(value.negated()) == Duration(0, 0, 0, 0)
    assert value.times(-1) == value.negated()
    assert value.times(1.0) == value
    assert value.divided_by(1) == value


@given(durations, st.integers(-1000, 1000))
def test_products_are_repeated_sums(value, count):
    assert value.times(count).months == value.months * count
    assert value.times(count).total_nanos == value.total_nanos * count


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"years": 12, "months": 5, "days": -14, "hours": 16}, "P12Y5M-14DT16H"),
        ({"minutes": 12, "seconds": -60}, "PT11M"),
        ({"seconds": 2, "milliseconds": -1}, "PT1.999S"),
        ({"seconds": -2, "milliseconds": 1}, "PT-1.999S"),
        ({"seconds": -60, "milliseconds": -1}, "PT-1M-0.001S"),
        ({"days": 1, "milliseconds": -1}, "P1DT-0.001S"),
        ({"months": -14}, "P-1Y-2M"),
        ({"months": 0.75}, "P22DT19H51M49.5S"),
        ({"weeks": 2.5}, "P17DT12H"),
        ({"quarters": 1}, "P3M"),
        ({"seconds": 0.1}, "PT0.1S"),
        ({"days": 0.1}, "PT2H24M"),
        ({"nanoseconds": 1.9}, "PT0.000000001S"),
        ({"days": 0}, "PT0S"),
        ({"years": 12.5, "months": 5.5, "days": 14.5, "hours": 16.5, "minutes": 12.5,
          "seconds": 70.5, "nanoseconds": 3}, "P12Y11M29DT33H58M13.500000003S"),
    ],
)  # fmt: skip
def test_from_components(fields, text):
    assert str(duration_of_map(fields)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P14DT16H12M", "P14DT16H12M"),
        ("P5M1.5D", "P5M1DT12H"),
        ("PT0.75M", "PT45S"),
        ("P2.5W", "P17DT12H"),
        ("P12Y5M14DT16H12M70S", "P12Y5M14DT16H13M10S"),
        ("-P1Y2D", "P-1Y-2D"),
        ("P-1Y2D", "P-1Y2D"),
        ("PT1,5S", "PT1.5S"),
        ("P2012-02-02T14:37:21.545", "P2012Y2M2DT14H37M21.545S"),
        ("P20120202T143721", "P2012Y2M2DT14H37M21S"),
    ],
)
def test_from_text(text, expected):
    assert str(parse_duration(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1D", "P1S", "PT1D", "P1DT", "P1.5.5D", "P2012-13-01T00:00:00"]
)
def test_malformed(text):
    with pytest.raises(QueryArgumentError):
        parse_duration(text)


@given(st.text(alphabet="PTYMWDHS0123456789.-+,", max_size=14))
def test_any_text_is_a_duration_or_an_error_of_ours(text):
    try:
        value = parse_duration(text)
    except (QueryArgumentError, ArithmeticFailure):
        return
    assert parse_duration(str(value)) == value


def test_what_is_refused():
    with pytest.raises(QueryArgumentError):
        duration_of_map({})
    with pytest.raises(QueryArgumentError):
        duration_of_map({"day": 1})
    with pytest.raises(QueryTypeError):
        duration_of_map({"days": "1"})
    for fields in ({"seconds": 2**63}, {"years": 2**62}, {"days": float("nan")}, {"days": 1e300}):
        with pytest.raises(ArithmeticFailure):
            duration_of_map(fields)
    with pytest.raises(ArithmeticFailure):
        Duration.of(0, 0, 2**63 - 1).plus(Duration.of(0, 0, 1))
    with pytest.raises(ArithmeticFailure):
        Duration.of(1, 0, 0).divided_by(0)


def test_components():
    value = duration_of_map(
        {"years": 1, "months": 4, "days": 10, "hours": 1, "minutes": 1, "seconds": 1,
         "nanoseconds": 111111111}
    )  # fmt: skip
    assert {name: temporal_part(value, name) for name in PARTS[Duration]} == {
        "years": 1, "quarters": 5, "months": 16, "weeks": 1, "days": 10, "hours": 1,
        "minutes": 61, "seconds": 3661, "milliseconds": 3661111, "microseconds": 3661111111,
        "nanoseconds": 3661111111111, "quartersOfYear": 1, "monthsOfQuarter": 1,
        "monthsOfYear": 4, "daysOfWeek": 3, "minutesOfHour": 1, "secondsOfMinute": 1,
        "millisecondsOfSecond": 111, "microsecondsOfSecond": 111111,
        "nanosecondsOfSecond": 111111111,
    }  # fmt: skip


def test_equality_is_by_parts():
    assert v.equals(parse_duration("PT24H"), parse_duration("P1D")) is False
    assert v.equals(parse_duration("PT60M"), parse_duration("PT1H")) is True
    assert v.compare(parse_duration("P1D"), parse_duration("P2D")) is None


# --- temporal values and durations ---------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "duration", "expected"),
    [
        (parse_date("1984-10-11"), "P12Y5M14DT16H13M10.000000002S", "1997-03-25"),
        (parse_date("1984-10-11"), "P12Y11M29DT33H58M13.5S", "1997-10-11"),
        (parse_date("1984-10-11"), "-P12Y11M29DT33H58M13.5S", "1971-10-12"),
        (parse_date("2020-01-31"), "P1M", "2020-02-29"),
        (parse_date("2020-01-01"), "PT-1S", "2020-01-01"),
        (parse_local_time("12:31:14.000000001"), "P12Y5M14DT16H13M10.000000002S",
         "04:44:24.000000003"),
        (parse_time("12:00+01:00"), "PT-13H", "23:00+01:00"),
        (parse_local_datetime("2020-12-31T23:00"), "P1MT2H", "2021-02-01T01:00"),
        # days are of the calendar, hours of the time line
        (parse_datetime("2020-03-28T12:00[Europe/Berlin]"), "P1D",
         "2020-03-29T12:00+02:00[Europe/Berlin]"),
        (parse_datetime("2020-03-28T12:00[Europe/Berlin]"), "PT24H",
         "2020-03-29T13:00+02:00[Europe/Berlin]"),
        (parse_datetime("2020-03-28T02:30[Europe/Berlin]"), "P1D",
         "2020-03-29T03:30+02:00[Europe/Berlin]"),
    ],
)  # fmt: skip
def test_adding(value, duration, expected):
    assert str(v.add(value, parse_duration(duration))) == expected
    assert str(v.add(parse_duration(duration), value)) == expected


def test_leaving_the_calendar():
    for value in (parse_date("+999999999-12-31"), parse_local_datetime("+999999999-12-31T12:00")):
        with pytest.raises(ArithmeticFailure):
            v.add(value, parse_duration("P1D"))
        with pytest.raises(ArithmeticFailure):
            v.add(value, parse_duration("P1M"))


@given(
    st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1)),
    st.timedeltas(timedelta(days=-300_000), timedelta(days=300_000)),
)
def test_time_spans_as_python_adds_them(start, span):
    ours = parse_local_datetime(start.isoformat())
    duration = Duration.of(0, 0, span.days * 86_400 + span.seconds, span.microseconds * 1_000)
    end = parse_local_datetime((start + span).isoformat())
    assert plus(ours, duration) == end
    assert in_seconds(ours, end) == duration
    assert in_days(ours, end).days == int(span / timedelta(days=1))


@given(local_datetimes, local_datetimes)
def test_between_leads_from_one_to_the_other(start, end):
    duration = between(start, end)
    assert plus(start, duration) == end
    assert in_months(start, end).months == duration.months
    signs = {value > 0 for value in (duration.months, duration.days, duration.total_nanos) if value}
    assert len(signs) <= 1


@given(datetimes, datetimes)
def test_between_datetimes(start, end):
    duration = between(start, end)
    # a gap or an overlap on the way may be walked differently; seconds never are
    assert in_seconds(start, end).total_nanos == end.epoch_nanos - start.epoch_nanos
    assume(start.zone is None)
    assert plus(start, duration).epoch_nanos == end.epoch_nanos


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (parse_date("1984-10-11"), parse_date("2015-06-24"), "P30Y8M13D"),
        (parse_date("1984-10-11"), parse_local_time("16:30"), "PT16H30M"),
        (parse_local_time("14:30"), parse_date("2015-06-24"), "PT-14H-30M"),
        (parse_time("14:30"), parse_time("16:30+0100"), "PT1H"),
        (parse_local_time("14:30"), parse_time("16:30+0100"), "PT2H"),
        (parse_datetime("2014-07-21T21:40:36.143+0200"),
         parse_datetime("2015-07-21T21:40:32.142+0100"), "P1YT59M55.999S"),
        (parse_datetime("2017-10-28T23:00+02:00[Europe/Stockholm]"),
         parse_datetime("2017-10-29T04:00+01:00[Europe/Stockholm]"), "PT6H"),
        (parse_date("-999999999-01-01"), parse_date("+999999999-12-31"), "P1999999998Y11M30D"),
    ],
)  # fmt: skip
def test_between(start, end, expected):
    assert str(between(start, end)) == expected


def test_whole_units():
    start, end = parse_local_datetime("2018-01-01T12:00"), parse_local_datetime("2018-02-02T10:00")
    assert str(in_months(start, end)) == "P1M"
    assert str(in_days(start, end)) == "P31D"
    assert str(in_months(parse_date("2018-01-31"), parse_date("2018-02-28"))) == "PT0S"
    assert str(in_days(parse_date("2018-01-01"), parse_local_time("12:00"))) == "PT0S"
    with pytest.raises(QueryTypeError):
        between(parse_date("2018-01-01"), 5)


def test_the_epoch():
    assert str(DateTime.of_micros(0)) == "1970-01-01T00:00Z"
    assert str(DateTime.of_micros(-1)) == "1969-12-31T23:59:59.999999Z"
    assert DateTime.of_micros(-1).epoch_micros == -1
    assert Date(0) == parse_date("1970-01-01")
