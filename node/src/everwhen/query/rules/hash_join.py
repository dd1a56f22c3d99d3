"""Joins an unconnected piece of a pattern by a hash table instead of a nested loop.

``MATCH (a:A), (b:B) WHERE a.x = b.y`` finds all ``b`` once and looks them up by ``y``. Only where
the piece needs nothing of the rows it is joined with (it is planned from the argument row), and
only where the nested loop looks dear.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query.cost import EQUALITY, ROWS_MIN
from everwhen.query.rules.partial import Partial
from everwhen.query.rules.uniqueness import may_meet
from everwhen.query.traverse import slots_of, volatile

if TYPE_CHECKING:
    from everwhen.query.rules.pattern_order import PatternOrder

#: pairs below which a nested loop is as good
PAIRS_MIN: Final = 200.0


def joined(order: PatternOrder, partial: Partial) -> Partial | None:
    """The partial joined with one unconnected piece, if there is such an equality."""
    if order.match.optional or order.view is not None or partial.rows <= 1.0:
        return None
    for predicate in partial.predicates:
        if not isinstance(predicate, b.Binary) or predicate.operator != "=" or volatile(predicate):
            continue
        for mine, other in (
            (predicate.left, predicate.right),
            (predicate.right, predicate.left),
        ):
            found = _join(order, partial, predicate, mine, other)
            if found is not None:
                return found
    return None


def _join(
    order: PatternOrder,
    partial: Partial,
    predicate: b.Expression,
    left: b.Expression,
    right: b.Expression,
) -> Partial | None:
    unknown = order.introduced - partial.solved
    wanted = slots_of(right)
    needed = slots_of(left)
    if not needed or needed & unknown or not wanted or not wanted <= unknown:
        return None
    piece = _piece(partial, wanted, unknown)
    if piece is None or not wanted <= frozenset(piece.introduced):
        return None
    from everwhen.query.rules.pattern_order import PatternOrder as Order

    inner = Order(order.ctx, piece, p.Argument(estimate=1.0)).plan()
    if partial.rows * inner.estimate < PAIRS_MIN:
        return None
    done = [x for x in order.match.parts if all(x is not y for y in partial.parts)]
    if not order.match.repeatable and any(may_meet(a, c) for a in piece.parts for c in done):
        return None
    rows = max(partial.rows * inner.estimate * EQUALITY, ROWS_MIN)
    slots = piece.introduced
    operator = p.HashJoin(partial.operator, inner, left, right, slots, estimate=rows)
    gone = {id(x) for x in piece.predicates} | {id(predicate)}
    return order._settle(
        replace(
            partial,
            operator=operator,
            rows=rows,
            cost=partial.cost + partial.rows + 2 * inner.estimate + rows,
            solved=partial.solved | frozenset(slots),
            parts=tuple(x for x in partial.parts if all(x is not y for y in piece.parts)),
            nodes=tuple(slot for slot in partial.nodes if slot not in slots),
            predicates=tuple(x for x in partial.predicates if id(x) not in gone),
        )
    )


def _piece(
    partial: Partial, wanted: frozenset[int], unknown: frozenset[int]
) -> lg.PatternMatch | None:
    """The connected rest of the pattern around some slots, as a pattern of its own."""
    nodes = {slot for slot in partial.nodes if slot in wanted}
    parts: list[lg.Part] = [x for x in partial.parts if x.slot in wanted]
    grown = True
    while grown:
        grown = False
        for part in partial.parts:
            ends = {part.left, part.right}
            if any(part is x for x in parts):
                grown = grown or not ends <= nodes
                nodes |= ends
            elif ends & nodes:
                parts.append(part)
                nodes |= ends
                grown = True
    if not nodes <= unknown or any(x.slot not in unknown for x in parts):
        return None
    inside = frozenset(nodes | {x.slot for x in parts})
    predicates = tuple(
        x for x in partial.predicates if slots_of(x) and slots_of(x) <= inside and not volatile(x)
    )
    return lg.PatternMatch(
        p.Argument(), tuple(sorted(nodes)), tuple(parts), predicates, frozenset()
    )
