"""Ranges of time: elements bound to their versions, one after the other.

What a row's elements have in common of the range stands in the row, as the view that the next
element is looked for in; so the elements of a finished row share a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.operators.expand import node_in
from everwhen.exec.operators.scan import already_used
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import EntityKind, GraphView, RangeView
from everwhen.query import physical as p


@builds(p.EachVersion)
def _each_version(op: p.EachVersion) -> Runner:
    child, slots, kept, view = build(op.child), op.slots, op.kept, op.view

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            rows: Iterator[Row] = iter((row,))
            for slot in kept:
                rows = _lifetimes(rows, slot, view)
            for slot in slots:
                rows = _versions(rows, slot, view)
            for found in rows:
                ctx.tick()
                yield found

    return run


def _versions(rows: Iterator[Row], slot: int, view: int) -> Iterator[Row]:
    for row in rows:
        element = row[slot]
        for part, moment in _range(row, view).versions_of(_kind(element), element.id):
            found = row[:]
            found[view] = part
            found[slot] = _bound(element, moment)
            yield found


def _lifetimes(rows: Iterator[Row], slot: int, view: int) -> Iterator[Row]:
    for row in rows:
        value = row[slot]
        if value is None:
            continue
        parts: Iterator[RangeView] = iter((_range(row, view),))
        for element in value if type(value) is list else (value,):
            if type(element) is Node or type(element) is Relationship:
                parts = _narrowed(parts, element)
        for part in parts:
            found = row[:]
            found[view] = part
            yield found


def _narrowed(parts: Iterator[RangeView], element: Node | Relationship) -> Iterator[RangeView]:
    for part in parts:
        yield from part.lifetimes_of(_kind(element), element.id)


def _range(row: Row, view: int) -> RangeView:
    return cast("RangeView", row[view])


def _kind(element: Any) -> EntityKind:
    return EntityKind.NODE if type(element) is Node else EntityKind.RELATIONSHIP


def _bound(element: Node | Relationship, view: GraphView) -> Node | Relationship:
    if type(element) is Node:
        return Node(element.id, view)
    assert type(element) is Relationship
    return moved(element, view)


def moved(relationship: Relationship, view: GraphView) -> Relationship:
    """The same relationship, bound at another view."""
    one = relationship
    return Relationship(one.id, one.type, one.start, one.end, view)


# --- walks of variable length ----------------------------------------------------------------


class _Step:
    """A node reached, what is left of the range there, and what goes on from it."""

    __slots__ = ("candidates", "node", "relationship")

    def __init__(
        self,
        node: int,
        relationship: Relationship | None,
        candidates: Iterator[tuple[Relationship, Node, RangeView]],
    ) -> None:
        self.node = node
        self.relationship = relationship
        self.candidates = candidates


class Walks:
    """Walks through versions that share a moment, depth first with a stack: depth is data.

    The relationships of a walk are all bound at its first moment, so that the nodes between them
    are read there as well.
    """

    def __init__(self, op: p.VarExpand, test: Any) -> None:
        self._op = op
        self._test = test

    def run(self, ctx: ExecutionContext, row: Row) -> Iterator[Row]:
        """The rows that a row becomes."""
        op = self._op
        assert op.view is not None
        start = node_in(row, op.source)
        end = node_in(row, op.target) if op.into else None
        if start is None or (op.into and end is None):
            return
        for walk, reached, part in self._from(ctx, row, start):
            if end is not None and end.id != reached.id:
                continue
            first = part.first()
            found = row[:]
            found[op.view] = part
            found[op.relationship] = [
                moved(one, first) for one in (walk[::-1] if op.reverse_list else walk)
            ]
            if not op.into:
                found[op.target] = reached
            yield found

    def _from(
        self, ctx: ExecutionContext, row: Row, start: Node
    ) -> Iterator[tuple[list[Relationship], Node, RangeView]]:
        op = self._op
        whole = _range(row, op.view or 0)
        if op.minimum == 0:
            for part, moment in whole.versions_of(EntityKind.NODE, start.id):
                yield [], Node(start.id, moment), part
        if op.maximum == 0:
            return
        stack = [_Step(start.id, None, self._along(row, start.id, whole))]
        while stack:
            found = next(stack[-1].candidates, None)
            if found is None:
                stack.pop()
                continue
            ctx.tick()
            relationship, node, part = found
            walk = [step.relationship for step in stack if step.relationship is not None]
            if any(one.id == relationship.id for one in walk):
                continue
            if self._test is not None:
                scratch = row[:]
                scratch[op.view or 0] = part
                if not self._test(scratch, ctx, relationship, node):
                    continue
            if len(stack) >= op.minimum:
                yield [*walk, relationship], node, part
            if op.maximum is None or len(stack) < op.maximum:
                stack.append(_Step(node.id, relationship, self._along(row, node.id, part)))

    def _along(
        self, row: Row, node: int, part: RangeView
    ) -> Iterator[tuple[Relationship, Node, RangeView]]:
        """The versions of each relationship of a node together with those of its other end."""
        op = self._op
        for relationship in part.expand(node, op.direction, op.types):
            if already_used(row, op.unique_with, relationship.id):
                continue
            other = relationship.other(node)
            for narrower, moment in part.versions_of(EntityKind.RELATIONSHIP, relationship.id):
                bound = moved(relationship, moment)
                for narrowest, then in narrower.versions_of(EntityKind.NODE, other):
                    yield bound, Node(other, then), narrowest
