"""Relationship uniqueness: within one MATCH no relationship is walked twice.

Two parts whose types have nothing in common can never be the same relationship, so they need no
test.
"""

from __future__ import annotations

from collections.abc import Iterable

from everwhen.query import logical as lg


def different_from(part: lg.Part, done: Iterable[lg.Part]) -> tuple[int, ...]:
    """Slots of the parts found before that ``part`` has to differ from."""
    return tuple(other.slot for other in done if other is not part and may_meet(part, other))


def may_meet(one: lg.Part, other: lg.Part) -> bool:
    """Whether two parts can be the same relationship at all."""
    mine, theirs = types_of(one), types_of(other)
    return mine is None or theirs is None or bool(mine & theirs)


def types_of(part: lg.Part) -> frozenset[str] | None:
    """Types a part can have; None: any."""
    if isinstance(part, lg.RelationshipPart):
        return None if part.types is None else frozenset(part.types)
    found: set[str] = set()
    for inner in part.inner.parts:
        types = types_of(inner)
        if types is None:
            return None
        found |= types
    return frozenset(found)
