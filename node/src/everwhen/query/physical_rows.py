"""Operators over rows: filters, projections, joins, subqueries and calls."""

from __future__ import annotations

from dataclasses import dataclass

from everwhen.query.bound import Aggregation, Expression
from everwhen.query.physical_base import Operator, Unary


@dataclass(slots=True)
class Optional(Unary):
    """Per row of child: the rows of ``inner``, or once the row with ``slots`` null."""

    inner: Operator
    slots: tuple[int, ...]


@dataclass(slots=True)
class Filter(Unary):
    """Keeps rows whose predicate is true (not null)."""

    predicate: Expression


@dataclass(slots=True)
class Project(Unary):
    """Writes expressions into slots of a *copy* of the row; all are evaluated before any is
    written."""

    items: tuple[tuple[int, Expression], ...]


@dataclass(slots=True)
class Aggregate(Unary):
    """Groups by ``groups`` (slot, expression); no groups: exactly one row, also on no input.
    New rows are copies of the argument row with the group and aggregation slots set."""

    groups: tuple[tuple[int, Expression], ...]
    aggregations: tuple[tuple[int, Aggregation], ...]


@dataclass(slots=True)
class Distinct(Unary):
    """First row of each combination of the slots."""

    slots: tuple[int, ...]


@dataclass(slots=True)
class SortKey:
    expression: Expression
    descending: bool


@dataclass(slots=True)
class Sort(Unary):
    """Stable sort by openCypher's total order; ``limit`` (Top): only so many are needed, behind
    ``skip`` others."""

    keys: tuple[SortKey, ...]
    limit: Expression | None = None
    skip: Expression | None = None


@dataclass(slots=True)
class Skip(Unary):
    count: Expression


@dataclass(slots=True)
class Limit(Unary):
    """Stops pulling after ``count`` rows. ``exhaust``: writes stand below, so the rest is still
    pulled (and thrown away) for its effects."""

    count: Expression
    exhaust: bool = False


@dataclass(slots=True)
class Unwind(Unary):
    """One row per element; null: none; a value that is no list: itself once."""

    slot: int
    expression: Expression


@dataclass(slots=True)
class HashJoin(Unary):
    """Rows of ``child`` joined with rows of ``inner`` (run once per argument row, not per child
    row) where ``left`` equals ``right``; ``slots`` of the inner row are copied over."""

    inner: Operator
    left: Expression
    right: Expression
    slots: tuple[int, ...]


@dataclass(slots=True)
class Union(Operator):
    """Rows of each part in turn, its ``sources`` slots copied to ``targets``; DISTINCT stands
    above it where it is asked for."""

    parts: tuple[Operator, ...]
    sources: tuple[tuple[int, ...], ...]
    targets: tuple[int, ...]


@dataclass(slots=True)
class Apply(Unary):
    """``CALL { }``: per row of child the rows of ``inner`` with ``slots`` taken over; ``unit``:
    the subquery returns nothing, so the row itself once, after running it. ``optional``:
    OPTIONAL CALL."""

    inner: Operator
    slots: tuple[int, ...]
    unit: bool
    optional: bool = False


@dataclass(slots=True)
class ApplyInTransactions(Unary):
    """``CALL { } IN TRANSACTIONS``: commits after every ``batch`` rows of the child.

    ``on_error``: ``fail``, ``continue``, ``break``; ``status``: slot for REPORT STATUS.
    """

    inner: Operator
    slots: tuple[int, ...]
    unit: bool
    batch: Expression
    on_error: str = "fail"
    status: int | None = None


@dataclass(slots=True)
class ProcedureCall(Unary):
    """``CALL name(arguments) YIELD``: ``yields`` are (column of the procedure, slot).
    ``arguments`` None: implicit arguments taken from the parameters (standalone call)."""

    procedure: str
    arguments: tuple[Expression, ...] | None
    yields: tuple[tuple[str, int], ...]
    optional: bool = False
    view: int | None = None
    at: int = -1


@dataclass(slots=True)
class LoadCsv(Unary):
    """Rows of a CSV file of the import folder: lists, or maps with headers."""

    url: Expression
    slot: int
    headers: bool
    delimiter: str = ","


@dataclass(slots=True)
class ShowTable(Operator):
    """``SHOW …``: ``what`` is INDEXES, CONSTRAINTS, PROCEDURES …; ``yields`` are (column, slot)."""

    what: str
    yields: tuple[tuple[str, int], ...]
    arguments: tuple[Expression, ...] = ()
    detail: str = ""


@dataclass(slots=True)
class Eager(Unary):
    """Reads all of child before it yields: separates writes from reads they must not see."""
