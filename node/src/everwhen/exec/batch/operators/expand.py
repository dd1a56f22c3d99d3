"""Expand over batches: along one relationship from bound nodes.

Where nobody above reads the far end and the relationship, rows are not made but counted: each
row's weight is multiplied by how many it would become. Where in addition only distinct rows
count, a row stays once if it would become any.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
)
from everwhen.exec.batch.distinct import once
from everwhen.exec.batch.elements import (
    Positions,
    Used,
    ends_of,
    kept,
    known_references,
    node_vector,
    nodes_in,
    relationship_vector,
)
from everwhen.exec.batch.expressions import compile_mask
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.nodetest import NodeTest, own_conditions
from everwhen.exec.batch.operators.intersect import closing
from everwhen.exec.batch.steps import EVERY, Walked, counted, steps_of, walk, walk_between
from everwhen.model.columns import (
    REFERENCE_BITS,
    GraphColumns,
    Mask,
    References,
    Vector,
)
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import conjunction, slots_of


@batch_builds(p.Expand)
def _expand(op: p.Expand, scope: Scope) -> BatchRunner | None:
    closed = closing(op, scope)
    if closed is not None:
        return closed
    need = need_of(scope, op)
    step = _Bound(op, need) if op.bound_relationship else _Expand(op, need)
    return _running(op, step, scope)


def _running(op: p.Expand, step: _Expand | _Bound, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    if child is None:
        return None

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            ctx.check()
            yield from step.of(batch, ctx)

    return run


def filtered_expand(op: p.Filter, scope: Scope) -> tuple[BatchRunner, list[b.Expression]] | None:
    """A runner for an Expand below a filter that puts to each node itself what the filter asks of
    the node reached, and the conditions that are left. None: there is no such Expand."""
    expand, need = op.child, need_of(scope, op)
    if not isinstance(expand, p.Expand) or expand.into or expand.bound_relationship or need is None:
        return None
    tests, left = own_conditions(op.predicate, expand.target)
    if not tests:
        return None
    read = frozenset[int]().union(*(slots_of(condition) for condition in left))
    mask = NodeTest(expand.target, compile_mask(conjunction(tests), scope))
    step = _Expand(expand, Need(need.slots | read, need.bag), mask)
    run = _running(expand, step, scope)
    return None if run is None else (run, left)


class _Expand:
    """One Expand, with ``into`` or without; ``test``: what must be true of the node reached."""

    def __init__(self, op: p.Expand, need: Need | None, test: NodeTest | None = None) -> None:
        self.op = op
        self.need = need
        self.test = test
        made = {op.relationship} if op.into else {op.relationship, op.target}
        #: what it makes that somebody reads
        self.made = made if need is None else made & need.slots
        self.counts = not self.made

    def of(self, batch: Batch, ctx: BatchContext) -> Iterator[Batch]:
        """The rows that a batch becomes."""
        op = self.op
        graph = ctx.graph(op.view)
        sources = nodes_in(batch, op.source, graph, ctx)
        targets = nodes_in(batch, op.target, graph, ctx) if op.into else None
        used = Used(batch, op.unique_with, graph)
        steps = steps_of(graph, op.direction, op.types)
        passing = EVERY
        if self.test is not None:
            passing = self.test.mask(graph, lambda: counted(steps, sources, None, (), graph), ctx)
        left = kept(batch, self.need)
        tested = self.test is None or len(passing) > 0
        if self.counts and used.countable and tested:
            counts = counted(steps, sources, targets, used.single, graph, passing)
            yield from multiplied(left, counts, self.need)
            return
        found = (
            walk(steps, sources, ctx, passing=passing)
            if targets is None
            else walk_between(steps, sources, targets, ctx)
        )
        for walked in found:
            free = used.free(walked.positions, walked.references)
            if free is not None:
                walked = walked.those(free)
            if self.test is not None and not tested:
                walked = walked.those(self.test.of(walked.others, graph, ctx))
            if len(walked.positions):
                yield self._made(left, walked, graph)

    def _made(self, left: Batch, walked: Walked, graph: GraphColumns) -> Batch:
        columns: dict[int, Vector] = {}
        if self.op.relationship in self.made:
            columns[self.op.relationship] = relationship_vector(walked.references, graph)
        if self.op.target in self.made:
            columns[self.op.target] = node_vector(walked.others, graph)
        return once(left.take(walked.positions).with_columns(columns), self.need)


def multiplied(batch: Batch, counts: Positions, need: Need | None) -> Iterator[Batch]:
    """Each row so many times, by weight; rows that come no time are left out."""
    some = counts > 0
    if not some.all():
        batch, counts = batch.take(some), counts[some]
    if not batch.length:
        return
    if need is not None and not need.bag:
        yield once(Batch(batch.length, batch.columns), need)
        return
    weights = counts if batch.weights is None else batch.weights * counts
    yield Batch(batch.length, batch.columns, weights)


class _Bound:
    """The relationship is known already: whether it fits, and its other end."""

    def __init__(self, op: p.Expand, need: Need | None) -> None:
        self.op = op
        self.need = need

    def of(self, batch: Batch, ctx: BatchContext) -> Iterator[Batch]:
        """The rows that a batch becomes."""
        op = self.op
        graph = ctx.graph(op.view)
        sources = nodes_in(batch, op.source, graph, ctx)
        targets = nodes_in(batch, op.target, graph, ctx) if op.into else None
        references = known_references(batch, op.relationship, graph, ctx)
        starts, ends = ends_of(references, graph)
        fits = (references >= 0) & (sources >= 0)
        fits &= _of_types(references, op.types, graph)
        free = Used(batch, op.unique_with, graph).free(np.arange(batch.length), references)
        if free is not None:
            fits &= free
        reached = np.full(batch.length, -1, np.int32)
        for step in steps_of(graph, op.direction, op.types)[::-1]:  # outgoing has the last word
            near, far = (starts, ends) if step.outgoing else (ends, starts)
            joins = (references >> REFERENCE_BITS == step.number) & (near == sources)
            if targets is not None:
                joins &= far == targets
            reached = np.where(joins, far, reached)
        fits &= reached >= 0
        left = batch if op.into else batch.with_columns({op.target: node_vector(reached, graph)})
        found = kept(left, self.need).take(fits)
        if found.length:
            yield found


def _of_types(references: References, types: tuple[str, ...] | None, graph: GraphColumns) -> Mask:
    if types is None:
        return np.ones(len(references), np.bool_)
    tables = [graph.relationships(name) for name in types]
    numbers = [table.number for table in tables if table is not None]
    return np.isin(references >> REFERENCE_BITS, numbers)
