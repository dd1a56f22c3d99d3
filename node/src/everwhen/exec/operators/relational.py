"""Operators that know nothing of graphs: filter, project, sort, limit, join, union."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cmp_to_key
from heapq import nsmallest
from typing import Any

from everwhen.errors import SemanticError
from everwhen.exec.build import build, builds
from everwhen.exec.context import Evaluator, ExecutionContext, Row, Runner
from everwhen.exec.expressions import compile_expression, compile_predicate
from everwhen.exec.memory import Held
from everwhen.exec.sizes import row_bytes
from everwhen.model import values as v
from everwhen.query import physical as p


@builds(p.Filter)
def _filter(op: p.Filter) -> Runner:
    child, predicate = build(op.child), compile_predicate(op.predicate)

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            if predicate(row, ctx):
                yield row
            else:
                ctx.tick()

    return run


@builds(p.Project)
def _project(op: p.Project) -> Runner:
    child = build(op.child)
    items = [(slot, compile_expression(expression)) for slot, expression in op.items]
    if len(items) == 1:
        only_slot, only = items[0]

        def one(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
            for row in child(ctx, argument):
                value = only(row, ctx)
                found = row[:]
                found[only_slot] = value
                yield found

        return one

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            values = [(slot, evaluate(row, ctx)) for slot, evaluate in items]
            found = row[:]
            for slot, value in values:
                found[slot] = value
            yield found

    return run


@builds(p.Distinct)
def _distinct(op: p.Distinct) -> Runner:
    child, slots = build(op.child), op.slots

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        seen: set[Any] = set()
        with Held(ctx.memory) as held:
            for row in child(ctx, argument):
                key = tuple([v.group_key(row[slot]) for slot in slots])
                if key not in seen:
                    held.add(100 + 60 * len(slots))
                    seen.add(key)
                    yield row
                else:
                    ctx.tick()

    return run


def count_of(evaluate: Evaluator, what: str) -> Evaluator:
    """A non-negative integer that does not depend on the row."""

    def run(row: Row, ctx: ExecutionContext) -> int:
        value = evaluate(row, ctx)
        if type(value) is not int:
            raise SemanticError(
                f"{what} needs an integer, got {v.to_text(value)}", detail="InvalidArgumentType"
            )
        if value < 0:
            raise SemanticError(
                f"{what} needs a non-negative integer, got {value}",
                detail="NegativeIntegerArgument",
            )
        return value

    return run


def rows_wanted(op: p.Sort) -> Evaluator:
    """How many rows of a sort are needed; None: all."""
    counts = [
        count_of(compile_expression(expression), what)
        for expression, what in ((op.skip, "SKIP"), (op.limit, "LIMIT"))
        if expression is not None
    ]
    return lambda row, ctx: sum(count(row, ctx) for count in counts) if counts else None


@builds(p.Sort)
def _sort(op: p.Sort) -> Runner:
    child = build(op.child)
    keys = [(compile_expression(key.expression), key.descending) for key in op.keys]
    wanted = rows_wanted(op)

    def compare(left: tuple[Any, ...], right: tuple[Any, ...]) -> int:
        for (_, descending), a, b in zip(keys, left[0], right[0], strict=True):
            if a != b:
                return (1 if a < b else -1) if descending else (-1 if a < b else 1)
        return left[1] - right[1]  # type: ignore[no-any-return]

    order = cmp_to_key(compare)

    def keyed(
        ctx: ExecutionContext, argument: Row, held: Held, most: int | None
    ) -> Iterator[tuple[Any, int, Row]]:
        """``most``: rows kept at most."""
        for number, row in enumerate(child(ctx, argument)):
            ctx.tick()
            if most is None or number < most:
                held.add(row_bytes(row))
            yield [v.order_key(evaluate(row, ctx)) for evaluate, _ in keys], number, row

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        most = wanted(argument, ctx)
        with Held(ctx.memory) as held:
            found = keyed(ctx, argument, held, most)
            if most is not None:
                rows = nsmallest(most, found, key=order)
            else:
                rows = list(found)
                # one stable pass per key, the last key first, sorts without Python calls
                for position in range(len(keys) - 1, -1, -1):
                    rows.sort(
                        key=lambda item, at=position: item[0][at],  # type: ignore[misc]
                        reverse=keys[position][1],
                    )
            for _, _, row in rows:
                yield row

    return run


@builds(p.Skip)
def _skip(op: p.Skip) -> Runner:
    child, count = build(op.child), count_of(compile_expression(op.count), "SKIP")

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        left = count(argument, ctx)
        for row in child(ctx, argument):
            if left > 0:
                left -= 1
            else:
                yield row

    return run


@builds(p.Limit)
def _limit(op: p.Limit) -> Runner:
    child, count = build(op.child), count_of(compile_expression(op.count), "LIMIT")
    exhaust = op.exhaust

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        left = count(argument, ctx)
        if left == 0 and not exhaust:
            return
        for row in child(ctx, argument):
            if left > 0:
                left -= 1
                yield row
            if left == 0 and not exhaust:
                return

    return run


@builds(p.Unwind)
def _unwind(op: p.Unwind) -> Runner:
    child, source, slot = build(op.child), compile_expression(op.expression), op.slot

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            value = source(row, ctx)
            if value is None:
                continue
            for element in value if isinstance(value, (list, range)) else (value,):
                ctx.tick()
                found = row[:]
                found[slot] = element
                yield found

    return run


@builds(p.HashJoin)
def _hash_join(op: p.HashJoin) -> Runner:
    child, inner = build(op.child), build(op.inner)
    left, right, slots = compile_expression(op.left), compile_expression(op.right), op.slots

    def table(ctx: ExecutionContext, argument: Row, held: Held) -> dict[Any, list[Any]]:
        """By key, values with the rows they come from."""
        rows: dict[Any, list[Any]] = {}
        for row in inner(ctx, argument):
            value = right(row, ctx)
            if value is not None:
                held.add(row_bytes(row))
                rows.setdefault(v.group_key(value), []).append((value, row))
        return rows

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        rows: dict[Any, list[Any]] | None = None
        with Held(ctx.memory) as held:
            for row in child(ctx, argument):
                if rows is None:
                    rows = table(ctx, argument, held)
                value = left(row, ctx)
                if value is None:
                    continue
                for other, match in rows.get(v.group_key(value), ()):
                    ctx.tick()
                    # the key groups NaN with NaN and null inside lists; equality does not
                    if v.equals(value, other) is True:
                        found = row[:]
                        for slot in slots:
                            found[slot] = match[slot]
                        yield found

    return run


@builds(p.Union)
def _union(op: p.Union) -> Runner:
    parts = [
        (build(part), list(zip(source, op.targets, strict=True)))
        for part, source in zip(op.parts, op.sources, strict=True)
    ]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for part, pairs in parts:
            for row in part(ctx, argument):
                found = argument[:]
                for source, target in pairs:
                    found[target] = row[source]
                yield found

    return run


@builds(p.Optional)
def _optional(op: p.Optional) -> Runner:
    child, inner, slots = build(op.child), build(op.inner), op.slots

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            matched = False
            for found in inner(ctx, row):
                matched = True
                yield found
            if not matched:
                padded = row[:]
                for slot in slots:
                    padded[slot] = None
                yield padded

    return run


@builds(p.Eager)
def _eager(op: p.Eager) -> Runner:
    child = build(op.child)

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        rows: list[Row] = []
        with Held(ctx.memory) as held:
            for row in child(ctx, argument):
                held.add(row_bytes(row))
                rows.append(row)
            yield from rows

    return run


@builds(p.ProduceResults)
def _produce(op: p.ProduceResults) -> Runner:
    """The row narrowed to the columns; a statement without columns is run to its end."""
    child, slots = build(op.child), [slot for _, slot in op.columns]

    def run(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        for row in child(ctx, argument):
            if slots:
                yield [row[slot] for slot in slots]

    return run
