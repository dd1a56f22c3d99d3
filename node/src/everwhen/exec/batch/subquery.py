"""``EXISTS { }``, ``COUNT { }`` and ``COLLECT { }`` for all rows of a batch at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from everwhen.exec.batch.core import (
    OBJECTS_AT_ONCE,
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    VectorEvaluator,
    build_batch,
    origin_slot,
)
from everwhen.exec.batch.expressions.core import by_rows, vectorizes
from everwhen.exec.batch.needs import inside
from everwhen.exec.batch.origins import numbered, origins_of
from everwhen.exec.batch.values import values_of
from everwhen.exec.batch.vectors import column, weights_of
from everwhen.exec.sizes import value_bytes
from everwhen.model.columns import ANY, BOOLEAN, INT, Vector
from everwhen.query import bound as b


def compile_subquery(expression: b.Subquery, scope: Scope = ()) -> VectorEvaluator | None:
    """One value per row; None if the plan cannot be run over batches. ``scope`` is that of the
    operator the expression belongs to."""
    slot = origin_slot(scope)
    run = build_batch(expression.plan, inside(scope, slot))
    if run is None:
        return None
    if expression.kind == "EXISTS":
        return _exists(run, slot)
    if expression.kind == "COUNT":
        return _count(run, slot)
    assert expression.column is not None
    return _collect(run, slot, expression.column)


@vectorizes(b.Subquery)
def _subquery(expression: b.Subquery, scope: Scope) -> VectorEvaluator:
    return compile_subquery(expression, scope) or by_rows(expression)


def _exists(run: BatchRunner, slot: int) -> VectorEvaluator:
    def evaluate(batch: Batch, ctx: BatchContext) -> Vector:
        matched = np.zeros(batch.length, np.bool_)
        if batch.length:
            for found in run(ctx, numbered(batch, slot)):
                matched[origins_of(found, slot)] = True
                if matched.all():
                    break
        return Vector(BOOLEAN, matched)

    return evaluate


def _count(run: BatchRunner, slot: int) -> VectorEvaluator:
    def evaluate(batch: Batch, ctx: BatchContext) -> Vector:
        counts = np.zeros(batch.length, np.int64)
        if batch.length:
            for found in run(ctx, numbered(batch, slot)):
                np.add.at(counts, origins_of(found, slot), weights_of(found))
        return Vector(INT, counts)

    return evaluate


def _collect(run: BatchRunner, slot: int, collected: int) -> VectorEvaluator:
    def evaluate(batch: Batch, ctx: BatchContext) -> Vector:
        lists = np.empty(batch.length, np.object_)
        for row in range(batch.length):
            lists[row] = []
        if batch.length:
            for found in run(ctx, numbered(batch, slot)):
                for some in found.unfolded(ctx.batch_rows):
                    _append(lists, some, slot, collected, ctx)
        return Vector(ANY, lists)

    return evaluate


def _append(lists: Any, found: Batch, slot: int, collected: int, ctx: BatchContext) -> None:
    origins = origins_of(found, slot)
    values = column(found, collected)
    for start in range(0, found.length, OBJECTS_AT_ONCE):
        some = np.arange(start, min(start + OBJECTS_AT_ONCE, found.length))
        for origin, value in zip(
            origins[some].tolist(), values_of(values.take(some), ctx), strict=True
        ):
            ctx.rows.memory.take(value_bytes(value))
            lists[origin].append(value)
