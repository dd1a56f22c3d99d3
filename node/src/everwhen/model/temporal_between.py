"""The duration between two temporal values: ``duration.between``, ``inMonths``, ``inDays``,
``inSeconds``.

What one side lacks comes from the other or is neutral: a time gets the other's date, a date
midnight, a value without zone the other's zone. Months and days are counted on the local
calendar of the first value's zone, the rest on the time line (``java.time.temporal.until``).
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.errors import QueryTypeError
from everwhen.model.calendar import NANOS_PER_DAY, add_months, months_between
from everwhen.model.duration import Duration, split_toward_zero
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time

_WITH_DATE: Final = frozenset({Date, LocalDateTime, DateTime})
_WITH_ZONE: Final = frozenset({Time, DateTime})
_KINDS: Final = frozenset({Date, LocalTime, Time, LocalDateTime, DateTime})


def between(start: Any, end: Any) -> Duration:
    """Months, then days, then time; months and days only if both sides have a date."""
    first, last = _aligned(start, end)
    if type(start) not in _WITH_DATE or type(end) not in _WITH_DATE:
        return Duration.of(0, 0, 0, _nanos(first, last))
    months = _months(first, last)
    moved = _moved(first, months, 0)
    days = _days(moved, last)
    moved = _moved(moved, 0, days)
    return Duration.of(months, days, 0, _nanos(moved, last))


def in_months(start: Any, end: Any) -> Duration:
    """Whole months only."""
    return Duration.of(_months(*_aligned(start, end)), 0, 0)


def in_days(start: Any, end: Any) -> Duration:
    """Whole days only."""
    return Duration.of(0, _days(*_aligned(start, end)), 0)


def in_seconds(start: Any, end: Any) -> Duration:
    """Seconds and nanoseconds only."""
    return Duration.of(0, 0, 0, _nanos(*_aligned(start, end)))


Aligned = LocalDateTime | DateTime


def _aligned(start: Any, end: Any) -> tuple[Aligned, Aligned]:
    """Both as local datetimes, or both as datetimes in the same zone."""
    for value in (start, end):
        if type(value) not in _KINDS:
            raise QueryTypeError(
                f"a duration lies between two temporal values, not {value!r}",
                detail="InvalidArgumentType",
            )
    first = _dated(start, end)
    last = _dated(end, start)
    if type(start) in _WITH_ZONE:
        here = _zoned(start, first, start)
        return here, _zoned(end, last, start).at_zone(here.where)
    if type(end) in _WITH_ZONE:
        there = _zoned(end, last, end)
        return _zoned(start, first, end), there
    return first, last


def _dated(value: Any, other: Any) -> LocalDateTime:
    nanos = value.nanos if type(value) is not Date else 0
    if type(value) in _WITH_DATE:
        return LocalDateTime(value.days, nanos)
    return LocalDateTime(other.days if type(other) in _WITH_DATE else 0, nanos)


def _zoned(value: Any, dated: LocalDateTime, other: Any) -> DateTime:
    """``dated`` in the value's own zone, or in that of the other."""
    if type(value) is DateTime:
        return value
    source = value if type(value) is Time else other
    where = source.where if type(source) is DateTime else source.offset
    return DateTime.of_local(dated.days, dated.nanos, where)


def _months(first: Aligned, last: Aligned) -> int:
    return months_between(first.days, _end_day(first, last))


def _days(first: Aligned, last: Aligned) -> int:
    nanos = (last.days - first.days) * NANOS_PER_DAY + last.nanos - first.nanos
    return split_toward_zero(nanos, NANOS_PER_DAY)[0]


def _end_day(first: Aligned, last: Aligned) -> int:
    """The last day, less one that is not complete by the clock."""
    if last.days > first.days and last.nanos < first.nanos:
        return last.days - 1
    if last.days < first.days and last.nanos > first.nanos:
        return last.days + 1
    return last.days


def _moved(value: Aligned, months: int, days: int) -> Aligned:
    if months == 0 and days == 0:
        return value
    day = add_months(value.days, months) + days
    if isinstance(value, LocalDateTime):
        return LocalDateTime(day, value.nanos)
    return DateTime.of_local(day, value.nanos, value.where, value.offset)


def _nanos(first: Aligned, last: Aligned) -> int:
    if isinstance(first, DateTime) and isinstance(last, DateTime):
        return last.epoch_nanos - first.epoch_nanos
    nanos = (last.days - first.days) * NANOS_PER_DAY
    return nanos + last.nanos - first.nanos
