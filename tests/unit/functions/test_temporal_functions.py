"""The clocks, and the ways to call a temporal constructor."""

from __future__ import annotations

import pytest

from everwhen.errors import QueryTypeError
from everwhen.model.temporal_parse import parse_date, parse_datetime, parse_local_time
from tests.unit.functions.calls import call

KINDS = ("date", "localtime", "time", "localdatetime", "datetime")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("datetime", "2020-09-13T12:26:41Z"),
        ("datetime.statement", "2020-09-13T12:26:41Z"),
        ("datetime.transaction", "2020-09-13T12:26:40Z"),
        ("datetime.realtime", "2020-09-13T12:26:42Z"),
        ("date", "2020-09-13"),
        ("time", "12:26:41Z"),
        ("localtime", "12:26:41"),
        ("localdatetime", "2020-09-13T12:26:41"),
    ],
)
def test_now(name, expected):
    assert str(call(name)) == expected


def test_now_elsewhere():
    there = "2020-09-13T08:26:41-04:00[America/New_York]"
    assert str(call("datetime.statement", "America/New_York")) == there
    assert str(call("datetime", {"timezone": "America/New_York"})) == there
    assert str(call("time.statement", "-04:00")) == "08:26:41-04:00"
    assert str(call("date.statement", "Pacific/Kiritimati")) == "2020-09-14"


@pytest.mark.parametrize("kind", KINDS)
def test_null(kind):
    assert call(kind, None) is None
    for clock in ("transaction", "statement", "realtime"):
        assert call(f"{kind}.{clock}", None) is None
    assert call(f"{kind}.truncate", None, None) is None


def test_from_other_values():
    datetime = parse_datetime("1984-10-11T12:31:14.5+01:00[Europe/Stockholm]")
    assert [str(call(kind, datetime)) for kind in KINDS] == [
        "1984-10-11",
        "12:31:14.500",
        "12:31:14.500+01:00",
        "1984-10-11T12:31:14.500",
        "1984-10-11T12:31:14.500+01:00[Europe/Stockholm]",
    ]
    assert str(call("datetime", parse_date("2020-01-02"))) == "2020-01-02T00:00Z"
    assert str(call("localdatetime", parse_date("2020-01-02"))) == "2020-01-02T00:00"
    assert str(call("time", parse_local_time("12:00"))) == "12:00Z"
    with pytest.raises(QueryTypeError):
        call("date", parse_local_time("12:00"))
    with pytest.raises(QueryTypeError):
        call("time", parse_date("2020-01-02"))


def test_truncating_now():
    assert str(call("date.truncate", "year")) == "2020-01-01"
    assert str(call("datetime.truncate", "hour")) == "2020-09-13T12:00Z"
    day = call("date.truncate", "month", parse_date("2020-01-20"), {"day": 2})
    assert str(day) == "2020-01-02"


def test_epochs():
    assert str(call("datetime.fromepoch", 1, 5)) == "1970-01-01T00:00:01.000000005Z"
    assert str(call("datetime.fromepoch", 0, -1)) == "1969-12-31T23:59:59.999999999Z"
    assert str(call("datetime.fromepochmillis", -1)) == "1969-12-31T23:59:59.999Z"


def test_durations():
    assert str(call("duration", "P1Y")) == "P1Y"
    assert str(call("duration", {"days": 1.5})) == "P1DT12H"
    dates = parse_date("2020-01-01"), parse_date("2021-02-03")
    assert str(call("duration.between", *dates)) == "P1Y1M2D"
    assert str(call("duration.inMonths", *dates)) == "P1Y1M"
    assert str(call("duration.inDays", *dates)) == "P399D"
    assert str(call("duration.inSeconds", *dates)) == "PT9576H"
    assert call("duration.between", None, dates[0]) is None
