"""Moments as microseconds: what AT TIME takes, and how a moment is shown."""

from __future__ import annotations

from typing import Any

from everwhen.errors import EverwhenError, TimeOutOfRange
from everwhen.model.temporal import Date, DateTime, LocalDateTime
from everwhen.model.temporal_parse import parse_date_time
from everwhen.model.value_text import to_text


def moment_micros(value: Any) -> int:
    """µs since 1970 UTC of a datetime, a date or local datetime (both UTC), a text that parses
    as one, or an integer of milliseconds since 1970.

    :raises TimeOutOfRange: none of these.
    """
    if isinstance(value, DateTime):
        return value.epoch_micros
    if isinstance(value, Date):
        return DateTime(value.days, 0, 0).epoch_micros
    if isinstance(value, LocalDateTime):
        return DateTime(value.days, value.nanos, 0).epoch_micros
    if type(value) is int:
        return value * 1_000
    if type(value) is str:
        try:
            return parse_date_time(value.strip().replace(" ", "T", 1)).epoch_micros
        except EverwhenError as error:
            raise TimeOutOfRange(
                f"{to_text(value)} is not a time: {error.message}",
                hint="write it as '2025-08-09T12:00:00Z'",
            ) from error
    raise TimeOutOfRange(
        f"a time must be a datetime, a text or milliseconds since 1970, got {to_text(value)}"
    )


def micros_text(micros: int) -> str:
    """ISO 8601 in UTC."""
    return DateTime.of_micros(micros).text()
