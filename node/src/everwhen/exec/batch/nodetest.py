"""Conditions on nodes alone, put to every node at once where many would be asked for one by one.

So they can be handed sideways, as a mask by node row, to whoever would make rows of nodes only to
have most of them dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from everwhen.exec.batch.core import OF_VALUES, Batch, BatchContext, Weights
from everwhen.exec.batch.elements import node_vector
from everwhen.exec.batch.expressions.core import repeatable
from everwhen.exec.batch.expressions.totality import is_total
from everwhen.exec.batch.steps import ALL, EVERY
from everwhen.model.columns import GraphColumns, Mask, Rows
from everwhen.query import bound as b
from everwhen.query.traverse import conjuncts, slots_of

#: all nodes are asked if so many times as many would be asked for otherwise
_WORTH: Final = 0.5

MaskEvaluator = Callable[[Batch, BatchContext], Mask]


class NodeTest:
    """A condition on the node in one slot."""

    def __init__(self, slot: int, test: MaskEvaluator) -> None:
        self._slot = slot
        self._test = test

    def of(self, rows: Rows, graph: GraphColumns, ctx: BatchContext) -> Mask:
        """Which nodes pass."""
        column = node_vector(rows, graph)
        return self._test(Batch(len(rows), {self._slot: column}), ctx)

    def mask(self, graph: GraphColumns, counts: Callable[[], Weights], ctx: BatchContext) -> Mask:
        """By node row, which pass (``ALL``: all there are). Nothing (``EVERY``) if too few are
        asked for: ``counts`` says how many at most."""
        key = id(self), id(graph)
        found = ctx.masks.get(key)
        if found is None:
            asked = ctx.asked.get(key, 0) + int(counts().sum())
            ctx.asked[key] = asked
            if asked < _WORTH * graph.node_rows:
                return EVERY
            found = ctx.masks[key] = self._everywhere(graph, ctx)
        return found

    def _everywhere(self, graph: GraphColumns, ctx: BatchContext) -> Mask:
        found = np.zeros(graph.node_rows, np.bool_)
        nodes = graph.nodes()
        try:
            for start in range(0, len(nodes), ctx.batch_rows):
                ctx.check()
                some = nodes[start : start + ctx.batch_rows]
                found[some] = self.of(some, graph, ctx)
        except OF_VALUES:
            return EVERY  # of a node that may never be reached: each is asked for itself
        return ALL if found[nodes].all() else found


def own_conditions(
    predicate: b.Expression, slot: int
) -> tuple[list[b.Expression], list[b.Expression]]:
    """The conditions of a conjunction that depend on the node in one slot alone and may be put
    before the others, and the others. One behind another condition must not be able to fail."""
    tests: list[b.Expression] = []
    left: list[b.Expression] = []
    for condition in conjuncts(predicate):
        own = slots_of(condition) == {slot} and repeatable(condition)
        (tests if own and (not left or is_total(condition)) else left).append(condition)
    return tests, left
