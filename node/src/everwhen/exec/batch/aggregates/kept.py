"""Aggregations that hold on to their values: DISTINCT ones, ``collect``, and those without a fast
path, which the row path's accumulators answer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from everwhen.exec.batch.aggregates.core import Accumulator, Numbers, without_nulls
from everwhen.exec.batch.core import OBJECTS_AT_ONCE, BatchContext, Weights
from everwhen.exec.batch.ordering import number
from everwhen.exec.batch.values import slice_of, values_of, vector_of
from everwhen.exec.batch.vectors import joined, nulls, vector_bytes
from everwhen.exec.functions.aggregates import AGGREGATES
from everwhen.model.columns import ANY, INT, Vector

#: rows waiting for duplicates to be dropped, at least
_WAITING: Final = 65_536


class Kept:
    """Values with the numbers of their groups, without nulls, in the order they came."""

    __slots__ = ("clean", "ctx", "distinct", "groups", "inner", "name", "rows", "values")

    def __init__(
        self, name: str, distinct: bool, ctx: BatchContext, inner: Accumulator | None = None
    ) -> None:
        """``inner``: of DISTINCT, what answers for the different values."""
        self.name = name
        self.distinct = distinct
        self.ctx = ctx
        self.inner = inner
        self.groups: list[Numbers] = []
        self.values: list[Vector] = []
        #: rows, and how many of them are known to be different
        self.rows = self.clean = 0

    def feed(
        self, argument: Vector | None, groups: Numbers, weights: Weights | None, count: int
    ) -> None:
        if argument is None:
            return
        argument, groups, weights = without_nulls(argument, groups, weights)
        if weights is not None and not self.distinct:
            self.ctx.rows.memory.take(held := 16 * int(weights.sum()))
            self.ctx.rows.memory.give_back(held)  # whoever asks for the size takes it
            places = np.repeat(np.arange(len(groups)), weights)
            argument, groups = argument.take(places), groups[places]
        if not len(groups):
            return
        self.groups.append(groups)
        self.values.append(argument)
        self.rows += len(groups)
        if self.distinct and self.rows > max(_WAITING, 2 * self.clean):
            self._gathered()

    def _gathered(self) -> tuple[Numbers, Vector]:
        """All there is as one vector each; of DISTINCT, the different ones."""
        if not self.groups:
            return np.zeros(0, np.int64), nulls(0)
        groups, values = np.concatenate(self.groups), joined(self.values, self.ctx)
        if self.distinct and self.rows > self.clean:
            firsts = number([Vector(INT, groups), values], len(groups), self.ctx).firsts
            groups, values = groups[firsts], values.take(firsts)
            self.rows = self.clean = len(firsts)
        self.groups, self.values = [groups], [values]
        return groups, values

    def result(self, count: int, extra: list[Any]) -> Vector:
        groups, values = self._gathered()
        if self.inner is not None:
            self.inner.feed(values, groups, None, count)
            return self.inner.result(count, extra)
        order = np.argsort(groups, kind="stable")
        groups, values = groups[order], values.take(order)
        if self.name == "collect":
            return self._lists(groups, values, count)
        return self._accumulated(groups, values, count, extra)

    def _lists(self, groups: Numbers, values: Vector, count: int) -> Vector:
        found: list[list[Any]] = [[] for _ in range(count)]
        for start in range(0, len(groups), OBJECTS_AT_ONCE):
            self.ctx.check()
            piece = values_of(slice_of(values, start, start + OBJECTS_AT_ONCE), self.ctx)
            for at, end, group in _runs(groups[start : start + OBJECTS_AT_ONCE]):
                found[group] += piece[at:end]
        data = np.empty(count, np.object_)
        for group, collected in enumerate(found):
            data[group] = collected
        return Vector(ANY, data)

    def _accumulated(self, groups: Numbers, values: Vector, count: int, extra: list[Any]) -> Vector:
        make = AGGREGATES[self.name]
        states = [make(*extra) for _ in range(count)]
        for start in range(0, len(groups), OBJECTS_AT_ONCE):
            self.ctx.check()
            piece = values_of(slice_of(values, start, start + OBJECTS_AT_ONCE), self.ctx)
            for at, end, group in _runs(groups[start : start + OBJECTS_AT_ONCE]):
                update = states[group].update
                for value in piece[at:end]:
                    update(value)
        return vector_of([state.result() for state in states], self.ctx)

    def size(self) -> int:
        return 8 * self.rows + sum(map(vector_bytes, self.values))


def _runs(groups: Numbers) -> list[tuple[int, int, int]]:
    """Begin, end and number of each stretch of equal numbers."""
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    ends = np.append(starts[1:], len(groups))
    return list(zip(starts.tolist(), ends.tolist(), groups[starts].tolist(), strict=True))
