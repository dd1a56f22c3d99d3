"""A cycle closed: a step from one node and the step from there to another, run as one.

``(b)-->(c)`` followed by ``(c)-->(a)`` into a bound ``a`` makes first all neighbours of ``b`` and
then drops nearly all of them. Together they are the intersection of two lists: each neighbour of
``b`` that is one of ``a`` as well, with how many relationships lead to it from there. Filters in
between are put to what is left. Both relationships must be read by nobody above; that they and
those walked before are not the same is seen to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    build_batch,
    profiled,
)
from everwhen.exec.batch.distinct import once
from everwhen.exec.batch.elements import ends_of, kept, known_references, node_vector, nodes_in
from everwhen.exec.batch.filtering import filtered
from everwhen.exec.batch.needs import Need, need_of
from everwhen.exec.batch.steps import Step, steps_of
from everwhen.model.columns import REFERENCE_BITS, GraphColumns, References, Rows
from everwhen.model.graph import Direction
from everwhen.query import physical as p
from everwhen.query.traverse import slots_of, volatile

#: lists that lead from the anchor at most
_LISTS = 2


def closing(op: p.Expand, scope: Scope) -> BatchRunner | None:
    """A runner for an Expand into a bound node and the Expand before it; None: they are not such
    a pair, or one of their relationships is read above."""
    filters: list[p.Filter] = []
    hop = op.child
    while isinstance(hop, p.Filter):
        filters.append(hop)
        hop = hop.child
    need = need_of(scope, op)
    if need is None or not isinstance(hop, p.Expand) or not _closes(op, hop, need):
        return None
    asked = [each.predicate for each in filters]
    if any(hop.relationship in slots_of(one) or volatile(one) for one in asked):
        return None
    child = build_batch(hop.child, scope)
    if child is None:
        return None
    read = frozenset[int]().union(*(slots_of(each.predicate) for each in filters))
    kept_until = Need(need.slots | read, need.bag)
    close = _Close(op, hop, kept_until, need)

    def met(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        for batch in child(ctx, argument):
            yield from close.of(batch, ctx)

    closed = profiled(hop, met)
    for each in reversed(filters):
        closed = profiled(each, filtered(closed, each.predicate, scope))

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        found = (kept(batch, need) for batch in closed(ctx, argument))
        return once(found, need, scope, ctx)

    return run


def _closes(op: p.Expand, hop: p.Expand, need: Need) -> bool:
    ends = {op.source, op.target}
    return (
        op.into
        and not op.bound_relationship
        and not hop.into
        and not hop.bound_relationship
        and op.view == hop.view
        and hop.target in ends
        and len(ends) == 2
        and not need.slots & {op.relationship, hop.relationship}
        and op.types is not None
        and len(set(op.types)) * (2 if op.direction is Direction.BOTH else 1) <= _LISTS
    )


@dataclass(slots=True)
class _Close:
    """The pair: ``hop`` reaches a node from which ``op`` leads to the anchor."""

    op: p.Expand
    hop: p.Expand
    #: what filters and those above read
    until: Need
    need: Need

    @property
    def anchor(self) -> int:
        """The slot of the node the cycle closes at."""
        return self.op.source if self.op.target == self.hop.target else self.op.target

    @property
    def counts(self) -> bool:
        """Whether nobody reads the node that was met."""
        return self.hop.target not in self.until.slots

    def of(self, batch: Batch, ctx: BatchContext) -> Iterator[Batch]:
        """The rows that a batch becomes."""
        op, hop = self.op, self.hop
        graph = ctx.graph(op.view)
        sources = nodes_in(batch, hop.source, graph, ctx)
        anchors = nodes_in(batch, self.anchor, graph, ctx)
        direction = op.direction if self.anchor == op.source else op.direction.reverse
        lists = steps_of(graph, direction, op.types)
        before = [known_references(batch, slot, graph, ctx) for slot in hop.unique_with]
        apart = [
            known_references(batch, slot, graph, ctx)
            for slot in op.unique_with
            if slot != hop.relationship
        ]
        rows = (
            sources,
            anchors,
            np.array(before, np.int64).reshape(len(before), batch.length),
            _far_ends(lists, anchors, apart, graph),
        )
        left = kept(batch, self.until)
        alike = hop.relationship in op.unique_with
        total = np.zeros(batch.length, np.int64) if self.counts else None
        for step in steps_of(graph, hop.direction, hop.types):
            for positions, others, counts in _met(step, lists, rows, alike, graph, ctx):
                if total is not None:
                    np.add.at(total, positions, counts)
                    continue
                made = left.take(positions)
                weights = counts if made.weights is None else made.weights * counts
                columns = {**made.columns, hop.target: node_vector(others, graph)}
                yield Batch(made.length, columns, weights)
        if total is not None:
            some = np.flatnonzero(total)
            if not len(some):
                return
            made = left.take(some)
            weights = total[some] if made.weights is None else made.weights * total[some]
            yield Batch(made.length, made.columns, weights)


def _met(
    step: Step,
    lists: list[Step],
    rows: tuple[Any, ...],
    alike: bool,
    graph: GraphColumns,
    ctx: BatchContext,
) -> Iterator[tuple[Any, Rows, Any]]:
    """What the kernel finds, a batch at a time."""
    from everwhen.kernels.expand import NOT_BEGUN
    from everwhen.kernels.intersect import NOTHING, meet

    if not lists:
        return
    anchored = [each.adjacency for each in lists] + [NOTHING] * (_LISTS - len(lists))
    loops = np.array([each.loops for each in lists] + [False] * (_LISTS - len(lists)), np.int64)
    repeats = _repeats(step, lists) if alike else np.zeros(4, np.int64)
    marks = np.zeros(graph.node_rows, np.int32)
    state = np.array([0, -1, NOT_BEGUN, -1], np.int64)
    room = ctx.batch_rows
    while state[0] < len(rows[0]):
        ctx.check()
        found = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int64)
        count = meet(
            (*anchored, loops),
            repeats,
            step.adjacency,
            step.loops,
            step.prefix,
            rows,
            state,
            marks,
            found,
        )
        if count:
            yield found[0][:count], found[1][:count], found[2][:count]


def _repeats(step: Step, lists: list[Step]) -> Any:
    """How often a relationship walked from a node is met again from the same node: one to another
    node in the list of its own direction, a loop in every list that has loops."""
    same = [each for each in lists if each.number == step.number]
    beside = sum(each.outgoing == step.outgoing for each in same)
    return np.array([beside, sum(each.loops for each in same), 0, 0], np.int64)


def _far_ends(
    lists: list[Step], anchors: Rows, apart: list[References], graph: GraphColumns
) -> Any:
    """Where relationships that were walked before lead to from the anchor; -1: not from there, or
    the same one stood before it."""
    found = np.full((len(apart), len(anchors)), -1, np.int32)
    for number, references in enumerate(apart):
        starts, ends = ends_of(references, graph)
        for step in lists:
            near, far = (starts, ends) if step.outgoing else (ends, starts)
            here = (references >> REFERENCE_BITS == step.number) & (near == anchors) & (near >= 0)
            found[number] = np.where(here, far, found[number])
        for earlier in apart[:number]:
            found[number][earlier == references] = -1
    return found
