"""Separates reads from writes that must not touch each other.

Rows are pulled one at a time, so without care a later clause would write while an earlier one
still reads (and find its own creations), or a later one would read before an earlier one has
written everything. Wherever a read and a write, or two writes, of different operators in one chain can
meet, an ``Eager`` between them makes the lower one finish first. No ``Eager`` is needed

* where at most one row flows (nothing is left to be read or written when the other begins);
* where an operator between them gathers all rows anyway (Sort, Aggregate);
* for the leaf scan of the statement: it shows the state at the moment it was begun
  (``model.graph``), so only what is read again per row counts;
* for a write to the leaf's own entity after looking at nothing but that entity: every row has
  another one (``MATCH (n:A) WHERE n.x = 1 SET n.x = 2`` streams);
* between MERGEs of nodes of one shape: the same keys give the same nodes in any order;
* within one operator (MERGE, CALL, FOREACH): they work row by row, and are meant to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.rules.effects import Effects, conflict, of_operator, overwrites, reads_graph
from everwhen.query.traverse import walk

_GATHER = (p.Sort, p.Aggregate, p.NodeCount, p.Eager)
_LEAVES = (p.AllNodesScan, p.LabelScan, p.NodeByIdSeek, p.IndexSeek)
#: operators that never give more rows than they take
_KEEPS_ROWS = (
    p.Filter,
    p.Project,
    p.Create,
    p.Update,
    p.Delete,
    p.Foreach,
    p.BindView,
    p.Skip,
    p.Limit,
    p.Distinct,
    p.Sort,
)


@dataclass(slots=True)
class _Pending:
    """Operators since rows were last gathered, and the leaf if only its own rows flow."""

    done: list[tuple[p.Operator, Effects]] = field(default_factory=list)
    own: int | None = None

    def clashes(self, op: p.Operator, effects: Effects) -> bool:
        """Whether ``op`` must not run while any of these still do."""
        if self.own is not None and _touches_only(op, self.own):
            return False
        return any(
            (
                conflict(earlier, effects)
                or conflict(effects, earlier)
                or overwrites(earlier, effects)
            )
            and not _commute(below, op)
            for below, earlier in self.done
        )


def insert_eager(root: p.Operator) -> p.Operator:
    """The plan with every Eager it needs, inner plans too."""
    chain = _chain(root)
    for op in chain:
        _inner_plans(op)
    if not any(of_operator(op).writes for op in chain):
        return root
    return _guard(chain)


def _chain(root: p.Operator) -> list[p.Operator]:
    """The operators from the leaf up to the root."""
    found = [root]
    while isinstance(found[-1], p.Unary):
        found.append(found[-1].child)
    return found[::-1]


def _inner_plans(op: p.Operator) -> None:
    for item in fields(op):
        value = getattr(op, item.name)
        if item.name == "child":
            continue
        if isinstance(value, p.Operator):
            setattr(op, item.name, insert_eager(value))
        elif isinstance(value, tuple) and value and isinstance(value[0], p.Operator):
            setattr(op, item.name, tuple(insert_eager(x) for x in value))


def _guard(chain: list[p.Operator]) -> p.Operator:
    """Walks up the chain, keeping what is read and written since rows were last gathered."""
    pending = _Pending()
    single = True  # at most one row so far
    plan = chain[0]
    for op in chain:
        effects = of_operator(op)
        if isinstance(op, p.ProduceResults):
            _results(op, effects)
        if isinstance(op, p.Unary):
            op.child = plan
            if not single and pending.clashes(op, effects):
                op.child = p.Eager(plan, estimate=plan.estimate)
                pending = _Pending()
        if isinstance(op, _GATHER):
            pending = _Pending()
        elif single and isinstance(op, _LEAVES):
            pending.own = op.slot  # begun once, before anything is written
        else:
            pending.done.append((op, effects))
            if pending.own is not None and not _looks_at_own(op, pending.own):
                pending.own = None
        single = single and _one_row(op)
        plan = op
    return plan


def _results(op: p.ProduceResults, effects: Effects) -> None:
    """What is handed out is looked at whole."""
    if op.columns:
        effects.keys_read.add(None)
        effects.labels_read.add(None)


def _one_row(op: p.Operator) -> bool:
    """Whether the operator gives at most one row for one row."""
    if isinstance(op, p.Aggregate):
        return not op.groups
    if isinstance(op, p.Apply):
        return op.unit
    return isinstance(op, (p.Argument, *_KEEPS_ROWS, p.NodeCount, p.Eager))


# --- rows of their own ---------------------------------------------------------------------


def _is_slot(e: Any, slot: int) -> bool:
    return isinstance(e, b.Slot) and e.index == slot


def _looks_at_own(op: p.Operator, slot: int) -> bool:
    """One row for one row, and nothing of the graph is looked at but the entity in ``slot``."""
    if isinstance(op, (p.Update, p.Delete)):
        return _touches_only(op, slot)
    if not isinstance(op, (p.Filter, p.Project, p.Skip, p.Limit, p.BindView)):
        return False
    return _reads_only(op, slot)


def _reads_only(op: p.Operator, slot: int) -> bool:
    inside = walk(op, into=lambda node: node is op or not isinstance(node, p.Operator))
    for node in inside:
        if node is op:
            continue
        if isinstance(node, p.Operator) and node is not getattr(op, "child", None):
            return False
        if reads_graph(node) and not _is_slot(getattr(node, "subject", None), slot):
            return False
    return True


def _touches_only(op: p.Operator, slot: int) -> bool:
    """Writes to the entity in ``slot`` alone, and reads no other."""
    if isinstance(op, p.Update):
        return all(_is_slot(change.entity, slot) for change in op.changes) and _reads_only(op, slot)
    if isinstance(op, p.Delete):
        return all(_is_slot(e, slot) for e in op.expressions)
    return False


# --- merges of one shape -------------------------------------------------------------------


def _commute(one: p.Operator, other: p.Operator) -> bool:
    """Two MERGEs of one node each, equal in labels and keys, and without SET."""
    shape = _shape(one)
    return shape is not None and shape == _shape(other)


def _shape(op: p.Operator) -> tuple[frozenset[str], frozenset[str]] | None:
    if not isinstance(op, p.Merge) or op.on_create or op.on_match or len(op.specs) != 1:
        return None
    spec = op.specs[0]
    if not isinstance(spec, p.NodeSpec) or spec.labels.dynamic:
        return None
    if not isinstance(spec.properties, b.MapLiteral):
        return None
    return frozenset(spec.labels.names), frozenset(key for key, _ in spec.properties.items)
