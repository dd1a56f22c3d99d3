"""Grouping and aggregation over batches.

Rows are gathered as typed columns and grouped many at a time: the keys of the groups so far stand
before the new rows, and since groups are numbered by their first rows they keep their numbers. The
more groups there are, the more rows are gathered, so that each row is looked at a bounded number of
times. What each aggregation keeps by group is in ``exec.batch.aggregates``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from everwhen.exec.batch.aggregates import Accumulator, accumulator
from everwhen.exec.batch.core import (
    Batch,
    BatchContext,
    BatchRunner,
    Scope,
    VectorEvaluator,
    Weights,
    batch_builds,
    build_batch,
    one_by_one,
)
from everwhen.exec.batch.expressions import compile_vector, is_constant
from everwhen.exec.batch.ordering import number
from everwhen.exec.batch.values import pieces
from everwhen.exec.batch.vectors import column, joined, vector_bytes
from everwhen.exec.context import Evaluator
from everwhen.exec.expressions import compile_expression
from everwhen.exec.memory import Held
from everwhen.model.columns import Vector
from everwhen.query import bound as b
from everwhen.query import physical as p

#: rows gathered before they are told apart
_GATHERED_ROWS: Final = 262_144
#: the same where there is one group only
_FED_ROWS: Final = 4_096


@dataclass(slots=True)
class _Cell:
    """One aggregation, compiled."""

    slot: int
    aggregation: b.Aggregation
    argument: VectorEvaluator | None
    #: further arguments, the same for all rows
    extra: list[Evaluator]


@dataclass(slots=True)
class _Gathered:
    """Columns of one batch."""

    length: int
    keys: list[Vector]
    arguments: list[Vector | None]
    weights: Weights | None

    def size(self) -> int:
        vectors = [*self.keys, *(v for v in self.arguments if v is not None)]
        return sum(map(vector_bytes, vectors)) + 8 * self.length * (self.weights is not None)


@dataclass(slots=True)
class _Table:
    """Groups so far."""

    ctx: BatchContext
    accumulators: list[Accumulator]
    held: Held
    #: rows gathered before they are grouped
    rows_most: int
    count: int = 0
    keys: list[Vector] = field(default_factory=list)
    waiting: list[_Gathered] = field(default_factory=list)
    rows: int = 0

    def gather(self, batch: _Gathered) -> None:
        self.waiting.append(batch)
        self.rows += batch.length
        self.held.add(batch.size())
        if self.rows >= max(self.rows_most, self.count):
            self.group()

    def group(self) -> None:
        """Takes what was gathered into the groups."""
        batches, self.waiting, self.rows = self.waiting, [], 0
        if not batches:
            return
        self.ctx.check()
        before, ctx = self.count, self.ctx
        new = sum(batch.length for batch in batches)
        columns = [
            joined([*self.keys[at : at + 1], *(batch.keys[at] for batch in batches)], ctx)
            for at in range(len(batches[0].keys))
        ]
        if columns:
            groups = number(columns, before + new, ctx)
            numbers = groups.numbers[before:]
            self.count = len(groups.firsts)
            self.keys = [key.take(groups.firsts) for key in columns]
        else:
            numbers, self.count = np.zeros(new, np.int64), 1
        weights = _weights(batches)
        for at, accumulator_ in enumerate(self.accumulators):
            first = batches[0].arguments[at]
            argument = None
            if first is not None:
                argument = joined([v for b in batches if (v := b.arguments[at]) is not None], ctx)
            accumulator_.feed(argument, numbers, weights, self.count)
        states = sum(state.size() for state in self.accumulators)
        self.held.become(sum(map(vector_bytes, self.keys)) + states)


def _weights(batches: list[_Gathered]) -> Weights | None:
    if all(batch.weights is None for batch in batches):
        return None
    return np.concatenate(
        [np.ones(x.length, np.int64) if x.weights is None else x.weights for x in batches]
    )


@batch_builds(p.Aggregate)
def _aggregate(op: p.Aggregate, scope: Scope) -> BatchRunner | None:
    child = build_batch(op.child, scope)
    extra = [item for _, aggregation in op.aggregations for item in aggregation.extra]
    if child is None or not all(map(is_constant, extra)):
        return None
    child = one_by_one(child, [item for _, item in (*op.groups, *op.aggregations)])
    groups = [(slot, compile_vector(expression, scope)) for slot, expression in op.groups]
    cells = [
        _Cell(
            slot,
            aggregation,
            None if aggregation.argument is None else compile_vector(aggregation.argument, scope),
            [compile_expression(item) for item in aggregation.extra],
        )
        for slot, aggregation in op.aggregations
    ]

    def run(ctx: BatchContext, argument: Batch) -> Iterator[Batch]:
        with Held(ctx.rows.memory) as held:
            most = _GATHERED_ROWS if groups or scope else _FED_ROWS
            table = _Table(ctx, [accumulator(cell.aggregation, ctx) for cell in cells], held, most)
            if not groups:
                _every_origin(table, argument, scope)
            for batch in child(ctx, argument):
                table.gather(_gathered(batch, groups, cells, scope, ctx))
            table.group()
            if table.count:
                found = _result(table, groups, cells, argument, scope)
                yield from pieces(found, ctx.batch_rows)

    return run


def _gathered(
    batch: Batch,
    groups: list[tuple[int, VectorEvaluator]],
    cells: list[_Cell],
    scope: Scope,
    ctx: BatchContext,
) -> _Gathered:
    origin = [column(batch, scope[-1])] if scope else []
    return _Gathered(
        batch.length,
        origin + [evaluate(batch, ctx) for _, evaluate in groups],
        [None if cell.argument is None else cell.argument(batch, ctx) for cell in cells],
        batch.weights,
    )


def _every_origin(table: _Table, argument: Batch, scope: Scope) -> None:
    """Without grouping there is a row for each argument row, also where no rows come."""
    table.count = argument.length if scope else 1
    table.keys = [column(argument, scope[-1])] if scope else []


def _result(
    table: _Table,
    groups: list[tuple[int, VectorEvaluator]],
    cells: list[_Cell],
    argument: Batch,
    scope: Scope,
) -> Batch:
    """Rows as copies of the argument rows, with the slots of groups and aggregations set."""
    keys = table.keys
    origins = np.zeros(table.count, np.int64)
    if scope:
        origins, keys = keys[0].data, keys[1:]
    columns = {slot: vector.take(origins) for slot, vector in argument.columns.items()}
    for (slot, _), key in zip(groups, keys, strict=True):
        columns[slot] = key
    ctx = table.ctx
    for cell, state in zip(cells, table.accumulators, strict=True):
        extra = [evaluate([None] * ctx.width, ctx.rows) for evaluate in cell.extra]
        columns[cell.slot] = state.result(table.count, extra)
    return Batch(table.count, columns)
