"""Expressions: names to slots, functions to signatures, and the type errors seen beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from everwhen.errors import QuerySyntaxError, QueryTypeError
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import static_types as t
from everwhen.query import syntax as s
from everwhen.query.binder_core import Typed
from everwhen.query.binder_functions import FunctionBinder, shown
from everwhen.query.diagnostics import caret, position
from everwhen.query.static_types import ANY, BOOLEAN, StaticType
from everwhen.query.types import type_text

#: keys of containers, the right type first; where both are of types that are keys of one container
#: or the other, it is an error when run (as in Neo4j)
_KEYS: Final = {
    "LIST": ("INTEGER", "STRING"),
    "MAP": ("STRING", "INTEGER"),
    "NODE": ("STRING", "INTEGER"),
    "RELATIONSHIP": ("STRING", "INTEGER"),
}
_STRING_OPERATORS: Final = {"STARTS WITH": "STARTS_WITH", "ENDS WITH": "ENDS_WITH"}


class ExpressionBinder(FunctionBinder):
    """Binds expressions in the current scope."""

    def predicate(self, e: s.Expression) -> b.Expression:
        """An expression in a place that wants true or false; patterns are allowed there."""
        found, type_ = self.expression(e, predicate=True)
        self._want_boolean(type_, e)
        return found

    def expression(self, e: s.Expression, *, predicate: bool = False) -> Typed:
        """``predicate``: a pattern may stand here and means "exists"."""
        if self.aggregates is not None and self.aggregates.keys:
            for key, slot, type_ in self.aggregates.keys:
                if key == e:
                    return b.Slot(slot, shown(key), at=e.at), type_
        if predicate:
            return _IN_PREDICATE.get(type(e), _BINDERS[type(e)])(self, e)
        return _BINDERS[type(e)](self, e)

    # --- atoms ------------------------------------------------------------------------------

    def _literal(self, e: Any) -> Typed:
        return b.Literal(e.value, at=e.at), t.of_value(e.value)

    def _null(self, e: s.NullLiteral) -> Typed:
        return b.Literal(None, at=e.at), t.NULL

    def _parameter(self, e: s.Parameter) -> Typed:
        self.parameters.add(e.name)
        return b.Parameter(e.name, at=e.at), self.lifted.get(e.name, ANY)

    def _variable(self, e: s.Variable) -> Typed:
        found = self.lookup(e)
        strict = self.aggregates is not None and self.aggregates.strict
        if strict and e.name not in self.locals:
            raise self.ambiguous(e)
        return b.Slot(found.slot, e.name, at=e.at), found.type

    def ambiguous(self, e: s.Expression) -> QuerySyntaxError:
        return self.fail(
            e.at,
            f"`{shown(e)}` is used beside an aggregation but is not a grouping key",
            "AmbiguousAggregationExpression",
            hint="project it as a column of its own, or aggregate it",
        )

    def _list(self, e: s.ListLiteral) -> Typed:
        items = [self.expression(item) for item in e.items]
        inner = t.common([type_ for _, type_ in items])
        return b.ListLiteral(tuple(x for x, _ in items), at=e.at), t.list_of(inner)

    def _map(self, e: s.MapLiteral) -> Typed:
        items = tuple((key, self.value(item)) for key, item in e.entries)
        return b.MapLiteral(items, at=e.at), t.MAP

    # --- access -----------------------------------------------------------------------------

    def _property(self, e: s.Property) -> Typed:
        subject, type_ = self.expression(e.subject)
        if type_.name == "PATH":
            raise self.fail(e.at, "A path has no properties", "InvalidArgumentType")
        if type_.name in t.SCALARS or type_.name == "LIST":
            raise self.type_error(e.at, f"Type mismatch: {type_} has no property `{e.key}`")
        return b.Property(subject, e.key, at=e.at), ANY

    def type_error(self, at: int, problem: str) -> QueryTypeError:
        where = position(self.text, at)
        message = f"{problem} (line {where.line}, column {where.column})\n{caret(self.text, at)}"
        return QueryTypeError(message, position=where, detail="InvalidArgumentType")

    def _index(self, e: s.Index) -> Typed:
        (subject, type_), (index, key) = self.expression(e.subject), self.expression(e.index)
        if type_.name in t.SCALARS:
            raise self.type_error(e.at, f"Type mismatch: {type_} has no elements")
        if key.known and key.name not in _KEYS.get(type_.name, (key.name,)):
            raise self.mismatch(e.index.at, _KEYS[type_.name][0], key)
        return b.Subscript(subject, index, at=e.at), t.element_of(type_)

    def _slice(self, e: s.Slice) -> Typed:
        subject, type_ = self.expression(e.subject)
        start = self._bound(e.start) if e.start is not None else None
        end = self._bound(e.end) if e.end is not None else None
        return b.Slice(subject, start, end, at=e.at), type_

    def _bound(self, e: s.Expression) -> b.Expression:
        found, type_ = self.expression(e)
        if type_.known and type_.name != "INTEGER":
            raise self.mismatch(e.at, "INTEGER", type_)
        return found

    # --- operators --------------------------------------------------------------------------

    def mismatch(self, at: int, expected: str, found: StaticType) -> QuerySyntaxError:
        return self.fail(
            at, f"Type mismatch: expected {expected} but was {found}", "InvalidArgumentType"
        )

    def _want_boolean(self, type_: StaticType, e: s.Expression) -> None:
        if type_.known and type_.name != "BOOLEAN":
            raise self.mismatch(e.at, "BOOLEAN", type_)

    def _logic(self, operands: tuple[s.Expression, ...], predicate: bool) -> list[b.Expression]:
        found = []
        for operand in operands:
            bound, type_ = self.expression(operand, predicate=predicate)
            self._want_boolean(type_, operand)
            found.append(bound)
        return found

    def _and(self, e: s.And, predicate: bool = False) -> Typed:
        return b.And(tuple(self._logic(e.operands, predicate)), at=e.at), BOOLEAN

    def _or(self, e: s.Or, predicate: bool = False) -> Typed:
        return b.Or(tuple(self._logic(e.operands, predicate)), at=e.at), BOOLEAN

    def _xor(self, e: s.Xor, predicate: bool = False) -> Typed:
        first, *rest = self._logic(e.operands, predicate)
        for operand in rest:
            first = b.Binary("XOR", first, operand, at=e.at)
        return first, BOOLEAN

    def _not(self, e: s.Not, predicate: bool = False) -> Typed:
        return b.Not(self._logic((e.operand,), predicate)[0], at=e.at), BOOLEAN

    def _arithmetic(self, e: s.Arithmetic) -> Typed:
        (left, a), (right, c) = self.expression(e.left), self.expression(e.right)
        result = t.arithmetic(e.op, a, c)
        if result is None:
            raise self.fail(
                e.at, f"Type mismatch: {a} {e.op} {c} is not defined", "InvalidArgumentType"
            )
        return b.Binary(e.op, left, right, at=e.at), result

    def _negate(self, e: s.Negate) -> Typed:
        return self._sign("-", e)

    def _plus(self, e: s.UnaryPlus) -> Typed:
        return self._sign("+", e)

    def _sign(self, operator: str, e: Any) -> Typed:
        operand, type_ = self.expression(e.operand)
        if type_.name in ("BOOLEAN", "STRING", "LIST", "MAP", "NODE", "RELATIONSHIP", "PATH"):
            raise self.mismatch(e.at, "a number", type_)
        return b.Unary(operator, operand, at=e.at), type_

    def _comparison(self, e: s.Comparison) -> Typed:
        operands = [self.value(e.first), *(self.value(x) for _, x in e.rest)]
        parts = [
            b.Binary(op, operands[i], operands[i + 1], at=e.at) for i, (op, _) in enumerate(e.rest)
        ]
        return (parts[0] if len(parts) == 1 else b.And(tuple(parts), at=e.at)), BOOLEAN

    def _in(self, e: s.In) -> Typed:
        element, (container, type_) = self.value(e.element), self.expression(e.container)
        if type_.known and type_.name != "LIST":
            raise self.mismatch(e.container.at, "LIST", type_)
        return b.Binary("IN", element, container, at=e.at), BOOLEAN

    def _string_predicate(self, e: s.StringPredicate) -> Typed:
        operator = _STRING_OPERATORS.get(e.op, e.op)
        return b.Binary(operator, self.value(e.left), self.value(e.right), at=e.at), BOOLEAN

    def _is_null(self, e: s.IsNull, predicate: bool = False) -> Typed:
        operand, _ = self.expression(e.operand, predicate=predicate)
        return b.IsNull(operand, e.negated, at=e.at), BOOLEAN

    def _is_typed(self, e: s.IsTyped) -> Typed:
        return b.IsTyped(self.value(e.operand), type_text(e.type), e.negated, at=e.at), BOOLEAN

    def _is_normalized(self, e: s.IsNormalized) -> Typed:
        return b.IsNormalized(self.value(e.operand), e.form, e.negated, at=e.at), BOOLEAN

    def _has_labels(self, e: s.HasLabels) -> Typed:
        subject, type_ = self.expression(e.subject)
        if type_.known and type_.name not in ("NODE", "RELATIONSHIP"):
            raise self.mismatch(e.at, "NODE or RELATIONSHIP", type_)
        labels = self.labels(e.labels, relationship=type_.name == "RELATIONSHIP")
        return b.HasLabels(subject, labels, at=e.at), BOOLEAN

    def labels(self, e: s.LabelExpression, *, relationship: bool = False) -> b.LabelExpression:
        """A label expression; unknown names are remarked on by the planner."""
        if isinstance(e, s.LabelName):
            self.name_used("type" if relationship else "label", e.name, e.at)
            return b.LabelName(e.name)
        if isinstance(e, s.DynamicLabel):
            with self.without_aggregates():
                return b.LabelDynamic(self.value(e.expression), e.any)
        if isinstance(e, s.LabelWildcard):
            return b.LabelWildcard()
        if isinstance(e, s.LabelNot):
            return b.LabelNot(self.labels(e.operand, relationship=relationship))
        if isinstance(e, (s.LabelAnd, s.LabelOr)):
            operands = tuple(self.labels(x, relationship=relationship) for x in e.operands)
            return b.LabelAnd(operands) if isinstance(e, s.LabelAnd) else b.LabelOr(operands)
        raise TypeError(e)

    def name_used(self, kind: str, name: str, at: int) -> None:
        """Remember a label, type or property key, for the remarks on unknown ones."""
        self.names_used.append((kind, name, at))

    # --- branches and lists -----------------------------------------------------------------

    def _case(self, e: s.Case) -> Typed:
        subject = self.value(e.subject) if e.subject is not None else None
        condition = self.predicate if subject is None else self.value
        alternatives = [(condition(when), self.value(then)) for when, then in e.alternatives]
        default = self.value(e.default) if e.default is not None else None
        return b.Case(subject, tuple(alternatives), default, at=e.at), ANY

    def _source(self, e: s.Expression) -> tuple[b.Expression, StaticType]:
        source, type_ = self.expression(e)
        if type_.known and type_.name != "LIST":
            raise self.mismatch(e.at, "LIST", type_)
        return source, t.element_of(type_)

    def _list_comprehension(self, e: s.ListComprehension) -> Typed:
        source, inner = self._source(e.source)
        variable = self.local(e.variable.name, inner)
        with self.within(variable):
            where = self.predicate(e.where) if e.where is not None else None
            projection, type_ = None, inner
            if e.projection is not None:
                projection, type_ = self.expression(e.projection)
        bound = b.ListComprehension(variable.slot, source, where, projection, at=e.at)
        return bound, t.list_of(type_)

    def _quantified(self, e: s.Quantified) -> Typed:
        source, inner = self._source(e.source)
        variable = self.local(e.variable.name, inner)
        with self.within(variable):
            where: b.Expression = self.slot_of(variable)
            if e.where is not None:
                where = self.predicate(e.where)
        return b.Quantifier(e.kind, variable.slot, source, where, at=e.at), BOOLEAN

    def _reduce(self, e: s.Reduce) -> Typed:
        initial, start = self.expression(e.initial)
        source, inner = self._source(e.source)
        total = self.local(e.accumulator.name)
        variable = self.local(e.variable.name, inner)
        with self.within(total, variable):
            step = self.value(e.expression)
        bound = b.Reduce(total.slot, initial, variable.slot, source, step, at=e.at)
        return bound, start if start.name == "STRING" else ANY

    def _map_projection(self, e: s.MapProjection) -> Typed:
        subject, type_ = self.expression(e.subject)
        if type_.known and type_.name not in ("NODE", "RELATIONSHIP", "MAP"):
            raise self.mismatch(e.at, "NODE, RELATIONSHIP or MAP", type_)
        everything = False
        items: list[tuple[str, b.Expression]] = []
        for entry in e.items:
            if isinstance(entry, s.AllPropertiesEntry):
                everything = True
            elif isinstance(entry, s.PropertyEntry):
                items.append((entry.key, b.Property(subject, entry.key, at=entry.at)))
            elif isinstance(entry, s.VariableEntry):
                items.append((entry.variable.name, self.value(entry.variable)))
            elif isinstance(entry, s.LiteralEntry):
                items.append((entry.key, self.value(entry.value)))
        return b.MapProjection(subject, everything, tuple(items), at=e.at), t.MAP

    # --- patterns and subqueries ------------------------------------------------------------

    def _pattern_value(self, e: s.PatternExpression) -> Typed:
        """``shortestPath(…)`` gives a path; any other pattern needs a place for predicates."""
        selector = e.pattern.selector
        if selector is None:
            raise self.fail(
                e.at,
                "A pattern can only be used as a predicate here",
                "UnexpectedSyntax",
                hint="use a pattern comprehension [(a)-->(b) | b], EXISTS { } or COUNT { }",
            )
        return self.pattern_expression(e)

    def pattern_predicate(self, e: s.PatternExpression) -> Typed:
        if e.pattern.selector is not None:
            found, _ = self.pattern_expression(e)
            return b.IsNull(found, True, at=e.at), BOOLEAN
        return self.pattern_exists(e.pattern, e.at), BOOLEAN

    def pattern_expression(self, e: s.PatternExpression) -> Typed:
        raise NotImplementedError

    def pattern_exists(self, pattern: s.PathPattern, at: int) -> b.Expression:
        raise NotImplementedError

    def pattern_comprehension(self, e: s.PatternComprehension) -> Typed:
        raise NotImplementedError

    def _exists(self, e: s.ExistsSubquery) -> Typed:
        plan, _ = self.subquery_plan(e.query, "EXISTS")
        return lg.SubqueryExpression("EXISTS", plan, at=e.at), BOOLEAN

    def _count(self, e: s.CountSubquery) -> Typed:
        plan, _ = self.subquery_plan(e.query, "COUNT")
        return lg.SubqueryExpression("COUNT", plan, at=e.at), t.INTEGER

    def _collect_subquery(self, e: s.CollectSubquery) -> Typed:
        plan, columns = self.subquery_plan(e.query, "COLLECT")
        if len(columns) != 1:
            raise self.fail(
                e.at, "COLLECT { } must return exactly one column", "InvalidClauseComposition"
            )
        return lg.SubqueryExpression("COLLECT", plan, columns[0], at=e.at), t.LIST

    def _comprehension(self, e: s.PatternComprehension) -> Typed:
        return self.pattern_comprehension(e)


_B = ExpressionBinder
_BINDERS: Final[dict[type, Callable[[Any, Any], Typed]]] = {
    s.NullLiteral: _B._null,
    s.BooleanLiteral: _B._literal,
    s.IntegerLiteral: _B._literal,
    s.FloatLiteral: _B._literal,
    s.StringLiteral: _B._literal,
    s.Parameter: _B._parameter,
    s.Variable: _B._variable,
    s.ListLiteral: _B._list,
    s.MapLiteral: _B._map,
    s.Property: _B._property,
    s.Index: _B._index,
    s.Slice: _B._slice,
    s.Arithmetic: _B._arithmetic,
    s.Negate: _B._negate,
    s.UnaryPlus: _B._plus,
    s.Not: _B._not,
    s.And: _B._and,
    s.Or: _B._or,
    s.Xor: _B._xor,
    s.Comparison: _B._comparison,
    s.In: _B._in,
    s.StringPredicate: _B._string_predicate,
    s.IsNull: _B._is_null,
    s.IsTyped: _B._is_typed,
    s.IsNormalized: _B._is_normalized,
    s.HasLabels: _B._has_labels,
    s.FunctionCall: _B._function,
    s.CountStar: _B._count_star,
    s.Case: _B._case,
    s.ListComprehension: _B._list_comprehension,
    s.PatternComprehension: _B._comprehension,
    s.Reduce: _B._reduce,
    s.Quantified: _B._quantified,
    s.PatternExpression: _B._pattern_value,
    s.ExistsSubquery: _B._exists,
    s.CountSubquery: _B._count,
    s.CollectSubquery: _B._collect_subquery,
    s.MapProjection: _B._map_projection,
}
#: classes that hand "a pattern may stand here" on to their operands
_IN_PREDICATE: Final[dict[type, Callable[[Any, Any], Typed]]] = {
    s.And: lambda binder, e: binder._and(e, True),
    s.Or: lambda binder, e: binder._or(e, True),
    s.Xor: lambda binder, e: binder._xor(e, True),
    s.Not: lambda binder, e: binder._not(e, True),
    s.IsNull: lambda binder, e: binder._is_null(e, True),
    s.PatternExpression: _B.pattern_predicate,
}
