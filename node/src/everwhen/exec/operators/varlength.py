"""Variable length expand: all relationship-unique walks between two lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from everwhen.errors import QueryTypeError
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_predicate
from everwhen.exec.operators.expand import joins, node_in
from everwhen.exec.operators.scan import already_used, view_of
from everwhen.exec.operators.versions import Walks
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import GraphView
from everwhen.query import physical as p

StepTest = Callable[[Row, ExecutionContext, Relationship, Node], bool]


def step_test(op: p.VarExpand | p.ShortestPath) -> StepTest | None:
    """The predicate of a single step, over its relationship and the node it reaches."""
    if op.predicate is None:
        return None
    predicate = compile_predicate(op.predicate)
    relationship_slot, node_slot = op.step_relationship, op.step_node

    def test(row: Row, ctx: ExecutionContext, relationship: Relationship, node: Node) -> bool:
        if relationship_slot is not None:
            row[relationship_slot] = relationship
        if node_slot is not None:
            row[node_slot] = node
        return predicate(row, ctx)

    return test


@builds(p.VarExpand)
def _var_expand(op: p.VarExpand) -> Runner:
    if op.bound_relationship:
        return _var_expand_bound(op)
    if op.each_version:
        return _through_versions(op)
    child, walks = build(op.child), _walker(op)
    source, slot, target, into = op.source, op.relationship, op.target, op.into
    view_slot, reverse = op.view, op.reverse_list

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start = node_in(row, source)
            end = node_in(row, target) if into else None
            if start is None or (into and end is None):
                continue
            view = view_of(view_slot, row, ctx)
            for walk, reached in walks(row, ctx, start.id, view):
                if end is not None and reached != end.id:
                    continue
                found = row[:]
                found[slot] = walk[::-1] if reverse else walk
                if not into:
                    found[target] = Node(reached, view)
                yield found

    return run


def _through_versions(op: p.VarExpand) -> Runner:
    child, walks = build(op.child), Walks(op, step_test(op))

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            yield from walks.run(ctx, row)

    return run


def _walker(
    op: p.VarExpand,
) -> Callable[[Row, ExecutionContext, int, GraphView], Iterator[tuple[list[Relationship], int]]]:
    """Depth first, with a stack of iterators rather than recursion: depth is data."""
    direction, types, unique_with = op.direction, op.types, op.unique_with
    minimum, maximum, test = op.minimum, op.maximum, step_test(op)

    def walks(
        row: Row, ctx: ExecutionContext, start: int, view: GraphView
    ) -> Iterator[tuple[list[Relationship], int]]:
        if not view.has_node(start):
            return
        if minimum == 0:
            yield [], start
        if maximum == 0:
            return
        walk: list[Relationship] = []
        on_walk: set[int] = set()
        stack = [(start, view.expand(start, direction, types))]
        while stack:
            here, candidates = stack[-1]
            relationship = next(candidates, None)
            if relationship is None:
                stack.pop()
                if walk:
                    on_walk.discard(walk.pop().id)
                continue
            ctx.tick()
            if relationship.id in on_walk or already_used(row, unique_with, relationship.id):
                continue
            reached = relationship.other(here)
            if test is not None and not test(row, ctx, relationship, Node(reached, view)):
                continue
            if len(walk) + 1 >= minimum:
                yield [*walk, relationship], reached
            if maximum is None or len(walk) + 1 < maximum:
                walk.append(relationship)
                on_walk.add(relationship.id)
                stack.append((reached, view.expand(reached, direction, types)))

    return walks


def _var_expand_bound(op: p.VarExpand) -> Runner:
    """The list of relationships is known: check that it is a walk and bind its other end."""
    child = build(op.child)
    source, slot, target, into = op.source, op.relationship, op.target, op.into
    direction, types, view_slot = op.direction, op.types, op.view
    minimum, maximum, reverse = op.minimum, op.maximum, op.reverse_list
    unique_with = op.unique_with

    def follow(row: Row, start: int, walk: list[Any]) -> int | None:
        here: int | None = start
        seen: set[int] = set()
        for relationship in walk:
            if type(relationship) is not Relationship:
                raise QueryTypeError(
                    f"expected a list of relationships, it holds {v.type_name(relationship)}",
                    detail="InvalidArgumentType",
                )
            if here is None or relationship.id in seen:
                return None
            if types is not None and relationship.type not in types:
                return None
            if already_used(row, unique_with, relationship.id):
                return None
            seen.add(relationship.id)
            here = joins(relationship, here, None, direction)
        return here

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start, walk = node_in(row, source), row[slot]
            end = node_in(row, target) if into else None
            if start is None or walk is None or (into and end is None):
                continue
            if type(walk) is not list:
                raise QueryTypeError(
                    f"expected a list of relationships, got {v.type_name(walk)}",
                    detail="InvalidArgumentType",
                )
            if len(walk) < minimum or (maximum is not None and len(walk) > maximum):
                continue
            reached = follow(row, start.id, walk[::-1] if reverse else walk)
            if reached is None or (end is not None and reached != end.id):
                continue
            found = row[:]
            if not into:
                found[target] = Node(reached, view_of(view_slot, row, ctx))
            yield found

    return run
