"""Functions of vectors, which may also be given as lists of numbers.

Similarities are those of Neo4j's vector indexes: cosine as (1 + cos) / 2, Euclidean as
1 / (1 + d²); both lie in [0, 1] and grow with likeness.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import (
    Registry,
    bad_value,
    need_integer,
    need_string,
    register,
    wrong_type,
)
from everwhen.model.vector import DIMENSIONS_MAX, Vector, element_of_name

FUNCTIONS: Final[Registry] = {}
_CATEGORY: Final = "Vector"
_NUMBERS: Final = frozenset({int, float})


@register(
    FUNCTIONS,
    _CATEGORY,
    "vector(values :: LIST<INTEGER | FLOAT> | STRING, dimension :: INTEGER, "
    "coordinateType :: STRING) :: VECTOR",
    "A vector of a number of coordinates of a type such as FLOAT32.",
)
def _vector(ctx: FunctionContext, values: Any, dimension: Any, element: Any) -> Vector:
    wanted = need_integer("vector", dimension)
    numbers = _parsed(values) if type(values) is str else values
    if type(numbers) is Vector:
        numbers = numbers.values()
    elif type(numbers) is not list:
        raise wrong_type("vector", "a list of numbers", values)
    if len(numbers) != wanted:
        raise bad_value(f"vector() got {len(numbers)} coordinates for {wanted} dimensions")
    return Vector.of(numbers, element_of_name(need_string("vector", element)))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if len(text) < DIMENSIONS_MAX * 32 else None
    except (ValueError, RecursionError) as error:
        raise bad_value("vector() takes a text such as '[1.0, 2.5]'") from error


@register(
    FUNCTIONS,
    _CATEGORY,
    "vector_dimension_count(vector :: VECTOR) :: INTEGER",
    "The number of coordinates of a vector.",
)
def _dimensions(ctx: FunctionContext, value: Any) -> int:
    if type(value) is Vector:
        return len(value)
    raise wrong_type("vector_dimension_count", "a vector", value)


def _pair(name: str, a: Any, b: Any) -> tuple[Sequence[float], Sequence[float]]:
    left, right = _coordinates(name, a), _coordinates(name, b)
    if len(left) != len(right):
        raise bad_value(f"{name}() takes vectors of one size, got {len(left)} and {len(right)}")
    return left, right


def _coordinates(name: str, value: Any) -> Sequence[float]:
    if type(value) is Vector:
        return value.values()
    if type(value) is not list or not all(type(item) in _NUMBERS for item in value):
        raise wrong_type(name, "vectors or lists of numbers", value)
    if not 1 <= len(value) <= DIMENSIONS_MAX:
        raise bad_value(f"{name}() takes 1 to {DIMENSIONS_MAX} coordinates, got {len(value)}")
    numbers = [float(item) for item in value]
    if not all(map(math.isfinite, numbers)):
        raise bad_value(f"{name}() takes finite coordinates")
    return numbers


@register(
    FUNCTIONS,
    _CATEGORY,
    "vector.similarity.cosine(a :: VECTOR | LIST<FLOAT>, b :: VECTOR | LIST<FLOAT>) :: FLOAT",
    "The likeness of two directions, 0 to 1.",
)
def _cosine(ctx: FunctionContext, a: Any, b: Any) -> float:
    left, right = _pair("vector.similarity.cosine", a, b)
    lengths = math.hypot(*left) * math.hypot(*right)
    if lengths == 0 or not math.isfinite(lengths):
        raise bad_value("vector.similarity.cosine() takes vectors of a finite length above 0")
    product = math.fsum([x * y for x, y in zip(left, right, strict=True)])
    return (1 + max(-1.0, min(1.0, product / lengths))) / 2


@register(
    FUNCTIONS,
    _CATEGORY,
    "vector.similarity.euclidean(a :: VECTOR | LIST<FLOAT>, b :: VECTOR | LIST<FLOAT>) :: FLOAT",
    "The likeness of two places, 0 to 1.",
)
def _euclidean(ctx: FunctionContext, a: Any, b: Any) -> float:
    left, right = _pair("vector.similarity.euclidean", a, b)
    distance = math.dist(left, right)
    return 1 / (1 + distance * distance)
