"""Searching vector indexes, and setting vectors (Neo4j 5's names, and an option for exactness)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from everwhen.errors import IndexNotFound, ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.limits import NEAREST_MAX
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import GraphView, Wanted
from everwhen.model.vector import Vector
from everwhen.model.vector_index import coordinates

Rows = Iterator[tuple[Any, ...]]

_WANTS: Final = {"NODE": "queryRelationships", "RELATIONSHIP": "queryNodes"}


def _query(kind: str, ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    ctx.environment.checkpoint()
    name, count, value, options = arguments
    definition = view.catalog.vector_index(name)
    if definition is None:
        raise IndexNotFound(f"there is no vector index named {name!r}")
    if definition.entity != kind:
        raise ProcedureCallFailed(
            f"the vector index {name!r} is not about {kind.lower()}s",
            hint=f"call db.index.vector.{_WANTS[kind]}",
        )
    if count is None or not 1 <= count <= NEAREST_MAX:
        raise ProcedureCallFailed(
            f"the number of nearest neighbours is from 1 to {NEAREST_MAX}, not {count}"
        )
    query = coordinates(value)
    if query is None:
        raise _wrong("query", value)
    wanted = Wanted(count, _exact(options), ctx.environment.checkpoint)
    element: Node | Relationship | None
    for entity, score in view.nearest(name, query, wanted):
        element = view.node(entity) if kind == "NODE" else view.relationship(entity)
        if element is not None:
            yield (element, score)


def _exact(options: Any) -> bool:
    options = {} if options is None else options
    if set(options) - {"exact"} or type(options.get("exact", False)) is not bool:
        raise ProcedureCallFailed("the only option is exact, true or false", hint="{exact: true}")
    return bool(options.get("exact", False))


def _wrong(what: str, value: Any) -> ProcedureCallFailed:
    return ProcedureCallFailed(
        f"{what} must be a vector or a list of numbers, got {v.to_text(value)}",
        detail="InvalidArgumentType",
    )


def _set(
    kind: type[Node | Relationship],
    ctx: ExecutionContext,
    view: GraphView,
    arguments: Sequence[Any],
) -> Rows:
    element, key, value = arguments
    if element is None:
        return
    if not isinstance(element, kind):
        raise ProcedureCallFailed(
            f"the first argument must be a {kind.__name__.lower()}, got {v.to_text(element)}",
            detail="InvalidArgumentType",
        )
    numbers = coordinates(value)
    if not key or not numbers:
        raise _wrong("vector", value) if key else ProcedureCallFailed("the key must not be empty")
    # the constructor refuses what is not finite, and too many dimensions
    kept: Any = value if type(value) is Vector else list(Vector.of(numbers).values())
    ctx.counters.properties_set += ctx.must_write_to(element).set_property(element, key, kept)
    yield from ()


def _procedures() -> Iterator[ProcedureDefinition]:
    for kind, plural, name in (
        ("NODE", "Nodes", "node"),
        ("RELATIONSHIP", "Relationships", "relationship"),
    ):
        yield ProcedureDefinition(
            f"db.index.vector.query{plural}",
            (
                ProcedureField("indexName", "STRING"),
                ProcedureField("numberOfNearestNeighbours", "INTEGER"),
                ProcedureField("query", "ANY"),
                ProcedureField("options", "MAP", {}),
            ),
            (ProcedureField(name, kind), ProcedureField("score", "FLOAT")),
            f"The {plural.lower()} whose vectors are nearest to one, at the time asked about; "
            "{exact: true} compares with all of them.",
            partial(_query, kind),
        )
    for element, word in ((Node, "Node"), (Relationship, "Relationship")):
        yield ProcedureDefinition(
            f"db.create.set{word}VectorProperty",
            (
                ProcedureField(word.lower(), word.upper()),
                ProcedureField("key", "STRING"),
                ProcedureField("vector", "ANY"),
            ),
            (),
            f"Sets a {word.lower()}'s property to a list of finite numbers.",
            partial(_set, element),
            "WRITE",
        )


VECTORS: Final[tuple[ProcedureDefinition, ...]] = tuple(_procedures())
