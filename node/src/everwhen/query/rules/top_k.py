"""Sort below Limit keeps only as many rows as are wanted; Limit above writes runs them all."""

from __future__ import annotations

from everwhen.query import bound as b
from everwhen.query import physical as p


def sort_limit(op: p.Operator) -> p.Operator:
    """``Limit(Sort)`` and ``Limit(Skip(Sort))``: the sort is told how many rows are needed."""
    if not isinstance(op, p.Limit):
        return op
    below = op.child
    if isinstance(below, p.Sort):
        below.limit = op.count
    elif isinstance(below, p.Skip) and isinstance(below.child, p.Sort):
        counts = (below.count, op.count)
        if all(isinstance(x, b.Literal) and type(x.value) is int for x in counts):
            below.child.limit = b.Literal(sum(x.value for x in counts if isinstance(x, b.Literal)))
        else:
            below.child.skip, below.child.limit = counts
    return op
