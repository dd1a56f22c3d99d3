"""``CALL diff(from, to, label)``: what differs between two moments, one row an entity.

The cost is that of what was written in between, not that of the graph. What was changed and changed
back is no difference. Uncommitted writes are none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from everwhen.errors import ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.model.graph import Described, Difference, EntityKind, GraphView
from everwhen.model.moments import moment_micros

Row = tuple[Any, ...]


def _diff(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Iterator[Row]:
    first, second, name = arguments
    if first is None or second is None:
        raise ProcedureCallFailed(
            "diff: both moments must be given, got null", detail="InvalidArgumentType"
        )
    one = ctx.view_at("time", moment_micros(first))
    other = ctx.view_at("time", moment_micros(second))
    back = one.version > other.version
    earlier, later = (other, one) if back else (one, other)
    for found in later.differences(earlier.version):
        ctx.tick()
        old, new = (found.new, found.old) if back else (found.old, found.new)
        if name is None or _has(old, name) or _has(new, name):
            yield _row(found, old, new)


def _has(described: Described | None, name: str) -> bool:
    return described is not None and name in described.names


def _row(found: Difference, old: Described | None, new: Described | None) -> Row:
    event = "added" if old is None else "removed" if new is None else "changed"
    known = old if new is None else new
    if found.kind is EntityKind.NODE:
        return (
            event,
            f"4:neo4j:{found.id}",
            None if old is None else list(old.names),
            None if new is None else list(new.names),
            None,
            None,
            None,
            None if old is None else old.properties,
            None if new is None else new.properties,
        )
    ends = None if known is None else known.ends
    return (
        event,
        f"5:neo4j:{found.id}",
        None,
        None,
        None if known is None else known.names[0],
        None if ends is None else f"4:neo4j:{ends[0]}",
        None if ends is None else f"4:neo4j:{ends[1]}",
        None if old is None else old.properties,
        None if new is None else new.properties,
    )


DIFFERENCE: Final = (
    ProcedureDefinition(
        "diff",
        (
            ProcedureField("from", "ANY"),
            ProcedureField("to", "ANY"),
            ProcedureField("label", "STRING", None),
        ),
        (
            ProcedureField("event", "STRING"),
            ProcedureField("elementId", "STRING"),
            ProcedureField("oldLabels", "LIST<STRING>"),
            ProcedureField("newLabels", "LIST<STRING>"),
            ProcedureField("type", "STRING"),
            ProcedureField("startElementId", "STRING"),
            ProcedureField("endElementId", "STRING"),
            ProcedureField("old", "MAP"),
            ProcedureField("new", "MAP"),
        ),
        "What was added, removed or changed between two moments; of one label or type if given.",
        _diff,
    ),
)
