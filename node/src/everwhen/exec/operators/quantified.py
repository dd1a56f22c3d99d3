"""Quantified path patterns: a whole pattern repeated between two counts."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.operators.expand import node_in
from everwhen.exec.operators.scan import already_used, view_of
from everwhen.model.elements import Node, Relationship
from everwhen.query import physical as p


@builds(p.QuantifiedExpand)
def _quantified(op: p.QuantifiedExpand) -> Runner:
    child, repeat = build(op.child), build(op.inner)

    def repetitions(
        row: Row, ctx: ExecutionContext, start: Node
    ) -> Iterator[tuple[list[Row], Node]]:
        """Depth first over repetitions; yields the rows of each and the node reached."""
        if op.minimum == 0:
            yield [], start
        if op.maximum == 0:
            return
        done: list[Row] = []
        used: list[set[int]] = []
        stack = [repeat(ctx, _from(row, start))]
        while stack:
            inner = next(stack[-1], None)
            if inner is None:
                stack.pop()
                if done:
                    done.pop()
                    used.pop()
                continue
            ctx.tick()
            walked = _ids(inner)
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
                stack.append(repeat(ctx, _from(row, end)))

    def _from(row: Row, node: Node) -> Row:
        start = row[:]
        start[op.inner_start] = node
        return start

    def _ids(inner: Row) -> set[int]:
        numbers: set[int] = set()
        for slot in op.inner_relationships:
            value = inner[slot]
            for relationship in value if type(value) is list else (value,):
                if type(relationship) is Relationship:
                    numbers.add(relationship.id)
        return numbers

    def finish(row: Row, rows: list[Row], end: Node) -> Row:
        found = row[:]
        ordered = rows[::-1] if op.reverse else rows
        for group in op.groups:
            found[group.outer] = [inner[group.inner] for inner in ordered]
        if op.walk is not None:
            found[op.walk] = _walk(ordered)
        if not op.into:
            found[op.target] = end
        return found

    def _walk(rows: list[Row]) -> list[Relationship]:
        walk: list[Relationship] = []
        for inner in rows:
            for slot in op.inner_relationships:
                value = inner[slot]
                walk.extend(value if type(value) is list else [value])
        return walk

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start = node_in(row, op.source)
            target = node_in(row, op.target) if op.into else None
            if start is None or (op.into and target is None):
                continue
            here = Node(start.id, view_of(op.view, row, ctx))
            for rows, end in repetitions(row, ctx, here):
                if target is None or end.id == target.id:
                    yield finish(row, rows, end)

    return run
