"""Calls of functions and aggregations: which one is meant, and whether it may stand there.

What may be aggregated changes within comprehensions, so their scope is kept here too.
"""

from __future__ import annotations

from typing import Any

from everwhen.query import bound as b
from everwhen.query import static_types as t
from everwhen.query import syntax as s
from everwhen.query.binder_core import Aggregates, BinderCore, Typed
from everwhen.query.diagnostics import suggest
from everwhen.query.environment import FunctionSignature
from everwhen.query.static_types import ANY, BOOLEAN
from everwhen.query.traverse import walk


class FunctionBinder(BinderCore):
    """Binds calls; aggregations go to the clause that collects them."""

    def value(self, e: s.Expression) -> b.Expression:
        """The bound expression alone."""
        return self.expression(e)[0]

    def pattern_predicate(self, e: s.PatternExpression) -> Typed:
        """A pattern that means "exists"; implemented in :mod:`binder_expressions`."""
        raise NotImplementedError(type(self), e)

    def _function(self, e: s.FunctionCall) -> Typed:
        signature = self.environment.function(e.name.lower())
        if signature is None:
            close = suggest(e.name, self.environment.function_names())
            raise self.fail(
                e.at,
                f"Unknown function '{e.name}'",
                "UnknownFunction",
                hint=f"did you mean '{close}'?" if close else None,
            )
        count, most = len(e.arguments), signature.maximum
        if count < signature.minimum or (most is not None and count > most):
            raise self.fail(
                e.at,
                f"Function '{e.name}' takes {counted(signature.minimum, most)}, not {count}",
                "InvalidNumberOfArguments",
            )
        if signature.aggregate:
            return self._aggregation(e, signature), t.FUNCTION_RESULTS.get(signature.name, ANY)
        if e.distinct:
            raise self.fail(
                e.at, f"DISTINCT is for aggregating functions, not '{e.name}'", "UnexpectedSyntax"
            )
        if signature.name == "exists":
            return self._exists_function(e.arguments[0], e.at)
        return self._scalar(e, signature)

    def _exists_function(self, argument: s.Expression, at: int) -> Typed:
        if isinstance(argument, s.PatternExpression):
            return self.pattern_predicate(argument)
        if not isinstance(argument, (s.Property, s.Index)):
            raise self.fail(
                argument.at,
                "exists() takes a property or a pattern",
                "InvalidArgumentExpression",
                hint="use IS NOT NULL",
            )
        return b.IsNull(self.value(argument), True, at=at), BOOLEAN

    def _scalar(self, e: s.FunctionCall, signature: FunctionSignature) -> Typed:
        bound = [self.expression(argument) for argument in e.arguments]
        refused = t.FUNCTION_REFUSES.get(signature.name)
        if refused and bound and bound[0][1].name in refused:
            raise self.fail(
                e.arguments[0].at,
                f"Type mismatch: {e.name}() does not take {bound[0][1]}",
                "InvalidArgumentType",
            )
        arguments = tuple(x for x, _ in bound)
        call = b.FunctionCall(signature.name, arguments, signature.volatile, at=e.at)
        return call, t.FUNCTION_RESULTS.get(signature.name, ANY)

    def _count_star(self, e: s.CountStar) -> Typed:
        found = self._collector(e, "count(*)")
        return self._collect(found, e, b.Aggregation("count", None, False, at=e.at)), t.INTEGER

    def _collector(self, e: s.Expression, name: str) -> Aggregates:
        if self.aggregates is None or isinstance(self.aggregates, ClosedAggregates):
            raise self.fail(
                e.at,
                f"The aggregation {name} cannot be used here",
                "InvalidAggregation",
                hint="aggregate in WITH or RETURN first",
            )
        return self.aggregates

    def _collect(
        self, into: Aggregates, e: s.Expression, aggregation: b.Aggregation
    ) -> b.Expression:
        for known, slot, _ in into.found:
            if known == e:
                return b.Slot(slot, shown(e), at=e.at)
        slot = self.slots.new(shown(e))
        into.found.append((e, slot, aggregation))
        return b.Slot(slot, shown(e), at=e.at)

    def _aggregation(self, e: s.FunctionCall, signature: FunctionSignature) -> b.Expression:
        if self.aggregates is not None:
            for argument in e.arguments:
                self._check_argument(argument)
        with self.without_aggregates():
            first, *extra = [self.value(argument) for argument in e.arguments]
        into = self._collector(e, e.name)
        aggregation = b.Aggregation(signature.name, first, e.distinct, tuple(extra), at=e.at)
        return self._collect(into, e, aggregation)

    def _check_argument(self, argument: s.Expression) -> None:
        """No aggregation within an aggregation, nothing that differs from call to call."""
        for inner in walk(argument, into=lambda node: not isinstance(node, s.Query)):
            if self.is_aggregation(inner):
                raise self.fail(
                    inner.at, "An aggregation cannot hold another one", "NestedAggregation"
                )
            if isinstance(inner, s.FunctionCall) and inner.name.lower() in ("rand", "randomuuid"):
                raise self.fail(
                    inner.at,
                    f"{inner.name}() cannot be used inside an aggregation",
                    "NonConstantExpression",
                )

    def is_aggregation(self, e: Any) -> bool:
        if isinstance(e, s.CountStar):
            return True
        if not isinstance(e, s.FunctionCall):
            return False
        signature = self.environment.function(e.name.lower())
        return signature is not None and signature.aggregate

    def aggregates_in(self, e: s.Expression) -> bool:
        """Whether an expression aggregates (inner queries aggregate for themselves)."""
        return any(
            self.is_aggregation(x) for x in walk(e, into=lambda node: not isinstance(node, s.Query))
        )

    def within(self, *variables: Any) -> Any:
        """Scope of a comprehension's inside."""
        return _Within(self, variables)


class _Within:
    """Context of a comprehension's inside: its variables, no aggregation."""

    def __init__(self, binder: FunctionBinder, variables: tuple[Any, ...]) -> None:
        self.binder = binder
        self.variables = variables

    def __enter__(self) -> None:
        binder = self.binder
        self.before = binder.scope, binder.aggregates, binder.locals
        binder.scope = binder.scope.with_local(*self.variables)
        names = {variable.name for variable in self.variables}
        binder.locals = binder.locals | names
        if binder.aggregates is not None:
            # keys still count, but one that reads a shadowing local would be another value
            keys = [
                key
                for key in binder.aggregates.keys
                if not any(isinstance(x, s.Variable) and x.name in names for x in walk(key[0]))
            ]
            binder.aggregates = ClosedAggregates(keys, [], binder.aggregates.strict)

    def __exit__(self, *_: object) -> None:
        binder = self.binder
        binder.scope, binder.aggregates, binder.locals = self.before


class ClosedAggregates(Aggregates):
    """Inside a comprehension: grouping keys can be read, nothing can be aggregated."""


def counted(least: int, most: int | None) -> str:
    """``1 argument``, ``1 to 3 arguments``, ``at least 2 arguments``."""
    if most is None:
        return f"at least {least} argument{'s' * (least != 1)}"
    if least == most:
        return f"{least} argument{'s' * (least != 1)}"
    return f"{least} to {most} arguments"


def shown(e: s.Expression) -> str:
    """An expression in a few words, for plans and messages."""
    if isinstance(e, s.Variable):
        return e.name
    if isinstance(e, s.Property):
        return f"{shown(e.subject)}.{e.key}"
    if isinstance(e, s.CountStar):
        return "count(*)"
    if isinstance(e, s.FunctionCall):
        distinct = "DISTINCT " if e.distinct else ""
        return f"{e.name}({distinct}{', '.join(shown(a) for a in e.arguments)})"
    if isinstance(e, s.Parameter):
        return f"${e.name}"
    value = getattr(e, "value", None)
    return repr(value) if isinstance(value, (int, float, str)) else "…"
