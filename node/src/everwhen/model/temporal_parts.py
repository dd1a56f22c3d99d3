"""Components of temporal values: ``date.year``, ``datetime.epochMillis``, ``duration.days``.

Each class has a table from the component's name to a function; openCypher 9, "Temporal types",
"Accessing components".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from everwhen.errors import QueryArgumentError
from everwhen.model import calendar as cal
from everwhen.model.calendar import NANOS_PER_SECOND
from everwhen.model.duration import Duration, split_toward_zero
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.zones import offset_text

Part = Callable[[Any], Any]

_OF_DAYS: Final[dict[str, Callable[[int], int]]] = {
    "year": lambda days: cal.civil_from_days(days)[0],
    "quarter": lambda days: (cal.civil_from_days(days)[1] + 2) // 3,
    "month": lambda days: cal.civil_from_days(days)[1],
    "day": lambda days: cal.civil_from_days(days)[2],
    "week": lambda days: cal.week_and_year(days)[0],
    "weekYear": lambda days: cal.week_and_year(days)[1],
    "weekDay": cal.week_day,
    "dayOfWeek": cal.week_day,
    "dayOfQuarter": cal.day_of_quarter,
    "quarterDay": cal.day_of_quarter,
    "ordinalDay": cal.ordinal_day,
}
_OF_NANOS: Final[dict[str, Callable[[int], int]]] = {
    "hour": lambda nanos: nanos // (3600 * NANOS_PER_SECOND),
    "minute": lambda nanos: nanos // (60 * NANOS_PER_SECOND) % 60,
    "second": lambda nanos: nanos // NANOS_PER_SECOND % 60,
    "millisecond": lambda nanos: nanos % NANOS_PER_SECOND // 1_000_000,
    "microsecond": lambda nanos: nanos % NANOS_PER_SECOND // 1_000,
    "nanosecond": lambda nanos: nanos % NANOS_PER_SECOND,
}
_OF_OFFSET: Final[dict[str, Part]] = {
    "offset": lambda value: offset_text(value.offset),
    "offsetMinutes": lambda value: split_toward_zero(value.offset, 60)[0],
    "offsetSeconds": lambda value: value.offset,
}


def _on_days(part: Callable[[int], int]) -> Part:
    return lambda value: part(value.days)


def _on_nanos(part: Callable[[int], int]) -> Part:
    return lambda value: part(value.nanos)


_DATE: Final = {name: _on_days(part) for name, part in _OF_DAYS.items()}
_TIME: Final = {name: _on_nanos(part) for name, part in _OF_NANOS.items()}


def _whole(unit: int) -> Part:
    """Seconds as larger units, towards zero as java.time does."""
    return lambda value: split_toward_zero(value.seconds, unit)[0]


_DURATION: Final[dict[str, Part]] = {
    "years": lambda d: split_toward_zero(d.months, 12)[0],
    "quarters": lambda d: split_toward_zero(d.months, 3)[0],
    "months": lambda d: d.months,
    "weeks": lambda d: split_toward_zero(d.days, 7)[0],
    "days": lambda d: d.days,
    "hours": _whole(3600),
    "minutes": _whole(60),
    "seconds": lambda d: d.seconds,
    "milliseconds": lambda d: d.total_nanos // 1_000_000,
    "microseconds": lambda d: d.total_nanos // 1_000,
    "nanoseconds": lambda d: d.total_nanos,
    "quartersOfYear": lambda d: split_toward_zero(split_toward_zero(d.months, 12)[1], 3)[0],
    "monthsOfQuarter": lambda d: split_toward_zero(d.months, 3)[1],
    "monthsOfYear": lambda d: split_toward_zero(d.months, 12)[1],
    "daysOfWeek": lambda d: split_toward_zero(d.days, 7)[1],
    "minutesOfHour": lambda d: split_toward_zero(split_toward_zero(d.seconds, 3600)[1], 60)[0],
    "secondsOfMinute": lambda d: split_toward_zero(d.seconds, 60)[1],
    "millisecondsOfSecond": lambda d: d.nanoseconds // 1_000_000,
    "microsecondsOfSecond": lambda d: d.nanoseconds // 1_000,
    "nanosecondsOfSecond": lambda d: d.nanoseconds,
}

PARTS: Final[dict[type, dict[str, Part]]] = {
    Date: _DATE,
    LocalTime: _TIME,
    Time: {**_TIME, **_OF_OFFSET, "timezone": lambda value: offset_text(value.offset)},
    LocalDateTime: {**_DATE, **_TIME},
    DateTime: {
        **_DATE,
        **_TIME,
        **_OF_OFFSET,
        "timezone": lambda value: value.zone or offset_text(value.offset),
        "epochSeconds": lambda value: value.epoch_seconds,
        "epochMillis": lambda value: value.epoch_nanos // 1_000_000,
    },
    Duration: _DURATION,
}


def temporal_part(value: Any, name: str) -> Any:
    """One component of a temporal value.

    :raises QueryArgumentError: its class has no such component.
    """
    parts = PARTS[type(value)]
    part = parts.get(name)
    if part is None:
        raise QueryArgumentError(
            f"a {type(value).__name__} has no component {name!r}",
            hint=f"it has {', '.join(parts)}",
            detail="InvalidArgumentValue",
        )
    return part(value)
