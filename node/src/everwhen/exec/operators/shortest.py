"""Shortest paths by breadth first search between two bound nodes.

The search goes level by level from the source and keeps, for each node, every relationship by
which it was first reached; all shortest paths are then read back from the target. For the k
shortest (and when the step predicate could make a longer walk necessary) whole walks are kept
instead, shortest first, relationship-unique.
"""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.errors import QueryArgumentError
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.memory import Held
from everwhen.exec.operators.expand import node_in
from everwhen.exec.operators.scan import already_used, view_of
from everwhen.exec.operators.varlength import StepTest, step_test
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import GraphView
from everwhen.query import physical as p

Walk = list[Relationship]
Parents = dict[int, list[tuple[Relationship, int]]]


@builds(p.ShortestPath)
def _shortest_path(op: p.ShortestPath) -> Runner:
    child, test = build(op.child), step_test(op)
    count = compile_expression(op.count) if op.count is not None else None

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start, end = node_in(row, op.source), node_in(row, op.target)
            if start is None or end is None:
                continue
            view = view_of(op.view, row, ctx)
            wanted = 1
            if count is not None:
                wanted = count(row, ctx)
                if type(wanted) is not int or wanted < 1:
                    raise QueryArgumentError(f"SHORTEST needs a positive integer, got {wanted}")
            with Held(ctx.memory) as held:
                search = _Search(op, test, row, ctx, view, held)
                for walk in search.walks(start.id, end.id, wanted):
                    found = row[:]
                    found[op.relationship] = walk
                    yield found

    return run


class _Search:
    """One search for one row."""

    def __init__(
        self,
        op: p.ShortestPath,
        test: StepTest | None,
        row: Row,
        ctx: ExecutionContext,
        view: GraphView,
        held: Held,
    ) -> None:
        self.op = op
        self.test = test
        self.row = row
        self.ctx = ctx
        self.view = view
        self.held = held

    def steps(self, here: int) -> Iterator[tuple[Relationship, int]]:
        """Allowed (relationship, node reached) from a node."""
        for relationship in self.view.expand(here, self.op.direction, self.op.types):
            self.ctx.tick()
            if already_used(self.row, self.op.unique_with, relationship.id):
                continue
            reached = relationship.other(here)
            if self.test is None or self.test(
                self.row, self.ctx, relationship, Node(reached, self.view)
            ):
                yield relationship, reached

    def walks(self, start: int, end: int, wanted: int) -> Iterator[Walk]:
        """The walks the selector asks for, shortest first."""
        selector, minimum = self.op.selector, self.op.minimum
        if selector in ("k", "groups") or minimum > 1 or (start == end and minimum == 1):
            yield from self.enumerate(start, end, wanted)
            return
        if start == end and minimum == 0:
            yield []
            return
        parents = self.levels(start, end)
        if parents is None:
            return
        for walk in self.read_back(parents, start, end):
            yield walk
            if selector in ("one", "any"):
                return

    def levels(self, start: int, end: int) -> Parents | None:
        """Breadth first from start until the level that reaches end; None if none does."""
        parents: Parents = {}
        depth_of = {start: 0}
        frontier, depth = [start], 0
        while frontier and (self.op.maximum is None or depth < self.op.maximum):
            depth += 1
            following: list[int] = []
            for here in frontier:
                for relationship, reached in self.steps(here):
                    known = depth_of.get(reached)
                    if known is None:
                        depth_of[reached] = depth
                        self.held.add(200)
                        following.append(reached)
                        parents[reached] = [(relationship, here)]
                    elif known == depth:
                        parents[reached].append((relationship, here))
            if end in parents:
                return parents
            frontier = following
        return None

    def read_back(self, parents: Parents, start: int, end: int) -> Iterator[Walk]:
        """All paths from start to end along ``parents``, depth first without recursion."""
        walk: Walk = []
        stack = [iter(parents[end])]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                if walk:
                    walk.pop()
                continue
            relationship, before = step
            if before == start:
                yield [relationship, *reversed(walk)]
            else:
                walk.append(relationship)
                stack.append(iter(parents[before]))

    def enumerate(self, start: int, end: int, wanted: int) -> Iterator[Walk]:
        """Relationship-unique walks in order of length, by keeping all walks of a length."""
        op = self.op
        groups = 0
        given = 0
        last_length = -1
        level: list[tuple[Walk, int]] = [([], start)]
        length = 0
        while level:
            for walk, here in level:
                if here != end or length < op.minimum:
                    continue
                if length != last_length:
                    groups, last_length = groups + 1, length
                    if groups > (wanted if op.selector == "groups" else wanted + given):
                        return
                    if op.selector == "all" and groups > 1:
                        return
                yield walk
                given += 1
                if op.selector in ("k", "one", "any") and given >= wanted:
                    return
            if op.maximum is not None and length >= op.maximum:
                return
            level = self.longer(level)
            length += 1

    def longer(self, level: list[tuple[Walk, int]]) -> list[tuple[Walk, int]]:
        """Every walk of a level, one step on."""
        following: list[tuple[Walk, int]] = []
        for walk, here in level:
            for relationship, reached in self.steps(here):
                if relationship not in walk:
                    self.held.add(100 + 8 * len(walk))
                    following.append(([*walk, relationship], reached))
        return following
