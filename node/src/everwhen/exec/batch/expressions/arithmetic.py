"""``+ - * / %`` on columns of numbers; all else, and whatever might overflow, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.core import compile_vector, elementwise, vectorizes
from everwhen.exec.batch.vectors import both_valid, nulls
from everwhen.limits import INT_MAX
from everwhen.model import arithmetic
from everwhen.model.columns import FLOAT, INT, NULL, Mask, Vector
from everwhen.query import bound as b

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: ``power`` stays with the row path: numpy's may differ from it in the last place
OPERATIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.modulo,
    "^": arithmetic.power,
    "||": arithmetic.concatenate,
}


def arithmetic_of(operator: str, left: VectorEvaluator, right: VectorEvaluator) -> VectorEvaluator:
    """``left operator right`` in every row."""
    operation = OPERATIONS[operator]

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        one, other = left(batch, ctx), right(batch, ctx)
        found = _numbers(operator, one, other)
        return elementwise(operation, [one, other], ctx) if found is None else found

    return run


def _numbers(operator: str, left: Vector, right: Vector) -> Vector | None:
    kinds = {left.kind, right.kind}
    if NULL in kinds:
        return nulls(len(left.data)) if kinds <= {NULL, INT, FLOAT} else None
    if not kinds <= {INT, FLOAT}:
        return None
    valid = both_valid(left, right)
    if kinds == {INT}:
        ints = _INTEGERS.get(operator)
        found = None if ints is None else ints(left.data, right.data, valid)
        return None if found is None else Vector(INT, found, valid)
    floats = _FLOATS.get(operator)
    if floats is None:
        return None
    one, other = left.data.astype(np.float64), right.data.astype(np.float64)
    with np.errstate(all="ignore"):
        return Vector(FLOAT, floats(one, other), valid)


# --- integers: None where a result, or one on the way, might need more than 64 bits ----------


def _extent(data: Ints) -> int:
    """The largest magnitude."""
    return max(abs(int(data.max())), abs(int(data.min()))) if len(data) else 0


def _add(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    total = left + right
    wrapped = ((left ^ total) & (right ^ total)) < 0
    return None if _any(wrapped, valid) else total


def _subtract(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    total = left - right
    wrapped = ((left ^ right) & (left ^ total)) < 0
    return None if _any(wrapped, valid) else total


def _multiply(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    return left * right if _extent(left) * _extent(right) <= INT_MAX else None


def _divide(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    divisor = _divisor(left, right, valid)
    if divisor is None:
        return None
    quotient = np.abs(left) // np.abs(divisor)
    return np.where((left < 0) != (divisor < 0), -quotient, quotient)


def _modulo(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    divisor = _divisor(left, right, valid)
    return None if divisor is None else np.fmod(left, divisor)


def _divisor(left: Ints, right: Ints, valid: Mask | None) -> Ints | None:
    """The right side with ones where a row is null; None where the row path must say."""
    if _extent(left) > INT_MAX or _extent(right) > INT_MAX:
        return None
    zero = right == 0
    if _any(zero, valid):
        return None
    return np.where(zero, np.int64(1), right)


def _any(mask: Mask, valid: Mask | None) -> bool:
    return bool(mask.any() if valid is None else (mask & valid).any())


_INTEGERS: Final[dict[str, Callable[[Ints, Ints, Mask | None], Ints | None]]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
}
_FLOATS: Final[dict[str, Callable[[Floats, Floats], Floats]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
}


@vectorizes(b.Unary)
def _unary(e: b.Unary, scope: Scope) -> VectorEvaluator:
    operand = compile_vector(e.operand, scope)
    negates = e.operator == "-"
    operation = arithmetic.negate if negates else arithmetic.plus

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        vector = operand(batch, ctx)
        if vector.kind == FLOAT or (vector.kind == INT and _extent(vector.data) <= INT_MAX):
            return Vector(vector.kind, -vector.data, vector.valid) if negates else vector
        return elementwise(operation, [vector], ctx)

    return run
