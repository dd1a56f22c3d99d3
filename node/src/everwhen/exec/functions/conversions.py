"""Conversions: ``toInteger`` and its kin, the ``…OrNull`` and ``…List`` forms, ``valueType``.

Text that says no such value gives null; a value of a type that cannot be converted is a
TypeError with detail ``InvalidArgumentValue``, or null in the ``…OrNull`` and ``…List`` forms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from everwhen.errors import QueryTypeError
from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, need_list, register, wrong_type
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.arithmetic import plain_text
from everwhen.model.spatial import Point
from everwhen.model.temporal import Date, DateTime, Duration, LocalDateTime, LocalTime, Time
from everwhen.model.types import value_type
from everwhen.model.vector import Vector

FUNCTIONS: Final[Registry] = {}

_DETAIL: Final = "InvalidArgumentValue"
_WHOLE: Final = re.compile(r"[-+]?\d+", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_SPECIAL: Final = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
}
#: more digits than any number that can be meant
_TEXT_MAX: Final = 1_000
_PRINTABLE: Final = frozenset(
    {str, int, float, bool, Date, DateTime, LocalDateTime, LocalTime, Time, Duration, Point, Vector}
)


def to_integer(value: Any) -> int | None:
    """:raises QueryTypeError: neither number, boolean nor string."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is float:
        return _in_range(math.trunc(value)) if math.isfinite(value) else None
    if kind is bool:
        return 1 if value else 0
    if kind is str:
        return _integer_of_text(value.strip())
    raise wrong_type("toInteger", "a string, a number or a boolean", value, _DETAIL)


def _in_range(value: int) -> int | None:
    return value if INT_MIN <= value <= INT_MAX else None


def _integer_of_text(text: str) -> int | None:
    if len(text) > _TEXT_MAX:
        return None
    if _WHOLE.fullmatch(text):
        return _in_range(int(text))
    number = _float_of_text(text)
    return _in_range(math.trunc(number)) if number is not None and math.isfinite(number) else None


def to_float(value: Any) -> float | None:
    """:raises QueryTypeError: neither number nor string."""
    kind = type(value)
    if kind is float or kind is int:
        return float(value)
    if kind is str:
        return _float_of_text(value.strip())
    raise wrong_type("toFloat", "a string or a number", value, _DETAIL)


def _float_of_text(text: str) -> float | None:
    if len(text) <= _TEXT_MAX and _NUMBER.fullmatch(text):
        return float(text)
    return _SPECIAL.get(text)


def to_boolean(value: Any) -> bool | None:
    """:raises QueryTypeError: neither boolean, integer nor string."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if kind is str:
        return {"true": True, "false": False}.get(value.strip().lower())
    if kind is int:
        return bool(value != 0)
    raise wrong_type("toBoolean", "a string, an integer or a boolean", value, _DETAIL)


def to_string(value: Any) -> str:
    """:raises QueryTypeError: a list, map, node, relationship or path."""
    if type(value) in _PRINTABLE:
        return plain_text(value)
    raise wrong_type("toString", "a scalar value", value, _DETAIL)


Convert = Callable[[Any], Any]

#: type -> name of the function, what it takes, what it gives, how
_CONVERSIONS: Final[tuple[tuple[str, str, str, Convert], ...]] = (
    ("toInteger", "BOOLEAN | STRING | INTEGER | FLOAT", "INTEGER", to_integer),
    ("toFloat", "STRING | INTEGER | FLOAT", "FLOAT", to_float),
    ("toBoolean", "BOOLEAN | STRING | INTEGER", "BOOLEAN", to_boolean),
    ("toString", "ANY", "STRING", to_string),
)


def _plain(convert: Convert) -> Callable[[FunctionContext, Any], Any]:
    return lambda ctx, value: convert(value)


def _or_null(convert: Convert) -> Callable[[FunctionContext, Any], Any]:
    def run(ctx: FunctionContext, value: Any) -> Any:
        try:
            return convert(value)
        except QueryTypeError:  # what the name of the function says
            return None

    return run


def _of_list(name: str, convert: Convert) -> Callable[[FunctionContext, Any], Any]:
    single = _or_null(convert)

    def run(ctx: FunctionContext, values: Any) -> Any:
        items = values.values() if type(values) is Vector else need_list(name, values)
        return [None if value is None else single(ctx, value) for value in items]

    return run


for _name, _takes, _gives, _convert in _CONVERSIONS:
    register(
        FUNCTIONS,
        "Scalar",
        f"{_name}(input :: {_takes}) :: {_gives}",
        f"The value as {_gives}; null if its text does not say one.",
    )(_plain(_convert))
    register(
        FUNCTIONS,
        "Scalar",
        f"{_name}OrNull(input :: ANY) :: {_gives}",
        f"The value as {_gives}; null if it cannot be converted.",
    )(_or_null(_convert))
    register(
        FUNCTIONS,
        "List",
        f"{_name}List(input :: LIST<ANY>) :: LIST<{_gives}>",
        f"The elements as {_gives}; null for those that cannot be converted.",
    )(_of_list(f"{_name}List", _convert))


@register(
    FUNCTIONS,
    "Scalar",
    "valueType(input :: ANY) :: STRING",
    "The name of the most precise type of a value.",
    nulls=True,
)
def _value_type(ctx: FunctionContext, value: Any) -> str:
    return value_type(value)
