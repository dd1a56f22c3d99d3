"""What is read above each operator of a plan, so that nobody makes what nobody looks at.

Every variable of a statement has a slot of its own and keeps it, so what an operator's rows must
carry is what the operators above it read: walking down from the root, each adds what it reads. An
aggregation begins anew, and of an inner plan only the slots that are taken over count.

``bag`` says whether it matters above how often a row comes: below DISTINCT, EXISTS or aggregations
of distinct values it does not, and equal rows may be dropped early. Where chance is asked it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from everwhen.exec.batch.core import Scope
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import operators_below, slots_of, volatile, walk

Slots = frozenset[int]


@dataclass(frozen=True, slots=True)
class Need:
    """Of one operator's rows: the slots read above, and whether their number counts."""

    slots: Slots
    bag: bool


Below = list[tuple[p.Operator, Need]]


class Scoped(tuple[int, ...]):  # noqa: SLOT001 - a tuple cannot have them
    """A scope (see ``core``) that knows its plan's needs, by identity of the operator."""

    needs: dict[int, Need]

    @classmethod
    def of(cls, scope: Iterable[int], needs: dict[int, Need]) -> Scoped:
        found = cls(scope)
        found.needs = needs
        return found


def inside(scope: Scope, slot: int) -> Scope:
    """The scope of an inner plan whose origins stand in ``slot``."""
    return Scoped.of((*scope, slot), scope.needs if isinstance(scope, Scoped) else {})


def need_of(scope: Scope, operator: p.Operator) -> Need | None:
    """None: not known, so everything counts."""
    return scope.needs.get(id(operator)) if isinstance(scope, Scoped) else None


def needs_of(root: p.Operator) -> dict[int, Need]:
    """The needs of a root, whose whole rows are wanted, and of every operator below."""
    found: dict[int, Need] = {}
    waiting: Below = [(root, Need(slots_of(root), bag=True))]
    while waiting:
        operator, need = waiting.pop()
        found[id(operator)] = need
        special = _BELOW.get(type(operator))
        waiting += special(operator, need) if special is not None else _plain(operator, need)
    return found


def _plain(op: p.Operator, need: Need) -> Below:
    """Operators with one child, and expressions over its rows."""
    if not isinstance(op, p.Unary):
        return [(other, Need(slots_of(other), bag=True)) for other in operators_below(op)]
    reads = _READS.get(type(op))
    if reads is None:  # one that only the row path knows
        every = need.slots | slots_of(op)
        return [(other, Need(every, bag=True)) for other in operators_below(op)]
    read = [*reads(op), getattr(op, "view", None)]
    bag = False if isinstance(op, p.Distinct) else need.bag or _counts_rows(op) or volatile(*read)
    return [(op.child, Need(need.slots | _slots(read), bag)), *_subqueries(read)]


def _counts_rows(op: p.Operator) -> bool:
    return isinstance(op, (p.Skip, p.Limit)) or (isinstance(op, p.Sort) and op.limit is not None)


def _slots(values: Iterable[Any]) -> Slots:
    """The slots of a mixture of slots and expressions."""
    found: set[int] = set()
    for value in values:
        if type(value) is int:
            found.add(value)
        elif value is not None:
            found |= slots_of(value)
    return frozenset(found)


def _subqueries(values: Iterable[Any]) -> Below:
    """The plans of subquery expressions, and what is wanted of their rows."""
    found: Below = []
    for value in values:
        for item in walk(value, into=lambda node: not isinstance(node, b.Subquery)):
            if isinstance(item, b.Subquery):
                columns = () if item.column is None else (item.column,)
                found.append((item.plan, Need(frozenset(columns), bag=item.kind != "EXISTS")))
    return found


# --- what each operator reads of its child's rows ---


def _expand(op: p.Expand) -> list[Any]:
    read: list[Any] = [op.source, *op.unique_with]
    if op.into:
        read.append(op.target)
    if op.bound_relationship:
        read.append(op.relationship)
    return read


def _var_expand(op: p.VarExpand) -> list[Any]:
    return [*_expand(op), op.predicate]  # type: ignore[arg-type]


def _quantified(op: p.QuantifiedExpand) -> list[Any]:
    inside = [slot for slot in slots_of(op.inner) if slot != op.inner_start]
    return [op.source, *([op.target] if op.into else ()), *op.unique_with, *inside]


def _seek(op: p.IndexSeek) -> list[Any]:
    ends = [end.expression for end in (op.lower, op.upper) if end is not None]
    return [*op.equal, *ends, op.prefix]


_READS: Final[dict[type, Callable[[Any], list[Any]]]] = {
    p.BindView: lambda op: [op.expression],
    p.AllNodesScan: lambda op: [],
    p.LabelScan: lambda op: [],
    p.NodeCount: lambda op: [],
    p.NodeByIdSeek: lambda op: [op.ids],
    p.RelationshipByIdSeek: lambda op: [op.ids],
    p.RelationshipScan: lambda op: [*op.unique_with],
    p.IndexSeek: _seek,
    p.Expand: _expand,
    p.VarExpand: _var_expand,
    p.ShortestPath: lambda op: [op.source, op.target, *op.unique_with, op.count, op.predicate],
    p.Filter: lambda op: [op.predicate],
    p.Project: lambda op: [expression for _, expression in op.items],
    p.Distinct: lambda op: [*op.slots],
    p.Sort: lambda op: [*(key.expression for key in op.keys), op.limit, op.skip],
    p.Skip: lambda op: [op.count],
    p.Limit: lambda op: [op.count],
    p.Unwind: lambda op: [op.expression],
    p.QuantifiedExpand: _quantified,
    p.Eager: lambda op: [],
}


# --- operators with more below, or that begin anew ---


def _produce(op: p.ProduceResults, need: Need) -> Below:
    return [(op.child, Need(frozenset(slot for _, slot in op.columns), bag=True))]


def _union(op: p.Union, need: Need) -> Below:
    return [
        (part, Need(frozenset(source), need.bag))
        for part, source in zip(op.parts, op.sources, strict=True)
    ]


def _aggregate(op: p.Aggregate, need: Need) -> Below:
    read: list[Any] = [expression for _, expression in op.groups]
    bag = False
    for _, cell in op.aggregations:
        read += [cell.argument, *cell.extra]
        bag = bag or not (cell.distinct or cell.name in ("min", "max"))
    bag = bag or volatile(*read)
    return [(op.child, Need(_slots(read), bag)), *_subqueries(item for item in read if item)]


def _apply(op: p.Apply, need: Need) -> Below:
    inner = Need(need.slots & frozenset(op.slots), need.bag)
    bag = need.bag or volatile(op.inner)
    return [(op.child, Need(need.slots | slots_of(op.inner), bag)), (op.inner, inner)]


def _optional(op: p.Optional, need: Need) -> Below:
    bag = need.bag or volatile(op.inner)
    return [(op.child, Need(need.slots | slots_of(op.inner), bag)), (op.inner, need)]


def _hash_join(op: p.HashJoin, need: Need) -> Below:
    inner = Need((need.slots & frozenset(op.slots)) | slots_of(op.right), need.bag)
    outer = Need(need.slots | slots_of(op.left) | slots_of(op.inner), need.bag)
    return [(op.child, outer), (op.inner, inner), *_subqueries((op.left, op.right))]


_BELOW: Final[dict[type, Callable[[Any, Need], Below]]] = {
    p.ProduceResults: _produce,
    p.Union: _union,
    p.Aggregate: _aggregate,
    p.Apply: _apply,
    p.Optional: _optional,
    p.HashJoin: _hash_join,
}
