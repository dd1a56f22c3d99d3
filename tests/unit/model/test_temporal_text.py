"""Temporal values to text and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError
from everwhen.model.calendar import DAYS_MAX, DAYS_MIN
from everwhen.model.temporal import Date, DateTime, LocalTime
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
    parse_zone,
)
from tests.unit.model.strategies import dates, datetimes, local_datetimes, local_times, times


@given(dates)
def test_dates_read_back(value):
    assert parse_date(str(value)) == value


@given(local_times)
def test_local_times_read_back(value):
    assert parse_local_time(str(value)) == value


@given(times)
def test_times_read_back(value):
    assert parse_time(str(value)) == value


@given(local_datetimes)
def test_local_datetimes_read_back(value):
    assert parse_local_datetime(str(value)) == value


@given(datetimes)
def test_datetimes_read_back(value):
    assert parse_datetime(str(value)) == value


@given(st.datetimes(timezones=st.just(UTC)))
def test_datetimes_as_python_writes_them(value):
    micros = (value - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
    ours = parse_datetime(value.isoformat())
    assert ours.epoch_micros == micros
    assert ours == DateTime.of_micros(micros)


def test_the_forms_of_a_date():
    forms = [
        "2015-07-21",
        "20150721",
        "2015-W30-2",
        "2015W302",
        "2015-202",
        "2015202",
        "2015-Q3-21",
    ]
    assert {str(parse_date(text)) for text in forms} == {"2015-07-21"}
    assert str(parse_date("2015-07")) == str(parse_date("201507")) == "2015-07-01"
    assert str(parse_date("2015-W30")) == str(parse_date("2015W30")) == "2015-07-20"
    assert str(parse_date("2015-Q3")) == str(parse_date("2015Q3")) == "2015-07-01"
    assert str(parse_date("2015")) == "2015-01-01"
    assert str(parse_date("2015-7-1")) == "2015-07-01"
    assert str(parse_date("+12345-07-21")) == "+12345-07-21"
    assert str(parse_date("-0001-07-21")) == str(parse_date("-1-07-21")) == "-0001-07-21"


def test_the_ends():
    assert str(Date(DAYS_MIN)) == "-999999999-01-01"
    assert str(Date(DAYS_MAX)) == "+999999999-12-31"
    assert str(parse_date("0000-01-01")) == "0000-01-01"
    assert str(parse_date("10000-01-01".replace("1", "+1", 1))) == "+10000-01-01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21:40:32.142", "21:40:32.142"),
        ("214032.142", "21:40:32.142"),
        ("21:40:32,5", "21:40:32.500"),
        ("2140", "21:40"),
        ("21", "21:00"),
        ("1:2:3", "01:02:03"),
        ("00:00:00.000000001", "00:00:00.000000001"),
        ("00:00:00.00001", "00:00:00.000010"),
    ],
)
def test_the_forms_of_a_time(text, expected):
    assert str(parse_local_time(text)) == expected
    assert str(parse_time(text)) == f"{expected}Z"
    assert str(parse_local_datetime(f"2015T{text}")) == f"2015-01-01T{expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-07-21T21:40:32.142+0100", "2015-07-21T21:40:32.142+01:00"),
        ("2015-W30-2T214032.142Z", "2015-07-21T21:40:32.142Z"),
        ("20150721T21:40-01:30", "2015-07-21T21:40-01:30"),
        ("2015-07-21T21:40:32.142[Europe/London]", "2015-07-21T21:40:32.142+01:00[Europe/London]"),
        ("2015-07-21T21:40:32+0845[Australia/Eucla]", "2015-07-21T21:40:32+08:45[Australia/Eucla]"),
        ("2015-07-21T21:40:32-04[America/New_York]", "2015-07-21T21:40:32-04:00[America/New_York]"),
        ("2015-07-21T21", "2015-07-21T21:00Z"),
        ("2015-07-21", "2015-07-21T00:00Z"),
        ("2015-07-21[Europe/London]", "2015-07-21T00:00+01:00[Europe/London]"),
        ("2015-07-21T21:40[+02:00]", "2015-07-21T21:40+02:00"),
        # a gap moves forward, an overlap is decided by the offset
        ("2020-03-29T02:30[Europe/Stockholm]", "2020-03-29T03:30+02:00[Europe/Stockholm]"),
        ("2020-10-25T02:30[Europe/Stockholm]", "2020-10-25T02:30+02:00[Europe/Stockholm]"),
        ("2020-10-25T02:30+01:00[Europe/Stockholm]", "2020-10-25T02:30+01:00[Europe/Stockholm]"),
    ],
)
def test_the_forms_of_a_datetime(text, expected):
    assert str(parse_datetime(text)) == expected


def test_before_standard_time_offsets_have_seconds():
    value = parse_datetime("1818-07-21T21:40:32.142[Europe/Stockholm]")
    assert value.offset % 60 != 0
    assert parse_datetime(str(value)) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_date, ""),
        (parse_date, "nonsense"),
        (parse_date, "2019-02-29"),
        (parse_date, "2019-13-01"),
        (parse_date, "2019-1-1-1"),
        (parse_date, "12345-01-01"),
        (parse_date, "+9999999999-01-01"),
        (parse_date, "٢٠١٩-01-01"),
        (parse_date, "2019-W54"),
        (parse_date, "2015-07-21T21:40"),
        (parse_date, " 2015-07-21"),
        (parse_local_time, "25:00"),
        (parse_local_time, "24:00"),
        (parse_local_time, "12:60"),
        (parse_local_time, "12:00:60"),
        (parse_local_time, "12:00:00.1234567890"),
        (parse_local_time, "12:00Z"),
        (parse_local_time, ""),
        (parse_time, "12:00[Europe/Stockholm]"),
        (parse_time, "12:00+19:00"),
        (parse_time, "+01:00"),
        (parse_local_datetime, "2015-07-21T21:40Z"),
        (parse_local_datetime, "2015-07-21T"),
        (parse_datetime, "2015-07-21T21:40+03:00[Europe/Stockholm]"),
        (parse_datetime, "2020-03-29T02:30+01:00[Europe/Stockholm]"),
        (parse_datetime, "2015-07-21T21:40[Nowhere]"),
        (parse_datetime, "2015-07-21T21:40Zjunk"),
        (parse_datetime, "2015-07-21 21:40"),
        (parse_zone, "Nowhere"),
    ],
)
def test_malformed(parse, text):
    with pytest.raises(QueryArgumentError):
        parse(text)


@given(st.text(max_size=30) | st.from_regex(r"[-+0-9:.,TZWQP\[\]/a-z]{0,25}", fullmatch=True))
def test_any_text_is_a_value_or_an_error_of_ours(text):
    for parse in (parse_date, parse_local_time, parse_time, parse_local_datetime, parse_datetime):
        try:
            value = parse(text)
        except QueryArgumentError:
            continue
        assert parse(str(value)) == value


def test_times_of_day():
    assert str(LocalTime(0)) == "00:00"
    assert str(LocalTime(86_400 * 10**9 - 1)) == "23:59:59.999999999"
