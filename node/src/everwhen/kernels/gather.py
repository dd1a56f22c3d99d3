"""From many nodes along relationships, where only the nodes reached matter and how often."""

from __future__ import annotations

from typing import Any

from everwhen.kernels.expand import base_of, chain_of
from everwhen.kernels.jit import ADJACENCY, BOOL, INT, INTS, INTS_OUT, MASK, ROWS, kernel


@kernel(INT(ADJACENCY, ROWS, INTS, MASK, BOOL, INTS_OUT))
def gather(
    adjacency: Any, sources: Any, weights: Any, passing: Any, loops: bool, counts: Any
) -> int:
    """Adds to ``counts``, by node row, the weight of every source (empty: one each) that a visible
    relationship leads from; how many from a node to itself were passed over (not ``loops``)."""
    version, offsets, base, _, begins, ends = adjacency[:6]
    heads, nexts, later, _, later_begins, later_ends = adjacency[6:]
    masked, chosen, weighted = len(begins) > 0, len(passing) > 0, len(weights) > 0
    passed_over = 0
    for row in range(len(sources)):
        node = sources[row]
        weight = weights[row] if weighted else 1
        first, stop = base_of(offsets, node)
        for at in range(first, stop):
            other = base[at]
            if chosen and not passing[other]:
                continue
            if masked and not (begins[at] <= version < ends[at]):
                continue
            if not loops and other == node:
                passed_over += 1
                continue
            counts[other] += weight
        link = chain_of(heads, node)
        while link >= 0:
            other = later[link]
            if later_begins[link] <= version < later_ends[link] and (not chosen or passing[other]):
                if not loops and other == node:
                    passed_over += 1
                else:
                    counts[other] += weight
            link = nexts[link]
    return passed_over
