"""Quantified path patterns: a whole pattern repeated between two counts."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.operators.expand import node_in
from everwhen.exec.operators.scan import already_used, view_of
from everwhen.exec.operators.versions import moved
from everwhen.model.elements import Node, Relationship
from everwhen.query import physical as p


@builds(p.QuantifiedExpand)
def _quantified(op: p.QuantifiedExpand) -> Runner:
    child, walks = build(op.child), _Repetitions(op)

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start = node_in(row, op.source)
            target = node_in(row, op.target) if op.into else None
            if start is None or (op.into and target is None):
                continue
            here = start if op.each_version else Node(start.id, view_of(op.view, row, ctx))
            for rows, end in walks.from_node(row, ctx, here):
                if target is None or end.id == target.id:
                    yield walks.finish(row, rows, end)

    return run


class _Repetitions:
    """The repetitions of one pattern, depth first with a stack: their number is data."""

    def __init__(self, op: p.QuantifiedExpand) -> None:
        self._op = op
        self._repeat = build(op.inner)

    def from_node(
        self, row: Row, ctx: ExecutionContext, start: Node
    ) -> Iterator[tuple[list[Row], Node]]:
        """The rows of each sequence of repetitions, and the node it reaches."""
        op = self._op
        if op.minimum == 0:
            yield [], start
        if op.maximum == 0:
            return
        done: list[Row] = []
        used: list[set[int]] = []
        stack = [self._repeat(ctx, self._begin(row, start))]
        while stack:
            inner = next(stack[-1], None)
            if inner is None:
                stack.pop()
                if done:
                    done.pop()
                    used.pop()
                continue
            ctx.tick()
            walked = {relationship.id for relationship in self._relationships(inner)}
            if any(walked & earlier for earlier in used) or any(
                already_used(row, op.unique_with, number) for number in walked
            ):
                continue
            end = inner[op.inner_end]
            if len(done) + 1 >= op.minimum:
                yield [*done, inner], end
            if op.maximum is None or len(done) + 1 < op.maximum:
                done.append(inner)
                used.append(walked)
                stack.append(self._repeat(ctx, self._begin(row, end, inner)))

    def _begin(self, row: Row, node: Node, last: Row | None = None) -> Row:
        start = row[:]
        if self._op.each_version and self._op.view is not None and last is not None:
            start[self._op.view] = last[self._op.view]
        start[self._op.inner_start] = node
        return start

    def _relationships(self, inner: Row) -> list[Relationship]:
        """What one repetition walked, in order."""
        walked: list[Relationship] = []
        for slot in self._op.inner_relationships:
            value = inner[slot]
            walked.extend(value if type(value) is list else [value])
        return walked

    def finish(self, row: Row, rows: list[Row], end: Node) -> Row:
        """The outer row: each group variable is the list of its values."""
        op = self._op
        found = row[:]
        ordered = rows[::-1] if op.reverse else rows
        for group in op.groups:
            found[group.outer] = [inner[group.inner] for inner in ordered]
        walked = [r for inner in ordered for r in self._relationships(inner)]
        if op.each_version and op.view is not None and rows:
            found[op.view] = rows[-1][op.view]
            # all at one moment, so that the nodes between them are read there as well
            walked = [moved(r, found[op.view].first()) for r in walked]
        if op.walk is not None:
            found[op.walk] = walked
        if not op.into:
            found[op.target] = end
        return found
