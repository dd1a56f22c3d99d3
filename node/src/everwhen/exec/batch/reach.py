"""Which nodes can be reached, each once: breadth first from all starts of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from everwhen.exec.batch.core import BatchContext
from everwhen.exec.batch.elements import Positions
from everwhen.exec.batch.steps import Step, walk
from everwhen.exec.memory import Held
from everwhen.model.columns import Rows

#: (row, node) pairs whose marks are held at a time
_MARKS = 1 << 25


def reached_from(
    steps: Sequence[Step],
    positions: Positions,
    sources: Rows,
    lengths: tuple[int, int | None],
    size: int,
    ctx: BatchContext,
) -> Iterator[tuple[Positions, Rows]]:
    """For each start, the nodes within the lengths (the first is 0 or 1), in pieces.

    ``size``: one more than the highest node row.
    """
    together = max(1, _MARKS // max(1, size))
    for at in range(0, len(sources), together):
        some = slice(at, at + together)
        with Held(ctx.rows.memory) as held:
            held.add(2 * len(sources[some]) * size)
            yield from _breadth_first(steps, positions[some], sources[some], lengths, size, ctx)


def _breadth_first(
    steps: Sequence[Step],
    positions: Positions,
    sources: Rows,
    lengths: tuple[int, int | None],
    size: int,
    ctx: BatchContext,
) -> Iterator[tuple[Positions, Rows]]:
    shortest, longest = lengths
    marks = len(sources) * size
    found, left = np.zeros(marks, np.bool_), np.zeros(marks, np.bool_)
    here = np.arange(len(sources), dtype=np.int64) * size + sources
    left[here] = True
    if shortest == 0:
        found[here] = True
        yield positions, sources
    depth = 0
    while len(here) and (longest is None or depth < longest):
        ctx.check()
        depth += 1
        fresh: list[Any] = []
        rows, nodes = here // size, (here % size).astype(np.int32)
        for walked in walk(steps, nodes, ctx):
            keys = rows[walked.positions] * size + walked.others
            keys = np.unique(keys[~found[keys]])
            if not len(keys):
                continue
            found[keys] = True
            yield positions[keys // size], (keys % size).astype(np.int32)
            onward = keys[~left[keys]]
            left[onward] = True
            fresh.append(onward)
        here = np.concatenate(fresh) if fresh else np.empty(0, np.int64)
