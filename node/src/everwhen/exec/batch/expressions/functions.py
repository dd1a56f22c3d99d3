"""Function calls: of elements by columns, of numbers by numpy where it gives the same bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.core import (
    by_rows,
    compile_vector,
    elementwise,
    vectorizes,
)
from everwhen.exec.batch.expressions.logic import coalesced
from everwhen.exec.batch.texts import LocalTexts
from everwhen.exec.batch.values import by_table
from everwhen.exec.batch.vectors import nulls
from everwhen.exec.functions import FUNCTIONS, FunctionDef
from everwhen.limits import INT_MIN
from everwhen.model.columns import (
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    RELATIONSHIP,
    STRING,
    Vector,
)
from everwhen.model.types import matches_type
from everwhen.query import bound as b

Fast = Callable[[Vector], Vector | None]


@vectorizes(b.FunctionCall)
def _function(e: b.FunctionCall, scope: Scope) -> VectorEvaluator:
    if e.name == "coalesce":
        return coalesced(e.arguments, scope)
    function = FUNCTIONS[e.name]
    if e.name == "exists":
        return compile_vector(b.IsNull(e.arguments[0], True), scope)
    if e.volatile or not e.arguments:
        return by_rows(e)
    arguments = [compile_vector(argument, scope) for argument in e.arguments]
    fast = _FAST.get(e.name) if len(arguments) == 1 else None

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        vectors = [argument(batch, ctx) for argument in arguments]
        if fast is not None:
            first = vectors[0]
            found = nulls(batch.length) if first.kind == NULL else fast(first)
            if found is not None:
                return found
        return elementwise(partial(_call, function, ctx), vectors, ctx)

    return run


def _call(function: FunctionDef, ctx: BatchContext, *values: Any) -> Any:
    if function.null_in_null_out:
        for value in values:
            if value is None:
                return None
    return function.fn(ctx.rows, *values)


# --- elements --------------------------------------------------------------------------------


def _of_elements(kinds: frozenset[str]) -> Callable[[Fast], Fast]:
    """Of columns of elements; the function sees those that are not null."""

    def wrap(fast: Fast) -> Fast:
        def run(vector: Vector) -> Vector | None:
            if vector.kind not in kinds:
                return None
            valid = vector.valid
            if valid is None:
                return fast(vector)
            places = np.flatnonzero(valid)
            found = fast(vector.take(places))
            if found is None or not len(places):
                return found if found is None else nulls(len(valid))
            order = np.maximum(np.cumsum(valid) - 1, 0)
            return Vector(found.kind, found.data[order], valid, found.texts, found.graph)

        return run

    return wrap


_ELEMENTS: Final = frozenset({NODE, RELATIONSHIP})
_RELATIONSHIPS: Final = frozenset({RELATIONSHIP})


@_of_elements(_ELEMENTS)
def _id(vector: Vector) -> Vector:
    graph = vector.graph
    assert graph is not None
    if vector.kind == NODE:
        return Vector(INT, graph.node_ids(vector.data).astype(np.int64))
    ids = np.zeros(len(vector.data), np.int64)
    for places, table, rows in by_table(graph, vector.data):
        ids[places] = table.ids(rows)
    return Vector(INT, ids)


@_of_elements(_RELATIONSHIPS)
def _type(vector: Vector) -> Vector:
    assert vector.graph is not None
    texts, codes = LocalTexts(), np.zeros(len(vector.data), np.int32)
    for places, table, _ in by_table(vector.graph, vector.data):
        codes[places] = texts.add(table.type)
    return Vector(STRING, codes, None, texts)


def _end(which: int) -> Fast:
    @_of_elements(_RELATIONSHIPS)
    def run(vector: Vector) -> Vector:
        assert vector.graph is not None
        nodes = np.zeros(len(vector.data), np.int32)
        for places, table, rows in by_table(vector.graph, vector.data):
            nodes[places] = table.ends(rows)[which]
        return Vector(NODE, nodes, None, None, vector.graph)

    return run


# --- numbers ---------------------------------------------------------------------------------


def _abs(vector: Vector) -> Vector | None:
    kind = vector.kind
    if kind == FLOAT or (kind == INT and not (vector.data == INT_MIN).any()):
        return Vector(kind, np.abs(vector.data), vector.valid)
    return None


def _sign(vector: Vector) -> Vector | None:
    if vector.kind not in (INT, FLOAT):
        return None
    above, below = vector.data > 0, vector.data < 0
    return Vector(INT, above.astype(np.int64) - below, vector.valid)


def _is_nan(vector: Vector) -> Vector | None:
    if vector.kind == FLOAT:
        return Vector(BOOLEAN, np.isnan(vector.data), vector.valid)
    return None


def _half_up(data: Any) -> Any:
    """To the nearest whole number, ties towards positive infinity; keeps the sign of zero."""
    below = np.floor(data)
    whole = np.where(data - below < 0.5, below, below + 1)
    return np.where((whole == 0) | ~np.isfinite(data), np.copysign(whole, data), whole)


def _of_floats(function: Callable[[Any], Any]) -> Fast:
    """A function that IEEE 754 says the result of to the last bit."""

    def run(vector: Vector) -> Vector | None:
        if vector.kind not in (INT, FLOAT):
            return None
        with np.errstate(all="ignore"):
            return Vector(FLOAT, function(vector.data.astype(np.float64)), vector.valid)

    return run


def _to_integer(vector: Vector) -> Vector | None:
    if vector.kind == INT:
        return vector
    if vector.kind == BOOLEAN:
        return Vector(INT, vector.data.astype(np.int64), vector.valid)
    if vector.kind != FLOAT:
        return None
    fits = (vector.data >= -(2.0**63)) & (vector.data < 2.0**63)
    valid = fits if vector.valid is None else fits & vector.valid
    whole = np.trunc(np.where(fits, vector.data, 0.0)).astype(np.int64)
    return Vector(INT, whole, valid)


_FAST: Final[dict[str, Fast]] = {
    "id": _id,
    "type": _type,
    "startnode": _end(0),
    "endnode": _end(1),
    "abs": _abs,
    "sign": _sign,
    "isnan": _is_nan,
    "ceil": _of_floats(np.ceil),
    "ceiling": _of_floats(np.ceil),
    "floor": _of_floats(np.floor),
    "round": _of_floats(_half_up),
    "sqrt": _of_floats(np.sqrt),
    "tofloat": _of_floats(lambda data: data),
    "tointeger": _to_integer,
}


@vectorizes(b.IsTyped)
def _is_typed(e: b.IsTyped, scope: Scope) -> VectorEvaluator:
    operand, text, negated = compile_vector(e.operand, scope), e.type_text, e.negated

    def test(value: Any) -> bool:
        return matches_type(value, text) is not negated

    return lambda batch, ctx: elementwise(test, [operand(batch, ctx)], ctx)
