"""Temporal values from maps of components, from each other, and truncated.

A map may start from another value (``date``, ``time``, ``datetime``) whose components are the
defaults; components given explicitly replace them. A ``timezone`` given together with a value
that has a zone converts to the same instant first.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.model import calendar as cal
from everwhen.model import zones
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND
from everwhen.model.duration import Duration, exact
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time

_DATE_KEYS: Final = frozenset(
    "year quarter month week day ordinalDay dayOfWeek dayOfQuarter".split()
)
_TIME_KEYS: Final = frozenset("hour minute second millisecond microsecond nanosecond".split())
_DURATION_KEYS: Final = (
    "years quarters months weeks days hours minutes seconds milliseconds microseconds nanoseconds"
).split()


def _integer(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if type(value) is not int:
        raise QueryTypeError(f"{name} must be an integer", detail="InvalidArgumentType")
    return value


def _bad(message: str) -> QueryArgumentError:
    return QueryArgumentError(message, detail="InvalidArgumentValue")


def _need_known(fields: Mapping[str, Any], known: frozenset[str], kind: str) -> None:
    for name in fields:
        if name not in known:
            raise _bad(f"a {kind} has no component {name!r}")


# --- dates ---------------------------------------------------------------------------------


def date_of(fields: Mapping[str, Any], base: int | None) -> int:
    """The day number from components over a base day."""
    given = fields.keys()
    if "week" in given or "dayOfWeek" in given:
        _only(fields, "year", "week", "dayOfWeek")
        year = _year(fields, None if base is None else cal.iso_week(base)[0])
        week = _or(fields, "week", 1 if base is None else cal.iso_week(base)[1])
        return cal.week_days(
            year, week, _or(fields, "dayOfWeek", 1 if base is None else cal.weekday(base))
        )
    base_year = None if base is None else cal.from_days(base)[0]
    if "quarter" in given or "dayOfQuarter" in given:
        _only(fields, "year", "quarter", "dayOfQuarter")
        quarter, day = _quarter_parts(base)
        return cal.quarter_days(
            _year(fields, base_year), _or(fields, "quarter", quarter), _or(fields, "dayOfQuarter", day)
        )
    if "ordinalDay" in given:
        _only(fields, "year", "ordinalDay")
        return cal.ordinal_days(_year(fields, base_year), _integer(fields, "ordinalDay"))
    if base is None and "day" in given and "month" not in given:
        raise _bad("day needs month as well")
    _, month, day = (0, 1, 1) if base is None else cal.from_days(base)
    return cal.date_days(_year(fields, base_year), _or(fields, "month", month), _or(fields, "day", day))


def _quarter_parts(base: int | None) -> tuple[int, int]:
    if base is None:
        return 1, 1
    year, month, _ = cal.from_days(base)
    quarter = (month + 2) // 3
    return quarter, base - cal.to_days(year, 3 * quarter - 2, 1) + 1


def _only(fields: Mapping[str, Any], *names: str) -> None:
    for name in fields:
        if name in _DATE_KEYS and name not in names:
            raise _bad(f"{name} cannot be combined with {names[1]}")


def _year(fields: Mapping[str, Any], default: int | None) -> int:
    if "year" in fields:
        return cal.check("year", _integer(fields, "year"), cal.YEAR_MIN, cal.YEAR_MAX)
    if default is None:
        raise _bad("year must be given")
    return default


def _or(fields: Mapping[str, Any], name: str, default: int) -> int:
    return _integer(fields, name) if name in fields else default


# --- times ---------------------------------------------------------------------------------


def time_of(fields: Mapping[str, Any], base: int | None) -> int:
    """Nanoseconds of the day from components over a base time."""
    if base is None:
        _need_larger_units(fields)
        base = 0
    seconds, fraction = divmod(base, NANOS_PER_SECOND)
    hour = cal.check("hour", _or(fields, "hour", seconds // 3600), 0, 23)
    minute = cal.check("minute", _or(fields, "minute", seconds // 60 % 60), 0, 59)
    second = cal.check("second", _or(fields, "second", seconds % 60), 0, 59)
    if fields.keys() & {"millisecond", "microsecond", "nanosecond"}:
        fraction = _fraction(fields)
    return ((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + fraction


def _need_larger_units(fields: Mapping[str, Any]) -> None:
    if "hour" not in fields and fields.keys() & _TIME_KEYS:
        raise _bad("hour must be given")
    if "minute" not in fields and fields.keys() & (_TIME_KEYS - {"hour", "minute"}):
        raise _bad("minute must be given")
    if "second" not in fields and fields.keys() & {"millisecond", "microsecond", "nanosecond"}:
        raise _bad("second must be given")


def _fraction(fields: Mapping[str, Any]) -> int:
    """Nanoseconds of the second; a smaller unit fills what the larger one leaves."""
    total, room = 0, NANOS_PER_SECOND
    for name, unit in (("millisecond", 1_000_000), ("microsecond", 1_000), ("nanosecond", 1)):
        if name in fields:
            value = cal.check(name, _integer(fields, name), 0, room // unit - 1)
            total += value * unit
            room = unit
    return total


# --- from maps -----------------------------------------------------------------------------


def _days_in(value: Any) -> int:
    if isinstance(value, (Date, LocalDateTime, DateTime)):
        return value.days
    raise QueryTypeError("date must be a value with a date", detail="InvalidArgumentType")


def _nanos_in(value: Any) -> int:
    if isinstance(value, (LocalTime, Time, LocalDateTime, DateTime)):
        return value.nanos
    raise QueryTypeError("time must be a value with a time", detail="InvalidArgumentType")


def _zone_in(value: Any) -> str | int | None:
    if isinstance(value, DateTime):
        return value.zone_or_offset
    return value.offset if isinstance(value, Time) else None


def parse_zone(value: Any) -> str | int:
    """A zone name or offset from text.

    :raises QueryArgumentError: unknown.
    """
    if type(value) is not str:
        raise QueryTypeError("timezone must be a string", detail="InvalidArgumentType")
    offset = zones.parse_offset(value)
    if offset is not None:
        return offset
    zones.zone(value)
    return value


def date_from(fields: Mapping[str, Any]) -> Date:
    """``date({…})``."""
    _need_known(fields, _DATE_KEYS | {"date", "datetime"}, "date")
    base = fields.get("date", fields.get("datetime"))
    return Date(date_of(fields, None if base is None else _days_in(base)))


def local_time_from(fields: Mapping[str, Any]) -> LocalTime:
    """``localtime({…})``."""
    _need_known(fields, _TIME_KEYS | {"time", "datetime"}, "local time")
    base = fields.get("time", fields.get("datetime"))
    if base is None and "hour" not in fields:
        raise _bad("hour must be given")
    return LocalTime(time_of(fields, None if base is None else _nanos_in(base)))


def time_from(fields: Mapping[str, Any], default_offset: int, today: int) -> Time:
    """``time({…})``; a named zone needs a day (``today``) to have an offset."""
    _need_known(fields, _TIME_KEYS | {"time", "datetime", "timezone"}, "time")
    base = fields.get("time", fields.get("datetime"))
    if base is None and "hour" not in fields:
        raise _bad("hour must be given")
    nanos = None if base is None else _nanos_in(base)
    offset = default_offset
    own = _zone_in(base)
    if own is not None:
        offset = base.offset
    if "timezone" in fields:
        zone = parse_zone(fields["timezone"])
        day = base.days if isinstance(base, (DateTime, LocalDateTime)) else today
        wanted = zone if isinstance(zone, int) else zones.resolve_local(zone, day, 0)[1]
        if own is not None and nanos is not None:
            nanos = Time(nanos, offset).with_offset(wanted).nanos
        offset = wanted
    return Time(time_of(fields, nanos), offset)


def _bases(fields: Mapping[str, Any], kind: str) -> tuple[Any, Any]:
    """The values that date and time start from."""
    if "datetime" in fields:
        if "date" in fields or "time" in fields:
            raise _bad(f"a {kind} cannot start from datetime and date or time at once")
        return fields["datetime"], fields["datetime"]
    return fields.get("date"), fields.get("time")


def local_date_time_from(fields: Mapping[str, Any]) -> LocalDateTime:
    """``localdatetime({…})``."""
    known = _DATE_KEYS | _TIME_KEYS | {"date", "time", "datetime"}
    _need_known(fields, known, "local datetime")
    date, time = _bases(fields, "local datetime")
    return LocalDateTime(
        date_of(fields, None if date is None else _days_in(date)),
        time_of(fields, None if time is None else _nanos_in(time)),
    )


def date_time_from(fields: Mapping[str, Any], default_zone: str | int) -> DateTime:
    """``datetime({…})``."""
    known = _DATE_KEYS | _TIME_KEYS | {"date", "time", "datetime", "timezone"}
    known |= {"epochSeconds", "epochMillis"}
    _need_known(fields, known, "datetime")
    zone = parse_zone(fields["timezone"]) if "timezone" in fields else None
    if "epochSeconds" in fields or "epochMillis" in fields:
        return _from_epoch(fields, default_zone if zone is None else zone)
    date, time = _bases(fields, "datetime")
    own = _zone_in(time)
    days = None if date is None else _days_in(date)
    nanos = None if time is None else _nanos_in(time)
    if own is not None and zone is not None and nanos is not None:
        # the same instant in the zone asked for, then components on top
        here = date_of(fields, days) if days is None or date is not time else days
        seen = DateTime.of_local(here, nanos, own).in_zone(zone)
        if date is time or days is None:
            days = seen.days
        else:
            return DateTime.of_local(seen.days, time_of(fields, seen.nanos), zone)
        nanos = seen.nanos
    chosen = zone if zone is not None else own
    if chosen is None:
        chosen = default_zone
    return DateTime.of_local(date_of(fields, days), time_of(fields, nanos), chosen)


def _from_epoch(fields: Mapping[str, Any], zone: str | int) -> DateTime:
    allowed = {"epochSeconds", "epochMillis", "timezone", "nanosecond"}
    if fields.keys() - allowed:
        raise _bad("epochSeconds and epochMillis go with nanosecond and timezone only")
    nanos = _or(fields, "nanosecond", 0)
    if "epochMillis" in fields:
        seconds, millis = divmod(_integer(fields, "epochMillis"), 1_000)
        return DateTime.of_instant(seconds, millis * 1_000_000 + nanos, zone)
    return DateTime.of_instant(_integer(fields, "epochSeconds"), nanos, zone)


def duration_from(fields: Mapping[str, Any]) -> Duration:
    """``duration({…})``; fractions are carried down to smaller units."""
    parts: dict[str, Fraction] = {}
    for name, value in fields.items():
        if name not in _DURATION_KEYS:
            raise _bad(f"a duration has no component {name!r}")
        if type(value) is not int and type(value) is not float:
            raise QueryTypeError(f"{name} must be a number", detail="InvalidArgumentType")
        parts[name] = exact(value)
    if not parts:
        raise _bad("a duration needs at least one component")

    def part(name: str) -> Fraction:
        return parts.get(name, Fraction(0))

    return Duration.approximate(
        part("years") * 12 + part("quarters") * 3 + part("months"),
        part("weeks") * 7 + part("days"),
        part("hours") * 3600 + part("minutes") * 60 + part("seconds"),
        part("milliseconds") * 1_000_000 + part("microseconds") * 1_000 + part("nanoseconds"),
    )


# --- truncation ----------------------------------------------------------------------------

_TIME_UNITS: Final[dict[str, int]] = {
    "day": NANOS_PER_DAY,
    "hour": 3600 * NANOS_PER_SECOND,
    "minute": 60 * NANOS_PER_SECOND,
    "second": NANOS_PER_SECOND,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
}


def truncate_days(unit: str, days: int) -> int | None:
    """The first day of the unit a day lies in; None for units of a day or less."""
    year, month, _ = cal.from_days(days)
    if unit in ("millennium", "century", "decade"):
        span = {"millennium": 1000, "century": 100, "decade": 10}[unit]
        return cal.to_days(year // span * span, 1, 1)
    if unit == "weekYear":
        return cal.week_one(cal.iso_week(days)[0])
    if unit == "year":
        return cal.to_days(year, 1, 1)
    if unit == "quarter":
        return cal.to_days(year, (month - 1) // 3 * 3 + 1, 1)
    if unit == "month":
        return cal.to_days(year, month, 1)
    if unit == "week":
        return days - cal.weekday(days) + 1
    return None


def truncated(unit: str, days: int, nanos: int) -> tuple[int, int]:
    """Day and time truncated to a unit.

    :raises QueryArgumentError: there is no such unit.
    """
    day = truncate_days(unit, days)
    if day is not None:
        return day, 0
    if unit not in _TIME_UNITS:
        raise _bad(f"there is no unit {unit!r} to truncate to")
    return days, nanos // _TIME_UNITS[unit] * _TIME_UNITS[unit]


def with_fields(
    unit: str, days: int, nanos: int, fields: Mapping[str, Any]
) -> tuple[int, int]:
    """Components given beside ``truncate`` on top of the truncated value. Fractions of a second
    smaller than the unit add to what truncation kept."""
    kept = nanos % NANOS_PER_SECOND
    dates = {name: value for name, value in fields.items() if name in _DATE_KEYS}
    times = {name: value for name, value in fields.items() if name in _TIME_KEYS}
    if unit == "millisecond" and times.keys() & {"microsecond", "nanosecond"}:
        times.setdefault("millisecond", kept // 1_000_000)
    elif unit == "microsecond" and "nanosecond" in times:
        times.setdefault("microsecond", kept // 1_000)
    return date_of(dates, days) if dates else days, time_of(times, nanos)
