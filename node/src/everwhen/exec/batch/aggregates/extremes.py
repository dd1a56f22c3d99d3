"""``min`` and ``max``, in the order of ORDER BY."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from everwhen.exec.batch.aggregates.core import Numbers, without_nulls
from everwhen.exec.batch.core import BatchContext, Weights
from everwhen.exec.batch.ordering import ranks
from everwhen.exec.batch.vectors import joined, nulls, spread, vector_bytes
from everwhen.model.columns import FLOAT, NULL, Vector

#: fewer rows than this do not wait for compiled code
_FEW: Final = 2_048


def _least(order: Numbers, groups: Numbers, count: int) -> Numbers:
    """By group, the first row of the lowest; -1 where there is none."""
    places = np.full(count, -1, np.int64)
    if len(order) >= _FEW:
        from everwhen.kernels.grouping import least

        order, groups = np.ascontiguousarray(order), np.ascontiguousarray(groups)
        least(order, groups, np.empty(count, np.int64), places)
        return places
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, groups, order)
    winners = np.flatnonzero(order == lowest[groups])[::-1]
    places[groups[winners]] = winners  # the first is set last and stays
    return places


class Extreme:
    """By group, the first of the smallest (or largest) values so far."""

    __slots__ = ("best", "ctx", "largest")

    def __init__(self, largest: bool, ctx: BatchContext) -> None:
        self.largest = largest
        self.ctx = ctx
        self.best = nulls(0)

    def feed(
        self, argument: Vector | None, groups: Numbers, weights: Weights | None, count: int
    ) -> None:
        before = len(self.best.data)
        if argument is None or argument.kind == NULL:
            self.best = joined([self.best, nulls(count - before)], self.ctx)
            return
        if count == 1:
            argument, groups = self._alone(argument, groups)
        values = joined([self.best, argument], self.ctx)
        values, groups, _ = without_nulls(values, np.concatenate([np.arange(before), groups]), None)
        if not len(groups):
            self.best = nulls(count)
            return
        if count == 1:
            self.best = values.take(np.array([self._first(values)]))
            return
        order = ranks(values, self.ctx)
        if self.largest:
            order = ~order  # which turns the order round and cannot overflow
        place = _least(order, groups, count)
        filled = np.flatnonzero(place >= 0)
        self.best = spread([(filled, values.take(place[filled]))], count, self.ctx)

    def _alone(self, values: Vector, groups: Numbers) -> tuple[Vector, Numbers]:
        """Of one group, the row that may be its extreme."""
        values, groups, _ = without_nulls(values, groups, None)
        if not len(groups):
            return values, groups
        first = np.array([self._first(values)])
        return values.take(first), groups[first]

    def _first(self, values: Vector) -> int:
        """Where the first of the extremes is."""
        if values.kind == FLOAT:
            found = int(np.argmax(values.data) if self.largest else np.argmin(values.data))
            if self.largest or not np.isnan(values.data[found]):
                return found  # NaN is the largest, and numpy finds it first
        order = ranks(values, self.ctx)
        return int(np.argmax(order) if self.largest else np.argmin(order))

    def result(self, count: int, extra: list[Any]) -> Vector:
        missing = count - len(self.best.data)
        return joined([self.best, nulls(missing)], self.ctx) if missing else self.best

    def size(self) -> int:
        return vector_bytes(self.best)
