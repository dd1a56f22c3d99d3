"""Beginnings at a relationship: by its id, by an index, by a scan, or because it is bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query.rules.access_paths import Access, id_lookup, relationship_index_access
from everwhen.query.rules.partial import Cross, Partial, Step
from everwhen.query.traverse import conjunction, slots_of

if TYPE_CHECKING:
    from everwhen.query.rules.pattern_order import PatternOrder


def relationship_starts(order: PatternOrder, partial: Partial) -> Iterator[Step]:
    for part in partial.parts:
        if not isinstance(part, lg.RelationshipPart) or part.length is not None:
            continue
        for access in _relationship_accesses(order, partial, part):
            slots = (part.slot, part.left, part.right)
            yield Cross(order.take(partial, access, slots, part))


def _relationship_accesses(
    order: PatternOrder, partial: Partial, part: lg.RelationshipPart
) -> Iterator[Access]:
    if part.left == part.right:
        return
    if part.slot in order.match.bound:
        yield _from_bound(order, partial, part)
        return
    unique = order.unique(partial, part)
    for predicate in partial.predicates:
        found = id_lookup(predicate, part.slot)
        if found is not None and not _unusable(order, partial, found[0]) and not unique:
            ids, element, rows = found
            if part.types is None:
                seek = p.RelationshipByIdSeek(
                    partial.operator,
                    part.slot,
                    part.left,
                    part.right,
                    ids,
                    element,
                    part.direction,
                    order.view,
                )
                yield Access(seek, rows, rows, (), seek=True)
    if part.types is not None and len(part.types) == 1 and not unique:
        yield from _relationship_index(order, partial, part, part.types[0])
    count = order.ctx.estimator.relationships(part.types)
    scan = p.RelationshipScan(
        partial.operator,
        part.slot,
        part.left,
        part.right,
        part.types,
        part.direction,
        unique,
        order.view,
    )
    rows = count * (2.0 if part.direction is Direction.BOTH else 1.0)
    everything = order.ctx.estimator.relationships(None)
    yield Access(scan, rows, everything, (), seek=False)


def _unusable(order: PatternOrder, partial: Partial, value: b.Expression) -> bool:
    return bool(slots_of(value) & order.unknown(partial))


def _relationship_index(
    order: PatternOrder, partial: Partial, part: lg.RelationshipPart, type_: str
) -> Iterator[Access]:
    found = relationship_index_access(
        order.ctx,
        partial.operator,
        part.slot,
        type_,
        partial.predicates,
        order.unknown(partial),
        order.needs,
        order.view,
    )
    if found is not None and isinstance(found.operator, p.IndexSeek):
        found.operator.start, found.operator.end = part.left, part.right
        found.operator.direction = part.direction
        yield found


def _from_bound(order: PatternOrder, partial: Partial, part: lg.RelationshipPart) -> Access:
    """A relationship bound before: its nodes are found by its id."""
    here = order.ctx.slot(part.slot)
    again = order.ctx.new_slot(f"{here.name}@")
    operator: p.Unary = p.RelationshipByIdSeek(
        partial.operator,
        again,
        part.left,
        part.right,
        b.FunctionCall("id", (here,)),
        False,
        part.direction,
        order.view,
    )
    tests: list[b.Expression] = []
    if part.types is not None:
        names = tuple(b.LabelName(name) for name in part.types)
        tests.append(b.HasLabels(here, names[0] if len(names) == 1 else b.LabelOr(names)))
    tests += [
        b.Not(b.Binary("IN", here, _as_list(order.ctx.slot(slot))))
        for slot in order.unique(partial, part)
    ]
    if tests:
        operator.estimate = partial.rows
        operator = p.Filter(operator, conjunction(tests))
    return Access(operator, 1.0, 1.0, (), seek=True)


def _as_list(slot: b.Slot) -> b.Expression:
    """A relationship or a list of them as a list."""
    return b.Case(
        None,
        ((b.IsTyped(slot, "LIST<ANY>"), slot),),
        b.ListLiteral((slot,)),
    )
