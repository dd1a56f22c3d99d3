"""Guesses of how many rows an operator gives, from the counts kept with the record.

Guesses only order plans, they never change an answer. Where nothing is known the usual textbook
fractions stand in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from everwhen.model.graph import Direction, Statistics
from everwhen.model.schema import Catalog, IndexDefinition
from everwhen.query import bound as b
from everwhen.query import physical as p

EQUALITY: Final = 0.1
RANGE: Final = 0.3
PREFIX: Final = 0.1
OTHER: Final = 0.5
UNWIND_ROWS: Final = 10.0
#: rows are never guessed below this, so that products stay comparable
ROWS_MIN: Final = 0.001
#: a scan also meets what no count knows: writes of this transaction, and of those since it was
#: planned; so a seek of one entity is never dearer
SCAN_COST_MIN: Final = 4.0
_INEQUALITIES: Final = ("<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Estimator:
    """Row guesses against one catalog and its statistics."""

    catalog: Catalog
    statistics: Statistics

    def nodes(self, label: str | None = None) -> float:
        return float(max(self.statistics.node_count(label), 0))

    def relationships(self, types: tuple[str, ...] | None) -> float:
        if types is None:
            return float(self.statistics.relationship_count())
        return float(sum(self.statistics.relationship_count(name) for name in types))

    def degree(
        self,
        types: tuple[str, ...] | None,
        direction: Direction,
        labels: frozenset[str] = frozenset(),
    ) -> float:
        """Relationships met at one node.

        Whether a type's relationships begin at the node's label only or anywhere is not counted;
        the geometric mean of both answers is never far off.
        """
        count = self.relationships(types) * (2 if direction is Direction.BOTH else 1)
        everywhere = count / max(self.nodes(), 1.0)
        if not labels:
            return everywhere
        here = count / max(min(self.nodes(label) for label in labels), 1.0)
        return float((everywhere * here) ** 0.5)

    def index_rows(self, index: IndexDefinition, equalities: int) -> float:
        """Entities with given values for the first ``equalities`` properties."""
        size = float(self.statistics.index_size(index.name))
        if equalities == 0:
            return size
        if index.unique and equalities == len(index.properties):
            return min(1.0, size) if size else 1.0
        distinct = max(self.statistics.index_distinct(index.name), 1)
        if equalities < len(index.properties):
            return size / max(float(distinct ** (equalities / len(index.properties))), 1.0)
        return size / distinct

    def selectivity(self, predicate: b.Expression) -> float:
        """The fraction of rows a predicate lets through."""
        if isinstance(predicate, b.HasLabels):
            return self._label_fraction(predicate.labels)
        if isinstance(predicate, b.Binary):
            if predicate.operator == "=":
                return EQUALITY
            if predicate.operator in _INEQUALITIES:
                return RANGE
            if predicate.operator == "STARTS_WITH":
                return PREFIX
            return RANGE if predicate.operator == "IN" else OTHER
        if isinstance(predicate, b.And):
            fraction = 1.0
            for operand in predicate.operands:
                fraction *= self.selectivity(operand)
            return fraction
        if isinstance(predicate, b.Not):
            return max(1.0 - self.selectivity(predicate.operand), 0.1)
        if isinstance(predicate, b.IsNull):
            return 0.9 if predicate.negated else 0.1
        return OTHER

    def _label_fraction(self, labels: b.LabelExpression) -> float:
        everything = max(self.nodes(), 1.0)
        if isinstance(labels, b.LabelName):
            return min(self.nodes(labels.name) / everything, 1.0)
        if isinstance(labels, b.LabelOr):
            return min(sum(self._label_fraction(x) for x in labels.operands), 1.0)
        if isinstance(labels, b.LabelAnd):
            return min(self._label_fraction(x) for x in labels.operands)
        return OTHER

    def relational(self, op: p.Operator, rows: float) -> float:
        """Rows of an operator that is not a pattern, given those of its child."""
        if isinstance(op, p.Filter):
            return rows * self.selectivity(op.predicate)
        if isinstance(op, p.Aggregate):
            return 1.0 if not op.groups else max(rows**0.5, 1.0)
        if isinstance(op, p.Distinct):
            return rows * 0.8
        if isinstance(op, p.Limit):
            count = op.count.value if isinstance(op.count, b.Literal) else 10
            return min(rows, float(count)) if isinstance(count, int) else rows
        if isinstance(op, p.Unwind):
            items = op.expression
            return rows * (len(items.items) if isinstance(items, b.ListLiteral) else UNWIND_ROWS)
        if isinstance(op, (p.ProcedureCall, p.LoadCsv)):
            return rows * UNWIND_ROWS
        if isinstance(op, (p.Apply, p.ApplyInTransactions)):
            return rows if op.unit else rows * max(op.inner.estimate, 1.0)
        if isinstance(op, p.Optional):
            return rows * max(op.inner.estimate, 1.0)
        return rows
