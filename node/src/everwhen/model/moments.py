"""Moments of the database's own time, microseconds since 1970 UTC: ``AT TIME`` and messages."""

from __future__ import annotations

from typing import Any

from everwhen.errors import EverwhenError, TimeOutOfRange
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.calendar import NANOS_PER_DAY
from everwhen.model.temporal import Date, DateTime, LocalDateTime
from everwhen.model.temporal_parse import parse_datetime
from everwhen.model.values import to_text


def moment_micros(value: Any) -> int:
    """The moment that a value of ``AT TIME`` means.

    A datetime; a date or local datetime, taken as UTC; a text of one of them; or an integer of
    milliseconds since 1970 UTC, as ``timestamp()`` and ``epochMillis`` give.

    :raises TimeOutOfRange: none of these.
    """
    kind = type(value)
    if kind is DateTime:
        micros = value.epoch_micros
    elif kind is Date:
        micros = value.days * (NANOS_PER_DAY // 1_000)
    elif kind is LocalDateTime:
        micros = (value.days * NANOS_PER_DAY + value.nanos) // 1_000
    elif kind is int:
        micros = value * 1_000
    elif kind is str:
        micros = _parse(value)
    else:
        raise TimeOutOfRange(
            "a time must be a datetime, a date, a text or milliseconds since 1970, "
            f"got {to_text(value)}"
        )
    if not INT_MIN <= micros <= INT_MAX:
        raise TimeOutOfRange(f"the time {value} cannot be counted in microseconds since 1970")
    return int(micros)


def _parse(text: str) -> int:
    read = text.strip().replace(" ", "T", 1)
    try:
        return parse_datetime(read).epoch_micros
    except EverwhenError as error:
        raise TimeOutOfRange(
            f"malformed time {text!r}: {error.message.replace(read, text)}",
            hint="write it as 2025-08-09, 2025-08-09T12:00 or 2025-08-09T12:00:00.5+02:00",
        ) from error


def micros_text(micros: int) -> str:
    """A moment as text, in UTC."""
    return str(DateTime.of_micros(micros))
