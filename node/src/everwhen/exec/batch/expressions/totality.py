"""Conditions that have a value for every element, so that they may be put to rows that need none."""

from __future__ import annotations

from typing import Final

from everwhen.query import bound as b
from everwhen.query.traverse import walk

_COMPARISONS: Final = frozenset(("=", "<>", "<", "<=", ">", ">="))


def is_total(condition: b.Expression) -> bool:
    """Whether it cannot fail as long as the slots it reads hold elements: labels, properties
    compared with constants."""
    if isinstance(condition, b.HasLabels):
        return type(condition.subject) is b.Slot and not any(
            isinstance(part, b.LabelDynamic) for part in walk(condition)
        )
    if isinstance(condition, b.IsNull):
        return _plain(condition.operand)
    if isinstance(condition, b.Binary):
        plain = _plain(condition.left) and _plain(condition.right)
        return condition.operator in _COMPARISONS and plain
    return False


def _plain(expression: b.Expression) -> bool:
    if isinstance(expression, b.Property):
        return type(expression.subject) is b.Slot
    return isinstance(expression, (b.Literal, b.Parameter))
