"""``CALL history(entity)``: what a node or relationship was, one row per version of it.

A version is a maximal interval of constant labels and properties; the row that says ``deleted``
ends the last one. Uncommitted writes are no part of history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from everwhen.errors import ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.limits import INT_MAX
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import EntityKind, Era, GraphView
from everwhen.model.temporal import DateTime

Row = tuple[Any, ...]

_KINDS: Final = {"4:neo4j": EntityKind.NODE, "5:neo4j": EntityKind.RELATIONSHIP}


def _entity(value: Any) -> tuple[EntityKind, int]:
    """:raises ProcedureCallFailed: neither an entity nor an element id."""
    if type(value) is Node:
        return EntityKind.NODE, value.id
    if type(value) is Relationship:
        return EntityKind.RELATIONSHIP, value.id
    if type(value) is str:
        prefix, _, text = value.rpartition(":")
        kind = _KINDS.get(prefix)
        if (
            kind is not None
            and text.isascii()
            and text.isdigit()
            and len(text) <= len(str(INT_MAX))
        ):
            identity = int(text)
            if identity <= INT_MAX:
                return kind, identity
    raise ProcedureCallFailed(
        f"history: the entity must be a node, a relationship or an element id, "
        f"got {v.to_text(value)}",
        detail="InvalidArgumentType",
    )


def _history(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Iterator[Row]:
    if arguments[0] is None:
        return
    kind, identity = _entity(arguments[0])
    last: Era | None = None
    event = ""
    alive = False
    for era in view.history(kind, identity):
        ctx.tick()
        if last is not None:
            yield _row(last, event, kind, era)
        last = era
        event = "deleted" if era.names is None else "changed" if alive else "created"
        alive = era.names is not None
    if last is not None:
        yield _row(last, event, kind, None)


def _row(era: Era, event: str, kind: EntityKind, following: Era | None) -> Row:
    labels = list(era.names) if era.names is not None and kind is EntityKind.NODE else None
    type_ = era.names[0] if era.names and kind is EntityKind.RELATIONSHIP else None
    until = None if following is None else DateTime.of_micros(following.time)
    since = DateTime.of_micros(era.time)
    return (era.version, since, until, event, labels, type_, era.properties)


HISTORY: Final = (
    ProcedureDefinition(
        "history",
        (ProcedureField("entity", "ANY"),),
        (
            ProcedureField("version", "INTEGER"),
            ProcedureField("validFrom", "ZONED DATETIME"),
            ProcedureField("validTo", "ZONED DATETIME"),
            ProcedureField("event", "STRING"),
            ProcedureField("labels", "LIST<STRING>"),
            ProcedureField("type", "STRING"),
            ProcedureField("properties", "MAP"),
        ),
        "What a node, a relationship or the thing of an element id was, version by version.",
        _history,
    ),
)
