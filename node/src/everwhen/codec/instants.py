"""Commit times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(time_micros: int) -> str:
    """ISO 8601 in UTC; outside the years 1 to 9999 the number itself."""
    try:
        moment = _EPOCH + timedelta(microseconds=time_micros)
    except OverflowError:
        return f"{time_micros} µs since 1970"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
