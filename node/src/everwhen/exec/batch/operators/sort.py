"""Sort, stable by the total order of the language, and the first rows of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

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
from everwhen.exec.batch.elements import kept
from everwhen.exec.batch.expressions import compile_vector
from everwhen.exec.batch.keys import stable_order
from everwhen.exec.batch.needs import need_of
from everwhen.exec.batch.ordering import ranks
from everwhen.exec.batch.values import pieces
from everwhen.exec.batch.vectors import Constant, batch_bytes, joined_batches, valid_of
from everwhen.exec.memory import Held
from everwhen.exec.operators.relational import rows_wanted
from everwhen.model.columns import BOOLEAN, FLOAT, INT, STRING, Mask, Texts, Vector
from everwhen.query import physical as p

Numbers = npt.NDArray[np.int64]

#: rows gathered before those are dropped that cannot be among the first
_GATHERED_ROWS: Final = 8_192
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
    child = one_by_one(child, [key.expression for key in op.keys])
    order = [(slot, descending) for slot, _, descending in keys]
    need = need_of(scope, op)
    wanted = rows_wanted(op)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        most: int | None = wanted([None] * ctx.width, ctx.rows)
        waiting, rows = list[Batch](), 0
        bound: _Bound | None = None
        with Held(ctx.rows.memory) as held:
            for batch in child(ctx, argument):
                keyed = batch.with_columns({slot: key(batch, ctx) for slot, key, _ in keys})
                if bound is not None:
                    keyed = bound.below(keyed)
                waiting.append(keyed := kept(keyed, need))
                held.add(batch_bytes(keyed))
                rows += keyed.length
                if most is not None and not scope and rows >= max(_GATHERED_ROWS, 2 * most):
                    first = _first(joined_batches(waiting, ctx), order, scope, most, ctx)
                    waiting, rows = [first], first.length
                    held.become(batch_bytes(first))
                    bound = _bound(first, *order[0])
            if waiting:
                ctx.check()
                found = _first(joined_batches(waiting, ctx), order, scope, most, ctx)
                waiting = []
                columns = {slot: v for slot, v in found.columns.items() if slot > _KEY_SLOT}
                yield from pieces(Batch(found.length, columns, found.weights), ctx.batch_rows)

    return run


#: kinds whose ranks mean the same in every batch (those of strings: with the same texts)
_RANKED: Final = frozenset({INT, FLOAT, BOOLEAN, STRING})


class _Bound(NamedTuple):
    """The last of the first rows so far: what orders behind it by its first key is not wanted."""

    slot: int
    descending: bool
    kind: str
    last: int | float
    #: of strings, whose ranks are compared: they are good while there are no more texts
    texts: Texts | None
    size: int

    def below(self, batch: Batch) -> Batch:
        """The rows that may still be among the first."""
        vector = batch.columns[self.slot]
        if vector.kind != self.kind or vector.texts is not self.texts:
            return batch
        if isinstance(vector, Constant) or _nulls(vector) is not None:
            return batch
        if self.texts is not None and len(self.texts) != self.size:
            return batch
        values = _comparable(vector)
        # NaN is neither, and stays
        behind = values < self.last if self.descending else values > self.last
        kept_rows = np.flatnonzero(~behind)
        return batch if len(kept_rows) == batch.length else batch.take(kept_rows)


def _comparable(vector: Vector) -> npt.NDArray[Any]:
    """What compares in every batch as the values do."""
    return vector.data if vector.texts is None else vector.texts.ranks()[vector.data]


def _bound(batch: Batch, slot: int, descending: bool) -> _Bound | None:
    vector = batch.columns[slot]
    usable = vector.kind in _RANKED and not isinstance(vector, Constant)
    if not batch.length or not usable or _nulls(vector) is not None:
        return None
    if vector.texts is not None and len(vector.texts) > 4 * _GATHERED_ROWS:
        return None  # ranking so many texts may cost more than it saves
    values = _comparable(vector)
    last = (values.min() if descending else values.max()).item()
    if math.isnan(last):
        return None
    texts = vector.texts
    return _Bound(slot, descending, vector.kind, last, texts, 0 if texts is None else len(texts))


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
    passes: list[Numbers] = []
    for vector, descending in reversed(columns):
        passes += _passes(vector, descending, ctx)
    if scope:
        passes.append(batch.columns[scope[-1]].data)
    places = stable_order(passes[0])
    for rank in passes[1:]:
        places = places[stable_order(rank[places])]
    if some is not None:
        places = some[places[:most]]
    return batch.take(places)


def _nulls(vector: Vector) -> Mask | None:
    valid = valid_of(vector)
    return None if valid is None or bool(valid.all()) else ~valid


def _passes(vector: Vector, descending: bool, ctx: BatchContext) -> list[Numbers]:
    """What to sort by one after the other: the rank, then whether it is null, which comes last.
    An order that is only made of stable passes needs no comparison of several keys."""
    rank, null = ranks(vector, ctx), _nulls(vector)
    if descending:
        rank = ~rank  # which turns the order round and cannot overflow
    if null is None:
        return [rank]
    last = ~null if descending else null
    return [np.where(null, np.int64(0), rank), last.astype(np.int64)]


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
