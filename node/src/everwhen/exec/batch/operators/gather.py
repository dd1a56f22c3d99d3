"""Expand over batches where above only the nodes reached are read: one row for each of them.

Rows of equal nodes become one whose weight is their number, over all batches at once, so that a
hop that ends in few nodes makes no row for each relationship. Where the relationship matters above
only if it leads from a node to itself (``expand``), those are rows of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from everwhen.exec.batch.core import Batch, BatchContext, BatchRunner, Scope, Weights
from everwhen.exec.batch.elements import (
    Used,
    ends_of,
    node_vector,
    nodes_in,
    relationship_vector,
)
from everwhen.exec.batch.needs import Need
from everwhen.exec.batch.nodetest import NodeTest
from everwhen.exec.batch.steps import ALL, EVERY, Step, counted, meets, steps_of, walk_between
from everwhen.exec.memory import Held
from everwhen.model.columns import GraphColumns, Mask, Rows
from everwhen.model.graph import Direction
from everwhen.query import physical as p

#: relationships walked, as a share of all nodes, from which on a number for each node pays
_WORTH: Final = 0.25
_NO_WEIGHTS: Final = np.zeros(0, np.int64)

Expanding = Callable[[Batch, BatchContext], Iterator[Batch]]


def gathering(
    op: p.Expand,
    need: Need | None,
    scope: Scope,
    child: BatchRunner,
    plainly: Expanding,
    test: NodeTest | None,
    *,
    folds: bool,
) -> BatchRunner | None:
    """A runner for an Expand of which only the nodes reached are read; None: more is.
    ``plainly`` makes the rows of a batch one by one; ``folds``: the relationship matters above
    only where it is a loop."""
    if need is None or scope or op.into or op.bound_relationship or op.target not in need.slots:
        return None
    if not need.slots <= {op.target, op.relationship}:
        return None
    split = op.relationship in need.slots
    if split and not folds:
        return None
    return _Gathering(op, need, split, child, plainly, test).run


class _Gathering:
    def __init__(
        self,
        op: p.Expand,
        need: Need,
        split: bool,
        child: BatchRunner,
        plainly: Expanding,
        test: NodeTest | None,
    ) -> None:
        self.op = op
        self.need = need
        self.split = split
        self.child = child
        self.plainly = plainly
        self.test = test

    def run(self, ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            yield from self._run(ctx, argument, held)

    def _run(self, ctx: BatchContext, argument: Batch, held: Held) -> Iterator[Batch]:
        op = self.op
        graph = ctx.graph(op.view)
        steps = steps_of(graph, op.direction, op.types)
        counts: Weights | None = None
        passing, tested = EVERY, self.test is None
        for batch in self.child(ctx, argument):
            ctx.check()
            sources = nodes_in(batch, op.source, graph, ctx)
            used = Used(batch, op.unique_with, graph)
            if not self._pays(steps, sources, used, graph):
                yield from self.plainly(batch, ctx)
                continue
            if counts is None:
                held.add(8 * graph.node_rows)
                counts = np.zeros(graph.node_rows, np.int64)
                if self.test is not None:
                    passing = self.test.mask(graph, lambda: np.full(1, graph.node_rows), ctx)
                    tested = passing is ALL or len(passing) > 0
            for loops in self._into(
                counts, steps, sources, batch.weights, used, passing, graph, ctx
            ):
                yield from self._passed(loops, tested, graph, ctx)
            self._without(counts, steps, sources, batch.weights, used, passing, graph)
        if counts is not None:
            for found in self._rows(counts, graph, ctx):
                yield from self._passed(found, tested, graph, ctx)

    def _pays(self, steps: list[Step], sources: Rows, used: Used, graph: GraphColumns) -> bool:
        if not used.countable or (used and self.op.direction is Direction.BOTH):
            return False
        total = int(counted(steps, sources, None, (), graph).sum())
        return total >= _WORTH * graph.node_rows

    def _into(
        self,
        counts: Weights,
        steps: list[Step],
        sources: Rows,
        weights: Weights | None,
        used: Used,
        passing: Mask,
        graph: GraphColumns,
        ctx: BatchContext,
    ) -> Iterator[Batch]:
        """Adds what the sources lead to; the rows of those that lead to themselves, if they are
        told apart."""
        from everwhen.kernels.gather import gather

        loops = 0
        given = _NO_WEIGHTS if weights is None else np.ascontiguousarray(weights)
        for step in steps:
            apart = step.loops and not self.split
            found = gather(step.adjacency, sources, given, passing, apart, counts)
            loops += found if self.split else 0
        if not loops:
            return
        for walked in walk_between(steps, sources, sources, ctx):
            if len(passing):
                walked = walked.those(passing[walked.others])
            free = used.free(walked.positions, walked.references)
            if free is not None:
                walked = walked.those(free)
            columns = {
                self.op.target: node_vector(walked.others, graph),
                self.op.relationship: relationship_vector(walked.references, graph),
            }
            own = None if weights is None else weights[walked.positions]
            yield Batch(len(walked.positions), columns, own)

    def _without(
        self,
        counts: Weights,
        steps: list[Step],
        sources: Rows,
        weights: Weights | None,
        used: Used,
        passing: Mask,
        graph: GraphColumns,
    ) -> None:
        """Takes off what was walked before in the same rows."""
        for number, references in enumerate(used.single):
            met = meets(steps, sources, None, references, graph, passing)
            for earlier in used.single[:number]:
                met &= earlier != references
            if not met.any():
                continue
            starts, ends = ends_of(references[met], graph)
            far = ends if self.op.direction is Direction.OUT else starts
            if self.split:  # those from a node to itself were not counted
                kept = far != sources[met]
                far, met = far[kept], np.flatnonzero(met)[kept]
            np.subtract.at(counts, far, 1 if weights is None else weights[met])

    def _rows(self, counts: Weights, graph: GraphColumns, ctx: BatchContext) -> Iterator[Batch]:
        found = np.flatnonzero(counts).astype(np.int32)
        for start in range(0, len(found), ctx.batch_rows):
            ctx.check()
            rows = found[start : start + ctx.batch_rows]
            columns = {self.op.target: node_vector(rows, graph)}
            weights = counts[rows] if self.need.bag else None
            yield Batch(len(rows), columns, weights)

    def _passed(
        self, batch: Batch, tested: bool, graph: GraphColumns, ctx: BatchContext
    ) -> Iterator[Batch]:
        """The rows whose node passes the test."""
        if self.test is not None and not tested:
            rows = batch.columns[self.op.target].data
            batch = batch.take(self.test.of(rows, graph, ctx))
        if batch.length:
            yield batch
