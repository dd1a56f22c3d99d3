"""What NGQL values are, and how they are equal, comparable and ordered (openCypher 9, CIP2016-06-14).

Python classes of values: None, bool, int (64 bits), float, str, bytes, list, dict, the elements
of ``model.elements``, the temporal classes, Point, Vector.

Four relations, which are not the same:

* :func:`equals`, three-valued: null if either side (or a part that decides) is null;
* :func:`compare`, for ``<``: only within numbers, strings, booleans, lists, and one temporal type;
* :func:`order_key`, total, for ORDER BY: every value has a place;
* :func:`group_key`, for DISTINCT and grouping: null equals null, NaN equals NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal import (
    Date,
    DateTime,
    Duration,
    LocalDateTime,
    LocalTime,
    Time,
)
from everwhen.model.value_text import to_text, type_name
from everwhen.model.vector import Vector

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "compare",
    "equals",
    "get_property",
    "group_key",
    "in_list",
    "less",
    "less_equal",
    "order_key",
    "properties_of",
    "slice_list",
    "subscript",
    "to_text",
    "type_name",
    "xor3",
]

_TEMPORAL: Final = frozenset({Date, DateTime, LocalDateTime, LocalTime, Time})
_NUMBERS: Final = frozenset({int, float})

# --- equality ------------------------------------------------------------------------------


def equals(left: Any, right: Any) -> bool | None:
    """``left = right``."""
    if left is None or right is None:
        return None
    kind, other = type(left), type(right)
    if kind is list and other is list:
        return _lists_equal(left, right)
    if kind is dict and other is dict:
        return _maps_equal(left, right)
    if kind is other or (kind in _NUMBERS and other in _NUMBERS):
        return bool(left == right)
    return False


def _lists_equal(left: list[Any], right: list[Any]) -> bool | None:
    if len(left) != len(right):
        return False
    result: bool | None = True
    for a, b in zip(left, right, strict=True):
        same = equals(a, b)
        if same is False:
            return False
        if same is None:
            result = None
    return result


def _maps_equal(left: dict[str, Any], right: dict[str, Any]) -> bool | None:
    if left.keys() != right.keys():
        return False
    result: bool | None = True
    for key, value in left.items():
        same = equals(value, right[key])
        if same is False:
            return False
        if same is None:
            result = None
    return result


def in_list(value: Any, elements: Any) -> bool | None:
    """``value IN elements``.

    :raises QueryTypeError: ``elements`` is no list.
    """
    if elements is None:
        return None
    if type(elements) is not list:
        raise QueryTypeError(
            f"IN needs a list, got {type_name(elements)}", detail="InvalidArgumentType"
        )
    result: bool | None = False
    for element in elements:
        same = equals(value, element)
        if same:
            return True
        if same is None:
            result = None
    return result


# --- comparability -------------------------------------------------------------------------


def compare(left: Any, right: Any) -> int | None:
    """Negative, zero or positive; None where ``<`` is null (or, for NaN, where nothing holds)."""
    if left is None or right is None:
        return None
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        if left < right:
            return -1
        if left > right:
            return 1
        return 0 if left == right else None
    if kind is not other:
        return None
    if kind is str or kind is bool or kind is bytes:
        return -1 if left < right else int(left > right)
    if kind is list:
        return _compare_lists(left, right)
    if kind in _TEMPORAL:
        a, b = left.order(), right.order()
        return -1 if a < b else int(a > b)
    return None


def _compare_lists(left: list[Any], right: list[Any]) -> int | None:
    for a, b in zip(left, right, strict=False):
        if equals(a, b) is True:
            continue
        return compare(a, b)
    return len(left) - len(right)


def _with_nan(left: Any, right: Any) -> bool:
    """Whether both are numbers and one is NaN: then no comparison holds, rather than null."""
    return (
        type(left) in _NUMBERS and type(right) in _NUMBERS and (left != left or right != right)  # noqa: PLR0124
    )


def less(left: Any, right: Any) -> bool | None:
    """``left < right``."""
    order = compare(left, right)
    if order is None:
        return False if _with_nan(left, right) else None
    return order < 0


def less_equal(left: Any, right: Any) -> bool | None:
    """``left <= right``."""
    order = compare(left, right)
    if order is None:
        return False if _with_nan(left, right) else None
    return order <= 0


def xor3(left: bool | None, right: bool | None) -> bool | None:
    """Three-valued exclusive or."""
    return None if left is None or right is None else left is not right


# --- total order ---------------------------------------------------------------------------

_RANK: Final[dict[type, int]] = {
    dict: 0,
    Node: 1,
    Relationship: 2,
    list: 3,
    Path: 4,
    DateTime: 5,
    LocalDateTime: 6,
    Date: 7,
    Time: 8,
    LocalTime: 9,
    Duration: 10,
    Point: 11,
    Vector: 12,
    bytes: 13,
    str: 14,
    bool: 15,
    int: 16,
    float: 16,
}
_NAN_KEY: Final = (17,)
_NULL_KEY: Final = (18,)


def order_key(value: Any) -> tuple[Any, ...]:
    """A key whose ``<`` is ORDER BY's ascending order: maps, nodes, relationships, lists, paths,
    temporal values, durations, points, strings, booleans, numbers, NaN, null."""
    if value is None:
        return _NULL_KEY
    kind = type(value)
    rank = _RANK[kind]
    if rank >= 13:
        return _NAN_KEY if kind is float and value != value else (rank, value)  # noqa: PLR0124
    if kind is list:
        return (rank, tuple([order_key(item) for item in value]))
    if kind is dict:
        keys = sorted(value)
        return (rank, len(keys), tuple(keys), tuple([order_key(value[key]) for key in keys]))
    if kind is Node or kind is Relationship:
        return (rank, value.id)
    if kind is Path:
        return (rank, _path_ids(value))
    if kind is Point:
        return (rank, value.srid, value.coordinates)
    if kind is Vector:
        return (rank, value.element, value.values())
    return (rank, value.order())


def _path_ids(path: Path) -> tuple[int, ...]:
    ids = [path.nodes[0].id]
    for relationship, node in zip(path.relationships, path.nodes[1:], strict=True):
        ids += (relationship.id, node.id)
    return tuple(ids)


# --- equivalence ---------------------------------------------------------------------------

_NAN_GROUP: Final = ("nan",)
_TRUE_GROUP: Final = ("bool", True)
_FALSE_GROUP: Final = ("bool", False)


def group_key(value: Any) -> Any:
    """A hashable key, equal for equivalent values (1 and 1.0 are, true and 1 are not)."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is float:
        return _NAN_GROUP if value != value else value  # noqa: PLR0124
    if kind is bool:
        return _TRUE_GROUP if value else _FALSE_GROUP
    if kind is list:
        return ("list", tuple([group_key(item) for item in value]))
    if kind is dict:
        return ("map", tuple([(key, group_key(value[key])) for key in sorted(value)]))
    if kind is Node:
        return ("node", value.id)
    if kind is Relationship:
        return ("relationship", value.id)
    if kind is Path:
        return ("path", _path_ids(value))
    return value


# --- access --------------------------------------------------------------------------------


def properties_of(value: Any) -> Mapping[str, Any]:
    """The properties of a node or relationship, or a map itself."""
    return value if type(value) is dict else value.properties  # type: ignore[no-any-return]


def get_property(subject: Any, key: str) -> Any:
    """``subject.key``.

    :raises QueryTypeError: the subject has no properties.
    """
    if subject is None:
        return None
    kind = type(subject)
    if kind is dict:
        return subject.get(key)
    if kind is Node or kind is Relationship:
        return subject.get(key)
    if kind in _TEMPORAL:
        return subject.get(key)
    if kind is Duration or kind is Point:
        return subject.get(key)
    raise QueryTypeError(
        f"{type_name(subject)} has no property {key!r}", detail="InvalidArgumentType"
    )


def subscript(subject: Any, index: Any) -> Any:
    """``subject[index]``.

    :raises QueryTypeError: the index does not fit the subject.
    """
    if subject is None or index is None:
        return None
    kind = type(subject)
    if kind is list:
        if type(index) is not int:
            raise QueryTypeError(
                f"a list is indexed by an integer, got {type_name(index)}",
                detail="ListElementAccessByNonInteger",
            )
        return subject[index] if -len(subject) <= index < len(subject) else None
    if kind is dict or kind is Node or kind is Relationship:
        if type(index) is not str:
            raise QueryTypeError(
                f"a property is named by a string, got {type_name(index)}",
                detail="MapElementAccessByNonString",
            )
        return subject.get(index)
    raise QueryTypeError(
        f"{type_name(subject)} cannot be indexed", detail="InvalidArgumentType"
    )


def slice_list(subject: Any, lower: Any, upper: Any) -> Any:
    """``subject[lower..upper]``; a missing end is given as 0 or INT_MAX."""
    if subject is None or lower is None or upper is None:
        return None
    if type(subject) is not list or type(lower) is not int or type(upper) is not int:
        raise QueryTypeError(
            "a slice needs a list and integers, got "
            f"{type_name(subject)}[{type_name(lower)}..{type_name(upper)}]",
            detail="InvalidArgumentType",
        )
    return subject[lower:upper]


def check_integer(value: int) -> int:
    """The value, if it fits into 64 bits.

    :raises QueryArgumentError: it does not.
    """
    if not INT_MIN <= value <= INT_MAX:
        raise QueryArgumentError(f"the integer {value} does not fit into 64 bits")
    return value


def is_nan(value: Any) -> bool:
    """Whether a value is the float NaN."""
    return type(value) is float and math.isnan(value)
