"""``CALL { }`` and its ``IN TRANSACTIONS`` form, and ``FOREACH``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from everwhen.errors import EverwhenError, QueryArgumentError, QueryTypeError
from everwhen.exec.build import build, builds
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression
from everwhen.model import values as v
from everwhen.query import physical as p


def _run_inner(
    inner: Runner, row: Row, ctx: ExecutionContext, slots: tuple[int, ...], unit: bool
) -> Iterator[Row]:
    """The rows of one call: the outer row with the subquery's columns."""
    if unit:
        for _ in inner(ctx, row):
            pass
        yield row
        return
    for result in inner(ctx, row):
        found = row[:]
        for slot in slots:
            found[slot] = result[slot]
        yield found


@builds(p.Apply)
def _apply(op: p.Apply) -> Runner:
    child, inner = build(op.child), build(op.inner)
    slots, unit, optional = op.slots, op.unit, op.optional

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            matched = False
            for found in _run_inner(inner, row, ctx, slots, unit):
                matched = True
                yield found
            if optional and not matched:
                padded = row[:]
                for slot in slots:
                    padded[slot] = None
                yield padded

    return run


@builds(p.ApplyInTransactions)
def _apply_in_transactions(op: p.ApplyInTransactions) -> Runner:
    child, size = build(op.child), compile_expression(op.batch)
    batches = _Batches(op)

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        stopped = False
        rows_per_batch = _positive(size(argument, ctx))
        groups = _groups(child(ctx, argument), rows_per_batch)
        for number, rows in enumerate(groups, start=1):
            if stopped:
                yield from map(batches.not_started, rows)
                continue
            found, error = batches.run(rows, ctx, number)
            yield from found
            stopped = error is not None and op.on_error == "break"

    return run


def _positive(size: Any) -> int:
    if type(size) is not int:
        raise QueryTypeError(f"OF … ROWS needs an integer, got {v.to_text(size)}")
    if size < 1:
        raise QueryArgumentError(f"OF … ROWS needs a positive integer, got {size}")
    return size


def _groups(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while group := list(islice(rows, size)):
        yield group


class _Batches:
    """Inner transactions of one ``CALL { } IN TRANSACTIONS``."""

    def __init__(self, op: p.ApplyInTransactions) -> None:
        self._op = op
        self._inner = build(op.inner)

    def run(
        self, rows: list[Row], ctx: ExecutionContext, number: int
    ) -> tuple[list[Row], EverwhenError | None]:
        """One inner transaction; on an error that is tolerated its rows come back null."""
        op = self._op
        found: list[Row] = []
        error: EverwhenError | None = None
        try:
            for row in rows:
                found.extend(_run_inner(self._inner, row, ctx, op.slots, op.unit))
            ctx.environment.commit_batch()
        except EverwhenError as failure:
            if op.on_error == "fail":
                raise
            error = failure
            ctx.environment.rollback_batch()
            found = [self._nulled(row) for row in rows]
        message = None if error is None else error.message
        return [self._with_status(row, number, message) for row in found], error

    def not_started(self, row: Row) -> Row:
        """A row after ON ERROR BREAK stopped the rest."""
        return self._with_status(self._nulled(row), None, None)

    def _nulled(self, row: Row) -> Row:
        padded = row[:]
        for slot in self._op.slots:
            padded[slot] = None
        return padded

    def _with_status(self, row: Row, number: int | None, message: str | None) -> Row:
        if self._op.status is None:
            return row
        found = row[:]
        started = number is not None
        found[self._op.status] = {
            "started": started,
            "committed": started and message is None,
            "transactionId": f"neo4j-transaction-{number}" if started else None,
            "errorMessage": message,
        }
        return found


@builds(p.Foreach)
def _foreach(op: p.Foreach) -> Runner:
    child, source, inner, slot = (
        build(op.child),
        compile_expression(op.source),
        build(op.inner),
        op.slot,
    )

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            elements = source(row, ctx)
            if elements is not None:
                for element in elements if type(elements) is list else [elements]:
                    ctx.tick()
                    start = row[:]
                    start[slot] = element
                    for _ in inner(ctx, start):
                        pass
            yield row

    return run
