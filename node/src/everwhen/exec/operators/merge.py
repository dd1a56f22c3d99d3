"""MERGE: match a pattern, or create it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from everwhen.errors import SemanticError
from everwhen.exec.build import build, builds
from everwhen.exec.context import Evaluator, ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.labels import names_of
from everwhen.exec.operators.write import (
    LabelsOf,
    compile_change,
    compile_label_source,
    compile_spec,
    no_end,
    property_map,
)
from everwhen.model.elements import Node
from everwhen.model.graph import MergedPart
from everwhen.query import physical as p


class _Part:
    """One element of the pattern, for the null check and the conflict key."""

    __slots__ = ("labels", "properties", "spec", "type")

    def __init__(self, spec: p.NodeSpec | p.RelationshipSpec) -> None:
        self.spec = spec
        self.properties: Evaluator | None = None
        if spec.properties is not None:
            self.properties = compile_expression(spec.properties)
        self.labels: LabelsOf | None = None
        self.type: Evaluator | None = None
        if isinstance(spec, p.NodeSpec):
            self.labels = compile_label_source(spec.labels)
        elif not isinstance(spec.type, str):
            self.type = compile_expression(spec.type)

    def values(self, row: Row, ctx: ExecutionContext) -> dict[str, Any]:
        """The pattern's properties; a null would never match, so it is an error.

        :raises SemanticError: a null property.
        """
        found = {} if self.properties is None else dict(property_map(self.properties(row, ctx)))
        for key, value in found.items():
            if value is None:
                raise SemanticError(
                    f"MERGE cannot use a null value for the property {key!r}: "
                    "null never matches, so it would always create",
                    detail="MergeReadOwnWrites",
                )
        return found

    def merged(self, created: dict[int, int], row: Row, ctx: ExecutionContext) -> MergedPart:
        """What is told to others; ``created`` numbers the slots that the pattern itself fills."""
        spec, values = self.spec, self.values(row, ctx)
        if isinstance(spec, p.NodeSpec):
            names = [] if self.labels is None else self.labels(row, ctx)
            return MergedPart(names, values)

        def end(slot: int) -> int:
            if slot in created:
                return -1 - created[slot]
            node = row[slot]
            if type(node) is not Node:
                raise no_end(node)
            return node.id

        kinds = names_of(self.type(row, ctx)) if self.type is not None else [str(spec.type)]
        return MergedPart(kinds, values, (end(spec.start), end(spec.end)))


@builds(p.Merge)
def _merge(op: p.Merge) -> Runner:
    child, inner = build(op.child), build(op.inner)
    parts = [_Part(spec) for spec in op.specs]
    numbers = {part.spec.slot: number for number, part in enumerate(parts)}
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
        ctx.must_write().note_merge([part.merged(numbers, row, ctx) for part in parts])
        for spec in specs:
            spec(found, ctx)
        for change in on_create:
            change(found, ctx)
        return found

    return run
