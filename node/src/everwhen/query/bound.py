"""Bound expressions: names resolved to row slots, functions to their names, subqueries to plans.

A *row* is a Python list of fixed width, one width for the whole statement: every variable of
the statement (also the local ones of comprehensions and the columns of subqueries) has a slot of
its own, given out by the binder, never reused. A subquery runs with the outer row as its
*argument row*: every row it makes starts as a copy of that row. Unset slots hold None.

The binder produces these from ``syntax``; ``exec.expressions`` compiles them to closures
``fn(row, ctx) -> value``. ``at`` is the character offset in the query text, for errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everwhen.query.physical import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Base; ``at`` is where it stands in the text (-1: made by the planner)."""

    at: int = -1


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """null, boolean, integer, float or string constant (or a folded constant)."""

    value: Any


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    name: str


@dataclass(frozen=True, slots=True)
class Slot(Expression):
    """The value in a row slot."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Property(Expression):
    """``subject.key`` on a node, relationship, map, temporal or point value."""

    subject: Expression
    key: str


@dataclass(frozen=True, slots=True)
class Subscript(Expression):
    """``subject[index]``: list element, map value or dynamic property."""

    subject: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """``subject[lower..upper]``, either end may be missing."""

    subject: Expression
    lower: Expression | None
    upper: Expression | None


@dataclass(frozen=True, slots=True)
class ListLiteral(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Expression):
    items: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class MapProjection(Expression):
    """``subject {.*, .key, key: expr}``: ``all_properties`` first, then ``items`` in order."""

    subject: Expression
    all_properties: bool
    items: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """``operator``: ``-`` or ``+``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """``operator``: one of ``+ - * / % ^ = <> < <= > >= IN =~ STARTS_WITH ENDS_WITH CONTAINS
    || XOR``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class And(Expression):
    """Three-valued; operands evaluated left to right, stops at the first false."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Expression):
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    operand: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsTyped(Expression):
    """``operand IS [NOT] :: type_text`` (normalised type text)."""

    operand: Expression
    type_text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNormalized(Expression):
    operand: Expression
    form: str
    negated: bool = False


# --- label expressions (also relationship type expressions) ---


@dataclass(frozen=True, slots=True)
class LabelName:
    name: str


@dataclass(frozen=True, slots=True)
class LabelDynamic:
    """``$(expr)``: a string or a list of strings (all of them, or ``any``)."""

    expression: Expression
    any: bool = False


@dataclass(frozen=True, slots=True)
class LabelWildcard:
    """``%``: at least one label."""


@dataclass(frozen=True, slots=True)
class LabelNot:
    operand: LabelExpression


@dataclass(frozen=True, slots=True)
class LabelAnd:
    operands: tuple[LabelExpression, ...]


@dataclass(frozen=True, slots=True)
class LabelOr:
    operands: tuple[LabelExpression, ...]


LabelExpression = LabelName | LabelDynamic | LabelWildcard | LabelNot | LabelAnd | LabelOr


@dataclass(frozen=True, slots=True)
class HasLabels(Expression):
    """Node: labels satisfy the expression; relationship: its type does; null -> null."""

    subject: Expression
    labels: LabelExpression


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """A scalar function; ``name`` is the lower-case dotted key of ``exec.functions``; ``volatile``:
    each call may give another result, so it is called once for each row."""

    name: str
    arguments: tuple[Expression, ...]
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Not an expression: only ``physical.Aggregate`` holds it; expressions see its slot.

    ``argument`` is None for ``count(*)``; ``extra`` are further arguments (percentile).
    """

    name: str
    argument: Expression | None
    distinct: bool
    extra: tuple[Expression, ...] = ()
    at: int = -1


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """``subject`` None: searched form. ``alternatives``: (condition or value, result)."""

    subject: Expression | None
    alternatives: tuple[tuple[Expression, Expression], ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class ListComprehension(Expression):
    slot: int
    source: Expression
    predicate: Expression | None
    projection: Expression | None


@dataclass(frozen=True, slots=True)
class Quantifier(Expression):
    """``kind``: all, any, none, single (three-valued)."""

    kind: str
    slot: int
    source: Expression
    predicate: Expression


@dataclass(frozen=True, slots=True)
class Reduce(Expression):
    accumulator: int
    initial: Expression
    slot: int
    source: Expression
    expression: Expression


@dataclass(frozen=True, slots=True)
class PathValue(Expression):
    """A path from the parts of one pattern, in order: node slot, relationship slot, node slot …

    A variable length part's slot holds the list of relationships in walking order. None in any
    part makes the path null.
    """

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subquery(Expression):
    """``EXISTS { }`` (bool), ``COUNT { }`` (int), ``COLLECT { }`` (list of ``column``).

    Also what pattern predicates (EXISTS) and pattern comprehensions (COLLECT) become. ``plan``
    starts from Argument. ``column`` is the slot collected (COLLECT only).
    """

    kind: str
    plan: Operator
    column: int | None = None
