"""The port of accumulators, counting, and which accumulator an aggregation has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import BatchContext, Weights
from everwhen.exec.batch.vectors import valid_of
from everwhen.model.columns import INT, Mask, Vector
from everwhen.query import bound as b

Numbers = npt.NDArray[np.int64]


class Accumulator(Protocol):
    """One aggregation over all groups. Groups have numbers from 0; there come more, none goes."""

    def feed(
        self, argument: Vector | None, groups: Numbers, weights: Weights | None, count: int
    ) -> None:
        """Some rows: the value, the number of the group, how often; ``count`` groups exist."""

    def result(self, count: int, extra: list[Any]) -> Vector:
        """By group; ``extra`` are further arguments of the aggregation."""

    def size(self) -> int:
        """About how many bytes it holds."""


def accumulator(aggregation: b.Aggregation, ctx: BatchContext) -> Accumulator:
    """A new accumulator for one run."""
    from everwhen.exec.batch.aggregates.extremes import Extreme
    from everwhen.exec.batch.aggregates.kept import Kept
    from everwhen.exec.batch.aggregates.totals import Total

    name = aggregation.name
    if aggregation.distinct and aggregation.argument is not None:
        once = b.Aggregation(name, aggregation.argument, False, aggregation.extra)
        return Kept(name, True, ctx, accumulator(once, ctx))
    if name == "count":
        return Count()
    if name in ("sum", "avg"):
        return Total(name, ctx)
    if name in ("min", "max"):
        return Extreme(name == "max", ctx)
    return Kept(name, False, ctx)


def grown(data: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """The same with zeros for new groups."""
    if len(data) == count:
        return data
    return np.append(data, np.zeros(count - len(data), data.dtype))


def tally(groups: Numbers, weights: Weights | None, count: int) -> Numbers:
    """By group, how many rows there are."""
    if weights is None:
        if count == 1:
            return np.array([len(groups)], np.int64)
        return np.bincount(groups, minlength=count)
    total = np.zeros(count, np.int64)
    np.add.at(total, groups, weights)
    return total


def without_nulls(
    argument: Vector, groups: Numbers, weights: Weights | None
) -> tuple[Vector, Numbers, Weights | None]:
    """The rows whose argument is not null."""
    valid: Mask | None = valid_of(argument)
    if valid is None or bool(valid.all()):
        return argument, groups, weights
    places = np.flatnonzero(valid)
    some = argument.take(places)
    vector = Vector(some.kind, some.data, None, some.texts, some.graph)
    return vector, groups[places], None if weights is None else weights[places]


class Count:
    """``count(*)`` and ``count(x)``."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)

    def feed(
        self, argument: Vector | None, groups: Numbers, weights: Weights | None, count: int
    ) -> None:
        if argument is not None:
            valid = valid_of(argument)
            if valid is not None:
                groups, weights = groups[valid], None if weights is None else weights[valid]
        self.counts = grown(self.counts, count) + tally(groups, weights, count)

    def result(self, count: int, extra: list[Any]) -> Vector:
        return Vector(INT, grown(self.counts, count))

    def size(self) -> int:
        return self.counts.nbytes
