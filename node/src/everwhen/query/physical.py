"""The physical plan: a tree of operators that ``exec/`` runs row by row.

Every operator but the leaf :class:`Argument` has a ``child`` it pulls rows from; reading
operators run once per row of the child (a nested loop), so that a chain of them is a pattern.
``inner`` plans run once per row with that row as their argument row (see ``bound``). Slots are
row positions. ``view`` is a slot holding the past GraphView put there by :class:`BindView`; None
means the transaction's own view.

``unique_with``: relationship uniqueness within one MATCH: slots of single relationships or of
relationship lists that the new relationship(s) must differ from.

``estimate`` is the planner's guess of rows produced; PROFILE sets it against the real number.

The classes live in ``physical_*`` modules by concern; import them from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.query.physical_base import (
    Argument,
    BindView,
    EachVersion,
    Operator,
    SchemaCommand,
    Unary,
)
from everwhen.query.physical_reads import (
    AllNodesScan,
    Expand,
    GroupVariable,
    IndexSeek,
    LabelScan,
    NodeByIdSeek,
    NodeCount,
    QuantifiedExpand,
    RangeSpec,
    RelationshipByIdSeek,
    RelationshipScan,
    ShortestPath,
    VarExpand,
)
from everwhen.query.physical_rows import (
    Aggregate,
    Apply,
    ApplyInTransactions,
    Distinct,
    Eager,
    Filter,
    HashJoin,
    Limit,
    LoadCsv,
    Optional,
    ProcedureCall,
    Project,
    ShowTable,
    Skip,
    Sort,
    SortKey,
    Union,
    Unwind,
)
from everwhen.query.physical_writes import (
    Change,
    Create,
    Delete,
    Foreach,
    LabelSource,
    Merge,
    NodeSpec,
    RelationshipSpec,
    RemoveLabels,
    RemoveProperty,
    SetLabels,
    SetProperties,
    SetProperty,
    Update,
)

__all__ = [
    "Aggregate",
    "AllNodesScan",
    "Apply",
    "ApplyInTransactions",
    "Argument",
    "BindView",
    "Change",
    "Create",
    "Delete",
    "Distinct",
    "EachVersion",
    "Eager",
    "Expand",
    "Filter",
    "Foreach",
    "GroupVariable",
    "HashJoin",
    "IndexSeek",
    "LabelScan",
    "LabelSource",
    "Limit",
    "LoadCsv",
    "Merge",
    "NodeByIdSeek",
    "NodeCount",
    "NodeSpec",
    "Notification",
    "Operator",
    "Optional",
    "Plan",
    "ProcedureCall",
    "ProduceResults",
    "Project",
    "QuantifiedExpand",
    "RangeSpec",
    "RelationshipByIdSeek",
    "RelationshipScan",
    "RelationshipSpec",
    "RemoveLabels",
    "RemoveProperty",
    "SchemaCommand",
    "SetLabels",
    "SetProperties",
    "SetProperty",
    "ShortestPath",
    "ShowTable",
    "Skip",
    "Sort",
    "SortKey",
    "Unary",
    "Union",
    "Unwind",
    "Update",
    "VarExpand",
]


@dataclass(slots=True)
class ProduceResults(Unary):
    """The statement's columns; none for a statement that returns nothing (it is run for its
    effects)."""

    columns: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Plan:
    """What planning gives: pure value, cacheable by text and catalog version.

    ``kind``: ``r``, ``w``, ``rw``, ``s`` (schema). ``mode``: ``run``, ``explain``, ``profile``.
    """

    root: ProduceResults
    width: int
    columns: tuple[str, ...]
    kind: str
    parameters: frozenset[str]
    catalog_version: int
    mode: str = "run"
    notifications: tuple[Notification, ...] = ()
    slot_names: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Notification:
    """A remark to the client: unknown label, cartesian product, deprecated form …"""

    code: str
    severity: str
    title: str
    description: str
    at: int = -1
