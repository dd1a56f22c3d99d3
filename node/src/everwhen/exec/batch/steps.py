"""Walking from many nodes at once: every list of relationships that a pattern's step goes over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import BatchContext, Weights
from everwhen.exec.batch.elements import Positions, ends_of
from everwhen.model.columns import REFERENCE_BITS, Adjacency, GraphColumns, Mask, References, Rows
from everwhen.model.graph import Direction

#: every node
EVERY: Final = np.zeros(0, np.bool_)
#: every node, as a test of all of them found
ALL: Final = np.zeros(0, np.bool_)


class Step(NamedTuple):
    """The relationships of one type in one direction."""

    number: int
    outgoing: bool
    #: False: loops were met in the list before this one
    loops: bool
    adjacency: Adjacency

    @property
    def prefix(self) -> int:
        """What references to them begin with."""
        return self.number << REFERENCE_BITS


class Walked(NamedTuple):
    """Relationships found: the row they were found for, the node reached, the reference."""

    positions: Positions
    others: Rows
    references: References

    def those(self, chosen: npt.NDArray[Any]) -> Walked:
        """Some of them, by position or under a mask."""
        return Walked(self.positions[chosen], self.others[chosen], self.references[chosen])


def steps_of(graph: GraphColumns, direction: Direction, types: Sequence[str] | None) -> list[Step]:
    """The lists that a step of a pattern goes over."""
    found: list[Step] = []
    for name in graph.types() if types is None else dict.fromkeys(types):
        table = graph.relationships(name)
        if table is None:
            continue
        if direction is not Direction.IN:
            found.append(_step(table.number, True, True, table.adjacency(True)))
        if direction is not Direction.OUT:
            loops = direction is Direction.IN
            found.append(_step(table.number, False, loops, table.adjacency(False)))
    return found


def _step(number: int, outgoing: bool, loops: bool, adjacency: Adjacency) -> Step:
    # a plain tuple is what kernels are compiled for
    return Step(number, outgoing, loops, tuple(adjacency))  # type: ignore[arg-type]


class _Pieces:
    """Arrays that kernels fill piece by piece."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.count = 0
        self.positions = np.empty(room, np.int32)
        self.others = np.empty(room, np.int32)
        self.references = np.empty(room, np.int64)

    @property
    def full(self) -> bool:
        return self.count == self.room

    def taken(self) -> Walked:
        """What was found; the arrays are new afterwards."""
        stop = self.count
        arrays = self.positions[:stop], self.others[:stop], self.references[:stop]
        if stop < self.room // 2:
            arrays = arrays[0].copy(), arrays[1].copy(), arrays[2].copy()
        else:
            self.positions = np.empty(self.room, np.int32)
            self.others = np.empty(self.room, np.int32)
            self.references = np.empty(self.room, np.int64)
        self.count = 0
        return Walked(arrays[0], arrays[1], arrays[2])  # type: ignore[arg-type]


def walk(
    steps: Sequence[Step],
    sources: Rows,
    ctx: BatchContext,
    room: int | None = None,
    passing: Mask = EVERY,
) -> Iterator[Walked]:
    """Everything one step away from each source, ``room`` (a batch) at a time. ``passing``: by
    row of a node, whether a step may lead to it."""
    from everwhen.kernels.expand import NOT_BEGUN, emit

    pieces = _Pieces(room or ctx.batch_rows)
    for step in steps:
        state = np.array([0, -1, NOT_BEGUN], np.int64)
        while state[0] < len(sources):
            at = pieces.count
            pieces.count += emit(
                step.adjacency,
                sources,
                passing,
                state,
                step.loops,
                step.prefix,
                pieces.positions[at:],
                pieces.others[at:],
                pieces.references[at:],
            )
            if pieces.full:
                ctx.check()
                yield _by_source(pieces.taken(), len(steps))
    if pieces.count:
        yield _by_source(pieces.taken(), len(steps))


def _by_source(walked: Walked, lists: int) -> Walked:
    """In the order of their sources, as the row path finds them; runs are merged."""
    if lists == 1:
        return walked
    return walked.those(np.argsort(walked.positions, kind="stable"))


def walk_between(
    steps: Sequence[Step], sources: Rows, targets: Rows, ctx: BatchContext
) -> Iterator[Walked]:
    """Every relationship from each source to its target."""
    from everwhen.kernels.expand import NOT_BEGUN, emit_between

    pieces = _Pieces(ctx.batch_rows)
    for step in steps:
        state = np.array([0, -1, NOT_BEGUN], np.int64)
        while state[0] < len(sources):
            at = pieces.count
            pieces.count += emit_between(
                step.adjacency,
                sources,
                targets,
                state,
                step.loops,
                step.prefix,
                pieces.positions[at:],
                pieces.references[at:],
            )
            if pieces.full:
                ctx.check()
                yield _by_source(_between(pieces, targets), len(steps))
    if pieces.count:
        yield _by_source(_between(pieces, targets), len(steps))


def _between(pieces: _Pieces, targets: Rows) -> Walked:
    positions, _, references = pieces.taken()
    return Walked(positions, targets[positions], references)


def counted(
    steps: Sequence[Step],
    sources: Rows,
    targets: Rows | None,
    used: Sequence[References],
    graph: GraphColumns,
    passing: Mask = EVERY,
) -> Weights:
    """How many relationships each source has (to its target; to nodes that are ``passing``), those
    in ``used`` left out."""
    from everwhen.kernels.expand import count_between, degrees

    counts = np.zeros(len(sources), np.int64)
    for step in steps:
        if targets is None:
            degrees(step.adjacency, sources, passing, step.loops, counts)
        else:
            count_between(step.adjacency, sources, targets, step.loops, counts)
    for number, references in enumerate(used):
        met = meets(steps, sources, targets, references, graph, passing)
        for earlier in used[:number]:
            met &= earlier != references
        counts -= met
    return counts


def meets(
    steps: Sequence[Step],
    sources: Rows,
    targets: Rows | None,
    references: References,
    graph: GraphColumns,
    passing: Mask = EVERY,
) -> Mask:
    """Which relationships, walked before in the same view, the steps would walk again."""
    numbers = references >> REFERENCE_BITS
    starts, ends = ends_of(references, graph)
    met = np.zeros(len(sources), np.bool_)
    for step in steps:
        near, far = (starts, ends) if step.outgoing else (ends, starts)
        here = (numbers == step.number) & (near == sources) & (near >= 0)
        if len(passing):
            here &= passing[far]
        met |= here if targets is None else here & (far == targets)
    return met
