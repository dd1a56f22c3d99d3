"""Functions of points."""

from __future__ import annotations

from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, register, wrong_type
from everwhen.model.elements import Node, Relationship
from everwhen.model.spatial import Point, point_from

FUNCTIONS: Final[Registry] = {}
_CATEGORY: Final = "Spatial"


@register(
    FUNCTIONS,
    _CATEGORY,
    "point(input :: MAP) :: POINT",
    "A point from x, y and z, or longitude, latitude and height; crs or srid name the system.",
)
def _point(ctx: FunctionContext, value: Any) -> Point | None:
    if type(value) is dict:
        return point_from(value)
    if type(value) is Node or type(value) is Relationship:
        return point_from(value.properties)
    if type(value) is Point:
        return value
    raise wrong_type("point", "a map", value)


@register(
    FUNCTIONS,
    _CATEGORY,
    "point.distance(from :: POINT, to :: POINT) :: FLOAT",
    "The distance of two points of one system, in metres or units of the plane.",
)
def _distance(ctx: FunctionContext, start: Any, end: Any) -> float | None:
    for value in (start, end):
        if type(value) is not Point:
            raise wrong_type("point.distance", "points", value)
    found: float | None = start.distance(end)
    return found


@register(
    FUNCTIONS,
    _CATEGORY,
    "point.withinBBox(point :: POINT, lowerLeft :: POINT, upperRight :: POINT) :: BOOLEAN",
    "Whether a point lies in the box of two corners.",
)
def _within(ctx: FunctionContext, point: Any, low: Any, high: Any) -> bool | None:
    for value in (point, low, high):
        if type(value) is not Point:
            raise wrong_type("point.withinBBox", "points", value)
    found: bool | None = point.within(low, high)
    return found
