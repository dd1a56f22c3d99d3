"""The table of compilers, and the two ways to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import everwhen.model.values as v
from everwhen.errors import QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.query import bound as b

_COMPILERS: dict[type, Callable[[Any], Evaluator]] = {}


def compiles(kind: type) -> Callable[[Callable[[Any], Evaluator]], Callable[[Any], Evaluator]]:
    """Registers the compiler of one expression class."""

    def register(compiler: Callable[[Any], Evaluator]) -> Callable[[Any], Evaluator]:
        _COMPILERS[kind] = compiler
        return compiler

    return register


def compile_expression(expression: b.Expression) -> Evaluator:
    """A closure for an expression.

    :raises NotImplementedError: never for a plan of the binder; a class without an entry here
        is a programming error.
    """
    return _COMPILERS[type(expression)](expression)


def compile_predicate(expression: b.Expression) -> Callable[[Row, ExecutionContext], bool]:
    """Like an expression, but only true counts as true; a value that is no boolean is an error."""
    run = compile_expression(expression)

    def predicate(row: Row, ctx: ExecutionContext) -> bool:
        value = run(row, ctx)
        if value is True:
            return True
        if value is False or value is None:
            return False
        raise not_boolean(value)

    return predicate


def not_boolean(value: Any) -> QueryTypeError:
    return QueryTypeError(
        f"expected a boolean, got {v.type_name(value)}: {v.to_text(value)}",
        detail="InvalidArgumentType",
    )
