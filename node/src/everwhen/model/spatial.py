"""Points: two or three coordinates in one of four reference systems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from everwhen.errors import QueryArgumentError

WGS_84: Final = 4326
WGS_84_3D: Final = 4979
CARTESIAN: Final = 7203
CARTESIAN_3D: Final = 9157
NAMES: Final = {
    WGS_84: "wgs-84",
    WGS_84_3D: "wgs-84-3d",
    CARTESIAN: "cartesian",
    CARTESIAN_3D: "cartesian-3d",
}
_EARTH_RADIUS_METRES: Final = 6_378_140.0


class Point:
    """Immutable by convention. Equal when system and coordinates are."""

    __slots__ = ("coordinates", "srid")

    def __init__(self, srid: int, coordinates: tuple[float, ...]) -> None:
        self.srid = srid
        self.coordinates = coordinates

    @property
    def is_geographic(self) -> bool:
        return self.srid in (WGS_84, WGS_84_3D)

    def component(self, name: str) -> Any:
        """``x``, ``longitude``, ``crs``, ``srid`` …

        :raises QueryArgumentError: there is none of that name.
        """
        names = ("x", "y", "z")
        if self.is_geographic and name in ("longitude", "latitude", "height"):
            names = ("longitude", "latitude", "height")
        if name in names[: len(self.coordinates)]:
            return self.coordinates[names.index(name)]
        if name == "crs":
            return NAMES[self.srid]
        if name == "srid":
            return self.srid
        raise QueryArgumentError(f"a {NAMES[self.srid]} point has no component {name!r}")

    def distance(self, other: Point) -> float | None:
        """Metres along the earth (haversine) or units in the plane; None across systems."""
        if self.srid != other.srid:
            return None
        if not self.is_geographic:
            return math.dist(self.coordinates, other.coordinates)
        lon1, lat1, lon2, lat2 = map(
            math.radians, (*self.coordinates[:2], *other.coordinates[:2])
        )
        half = math.sin((lat2 - lat1) / 2) ** 2
        half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
        along = 2 * math.asin(math.sqrt(min(1.0, half)))
        if len(self.coordinates) == 2:
            return along * _EARTH_RADIUS_METRES
        height = (self.coordinates[2] + other.coordinates[2]) / 2
        rise = self.coordinates[2] - other.coordinates[2]
        return math.hypot(along * (_EARTH_RADIUS_METRES + height), rise)

    def text(self) -> str:
        """As a call of ``point``."""
        labels = ("longitude", "latitude", "height") if self.is_geographic else ("x", "y", "z")
        parts = [f"{n}: {c!r}" for n, c in zip(labels, self.coordinates, strict=False)]
        return f"point({{srid: {self.srid}, {', '.join(parts)}}})"

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is Point
            and other.srid == self.srid
            and other.coordinates == self.coordinates
        )

    def __hash__(self) -> int:
        return hash((self.srid, self.coordinates))

    def __repr__(self) -> str:
        return self.text()


def _number(fields: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        if name in fields:
            value = fields[name]
            if type(value) not in (int, float):
                raise QueryArgumentError(f"the coordinate {name} must be a number")
            return float(value)
    return None


def point_from(fields: Mapping[str, Any]) -> Point | None:
    """``point({…})``; None if a coordinate is null.

    :raises QueryArgumentError: coordinates are missing, or do not fit the system.
    """
    if any(fields[key] is None for key in fields):
        return None
    geographic = "longitude" in fields or "latitude" in fields
    x = _number(fields, "x", "longitude")
    y = _number(fields, "y", "latitude")
    z = _number(fields, "z", "height")
    if x is None or y is None:
        raise QueryArgumentError("a point needs x and y, or longitude and latitude")
    srid = fields.get("srid")
    if srid is None and "crs" in fields:
        known = {name: number for number, name in NAMES.items()}
        srid = known.get(str(fields["crs"]).lower())
        if srid is None:
            raise QueryArgumentError(f"unknown reference system {fields['crs']!r}")
    if srid is None:
        flat, deep = (WGS_84, WGS_84_3D) if geographic else (CARTESIAN, CARTESIAN_3D)
        srid = flat if z is None else deep
    if srid not in NAMES:
        raise QueryArgumentError(f"unknown srid {srid!r}")
    if (srid in (WGS_84_3D, CARTESIAN_3D)) != (z is not None):
        raise QueryArgumentError(f"{NAMES[srid]} does not fit the number of coordinates")
    if srid in (WGS_84, WGS_84_3D):
        if not -90 <= y <= 90:
            raise QueryArgumentError(f"latitude must lie between -90 and 90, got {y}")
        x = (x + 180) % 360 - 180 if not -180 <= x <= 180 else x
    return Point(srid, (x, y) if z is None else (x, y, z))
