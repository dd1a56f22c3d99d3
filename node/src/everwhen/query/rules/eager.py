"""Separates reads from writes that must not touch each other.

Rows are pulled one at a time, so without care a later clause would write while an earlier one
still reads (and find its own creations), or a later one would read before an earlier one has
written everything. Wherever a read and a write of different operators in one chain can meet, an
``Eager`` between them makes the lower one finish first. No ``Eager`` is needed

* where at most one row flows (nothing is left to be read or written when the other begins);
* where an operator between them gathers all rows anyway (Sort, Aggregate);
* for the leaf scan of the statement: it shows the state at the moment it was begun
  (``model.graph``), so only what is read again per row counts;
* within one operator (MERGE, CALL, FOREACH): they work row by row, and are meant to.
"""

from __future__ import annotations

from dataclasses import fields

from everwhen.query import physical as p
from everwhen.query.rules.effects import Effects, conflict, of_operator

_GATHER = (p.Sort, p.Aggregate, p.Eager)
_LEAVES = (p.AllNodesScan, p.LabelScan, p.NodeByIdSeek, p.IndexSeek, p.RelationshipScan)
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
    below = Effects()
    single = True  # at most one row so far
    plan = chain[0]
    for op in chain:
        effects = of_operator(op)
        if isinstance(op, p.ProduceResults):
            _results(op, effects)
        if isinstance(op, p.Unary):
            op.child = plan
            clash = conflict(below, effects) or conflict(effects, below)
            if clash and not single:
                op.child = p.Eager(plan, estimate=plan.estimate)
                below = Effects()
        leaf = single and isinstance(op, _LEAVES)
        if isinstance(op, _GATHER):
            below = Effects()
        elif leaf and not isinstance(op, p.RelationshipScan):
            pass  # begun once, before anything is written
        else:
            below.add(effects)
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
    return isinstance(op, (p.Argument, *_KEEPS_ROWS, p.Eager))
