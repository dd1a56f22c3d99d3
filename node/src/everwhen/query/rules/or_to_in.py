"""``n.x = 1 OR n.x = 2`` is ``n.x IN [1, 2]``, which an index can answer.

Both are true, false and null for the same values: IN is the disjunction of its equalities. Only
constants and parameters, which cannot fail, so nothing that OR would not have looked at matters.
"""

from __future__ import annotations

from everwhen.query import bound as b


def or_to_in(e: b.Expression) -> b.Expression:
    """The disjunction as IN, if all of it compares one property of one variable."""
    if not isinstance(e, b.Or):
        return e
    subjects: set[tuple[int, str]] = set()
    items: list[b.Expression] = []
    subject: b.Expression | None = None
    for operand in e.operands:
        found = _alternatives(operand)
        if found is None:
            return e
        slot, key, subject, values = found
        subjects.add((slot, key))
        items += values
    if subject is None or len(subjects) != 1:
        return e
    return b.Binary("IN", subject, b.ListLiteral(tuple(items)), at=e.at)


def _alternatives(
    e: b.Expression,
) -> tuple[int, str, b.Expression, tuple[b.Expression, ...]] | None:
    """(slot, key, property, values) of ``slot.key = value`` or ``slot.key IN [values]``."""
    if not isinstance(e, b.Binary) or not isinstance(e.left, b.Property):
        return None
    subject, right = e.left.subject, e.right
    if not isinstance(subject, b.Slot):
        return None
    values: tuple[b.Expression, ...]
    if e.operator == "=":
        values = (right,)
    elif e.operator == "IN" and isinstance(right, b.ListLiteral):
        values = right.items
    else:
        return None
    if not all(isinstance(value, (b.Literal, b.Parameter)) for value in values):
        return None
    return subject.index, e.left.key, e.left, values
