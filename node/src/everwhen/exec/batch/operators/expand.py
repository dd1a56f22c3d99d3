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
    profiled,
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
from everwhen.exec.batch.operators.gather import gathering
from everwhen.exec.batch.operators.intersect import closing
from everwhen.exec.batch.steps import (
    ALL,
    EVERY,
    Step,
    Walked,
    counted,
    steps_of,
    walk,
    walk_between,
)
from everwhen.model.columns import (
    REFERENCE_BITS,
    GraphColumns,
    Mask,
    References,
    Rows,
    Vector,
)
from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import conjunction, slots_of, volatile


@batch_builds(p.Expand)
def _expand(op: p.Expand, scope: Scope) -> BatchRunner | None:
    closed = closing(op, scope)
    if closed is not None:
        return closed
    need = need_of(scope, op)
    step = _Bound(op, need) if op.bound_relationship else _Expand(op, need)
    return _running(op, step, scope)


def _running(op: p.Expand, step: _Expand | _Bound, scope: Scope) -> BatchRunner | None:
    child = _folding(op, step.need, scope) or build_batch(op.child, scope)
    if child is None:
        return None
    if isinstance(step, _Expand):
        folds = isinstance(step, _Folded)
        gathered = gathering(op, step.need, scope, child, step.of, step.test, folds=folds)
        if gathered is not None:
            return gathered

    def made(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            ctx.check()
            yield from step.of(batch, ctx)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        return once(made(ctx, argument), step.need, scope, ctx)

    return run


def _folding(op: p.Expand, need: Need | None, scope: Scope) -> BatchRunner | None:
    """A runner for the Expand before one that alone reads its relationship, to be another one, and
    that could meet it again only if it is a loop. None: it is not so."""
    top = before = op.child
    if isinstance(before, p.Filter):
        before = before.child
    if need is None or not isinstance(before, p.Expand) or before.into or before.bound_relationship:
        return None
    onward = op.source == before.target and op.direction is before.direction
    beside = op.source == before.source and op.direction is before.direction.reverse
    if (
        before.direction is Direction.BOTH
        or before.view != op.view
        or not (onward or beside)
        or before.relationship not in op.unique_with
        or before.relationship in need.slots
    ):
        return None
    test = None
    if isinstance(top, p.Filter):
        tests, left = own_conditions(top.predicate, before.target)
        if left:
            return None
        test = NodeTest(before.target, compile_mask(conjunction(tests), scope))
    run = _running(before, _Folded(before, need_of(scope, top), test), scope)
    if run is None:
        return None
    run = profiled(before, run)
    return run if top is before else profiled(top, run)


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
    bag = need.bag or volatile(*left)
    step = _Expand(expand, Need(need.slots | read, bag), mask)
    run = _running(expand, step, scope)
    return None if run is None else (profiled(expand, run), left)


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
        left = kept(batch, self.need)
        if self.counts:
            targets = nodes_in(batch, op.target, graph, ctx) if op.into else None
            used = Used(batch, op.unique_with, graph)
            steps = steps_of(graph, op.direction, op.types)
            passing = self._passing(steps, sources, graph, ctx)
            if used.countable and self._tested(passing):
                counts = counted(steps, sources, targets, used.single, graph, passing)
                yield from multiplied(left, counts, self.need)
                return
        for walked in self._walked(batch, sources, graph, ctx):
            yield self._made(left, walked, graph)

    def _passing(
        self, steps: list[Step], sources: Rows, graph: GraphColumns, ctx: BatchContext
    ) -> Mask:
        """The nodes that may be reached, by row, if they were worth finding."""
        if self.test is None:
            return EVERY
        return self.test.mask(graph, lambda: counted(steps, sources, None, (), graph), ctx)

    def _tested(self, passing: Mask) -> bool:
        return self.test is None or passing is ALL or len(passing) > 0

    def _walked(
        self, batch: Batch, sources: Rows, graph: GraphColumns, ctx: BatchContext
    ) -> Iterator[Walked]:
        """The relationships each row goes over."""
        op = self.op
        steps = steps_of(graph, op.direction, op.types)
        used = Used(batch, op.unique_with, graph)
        passing = self._passing(steps, sources, graph, ctx)
        if op.into:
            targets = nodes_in(batch, op.target, graph, ctx)
            found = walk_between(steps, sources, targets, ctx)
        else:
            found = walk(steps, sources, ctx, passing=passing)
        for walked in found:
            free = used.free(walked.positions, walked.references)
            if free is not None:
                walked = walked.those(free)
            if self.test is not None and not self._tested(passing):
                walked = walked.those(self.test.of(walked.others, graph, ctx))
            if len(walked.positions):
                yield walked

    def _made(self, left: Batch, walked: Walked, graph: GraphColumns) -> Batch:
        columns: dict[int, Vector] = {}
        if self.op.relationship in self.made:
            columns[self.op.relationship] = relationship_vector(walked.references, graph)
        if self.op.target in self.made:
            columns[self.op.target] = node_vector(walked.others, graph)
        return left.take(walked.positions).with_columns(columns)


class _Folded(_Expand):
    """An Expand whose relationship matters above only where it is a loop: all others are alike, so
    that their rows are counted, or gathered into one for each node reached (``gather``)."""

    def of(self, batch: Batch, ctx: BatchContext) -> Iterator[Batch]:
        op, slot = self.op, self.op.relationship
        graph = ctx.graph(op.view)
        if op.target not in self.made:
            yield from self._beside(batch, graph, ctx)
            return
        sources = nodes_in(batch, op.source, graph, ctx)
        left = kept(batch, self.need)
        for walked in self._walked(batch, sources, graph, ctx):
            loops = walked.others == sources[walked.positions]
            if loops.any():
                yield self._made(left, walked.those(loops), graph)
                walked = walked.those(~loops)
            if not len(walked.positions):
                continue
            made = self._made(left, walked, graph)
            columns = {key: column for key, column in made.columns.items() if key != slot}
            yield Batch(made.length, columns, made.weights)

    def _beside(self, batch: Batch, graph: GraphColumns, ctx: BatchContext) -> Iterator[Batch]:
        """Rows without the node reached: how often each comes, and loops by themselves."""
        op = self.op
        sources = nodes_in(batch, op.source, graph, ctx)
        used = Used(batch, op.unique_with, graph)
        steps = steps_of(graph, op.direction, op.types)
        passing = self._passing(steps, sources, graph, ctx)
        if not used.countable or not self._tested(passing):
            yield from super().of(batch, ctx)
            return
        counts = counted(steps, sources, None, used.single, graph, passing)
        left = kept(batch, self.need)
        for walked in walk_between(steps, sources, sources, ctx):
            keep = used.free(walked.positions, walked.references)
            if len(passing):
                passed = passing[walked.others]
                keep = passed if keep is None else keep & passed
            loops = walked if keep is None else walked.those(keep)
            counts -= np.bincount(loops.positions, minlength=batch.length)
            if len(loops.positions):
                yield self._made(left, loops, graph)
        yield from multiplied(left, counts, self.need)


def multiplied(batch: Batch, counts: Positions, need: Need | None) -> Iterator[Batch]:
    """Each row so many times, by weight; rows that come no time are left out."""
    some = counts > 0
    if not some.all():
        batch, counts = batch.take(some), counts[some]
    if not batch.length:
        return
    if need is not None and not need.bag:
        yield Batch(batch.length, batch.columns)
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
