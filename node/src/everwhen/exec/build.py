"""Turns a physical plan into runnable generators.

``build(operator)`` gives ``run(ctx, argument_row) -> iterator of rows``. Building compiles every
expression once, so a cached plan is cheap to run again. Rules all operators keep:

* a yielded row is never changed afterwards by whoever yielded it; to extend a row, copy it;
* rows are pulled, nothing is read ahead (except by operators that say so: Sort, Aggregate, Eager);
* a loop that may run long without yielding calls ``ctx.tick()``.

With a profile in the context each operator counts its rows and time under its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from everwhen.exec.context import ExecutionContext, OperatorProfile, Row, Runner
from everwhen.query import physical as p

Builder = Callable[[Any], Runner]

BUILDERS: dict[type, Builder] = {}


def builds(kind: type) -> Callable[[Builder], Builder]:
    """Registers the builder of one operator class."""

    def register(builder: Builder) -> Builder:
        BUILDERS[kind] = builder
        return builder

    return register


#: runners of operators that are not to be built from their class, by identity; see `instead_of`
_INSTEAD: ContextVar[Mapping[int, Runner]] = ContextVar("_INSTEAD", default={})  # noqa: B039


def build(operator: p.Operator) -> Runner:
    """A runner for an operator and all below it."""
    ready = _INSTEAD.get().get(id(operator))
    if ready is not None:
        return ready
    return _profiled(operator, BUILDERS[type(operator)](operator))


@contextmanager
def instead_of(operator: p.Operator, run: Runner) -> Iterator[None]:
    """What is built within takes ``run`` for one operator and all below it."""
    token = _INSTEAD.set({**_INSTEAD.get(), id(operator): run})
    try:
        yield
    finally:
        _INSTEAD.reset(token)


def _profiled(operator: p.Operator, run: Runner) -> Runner:
    key = id(operator)

    def counted(ctx: ExecutionContext, argument: Row) -> Iterator[Row]:
        if ctx.profile is None:
            return run(ctx, argument)
        return ctx.profile.measure(key, run(ctx, argument), _count)

    return counted


def _count(profile: OperatorProfile, _: Row) -> None:
    profile.rows += 1
