"""HashJoin: the inner rows by their keys, found for the keys of each batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
)
from everwhen.exec.batch.expressions import compile_vector
from everwhen.exec.batch.joining import Matches, Table
from everwhen.exec.batch.vectors import batch_bytes, column, joined, joined_batches
from everwhen.exec.memory import Held
from everwhen.model.columns import Vector
from everwhen.query import physical as p

Numbers = npt.NDArray[np.int64]


@batch_builds(p.HashJoin)
def _hash_join(op: p.HashJoin, scope: Scope) -> BatchRunner | None:
    child, inner = build_batch(op.child, scope), build_batch(op.inner, scope)
    if child is None or inner is None:
        return None
    left, right = compile_vector(op.left, scope), compile_vector(op.right, scope)

    def table(ctx: BatchContext, argument: Batch, held: Held) -> tuple[Batch, Table | None]:
        """The inner rows, and their places by key; None: there are none."""
        batches: list[Batch] = []
        keys: list[Vector] = []
        for batch in inner(ctx, argument):
            held.add(2 * batch_bytes(batch))
            batches.append(batch)
            keys.append(right(batch, ctx))
        if not batches:
            return Batch(0), None
        whole = joined_batches(batches, ctx)
        return whole, Table(joined(keys, ctx), _origins(whole, scope), ctx)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        found: tuple[Batch, Table | None] | None = None
        with Held(ctx.rows.memory) as held:
            for batch in child(ctx, argument):
                if found is None:
                    found = table(ctx, argument, held)
                rows, keyed = found
                if keyed is not None:
                    matches = keyed.find(left(batch, ctx), _origins(batch, scope))
                    yield from _joined(batch, rows, matches, op.slots, ctx)

    return run


def _origins(batch: Batch, scope: Scope) -> Numbers | None:
    return batch.columns[scope[-1]].data if scope else None


def _joined(
    batch: Batch, rows: Batch, matches: Matches, slots: tuple[int, ...], ctx: BatchContext
) -> Iterator[Batch]:
    total = int(matches.counts.sum())
    for start in range(0, total, ctx.batch_rows):
        ctx.check()
        mine, theirs = matches.pairs(start, min(start + ctx.batch_rows, total))
        whole = total == batch.length and bool((matches.counts == 1).all())
        found = batch if whole and len(mine) == total else batch.take(mine)
        columns = {slot: column(rows, slot).take(theirs) for slot in slots}
        weights = found.weights
        if rows.weights is not None:
            weights = rows.weights[theirs] * (1 if weights is None else weights)
        yield Batch(found.length, {**found.columns, **columns}, weights)
