"""The functions of APOC that neo4j-graphrag and neomodel call."""

from __future__ import annotations

from typing import Any, Final

from everwhen.exec.apoc_kinds import exact_kind_of
from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import Registry, register, wrong_type
from everwhen.model.elements import Node, Relationship

FUNCTIONS: Final[Registry] = {}


@register(
    FUNCTIONS,
    "Scalar",
    "apoc.any.property(thing :: ANY, key :: STRING) :: ANY",
    "A property of a node, of a relationship, or of a map.",
)
def _property(ctx: FunctionContext, thing: Any, key: Any) -> Any:
    if type(key) is not str:
        raise wrong_type("apoc.any.property", "the name of a property", key)
    if type(thing) is dict:
        return thing.get(key)
    if type(thing) is Node or type(thing) is Relationship:
        return thing.properties.get(key)
    raise wrong_type("apoc.any.property", "a node, a relationship or a map", thing)


@register(
    FUNCTIONS,
    "Scalar",
    "apoc.meta.cypher.types(props :: ANY) :: MAP",
    "The type of each property, by name.",
)
def _types(ctx: FunctionContext, value: Any) -> dict[str, str]:
    if type(value) is Node or type(value) is Relationship:
        value = value.properties
    elif type(value) is not dict:
        raise wrong_type("apoc.meta.cypher.types", "a node, a relationship or a map", value)
    return {key: exact_kind_of(item) for key, item in value.items()}
