"""Functions of nodes, relationships and paths; ``keys`` and ``properties`` take maps as well.

An element reads through the view it was bound at, and what is derived from it (``startNode``)
is bound at that view too: a relationship of last year has ends of last year.
"""

from __future__ import annotations

from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, register, wrong_type
from everwhen.model.elements import Node, Path, Relationship

FUNCTIONS: Final[Registry] = {}

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


@register(
    FUNCTIONS,
    "Scalar",
    "startNode(input :: RELATIONSHIP) :: NODE",
    "The node a relationship starts at.",
)
def _start_node(ctx: FunctionContext, value: Any) -> Node:
    if type(value) is Relationship:
        return Node(value.start, value.view)
    raise wrong_type("startNode", "a relationship", value)


@register(
    FUNCTIONS,
    "Scalar",
    "endNode(input :: RELATIONSHIP) :: NODE",
    "The node a relationship ends at.",
)
def _end_node(ctx: FunctionContext, value: Any) -> Node:
    if type(value) is Relationship:
        return Node(value.end, value.view)
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
