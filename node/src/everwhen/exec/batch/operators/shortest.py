"""Shortest paths over batches: plain ones by breadth first search, all others as over rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from everwhen.exec.batch.bridge import gathered, over_rows
from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    batch_builds,
    build_batch,
)
from everwhen.exec.batch.elements import nodes_in
from everwhen.exec.batch.needs import need_of
from everwhen.exec.batch.shortest import Marks, shortest_paths
from everwhen.exec.batch.steps import steps_of
from everwhen.exec.batch.values import pieces, rows_of
from everwhen.exec.batch.walks import lists_of
from everwhen.exec.build import build
from everwhen.query import physical as p

#: rows whose searches are gathered into one batch
_ROWS = 1_000


@batch_builds(p.ShortestPath)
def _shortest_path(op: p.ShortestPath, scope: Scope) -> BatchRunner | None:
    plain = op.selector in ("one", "any", "all") and op.predicate is None and op.count is None
    if not plain or op.minimum > 1 or op.unique_with:
        return over_rows(op, (op.relationship,), scope)
    child = build_batch(op.child, scope)
    if child is None:
        return None
    search = _Search(op)
    need = need_of(scope, op)

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        marks: Marks | None = None
        for whole in child(ctx, argument):
            marks = marks or Marks(ctx.graph(op.view).node_rows)
            for batch in pieces(whole, min(ctx.batch_rows, _ROWS)):
                found = search.of(batch, marks, ctx)
                yield from gathered(batch, found, (op.relationship,), need, ctx)

    return run


class _Search:
    """The searches of one operator, a row each."""

    def __init__(self, op: p.ShortestPath) -> None:
        self._op = op
        self._over_rows = build(replace(op, child=p.Argument()))

    def of(self, batch: Batch, marks: Marks, ctx: BatchContext) -> Iterator[tuple[int, list[Any]]]:
        """The row and the list of relationships of each path."""
        op = self._op
        graph = ctx.graph(op.view)
        sources = nodes_in(batch, op.source, graph, ctx).tolist()
        targets = nodes_in(batch, op.target, graph, ctx).tolist()
        onward = steps_of(graph, op.direction, op.types)
        back = steps_of(graph, op.direction.reverse, op.types)
        for row, ends in enumerate(zip(sources, targets, strict=True)):
            if ends[0] < 0 or ends[1] < 0:
                continue
            if ends[0] == ends[1]:  # no path between two nodes: the row path knows how
                (alone,) = rows_of(batch.take(np.array([row])), ctx)
                for made in self._over_rows(ctx.rows, alone):
                    yield row, [made[op.relationship]]
                continue
            for path in shortest_paths(ends, (onward, back), op.maximum, marks, ctx):
                yield row, [lists_of(np.array([path], np.int64), graph, ctx).data[0]]
                if op.selector != "all":
                    break
