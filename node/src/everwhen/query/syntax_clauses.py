"""Syntax tree, clauses. Rules and sources: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from everwhen.query.syntax_base import Syntax

if TYPE_CHECKING:
    from everwhen.query.syntax_base import Expression
    from everwhen.query.syntax_expressions import Variable
    from everwhen.query.syntax_patterns import DynamicLabel, LabelName, PathPattern, TimeSpec


# --- clauses ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clause(Syntax):
    """One clause of a query."""


@dataclass(frozen=True, slots=True)
class ProjectionItem(Syntax):
    """``expression AS alias``; ``text`` is the expression as written: the column's name when
    there is no alias."""

    expression: Expression
    alias: Variable | None = None
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SortItem(Syntax):
    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Projection(Syntax):
    """The body of WITH, RETURN: ``DISTINCT *, items ORDER BY … SKIP … LIMIT …``."""

    items: tuple[ProjectionItem, ...] = ()
    star: bool = False
    distinct: bool = False
    order: tuple[SortItem, ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class Hint(Syntax):
    """``USING INDEX n:L(p)``, ``USING SCAN n:L``, ``USING JOIN ON a, b``: advice for the planner."""

    kind: str
    variables: tuple[Variable, ...]
    label: str | None = None
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match(Clause):
    patterns: tuple[PathPattern, ...]
    optional: bool = False
    where: Expression | None = None
    time: TimeSpec | None = None
    hints: tuple[Hint, ...] = ()
    #: ``MATCH REPEATABLE ELEMENTS``: a relationship may be walked more than once
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class With(Clause):
    projection: Projection
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Return(Clause):
    projection: Projection


@dataclass(frozen=True, slots=True)
class Finish(Clause):
    """Ends a query that returns no rows."""


@dataclass(frozen=True, slots=True)
class Unwind(Clause):
    expression: Expression
    variable: Variable


@dataclass(frozen=True, slots=True)
class Create(Clause):
    patterns: tuple[PathPattern, ...]


@dataclass(frozen=True, slots=True)
class Merge(Clause):
    pattern: PathPattern
    on_create: tuple[SetItem, ...] = ()
    on_match: tuple[SetItem, ...] = ()


@dataclass(frozen=True, slots=True)
class SetItem(Syntax):
    """One assignment of SET."""


@dataclass(frozen=True, slots=True)
class SetProperty(SetItem):
    """``subject.key = value``."""

    subject: Expression
    key: str
    value: Expression


@dataclass(frozen=True, slots=True)
class SetDynamicProperty(SetItem):
    """``subject[key] = value``."""

    subject: Expression
    key: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class SetProperties(SetItem):
    """``variable = value`` replaces all properties; ``variable += value`` (merge) adds to them."""

    variable: Variable
    value: Expression
    merge: bool


@dataclass(frozen=True, slots=True)
class SetLabels(SetItem):
    """``variable:A:$(e)``, also ``variable IS A``."""

    variable: Variable
    labels: tuple[LabelName | DynamicLabel, ...]


@dataclass(frozen=True, slots=True)
class Set(Clause):
    items: tuple[SetItem, ...]


@dataclass(frozen=True, slots=True)
class RemoveItem(Syntax):
    """One item of REMOVE."""


@dataclass(frozen=True, slots=True)
class RemoveProperty(RemoveItem):
    subject: Expression
    key: str


@dataclass(frozen=True, slots=True)
class RemoveDynamicProperty(RemoveItem):
    subject: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class RemoveLabels(RemoveItem):
    variable: Variable
    labels: tuple[LabelName | DynamicLabel, ...]


@dataclass(frozen=True, slots=True)
class Remove(Clause):
    items: tuple[RemoveItem, ...]


@dataclass(frozen=True, slots=True)
class Delete(Clause):
    """``DELETE`` and ``NODETACH DELETE`` (the same), ``DETACH DELETE``."""

    expressions: tuple[Expression, ...]
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Foreach(Clause):
    """``FOREACH (variable IN source | clauses)``; the clauses are updating ones."""

    variable: Variable
    source: Expression
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class YieldItem(Syntax):
    """``name AS alias``: a column of a procedure or a SHOW command."""

    name: str
    alias: Variable | None = None


@dataclass(frozen=True, slots=True)
class CallProcedure(Clause):
    """``CALL name(arguments) YIELD yields WHERE where``.

    ``arguments`` is None when there are no parentheses: then parameters of the request with the
    names of the procedure's arguments are taken (standalone only). ``yields`` is None without
    YIELD; ``YIELD *`` is ``yield_star`` with no yields; ``YIELD -`` is an empty tuple.
    """

    name: str
    arguments: tuple[Expression, ...] | None
    yields: tuple[YieldItem, ...] | None = None
    yield_star: bool = False
    where: Expression | None = None
    optional: bool = False
    time: TimeSpec | None = None


@dataclass(frozen=True, slots=True)
class InTransactions(Syntax):
    """``IN [n CONCURRENT] TRANSACTIONS OF rows ROWS ON ERROR on_error REPORT STATUS AS status``."""

    rows: Expression | None = None
    on_error: Literal["FAIL", "CONTINUE", "BREAK"] = "FAIL"
    status: Variable | None = None
    concurrent: bool = False
    concurrency: Expression | None = None


@dataclass(frozen=True, slots=True)
class CallSubquery(Clause):
    """``CALL { … }`` (``imports`` None: an importing WITH decides), ``CALL (x, y) { … }``,
    ``CALL (*) { … }`` (``import_star``, no imports), ``CALL () { … }`` (no imports)."""

    query: Query
    imports: tuple[Variable, ...] | None = None
    import_star: bool = False
    optional: bool = False
    transactions: InTransactions | None = None


@dataclass(frozen=True, slots=True)
class LoadCsv(Clause):
    source: Expression
    variable: Variable
    with_headers: bool = False
    field_terminator: str | None = None


@dataclass(frozen=True, slots=True)
class Use(Clause):
    """``USE neo4j``; there is one database."""

    name: str


@dataclass(frozen=True, slots=True)
class SingleQuery(Syntax):
    """A sequence of clauses between UNIONs."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Query(Syntax):
    """Parts joined by UNION. ``all_rows[i]`` tells whether the union before ``parts[i + 1]`` is
    UNION ALL; a mix of both is an error of the binder."""

    parts: tuple[SingleQuery, ...]
    all_rows: tuple[bool, ...] = ()
