"""A pattern partly planned, and the guesses that compare one with another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query.traverse import walk

#: steps of an unbounded walk that the guess of its rows counts
WALK_STEPS: Final = 3
#: the weight of a predicate that holds a pattern
SUBQUERY: Final = 2


@dataclass(frozen=True, slots=True)
class Partial:
    """A pattern partly planned."""

    operator: p.Operator
    rows: float
    cost: float
    solved: frozenset[int]
    parts: tuple[lg.Part, ...]
    nodes: tuple[int, ...]
    predicates: tuple[b.Expression, ...]
    paths: tuple[tuple[int, b.PathValue], ...]

    @property
    def done(self) -> bool:
        return not self.parts and not self.nodes


class Step:
    """A step that stays connected."""

    __slots__ = ("partial",)

    def __init__(self, partial: Partial) -> None:
        self.partial = partial


class Cross(Step):
    """A step that begins anew: a product with what was there."""

    __slots__ = ()


def walks(degree: float, minimum: int, maximum: int | None) -> float:
    """Rows of a walk of so many steps."""
    longest = min(minimum + WALK_STEPS if maximum is None else maximum, minimum + WALK_STEPS)
    lengths = range(min(minimum, longest), longest + 1)
    return float(min(sum(max(degree, 0.1) ** length for length in lengths), 1e12))


def weight(predicate: b.Expression) -> int:
    """Predicates with subqueries are looked at last, label tests first."""
    if isinstance(predicate, b.HasLabels):
        return 0
    subquery = any(isinstance(x, (b.Subquery, lg.SubqueryExpression)) for x in walk(predicate))
    return SUBQUERY if subquery else 1
