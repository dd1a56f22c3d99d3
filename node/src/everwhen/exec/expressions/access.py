"""Leaves, access to parts of values, and construction of lists, maps and paths."""

from __future__ import annotations

from typing import Any

import everwhen.model.values as v
from everwhen.errors import ParameterMissing, QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.exec.expressions.core import (
    compile_expression,
    compiles,
)
from everwhen.model.elements import Node, Path, Relationship
from everwhen.query import bound as b


@compiles(b.Literal)
def _literal(e: b.Literal) -> Evaluator:
    value = e.value
    return lambda row, ctx: value


@compiles(b.Parameter)
def _parameter(e: b.Parameter) -> Evaluator:
    name = e.name

    def run(row: Row, ctx: ExecutionContext) -> Any:
        try:
            return ctx.parameters[name]
        except KeyError:
            raise ParameterMissing(f"the statement needs the parameter ${name}") from None

    return run


@compiles(b.Slot)
def _slot(e: b.Slot) -> Evaluator:
    index = e.index
    return lambda row, ctx: row[index]


@compiles(b.Property)
def _property(e: b.Property) -> Evaluator:
    key = e.key
    if type(e.subject) is b.Slot:
        index = e.subject.index

        def of_slot(row: Row, ctx: ExecutionContext) -> Any:
            subject = row[index]
            if type(subject) is Node:
                return subject.view.node_property(subject.id, key)
            return v.get_property(subject, key)

        return of_slot
    operand = compile_expression(e.subject)
    return lambda row, ctx: v.get_property(operand(row, ctx), key)


@compiles(b.Subscript)
def _subscript(e: b.Subscript) -> Evaluator:
    subject, index = compile_expression(e.subject), compile_expression(e.index)
    return lambda row, ctx: v.subscript(subject(row, ctx), index(row, ctx))


@compiles(b.Slice)
def _slice(e: b.Slice) -> Evaluator:
    subject = compile_expression(e.subject)
    lower = compile_expression(e.lower) if e.lower is not None else None
    upper = compile_expression(e.upper) if e.upper is not None else None

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = subject(row, ctx)
        low = 0 if lower is None else lower(row, ctx)
        high = v.INT_MAX if upper is None else upper(row, ctx)
        return v.slice_list(value, low, high)

    return run


@compiles(b.ListLiteral)
def _list(e: b.ListLiteral) -> Evaluator:
    items = [compile_expression(item) for item in e.items]
    return lambda row, ctx: [item(row, ctx) for item in items]


@compiles(b.MapLiteral)
def _map(e: b.MapLiteral) -> Evaluator:
    items = [(key, compile_expression(item)) for key, item in e.items]
    return lambda row, ctx: {key: item(row, ctx) for key, item in items}


@compiles(b.MapProjection)
def _map_projection(e: b.MapProjection) -> Evaluator:
    subject = compile_expression(e.subject)
    items = [(key, compile_expression(item)) for key, item in e.items]
    all_properties = e.all_properties

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = subject(row, ctx)
        if value is None:
            return None
        if not isinstance(value, (Node, Relationship, dict)):
            raise QueryTypeError(
                f"a map projection needs a node, relationship or map, got {v.type_name(value)}",
                detail="InvalidArgumentType",
            )
        result = dict(v.properties_of(value)) if all_properties else {}
        for key, item in items:
            result[key] = item(row, ctx)
        return result

    return run


@compiles(b.PathValue)
def _path(e: b.PathValue) -> Evaluator:
    slots = e.slots

    def run(row: Row, ctx: ExecutionContext) -> Any:
        start = row[slots[0]]
        if start is None:
            return None
        nodes: list[Node] = [start]
        relationships: list[Relationship] = []
        for position in range(1, len(slots), 2):
            part = row[slots[position]]
            if part is None:
                return None
            for relationship in part if type(part) is list else (part,):
                here = nodes[-1]
                relationships.append(relationship)
                nodes.append(Node(relationship.other(here.id), relationship.view))
            end = row[slots[position + 1]]
            if end is None:
                return None
            nodes[-1] = end
        return Path(tuple(nodes), tuple(relationships))

    return run
