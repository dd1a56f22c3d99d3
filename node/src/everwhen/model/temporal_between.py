"""The duration between two temporal values.

What one of them lacks is taken from the other: without a date only the times count, without a
time it is midnight, without a zone it is the other's zone.
"""

from __future__ import annotations

from everwhen.model import calendar as cal
from everwhen.model.calendar import NANOS_PER_DAY, NANOS_PER_SECOND
from everwhen.model.duration import Duration
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Temporal, Time


def between(start: Temporal, end: Temporal) -> Duration:
    """Months, then days, then time."""
    if _dateless(start) or _dateless(end):
        return in_seconds(start, end)
    first, last = _aligned(start, end)
    months = _months(first, last)
    moved = first.plus(Duration(months, 0, 0, 0))
    days = _days(moved, last)
    moved = moved.plus(Duration(0, days, 0, 0))
    return Duration(months, days, 0, _nanos(moved, last))


def in_months(start: Temporal, end: Temporal) -> Duration:
    """Whole months only."""
    if _dateless(start) or _dateless(end):
        return Duration(0, 0, 0, 0)
    return Duration(_months(*_aligned(start, end)), 0, 0, 0)


def in_days(start: Temporal, end: Temporal) -> Duration:
    """Whole days only."""
    if _dateless(start) or _dateless(end):
        return Duration(0, 0, 0, 0)
    return Duration(0, _days(*_aligned(start, end)), 0, 0)


def in_seconds(start: Temporal, end: Temporal) -> Duration:
    """Time only."""
    if _dateless(start) or _dateless(end):
        return Duration(0, 0, 0, _time_nanos(end, start) - _time_nanos(start, end))
    return Duration(0, 0, 0, _nanos(*_aligned(start, end)))


def _dateless(value: Temporal) -> bool:
    return isinstance(value, (LocalTime, Time))


def _time_nanos(value: Temporal, other: Temporal) -> int:
    """Nanoseconds of the day, in UTC if both sides have an offset."""
    if isinstance(value, Date):
        return 0
    if isinstance(value, (Time, DateTime)) and isinstance(other, (Time, DateTime)):
        return value.nanos - value.offset * NANOS_PER_SECOND
    return value.nanos


Aligned = tuple[LocalDateTime, LocalDateTime] | tuple[DateTime, DateTime]


def _aligned(start: Temporal, end: Temporal) -> Aligned:
    """Both with date and time, and both with a zone if one has it; the end in the start's."""
    zone = None
    for value in (start, end):
        if isinstance(value, DateTime) and zone is None:
            zone = value.zone_or_offset
    if zone is None:
        return _local(start), _local(end)
    first, last = _zoned(start, zone), _zoned(end, zone)
    return first, last.in_zone(first.zone_or_offset)


def _local(value: Temporal) -> LocalDateTime:
    if isinstance(value, Date):
        return LocalDateTime(value.days, 0)
    assert isinstance(value, (LocalDateTime, DateTime))  # noqa: S101 - the caller excluded others
    return LocalDateTime(value.days, value.nanos)


def _zoned(value: Temporal, zone: str | int) -> DateTime:
    if isinstance(value, DateTime):
        return value
    local = _local(value)
    return DateTime.of_local(local.days, local.nanos, zone)


def _months(first: LocalDateTime | DateTime, last: LocalDateTime | DateTime) -> int:
    """Whole months on the local calendar, toward zero."""
    year, month, day = cal.from_days(first.days)
    other_year, other_month, other_day = cal.from_days(last.days)
    months = (other_year - year) * 12 + other_month - month
    here, there = (day, first.nanos), (other_day, last.nanos)
    if months > 0 and there < here:
        months -= 1
    elif months < 0 and there > here:
        months += 1
    return months


def _days(first: LocalDateTime | DateTime, last: LocalDateTime | DateTime) -> int:
    """Whole days on the local calendar, toward zero."""
    days = last.days - first.days
    if days > 0 and last.nanos < first.nanos:
        days -= 1
    elif days < 0 and last.nanos > first.nanos:
        days += 1
    return days


def _nanos(first: LocalDateTime | DateTime, last: LocalDateTime | DateTime) -> int:
    """The exact distance: on the time line with zones, on the calendar without."""
    if isinstance(first, DateTime) and isinstance(last, DateTime):
        seconds = last.epoch_second - first.epoch_second
        fraction = last.nanos % NANOS_PER_SECOND - first.nanos % NANOS_PER_SECOND
        return seconds * NANOS_PER_SECOND + fraction
    return (last.days - first.days) * NANOS_PER_DAY + last.nanos - first.nanos
