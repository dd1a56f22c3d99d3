"""Operators that only the row path knows, between batches: each row by itself, results gathered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from everwhen.exec.batch.core import (
    OBJECTS_AT_ONCE,
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    build_batch,
)
from everwhen.exec.batch.elements import kept
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.values import pieces, rows_of, vector_of
from everwhen.exec.build import build
from everwhen.query import physical as p


def over_rows(op: Any, written: Sequence[int], scope: Scope) -> BatchRunner | None:
    """A batch runner for an operator with one child that writes some slots of its rows."""
    child, need = build_batch(op.child, scope), need_of(scope, op)
    if child is None:
        return None
    run = build(replace(op, child=p.Argument()))

    def found(batch: Batch, ctx: BatchContext) -> Iterator[tuple[int, list[Any]]]:
        for position, row in enumerate(rows_of(batch, ctx)):
            for made in run(ctx.rows, row):
                yield position, [made[slot] for slot in written]

    def over(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for whole in child(ctx, argument):
            for batch in pieces(whole, min(ctx.batch_rows, OBJECTS_AT_ONCE)):
                yield from gathered(batch, found(batch, ctx), written, need, ctx)

    return over


def gathered(
    batch: Batch,
    found: Iterator[tuple[int, list[Any]]],
    written: Sequence[int],
    need: Need | None,
    ctx: BatchContext,
) -> Iterator[Batch]:
    """Batches of rows made one by one: the row each is made of, and the values of ``written``."""
    left = kept(batch, need)
    size = max(1, min(ctx.batch_rows, OBJECTS_AT_ONCE // max(1, len(written))))
    positions: list[int] = []
    values: list[list[Any]] = []
    for position, made in found:
        positions.append(position)
        values.append(made)
        if len(positions) == size:
            yield _gather(left, positions, values, written, ctx)
            positions, values = [], []
    if positions:
        yield _gather(left, positions, values, written, ctx)


def _gather(
    left: Batch,
    positions: list[int],
    values: list[list[Any]],
    written: Sequence[int],
    ctx: BatchContext,
) -> Batch:
    ctx.check()
    columns = {
        slot: vector_of([made[place] for made in values], ctx) for place, slot in enumerate(written)
    }
    return left.take(np.array(positions, np.int64)).with_columns(columns)
