"""Orderability and equivalence: ORDER BY, DISTINCT, grouping (openCypher 9, CIP2016-06-14).

Both are total, unlike ``=`` and ``<``: null has a place (last) and is equivalent to null, NaN
comes after all other numbers and is equivalent to NaN, values of different types order by type.
``codec.ordered`` writes the same order as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.vector import Vector

Key = tuple[Any, ...]

_NUMBER_RANK: Final = 17
_NAN_KEY: Final[Key] = (18,)
_NULL_KEY: Final[Key] = (19,)

#: types whose values order like Python orders them
_PLAIN: Final[dict[type, int]] = {
    bytes: 14,
    str: 15,
    bool: 16,
    int: _NUMBER_RANK,
}
#: types that say themselves what they are ordered by
_WITH_ORDER: Final[dict[type, int]] = {
    DateTime: 6,
    LocalDateTime: 7,
    Date: 8,
    Time: 9,
    LocalTime: 10,
    Duration: 11,
    Point: 12,
    Vector: 13,
}


def order_key(value: Any) -> Key:
    """A key whose ``<`` is the ascending order of ORDER BY, and whose ``==`` is equivalence.

    Maps, nodes, relationships, lists, paths, datetimes, local datetimes, dates, times, local
    times, durations, points, vectors, bytes, strings, booleans, numbers, NaN, null.
    """
    kind = type(value)
    rank = _PLAIN.get(kind)
    if rank is not None:
        return (rank, value)
    if kind is float:
        return (_NUMBER_RANK, value) if value == value else _NAN_KEY  # noqa: PLR0124 - NaN is not
    if value is None:
        return _NULL_KEY
    rank = _WITH_ORDER.get(kind)
    if rank is not None:
        return (rank, value.order())
    return _COMPOUND[kind](value)


def _of_map(value: dict[str, Any]) -> Key:
    keys = sorted(value)
    return (1, len(keys), tuple(keys), tuple([order_key(value[key]) for key in keys]))


def _of_list(value: list[Any]) -> Key:
    return (4, tuple([order_key(item) for item in value]))


def _of_path(path: Path) -> Key:
    ids = [path.nodes[0].id]
    for relationship, node in zip(path.relationships, path.nodes[1:], strict=True):
        ids += (relationship.id, node.id)
    return (5, tuple(ids))


_COMPOUND: Final[dict[type, Callable[[Any], Key]]] = {
    dict: _of_map,
    Node: lambda node: (2, node.id),
    Relationship: lambda relationship: (3, relationship.id),
    list: _of_list,
    Path: _of_path,
}


# --- equivalence ---------------------------------------------------------------------------


class _Mark:
    """A key that equals nothing but itself."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: Python's True equals 1, NGQL's does not
_TRUE: Final = _Mark("true")
_FALSE: Final = _Mark("false")
_NAN: Final = _Mark("NaN")


def group_key(value: Any) -> Any:
    """A hashable key; keys are equal exactly when the values are equivalent.

    Most values are their own key: their classes define ``==`` and ``hash`` as equivalence.
    """
    kind = type(value)
    if kind is str or kind is int:
        return value
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is float:
        return value if value == value else _NAN  # noqa: PLR0124 - NaN is not
    if kind is list:
        return (list, *[group_key(item) for item in value])
    if kind is dict:
        return (dict, *[(key, group_key(value[key])) for key in sorted(value)])
    return value
