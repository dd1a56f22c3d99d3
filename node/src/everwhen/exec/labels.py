"""Label expressions as closures over a tuple of labels (or the one type of a relationship)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import everwhen.model.values as v
from everwhen.errors import QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.query import bound as b

LabelTest = Callable[[tuple[str, ...], Row, ExecutionContext], bool]


def compile_labels(
    expression: b.LabelExpression, compile_expression: Callable[[b.Expression], Evaluator]
) -> LabelTest:
    """A closure that tells whether labels satisfy the expression."""
    if isinstance(expression, b.LabelName):
        name = expression.name
        return lambda labels, row, ctx: name in labels
    if isinstance(expression, b.LabelWildcard):
        return lambda labels, row, ctx: bool(labels)
    if isinstance(expression, b.LabelNot):
        inner = compile_labels(expression.operand, compile_expression)
        return lambda labels, row, ctx: not inner(labels, row, ctx)
    if isinstance(expression, b.LabelDynamic):
        evaluate = compile_expression(expression.expression)
        quantified = any if expression.any else all

        def dynamic(labels: tuple[str, ...], row: Row, ctx: ExecutionContext) -> bool:
            return quantified(name in labels for name in names_of(evaluate(row, ctx)))

        return dynamic
    tests = [compile_labels(operand, compile_expression) for operand in expression.operands]
    combined = all if isinstance(expression, b.LabelAnd) else any
    return lambda labels, row, ctx: combined(test(labels, row, ctx) for test in tests)


def names_of(value: Any) -> list[str]:
    """Names given by a dynamic label ``$(expr)``: a string, or a list of strings.

    :raises QueryTypeError: anything else, or an empty string.
    """
    names = value if type(value) is list else [value]
    for name in names:
        if type(name) is not str or not name:
            raise QueryTypeError(
                f"a dynamic label or type must be a non-empty string, got {v.to_text(name)}",
                detail="InvalidArgumentType",
            )
    return names
