"""Truncation: ``datetime.truncate('month', value, {day: 2})``.

The local date and time are cut to the start of the unit, then the components given are set on
top. Fractions of a second smaller than the unit are added to what the cut kept.
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model import calendar as cal
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time, ZoneId
from everwhen.model.temporal_build import (
    Fields,
    build_date,
    build_datetime,
    build_local_datetime,
    build_local_time,
    build_time,
)

_YEARS: Final = {"millennium": 1000, "century": 100, "decade": 10, "year": 1}
_CLOCK: Final = {
    "day": NANOS_PER_DAY,
    "hour": 3600 * NANOS_PER_SECOND,
    "minute": 60 * NANOS_PER_SECOND,
    "second": NANOS_PER_SECOND,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
}
_CALENDAR: Final = (*_YEARS, "weekYear", "quarter", "month", "week", "day")
_UNITS: Final = {unit.lower(): unit for unit in (*_CALENDAR, *_CLOCK)}


def _unit(name: Any) -> str:
    if type(name) is not str:
        raise QueryTypeError(
            f"the unit to truncate to must be a string, got {name!r}",
            detail="InvalidArgumentType",
        )
    unit = _UNITS.get(name.lower())
    if unit is None:
        raise _invalid(f"no unit {name!r} to truncate to")
    return unit


def _invalid(message: str) -> QueryArgumentError:
    return QueryArgumentError(
        message, hint=f"use one of {', '.join(_UNITS.values())}", detail="InvalidArgumentValue"
    )


def _cut_days(unit: str, days: int) -> int:
    year, month, _ = cal.civil_from_days(days)
    if unit in _YEARS:
        return cal.days_of(year // _YEARS[unit] * _YEARS[unit])
    if unit == "weekYear":
        return cal.check_days(cal.week_year_start(cal.week_and_year(days)[1]))
    if unit == "quarter":
        return cal.days_from_civil(year, (month - 1) // 3 * 3 + 1, 1)
    if unit == "month":
        return cal.days_from_civil(year, month, 1)
    if unit == "week":
        return cal.check_days(days - (cal.week_day(days) - 1))
    return days


def _cut(unit: str, value: Any) -> tuple[int | None, int]:
    """Day (None if the value has none) and time of day at the start of the unit."""
    days = getattr(value, "days", None)
    nanos = getattr(value, "nanos", None)
    if unit in _CALENDAR:
        if days is None and unit != "day":
            raise _invalid(f"{value} has no date to truncate to a {unit}")
        return None if days is None else _cut_days(unit, days), 0
    if nanos is None:
        raise _invalid(f"{value} has no time to truncate to a {unit}")
    return days, nanos // _CLOCK[unit] * _CLOCK[unit]


def _with_kept_fraction(unit: str, nanos: int, fields: Fields) -> Fields:
    """Fields in which the fraction that truncation kept is added to smaller ones."""
    fraction = nanos % NANOS_PER_SECOND
    if unit == "millisecond" and ("microsecond" in fields or "nanosecond" in fields):
        return {"millisecond": fraction // 1_000_000, **fields}
    if unit == "microsecond" and "nanosecond" in fields:
        return {"microsecond": fraction // 1_000, **fields}
    return fields


def _need(value: Any, kinds: tuple[type, ...], what: str) -> None:
    if type(value) not in kinds:
        raise QueryTypeError(f"{what}.truncate cannot take {value!r}", detail="InvalidArgumentType")


def truncate_date(unit: Any, value: Any, fields: Fields) -> Date:
    """``date.truncate``."""
    _need(value, (Date, LocalDateTime, DateTime), "date")
    unit = _unit(unit)
    if unit not in _CALENDAR:
        raise _invalid(f"a date cannot be truncated to a {unit}")
    cut = Date(_cut_days(unit, value.days))
    return build_date({"date": cut, **fields}) if fields else cut


def truncate_local_time(unit: Any, value: Any, fields: Fields) -> LocalTime:
    """``localtime.truncate``."""
    _need(value, (LocalTime, Time, LocalDateTime, DateTime), "localtime")
    unit = _clock_unit(unit)
    nanos = _cut(unit, value)[1]
    fields = _with_kept_fraction(unit, nanos, fields)
    cut = LocalTime(nanos)
    return build_local_time({"time": cut, **fields}) if fields else cut


def truncate_time(unit: Any, value: Any, fields: Fields, where: ZoneId, now: DateTime) -> Time:
    """``time.truncate``; the value's own offset, else the zone's."""
    _need(value, (LocalTime, Time, LocalDateTime, DateTime), "time")
    unit = _clock_unit(unit)
    nanos = _cut(unit, value)[1]
    fields = _with_kept_fraction(unit, nanos, fields)
    if "timezone" not in fields:
        where = getattr(value, "offset", where)
    return build_time({"time": LocalTime(nanos), **fields}, where, now)


def _clock_unit(name: Any) -> str:
    unit = _unit(name)
    if unit not in _CLOCK:
        raise _invalid(f"a time cannot be truncated to a {unit}")
    return unit


def truncate_local_datetime(unit: Any, value: Any, fields: Fields) -> LocalDateTime:
    """``localdatetime.truncate``."""
    _need(value, (Date, LocalDateTime, DateTime), "localdatetime")
    unit = _unit(unit)
    days, nanos = _cut(unit, value)
    assert days is not None  # each of the classes above has a date
    cut = LocalDateTime(days, nanos)
    if not fields:
        return cut
    return build_local_datetime({"datetime": cut, **_with_kept_fraction(unit, nanos, fields)})


def truncate_datetime(unit: Any, value: Any, fields: Fields, where: ZoneId) -> DateTime:
    """``datetime.truncate``; a ``timezone`` replaces the zone and keeps the local time."""
    _need(value, (Date, LocalDateTime, DateTime), "datetime")
    unit = _unit(unit)
    days, nanos = _cut(unit, value)
    assert days is not None  # each of the classes above has a date
    if type(value) is DateTime:
        where = value.where
        if not fields:
            return DateTime.of_local(days, nanos, where, value.offset)
    cut = LocalDateTime(days, nanos)
    return build_datetime({"datetime": cut, **_with_kept_fraction(unit, nanos, fields)}, where)
