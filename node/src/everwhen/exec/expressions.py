"""Compiles bound expressions to closures ``fn(row, ctx) -> value``.

One function per expression class, found by class in a table; a closure holds its compiled
operands, so running an expression is a few Python calls and no dispatch. Semantics of values
(null, equality, order, arithmetic) are all in ``model.values``; this module only wires them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from everwhen.errors import ParameterMissing, QueryArgumentError, QueryTypeError
from everwhen.exec.context import Evaluator, ExecutionContext, Row
from everwhen.exec.functions import FUNCTIONS
from everwhen.exec.labels import compile_labels
from everwhen.model import arithmetic
from everwhen.model import values as v
from everwhen.model.elements import Node, Path, Relationship
from everwhen.model.types import matches_type
from everwhen.query import bound as b


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
        raise _not_boolean(value)

    return predicate


def _not_boolean(value: Any) -> QueryTypeError:
    return QueryTypeError(
        f"expected a boolean, got {v.type_name(value)}: {v.to_text(value)}",
        detail="InvalidArgumentType",
    )


# --- leaves --------------------------------------------------------------------------------


def _literal(e: b.Literal) -> Evaluator:
    value = e.value
    return lambda row, ctx: value


def _parameter(e: b.Parameter) -> Evaluator:
    name = e.name

    def run(row: Row, ctx: ExecutionContext) -> Any:
        try:
            return ctx.parameters[name]
        except KeyError:
            raise ParameterMissing(f"the statement needs the parameter ${name}") from None

    return run


def _slot(e: b.Slot) -> Evaluator:
    index = e.index
    return lambda row, ctx: row[index]


# --- access --------------------------------------------------------------------------------


def _property(e: b.Property) -> Evaluator:
    key = e.key
    if type(e.subject) is b.Slot:
        index = e.subject.index

        def of_slot(row: Row, ctx: ExecutionContext) -> Any:
            subject = row[index]
            if type(subject) is Node:
                return subject.view.node_property(subject.id, key)
            return v.get_property(subject, key)

        return of_slot
    operand = compile_expression(e.subject)
    return lambda row, ctx: v.get_property(operand(row, ctx), key)


def _subscript(e: b.Subscript) -> Evaluator:
    subject, index = compile_expression(e.subject), compile_expression(e.index)
    return lambda row, ctx: v.subscript(subject(row, ctx), index(row, ctx))


def _slice(e: b.Slice) -> Evaluator:
    subject = compile_expression(e.subject)
    lower = compile_expression(e.lower) if e.lower is not None else None
    upper = compile_expression(e.upper) if e.upper is not None else None

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = subject(row, ctx)
        low = 0 if lower is None else lower(row, ctx)
        high = v.INT_MAX if upper is None else upper(row, ctx)
        return v.slice_list(value, low, high)

    return run


# --- construction --------------------------------------------------------------------------


def _list(e: b.ListLiteral) -> Evaluator:
    items = [compile_expression(item) for item in e.items]
    return lambda row, ctx: [item(row, ctx) for item in items]


def _map(e: b.MapLiteral) -> Evaluator:
    items = [(key, compile_expression(item)) for key, item in e.items]
    return lambda row, ctx: {key: item(row, ctx) for key, item in items}


def _map_projection(e: b.MapProjection) -> Evaluator:
    subject = compile_expression(e.subject)
    items = [(key, compile_expression(item)) for key, item in e.items]
    all_properties = e.all_properties

    def run(row: Row, ctx: ExecutionContext) -> Any:
        value = subject(row, ctx)
        if value is None:
            return None
        if not isinstance(value, (Node, Relationship, dict)):
            raise QueryTypeError(
                f"a map projection needs a node, relationship or map, got {v.type_name(value)}",
                detail="InvalidArgumentType",
            )
        result = dict(v.properties_of(value)) if all_properties else {}
        for key, item in items:
            result[key] = item(row, ctx)
        return result

    return run


def _path(e: b.PathValue) -> Evaluator:
    slots = e.slots

    def run(row: Row, ctx: ExecutionContext) -> Any:
        start = row[slots[0]]
        if start is None:
            return None
        nodes: list[Node] = [start]
        relationships: list[Relationship] = []
        for position in range(1, len(slots), 2):
            part = row[slots[position]]
            if part is None:
                return None
            for relationship in part if type(part) is list else (part,):
                here = nodes[-1]
                relationships.append(relationship)
                nodes.append(Node(relationship.other(here.id), relationship.view))
            end = row[slots[position + 1]]
            if end is None:
                return None
            nodes[-1] = end
        return Path(tuple(nodes), tuple(relationships))

    return run


# --- operators -----------------------------------------------------------------------------


def _unary(e: b.Unary) -> Evaluator:
    operand = compile_expression(e.operand)
    if e.operator == "-":
        return lambda row, ctx: arithmetic.negate(operand(row, ctx))
    return lambda row, ctx: arithmetic.plus(operand(row, ctx))


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise QueryArgumentError(
            f"invalid regular expression {text!r}: {error}", detail="InvalidRegularExpression"
        ) from error


def _matches(left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if type(right) is not str:
        raise QueryTypeError(f"=~ needs a string pattern, got {v.type_name(right)}")
    if type(left) is not str:
        return None
    return _pattern(right).fullmatch(left) is not None


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
            raise _not_boolean(value)
    result: bool | None = v.xor3(left, right)
    return result


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
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
    "=~": _matches,
    "STARTS_WITH": _starts_with,
    "ENDS_WITH": _ends_with,
    "CONTAINS": _contains,
    "||": arithmetic.concatenate,
    "XOR": _xor,
}


def _binary(e: b.Binary) -> Evaluator:
    operation = _BINARY[e.operator]
    left = compile_expression(e.left)
    if type(e.right) is b.Literal:
        constant = e.right.value
        return lambda row, ctx: operation(left(row, ctx), constant)
    right = compile_expression(e.right)
    return lambda row, ctx: operation(left(row, ctx), right(row, ctx))


def _not(e: b.Not) -> Evaluator:
    operand = compile_expression(e.operand)

    def run(row: Row, ctx: ExecutionContext) -> bool | None:
        value = operand(row, ctx)
        if value is None:
            return None
        if type(value) is not bool:
            raise _not_boolean(value)
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
                raise _not_boolean(value)
        return result

    return run


def _and(e: b.And) -> Evaluator:
    return _and_or(e.operands, False)


def _or(e: b.Or) -> Evaluator:
    return _and_or(e.operands, True)


def _is_null(e: b.IsNull) -> Evaluator:
    operand = compile_expression(e.operand)
    if e.negated:
        return lambda row, ctx: operand(row, ctx) is not None
    return lambda row, ctx: operand(row, ctx) is None


def _is_typed(e: b.IsTyped) -> Evaluator:
    operand = compile_expression(e.operand)
    text, negated = e.type_text, e.negated
    return lambda row, ctx: matches_type(operand(row, ctx), text) is not negated


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


# --- calls and branches --------------------------------------------------------------------


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


def _function_or_lazy(e: b.FunctionCall) -> Evaluator:
    return _coalesce(e.arguments) if e.name == "coalesce" else _function(e)


def _case(e: b.Case) -> Evaluator:
    alternatives = [
        (compile_expression(when), compile_expression(then)) for when, then in e.alternatives
    ]
    default = compile_expression(e.default) if e.default is not None else None
    subject = compile_expression(e.subject) if e.subject is not None else None

    def run(row: Row, ctx: ExecutionContext) -> Any:
        if subject is None:
            for when, then in alternatives:
                if when(row, ctx) is True:
                    return then(row, ctx)
        else:
            value = subject(row, ctx)
            for when, then in alternatives:
                other = when(row, ctx)
                if v.equals(value, other) is True:  # null equals nothing, not even null
                    return then(row, ctx)
        return None if default is None else default(row, ctx)

    return run


# --- lists with a local variable -----------------------------------------------------------


def _elements(value: Any, what: str) -> list[Any]:
    if type(value) is list:
        return value
    raise QueryTypeError(
        f"{what} needs a list, got {v.type_name(value)}", detail="InvalidArgumentType"
    )


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
                raise _not_boolean(verdict)
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


# --- subqueries ----------------------------------------------------------------------------


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


_COMPILERS: dict[type, Callable[[Any], Evaluator]] = {
    b.Literal: _literal,
    b.Parameter: _parameter,
    b.Slot: _slot,
    b.Property: _property,
    b.Subscript: _subscript,
    b.Slice: _slice,
    b.ListLiteral: _list,
    b.MapLiteral: _map,
    b.MapProjection: _map_projection,
    b.PathValue: _path,
    b.Unary: _unary,
    b.Binary: _binary,
    b.Not: _not,
    b.And: _and,
    b.Or: _or,
    b.IsNull: _is_null,
    b.IsTyped: _is_typed,
    b.IsNormalized: _is_normalized,
    b.HasLabels: _has_labels,
    b.FunctionCall: _function_or_lazy,
    b.Case: _case,
    b.ListComprehension: _list_comprehension,
    b.Quantifier: _quantifier,
    b.Reduce: _reduce,
    b.Subquery: _subquery,
}
