"""Points: Cartesian or geographic (WGS 84), in two or three dimensions.

Distances on the sphere use the haversine formula with the radius Neo4j uses (6,378,140 m) and,
in three dimensions, the mean of the heights (Neo4j manual, "Spatial functions").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError

EARTH_RADIUS: Final = 6_378_140.0

WGS_84: Final = 4326
WGS_84_3D: Final = 4979
CARTESIAN: Final = 7203
CARTESIAN_3D: Final = 9157

#: srid -> name of the coordinate reference system
NAMES: Final = {
    WGS_84: "wgs-84",
    WGS_84_3D: "wgs-84-3d",
    CARTESIAN: "cartesian",
    CARTESIAN_3D: "cartesian-3d",
}
_SRIDS: Final = {name: srid for srid, name in NAMES.items()}
_DEEP: Final = frozenset({WGS_84_3D, CARTESIAN_3D})
_GEOGRAPHIC: Final = frozenset({WGS_84, WGS_84_3D})


class Point:
    """``srid`` is a key of :data:`NAMES`; ``coordinates`` are x, y and maybe z."""

    __slots__ = ("coordinates", "srid")

    def __init__(self, srid: int, coordinates: tuple[float, ...]) -> None:
        self.srid = srid
        self.coordinates = coordinates

    @property
    def crs(self) -> str:
        """Name of the coordinate reference system."""
        return NAMES[self.srid]

    @property
    def geographic(self) -> bool:
        return self.srid in _GEOGRAPHIC

    def order(self) -> tuple[Any, ...]:
        """What points are sorted by: system, then x, y, z. (``<`` is null.)"""
        return (self.srid, self.coordinates)

    def component(self, name: str) -> Any:
        """``x y z srid crs`` and, of geographic points, ``longitude latitude height``.

        :raises QueryArgumentError: no such component.
        """
        if name == "srid":
            return self.srid
        if name == "crs":
            return self.crs
        place = _PLACES.get(name) if self.geographic else _CARTESIAN_PLACES.get(name)
        if place is None or place >= len(self.coordinates):
            raise QueryArgumentError(
                f"a {self.crs} point has no component {name!r}", detail="InvalidArgumentValue"
            )
        return self.coordinates[place]

    def distance(self, other: Point) -> float | None:
        """Metres, or units of the plane; None between different systems."""
        if self.srid != other.srid:
            return None
        if not self.geographic:
            return math.dist(self.coordinates, other.coordinates)
        if len(self.coordinates) == 2:
            return _haversine(self.coordinates, other.coordinates, 0.0)
        low, high = self.coordinates[2], other.coordinates[2]
        ground = _haversine(self.coordinates, other.coordinates, (low + high) / 2)
        return math.hypot(ground, high - low)

    def within(self, low: Point, high: Point) -> bool | None:
        """Inside the box of two corners; None where systems differ.

        A geographic box whose west lies east of its east crosses the 180th meridian.
        """
        if not self.srid == low.srid == high.srid:
            return None
        for place, value in enumerate(self.coordinates):
            start, end = low.coordinates[place], high.coordinates[place]
            if place == 0 and self.geographic and start > end:
                if end < value < start:
                    return False
            elif not start <= value <= end:
                return False
        return True

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is Point
            and other.srid == self.srid
            and other.coordinates == self.coordinates
        )

    def __hash__(self) -> int:
        return hash((Point, self.srid, self.coordinates))

    def __str__(self) -> str:
        parts = [f"{n}: {value!r}" for n, value in zip("xyz", self.coordinates, strict=False)]
        return f"point({{{', '.join(parts)}, crs: '{self.crs}'}})"

    def __repr__(self) -> str:
        return f"Point({self})"


_CARTESIAN_PLACES: Final = {"x": 0, "y": 1, "z": 2}
_PLACES: Final = {**_CARTESIAN_PLACES, "longitude": 0, "latitude": 1, "height": 2}


def _haversine(a: tuple[float, ...], b: tuple[float, ...], height: float) -> float:
    longitude = math.radians(b[0] - a[0])
    start, end = math.radians(a[1]), math.radians(b[1])
    half = math.sin((end - start) / 2) ** 2
    half += math.cos(start) * math.cos(end) * math.sin(longitude / 2) ** 2
    return 2 * (EARTH_RADIUS + height) * math.asin(min(1.0, math.sqrt(half)))


def point_from(components: Mapping[str, Any]) -> Point | None:
    """``point({x: 1, y: 2})``, ``point({longitude: 12, latitude: 56, height: 9})``; null if a
    coordinate is null.

    :raises QueryArgumentError: coordinates are missing, out of range, or do not fit the system.
    :raises QueryTypeError: a coordinate is no number.
    """
    named = "longitude" in components or "latitude" in components
    first, second = ("longitude", "latitude") if named else ("x", "y")
    if first not in components or second not in components:
        raise _invalid("a point needs x and y, or longitude and latitude")
    third = "height" if "height" in components else "z"
    keys = [first, second, third] if third in components else [first, second]
    wanted = [components[key] for key in (*keys, "crs", "srid") if key in components]
    if None in wanted:
        return None
    srid = _srid_of(components, len(keys), named)
    coordinates = [_coordinate(key, components[key]) for key in keys]
    if srid in _GEOGRAPHIC:
        if not -90 <= coordinates[1] <= 90:
            raise _invalid(f"latitude must be between -90 and 90, got {coordinates[1]}")
        if not -180 <= coordinates[0] <= 180:
            coordinates[0] = (coordinates[0] + 180) % 360 - 180
    return Point(srid, tuple(coordinates))


def _invalid(message: str, hint: str | None = None) -> QueryArgumentError:
    return QueryArgumentError(message, hint=hint, detail="InvalidArgumentValue")


def _coordinate(key: str, value: Any) -> float:
    if type(value) is not int and type(value) is not float:
        raise QueryTypeError(
            f"the coordinate {key} of a point must be a number, got {value!r}",
            detail="InvalidArgumentType",
        )
    if not math.isfinite(value):
        raise _invalid(f"the coordinate {key} of a point must be finite")
    return float(value) + 0.0  # makes -0.0 into 0.0: equal points are equal bytes


def _srid_of(components: Mapping[str, Any], count: int, named: bool) -> int:
    given = components.get("srid")
    if "crs" in components:
        name = components["crs"]
        by_name = _SRIDS.get(name.lower()) if type(name) is str else None
        if by_name is None:
            hint = f"use {', '.join(_SRIDS)}"
            raise _invalid(f"unknown coordinate reference system {name!r}", hint)
        if given is not None and given != by_name:
            raise _invalid(f"srid {given} is not {name}")
        given = by_name
    if given is None:
        geographic = named or "height" in components
        return (CARTESIAN, CARTESIAN_3D, WGS_84, WGS_84_3D)[geographic * 2 + count - 2]
    if type(given) is not int or given not in NAMES:
        raise _invalid(f"unknown SRID {given!r}")
    if named and given not in _GEOGRAPHIC:
        raise _invalid(f"longitude and latitude do not belong to {NAMES[given]}")
    if (given in _DEEP) is not (count == 3):
        raise _invalid(f"a {NAMES[given]} point does not have {count} coordinates")
    return given
