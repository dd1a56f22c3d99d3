"""MERGE: match a pattern, or create it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from everwhen.errors import SemanticError
from everwhen.exec.build import build, builds
from everwhen.exec.context import Evaluator, ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.operators.write import (
    LabelsOf,
    compile_change,
    compile_label_source,
    compile_spec,
    property_map,
)
from everwhen.model import values as v
from everwhen.model.elements import Node
from everwhen.query import physical as p


class _Part:
    """One element of the pattern, for the null check and the conflict key."""

    __slots__ = ("labels", "properties", "spec")

    def __init__(self, spec: p.NodeSpec | p.RelationshipSpec) -> None:
        self.spec = spec
        self.properties: Evaluator | None = None
        if spec.properties is not None:
            self.properties = compile_expression(spec.properties)
        self.labels: LabelsOf | None = None
        if isinstance(spec, p.NodeSpec):
            self.labels = compile_label_source(spec.labels)

    def values(self, row: Row, ctx: ExecutionContext) -> dict[str, Any]:
        """The pattern's properties; a null would never match, so it is an error.

        :raises SemanticError: a null property.
        """
        found = {} if self.properties is None else property_map(self.properties(row, ctx))
        for key, value in found.items():
            if value is None:
                raise SemanticError(
                    f"MERGE cannot use a null value for the property {key!r}: "
                    "null never matches, so it would always create",
                    detail="MergeReadOwnWrites",
                )
        return found


def merge_key(parts: list[_Part], row: Row, ctx: ExecutionContext) -> bytes:
    """Canonical bytes of what MERGE looked for: two concurrent MERGEs of the same pattern get
    the same key, so that the second one conflicts (brief, section 4, *pattern* keys)."""
    created = {part.spec.slot: number for number, part in enumerate(parts)}

    def end(slot: int) -> str:
        if slot in created:
            return f"#{created[slot]}"
        node = row[slot]
        return str(node.id) if type(node) is Node else "?"

    text: list[str] = []
    for part in parts:
        values = sorted(part.values(row, ctx).items())
        shown = ",".join(f"{key}={v.to_text(value)}" for key, value in values)
        if part.labels is not None:
            text.append(f"({':'.join(sorted(part.labels(row, ctx)))}{{{shown}}})")
        elif isinstance(part.spec, p.RelationshipSpec):
            kind = part.spec.type if isinstance(part.spec.type, str) else "$"
            text.append(f"[{end(part.spec.start)}-{kind}-{end(part.spec.end)}{{{shown}}}]")
    return "".join(text).encode()


@builds(p.Merge)
def _merge(op: p.Merge) -> Runner:
    child, inner = build(op.child), build(op.inner)
    parts = [_Part(spec) for spec in op.specs]
    specs = [compile_spec(spec) for spec in op.specs]
    on_create = [compile_change(change) for change in op.on_create]
    on_match = [compile_change(change) for change in op.on_match]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            ctx.tick()
            for part in parts:
                part.values(row, ctx)
            # all matches first: what ON MATCH writes must not decide what else matches
            matches = list(inner(ctx, row))
            for found in matches:
                for change in on_match:
                    change(found, ctx)
                yield found
            if not matches:
                yield _created(row, ctx)

    def _created(row: Row, ctx: ExecutionContext) -> Row:
        found = row[:]
        ctx.must_write().note_merge(merge_key(parts, row, ctx))
        for spec in specs:
            spec(found, ctx)
        for change in on_create:
            change(found, ctx)
        return found

    return run
