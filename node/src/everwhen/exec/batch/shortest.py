"""Shortest paths between two nodes: breadth first from both, the smaller side first.

Whole levels are walked. So the first nodes that both sides know lie in the middle of every
shortest path, and each path goes through exactly one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from everwhen.exec.batch.core import BatchContext
from everwhen.exec.batch.steps import Step, walk
from everwhen.exec.memory import Held

#: (node, node before it, reference) of all relationships by which a level was reached
Level = tuple[Any, Any, Any]
Path = list[int]


class Marks:
    """How far nodes are from both ends; reused from search to search."""

    def __init__(self, size: int) -> None:
        self.far = np.full((2, size), -1, np.int32)


class _Side:
    """One of the two searches."""

    def __init__(self, start: int, steps: Sequence[Step], far: Any, held: Held) -> None:
        self.steps = steps
        self.held = held
        self.far = far
        self.front = np.array([start], np.int32)
        self.levels: list[Level] = []
        self.touched = [self.front]
        far[start] = 0

    def widen(self, ctx: BatchContext) -> None:
        """One level more."""
        depth = len(self.levels) + 1
        found: list[Level] = []
        fresh: list[Any] = []
        for walked in walk(self.steps, self.front, ctx):
            keep = (self.far[walked.others] < 0) | (self.far[walked.others] == depth)
            some = walked.those(np.flatnonzero(keep))
            new = np.unique(some.others[self.far[some.others] < 0])
            self.far[new] = depth
            fresh.append(new)
            found.append((some.others, self.front[some.positions], some.references))
            self.held.add(16 * len(some.others))
        self.front = np.concatenate(fresh) if fresh else np.empty(0, np.int32)
        self.touched.append(self.front)
        level = [np.concatenate(part) for part in zip(*found, strict=True)]
        empty = np.empty(0, np.int32)
        self.levels.append((level[0], level[1], level[2]) if level else (empty, empty, empty))

    def paths(self, node: int, depth: int) -> Iterator[Path]:
        """The references of each way from a node back to the start, the node's own first."""
        stack: list[tuple[int, int, Path]] = [(node, depth, [])]
        while stack:
            here, level, path = stack.pop()
            if level == 0:
                yield path
                continue
            nodes, before, references = self.levels[level - 1]
            stack.extend(
                (int(before[at]), level - 1, [*path, int(references[at])])
                for at in np.flatnonzero(nodes == here).tolist()[::-1]
            )

    def forget(self) -> None:
        for nodes in self.touched:
            self.far[nodes] = -1


def shortest_paths(
    ends: tuple[int, int],
    steps: tuple[Sequence[Step], Sequence[Step]],
    longest: int | None,
    marks: Marks,
    ctx: BatchContext,
) -> Iterator[Path]:
    """The references of each shortest path between two different nodes, in walking order.

    ``steps``: from the first node on, and against their direction from the second.
    """
    with Held(ctx.rows.memory) as held:
        sides = [_Side(ends[n], steps[n], marks.far[n], held) for n in (0, 1)]
        try:
            middle = _meet(sides, longest, ctx)
            for node in middle.tolist():
                depths = [len(side.levels) for side in sides]
                for first in sides[0].paths(node, depths[0]):
                    for second in sides[1].paths(node, depths[1]):
                        yield [*reversed(first), *second]
        finally:
            for side in sides:
                side.forget()


def _meet(sides: list[_Side], longest: int | None, ctx: BatchContext) -> Any:
    """The nodes in the middle of all shortest paths; none if there is no path."""
    one, other = sides
    while len(one.front) and len(other.front):
        if longest is not None and len(one.levels) + len(other.levels) >= longest:
            break
        ctx.check()
        side, opposite = (one, other) if len(one.front) <= len(other.front) else (other, one)
        side.widen(ctx)
        met = side.front[opposite.far[side.front] >= 0]
        if len(met):
            return met
    return np.empty(0, np.int32)
