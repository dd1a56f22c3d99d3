"""Arithmetic, comparison, text, logic, type and label tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import everwhen.model.values as v
from everwhen.errors import QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.exec.expressions.core import (
    compile_expression,
    compiles,
    not_boolean,
)
from everwhen.exec.expressions.patterns import matches
from everwhen.exec.labels import compile_labels
from everwhen.model import arithmetic
from everwhen.model.elements import Node, Relationship
from everwhen.model.types import matches_type
from everwhen.query import bound as b


@compiles(b.Unary)
def _unary(e: b.Unary) -> Evaluator:
    operand = compile_expression(e.operand)
    if e.operator == "-":
        return lambda row, ctx: arithmetic.negate(operand(row, ctx))
    return lambda row, ctx: arithmetic.plus(operand(row, ctx))


def _starts_with(left: Any, right: Any) -> bool | None:
    return left.startswith(right) if type(left) is str and type(right) is str else None


def _ends_with(left: Any, right: Any) -> bool | None:
    return left.endswith(right) if type(left) is str and type(right) is str else None


def _contains(left: Any, right: Any) -> bool | None:
    return right in left if type(left) is str and type(right) is str else None


def _unequal(left: Any, right: Any) -> bool | None:
    same = v.equals(left, right)
    return None if same is None else not same


def _less(left: Any, right: Any) -> bool | None:
    order = v.compare(left, right)
    return None if order is None else order < 0


def _less_equal(left: Any, right: Any) -> bool | None:
    order = v.compare(left, right)
    return None if order is None else order <= 0


def _greater(left: Any, right: Any) -> bool | None:
    order = v.compare(left, right)
    return None if order is None else order > 0


def _greater_equal(left: Any, right: Any) -> bool | None:
    order = v.compare(left, right)
    return None if order is None else order >= 0


def _xor(left: Any, right: Any) -> bool | None:
    for value in (left, right):
        if value is not None and type(value) is not bool:
            raise not_boolean(value)
    result: bool | None = v.xor3(left, right)
    return result


#: what binary operators do with two values
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.modulo,
    "^": arithmetic.power,
    "=": v.equals,
    "<>": _unequal,
    "<": _less,
    "<=": _less_equal,
    ">": _greater,
    ">=": _greater_equal,
    "IN": v.in_list,
    "=~": matches,
    "STARTS_WITH": _starts_with,
    "ENDS_WITH": _ends_with,
    "CONTAINS": _contains,
    "||": arithmetic.concatenate,
    "XOR": _xor,
}


@compiles(b.Binary)
def _binary(e: b.Binary) -> Evaluator:
    operation = BINARY[e.operator]
    left = compile_expression(e.left)
    if operation is matches:
        pattern = compile_expression(e.right)
        return lambda row, ctx: matches(
            left(row, ctx), pattern(row, ctx), ctx.environment.checkpoint
        )
    if type(e.right) is b.Literal:
        constant = e.right.value
        return lambda row, ctx: operation(left(row, ctx), constant)
    right = compile_expression(e.right)
    return lambda row, ctx: operation(left(row, ctx), right(row, ctx))


@compiles(b.Not)
def _not(e: b.Not) -> Evaluator:
    operand = compile_expression(e.operand)

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        value = operand(row, ctx)
        if value is None:
            return None
        if type(value) is not bool:
            raise not_boolean(value)
        return not value

    return run


def _and_or(operands: tuple[b.Expression, ...], decisive: bool) -> Evaluator:
    """AND (decisive is False) and OR (decisive is True)."""
    compiled = [compile_expression(operand) for operand in operands]

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        result: bool | None = not decisive
        for operand in compiled:
            value = operand(row, ctx)
            if value is decisive:
                return bool(decisive)
            if value is None:
                result = None
            elif type(value) is not bool:
                raise not_boolean(value)
        return result

    return run


@compiles(b.And)
def _and(e: b.And) -> Evaluator:
    return _and_or(e.operands, False)


@compiles(b.Or)
def _or(e: b.Or) -> Evaluator:
    return _and_or(e.operands, True)


@compiles(b.IsNull)
def _is_null(e: b.IsNull) -> Evaluator:
    operand = compile_expression(e.operand)
    if e.negated:
        return lambda row, ctx: operand(row, ctx) is not None
    return lambda row, ctx: operand(row, ctx) is None


@compiles(b.IsTyped)
def _is_typed(e: b.IsTyped) -> Evaluator:
    operand = compile_expression(e.operand)
    text, negated = e.type_text, e.negated
    return lambda row, ctx: matches_type(operand(row, ctx), text) is not negated


@compiles(b.IsNormalized)
def _is_normalized(e: b.IsNormalized) -> Evaluator:
    from unicodedata import is_normalized

    operand = compile_expression(e.operand)
    form, negated = cast("Any", e.form), e.negated

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        value = operand(row, ctx)
        if type(value) is not str:
            return None
        return is_normalized(form, value) is not negated

    return run


@compiles(b.HasLabels)
def _has_labels(e: b.HasLabels) -> Evaluator:
    subject = compile_expression(e.subject)
    test = compile_labels(e.labels, compile_expression)

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        value = subject(row, ctx)
        if value is None:
            return None
        if type(value) is Node:
            return test(value.view.node_labels(value.id), row, ctx)
        if type(value) is Relationship:
            return test((value.type,), row, ctx)
        raise QueryTypeError(
            f"a label test needs a node or relationship, got {v.type_name(value)}",
            detail="InvalidArgumentType",
        )

    return run
