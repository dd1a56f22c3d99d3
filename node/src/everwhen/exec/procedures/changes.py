"""``CALL changes(from, to)``: what the commits between two moments changed, one row a change.

Those after ``from`` up to ``to``, in the order they were made; change capture (docs/changes.md)
tells the same. Uncommitted writes are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.model.changes import ChangeRecord
from everwhen.model.graph import EntityKind, GraphView
from everwhen.model.moments import moment_micros
from everwhen.model.temporal import DateTime

Row = tuple[Any, ...]


def _changes(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Iterator[Row]:
    first, last = arguments
    since = None if first is None else ctx.view_at("time", moment_micros(first)).version
    upto = view if last is None else ctx.view_at("time", moment_micros(last))
    for record in upto.changes(since, ctx.tick):
        yield _row(record)


def _row(record: ChangeRecord) -> Row:
    commit = record.commit
    node = record.kind is EntityKind.NODE
    ends = record.ends
    return (
        commit.version,
        record.number,
        DateTime.of_micros(commit.time),
        commit.principal,
        dict(commit.metadata),
        record.event,
        f"{4 if node else 5}:neo4j:{record.id}",
        list(record.names) if node else None,
        None if record.old_names is None else list(record.old_names),
        None if node else record.names[0],
        None if ends is None else f"4:neo4j:{ends[0]}",
        None if ends is None else f"4:neo4j:{ends[1]}",
        record.old,
        record.new,
    )


CHANGES: Final = (
    ProcedureDefinition(
        "changes",
        (ProcedureField("from", "ANY", None), ProcedureField("to", "ANY", None)),
        (
            ProcedureField("version", "INTEGER"),
            ProcedureField("number", "INTEGER"),
            ProcedureField("time", "ZONED DATETIME"),
            ProcedureField("principal", "STRING"),
            ProcedureField("metadata", "MAP"),
            ProcedureField("event", "STRING"),
            ProcedureField("elementId", "STRING"),
            ProcedureField("labels", "LIST<STRING>"),
            ProcedureField("oldLabels", "LIST<STRING>"),
            ProcedureField("type", "STRING"),
            ProcedureField("startElementId", "STRING"),
            ProcedureField("endElementId", "STRING"),
            ProcedureField("old", "MAP"),
            ProcedureField("new", "MAP"),
        ),
        "What the commits after one moment up to another changed, one row for each change.",
        _changes,
    ),
)
