"""Temporal values plus and minus durations.

Months first (a day that does not exist becomes the month's last), then days, both on the local
calendar, then seconds on the time line. A date takes whole days only, a time ignores what is
longer than its clock (openCypher 9, "Temporal arithmetic").
"""

from __future__ import annotations

from typing import Any

from everwhen.errors import ArithmeticFailure, QueryArgumentError
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND, add_months, check_days
from everwhen.model.duration import Duration, split_toward_zero
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time


def plus(value: Any, duration: Duration) -> Any:
    """A temporal value later by a duration.

    :raises ArithmeticFailure: the result lies outside the years that exist.
    """
    try:
        return _plus(value, duration)
    except QueryArgumentError as error:
        raise ArithmeticFailure(f"{value} + {duration}: {error.message}") from error


def _plus(value: Any, duration: Duration) -> Any:
    kind = type(value)
    if kind is Date:
        days = duration.days + split_toward_zero(duration.total_nanos, NANOS_PER_DAY)[0]
        return Date(check_days(add_months(value.days, duration.months) + days))
    if kind is LocalTime:
        return LocalTime((value.nanos + duration.total_nanos) % NANOS_PER_DAY)
    if kind is Time:
        return Time((value.nanos + duration.total_nanos) % NANOS_PER_DAY, value.offset)
    days = check_days(add_months(value.days, duration.months) + duration.days)
    if kind is LocalDateTime:
        carry, nanos = divmod(value.nanos + duration.total_nanos, NANOS_PER_DAY)
        return LocalDateTime(check_days(days + carry), nanos)
    return _datetime_plus(value, days, duration.total_nanos)


def _datetime_plus(value: DateTime, days: int, nanos: int) -> DateTime:
    moved = value
    if days != value.days:
        moved = DateTime.of_local(days, value.nanos, value.where, value.offset)
    if nanos == 0:
        return moved
    seconds, fraction = divmod(moved.epoch_nanos + nanos, NANOS_PER_SECOND)
    return DateTime.of_instant(seconds, fraction, value.where)
