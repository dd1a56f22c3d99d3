"""Expand: from a bound node along one relationship."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.errors import QueryTypeError
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.operators.scan import already_used, view_of
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import Direction
from everwhen.query import physical as p


def node_in(row: Row, slot: int) -> Node | None:
    """The node in a slot; null is None.

    :raises QueryTypeError: any other value (a parameter or list element used as a node).
    """
    value = row[slot]
    if value is None or type(value) is Node:
        return value
    raise QueryTypeError(f"expected a node, got {v.type_name(value)}", detail="InvalidArgumentType")


def joins(
    relationship: Relationship, source: int, target: int | None, direction: Direction
) -> int | None:
    """The node reached when ``relationship`` is walked from ``source``, None if it can't be."""
    if direction is not Direction.IN and relationship.start == source:
        reached = relationship.end
        if target is None or reached == target:
            return reached
    if direction is not Direction.OUT and relationship.end == source:
        reached = relationship.start
        if target is None or reached == target:
            return reached
    return None


@builds(p.Expand)
def _expand(op: p.Expand) -> Runner:
    if op.bound_relationship:
        return _expand_bound(op)
    if op.into:
        return _expand_into(op)
    child = build(op.child)
    source, slot, target = op.source, op.relationship, op.target
    direction, types, view_slot, unique_with = op.direction, op.types, op.view, op.unique_with

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            node = node_in(row, source)
            if node is None:
                continue
            node_id = node.id
            view = view_of(view_slot, row, ctx)
            for relationship in view.expand(node_id, direction, types):
                ctx.tick()
                if unique_with and already_used(row, unique_with, relationship.id):
                    continue
                found = row[:]
                found[slot] = relationship
                found[target] = Node(relationship.other(node_id), view)
                yield found

    return run


def _expand_into(op: p.Expand) -> Runner:
    child = build(op.child)
    source, slot, target = op.source, op.relationship, op.target
    direction, types, view_slot, unique_with = op.direction, op.types, op.view, op.unique_with

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start, end = node_in(row, source), node_in(row, target)
            if start is None or end is None:
                continue
            view = view_of(view_slot, row, ctx)
            for relationship in view.expand_into(start.id, end.id, direction, types):
                ctx.tick()
                if unique_with and already_used(row, unique_with, relationship.id):
                    continue
                found = row[:]
                found[slot] = relationship
                yield found

    return run


def _expand_bound(op: p.Expand) -> Runner:
    """The relationship is known already: check that it fits and bind the other end."""
    child = build(op.child)
    source, slot, target, into = op.source, op.relationship, op.target, op.into
    direction, types, view_slot, unique_with = op.direction, op.types, op.view, op.unique_with

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            start, relationship = node_in(row, source), row[slot]
            end = node_in(row, target) if into else None
            if start is None or relationship is None or (into and end is None):
                continue
            if type(relationship) is not Relationship:
                raise QueryTypeError(
                    f"expected a relationship, got {v.type_name(relationship)}",
                    detail="InvalidArgumentType",
                )
            if types is not None and relationship.type not in types:
                continue
            if unique_with and already_used(row, unique_with, relationship.id):
                continue
            view = view_of(view_slot, row, ctx)
            reached = joins(relationship, start.id, None if end is None else end.id, direction)
            if reached is None or not view.has_relationship(relationship.id):
                continue
            found = row[:]
            if not into:
                found[target] = Node(reached, view)
            yield found

    return run
