"""Function calls, CASE, expressions with a local variable, subqueries."""

from __future__ import annotations

from typing import Any, cast

import everwhen.model.values as v
from everwhen.errors import QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.exec.expressions.core import (
    compile_expression,
    compile_predicate,
    compiles,
    not_boolean,
)
from everwhen.exec.functions import FUNCTIONS
from everwhen.query import bound as b


def _function(e: b.FunctionCall) -> Evaluator:
    function = FUNCTIONS[e.name]
    fn = function.fn
    arguments = [compile_expression(argument) for argument in e.arguments]
    strict = function.null_in_null_out
    if len(arguments) == 1:
        only = arguments[0]
        if strict:

            def one_strict(row: Row, ctx: ExecutionContext) -> Any:
                value = only(row, ctx)
                return None if value is None else fn(ctx, value)

            return one_strict
        return lambda row, ctx: fn(ctx, only(row, ctx))

    def run(row: Row, ctx: ExecutionContext) -> Any:
        values = [argument(row, ctx) for argument in arguments]
        if strict and None in values:
            for value in values:
                if value is None:
                    return None
        return fn(ctx, *values)

    return run


def _coalesce(arguments: tuple[b.Expression, ...]) -> Evaluator:
    compiled = [compile_expression(argument) for argument in arguments]

    def run(row: Row, ctx: ExecutionContext) -> Any:
        for argument in compiled:
            value = argument(row, ctx)
            if value is not None:
                return value
        return None

    return run


@compiles(b.FunctionCall)
def _function_or_lazy(e: b.FunctionCall) -> Evaluator:
    return _coalesce(e.arguments) if e.name == "coalesce" else _function(e)


@compiles(b.Case)
def _case(e: b.Case) -> Evaluator:
    condition = compile_predicate if e.subject is None else compile_expression
    alternatives = [(condition(when), compile_expression(then)) for when, then in e.alternatives]
    default = compile_expression(e.default) if e.default is not None else None
    subject = compile_expression(e.subject) if e.subject is not None else None

    def run(row: Row, ctx: ExecutionContext) -> Any:
        if subject is None:
            for when, then in alternatives:
                if when(row, ctx):
                    return then(row, ctx)
        else:
            value = subject(row, ctx)
            for when, then in alternatives:
                other = when(row, ctx)
                if v.equals(value, other) is True:  # null equals nothing, not even null
                    return then(row, ctx)
        return None if default is None else default(row, ctx)

    return run


def _elements(value: Any, what: str) -> list[Any]:
    if type(value) is list:
        return value
    raise QueryTypeError(
        f"{what} needs a list, got {v.type_name(value)}", detail="InvalidArgumentType"
    )


@compiles(b.ListComprehension)
def _list_comprehension(e: b.ListComprehension) -> Evaluator:
    source = compile_expression(e.source)
    predicate = compile_predicate(e.predicate) if e.predicate is not None else None
    projection = compile_expression(e.projection) if e.projection is not None else None
    slot = e.slot

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = source(row, ctx)
        if value is None:
            return None
        result = []
        for element in _elements(value, "a list comprehension"):
            ctx.tick()
            row[slot] = element
            if predicate is None or predicate(row, ctx):
                result.append(element if projection is None else projection(row, ctx))
        return result

    return run


@compiles(b.Quantifier)
def _quantifier(e: b.Quantifier) -> Evaluator:
    source, predicate = compile_expression(e.source), compile_expression(e.predicate)
    slot, kind = e.slot, e.kind

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        value = source(row, ctx)
        if value is None:
            return None
        true = unknown = false = 0
        for element in _elements(value, f"{kind}()"):
            row[slot] = element
            verdict = predicate(row, ctx)
            if verdict is True:
                true += 1
            elif verdict is None:
                unknown += 1
            elif verdict is False:
                false += 1
            else:
                raise not_boolean(verdict)
        return _quantified(kind, true, false, unknown)

    return run


def _quantified(kind: str, true: int, false: int, unknown: int) -> bool | None:
    if kind == "all":
        return False if false else (None if unknown else True)
    if kind == "any":
        return True if true else (None if unknown else False)
    if kind == "none":
        return False if true else (None if unknown else True)
    if true > 1:
        return False
    return None if unknown else true == 1


@compiles(b.Reduce)
def _reduce(e: b.Reduce) -> Evaluator:
    initial, source = compile_expression(e.initial), compile_expression(e.source)
    expression = compile_expression(e.expression)
    accumulator, slot = e.accumulator, e.slot

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = source(row, ctx)
        if value is None:
            return None
        total = initial(row, ctx)
        for element in _elements(value, "reduce()"):
            ctx.tick()
            row[accumulator] = total
            row[slot] = element
            total = expression(row, ctx)
        return total

    return run


@compiles(b.Subquery)
def _subquery(e: b.Subquery) -> Evaluator:
    from everwhen.exec.build import build

    run = build(e.plan)
    if e.kind == "EXISTS":

        def exists(row: Row, ctx: ExecutionContext) -> bool:
            return next(iter(run(ctx, row)), None) is not None

        return exists
    if e.kind == "COUNT":

        def count(row: Row, ctx: ExecutionContext) -> int:
            return sum(1 for _ in run(ctx, row))

        return count
    column = cast("int", e.column)

    def collect(row: Row, ctx: ExecutionContext) -> list[Any]:
        return [inner[column] for inner in run(ctx, row)]

    return collect
