"""Grouping and aggregation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from everwhen.exec.build import build, builds
from everwhen.exec.context import Evaluator, ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.exec.functions.aggregates import AGGREGATES, Aggregate
from everwhen.exec.memory import Held
from everwhen.exec.sizes import value_bytes
from everwhen.model import values as v
from everwhen.query import bound as b
from everwhen.query import physical as p


class _Cell:
    """One aggregation, compiled: makes accumulators and feeds them."""

    __slots__ = ("argument", "distinct", "extra", "keeps", "make", "slot")

    def __init__(self, slot: int, aggregation: b.Aggregation) -> None:
        self.slot = slot
        self.make = AGGREGATES[aggregation.name]
        self.distinct = aggregation.distinct
        self.keeps = aggregation.distinct or aggregation.name.startswith(("collect", "percentile"))
        self.argument: Evaluator | None = None
        if aggregation.argument is not None:
            self.argument = compile_expression(aggregation.argument)
        self.extra = [compile_expression(item) for item in aggregation.extra]

    def feed(
        self,
        state: Aggregate,
        seen: set[Any] | None,
        row: Row,
        ctx: ExecutionContext,
        held: Held,
    ) -> None:
        """One row's value; aggregations other than ``count(*)`` pass over nulls."""
        if self.argument is None:
            state.update(True)
            return
        value = self.argument(row, ctx)
        if value is None:
            return
        if self.keeps:
            held.add(value_bytes(value))
        if seen is not None:
            key = v.group_key(value)
            if key in seen:
                return
            seen.add(key)
        state.update(value)


class _Group:
    """Accumulators of one combination of grouping values."""

    __slots__ = ("seen", "states", "values")

    def __init__(
        self, values: list[Any], cells: list[_Cell], row: Row, ctx: ExecutionContext
    ) -> None:
        self.values = values
        self.states = [cell.make(*[item(row, ctx) for item in cell.extra]) for cell in cells]
        self.seen: list[set[Any] | None] = [set() if cell.distinct else None for cell in cells]


@builds(p.Aggregate)
def _aggregate(op: p.Aggregate) -> Runner:
    child = build(op.child)
    groups = [(slot, compile_expression(expression)) for slot, expression in op.groups]
    cells = [_Cell(slot, aggregation) for slot, aggregation in op.aggregations]

    def feed(ctx: ExecutionContext, argument: Row, held: Held) -> Iterator[_Group]:
        table: dict[Any, _Group] = {}
        for row in child(ctx, argument):
            ctx.tick()
            values = [evaluate(row, ctx) for _, evaluate in groups]
            key = tuple([v.group_key(value) for value in values])
            group = table.get(key)
            if group is None:
                held.add(200 + sum(value_bytes(value) for value in values))
                group = table[key] = _Group(values, cells, row, ctx)
            for cell, state, seen in zip(cells, group.states, group.seen, strict=True):
                cell.feed(state, seen, row, ctx, held)
        if not table and not groups:
            return iter([_Group([], cells, argument, ctx)])
        return iter(table.values())

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        with Held(ctx.memory) as held:
            for group in feed(ctx, argument, held):
                found = argument[:]
                for (slot, _), value in zip(groups, group.values, strict=True):
                    found[slot] = value
                for cell, state in zip(cells, group.states, strict=True):
                    found[cell.slot] = state.result()
                yield found

    return run
