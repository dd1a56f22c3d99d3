"""Scans and seeks: rows of nodes and relationships out of nothing but the argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

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
)
from everwhen.exec.batch.elements import Positions, Used, kept, node_vector, relationship_vector
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.values import pieces, rows_of
from everwhen.exec.batch.vectors import nodes_of
from everwhen.exec.expressions import compile_expression
from everwhen.exec.operators.scan import index_ids, literal_ids
from everwhen.model.columns import INT, REFERENCE_BITS, GraphColumns, References, Rows, Vector
from everwhen.model.graph import Direction
from everwhen.query import physical as p
from everwhen.query.traverse import slots_of

#: (relationships, nodes on the left, nodes on the right)
Triple = tuple[References, Rows, Rows]


@batch_builds(p.Argument)
def _argument(op: p.Argument, scope: Scope) -> BatchRunner:
    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        yield argument

    return run


@batch_builds(p.BindView)
def _bind_view(op: p.BindView, scope: Scope) -> BatchRunner | None:
    """The moment does not depend on the row, and was resolved before the plan began."""
    if op.end is not None or slots_of(op.expression):
        return None
    return build_batch(op.child, scope)


def crossed(length: int, count: int, ctx: BatchContext) -> Iterator[tuple[Positions, Positions]]:
    """Each of some rows with each of ``count`` things, in pieces: numbers of both."""
    total, size = length * count, ctx.batch_rows
    for start in range(0, total, size):
        ctx.check()
        pairs = np.arange(start, min(start + size, total))
        yield pairs // count, pairs % count


# --- nodes -----------------------------------------------------------------------------------


def _node_scan(op: Any, scope: Scope, nodes: Callable[[GraphColumns], Rows]) -> BatchRunner | None:
    child, need, slot, view = build_batch(op.child, scope), need_of(scope, op), op.slot, op.view
    if child is None:
        return None

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        graph = ctx.graph(view)
        rows = nodes(graph)
        for batch in child(ctx, argument):
            left = kept(batch, need)
            if need is not None and slot not in need.slots:
                yield from _times(left, len(rows))
                continue
            for made, some in _each(left, rows, ctx):
                yield made.with_columns({slot: nodes_of(some, graph)})

    return run


def _each(left: Batch, rows: Rows, ctx: BatchContext) -> Iterator[tuple[Batch, Rows]]:
    """Each row of a batch with each node, in pieces; of one row as the nodes stand."""
    if left.length != 1:
        for positions, things in crossed(left.length, len(rows), ctx):
            yield left.take(positions), rows[things]
        return
    for start in range(0, len(rows), ctx.batch_rows):
        ctx.check()
        some = rows[start : start + ctx.batch_rows]
        yield left.take(np.zeros(len(some), np.int64)), some


def _times(batch: Batch, count: int) -> Iterator[Batch]:
    """Each row so many times, by weight."""
    if count and batch.length:
        weights = np.full(batch.length, count) if batch.weights is None else batch.weights * count
        yield Batch(batch.length, batch.columns, weights)


@batch_builds(p.AllNodesScan)
def _all_nodes(op: p.AllNodesScan, scope: Scope) -> BatchRunner | None:
    return _node_scan(op, scope, lambda graph: graph.nodes())


@batch_builds(p.LabelScan)
def _label_scan(op: p.LabelScan, scope: Scope) -> BatchRunner | None:
    label = op.label
    return _node_scan(op, scope, lambda graph: graph.labelled(label))


@batch_builds(p.NodeCount)
def _node_count(op: p.NodeCount, scope: Scope) -> BatchRunner | None:
    child, slots, label, view = build_batch(op.child, scope), op.slots, op.label, op.view
    if child is None:
        return None

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        graph = ctx.graph(view)
        nodes = graph.nodes() if label is None else graph.labelled(label)
        times = np.zeros(argument.length, np.int64)
        for batch in child(ctx, argument):
            weights = np.ones(batch.length, np.int64) if batch.weights is None else batch.weights
            if scope:
                np.add.at(times, batch.columns[scope[-1]].data, weights)
            else:
                times += weights.sum()
        count = Vector(INT, times * len(nodes))
        yield argument.with_columns(dict.fromkeys(slots, count))

    return run


def _by_row(
    child: BatchRunner,
    ids: Callable[[list[Any], BatchContext], Iterator[int]],
    emit: Callable[[Batch, npt.NDArray[np.int64], BatchContext], Batch],
) -> BatchRunner:
    """Ids found for each row by itself, made to rows together, some hundreds at a time."""

    def pairs(batch: Batch, ctx: BatchContext) -> Iterator[tuple[int, int]]:
        for position, row in enumerate(rows_of(batch, ctx)):
            for identity in ids(row, ctx):
                yield position, identity

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        size = min(ctx.batch_rows, OBJECTS_AT_ONCE)
        for whole in child(ctx, argument):
            for start in range(0, whole.length, size):
                batch = whole.take(np.arange(start, min(start + size, whole.length)))
                found = pairs(batch, ctx)
                while some := list(islice(found, size)):
                    ctx.check()
                    positions, numbers = np.array(some, np.int64).T
                    made = emit(batch.take(positions), numbers, ctx)
                    yield from pieces(made, ctx.batch_rows)

    return run


def _nodes_by_id(slot: int, view: int | None, need: Need | None) -> Any:
    def emit(batch: Batch, ids: npt.NDArray[np.int64], ctx: BatchContext) -> Batch:
        graph = ctx.graph(view)
        rows = graph.node_rows_of(ids)
        found = kept(batch, need).with_columns({slot: node_vector(rows, graph)})
        return found.take(rows >= 0)

    return emit


@batch_builds(p.NodeByIdSeek)
def _node_by_id(op: p.NodeByIdSeek, scope: Scope) -> BatchRunner | None:
    child, evaluate, element = build_batch(op.child, scope), compile_expression(op.ids), op.element
    if child is None:
        return None

    def ids(row: list[Any], ctx: BatchContext) -> Iterator[int]:
        return literal_ids(evaluate(row, ctx.rows), element, "4:neo4j")

    return _by_row(child, ids, _nodes_by_id(op.slot, op.view, need_of(scope, op)))


# --- relationships ---------------------------------------------------------------------------


def both_ways(triple: Triple, direction: Direction) -> Triple:
    """Relationships found without a starting node, as a pattern's direction meets them."""
    references, starts, ends = triple
    if direction is Direction.OUT:
        return triple
    if direction is Direction.IN:
        return references, ends, starts
    turned = starts != ends
    return (
        np.concatenate((references, references[turned])),
        np.concatenate((starts, ends[turned])),
        np.concatenate((ends, starts[turned])),
    )


def _relationships_by_id(op: Any, need: Need | None) -> Any:
    slot, start, end, direction, view = op.slot, op.start, op.end, op.direction, op.view

    def emit(batch: Batch, ids: npt.NDArray[np.int64], ctx: BatchContext) -> Batch:
        graph = ctx.graph(view)
        references = np.full(len(ids), -1, np.int64)
        starts, ends = np.full((2, len(ids)), -1, np.int32)
        for name in graph.types():
            table = graph.relationships(name)
            assert table is not None
            rows = table.rows_of(ids)
            here = rows >= 0
            references[here] = rows[here].astype(np.int64) | (table.number << REFERENCE_BITS)
            starts[here], ends[here] = table.ends(rows[here])
        places = np.flatnonzero(references >= 0)
        triple = references[places], starts[places], ends[places]
        if direction is Direction.BOTH:
            places = np.concatenate((places, places[triple[1] != triple[2]]))
        found, left, right = both_ways(triple, direction)
        return (
            kept(batch, need)
            .take(places)
            .with_columns(
                {
                    slot: relationship_vector(found, graph),
                    start: node_vector(left, graph),
                    end: node_vector(right, graph),
                }
            )
        )

    return emit


@batch_builds(p.RelationshipByIdSeek)
def _relationship_by_id(op: p.RelationshipByIdSeek, scope: Scope) -> BatchRunner | None:
    child, evaluate, element = build_batch(op.child, scope), compile_expression(op.ids), op.element
    if child is None:
        return None

    def ids(row: list[Any], ctx: BatchContext) -> Iterator[int]:
        return literal_ids(evaluate(row, ctx.rows), element, "5:neo4j")

    return _by_row(child, ids, _relationships_by_id(op, need_of(scope, op)))


@batch_builds(p.IndexSeek)
def _index_seek(op: p.IndexSeek, scope: Scope) -> BatchRunner | None:
    child, found, view, need = (
        build_batch(op.child, scope),
        index_ids(op),
        op.view,
        need_of(scope, op),
    )
    if child is None:
        return None

    def ids(row: list[Any], ctx: BatchContext) -> Iterator[int]:
        return found(row, ctx.rows, ctx.view_of(ctx.graph(view)))

    if op.entity == "NODE":
        return _by_row(child, ids, _nodes_by_id(op.slot, view, need))
    return _by_row(child, ids, _relationships_by_id(op, need))


@batch_builds(p.RelationshipScan)
def _relationship_scan(op: p.RelationshipScan, scope: Scope) -> BatchRunner | None:
    child, need = build_batch(op.child, scope), need_of(scope, op)
    slot, start, end, direction = op.slot, op.start, op.end, op.direction
    if child is None:
        return None

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        graph = ctx.graph(op.view)
        for batch in child(ctx, argument):
            used = Used(batch, op.unique_with, graph)
            left = kept(batch, need)
            if not used and need is not None and not need.slots & {slot, start, end}:
                yield from _times(left, _how_many(graph, op.types, direction))
                continue
            for triple in _all_relationships(graph, op.types, ctx):
                references, lefts, rights = both_ways(triple, direction)
                for positions, things in crossed(batch.length, len(references), ctx):
                    made = left.take(positions).with_columns(
                        {
                            slot: relationship_vector(references[things], graph),
                            start: node_vector(lefts[things], graph),
                            end: node_vector(rights[things], graph),
                        }
                    )
                    free = used.free(positions, references[things])
                    yield made if free is None else made.take(free)

    return run


def _all_relationships(
    graph: GraphColumns, types: tuple[str, ...] | None, ctx: BatchContext
) -> Iterator[Triple]:
    """All relationships of some types, in pieces."""
    for name in graph.types() if types is None else dict.fromkeys(types):
        table = graph.relationships(name)
        if table is None:
            continue
        rows = table.rows()
        for at in range(0, len(rows), ctx.batch_rows):
            some = rows[at : at + ctx.batch_rows]
            prefix = np.int64(table.number << REFERENCE_BITS)
            yield some.astype(np.int64) | prefix, *table.ends(some)


def _how_many(graph: GraphColumns, types: tuple[str, ...] | None, direction: Direction) -> int:
    total = 0
    for name in graph.types() if types is None else dict.fromkeys(types):
        table = graph.relationships(name)
        if table is not None:
            total += table.count()
            if direction is Direction.BOTH:
                starts, ends = table.ends(table.rows())
                total += int((starts != ends).sum())
    return total
