"""Filter, Project, Skip, Limit, ProduceResults: what looks at one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
    one_by_one,
)
from everwhen.exec.batch.expressions import compile_vector
from everwhen.exec.batch.filtering import filtered
from everwhen.exec.batch.operators.expand import filtered_expand
from everwhen.exec.batch.vectors import column, weights_of
from everwhen.exec.expressions import compile_expression
from everwhen.exec.operators.relational import count_of
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import conjunction

Counts = npt.NDArray[np.int64]


@batch_builds(p.Filter)
def _filter(op: p.Filter, scope: Scope) -> BatchRunner | None:
    condition = op.predicate
    expanding = filtered_expand(op, scope)
    if expanding is not None:
        child, left = expanding
        if not left:
            return child
        condition = conjunction(left)
    else:
        found = build_batch(op.child, scope)
        if found is None:
            return None
        child = found
    return filtered(child, condition, scope)


@batch_builds(p.Project)
def _project(op: p.Project, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    items = [(slot, compile_vector(expression, scope)) for slot, expression in op.items]
    child = one_by_one(child, [expression for _, expression in op.items])

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            yield batch.with_columns({slot: evaluate(batch, ctx) for slot, evaluate in items})

    return run


@batch_builds(p.ProduceResults)
def _produce(op: p.ProduceResults, scope: Scope) -> BatchRunner | None:
    """Batches with the columns asked for only; a statement without columns is run to its end."""
    child = build_batch(op.child, scope)
    if child is None:
        return None
    slots = [slot for _, slot in op.columns]

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            if slots:
                columns = {slot: column(batch, slot) for slot in slots}
                yield Batch(batch.length, columns, batch.weights)

    return run


# --- the first rows, and those behind them ---------------------------------------------------


@batch_builds(p.Limit)
def _limit(op: p.Limit, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    exhaust = op.exhaust
    count = counter(op.count, "LIMIT")

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        most = count(ctx)
        seen = np.zeros(argument.length if scope else 1, np.int64)
        if most == 0 and not exhaust:
            return
        for batch in child(ctx, argument):
            weights = weights_of(batch)
            left = most - _seen_before(batch, scope, weights, seen)
            yield from _with_weights(batch, np.clip(left, 0, weights))
            if not exhaust and bool((seen >= most).all()):
                return

    return run


@batch_builds(p.Skip)
def _skip(op: p.Skip, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    count = counter(op.count, "SKIP")

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        most = count(ctx)
        seen = np.zeros(argument.length if scope else 1, np.int64)
        for batch in child(ctx, argument):
            weights = weights_of(batch)
            behind = _seen_before(batch, scope, weights, seen) + weights - most
            yield from _with_weights(batch, np.clip(behind, 0, weights))

    return run


def counter(expression: b.Expression, what: str) -> Callable[[BatchContext], int]:
    """Rows to take or leave, the same for every argument row."""
    count = count_of(compile_expression(expression), what)
    return lambda ctx: int(count([None] * ctx.width, ctx.rows))


def _seen_before(batch: Batch, scope: Scope, weights: Counts, seen: Counts) -> Counts:
    """By row, how many rows of its origin came before; adds the batch to ``seen``."""
    if not scope:
        so_far: Counts = seen[0] + np.cumsum(weights) - weights
        seen[0] += weights.sum()
        return so_far
    origins = batch.columns[scope[-1]].data
    order = np.argsort(origins, kind="stable")
    ordered, sizes = origins[order], weights[order]
    sums = np.cumsum(sizes) - sizes
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    of_start = np.repeat(sums[starts], np.diff(np.append(starts, len(ordered))))
    before = np.empty(len(order), np.int64)
    before[order] = sums - of_start + seen[ordered]
    np.add.at(seen, origins, weights)
    return before


def _with_weights(batch: Batch, weights: Counts) -> Iterator[Batch]:
    """Rows as often as said; one batch or none."""
    kept = np.flatnonzero(weights)
    if not len(kept):
        return
    if batch.weights is not None:
        batch = Batch(batch.length, batch.columns, weights)
    yield batch if len(kept) == batch.length else batch.take(kept)
