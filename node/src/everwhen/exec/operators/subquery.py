"""``CALL { }`` and its ``IN TRANSACTIONS`` form, and ``FOREACH``."""

from __future__ import annotations

from collections.abc import Iterator

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
    child, inner = build(op.child), build(op.inner)
    batch = compile_expression(op.batch)
    slots, unit, on_error, status = op.slots, op.unit, op.on_error, op.status

    def run_batch(
        rows: list[Row], ctx: ExecutionContext, number: int
    ) -> tuple[list[Row], EverwhenError | None]:
        """One inner transaction; on an error that is tolerated its rows come back null."""
        found: list[Row] = []
        error: EverwhenError | None = None
        try:
            for row in rows:
                found.extend(_run_inner(inner, row, ctx, slots, unit))
            ctx.environment.commit_batch()
        except EverwhenError as failure:
            if on_error == "fail":
                raise
            error = failure
            ctx.environment.rollback_batch()
            found = [_nulled(row) for row in rows]
        if status is not None:
            for row in found:
                row[status] = {
                    "started": True,
                    "committed": error is None,
                    "transactionId": f"neo4j-transaction-{number}",
                    "errorMessage": None if error is None else error.message,
                }
        return found, error

    def _nulled(row: Row) -> Row:
        padded = row[:]
        for slot in slots:
            padded[slot] = None
        return padded

    def not_started(row: Row) -> Row:
        padded = _nulled(row)
        if status is not None:
            padded[status] = {
                "started": False,
                "committed": False,
                "transactionId": None,
                "errorMessage": None,
            }
        return padded

    def batches(ctx: ExecutionContext, argument: Row) -> Iterator[list[Row]]:
        size = batch(argument, ctx)
        if type(size) is not int:
            raise QueryTypeError(f"OF … ROWS needs an integer, got {v.to_text(size)}")
        if size < 1:
            raise QueryArgumentError(f"OF … ROWS needs a positive integer, got {size}")
        rows: list[Row] = []
        for row in child(ctx, argument):
            rows.append(row)
            if len(rows) == size:
                yield rows
                rows = []
        if rows:
            yield rows

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        stopped = False
        for number, rows in enumerate(batches(ctx, argument), start=1):
            if stopped:
                yield from map(not_started, rows)
                continue
            found, error = run_batch(rows, ctx, number)
            yield from found
            stopped = error is not None and on_error == "break"

    return run


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
