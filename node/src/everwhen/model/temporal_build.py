"""Temporal values from maps of components and from each other: ``date({year: 1984, week: 10})``.

A map may start from other values (``date``, ``time``, ``datetime``); what they say is the default
of what the map does not. Without them, components must be given from the largest down. A field is
set on the value before it as java.time's ``with`` does: a year, month or quarter keeps the day
if that exists and takes the month's last one otherwise. A ``timezone`` beside a value that has a
zone means the same instant, seen from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model import calendar as cal
from everwhen.model.calendar import NANOS_PER_SECOND, check_range
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time, ZoneId
from everwhen.model.temporal_parse import parse_zone

Fields = Mapping[str, Any]

_SUBSECONDS: Final = ("millisecond", "microsecond", "nanosecond")
_DATE_KEYS: Final = frozenset(
    (
        "year",
        "quarter",
        "month",
        "week",
        "ordinalDay",
        "day",
        "dayOfWeek",
        "dayOfQuarter",
    )
)
_TIME_KEYS: Final = frozenset(("hour", "minute", "second", *_SUBSECONDS))
_EPOCH_KEYS: Final = frozenset(("epochSeconds", "epochMillis"))
#: component -> the one above it, which must be there too
_NEEDS: Final = {
    "day": "month",
    "dayOfWeek": "week",
    "dayOfQuarter": "quarter",
    "minute": "hour",
    "second": "minute",
    "millisecond": "second",
    "microsecond": "second",
    "nanosecond": "second",
}
#: ways to say a day of a year; only one at a time
_WAYS: Final = (
    frozenset(("month", "day")),
    frozenset(("week", "dayOfWeek")),
    frozenset(("quarter", "dayOfQuarter")),
    frozenset(("ordinalDay",)),
)


def _invalid(message: str) -> QueryArgumentError:
    return QueryArgumentError(message, detail="InvalidArgumentValue")


def _checked(fields: Fields, allowed: frozenset[str], what: str) -> None:
    for name, value in fields.items():
        if name not in allowed:
            raise _invalid(f"a {what} has no component {name!r}")
        if value is None:
            raise _invalid(f"the component {name} of a {what} must not be null")
        if name in _DATE_KEYS or name in _TIME_KEYS or name in _EPOCH_KEYS:
            if type(value) is not int:
                raise QueryTypeError(
                    f"the component {name} of a {what} must be an integer, got {value!r}",
                    detail="InvalidArgumentType",
                )


def _need_larger(fields: Fields, keys: frozenset[str]) -> None:
    """Without a value to start from, no component stands without the one above it."""
    for name in fields:
        larger = _NEEDS.get(name)
        if name in keys and larger is not None and larger not in fields:
            raise _invalid(f"{larger} must be specified together with {name}")


# --- the calendar half ---------------------------------------------------------------------


def days_from(fields: Fields, base: int | None) -> int:
    """The day that the date components say, on top of a day."""
    used = [way for way in _WAYS if not way.isdisjoint(fields)]
    if len(used) > 1:
        names = sorted(name for name in fields if name in _DATE_KEYS and name != "year")
        raise _invalid(f"these components say the day in two ways: {', '.join(names)}")
    way = used[0] if used else _WAYS[0]
    if base is None:
        if "year" not in fields:
            raise _invalid("year must be specified")
        _need_larger(fields, _DATE_KEYS)
        return _first_days(fields, way)
    if "week" in way:
        week, week_year = cal.week_and_year(base)
        week_year = fields.get("year", week_year)
        if "week" not in fields:
            check_range("year", week_year, cal.YEAR_MIN, cal.YEAR_MAX)
            week = min(week, cal.weeks_in_year(week_year))
        day = fields.get("dayOfWeek", cal.week_day(base))
        return cal.days_of_week(week_year, fields.get("week", week), day)
    return _days_on(fields, way, base)


def _first_days(fields: Fields, way: frozenset[str]) -> int:
    year = fields["year"]
    if "week" in way:
        return cal.days_of_week(year, fields["week"], fields.get("dayOfWeek", 1))
    if "quarter" in way:
        return cal.days_of_quarter(year, fields["quarter"], fields.get("dayOfQuarter", 1))
    if "ordinalDay" in way:
        return cal.days_of_ordinal(year, fields["ordinalDay"])
    return cal.days_of(year, fields.get("month", 1), fields.get("day", 1))


def _days_on(fields: Fields, way: frozenset[str], base: int) -> int:
    old_year, month, day = cal.civil_from_days(base)
    year = fields.get("year", old_year)
    check_range("year", year, cal.YEAR_MIN, cal.YEAR_MAX)
    if "ordinalDay" in way:
        return cal.days_of_ordinal(year, fields["ordinalDay"])
    if "quarter" in fields:
        quarter = check_range("quarter", fields["quarter"], 1, 4)
        month = (month - 1) % 3 + 1 + 3 * (quarter - 1)
    month = check_range("month", fields.get("month", month), 1, 12)
    if "dayOfQuarter" in fields:
        return cal.days_of_quarter(year, (month + 2) // 3, fields["dayOfQuarter"])
    if "day" in fields:
        return cal.days_of(year, month, fields["day"])
    return cal.days_of(year, month, min(day, cal.days_in_month(year, month)))


# --- the clock half ------------------------------------------------------------------------


def nanos_from(fields: Fields, base: int | None) -> int:
    """The time of day that the time components say, on top of a time of day."""
    if base is None:
        _need_larger(fields, _TIME_KEYS)
        base = 0
    seconds, fraction = divmod(base, NANOS_PER_SECOND)
    hour = check_range("hour", fields.get("hour", seconds // 3600), 0, 23)
    minute = check_range("minute", fields.get("minute", seconds // 60 % 60), 0, 59)
    second = check_range("second", fields.get("second", seconds % 60), 0, 59)
    if not fields.keys().isdisjoint(_SUBSECONDS):
        fraction = _fraction_from(fields)
    return ((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + fraction


def _fraction_from(fields: Fields) -> int:
    """Nanoseconds of the second; a smaller unit fills only what the larger one leaves."""
    total, room = 0, NANOS_PER_SECOND
    for name, unit in zip(_SUBSECONDS, (1_000_000, 1_000, 1), strict=True):
        if name in fields:
            total += check_range(name, fields[name], 0, room // unit - 1) * unit
            room = unit
    return total


# --- whole values --------------------------------------------------------------------------


def _part(fields: Fields, name: str, kinds: tuple[type, ...], what: str) -> Any:
    """The value a map starts from, or None."""
    value = fields.get(name)
    if value is not None and type(value) not in kinds:
        raise QueryTypeError(
            f"{name} must be a value that has a {what}, got {value!r}",
            detail="InvalidArgumentType",
        )
    return value


def _date_source(fields: Fields, *names: str) -> Any:
    for name in names:
        value = _part(fields, name, (Date, LocalDateTime, DateTime), "date")
        if value is not None:
            return value
    return None


def _time_source(fields: Fields, *names: str) -> Any:
    for name in names:
        value = _part(fields, name, (LocalTime, Time, LocalDateTime, DateTime), "time")
        if value is not None:
            return value
    return None


def _only_one_start(fields: Fields) -> None:
    if "datetime" in fields and ("date" in fields or "time" in fields):
        raise _invalid("datetime cannot be combined with date or time")


def _need_hour(fields: Fields, source: Any) -> None:
    if source is None and "hour" not in fields:
        raise _invalid("hour must be specified")


def zone_of_field(value: Any) -> ZoneId:
    """The value of ``timezone``.

    :raises QueryTypeError: not a string.
    """
    if type(value) is not str:
        raise QueryTypeError(
            f"timezone must be a string, got {value!r}", detail="InvalidArgumentType"
        )
    return parse_zone(value)


def build_date(fields: Fields) -> Date:
    """``date({…})``."""
    _checked(fields, _DATE_KEYS | {"date", "datetime"}, "date")
    source = _date_source(fields, "date", "datetime")
    return Date(days_from(fields, None if source is None else source.days))


def build_local_time(fields: Fields) -> LocalTime:
    """``localtime({…})``."""
    _checked(fields, _TIME_KEYS | {"time", "datetime"}, "local time")
    source = _time_source(fields, "time", "datetime")
    _need_hour(fields, source)
    return LocalTime(nanos_from(fields, None if source is None else source.nanos))


def build_time(fields: Fields, default_zone: ZoneId, now: DateTime) -> Time:
    """``time({…})``; a named zone means the offset it has ``now``."""
    _checked(fields, _TIME_KEYS | {"time", "datetime", "timezone"}, "time")
    source = _time_source(fields, "time", "datetime")
    _need_hour(fields, source)
    nanos = nanos_from(fields, None if source is None else source.nanos)
    zoned = type(source) is Time or type(source) is DateTime
    if "timezone" not in fields:
        return Time(nanos, source.offset if zoned else offset_now(default_zone, now))
    offset = offset_now(zone_of_field(fields["timezone"]), now)
    return Time(nanos, source.offset).at_offset(offset) if zoned else Time(nanos, offset)


def offset_now(where: ZoneId, now: DateTime) -> int:
    """The offset of a zone at an instant."""
    return where if isinstance(where, int) else now.at_zone(where).offset


def build_local_datetime(fields: Fields) -> LocalDateTime:
    """``localdatetime({…})``."""
    allowed = _DATE_KEYS | _TIME_KEYS | {"date", "time", "datetime"}
    _checked(fields, allowed, "local datetime")
    _only_one_start(fields)
    date, time = _date_source(fields, "date", "datetime"), _time_source(fields, "time", "datetime")
    return LocalDateTime(
        days_from(fields, None if date is None else date.days),
        nanos_from(fields, None if time is None else time.nanos),
    )


def build_datetime(fields: Fields, default_zone: ZoneId) -> DateTime:
    """``datetime({…})``."""
    allowed = _DATE_KEYS | _TIME_KEYS | _EPOCH_KEYS | {"date", "time", "datetime", "timezone"}
    _checked(fields, allowed, "datetime")
    _only_one_start(fields)
    where = zone_of_field(fields["timezone"]) if "timezone" in fields else None
    if not fields.keys().isdisjoint(_EPOCH_KEYS):
        return _build_from_epoch(fields, default_zone if where is None else where)
    date, time = _date_source(fields, "date", "datetime"), _time_source(fields, "time", "datetime")
    days = days_from(fields, None if date is None else date.days)
    nanos = nanos_from(fields, None if time is None else time.nanos)
    if type(time) is DateTime:
        built = DateTime.of_local(days, nanos, time.where, time.offset)
    elif type(time) is Time:
        built = DateTime.of_local(days, nanos, time.offset)
    else:
        return DateTime.of_local(days, nanos, default_zone if where is None else where)
    return built if where is None else built.at_zone(where)


def _build_from_epoch(fields: Fields, where: ZoneId) -> DateTime:
    if not fields.keys() <= {"epochSeconds", "epochMillis", "nanosecond", "timezone"}:
        raise _invalid("epochSeconds and epochMillis go with nanosecond and timezone only")
    if "epochSeconds" in fields and "epochMillis" in fields:
        raise _invalid("epochSeconds and epochMillis cannot be combined")
    if "epochSeconds" in fields:
        nanos = check_range("nanosecond", fields.get("nanosecond", 0), 0, NANOS_PER_SECOND - 1)
        return DateTime.of_instant(fields["epochSeconds"], nanos, where)
    nanos = check_range("nanosecond", fields.get("nanosecond", 0), 0, 999_999)
    seconds, millis = divmod(fields["epochMillis"], 1_000)
    return DateTime.of_instant(seconds, millis * 1_000_000 + nanos, where)
