"""Filters that are always true vanish; nested conjunctions become one.

Nothing is evaluated here that could fail or depend on the moment: folding only looks at boolean
literals.
"""

from __future__ import annotations

from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import conjunction, conjuncts


def fold_filter(op: p.Operator) -> p.Operator:
    """A filter without the conjuncts that are literally true."""
    if not isinstance(op, p.Filter):
        return op
    parts = conjuncts(op.predicate)
    kept = [x for x in parts if not (isinstance(x, b.Literal) and x.value is True)]
    if not kept:
        return op.child
    if len(kept) != len(parts):
        op.predicate = conjunction(kept)
    return op
