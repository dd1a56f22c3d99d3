"""Operators that find nodes and relationships: scans, seeks by id, seeks in an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from everwhen.errors import QueryArgumentError, QueryTypeError
from everwhen.exec.build import build, builds
from everwhen.exec.context import Evaluator, ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import Bound, Direction, GraphView
from everwhen.model.moments import moment_micros
from everwhen.query import physical as p


def view_of(slot: int | None, row: Row, ctx: ExecutionContext) -> GraphView:
    """The past view in a slot, or the transaction's own."""
    return ctx.view if slot is None else cast("GraphView", row[slot])


@builds(p.Argument)
def _argument(op: p.Argument) -> Runner:
    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        yield argument[:]

    return run


@builds(p.SchemaCommand)
def _schema_command(op: p.SchemaCommand) -> Runner:
    """Only EXPLAIN makes such a plan, and it does not run it."""

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        yield from ()

    return run


@builds(p.BindView)
def _bind_view(op: p.BindView) -> Runner:
    child, moment = build(op.child), compile_expression(op.expression)
    slot, kind = op.slot, op.kind
    if op.end is not None:
        return _bind_range(op, child, moment, compile_expression(op.end))

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            row[slot] = ctx.view_at(kind, moment_of(moment(row, ctx), kind))
            yield row

    return run


def _bind_range(op: p.BindView, child: Runner, start: Evaluator, end: Evaluator) -> Runner:
    slot, kind = op.slot, op.kind

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            first, last = moment_micros(start(row, ctx)), moment_micros(end(row, ctx))
            row[slot] = ctx.range_at(kind, first, last)
            yield row

    return run


def moment_of(value: Any, kind: str) -> int:
    """The time in µs, or the version, that a value names.

    :raises QueryTypeError: it names none.
    """
    if kind == "time":
        return moment_micros(value)
    if type(value) is not int:
        raise QueryTypeError(
            f"AT VERSION needs an integer, got {v.to_text(value)}", detail="InvalidArgumentType"
        )
    return value


def _node_scan(
    child: Runner,
    slot: int,
    view_slot: int | None,
    nodes: Callable[[GraphView], Iterator[Node]],
) -> Runner:
    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            for node in nodes(view_of(view_slot, row, ctx)):
                ctx.tick()
                found = row[:]
                found[slot] = node
                yield found

    return run


@builds(p.AllNodesScan)
def _all_nodes(op: p.AllNodesScan) -> Runner:
    return _node_scan(build(op.child), op.slot, op.view, lambda view: view.nodes())


@builds(p.LabelScan)
def _label_scan(op: p.LabelScan) -> Runner:
    label = op.label
    return _node_scan(build(op.child), op.slot, op.view, lambda view: view.nodes_with_label(label))


@builds(p.NodeCount)
def _node_count(op: p.NodeCount) -> Runner:
    child, slots, label, view_slot = build(op.child), op.slots, op.label, op.view

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        count = 0
        for row in child(ctx, argument):
            ctx.tick()
            count += view_of(view_slot, row, ctx).count_nodes(label, ctx.tick)
        found = argument[:]
        for slot in slots:
            found[slot] = count
        yield found

    return run


def literal_ids(value: Any, element: bool, kind: str) -> Iterator[int]:
    """Integer ids of what an id predicate compares with; anything else matches nothing."""
    seen: set[int] = set()
    for item in value if type(value) is list else [value]:
        number: int | None = None
        if element and type(item) is str:
            prefix, _, text = item.rpartition(":")
            if prefix == kind and text.isascii() and text.isdigit():
                number = int(text)
        elif not element and type(item) is int:
            number = item
        elif not element and type(item) is float and item.is_integer():
            number = int(item)
        if number is not None and number >= 0 and number not in seen:
            seen.add(number)
            yield number


@builds(p.NodeByIdSeek)
def _node_by_id(op: p.NodeByIdSeek) -> Runner:
    child, ids = build(op.child), compile_expression(op.ids)
    slot, element, view_slot = op.slot, op.element, op.view

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            view = view_of(view_slot, row, ctx)
            for node_id in literal_ids(ids(row, ctx), element, "4:neo4j"):
                node = view.node(node_id)
                if node is not None:
                    found = row[:]
                    found[slot] = node
                    yield found

    return run


def _both_ways(relationship: Relationship, direction: Direction) -> Iterator[tuple[int, int]]:
    """(left node, right node) of a relationship found without a starting node."""
    if direction is not Direction.IN:
        yield relationship.start, relationship.end
    if direction is Direction.IN or (
        direction is Direction.BOTH and relationship.start != relationship.end
    ):
        yield relationship.end, relationship.start


def _emit(
    row: Row,
    relationship: Relationship,
    slots: tuple[int, int, int],
    direction: Direction,
    view: GraphView,
) -> Iterator[Row]:
    slot, start, end = slots
    for left, right in _both_ways(relationship, direction):
        found = row[:]
        found[slot] = relationship
        found[start] = Node(left, view)
        found[end] = Node(right, view)
        yield found


@builds(p.RelationshipByIdSeek)
def _relationship_by_id(op: p.RelationshipByIdSeek) -> Runner:
    child, ids = build(op.child), compile_expression(op.ids)
    slots, element, view_slot = (op.slot, op.start, op.end), op.element, op.view
    direction = op.direction

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            view = view_of(view_slot, row, ctx)
            for relationship_id in literal_ids(ids(row, ctx), element, "5:neo4j"):
                relationship = view.relationship(relationship_id)
                if relationship is not None:
                    yield from _emit(row, relationship, slots, direction, view)

    return run


def already_used(row: Row, slots: tuple[int, ...], relationship_id: int) -> bool:
    """Whether a relationship stands in one of the slots, alone or in a list."""
    for slot in slots:
        value = row[slot]
        if type(value) is Relationship:
            if value.id == relationship_id:
                return True
        elif type(value) is list:
            for item in value:
                if type(item) is Relationship and item.id == relationship_id:
                    return True
    return False


@builds(p.RelationshipScan)
def _relationship_scan(op: p.RelationshipScan) -> Runner:
    child = build(op.child)
    slots, types, direction = (op.slot, op.start, op.end), op.types, op.direction
    view_slot, unique_with = op.view, op.unique_with

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            view = view_of(view_slot, row, ctx)
            for relationship in view.relationships(types):
                ctx.tick()
                if not already_used(row, unique_with, relationship.id):
                    yield from _emit(row, relationship, slots, direction, view)

    return run


def once(ids: Iterator[int]) -> Iterator[int]:
    """Each id where it comes first."""
    seen: set[int] = set()
    for number in ids:
        if number not in seen:
            seen.add(number)
            yield number


def index_ids(op: p.IndexSeek) -> Callable[[Row, ExecutionContext, GraphView], Iterator[int]]:
    """The ids an index seek finds for one row."""
    equal = [compile_expression(item) for item in op.equal]
    lower = compile_expression(op.lower.expression) if op.lower else None
    upper = compile_expression(op.upper.expression) if op.upper else None
    prefix = compile_expression(op.prefix) if op.prefix is not None else None
    lower_inclusive = op.lower is not None and op.lower.inclusive
    upper_inclusive = op.upper is not None and op.upper.inclusive
    name, in_list = op.index, op.in_list

    def one(values: list[Any], row: Row, ctx: ExecutionContext, view: GraphView) -> Iterator[int]:
        if any(value is None for value in values):
            return iter(())
        if prefix is not None:
            text = prefix(row, ctx)
            return view.index_prefix(name, values, text) if type(text) is str else iter(())
        if lower is not None or upper is not None:
            low = lower(row, ctx) if lower is not None else None
            high = upper(row, ctx) if upper is not None else None
            if (lower is not None and low is None) or (upper is not None and high is None):
                return iter(())
            return view.index_range(
                name,
                values,
                None if lower is None else Bound(low, lower_inclusive),
                None if upper is None else Bound(high, upper_inclusive),
            )
        return view.index_seek(name, values) if values else view.index_scan(name)

    def ids(row: Row, ctx: ExecutionContext, view: GraphView) -> Iterator[int]:
        values = [item(row, ctx) for item in equal]
        if in_list is None:
            return one(values, row, ctx, view)
        found = alternatives(values, in_list, row, ctx, view)
        return once(found) if op.each_version else found

    def alternatives(
        values: list[Any], position: int, row: Row, ctx: ExecutionContext, view: GraphView
    ) -> Iterator[int]:
        choices = values[position]
        if choices is None:
            return
        if type(choices) is not list:
            raise QueryTypeError(
                f"IN needs a list, got {v.type_name(choices)}", detail="InvalidArgumentType"
            )
        seen: set[Any] = set()
        for choice in choices:
            key = v.group_key(choice)
            if choice is None or key in seen:
                continue
            seen.add(key)
            yield from one([*values[:position], choice, *values[position + 1 :]], row, ctx, view)

    return ids


@builds(p.IndexSeek)
def _index_seek(op: p.IndexSeek) -> Runner:
    child, ids, view_slot = build(op.child), index_ids(op), op.view
    slot, start, end, direction = op.slot, op.start, op.end, op.direction

    def nodes(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            view = view_of(view_slot, row, ctx)
            for node_id in ids(row, ctx, view):
                ctx.tick()
                found = row[:]
                found[slot] = Node(node_id, view)
                yield found

    def relationships(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        if start is None or end is None:
            raise QueryArgumentError("a relationship index seek needs slots for both end nodes")
        for row in child(ctx, argument):
            view = view_of(view_slot, row, ctx)
            for relationship_id in ids(row, ctx, view):
                ctx.tick()
                relationship = view.relationship(relationship_id)
                if relationship is not None:
                    yield from _emit(row, relationship, (slot, start, end), direction, view)

    return nodes if op.entity == "NODE" else relationships
