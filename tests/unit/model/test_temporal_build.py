"""Temporal values from components, from each other, truncated; their components."""

from __future__ import annotations

import pytest
from hypothesis import given

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.temporal_build import (
    build_date,
    build_datetime,
    build_local_datetime,
    build_local_time,
    build_time,
)
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)
from everwhen.model.temporal_parts import PARTS, temporal_part
from everwhen.model.temporal_truncate import (
    truncate_date,
    truncate_datetime,
    truncate_local_datetime,
    truncate_local_time,
    truncate_time,
)
from tests.unit.model.strategies import dates, datetimes, local_datetimes, local_times, times

NOW = parse_datetime("2020-07-01T12:00Z")
NOVEMBER = parse_date("1984-11-11")
STOCKHOLM = parse_datetime("1984-10-11T12:00[Europe/Stockholm]")


def parts(value, *names):
    return {name: temporal_part(value, name) for name in names}


CALENDARS = [
    ("year", "month", "day"),
    ("year", "ordinalDay"),
    ("year", "quarter", "dayOfQuarter"),
]


@given(dates)
def test_components_make_the_date_again(value):
    for names in CALENDARS:
        assert build_date(parts(value, *names)) == value
    week = {"year": temporal_part(value, "weekYear"), **parts(value, "week", "dayOfWeek")}
    if abs(week["year"]) < 999_999_999:
        assert build_date(week) == value


CLOCK = ("hour", "minute", "second", "nanosecond")


@given(local_times)
def test_components_make_the_time_again(value):
    assert build_local_time(parts(value, *CLOCK)) == value


@given(times)
def test_components_make_the_zoned_time_again(value):
    assert build_time(parts(value, *CLOCK, "timezone"), 0, NOW) == value


@given(local_datetimes)
def test_components_make_the_local_datetime_again(value):
    assert build_local_datetime(parts(value, *CALENDARS[0], *CLOCK)) == value


@given(datetimes)
def test_epochs_make_the_datetime_again(value):
    seconds = parts(value, "epochSeconds", "nanosecond", "timezone")
    assert build_datetime(seconds, 0) == value
    assert DateTime.of_micros(value.epoch_micros, value.where).epoch_micros == value.epoch_micros
    assert value.at_zone(0).at_zone(value.where) == value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"date": NOVEMBER, "year": 28}, "0028-11-11"),
        ({"date": NOVEMBER, "day": 28}, "1984-11-28"),
        ({"date": NOVEMBER, "week": 1}, "1984-01-08"),
        ({"date": NOVEMBER, "ordinalDay": 28}, "1984-01-28"),
        ({"date": NOVEMBER, "quarter": 3}, "1984-08-11"),
        ({"date": NOVEMBER, "dayOfWeek": 1}, "1984-11-05"),
        ({"date": parse_date("2016-02-29"), "year": 2015}, "2015-02-28"),
        ({"date": parse_date("2015-01-31"), "month": 2}, "2015-02-28"),
        ({"date": parse_date("2015-12-31"), "quarter": 2}, "2015-06-30"),
        ({"date": parse_date("1816-12-31"), "week": 2}, "1817-01-07"),
        ({"date": parse_date("1816-12-30"), "week": 2, "dayOfWeek": 3}, "1817-01-08"),
        ({"date": STOCKHOLM}, "1984-10-11"),
    ],
)
def test_dates_on_top_of_others(fields, expected):
    assert str(build_date(fields)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"date": NOVEMBER}, "1984-11-11T00:00Z"),
        ({"date": NOVEMBER, "timezone": "+05:00"}, "1984-11-11T00:00+05:00"),
        ({"date": STOCKHOLM, "hour": 10}, "1984-10-11T10:00Z"),
        ({"datetime": STOCKHOLM}, "1984-10-11T12:00+01:00[Europe/Stockholm]"),
        ({"datetime": STOCKHOLM, "timezone": "+05:00"}, "1984-10-11T16:00+05:00"),
        (
            {"datetime": STOCKHOLM, "day": 28, "second": 42, "timezone": "Pacific/Honolulu"},
            "1984-10-28T01:00:42-10:00[Pacific/Honolulu]",
        ),
        (
            {"date": NOVEMBER, "time": parse_time("12:31+01:00"), "timezone": "Pacific/Honolulu"},
            "1984-11-11T01:31-10:00[Pacific/Honolulu]",
        ),
        # the same instant may lie on another day
        (
            {"date": NOVEMBER, "time": parse_time("01:00+02:00"), "timezone": "-01:00"},
            "1984-11-10T22:00-01:00",
        ),
        ({"date": NOVEMBER, "time": parse_local_time("12:31")}, "1984-11-11T12:31Z"),
        ({"epochMillis": -1}, "1969-12-31T23:59:59.999Z"),
        (
            {"epochSeconds": 0, "nanosecond": 5, "timezone": "+01:00"},
            "1970-01-01T01:00:00.000000005+01:00",
        ),
    ],
)
def test_datetimes_on_top_of_others(fields, expected):
    assert str(build_datetime(fields, 0)) == expected


def test_a_datetime_keeps_the_later_offset_of_an_overlap():
    later = parse_datetime("2020-10-25T02:30+01:00[Europe/Stockholm]")
    assert build_datetime({"datetime": later, "minute": 45}, 0).offset == 3600
    assert truncate_datetime("hour", later, {}, 0).offset == 3600


def test_times_on_top_of_others():
    time = parse_time("12:31:14.645876+01:00")
    assert str(build_time({"time": time, "timezone": "+05:00"}, 0, NOW)) == "16:31:14.645876+05:00"
    assert str(build_time({"time": time, "second": 42}, 0, NOW)) == "12:31:42.645876+01:00"
    assert str(build_time({"time": time, "millisecond": 5}, 0, NOW)) == "12:31:14.005+01:00"
    assert str(build_time({"time": parse_local_time("12:00"), "timezone": "+05:00"}, 0, NOW)) == (
        "12:00+05:00"
    )
    # the offset of a named zone is the one of now, which is summer
    assert str(build_time({"hour": 12, "timezone": "Europe/Stockholm"}, 0, NOW)) == "12:00+02:00"
    assert str(build_local_time({"time": STOCKHOLM, "second": 42})) == "12:00:42"


@pytest.mark.parametrize(
    ("build", "fields"),
    [
        (build_date, {}),
        (build_date, {"month": 1}),
        (build_date, {"year": 2000, "day": 1}),
        (build_date, {"year": 2000, "dayOfWeek": 1}),
        (build_date, {"year": 2000, "month": 2, "week": 1}),
        (build_date, {"year": 2000, "hour": 2}),
        (build_date, {"year": 2000, "month": None}),
        (build_date, {"year": 2000, "month": 13}),
        (build_date, {"year": 2000, "month": 2, "day": 30}),
        (build_local_time, {"minute": 1}),
        (build_local_time, {"hour": 1, "second": 1}),
        (build_local_time, {"hour": 1, "nanosecond": 1}),
        (build_local_time, {"hour": 24}),
        (build_local_time, {"hour": 1, "minute": 1, "second": 1, "millisecond": 1000}),
        (
            build_local_time,
            {"hour": 1, "minute": 1, "second": 1, "millisecond": 1, "microsecond": 1000},
        ),
        (build_local_time, {}),
        (build_local_datetime, {"hour": 1}),
        (build_local_datetime, {"year": 2000, "minute": 1}),
        (build_local_datetime, {"datetime": STOCKHOLM, "date": NOVEMBER}),
    ],
)
def test_components_that_do_not_fit(build, fields):
    with pytest.raises(QueryArgumentError):
        build(fields)


def test_components_of_a_wrong_type():
    with pytest.raises(QueryTypeError):
        build_date({"year": "2000"})
    with pytest.raises(QueryTypeError):
        build_date({"date": parse_local_time("12:00")})
    with pytest.raises(QueryTypeError):
        build_local_time({"time": NOVEMBER})
    with pytest.raises(QueryTypeError):
        build_datetime({"year": 2000, "timezone": 5}, 0)


# --- truncation ----------------------------------------------------------------------------

UNITS = {
    "millennium": "2000-01-01T00:00",
    "century": "2000-01-01T00:00",
    "decade": "2010-01-01T00:00",
    "year": "2017-01-01T00:00",
    "weekYear": "2017-01-02T00:00",
    "quarter": "2017-10-01T00:00",
    "month": "2017-11-01T00:00",
    "week": "2017-11-06T00:00",
    "day": "2017-11-11T00:00",
    "hour": "2017-11-11T12:00",
    "minute": "2017-11-11T12:31",
    "second": "2017-11-11T12:31:14",
    "millisecond": "2017-11-11T12:31:14.645",
    "microsecond": "2017-11-11T12:31:14.645876",
}
VALUE = parse_local_datetime("2017-11-11T12:31:14.645876123")


@pytest.mark.parametrize(("unit", "expected"), UNITS.items())
def test_truncation(unit, expected):
    assert str(truncate_local_datetime(unit, VALUE, {})) == expected
    zoned = DateTime.of_local(VALUE.days, VALUE.nanos, "Europe/Stockholm")
    assert str(truncate_datetime(unit, zoned, {}, 0)).startswith(expected)
    again = truncate_local_datetime(unit, truncate_local_datetime(unit, VALUE, {}), {})
    assert str(again) == expected


def test_truncation_with_components():
    assert str(truncate_date("year", VALUE, {"day": 5})) == "2017-01-05"
    assert str(truncate_local_time("millisecond", VALUE, {"nanosecond": 2})) == "12:31:14.645000002"
    assert str(truncate_local_time("microsecond", VALUE, {"nanosecond": 2})) == "12:31:14.645876002"
    assert str(truncate_local_time("second", VALUE, {"nanosecond": 2})) == "12:31:14.000000002"
    zoned = parse_datetime("2017-10-11T12:31-01:00")
    moved = truncate_datetime("hour", zoned, {"timezone": "Europe/Stockholm"}, 0)
    assert str(moved) == "2017-10-11T12:00+02:00[Europe/Stockholm]"
    assert str(truncate_time("day", parse_time("12:31+01:00"), {}, 0, NOW)) == "00:00+01:00"
    assert str(truncate_time("hour", parse_local_time("12:31"), {}, 0, NOW)) == "12:00Z"
    early = parse_date("-0001-06-01")
    assert str(truncate_date("century", early, {})) == "-0100-01-01"


@pytest.mark.parametrize(
    ("truncate", "unit", "value", "error"),
    [
        (truncate_date, "nonsense", VALUE, QueryArgumentError),
        (truncate_date, "hour", VALUE, QueryArgumentError),
        (truncate_date, 1, VALUE, QueryTypeError),
        (truncate_date, "day", parse_local_time("12:00"), QueryTypeError),
        (truncate_local_time, "month", VALUE, QueryArgumentError),
        (truncate_local_time, "hour", NOVEMBER, QueryTypeError),
        (truncate_local_datetime, "hour", NOVEMBER, QueryArgumentError),
    ],
)
def test_wrong_truncations(truncate, unit, value, error):
    with pytest.raises(error):
        truncate(unit, value, {})


# --- components ----------------------------------------------------------------------------


def test_every_component_of_a_datetime():
    value = parse_datetime("1984-11-11T12:31:14.645876123+01:00[Europe/Stockholm]")
    assert {name: temporal_part(value, name) for name in PARTS[DateTime]} == {
        "year": 1984,
        "quarter": 4,
        "month": 11,
        "day": 11,
        "week": 45,
        "weekYear": 1984,
        "weekDay": 7,
        "dayOfWeek": 7,
        "dayOfQuarter": 42,
        "quarterDay": 42,
        "ordinalDay": 316,
        "hour": 12,
        "minute": 31,
        "second": 14,
        "millisecond": 645,
        "microsecond": 645876,
        "nanosecond": 645876123,
        "offset": "+01:00",
        "offsetMinutes": 60,
        "offsetSeconds": 3600,
        "timezone": "Europe/Stockholm",
        "epochSeconds": 469020674,
        "epochMillis": 469020674645,
    }


def test_components_are_those_of_the_class():
    assert set(PARTS[Date]) | set(PARTS[LocalTime]) == set(PARTS[LocalDateTime])
    assert set(PARTS[Time]) - set(PARTS[LocalTime]) == {
        "offset", "offsetMinutes", "offsetSeconds", "timezone",
    }  # fmt: skip
    with pytest.raises(QueryArgumentError):
        temporal_part(NOVEMBER, "hour")
    assert temporal_part(parse_datetime("1969-12-31T23:59:59.5Z"), "epochMillis") == -500
    assert temporal_part(parse_time("12:00-01:30"), "offsetMinutes") == -90
