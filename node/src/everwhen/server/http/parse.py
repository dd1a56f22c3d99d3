"""Typed JSON parameters: temporal values and points from their text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from everwhen.model.duration import parse_duration
from everwhen.model.spatial import Point, point_from
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.temporal_parse import (
    parse_date,
    parse_datetime,
    parse_local_datetime,
    parse_local_time,
    parse_time,
)

__all__ = ["parse_duration", "parse_point", "parse_temporal"]

_Moment = Date | LocalTime | Time | LocalDateTime | DateTime
_POINT: Final = re.compile(r"SRID=(\d+);\s*POINT\s*Z?\s*\(([^()]*)\)", re.IGNORECASE)
#: more characters than any point needs
_POINT_CHARS_MAX: Final = 200


def parse_point(text: str) -> Point:
    """``SRID=4326;POINT (1.0 2.0)``.

    :raises ValueError: malformed.
    """
    match = _POINT.fullmatch(text.strip()) if len(text) <= _POINT_CHARS_MAX else None
    if match is None:
        raise ValueError("expected SRID=…;POINT (…)")
    numbers = [float(part) for part in match[2].split()]
    fields: dict[str, Any] = dict(zip("xyz", numbers, strict=False))
    point = point_from({**fields, "srid": int(match[1])})
    if point is None:
        raise ValueError("a coordinate is missing")
    return point


#: typed JSON name -> parser
_TEMPORAL: Final[dict[str, Callable[[str], _Moment]]] = {
    "Date": parse_date,
    "LocalTime": parse_local_time,
    "Time": parse_time,
    "LocalDateTime": parse_local_datetime,
    "OffsetDateTime": parse_datetime,
    "ZonedDateTime": parse_datetime,
}


def parse_temporal(kind: Any, text: str) -> _Moment:
    """A temporal value of a typed parameter.

    :raises ValueError: unknown type.
    """
    parser = _TEMPORAL.get(kind)
    if parser is None:
        raise ValueError(f"unknown $type {kind!r}")
    return parser(text)
