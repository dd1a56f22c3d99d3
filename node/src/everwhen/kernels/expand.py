"""From nodes along the relationships of one type and direction (``model.columns.Adjacency``).

A walk over a node's relationships: the base between two offsets, then the chain of what came
since; each is visible if ``begins <= version < ends``. Empty ``begins``: all of the base is.
``loops`` False passes over relationships from a node to itself, so that a pattern without a
direction, which is the outgoing list and then the incoming one, meets a loop once. ``passing``
says by node row which other nodes count; empty: all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from everwhen.kernels.jit import (
    ADJACENCY,
    BOOL,
    INT,
    INTS_OUT,
    MASK,
    ROWS,
    ROWS_OUT,
    kernel,
    part,
)

#: a chain that was not begun yet, in the state of a walk
NOT_BEGUN = -2


@part
def base_of(offsets: Any, node: int) -> tuple[int, int]:
    """Where the relationships of a node begin and end in the base."""
    if node < 0 or node + 1 >= len(offsets):
        return 0, 0
    return offsets[node], offsets[node + 1]


@part
def chain_of(heads: Any, node: int) -> int:
    """The newest of what came since, -1 for none."""
    if node < 0 or node >= len(heads):
        return -1
    return int(heads[node])


@kernel(INT(ADJACENCY, ROWS, MASK, INTS_OUT, BOOL, INT, ROWS_OUT, ROWS_OUT, INTS_OUT))
def emit(
    adjacency: Any,
    sources: Any,
    passing: Any,
    state: Any,
    loops: bool,
    prefix: int,
    positions: Any,
    others: Any,
    references: Any,
) -> int:
    """Relationships of each source into the three arrays, until they are full; how many.

    ``state``: the source to go on with, the place in its base (-1: the first) and in its chain
    (-2: not begun); changed to where the next call goes on. The first is the number of sources
    when all is done. ``prefix`` is what references begin with, shifted already.
    """
    version, offsets, base, edges, begins, ends = adjacency[:6]
    heads, nexts, later, later_edges, later_begins, later_ends = adjacency[6:]
    room, masked, chosen = len(positions), len(begins) > 0, len(passing) > 0
    row, at, link = state[0], state[1], state[2]
    count = 0
    while row < len(sources):
        node = sources[row]
        if link == NOT_BEGUN:
            first, stop = base_of(offsets, node)
            if at < 0:
                at = first
            while at < stop and count < room:
                if (
                    (not chosen or passing[base[at]])
                    and (not masked or begins[at] <= version < ends[at])
                    and (loops or base[at] != node)
                ):
                    positions[count] = row
                    others[count] = base[at]
                    references[count] = prefix | np.int64(edges[at])
                    count += 1
                at += 1
            if at < stop:
                break
            link = chain_of(heads, node)
        while link >= 0 and count < room:
            if (
                later_begins[link] <= version < later_ends[link]
                and (not chosen or passing[later[link]])
                and (loops or later[link] != node)
            ):
                positions[count] = row
                others[count] = later[link]
                references[count] = prefix | np.int64(later_edges[link])
                count += 1
            link = nexts[link]
        if link >= 0:
            break
        row += 1
        at = -1
        link = NOT_BEGUN
    state[0], state[1], state[2] = row, at, link
    return count


@kernel(INT(ADJACENCY, ROWS, MASK, BOOL, INTS_OUT))
def degrees(adjacency: Any, sources: Any, passing: Any, loops: bool, counts: Any) -> int:
    """Adds to ``counts`` how many relationships each source has.

    One function, because arrays handed on for each node are counted as references each time.
    """
    version, offsets, base, _, begins, ends = adjacency[:6]
    heads, nexts, later, _, later_begins, later_ends = adjacency[6:]
    masked, chosen = len(begins) > 0, len(passing) > 0
    plain = loops and not masked and not chosen
    known, chained = len(offsets) - 1, len(heads)
    for row in range(len(sources)):
        node = sources[row]
        if node < 0:
            continue
        if node < known:
            first, stop = offsets[node], offsets[node + 1]
            if plain:
                counts[row] += stop - first
            else:
                for at in range(first, stop):
                    if (
                        (not chosen or passing[base[at]])
                        and (not masked or begins[at] <= version < ends[at])
                        and (loops or base[at] != node)
                    ):
                        counts[row] += 1
        link = heads[node] if node < chained else -1
        while link >= 0:
            if (
                later_begins[link] <= version < later_ends[link]
                and (not chosen or passing[later[link]])
                and (loops or later[link] != node)
            ):
                counts[row] += 1
            link = nexts[link]
    return len(sources)


@part
def first_at_least(base: Any, first: int, stop: int, node: int) -> int:
    """The first place of a sorted stretch whose node is not before ``node``."""
    while first < stop:
        middle = (first + stop) >> 1
        if base[middle] < node:
            first = middle + 1
        else:
            stop = middle
    return first


@kernel(INT(ADJACENCY, ROWS, ROWS, INTS_OUT, BOOL, INT, ROWS_OUT, INTS_OUT))
def emit_between(
    adjacency: Any,
    sources: Any,
    targets: Any,
    state: Any,
    loops: bool,
    prefix: int,
    positions: Any,
    references: Any,
) -> int:
    """As ``emit``, of the relationships that lead from each source to its target."""
    version, offsets, base, edges, begins, ends = adjacency[:6]
    heads, nexts, later, later_edges, later_begins, later_ends = adjacency[6:]
    room, masked = len(positions), len(begins) > 0
    row, at, link = state[0], state[1], state[2]
    count = 0
    while row < len(sources):
        node, target = sources[row], targets[row]
        if target < 0 or (not loops and node == target):
            row += 1
            continue
        if link == NOT_BEGUN:
            first, stop = base_of(offsets, node)
            if at < 0:
                at = first_at_least(base, first, stop, target)
            while at < stop and base[at] == target and count < room:
                if not masked or (begins[at] <= version < ends[at]):
                    positions[count] = row
                    references[count] = prefix | np.int64(edges[at])
                    count += 1
                at += 1
            if at < stop and base[at] == target:
                break
            link = chain_of(heads, node)
        while link >= 0 and count < room:
            if later[link] == target and later_begins[link] <= version < later_ends[link]:
                positions[count] = row
                references[count] = prefix | np.int64(later_edges[link])
                count += 1
            link = nexts[link]
        if link >= 0:
            break
        row += 1
        at = -1
        link = NOT_BEGUN
    state[0], state[1], state[2] = row, at, link
    return count


@kernel(INT(ADJACENCY, ROWS, ROWS, BOOL, INTS_OUT))
def count_between(adjacency: Any, sources: Any, targets: Any, loops: bool, counts: Any) -> int:
    """Adds to ``counts`` how many relationships lead from each source to its target."""
    version, offsets, base, _, begins, ends = adjacency[:6]
    heads, nexts, later, _, later_begins, later_ends = adjacency[6:]
    masked = len(begins) > 0
    for row in range(len(sources)):
        node, target = sources[row], targets[row]
        if target < 0 or (not loops and node == target):
            continue
        first, stop = base_of(offsets, node)
        at = first_at_least(base, first, stop, target)
        while at < stop and base[at] == target:
            if not masked or (begins[at] <= version < ends[at]):
                counts[row] += 1
            at += 1
        link = chain_of(heads, node)
        while link >= 0:
            if later[link] == target and later_begins[link] <= version < later_ends[link]:
                counts[row] += 1
            link = nexts[link]
    return len(sources)
