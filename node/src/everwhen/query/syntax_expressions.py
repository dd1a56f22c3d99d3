"""Syntax tree, expressions. Rules and sources: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everwhen.query.syntax_base import Expression, Syntax

if TYPE_CHECKING:
    from everwhen.query.syntax_base import ArithmeticOp, CompareOp, QuantifierKind, StringOp
    from everwhen.query.syntax_clauses import Query
    from everwhen.query.syntax_patterns import LabelExpression, PathPattern


# --- atoms ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NullLiteral(Expression):
    pass


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Expression):
    value: bool


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Expression):
    """Signed: ``-5`` is one literal, so that -2^63 can be written. Always within 64 bits."""

    value: int


@dataclass(frozen=True, slots=True)
class FloatLiteral(Expression):
    """``1.5``, ``1e3``; also ``INF``/``NaN`` never: those are variables as far as syntax goes."""

    value: float


@dataclass(frozen=True, slots=True)
class StringLiteral(Expression):
    value: str


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    """``$name``, ``$0``, ``$`odd name` ``."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    name: str


@dataclass(frozen=True, slots=True)
class ListLiteral(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Expression):
    entries: tuple[tuple[str, Expression], ...]


# --- access --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Property(Expression):
    """``subject.key``: of a map, node, relationship, temporal value, point."""

    subject: Expression
    key: str


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """``subject[index]``: list element, or map/node/relationship property by name."""

    subject: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """``subject[start..end]``."""

    subject: Expression
    start: Expression | None
    end: Expression | None


# --- operators -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arithmetic(Expression):
    """Binary and left-associative; ``+`` and ``||`` also join strings and lists."""

    op: ArithmeticOp
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negate(Expression):
    """Unary minus of something that is not a number literal."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class UnaryPlus(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class And(Expression):
    """Two or more operands: ``a AND b AND c`` is one node."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Expression):
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Xor(Expression):
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """``first op1 x1 op2 x2 …`` means ``first op1 x1 AND x1 op2 x2 …``, each value taken once."""

    first: Expression
    rest: tuple[tuple[CompareOp, Expression], ...]


@dataclass(frozen=True, slots=True)
class In(Expression):
    element: Expression
    container: Expression


@dataclass(frozen=True, slots=True)
class StringPredicate(Expression):
    op: StringOp
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """``IS NULL``, or ``IS NOT NULL`` when negated."""

    operand: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class IsTyped(Expression):
    """``x IS [NOT] :: INTEGER``, also written ``IS TYPED``, and ``x :: INTEGER``."""

    operand: Expression
    type: TypeExpression
    negated: bool


@dataclass(frozen=True, slots=True)
class IsNormalized(Expression):
    """``x IS [NOT] [NFC|NFD|NFKC|NFKD] NORMALIZED``; form is NFC when not given."""

    operand: Expression
    form: str
    negated: bool


@dataclass(frozen=True, slots=True)
class HasLabels(Expression):
    """``n:A|B`` as a predicate; of a relationship it tests the type."""

    subject: Expression
    labels: LabelExpression


# --- types (for IS :: and type constraints) --------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeExpression(Syntax):
    """A type, or a closed dynamic union."""


@dataclass(frozen=True, slots=True)
class TypeName(TypeExpression):
    """``name`` is canonical: BOOLEAN STRING INTEGER FLOAT DATE, LOCAL TIME, ZONED TIME,
    LOCAL DATETIME, ZONED DATETIME, DURATION POINT NODE RELATIONSHIP PATH MAP LIST VECTOR,
    PROPERTY VALUE, ANY, NOTHING, NULL. ``inner`` is the element type of a LIST (None: ANY).
    """

    name: str
    nullable: bool = True
    inner: TypeExpression | None = None


@dataclass(frozen=True, slots=True)
class TypeUnion(TypeExpression):
    """``INTEGER | STRING NOT NULL`` and ``ANY<INTEGER | STRING>``."""

    members: tuple[TypeExpression, ...]


# --- calls and compound expressions ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """``name`` as written, dots included (``date.truncate``); function names ignore case."""

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class CountStar(Expression):
    pass


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """With a subject: first alternative equal to it. Without: first alternative that is true."""

    subject: Expression | None
    alternatives: tuple[tuple[Expression, Expression], ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class ListComprehension(Expression):
    """``[variable IN source WHERE where | projection]``."""

    variable: Variable
    source: Expression
    where: Expression | None
    projection: Expression | None


@dataclass(frozen=True, slots=True)
class PatternComprehension(Expression):
    """``[path = (a)-->(b) WHERE where | projection]``; the variable is in ``pattern``."""

    pattern: PathPattern
    where: Expression | None
    projection: Expression


@dataclass(frozen=True, slots=True)
class Reduce(Expression):
    """``reduce(accumulator = initial, variable IN source | expression)``."""

    accumulator: Variable
    initial: Expression
    variable: Variable
    source: Expression
    expression: Expression


@dataclass(frozen=True, slots=True)
class Quantified(Expression):
    """``all(variable IN source WHERE where)`` and any, none, single.

    ``where`` None means the variable itself has to be true.
    """

    kind: QuantifierKind
    variable: Variable
    source: Expression
    where: Expression | None


@dataclass(frozen=True, slots=True)
class PatternExpression(Expression):
    """A pattern where an expression stands: a predicate, or ``shortestPath(…)`` as a value."""

    pattern: PathPattern


@dataclass(frozen=True, slots=True)
class ExistsSubquery(Expression):
    """``EXISTS { … }``. The short form ``{ pattern WHERE … }`` is a query of one MATCH."""

    query: Query


@dataclass(frozen=True, slots=True)
class CountSubquery(Expression):
    query: Query


@dataclass(frozen=True, slots=True)
class CollectSubquery(Expression):
    query: Query


@dataclass(frozen=True, slots=True)
class MapProjection(Expression):
    """``subject {.*, .key, variable, key: expression}``."""

    subject: Variable
    items: tuple[ProjectionEntry, ...]


@dataclass(frozen=True, slots=True)
class ProjectionEntry(Syntax):
    """One entry of a map projection."""


@dataclass(frozen=True, slots=True)
class AllPropertiesEntry(ProjectionEntry):
    """``.*``"""


@dataclass(frozen=True, slots=True)
class PropertyEntry(ProjectionEntry):
    """``.key``"""

    key: str


@dataclass(frozen=True, slots=True)
class VariableEntry(ProjectionEntry):
    """``variable``: its name is the key."""

    variable: Variable


@dataclass(frozen=True, slots=True)
class LiteralEntry(ProjectionEntry):
    """``key: expression``"""

    key: str
    value: Expression
