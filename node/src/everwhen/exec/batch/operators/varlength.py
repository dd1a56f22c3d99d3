"""Variable length expand over batches: all walks of one length that a batch of walks becomes.

Walks go level by level, but a batch of longer walks is followed to its end before its neighbour:
what is held is bounded by the depth, not by the number of walks. Where only the nodes reached
count and each counts once, it is a breadth first search instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from everwhen.exec.batch.bridge import over_rows
from everwhen.exec.batch.core import (
    OBJECTS_AT_ONCE,
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    Weights,
    batch_builds,
    build_batch,
)
from everwhen.exec.batch.distinct import once
from everwhen.exec.batch.elements import (
    Positions,
    Used,
    kept,
    node_vector,
    nodes_in,
    relationship_vector,
    there,
)
from everwhen.exec.batch.expressions import compile_mask
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.reach import reached_from
from everwhen.exec.batch.steps import Step, Walked, counted, steps_of, walk, walk_between
from everwhen.exec.batch.walks import Walks, lists_of
from everwhen.exec.memory import Held
from everwhen.model.columns import GraphColumns, Mask, Rows, Vector
from everwhen.model.graph import Direction
from everwhen.query import physical as p


class Level(NamedTuple):
    """Walks of one length: the row each belongs to, where it is, what it went over."""

    positions: Positions
    nodes: Rows
    walks: Walks
    #: how many walks each stands for; None: one
    weights: Weights | None = None

    @property
    def length(self) -> int:
        return int(self.walks.shape[1])


@batch_builds(p.VarExpand)
def _var_expand(op: p.VarExpand, scope: Scope) -> BatchRunner | None:
    if op.bound_relationship:
        return over_rows(op, () if op.into else (op.target,), scope)
    child = build_batch(op.child, scope)
    if child is None:
        return None
    expand = _VarExpand(op, need_of(scope, op), scope)

    def made(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            ctx.check()
            if batch.length:
                yield from expand.of(batch, ctx)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        return once(made(ctx, argument), expand.need, scope, ctx)

    return run


class _VarExpand:
    """One VarExpand whose list is not bound yet."""

    def __init__(self, op: p.VarExpand, need: Need | None, scope: Scope) -> None:
        self.op = op
        self.need = need
        self.lists = need is None or op.relationship in need.slots
        self.target = not op.into and (need is None or op.target in need.slots)
        self.test = None if op.predicate is None else compile_mask(op.predicate, scope)
        self.once = need is not None and not need.bag and not self.lists

    def of(self, batch: Batch, ctx: BatchContext) -> Iterator[Batch]:
        """The rows that a batch becomes."""
        op = self.op
        graph = ctx.graph(op.view)
        sources = nodes_in(batch, op.source, graph, ctx)
        targets = nodes_in(batch, op.target, graph, ctx) if op.into else None
        search = _Search(self, batch, graph, targets, ctx)
        left = kept(batch, self.need)
        exists = there(sources, graph)
        if targets is not None:
            exists &= targets >= 0
        start = np.flatnonzero(exists)
        if self._reaches(search):
            found = search.reached(start, sources[start])
        else:
            found = search.levels(Level(start, sources[start], np.empty((len(start), 0), np.int64)))
        for level in found:
            if targets is not None:
                level = _those(level, level.nodes == targets[level.positions])
            if len(level.positions):
                yield from self._made(left, level, graph, ctx)

    def _reaches(self, search: _Search) -> bool:
        """Whether a walk to each node is as good as all of them: the shortest one repeats no
        relationship. (Back to its start without a direction, it might.)"""
        op = self.op
        directed = op.minimum == 0 or (op.minimum == 1 and op.direction is not Direction.BOTH)
        return self.once and not search.used and self.test is None and directed

    def _made(
        self, left: Batch, level: Level, graph: GraphColumns, ctx: BatchContext
    ) -> Iterator[Batch]:
        made = left.take(level.positions)
        if level.weights is not None:
            weights = level.weights if made.weights is None else made.weights * level.weights
            made = Batch(made.length, made.columns, weights)
        if self.target:
            made = made.with_columns({self.op.target: node_vector(level.nodes, graph)})
        if not self.lists:
            yield made
            return
        walks = level.walks[:, ::-1] if self.op.reverse_list else level.walks
        size = max(1, OBJECTS_AT_ONCE // (level.length + 1))
        for start in range(0, made.length, size):
            some = np.arange(start, min(start + size, made.length))
            lists = lists_of(walks[some], graph, ctx)
            yield made.take(some).with_columns({self.op.relationship: lists})


class _Search:
    """The walks of one batch."""

    def __init__(
        self,
        expand: _VarExpand,
        batch: Batch,
        graph: GraphColumns,
        targets: Rows | None,
        ctx: BatchContext,
    ) -> None:
        op = expand.op
        self.op, self.test, self.ctx = op, expand.test, ctx
        self.batch, self.graph, self.targets = batch, graph, targets
        self.steps: list[Step] = steps_of(graph, op.direction, op.types)
        self.used = Used(batch, op.unique_with, graph)
        self.counts_last = (
            not expand.lists and not expand.target and self.test is None and self.used.countable
        )

    def reached(self, positions: Positions, sources: Rows) -> Iterator[Level]:
        """The nodes at the ends of all walks, each once for its start."""
        lengths, size = (self.op.minimum, self.op.maximum), self.graph.node_rows
        for rows, nodes in reached_from(self.steps, positions, sources, lengths, size, self.ctx):
            yield Level(rows, nodes, np.empty((len(rows), 0), np.int64))

    def levels(self, start: Level) -> Iterator[Level]:
        """All walks of allowed lengths, in pieces of one length each."""
        op = self.op
        if op.minimum == 0:
            yield start
        if op.maximum == 0 or not len(start.positions):
            return
        stack = [self._longer(start)]
        sizes = [0]
        with Held(self.ctx.rows.memory) as held:
            while stack:
                self.ctx.check()
                level = next(stack[-1], None)
                if level is None:
                    stack.pop()
                    held.add(-sizes.pop())
                    continue
                if level.length >= op.minimum:
                    yield level
                if level.weights is None and (op.maximum is None or level.length < op.maximum):
                    sizes.append(level.walks.nbytes + 16 * len(level.positions))
                    held.add(sizes[-1])
                    stack.append(self._longer(level))

    def _longer(self, level: Level) -> Iterator[Level]:
        """Every walk of a level, one step on."""
        last = level.length + 1 == self.op.maximum
        if last and self.counts_last:
            yield from self._counted(level)
            return
        if last and self.targets is not None:
            targets = self.targets[level.positions]
            found = walk_between(self.steps, level.nodes, targets, self.ctx)
        else:
            room = max(1, self.ctx.batch_rows // (level.length + 1))
            found = walk(self.steps, level.nodes, self.ctx, room)
        for walked in found:
            positions = level.positions[walked.positions]
            free = self._free(level, walked, positions)
            if free is not None:
                walked, positions = walked.those(free), positions[free]
            if self.test is not None:
                passed = self._passes(walked, positions)
                walked, positions = walked.those(passed), positions[passed]
            if len(positions):
                walks = np.column_stack((level.walks[walked.positions], walked.references))
                yield Level(positions, walked.others, walks)

    def _counted(self, level: Level) -> Iterator[Level]:
        """The last step, whose ends nobody looks at."""
        targets = None if self.targets is None else self.targets[level.positions]
        used = [level.walks[:, at] for at in range(level.length)]
        used += [single[level.positions] for single in self.used.single]
        counts = counted(self.steps, level.nodes, targets, used, self.graph)
        some = counts > 0
        if some.any():
            ends = level.nodes if targets is None else targets
            walks = np.empty((int(some.sum()), level.length + 1), np.int64)
            yield Level(level.positions[some], ends[some], walks, counts[some])

    def _free(self, level: Level, walked: Walked, positions: Positions) -> Mask | None:
        """Which steps go over a relationship that the walk has not gone over."""
        mask = self.used.free(positions, walked.references)
        if level.length:
            before = level.walks[walked.positions]
            fresh: Mask = (before != walked.references[:, None]).all(axis=1)
            mask = fresh if mask is None else mask & fresh
        return mask

    def _passes(self, walked: Walked, positions: Positions) -> Mask:
        op, columns = self.op, dict[int, Vector]()
        if op.step_relationship is not None:
            references = walked.references
            columns[op.step_relationship] = relationship_vector(references, self.graph)
        if op.step_node is not None:
            columns[op.step_node] = node_vector(walked.others, self.graph)
        assert self.test is not None
        batch = Batch(self.batch.length, self.batch.columns)
        return self.test(batch.take(positions).with_columns(columns), self.ctx)


def _those(level: Level, chosen: Mask) -> Level:
    weights = None if level.weights is None else level.weights[chosen]
    return Level(level.positions[chosen], level.nodes[chosen], level.walks[chosen], weights)
