"""Equality, comparability and three-valued logic (openCypher 9, CIP2016-06-14).

Null is "unknown": it makes a comparison null unless the answer does not depend on it. Integers
and floats compare by their exact values, so ``9007199254740993 = 9007199254740992.0`` is false.
"""

from __future__ import annotations

import math
from typing import Any, Final

from everwhen.errors import QueryTypeError
from everwhen.model.temporal import Date, DateTime, LocalDateTime, LocalTime, Time
from everwhen.model.value_text import to_text, type_name

_NUMBERS: Final = frozenset({int, float})
#: equal exactly when Python says so, if both sides are of the class
_PLAIN: Final = frozenset({int, str, bool, float})
_ORDERED: Final = frozenset({Date, DateTime, LocalDateTime, LocalTime, Time})


# --- equality ------------------------------------------------------------------------------


def equals(left: Any, right: Any) -> bool | None:
    """``left = right``."""
    kind, other = type(left), type(right)
    if kind is other and kind is not list and kind is not dict:
        return None if left is None else bool(left == right)
    if left is None or right is None:
        return None
    if kind is not other:
        return bool(left == right) if kind in _NUMBERS and other in _NUMBERS else False
    return _lists_equal(left, right) if kind is list else _maps_equal(left, right)


def _lists_equal(left: list[Any], right: list[Any]) -> bool | None:
    if len(left) != len(right):
        return False
    result: bool | None = True
    for a, b in zip(left, right, strict=True):
        kind = type(a)
        if kind is type(b) and kind in _PLAIN:
            if a != b:
                return False
            continue
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
            f"IN needs a list, got {type_name(elements)}: {to_text(elements)}",
            detail="InvalidArgumentType",
        )
    result: bool | None = False
    kind = type(value)
    plain = kind in _PLAIN
    for element in elements:
        if plain and type(element) is kind:
            if element == value:
                return True
            continue
        same = equals(value, element)
        if same:
            return True
        if same is None:
            result = None
    return result


# --- comparability -------------------------------------------------------------------------


def compare(left: Any, right: Any) -> float | None:
    """Below, at or above zero for ``<``, ``=`` and ``>``; None where ``<`` is null.

    NaN, of which every comparison with a number is false, gives NaN: no sign test of the result
    holds. Comparable are numbers, strings, booleans, bytes, values of one temporal class except
    durations, and lists (element by element).
    """
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        if left < right:
            return -1
        if left > right:
            return 1
        return 0 if left == right else math.nan
    if kind is not other:
        return None
    if kind is str or kind is bool or kind is bytes:
        return -1 if left < right else int(left > right)
    if kind is list:
        return _compare_lists(left, right)
    if kind in _ORDERED:
        a, b = left.order(), right.order()
        return -1 if a < b else int(a > b)
    return None


def comparable(left: Any, right: Any) -> bool:
    """Whether one of ``<``, ``=`` and ``>`` holds; not so of nulls, of NaN, of unlike types."""
    order = compare(left, right)
    return order is not None and not math.isnan(order)


def _compare_lists(left: list[Any], right: list[Any]) -> float | None:
    for a, b in zip(left, right, strict=False):
        if equals(a, b) is not True:
            return compare(a, b)
    return len(left) - len(right)


# --- three-valued logic --------------------------------------------------------------------


def _checked(value: Any) -> bool | None:
    if value is None or type(value) is bool:
        return value
    raise QueryTypeError(
        f"expected a boolean, got {type_name(value)}: {to_text(value)}",
        detail="InvalidArgumentType",
    )


def and3(left: Any, right: Any) -> bool | None:
    """False if either is, else null if either is."""
    left, right = _checked(left), _checked(right)
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def or3(left: Any, right: Any) -> bool | None:
    """True if either is, else null if either is."""
    left, right = _checked(left), _checked(right)
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def xor3(left: Any, right: Any) -> bool | None:
    """Null if either is."""
    left, right = _checked(left), _checked(right)
    return None if left is None or right is None else left is not right


def not3(value: Any) -> bool | None:
    """Null of null."""
    return None if _checked(value) is None else not value
