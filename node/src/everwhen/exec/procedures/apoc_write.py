"""What of APOC writes for LangChain and neo4j-graphrag: ``apoc.merge.*``, ``apoc.create.addLabels``
and ``apoc.refactor.mergeNodes``. MERGE here means what the clause means: a pattern that is not
found is announced, so that of two transactions that make it at the same time one conflicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from everwhen.errors import ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import Direction, GraphView, MergedPart
from everwhen.model.relations import equals

Rows = Iterator[tuple[Any, ...]]


def _wrong(name: str, wanted: str, value: Any) -> ProcedureCallFailed:
    return ProcedureCallFailed(
        f"{name} must be {wanted}, got {v.to_text(value)}", detail="InvalidArgumentType"
    )


def _names(value: Any, name: str) -> list[str]:
    """A list of labels, none empty, each once."""
    names = [value] if type(value) is str else value
    if type(names) is not list or not all(type(item) is str and item for item in names):
        raise _wrong(name, "a list of labels", value)
    return list(dict.fromkeys(names))


def _identity(value: Any) -> dict[str, Any]:
    """The properties that tell what is looked for."""
    if type(value) is not dict:
        raise _wrong("identProps", "a map", value)
    for key, item in value.items():
        if item is None:
            raise ProcedureCallFailed(
                f"a null value for the property {key!r} never matches, so it would always create"
            )
    return value


def _node(value: Any, name: str) -> Node:
    if type(value) is not Node:
        raise _wrong(name, "a node", value)
    return value


def _fits(element: Node | Relationship, wanted: Mapping[str, Any]) -> bool:
    return all(equals(element.properties.get(key), value) is True for key, value in wanted.items())


# --- writing, counted as the clauses count ---------------------------------------------------


def _without_nulls(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {k: item for part in parts for k, item in part.items() if item is not None}


def _create_node(
    ctx: ExecutionContext, labels: Sequence[str], properties: Mapping[str, Any]
) -> Node:
    ctx.counters.nodes_created += 1
    ctx.counters.labels_added += len(labels)
    ctx.counters.properties_set += len(properties)
    return ctx.must_write().create_node(labels, properties)


def _create_relationship(
    ctx: ExecutionContext, start: int, kind: str, end: int, properties: Mapping[str, Any]
) -> Relationship:
    ctx.counters.relationships_created += 1
    ctx.counters.properties_set += len(properties)
    return ctx.must_write().create_relationship(start, kind, end, properties)


def _set(ctx: ExecutionContext, element: Node | Relationship, new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        ctx.counters.properties_set += ctx.must_write_to(element).set_property(element, key, value)


# --- apoc.merge ----------------------------------------------------------------------------


def _candidates(
    view: GraphView, labels: Sequence[str], wanted: Mapping[str, Any]
) -> Iterator[Node]:
    """Nodes that may be the one: by an index over one of the properties if there is one."""
    for label in labels:
        for index in view.catalog.online_indexes("NODE", label):
            key = index.properties[0]
            if key in wanted:
                ids = list(view.index_seek(index.name, [wanted[key]]))
                return (node for each in ids if (node := view.node(each)) is not None)
    return view.nodes_with_label(labels[0]) if labels else view.nodes()


def _merge_node(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    labels, wanted = _names(arguments[0], "labels"), _identity(arguments[1])
    on_create, on_match = arguments[2] or {}, arguments[3] or {}
    writer = ctx.must_write()
    found = []
    for node in _candidates(view, labels, wanted):
        ctx.tick()
        if set(labels) <= set(node.labels) and _fits(node, wanted):
            found.append(node)
    for node in found:
        _set(ctx, node, on_match)
        yield (node,)
    if not found:
        writer.note_merge([MergedPart(labels, wanted)])
        yield (_create_node(ctx, labels, _without_nulls(wanted, on_create)),)


def _merge_relationship(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    start, kind, wanted, on_create, end, on_match = arguments
    first, last = _node(start, "startNode"), _node(end, "endNode")
    if type(kind) is not str or not kind:
        raise _wrong("relType", "the name of a type", kind)
    wanted = _identity(wanted or {})
    ctx.must_write_to(first)
    writer = ctx.must_write_to(last)
    between = list(view.expand_into(first.id, last.id, Direction.OUT, [kind]))
    found = [each for each in between if _fits(each, wanted)]
    for relationship in found:
        _set(ctx, relationship, on_match or {})
        yield (relationship,)
    if not found:
        writer.note_merge([MergedPart([kind], wanted, (first.id, last.id))])
        properties = _without_nulls(wanted, on_create or {})
        yield (_create_relationship(ctx, first.id, kind, last.id, properties),)


# --- labels, and several nodes into one ----------------------------------------------------


def _add_labels(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    nodes = arguments[0] if type(arguments[0]) is list else [arguments[0]]
    labels = _names(arguments[1], "labels")
    for item in nodes:
        node = _node(item, "nodes")
        ctx.counters.labels_added += ctx.must_write_to(node).add_labels(node.id, labels)
        yield (node,)


def _merge_nodes(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    """Everything of the others goes to the first node: labels, relationships and, as asked,
    properties (``discard`` keeps the first one's, ``overwrite`` takes the last one's, ``combine``
    makes a list). With ``mergeRels`` equal ones between the same nodes become one."""
    if type(arguments[0]) is not list:
        raise _wrong("nodes", "a list of nodes", arguments[0])
    options = arguments[1] or {}
    how = options.get("properties", "combine")
    if how not in ("discard", "overwrite", "override", "combine"):
        raise _wrong("properties", "discard, overwrite or combine", how)
    nodes = {item.id: item for item in (_node(each, "nodes") for each in arguments[0])}
    if not nodes:
        return
    kept, *others = nodes.values()
    writer = ctx.must_write_to(kept)
    for other in others:
        ctx.must_write_to(other)
        ctx.counters.labels_added += writer.add_labels(kept.id, list(other.labels))
        _take_properties(ctx, kept, other, how)
        _take_relationships(ctx, view, kept, other, merge=options.get("mergeRels") is True)
        ctx.counters.nodes_deleted += writer.delete_node(other.id)
    yield (kept,)


def _take_properties(ctx: ExecutionContext, kept: Node, other: Node, how: str) -> None:
    mine = dict(kept.properties)
    new: dict[str, Any] = {}
    for key, value in other.properties.items():
        if key not in mine or how in ("overwrite", "override"):
            new[key] = value
        elif how == "combine" and equals(mine[key], value) is not True:
            before = mine[key] if type(mine[key]) is list else [mine[key]]
            more = value if type(value) is list else [value]
            new[key] = before + [
                item for item in more if not any(equals(item, old) is True for old in before)
            ]
    _set(ctx, kept, new)


def _take_relationships(
    ctx: ExecutionContext, view: GraphView, kept: Node, other: Node, *, merge: bool
) -> None:
    writer = ctx.must_write()
    for relationship in list(view.expand(other.id, Direction.BOTH)):
        ctx.tick()
        start = kept.id if relationship.start == other.id else relationship.start
        end = kept.id if relationship.end == other.id else relationship.end
        properties = dict(relationship.properties)
        ctx.counters.relationships_deleted += writer.delete_relationship(relationship.id)
        there = view.expand_into(start, end, Direction.OUT, [relationship.type]) if merge else ()
        if not any(True for _ in there):
            _create_relationship(ctx, start, relationship.type, end, properties)


def _fields(text: str) -> tuple[ProcedureField, ...]:
    return tuple(ProcedureField(*item.strip().split(" ", 1)) for item in text.split(", "))


_MAP = "MAP"

WRITING: Final = (
    ProcedureDefinition(
        "apoc.merge.node",
        (
            ProcedureField("labels", "LIST<STRING>"),
            ProcedureField("identProps", _MAP),
            ProcedureField("onCreateProps", _MAP, {}),
            ProcedureField("onMatchProps", _MAP, {}),
        ),
        _fields("node NODE"),
        "MERGE of a node whose labels are data.",
        _merge_node,
        "WRITE",
    ),
    ProcedureDefinition(
        "apoc.merge.relationship",
        (
            ProcedureField("startNode", "NODE"),
            ProcedureField("relType", "STRING"),
            ProcedureField("identProps", _MAP),
            ProcedureField("onCreateProps", _MAP),
            ProcedureField("endNode", "NODE"),
            ProcedureField("onMatchProps", _MAP, {}),
        ),
        _fields("rel RELATIONSHIP"),
        "MERGE of a relationship whose type is data.",
        _merge_relationship,
        "WRITE",
    ),
    ProcedureDefinition(
        "apoc.create.addLabels",
        (ProcedureField("nodes", "ANY"), ProcedureField("labels", "LIST<STRING>")),
        _fields("node NODE"),
        "Adds labels to a node or to each of a list.",
        _add_labels,
        "WRITE",
    ),
    ProcedureDefinition(
        "apoc.refactor.mergeNodes",
        (ProcedureField("nodes", "LIST<NODE>"), ProcedureField("config", _MAP, {})),
        _fields("node NODE"),
        "Makes one node of several: the first, with what the others had.",
        _merge_nodes,
        "WRITE",
    ),
)
