"""Typed JSON parameters: temporal values and points from their text."""

from __future__ import annotations

import re
from typing import Any, Final

from everwhen.model.spatial import Point, point_from
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time

_POINT: Final = re.compile(r"SRID=(\d+);\s*POINT\s*Z?\s*\(([^()]*)\)", re.IGNORECASE)


def parse_point(text: str) -> Point:
    """``SRID=4326;POINT (1.0 2.0)``.

    :raises ValueError: malformed.
    """
    match = _POINT.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected SRID=…;POINT (…)")
    numbers = [float(part) for part in match[2].split()]
    fields: dict[str, Any] = dict(zip("xyz", numbers, strict=False))
    point = point_from({**fields, "srid": int(match[1])})
    if point is None:
        raise ValueError("a coordinate is missing")
    return point
