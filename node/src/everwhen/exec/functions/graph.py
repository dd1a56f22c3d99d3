"""Functions of nodes, relationships and paths; ``keys`` and ``properties`` take maps as well.

An element reads through the view it was bound at, and what is derived from it (``startNode``)
is bound at that view too: a relationship of last year has ends of last year.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import Any, Final, cast

from everwhen.errors import QueryArgumentError
from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, register, wrong_type
from everwhen.model.elements import Detached, Node, Path, Relationship
from everwhen.model.graph import EntityKind, GraphView, Span
from everwhen.model.temporal import DateTime

FUNCTIONS: Final[Registry] = {}

_since = attrgetter("since")
_ELEMENT: Final = "NODE | RELATIONSHIP"


@register(
    FUNCTIONS,
    "Scalar",
    f"id(input :: {_ELEMENT}) :: INTEGER",
    "The number of a node or relationship; never reused.",
)
def _id(ctx: FunctionContext, value: Any) -> int:
    if type(value) is Node or type(value) is Relationship:
        return int(value.id)
    raise wrong_type("id", "a node or relationship", value)


@register(
    FUNCTIONS,
    "Scalar",
    f"elementId(input :: {_ELEMENT}) :: STRING",
    "The identifier of a node or relationship as drivers show it.",
)
def _element_id(ctx: FunctionContext, value: Any) -> str:
    if type(value) is Node or type(value) is Relationship:
        return str(value.element_id)
    raise wrong_type("elementId", "a node or relationship", value)


def _span(ctx: FunctionContext, name: str, value: Any) -> Span | None:
    """The version that an element has where it was bound; None while it is not committed."""
    if type(value) is not Node and type(value) is not Relationship:
        raise wrong_type(name, "a node or relationship", value)
    if isinstance(value.view, Detached):  # made by a procedure, not read
        return None
    kind = EntityKind.NODE if type(value) is Node else EntityKind.RELATIONSHIP
    bound = cast("GraphView", value.view)
    # when it ended is known to the statement, not to the past it was read in
    past = bound.version < ctx.view.version
    spans = (ctx.view if past else bound).spans(kind, value.id)
    if past and not spans:  # written to by this transaction, which is nothing to the past
        spans = ctx.view.at_version(ctx.view.version).spans(kind, value.id)
    at = bisect_right(spans, bound.version, key=_since) - 1
    span = spans[at] if at >= 0 else None
    return span if span is None or span.until is None or bound.version < span.until else None


@register(
    FUNCTIONS,
    "Temporal",
    f"validFrom(input :: {_ELEMENT}) :: ZONED DATETIME",
    "Since when its labels and properties are as they are read here; null if not yet committed.",
)
def _valid_from(ctx: FunctionContext, value: Any) -> DateTime | None:
    span = _span(ctx, "validFrom", value)
    return None if span is None else DateTime.of_micros(ctx.view.time_of(span.since))


@register(
    FUNCTIONS,
    "Temporal",
    f"validTo(input :: {_ELEMENT}) :: ZONED DATETIME",
    "When what is read here was changed or deleted; null if it still holds.",
)
def _valid_to(ctx: FunctionContext, value: Any) -> DateTime | None:
    span = _span(ctx, "validTo", value)
    if span is None or span.until is None:
        return None
    return DateTime.of_micros(ctx.view.time_of(span.until))


@register(
    FUNCTIONS,
    "Scalar",
    f"version(input :: {_ELEMENT}) :: INTEGER",
    "The number of the commit that made it as it is read here; null if not yet committed.",
)
def _version(ctx: FunctionContext, value: Any) -> int | None:
    span = _span(ctx, "version", value)
    return None if span is None else span.since


@register(
    FUNCTIONS,
    "Scalar",
    "restorePoint(name :: STRING) :: INTEGER",
    "The version that a restore point keeps: `AT VERSION restorePoint('before the import')`.",
)
def _restore_point(ctx: FunctionContext, value: Any) -> int:
    if not isinstance(value, str):
        raise wrong_type("restorePoint", "the name of a restore point", value)
    version = ctx.restore_point(value)
    if version is None:
        raise QueryArgumentError(
            f"there is no restore point `{value}`", hint="SHOW RESTORE POINTS lists them"
        )
    return version


@register(FUNCTIONS, "List", "labels(input :: NODE) :: LIST<STRING>", "The labels of a node.")
def _labels(ctx: FunctionContext, value: Any) -> list[str]:
    if type(value) is Node:
        return list(value.labels)
    raise wrong_type("labels", "a node", value, "InvalidArgumentValue")


@register(
    FUNCTIONS, "Scalar", "type(input :: RELATIONSHIP) :: STRING", "The type of a relationship."
)
def _type(ctx: FunctionContext, value: Any) -> str:
    if type(value) is Relationship:
        return value.type
    raise wrong_type("type", "a relationship", value, "InvalidArgumentValue")


@register(
    FUNCTIONS,
    "Scalar",
    f"properties(input :: {_ELEMENT} | MAP) :: MAP",
    "All properties as a map.",
)
def _properties(ctx: FunctionContext, value: Any) -> dict[str, Any]:
    if type(value) is dict:
        return value
    if type(value) is Node or type(value) is Relationship:
        return dict(value.properties)
    raise wrong_type("properties", "a node, a relationship or a map", value)


@register(
    FUNCTIONS,
    "List",
    f"keys(input :: {_ELEMENT} | MAP) :: LIST<STRING>",
    "The names of all properties.",
)
def _keys(ctx: FunctionContext, value: Any) -> list[str]:
    if type(value) is dict:
        return list(value)
    if type(value) is Node or type(value) is Relationship:
        return list(value.properties)
    raise wrong_type("keys", "a node, a relationship or a map", value)


def _bound_with(relationship: Relationship, node_id: int) -> Node:
    """An end of it. Of what a procedure made up, only the id is known."""
    view = relationship.view
    return Node(node_id, Detached((), {}) if isinstance(view, Detached) else view)


@register(
    FUNCTIONS,
    "Scalar",
    "startNode(input :: RELATIONSHIP) :: NODE",
    "The node a relationship starts at.",
)
def _start_node(ctx: FunctionContext, value: Any) -> Node:
    if type(value) is Relationship:
        return _bound_with(value, value.start)
    raise wrong_type("startNode", "a relationship", value)


@register(
    FUNCTIONS,
    "Scalar",
    "endNode(input :: RELATIONSHIP) :: NODE",
    "The node a relationship ends at.",
)
def _end_node(ctx: FunctionContext, value: Any) -> Node:
    if type(value) is Relationship:
        return _bound_with(value, value.end)
    raise wrong_type("endNode", "a relationship", value)


@register(
    FUNCTIONS, "List", "nodes(input :: PATH) :: LIST<NODE>", "The nodes of a path, in its order."
)
def _nodes(ctx: FunctionContext, value: Any) -> list[Node]:
    if type(value) is Path:
        return list(value.nodes)
    raise wrong_type("nodes", "a path", value)


@register(
    FUNCTIONS,
    "List",
    "relationships(input :: PATH) :: LIST<RELATIONSHIP>",
    "The relationships of a path, in its order.",
)
def _relationships(ctx: FunctionContext, value: Any) -> list[Relationship]:
    if type(value) is Path:
        return list(value.relationships)
    raise wrong_type("relationships", "a path", value)


@register(
    FUNCTIONS,
    "Scalar",
    "length(input :: PATH) :: INTEGER",
    "The number of relationships of a path.",
)
def _length(ctx: FunctionContext, value: Any) -> int:
    if type(value) is Path:
        return len(value)
    raise wrong_type("length", "a path", value)
