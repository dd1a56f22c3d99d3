"""Slots, and looking into what they hold; lists and maps built of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import everwhen.model.values as v
from everwhen.exec.batch.core import Batch, BatchContext, Scope, VectorEvaluator
from everwhen.exec.batch.expressions.core import compile_vector, elementwise, vectorizes
from everwhen.exec.batch.values import by_table, constant
from everwhen.exec.batch.vectors import Run, column, nulls, spread
from everwhen.model.columns import NODE, NULL, RELATIONSHIP, Vector
from everwhen.query import bound as b


@vectorizes(b.Slot)
def _slot(e: b.Slot, scope: Scope) -> VectorEvaluator:
    index = e.index
    return lambda batch, ctx: column(batch, index)


@vectorizes(b.Property)
def _property(e: b.Property, scope: Scope) -> VectorEvaluator:
    subject, key = compile_vector(e.subject, scope), e.key
    if type(e.subject) is b.Slot:
        place = e.subject.index, key

        def of_slot(batch: Batch, ctx: BatchContext) -> Vector:
            found = batch.read.get(place)
            if found is None:
                found = batch.read[place] = property_of(subject(batch, ctx), key, ctx)
            return found

        return of_slot

    def run(batch: Batch, ctx: BatchContext) -> Vector:
        return property_of(subject(batch, ctx), key, ctx)

    return run


def property_of(subject: Vector, key: str, ctx: BatchContext) -> Vector:
    """``subject.key`` in every row."""
    kind, valid = subject.kind, subject.valid
    if kind == NULL:
        return nulls(len(subject.data))
    if kind not in (NODE, RELATIONSHIP):
        return elementwise(lambda value: v.get_property(value, key), [subject], ctx)
    if valid is not None and not valid.all():
        places = np.flatnonzero(valid)
        found = property_of(subject.take(places), key, ctx)
        return spread([(places, found)], len(valid), ctx)
    graph = subject.graph
    assert graph is not None
    if kind == NODE:
        return graph.node_values(key, subject.rows if isinstance(subject, Run) else subject.data)
    parts = [
        (places, table.values(key, rows)) for places, table, rows in by_table(graph, subject.data)
    ]
    return parts[0][1] if len(parts) == 1 else spread(parts, len(subject.data), ctx)


@vectorizes(b.Subscript)
def _subscript(e: b.Subscript, scope: Scope) -> VectorEvaluator:
    subject, index = compile_vector(e.subject, scope), compile_vector(e.index, scope)
    return lambda batch, ctx: elementwise(
        v.subscript, [subject(batch, ctx), index(batch, ctx)], ctx
    )


@vectorizes(b.Slice)
def _slice(e: b.Slice, scope: Scope) -> VectorEvaluator:
    parts = [
        compile_vector(b.Literal(bound) if part is None else part, scope)
        for part, bound in ((e.subject, None), (e.lower, 0), (e.upper, v.INT_MAX))
    ]
    return lambda batch, ctx: elementwise(v.slice_list, [part(batch, ctx) for part in parts], ctx)


@vectorizes(b.ListLiteral)
def _list(e: b.ListLiteral, scope: Scope) -> VectorEvaluator:
    return _built([compile_vector(item, scope) for item in e.items], lambda *values: [*values])


@vectorizes(b.MapLiteral)
def _map(e: b.MapLiteral, scope: Scope) -> VectorEvaluator:
    keys = [key for key, _ in e.items]
    items = [compile_vector(item, scope) for _, item in e.items]
    return _built(items, lambda *values: dict(zip(keys, values, strict=True)))


def _built(items: list[VectorEvaluator], build: Any) -> VectorEvaluator:
    def run(batch: Batch, ctx: BatchContext) -> Vector:
        if not items:
            return constant(build(), batch.length, ctx)
        return elementwise(build, [item(batch, ctx) for item in items], ctx)

    return run
