"""Two steps that meet: from a node along one relationship to nodes next to another node.

What is next to the second node (the anchor) is counted into ``marks``, one counter per node; then
the first node's relationships are gone over once. So a cycle costs the two lists it closes over,
never their product, and rows that follow each other with one anchor share its marks.

What ``meet`` takes:

* ``anchored``: the two lists that lead from anchors, and whether the loops of each count;
* ``repeats``: if source and anchor are one node, how often a relationship from it to another node,
  and a loop, is met again from the anchor; then two zeros, for nodes that differ;
* ``rows``: sources, anchors, references that must not be met from the source, and nodes to which
  one relationship from the anchor does not count (-1: none), a row of numbers for each of them;
* ``state``: row, places in base and chain as for ``emit``, the anchor whose marks are made (-1);
* ``marks``: zeros, which they are again in the end;
* ``found``: for each node met the row, the node, how many relationships lead there from the anchor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from everwhen.kernels.expand import NOT_BEGUN, base_of, chain_of
from everwhen.kernels.jit import (
    ADJACENCY,
    BOOL,
    INT,
    INTS,
    INTS_OUT,
    MATRIX,
    ROW_MATRIX,
    ROWS,
    ROWS_OUT,
    kernel,
    part,
    tuple_of,
)


@part
def mark(adjacency: Any, node: int, loops: bool, by: int, marks: Any) -> None:
    """Adds ``by`` to the mark of the other node of each visible relationship."""
    version, offsets, base, _, begins, ends = adjacency[:6]
    heads, nexts, later, _, later_begins, later_ends = adjacency[6:]
    masked = len(begins) > 0
    first, stop = base_of(offsets, node)
    for at in range(first, stop):
        if (not masked or begins[at] <= version < ends[at]) and (loops or base[at] != node):
            marks[base[at]] += by
    link = chain_of(heads, node)
    while link >= 0:
        if later_begins[link] <= version < later_ends[link] and (loops or later[link] != node):
            marks[later[link]] += by
        link = nexts[link]


@part
def marked(one: Any, two: Any, loops: Any, before: int, now: int, marks: Any) -> int:
    """The marks around one node (-1: none) taken away, those around another made; the latter."""
    if before >= 0:
        mark(one, before, loops[0] != 0, -1, marks)
        mark(two, before, loops[1] != 0, -1, marks)
    if now >= 0:
        mark(one, now, loops[0] != 0, 1, marks)
        mark(two, now, loops[1] != 0, 1, marks)
    return now


@part
def ways(
    row: int, met: int, repeats: int, prefix: int, edge: int, used: Any, far: Any, marks: Any
) -> int:
    """How many relationships lead on from a node that was met, none of them walked before."""
    count = int(marks[met]) - repeats
    if count <= 0:
        return 0
    for number in range(used.shape[0]):
        if used[number, row] == prefix | np.int64(edge):
            return 0
    for number in range(far.shape[0]):
        if far[number, row] == met:
            count -= 1
    return count


_ANCHORED = tuple_of(ADJACENCY, ADJACENCY, INTS)
_INPUT = tuple_of(ROWS, ROWS, MATRIX, ROW_MATRIX)
_FOUND = tuple_of(ROWS_OUT, ROWS_OUT, INTS_OUT)


@kernel(INT(_ANCHORED, INTS, ADJACENCY, BOOL, INT, _INPUT, INTS_OUT, ROWS_OUT, _FOUND))
def meet(
    anchored: Any,
    repeats: Any,
    adjacency: Any,
    loops: bool,
    prefix: int,
    rows: Any,
    state: Any,
    marks: Any,
    found: Any,
) -> int:
    """Nodes next to source and anchor of each row, until ``found`` is full; how many."""
    one, two, anchor_loops = anchored
    sources, anchors, used, far = rows
    positions, others, counts = found
    version, offsets, base, edges, begins, ends = adjacency[:6]
    heads, nexts, later, later_edges, later_begins, later_ends = adjacency[6:]
    room, masked, count = len(positions), len(begins) > 0, 0
    row, at, link, now = state[0], state[1], state[2], state[3]
    while row < len(sources) and count < room:
        node, anchor = sources[row], anchors[row]
        if node >= 0 and anchor >= 0:
            if anchor != now:
                now = marked(one, two, anchor_loops, now, anchor, marks)
            again = repeats if node == anchor else repeats[2:]
            if link == NOT_BEGUN:
                first, stop = base_of(offsets, node)
                at = first if at < 0 else at
                while at < stop and count < room:
                    met = base[at]
                    if marks[met] and (not masked or begins[at] <= version < ends[at]):
                        if loops or met != node:
                            same = again[1] if met == node else again[0]
                            left = ways(row, met, same, prefix, edges[at], used, far, marks)
                            if left > 0:
                                positions[count], others[count], counts[count] = row, met, left
                                count += 1
                    at += 1
                if at < stop:
                    break
                link = chain_of(heads, node)
            while link >= 0 and count < room:
                met = later[link]
                if marks[met] and later_begins[link] <= version < later_ends[link]:
                    if loops or met != node:
                        same = again[1] if met == node else again[0]
                        left = ways(row, met, same, prefix, later_edges[link], used, far, marks)
                        if left > 0:
                            positions[count], others[count], counts[count] = row, met, left
                            count += 1
                link = nexts[link]
            if link >= 0:
                break
        row, at, link = row + 1, -1, NOT_BEGUN
    if row == len(sources):
        now = marked(one, two, anchor_loops, now, -1, marks)
    state[0], state[1], state[2], state[3] = row, at, link, now
    return count


#: a list without relationships
NOTHING = (
    0,
    np.zeros(0, np.int64),
    *(np.zeros(0, np.int32) for _ in range(2)),
    *(np.zeros(0, np.uint32) for _ in range(2)),
    *(np.zeros(0, np.int32) for _ in range(4)),
    *(np.zeros(0, np.uint32) for _ in range(2)),
)
