"""CREATE, SET, REMOVE, DELETE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from everwhen.errors import EntityNotFound, QueryArgumentError, QueryTypeError
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.labels import names_of
from everwhen.model import values as v
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import physical as p

Writer = Callable[[Row, ExecutionContext], None]
LabelsOf = Callable[[Row, ExecutionContext], list[str]]


def compile_label_source(source: p.LabelSource) -> LabelsOf:
    """The labels to write for a row, without repeats, in the order given."""
    names = list(dict.fromkeys(source.names))
    if not source.dynamic:
        return lambda row, ctx: names
    dynamic = [compile_expression(expression) for expression in source.dynamic]

    def run(row: Row, ctx: ExecutionContext) -> list[str]:
        found = dict.fromkeys(names)
        for evaluate in dynamic:
            found.update(dict.fromkeys(names_of(evaluate(row, ctx))))
        return list(found)

    return run


def property_map(value: Any) -> Mapping[str, Any]:
    """Properties from a map, node or relationship: its own, not a copy.

    :raises QueryTypeError: anything else.
    """
    if isinstance(value, (dict, Node, Relationship)):
        return v.properties_of(value)
    raise QueryTypeError(
        f"properties must be a map, got {v.type_name(value)}", detail="InvalidArgumentType"
    )


def _without_nulls(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if value is not None}


# --- CREATE --------------------------------------------------------------------------------


def compile_spec(spec: p.NodeSpec | p.RelationshipSpec) -> Writer:
    """Creates one element and puts it in its slot (of the row given, which is changed)."""
    properties = compile_expression(spec.properties) if spec.properties is not None else None

    def evaluate(row: Row, ctx: ExecutionContext) -> dict[str, Any]:
        value = None if properties is None else properties(row, ctx)
        return {} if value is None else _without_nulls(property_map(value))

    if isinstance(spec, p.NodeSpec):
        labels, slot = compile_label_source(spec.labels), spec.slot

        def node(row: Row, ctx: ExecutionContext) -> None:
            names, values = labels(row, ctx), evaluate(row, ctx)
            row[slot] = ctx.must_write().create_node(names, values)
            ctx.counters.nodes_created += 1
            ctx.counters.labels_added += len(names)
            ctx.counters.properties_set += len(values)

        return node
    return _relationship_spec(spec, evaluate)


def no_end(value: Any) -> QueryTypeError:
    """The error of a relationship that one of its nodes is missing for."""
    return QueryTypeError(
        f"a relationship needs two nodes, but one end is {v.type_name(value)}; was it not found?",
        detail="InvalidArgumentType",
    )


def _relationship_spec(
    spec: p.RelationshipSpec, evaluate: Callable[[Row, ExecutionContext], dict[str, Any]]
) -> Writer:
    slot, start, end = spec.slot, spec.start, spec.end
    fixed = spec.type if isinstance(spec.type, str) else None
    dynamic = None if isinstance(spec.type, str) else compile_expression(spec.type)

    def relationship(row: Row, ctx: ExecutionContext) -> None:
        for side in (start, end):
            if type(row[side]) is not Node:
                raise no_end(row[side])
            ctx.must_write_to(row[side])
        name = fixed
        if dynamic is not None:
            names = names_of(dynamic(row, ctx))
            if len(names) != 1:
                raise QueryArgumentError("a relationship has exactly one type")
            name = names[0]
        values = evaluate(row, ctx)
        row[slot] = ctx.must_write().create_relationship(
            row[start].id, str(name), row[end].id, values
        )
        ctx.counters.relationships_created += 1
        ctx.counters.properties_set += len(values)

    return relationship


@builds(p.Create)
def _create(op: p.Create) -> Runner:
    child, specs = build(op.child), [compile_spec(spec) for spec in op.specs]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            found = row[:]
            for spec in specs:
                spec(found, ctx)
            ctx.tick()
            yield found

    return run


# --- SET and REMOVE ------------------------------------------------------------------------


def _entity(value: Any, what: str) -> Node | Relationship | None:
    if value is None or isinstance(value, (Node, Relationship)):
        return value
    raise QueryTypeError(
        f"{what} needs a node or relationship, got {v.type_name(value)}",
        detail="InvalidArgumentType",
    )


def _key(key: str | b.Expression) -> Callable[[Row, ExecutionContext], str]:
    if isinstance(key, str):
        return lambda row, ctx: key
    evaluate = compile_expression(key)

    def run(row: Row, ctx: ExecutionContext) -> str:
        value = evaluate(row, ctx)
        if type(value) is not str or not value:
            raise QueryTypeError(
                f"a property key must be a non-empty string, got {v.to_text(value)}",
                detail="InvalidArgumentType",
            )
        return value

    return run


def compile_change(change: p.Change) -> Writer:
    """One item of SET or REMOVE. A null entity is passed over."""
    evaluate = compile_expression(change.entity)
    if isinstance(change, p.SetProperty):
        return _set_property(evaluate, _key(change.key), compile_expression(change.value))
    if isinstance(change, p.RemoveProperty):
        return _set_property(evaluate, _key(change.key), lambda row, ctx: None)
    if isinstance(change, p.SetProperties):
        return _set_properties(evaluate, compile_expression(change.value), change.replace)
    return _change_labels(
        evaluate, compile_label_source(change.labels), isinstance(change, p.SetLabels)
    )


def _set_property(
    entity: Callable[[Row, ExecutionContext], Any],
    key: Callable[[Row, ExecutionContext], str],
    value: Callable[[Row, ExecutionContext], Any],
) -> Writer:
    def run(row: Row, ctx: ExecutionContext) -> None:
        target = _entity(entity(row, ctx), "SET or REMOVE of a property")
        if target is not None:
            ctx.counters.properties_set += ctx.must_write_to(target).set_property(
                target, key(row, ctx), value(row, ctx)
            )

    return run


def _set_properties(
    entity: Callable[[Row, ExecutionContext], Any],
    value: Callable[[Row, ExecutionContext], Any],
    replace: bool,
) -> Writer:
    def run(row: Row, ctx: ExecutionContext) -> None:
        target = _entity(entity(row, ctx), "SET of properties")
        if target is None:
            return
        given = value(row, ctx)
        if given is None and not replace:
            return
        fresh = dict(property_map({} if given is None else given))
        if replace:
            for key in target.properties:
                fresh.setdefault(key, None)
        writer = ctx.must_write_to(target)
        for key, item in fresh.items():
            ctx.counters.properties_set += writer.set_property(target, key, item)

    return run


def _change_labels(
    entity: Callable[[Row, ExecutionContext], Any], labels: LabelsOf, adding: bool
) -> Writer:
    def run(row: Row, ctx: ExecutionContext) -> None:
        target = entity(row, ctx)
        if target is None:
            return
        if type(target) is not Node:
            raise QueryTypeError(
                f"labels can be set on nodes only, got {v.type_name(target)}",
                detail="InvalidArgumentType",
            )
        writer = ctx.must_write_to(target)
        if adding:
            ctx.counters.labels_added += writer.add_labels(target.id, labels(row, ctx))
        else:
            ctx.counters.labels_removed += writer.remove_labels(target.id, labels(row, ctx))

    return run


@builds(p.Update)
def _update(op: p.Update) -> Runner:
    child, changes = build(op.child), [compile_change(change) for change in op.changes]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            for change in changes:
                change(row, ctx)
            ctx.tick()
            yield row

    return run


# --- DELETE --------------------------------------------------------------------------------


def _delete_node(node: Node, detach: bool, ctx: ExecutionContext) -> None:
    writer = ctx.must_write_to(node)
    if detach:
        try:
            attached = list(ctx.view.expand(node.id, Direction.BOTH))
        except EntityNotFound:
            return  # deleted by an earlier row of this statement
        for relationship in attached:
            _delete_relationship(relationship, ctx)
    if writer.delete_node(node.id):
        ctx.counters.nodes_deleted += 1


def _delete_relationship(relationship: Relationship, ctx: ExecutionContext) -> None:
    if ctx.must_write_to(relationship).delete_relationship(relationship.id):
        ctx.counters.relationships_deleted += 1


def _delete_value(value: Any, detach: bool, ctx: ExecutionContext) -> None:
    if value is None:
        return
    if type(value) is Node:
        _delete_node(value, detach, ctx)
    elif type(value) is Relationship:
        _delete_relationship(value, ctx)
    elif type(value) is Path:
        for relationship in value.relationships:
            _delete_relationship(relationship, ctx)
        for node in value.nodes:
            _delete_node(node, detach, ctx)
    else:
        raise QueryTypeError(
            f"DELETE needs a node, relationship or path, got {v.type_name(value)}",
            detail="InvalidArgumentType",
        )


@builds(p.Delete)
def _delete(op: p.Delete) -> Runner:
    child, detach = build(op.child), op.detach
    targets = [compile_expression(expression) for expression in op.expressions]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            for target in targets:
                _delete_value(target(row, ctx), detach, ctx)
            ctx.tick()
            yield row

    return run
