"""The table of compilers to vectors, and what all of them fall back to.

A fast path answers for vectors it knows the rules of; for all others it gives None, and the
operation of the row path is applied to the values (:func:`elementwise`). An expression without a
compiler here is evaluated row by row (:func:`by_rows`). So both paths have one meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import (
    OBJECTS_AT_ONCE,
    Batch,
    BatchContext,
    Scope,
    VectorEvaluator,
)
from everwhen.exec.batch.texts import distinct
from everwhen.exec.batch.values import (
    constant,
    rows_of,
    slice_batch,
    slice_of,
    values_of,
    vector_of,
)
from everwhen.exec.batch.vectors import Constant, joined, nulls
from everwhen.exec.expressions import compile_expression
from everwhen.exec.expressions.core import not_boolean
from everwhen.model.columns import BOOLEAN, NULL, STRING, Mask, Vector
from everwhen.query import bound as b
from everwhen.query.traverse import slots_of, volatile, walk

Compiler = Callable[[Any, Scope], VectorEvaluator]

_COMPILERS: dict[type, Compiler] = {}


def vectorizes(kind: type) -> Callable[[Compiler], Compiler]:
    """Registers the compiler of one expression class."""

    def register(compiler: Compiler) -> Compiler:
        _COMPILERS[kind] = compiler
        return compiler

    return register


def compile_vector(expression: b.Expression, scope: Scope = ()) -> VectorEvaluator:
    """A closure that gives an expression's value for each row of a batch.

    Errors are those of the row path. They are raised for a row only if it evaluates the
    expression, but not always for the first such row.
    """
    if is_constant(expression):
        return _constant(expression)
    compiler = _COMPILERS.get(type(expression))
    return by_rows(expression) if compiler is None else compiler(expression, scope)


def is_constant(expression: b.Expression) -> bool:
    """Whether it is the same in all rows: no slots, no subquery, no chance."""
    return repeatable(expression) and not slots_of(expression)


def repeatable(expression: b.Expression) -> bool:
    """Whether it is the same for equal values of its slots, and no subquery."""
    return not volatile(expression) and not any(
        isinstance(part, b.Subquery) for part in walk(expression)
    )


def _constant(expression: b.Expression) -> VectorEvaluator:
    evaluate = compile_expression(expression)

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        if not batch.length:
            return nulls(0)
        return constant(evaluate([None] * ctx.width, ctx.rows), batch.length, ctx)

    return run


def by_rows(expression: b.Expression) -> VectorEvaluator:
    """The row path's evaluator on every row."""
    evaluate = compile_expression(expression)
    slots = slots_read(expression)

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        found = []
        for start in range(0, batch.length, OBJECTS_AT_ONCE):
            ctx.check()
            piece = slice_batch(batch, start, start + OBJECTS_AT_ONCE)
            rows = rows_of(piece, ctx, slots)
            found.append(vector_of([evaluate(row, ctx.rows) for row in rows], ctx))
        return joined(found, ctx) if found else nulls(0)

    return run


def slots_read(expression: b.Expression) -> list[int] | None:
    """Slots an expression needs; None: all there are, since a subquery may use any."""
    if any(isinstance(part, b.Subquery) for part in walk(expression)):
        return None
    return sorted(slots_of(expression))


def narrowed(batch: Batch, slots: list[int] | None, rows: npt.NDArray[Any]) -> Batch:
    """Some rows, with the columns that an expression reads only."""
    if slots is None:
        return batch.take(rows)
    columns = {s: batch.columns[s].take(rows) for s in slots if s in batch.columns}
    return Batch(len(rows), columns)


# --- operations on values --------------------------------------------------------------------


def elementwise(
    operation: Callable[..., Any], vectors: Sequence[Vector], ctx: BatchContext
) -> Vector:
    """``operation`` of the values in each row; it must depend on nothing else.

    It is called once where all are constants, and once for each text where only strings vary.
    """
    length = len(vectors[0].data)
    if not length:
        return nulls(0)
    varying = [place for place, v in enumerate(vectors) if not isinstance(v, Constant)]
    if not varying:
        return constant(
            operation(*[values_of(v.take(_FIRST), ctx)[0] for v in vectors]), length, ctx
        )
    if len(varying) == 1 and vectors[varying[0]].kind == STRING:
        found = _by_text(operation, vectors, varying[0], ctx)
        if found is not None:
            return found
    return _on_values(operation, vectors, length, ctx)


_FIRST = np.zeros(1, np.int64)


def _on_values(
    operation: Callable[..., Any], vectors: Sequence[Vector], length: int, ctx: BatchContext
) -> Vector:
    pieces = []
    for start in range(0, length, OBJECTS_AT_ONCE):
        if start:
            ctx.check()
        columns = [values_of(slice_of(v, start, start + OBJECTS_AT_ONCE), ctx) for v in vectors]
        pieces.append(vector_of(list(map(operation, *columns)), ctx))
    return joined(pieces, ctx)


def _by_text(
    operation: Callable[..., Any], vectors: Sequence[Vector], place: int, ctx: BatchContext
) -> Vector | None:
    """One call for each distinct text, and one for null; None: too many to be worth it."""
    vector = vectors[place]
    assert vector.texts is not None
    valid = vector.valid
    some = vector.data if valid is None else vector.data[valid]
    codes, places = distinct(some, len(vector.texts))
    if 2 * len(codes) > len(vector.data):
        return None
    wanted = len(codes) + (valid is not None)
    once = [v.take(np.zeros(wanted, np.int64)) for v in vectors]
    if valid is None:
        once[place] = Vector(STRING, codes, None, vector.texts)
    else:
        is_text = np.ones(wanted, np.bool_)
        is_text[-1] = False
        once[place] = Vector(STRING, np.append(codes, codes.dtype.type(0)), is_text, vector.texts)
    results = _on_values(operation, once, wanted, ctx)
    if valid is None:
        return results.take(places)
    order = np.full(len(vector.data), len(codes), np.int64)
    order[valid] = places
    return results.take(order)


# --- truth -----------------------------------------------------------------------------------


def booleans(vector: Vector, ctx: BatchContext) -> tuple[Mask, Mask | None]:
    """Where a vector is true, and where it is not null (None: everywhere).

    :raises QueryTypeError: an element is neither boolean nor null.
    """
    length = len(vector.data)
    if vector.kind == NULL:
        nothing = np.zeros(length, np.bool_)
        return nothing, nothing
    if vector.kind == BOOLEAN:
        valid = vector.valid
        return (vector.data, None) if valid is None else (vector.data & valid, valid)
    valid = np.ones(length, np.bool_) if vector.valid is None else vector.valid
    places = np.flatnonzero(valid)
    true = np.zeros(length, np.bool_)
    for start in range(0, len(places), OBJECTS_AT_ONCE):
        some = places[start : start + OBJECTS_AT_ONCE]
        for place, value in zip(some.tolist(), values_of(vector.take(some), ctx), strict=True):
            if type(value) is not bool:
                raise not_boolean(value)
            true[place] = value
    return true, valid
