"""Unwind, Union and Eager: rows that become several, rows from several plans, all rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import (
    OBJECTS_AT_ONCE,
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
    one_by_one,
)
from everwhen.exec.batch.expressions import compile_vector
from everwhen.exec.batch.values import slice_of, values_of, vector_of
from everwhen.exec.batch.vectors import Constant, batch_bytes, column, valid_of, vector_bytes
from everwhen.exec.memory import Held
from everwhen.model.columns import ANY, NULL, Vector
from everwhen.query import bound as b
from everwhen.query import physical as p

Numbers = npt.NDArray[np.int64]

#: bytes of lists that are made at a time; for so many times more rows than before at most
_LISTS_BYTES: Final = 128 << 10
_LISTS_GROW: Final = 8


# --- Unwind ----------------------------------------------------------------------------------


@batch_builds(p.Unwind)
def _unwind(op: p.Unwind, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None
    source, slot = compile_vector(op.expression, scope), op.slot
    child = one_by_one(child, [op.expression])

    # a list in a column is held by whoever made it
    made = not isinstance(op.expression, b.Slot)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            parts = _Parts(held)
            for batch in child(ctx, argument):
                for part in parts.of(batch) if made else (batch,):
                    lists = source(part, ctx)
                    if made:
                        held.become(vector_bytes(lists))
                    for places, vector in _elements(lists, ctx):
                        ctx.check()
                        yield part.take(places).with_columns({slot: vector})

    return run


class _Parts:
    """Parts of batches whose lists take about ``_LISTS_BYTES`` together; ``held`` is what those of
    the part before took."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._size = 1

    def of(self, batch: Batch) -> Iterator[Batch]:
        start = 0
        while start < batch.length:
            stop = min(start + self._size, batch.length)
            yield _part(batch, start, stop)
            wanted = (stop - start) * _LISTS_BYTES // max(self._held.count, 1)
            self._size = max(1, min(wanted, _LISTS_GROW * self._size))
            start = stop


def _part(batch: Batch, start: int, stop: int) -> Batch:
    """Rows from one position to another; nothing is copied."""
    if stop - start == batch.length:
        return batch
    columns = {slot: slice_of(vector, start, stop) for slot, vector in batch.columns.items()}
    weights = None if batch.weights is None else batch.weights[start:stop]
    read = {what: slice_of(vector, start, stop) for what, vector in batch.read.items()}
    return Batch(stop - start, columns, weights, read)


def _elements(vector: Vector, ctx: BatchContext) -> Iterator[tuple[Numbers, Vector]]:
    """The elements of each row's value, with the position of the row, in batches."""
    if vector.kind == NULL:
        return
    if isinstance(vector, Constant) and type(vector.value) is list:
        yield from _same_list(vector, ctx)
        return
    if vector.kind != ANY:
        valid = valid_of(vector)
        places = np.arange(len(vector.data)) if valid is None else np.flatnonzero(valid)
        if len(places):
            yield places, vector if valid is None else vector.take(places)
        return
    for start in range(0, len(vector.data), OBJECTS_AT_ONCE):
        values = values_of(slice_of(vector, start, start + OBJECTS_AT_ONCE), ctx)
        yield from _flat(values, start, ctx)


def _flat(values: list[Any], first: int, ctx: BatchContext) -> Iterator[tuple[Numbers, Vector]]:
    size = min(ctx.batch_rows, OBJECTS_AT_ONCE)
    places: list[int] = []
    found: list[Any] = []
    for place, value in enumerate(values, first):
        if value is None:
            continue
        elements = value if type(value) is list else [value]
        at = 0
        while at < len(elements):
            some = elements[at : at + size - len(found)]
            at += len(some)
            found += some
            places += [place] * len(some)
            if len(found) == size:
                yield np.array(places), vector_of(found, ctx)
                places, found = [], []
    if found:
        yield np.array(places), vector_of(found, ctx)


def _same_list(vector: Constant, ctx: BatchContext) -> Iterator[tuple[Numbers, Vector]]:
    """Every row has the same list, which is made a vector once if it is short."""
    elements, rows = vector.value, len(vector.data)
    size = min(ctx.batch_rows, OBJECTS_AT_ONCE)
    if rows > 1 and len(elements) <= size:
        once = vector_of(elements, ctx)
        total = rows * len(elements)
        for start in range(0, total, ctx.batch_rows):
            flat = np.arange(start, min(start + ctx.batch_rows, total))
            yield flat // len(elements), once.take(flat % len(elements))
        return
    for row in range(rows):
        for start in range(0, len(elements), size):
            some = vector_of(elements[start : start + size], ctx)
            yield np.full(len(some.data), row), some


# --- Union -----------------------------------------------------------------------------------


@batch_builds(p.Union)
def _union(op: p.Union, scope: Scope) -> BatchRunner | None:
    parts: list[tuple[BatchRunner, list[tuple[int, int]]]] = []
    for part, sources in zip(op.parts, op.sources, strict=True):
        runner = build_batch(part, scope)
        if runner is None:
            return None
        parts.append((runner, list(zip(sources, op.targets, strict=True))))

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for part, pairs in parts:
            for batch in part(ctx, argument):
                origins = batch.columns[scope[-1]].data if scope else np.zeros(batch.length, int)
                found = Batch(argument.length, argument.columns).take(origins)
                columns = {target: column(batch, source) for source, target in pairs}
                yield Batch(batch.length, {**found.columns, **columns}, batch.weights)

    return run


# --- Eager -----------------------------------------------------------------------------------


@batch_builds(p.Eager)
def _eager(op: p.Eager, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            batches = []
            for batch in child(ctx, argument):
                held.add(batch_bytes(batch))
                batches.append(batch)
            yield from batches

    return run
