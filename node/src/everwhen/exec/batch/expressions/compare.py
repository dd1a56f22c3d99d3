"""Equality, order and membership on columns, and the table of binary operators.

What the fast paths know: numbers by exact value, strings by their codes and ranks, booleans,
elements by id. Values of different types are unequal, and neither above nor below each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeGuard

import numpy as np

from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.arithmetic import OPERATIONS, arithmetic_of
from everwhen.exec.batch.expressions.core import compile_vector, elementwise, vectorizes
from everwhen.exec.batch.expressions.logic import exclusive_or
from everwhen.exec.batch.expressions.text import TESTS, tested
from everwhen.exec.batch.texts import translated
from everwhen.exec.batch.vectors import Constant, both_valid, nulls
from everwhen.exec.expressions.operators import BINARY
from everwhen.exec.expressions.patterns import stoppable
from everwhen.model.columns import (
    ANY,
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    STRING,
    Mask,
    Vector,
)
from everwhen.query import bound as b

_NUMBERS: Final = frozenset({INT, FLOAT})
#: integers up to here are floats too
_EXACT: Final = 2**53

Test = Callable[[Any, Any], Mask]

_TESTS: Final[dict[str, Test]] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@vectorizes(b.Binary)
def _binary(e: b.Binary, scope: Scope) -> VectorEvaluator:
    left, right = compile_vector(e.left, scope), compile_vector(e.right, scope)
    operator = e.operator
    if operator in OPERATIONS:
        return arithmetic_of(operator, left, right)
    if operator == "XOR":
        return exclusive_or(left, right)
    fast = _FAST.get(operator)
    operation = BINARY[operator]
    by_text = operator in TESTS

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        one, other = left(batch, ctx), right(batch, ctx)
        found = None if fast is None else fast(operator, one, other)
        if found is None and by_text and _is_text(other) and one.kind == STRING:
            found = tested(operator, one, other, ctx)
        if found is not None:
            return found
        return elementwise(stoppable(operation, ctx.check), [one, other], ctx)

    return run


def _compared(operator: str, left: Vector, right: Vector) -> Vector | None:
    """A comparison by columns; None: of kinds that must be looked at value by value."""
    kind, other = left.kind, right.kind
    if kind == NULL or other == NULL:
        return nulls(len(left.data))
    if kind == ANY or other == ANY:
        return None
    test, equality = _TESTS[operator], operator in ("=", "<>")
    valid = both_valid(left, right)
    if kind in _NUMBERS and other in _NUMBERS:
        return _numbers(test, left, right, valid)
    if kind != other:
        if not equality:
            return nulls(len(left.data))
        return Vector(BOOLEAN, np.full(len(left.data), operator == "<>"), valid)
    if kind == BOOLEAN:
        return Vector(BOOLEAN, test(left.data, right.data), valid)
    if kind == STRING:
        compare = _equal_texts if equality else _ordered_texts
        return compare(test, left, right, valid)
    if not equality:
        return nulls(len(left.data))
    if left.graph is right.graph or (kind == NODE and _same_rows(left, right)):
        return Vector(BOOLEAN, test(left.data, right.data), valid)
    return None


def _same_rows(left: Vector, right: Vector) -> bool:
    assert left.graph is not None
    assert right.graph is not None
    return left.graph.generation == right.graph.generation


def _numbers(test: Test, left: Vector, right: Vector, valid: Mask | None) -> Vector | None:
    """By exact value; a float against integers that floats cannot tell apart: None."""
    if left.kind != right.kind:
        ints = left if left.kind == INT else right
        data = ints.data[:1] if isinstance(ints, Constant) else ints.data
        if len(data) and (int(data.max()) > _EXACT or int(data.min()) < -_EXACT):
            return None
    return Vector(BOOLEAN, test(left.data, right.data), valid)


def _equal_texts(test: Test, left: Vector, right: Vector, valid: Mask | None) -> Vector | None:
    if left.texts is right.texts:
        return Vector(BOOLEAN, test(left.data, right.data), valid)
    if isinstance(left, Constant):
        left, right = right, left
    assert left.texts is not None
    assert right.texts is not None
    if isinstance(right, Constant):
        code = left.texts.find(right.value)
        return Vector(BOOLEAN, test(left.data, np.int32(code)), valid)
    if right.valid is not None:
        return None
    return Vector(BOOLEAN, test(left.data, translated(right.data, right.texts, left.texts)), valid)


def _ordered_texts(test: Test, left: Vector, right: Vector, valid: Mask | None) -> Vector | None:
    """By ranks, where ranking the texts does not cost more than looking at them."""
    texts = left.texts
    if texts is not right.texts or texts is None or len(texts) > 4 * len(left.data):
        return None
    ranks = texts.ranks()
    return Vector(BOOLEAN, test(ranks[left.data], ranks[right.data]), valid)


# --- IN --------------------------------------------------------------------------------------


def _member(operator: str, value: Vector, elements: Vector) -> Vector | None:
    """``value IN elements`` for a constant list of values of the vector's own kind or of kinds
    that are never equal to it."""
    if not isinstance(elements, Constant) or type(elements.value) is not list:
        return None
    wanted = elements.value
    has_null = None in wanted if all(type(x) in _PLAIN for x in wanted) else None
    if has_null is None or value.kind not in _IN or isinstance(value, Constant):
        return None
    if not wanted:
        return Vector(BOOLEAN, np.zeros(len(value.data), np.bool_))
    data, valid = value.data, value.valid
    if value.kind == STRING:
        assert value.texts is not None
        codes = [value.texts.find(x) for x in wanted if type(x) is str]
        found = np.isin(data, np.array(codes, np.int32))
    else:
        if any(type(x) is float for x in wanted):
            return None
        found = np.isin(data, np.array([x for x in wanted if type(x) is int], np.int64))
    if has_null:
        valid = found if valid is None else found & valid
    return Vector(BOOLEAN, found, valid)


def _is_text(vector: Vector) -> TypeGuard[Constant]:
    return isinstance(vector, Constant) and type(vector.value) is str


_PLAIN: Final = frozenset({int, str, bool, float, type(None)})
_IN: Final = frozenset({INT, STRING})

_FAST: Final[dict[str, Callable[[str, Vector, Vector], Vector | None]]] = {
    **dict.fromkeys(_TESTS, _compared),
    "IN": _member,
}
