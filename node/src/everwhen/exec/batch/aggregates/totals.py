"""``sum`` and ``avg``: integers exactly, floats in the order of the rows, durations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.errors import ArithmeticFailure
from everwhen.exec.batch.aggregates.core import Numbers, grown, tally, without_nulls
from everwhen.exec.batch.core import OBJECTS_AT_ONCE, BatchContext, Weights
from everwhen.exec.batch.values import values_of, vector_of
from everwhen.exec.functions.definition import wrong_type
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.columns import ANY, FLOAT, INT, NULL, Mask, Vector
from everwhen.model.temporal import Duration

#: sums below this in magnitude cannot leave 64 bits on the way
_SAFE: Final = 2**62
#: integers up to here are floats too
_EXACT: Final = 2**53


class Total:
    """By group: how many numbers, the sum of the integers and the sum of the floats."""

    __slots__ = ("counts", "ctx", "durations", "extent", "floats", "has_float", "integers", "name")

    def __init__(self, name: str, ctx: BatchContext) -> None:
        self.name = name
        self.ctx = ctx
        self.counts: Numbers = np.zeros(0, np.int64)
        #: int64, or Python's integers once they might not fit
        self.integers: npt.NDArray[Any] = np.zeros(0, np.int64)
        #: no integer sum is larger in magnitude
        self.extent = 0
        self.floats: npt.NDArray[np.float64] = np.zeros(0, np.float64)
        self.has_float: Mask = np.zeros(0, np.bool_)
        #: sum and number of durations
        self.durations: dict[int, tuple[Duration, int]] = {}

    def feed(
        self, argument: Vector | None, groups: Numbers, weights: Weights | None, count: int
    ) -> None:
        self.counts = grown(self.counts, count)
        self.integers = grown(self.integers, count)
        self.floats = grown(self.floats, count)
        self.has_float = grown(self.has_float, count)
        if argument is None or argument.kind == NULL:
            return
        argument, groups, weights = without_nulls(argument, groups, weights)
        if not len(groups):
            return
        if argument.kind == INT:
            self._integers(argument.data, groups, weights)
        elif argument.kind == FLOAT:
            self._floats(argument.data, groups, weights)
        else:
            self._values(argument, groups, weights)
        for group, (duration, _) in self.durations.items():
            if self.counts[group]:
                raise self._wrong(duration)

    def _integers(self, data: Numbers, groups: Numbers, weights: Weights | None) -> None:
        self.counts = self.counts + tally(groups, weights, len(self.counts))
        times = len(data) if weights is None else int(weights.sum())
        largest = max(abs(int(data.max())), abs(int(data.min())))
        self.extent += largest * times
        if self.extent < _SAFE and self.integers.dtype == np.int64:
            self.integers = self.integers + _sums(data, groups, weights, len(self.counts), largest)
            return
        totals = self.integers.astype(np.object_)
        for start in range(0, len(data), OBJECTS_AT_ONCE):
            piece = slice(start, start + OBJECTS_AT_ONCE)
            values = data[piece].tolist()
            if weights is not None:
                often = weights[piece].tolist()
                values = [value * n for value, n in zip(values, often, strict=True)]
            for group, value in zip(groups[piece].tolist(), values, strict=True):
                totals[group] += value
        self.integers = totals

    def _floats(
        self, data: npt.NDArray[np.float64], groups: Numbers, weights: Weights | None
    ) -> None:
        count = len(self.counts)
        self.counts = self.counts + tally(groups, weights, count)
        # each group's sum so far comes first, so that all add up in the order of the rows
        places = np.concatenate([np.arange(count), groups])
        with np.errstate(all="ignore"):
            if weights is not None:
                data = data * weights
            parts = np.concatenate([self.floats, data])
            self.floats = np.bincount(places, parts, count).astype(np.float64)
        self.has_float = self.has_float.copy()
        self.has_float[groups] = True

    def _values(self, argument: Vector, groups: Numbers, weights: Weights | None) -> None:
        if argument.kind != ANY:
            raise self._wrong(values_of(argument.take(np.zeros(1, np.int64)), self.ctx)[0])
        kinds = np.zeros(len(groups), np.int8)
        for start in range(0, len(groups), OBJECTS_AT_ONCE):
            values = argument.data[start : start + OBJECTS_AT_ONCE]
            kinds[start : start + OBJECTS_AT_ONCE] = [_KINDS.get(type(x), 0) for x in values]
        for kind, feed in ((1, self._integers), (2, self._floats)):
            places = np.flatnonzero(kinds == kind)
            if len(places):
                dtype: type = np.int64 if kind == 1 else np.float64
                some: npt.NDArray[Any] = argument.data[places].astype(dtype)
                feed(some, groups[places], None if weights is None else weights[places])
        for place in np.flatnonzero((kinds == 0) | (kinds == 3)).tolist():
            value, group = argument.data[place], int(groups[place])
            if kinds[place] == 0:
                raise self._wrong(value)
            times = 1 if weights is None else int(weights[place])
            before, number = self.durations.get(group, (None, 0))
            total = value if times == 1 else value.times(times)
            self.durations[group] = total if before is None else before.plus(total), number + times

    def _wrong(self, value: Any) -> Exception:
        return wrong_type(self.name, "numbers only, or durations only", value)

    def result(self, count: int, extra: list[Any]) -> Vector:
        self.feed(None, self.counts, None, count)
        if not self.durations and not self.has_float.any():
            if self.name == "sum" and self.integers.dtype == np.int64:
                return Vector(INT, self.integers)
            if self.name == "avg" and self.extent <= _EXACT:
                some = self.counts > 0
                means = self.integers / np.where(some, self.counts, 1)
                return Vector(FLOAT, means, None if some.all() else some)
        elif not self.durations and self.has_float.all() and self.extent <= _EXACT:
            totals = self.integers + self.floats
            return Vector(FLOAT, totals / self.counts if self.name == "avg" else totals)
        return self._by_group(count)

    def _by_group(self, count: int) -> Vector:
        one = self._sum if self.name == "sum" else self._mean
        found = [one(group) for group in range(count)]
        return vector_of(found, self.ctx)

    def _sum(self, group: int) -> Any:
        total = int(self.integers[group])
        if group in self.durations:
            return self.durations[group][0]
        if self.has_float[group]:
            return total + float(self.floats[group])
        if INT_MIN <= total <= INT_MAX:
            return total
        raise ArithmeticFailure("integer overflow: the sum needs more than 64 bits")

    def _mean(self, group: int) -> Any:
        total, count = int(self.integers[group]), int(self.counts[group])
        if group in self.durations:
            duration, number = self.durations[group]
            return duration.divided_by(number)
        if not count:
            return None
        if self.has_float[group]:
            return (total + float(self.floats[group])) / count
        return total / count

    def size(self) -> int:
        each = 64 if self.integers.dtype == np.object_ else 8
        return len(self.counts) * (17 + each) + 200 * len(self.durations)


_KINDS: Final[dict[type, int]] = {int: 1, float: 2, Duration: 3}


def _sums(
    data: Numbers, groups: Numbers, weights: Weights | None, count: int, largest: int
) -> Numbers:
    """By group; the caller knows that they fit."""
    if weights is not None:
        data = data * weights
        largest = max(abs(int(data.max())), abs(int(data.min())))
    if count == 1:
        return np.array([data.sum()], np.int64)
    if largest * len(data) <= _EXACT:
        return np.bincount(groups, data, count).astype(np.int64)
    totals = np.zeros(count, np.int64)
    np.add.at(totals, groups, data)
    return totals
