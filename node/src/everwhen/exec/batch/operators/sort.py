"""Sort, stable by the total order of the language, and the first rows of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

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
from everwhen.exec.batch.memory import Held
from everwhen.exec.batch.operators.rows import counter
from everwhen.exec.batch.ordering import ranks
from everwhen.exec.batch.values import pieces
from everwhen.exec.batch.vectors import batch_bytes, joined_batches, valid_of
from everwhen.model.columns import Mask, Vector
from everwhen.query import physical as p

Numbers = npt.NDArray[np.int64]

#: rows gathered before those are dropped that cannot be among the first
_GATHERED_ROWS: Final = 262_144
#: slots of sort keys while rows are gathered, below those of origins
_KEY_SLOT: Final = -1_000_000


@batch_builds(p.Sort)
def _sort(op: p.Sort, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    keys = [
        (_KEY_SLOT - at, compile_vector(key.expression, scope), key.descending)
        for at, key in enumerate(op.keys)
    ]
    order = [(slot, descending) for slot, _, descending in keys]
    limit = None if op.limit is None else counter(op.limit, "LIMIT")

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        most = None if limit is None else limit(ctx)
        waiting, rows = list[Batch](), 0
        with Held(ctx) as held:
            for batch in child(ctx, argument):
                keyed = batch.with_columns({slot: key(batch, ctx) for slot, key, _ in keys})
                waiting.append(keyed)
                held.add(batch_bytes(keyed))
                rows += batch.length
                if most is not None and not scope and rows >= max(_GATHERED_ROWS, 2 * most):
                    first = _first(joined_batches(waiting, ctx), order, scope, most, ctx)
                    waiting, rows = [first], first.length
                    held.become(batch_bytes(first))
            if waiting:
                ctx.check()
                found = _first(joined_batches(waiting, ctx), order, scope, most, ctx)
                waiting = []
                columns = {slot: v for slot, v in found.columns.items() if slot > _KEY_SLOT}
                yield from pieces(Batch(found.length, columns, found.weights), ctx.batch_rows)

    return run


def _first(
    batch: Batch,
    order: list[tuple[int, bool]],
    scope: Scope,
    most: int | None,
    ctx: BatchContext,
) -> Batch:
    """The rows in order, within their origin; at most so many where there are no origins."""
    columns = [(batch.columns[slot], descending) for slot, descending in order]
    some: Numbers | None = None
    if most is not None and not scope and most < batch.length:
        if not most:
            return batch.take(np.zeros(0, np.int64))
        some = _candidates(*columns[0], most, ctx)
        columns = [(vector.take(some), descending) for vector, descending in columns]
    passes: list[npt.NDArray[Any]] = []
    for vector, descending in reversed(columns):
        passes += _passes(vector, descending, ctx)
    if scope:
        passes.append(batch.columns[scope[-1]].data)
    places: Numbers = passes[0].argsort(kind="stable") if len(passes) == 1 else np.lexsort(passes)
    if some is not None:
        places = some[places[:most]]
    return batch.take(places)


def _nulls(vector: Vector) -> Mask | None:
    valid = valid_of(vector)
    return None if valid is None or bool(valid.all()) else ~valid


def _passes(vector: Vector, descending: bool, ctx: BatchContext) -> list[npt.NDArray[Any]]:
    """What to sort by one after the other: the rank, then whether it is null, which comes last."""
    rank, null = ranks(vector, ctx), _nulls(vector)
    if descending:
        rank = ~rank  # which turns the order round and cannot overflow
    if null is None:
        return [rank]
    return [np.where(null, 0, rank), ~null if descending else null]


def _candidates(vector: Vector, descending: bool, most: int, ctx: BatchContext) -> Numbers:
    """Positions, ascending, of all rows that may be among the first by their first key."""
    rank, null = ranks(vector, ctx), _nulls(vector)
    if descending:
        rank = ~rank
    if null is None:
        return np.flatnonzero(rank <= np.partition(rank, most - 1)[most - 1])
    count = int(null.sum())
    if descending and count >= most:
        return np.flatnonzero(null)
    wanted = most - count if descending else most
    values = rank[~null]
    if wanted >= len(values):
        return np.arange(len(rank))
    last = np.partition(values, wanted - 1)[wanted - 1]
    chosen = ~null & (rank <= last)
    return np.flatnonzero(chosen | null) if descending else np.flatnonzero(chosen)
