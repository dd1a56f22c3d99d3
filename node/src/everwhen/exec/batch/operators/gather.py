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
from everwhen.exec.batch.distinct import once
from everwhen.exec.batch.elements import (
    Used,
    ends_of,
    node_vector,
    nodes_in,
    relationship_vector,
)
from everwhen.exec.batch.needs import Need
from everwhen.exec.batch.nodetest import NodeTest
from everwhen.exec.batch.steps import ALL, EVERY, counted, meets, steps_of, walk_between
from everwhen.exec.memory import Held
from everwhen.model.columns import Mask, Rows
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

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            gathered = _Gathering(op, split, test, plainly, held, ctx)
            rows = gathered.of(child(ctx, argument))
            yield from once(rows, need, scope, ctx)
            yield from gathered.rows(need.bag)

    return run


class _Gathering:
    """One run of such an Expand."""

    def __init__(
        self,
        op: p.Expand,
        split: bool,
        test: NodeTest | None,
        plainly: Expanding,
        held: Held,
        ctx: BatchContext,
    ) -> None:
        self.op = op
        #: whether relationships from a node to itself make rows of their own
        self.split = split
        self.test = test
        self.plainly = plainly
        self.held = held
        self.ctx = ctx
        self.graph = ctx.graph(op.view)
        self.steps = steps_of(self.graph, op.direction, op.types)
        #: relationships walked or to be walked, of batches so far
        self.walked = 0
        #: by node row, how often it was reached; None: it did not pay yet
        self.counts: Weights | None = None
        #: the nodes that may be reached, by row, if the test was put to all of them
        self.passing: Mask = EVERY
        self.tested = test is None

    def of(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Takes batches in; the rows of those that do not pay, and of loops that are told apart."""
        for batch in batches:
            self.ctx.check()
            sources = nodes_in(batch, self.op.source, self.graph, self.ctx)
            used = Used(batch, self.op.unique_with, self.graph)
            if not self._pays(sources, used):
                yield from self.plainly(batch, self.ctx)
                continue
            if self.counts is None:
                self._begin()
            for loops in self._take(sources, batch.weights, used):
                yield from self._passed(loops)
            self._without(sources, batch.weights, used)

    def _pays(self, sources: Rows, used: Used) -> bool:
        if not used.countable or (used and self.op.direction is Direction.BOTH):
            return False
        if self.counts is None:
            self.walked += int(counted(self.steps, sources, None, (), self.graph).sum())
        return self.walked >= _WORTH * self.graph.node_rows

    def _begin(self) -> None:
        nodes = self.graph.node_rows
        self.held.add(8 * nodes)
        self.counts = np.zeros(nodes, np.int64)
        if self.test is not None:
            self.passing = self.test.mask(self.graph, lambda: np.full(1, nodes), self.ctx)
            self.tested = self.passing is ALL or len(self.passing) > 0

    def _take(self, sources: Rows, weights: Weights | None, used: Used) -> Iterator[Batch]:
        """Counts what the sources lead to; the rows of those that lead to themselves, if they are
        told apart."""
        from everwhen.kernels.gather import gather

        assert self.counts is not None
        loops = 0
        given = _NO_WEIGHTS if weights is None else np.ascontiguousarray(weights)
        for step in self.steps:
            apart = step.loops and not self.split
            found = gather(step.adjacency, sources, given, self.passing, apart, self.counts)
            loops += found if self.split else 0
        if not loops:
            return
        for walked in walk_between(self.steps, sources, sources, self.ctx):
            if len(self.passing):
                walked = walked.those(self.passing[walked.others])
            free = used.free(walked.positions, walked.references)
            if free is not None:
                walked = walked.those(free)
            columns = {
                self.op.target: node_vector(walked.others, self.graph),
                self.op.relationship: relationship_vector(walked.references, self.graph),
            }
            own = None if weights is None else weights[walked.positions]
            yield Batch(len(walked.positions), columns, own)

    def _without(self, sources: Rows, weights: Weights | None, used: Used) -> None:
        """Takes off what was walked before in the same rows."""
        assert self.counts is not None
        for number, references in enumerate(used.single):
            met = meets(self.steps, sources, None, references, self.graph, self.passing)
            for earlier in used.single[:number]:
                met &= earlier != references
            if not met.any():
                continue
            starts, ends = ends_of(references[met], self.graph)
            far = ends if self.op.direction is Direction.OUT else starts
            if self.split:  # those from a node to itself were not counted
                kept = far != sources[met]
                far, met = far[kept], np.flatnonzero(met)[kept]
            np.subtract.at(self.counts, far, 1 if weights is None else weights[met])

    def rows(self, bag: bool) -> Iterator[Batch]:
        """A row for each node reached; ``bag``: with how often."""
        if self.counts is None:
            return
        found = np.flatnonzero(self.counts).astype(np.int32)
        for start in range(0, len(found), self.ctx.batch_rows):
            self.ctx.check()
            rows = found[start : start + self.ctx.batch_rows]
            columns = {self.op.target: node_vector(rows, self.graph)}
            weights = self.counts[rows] if bag else None
            yield from self._passed(Batch(len(rows), columns, weights))

    def _passed(self, batch: Batch) -> Iterator[Batch]:
        """The rows whose node passes the test."""
        if self.test is not None and not self.tested:
            rows = batch.columns[self.op.target].data
            batch = batch.take(self.test.of(rows, self.graph, self.ctx))
        if batch.length:
            yield batch
