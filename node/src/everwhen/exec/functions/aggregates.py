"""Aggregating functions as accumulators: ``update(value)`` for each value, then ``result()``.

The caller leaves out nulls, and for DISTINCT values it has seen (``model.values.group_key``). A
class whose ``keeps`` is true holds on to its values: the caller accounts for their memory.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from everwhen.errors import ArithmeticFailure, QueryArgumentError
from everwhen.exec.functions.definition import wrong_type
from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.ordering import order_key
from everwhen.model.temporal import Duration


class Aggregate:
    """Base of all; arguments after the first go to the constructor."""

    __slots__ = ()

    name: ClassVar[str]
    min_args: ClassVar[int] = 1
    max_args: ClassVar[int] = 1
    keeps: ClassVar[bool] = False
    signature: ClassVar[str]
    description: ClassVar[str]

    def update(self, value: Any) -> None:
        """Takes one value that is not null."""
        raise NotImplementedError

    def result(self) -> Any:
        """The answer for the values so far."""
        raise NotImplementedError


class Count(Aggregate):
    __slots__ = ("count",)

    name = "count"
    signature = "count(input :: ANY) :: INTEGER"
    description = "The number of values that are not null."

    def __init__(self) -> None:
        self.count = 0

    def update(self, value: Any) -> None:
        self.count += 1

    def result(self) -> int:
        return self.count


class _Total:
    """A sum of integers (exact), floats and durations; mixing numbers and durations is wrong."""

    __slots__ = ("count", "duration", "floats", "function", "integers", "is_float")

    def __init__(self, function: str) -> None:
        self.function = function
        self.count = 0
        self.integers = 0
        self.floats = 0.0
        self.is_float = False
        self.duration: Duration | None = None

    def add(self, value: Any) -> None:
        kind = type(value)
        if kind is int and self.duration is None:
            self.integers += value
        elif kind is float and self.duration is None:
            self.floats += value
            self.is_float = True
        elif kind is Duration and (self.duration is not None or self.count == 0):
            self.duration = value if self.duration is None else self.duration.plus(value)
        else:
            raise wrong_type(self.function, "numbers only, or durations only", value)
        self.count += 1


class Sum(Aggregate):
    """The total; 0 of no values. Integers add up exactly and must fit at the end."""

    __slots__ = ("total",)

    name = "sum"
    signature = "sum(input :: INTEGER | FLOAT | DURATION) :: INTEGER | FLOAT | DURATION"
    description = "The sum of the values."

    def __init__(self) -> None:
        self.total = _Total("sum")

    def update(self, value: Any) -> None:
        self.total.add(value)

    def result(self) -> Any:
        total = self.total
        if total.duration is not None:
            return total.duration
        if total.is_float:
            return total.integers + total.floats
        if INT_MIN <= total.integers <= INT_MAX:
            return total.integers
        raise ArithmeticFailure("integer overflow: the sum needs more than 64 bits")


class Avg(Aggregate):
    __slots__ = ("total",)

    name = "avg"
    signature = "avg(input :: INTEGER | FLOAT | DURATION) :: FLOAT | DURATION"
    description = "The mean of the values; null of no values."

    def __init__(self) -> None:
        self.total = _Total("avg")

    def update(self, value: Any) -> None:
        self.total.add(value)

    def result(self) -> Any:
        total = self.total
        if total.count == 0:
            return None
        if total.duration is not None:
            return total.duration.divided_by(total.count)
        if total.is_float:
            return (total.integers + total.floats) / total.count
        return total.integers / total.count


_DIRECT: Final = frozenset({int, str})


class Min(Aggregate):
    """The first in the order of ORDER BY."""

    __slots__ = ("best", "empty")

    name = "min"
    signature = "min(input :: ANY) :: ANY"
    description = "The smallest value, in the order of ORDER BY; null of no values."

    def __init__(self) -> None:
        self.best: Any = None
        self.empty = True

    def update(self, value: Any) -> None:
        if self.empty:
            self.best, self.empty = value, False
        elif type(value) is type(self.best) and type(value) in _DIRECT:
            if value < self.best:
                self.best = value
        elif order_key(value) < order_key(self.best):
            self.best = value

    def result(self) -> Any:
        return self.best


class Max(Min):
    """The last in the order of ORDER BY."""

    __slots__ = ()

    name = "max"
    signature = "max(input :: ANY) :: ANY"
    description = "The largest value, in the order of ORDER BY; null of no values."

    def update(self, value: Any) -> None:
        if self.empty:
            self.best, self.empty = value, False
        elif type(value) is type(self.best) and type(value) in _DIRECT:
            if value > self.best:
                self.best = value
        elif order_key(value) > order_key(self.best):
            self.best = value


class Collect(Aggregate):
    __slots__ = ("values",)

    name = "collect"
    keeps = True
    signature = "collect(input :: ANY) :: LIST<ANY>"
    description = "A list of the values that are not null."

    def __init__(self) -> None:
        self.values: list[Any] = []

    def update(self, value: Any) -> None:
        self.values.append(value)

    def result(self) -> list[Any]:
        return self.values


class StDev(Aggregate):
    """Of a sample; Welford's method, which does not cancel."""

    __slots__ = ("count", "mean", "squares")

    name = "stDev"
    signature = "stDev(input :: FLOAT) :: FLOAT"
    description = "The standard deviation of a sample; 0 of fewer than two values."

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def update(self, value: Any) -> None:
        if type(value) is not int and type(value) is not float:
            raise wrong_type(self.name, "numbers", value)
        self.count += 1
        difference = value - self.mean
        self.mean += difference / self.count
        self.squares += difference * (value - self.mean)

    def result(self) -> float:
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0


class StDevP(StDev):
    __slots__ = ()

    name = "stDevP"
    signature = "stDevP(input :: FLOAT) :: FLOAT"
    description = "The standard deviation of a whole population; 0 of no values."

    def result(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0


class PercentileDisc(Aggregate):
    """The nearest value at or above a percentile."""

    __slots__ = ("percentile", "values")

    name = "percentileDisc"
    min_args = 2
    max_args = 2
    keeps = True
    signature = "percentileDisc(input :: INTEGER | FLOAT, percentile :: FLOAT) :: INTEGER | FLOAT"
    description = "The value nearest to a percentile from 0.0 to 1.0; null of no values."

    def __init__(self, percentile: Any) -> None:
        if type(percentile) is not int and type(percentile) is not float:
            raise wrong_type(self.name, "a percentile that is a number", percentile)
        if not 0 <= percentile <= 1:
            raise QueryArgumentError(
                f"{self.name}() takes a percentile from 0.0 to 1.0, got {percentile}",
                detail="NumberOutOfRange",
            )
        self.percentile = float(percentile)
        self.values: list[float] = []

    def update(self, value: Any) -> None:
        if type(value) is not int and type(value) is not float:
            raise wrong_type(self.name, "numbers", value)
        self.values.append(value)

    def result(self) -> Any:
        count = len(self.values)
        if count == 0:
            return None
        self.values.sort(key=order_key)
        place = self.percentile * count
        index = int(place)
        return self.values[index if index != place or index == 0 else index - 1]


class PercentileCont(PercentileDisc):
    """Interpolated between the two nearest values."""

    __slots__ = ()

    name = "percentileCont"
    signature = "percentileCont(input :: FLOAT, percentile :: FLOAT) :: FLOAT"
    description = "The percentile from 0.0 to 1.0, interpolated; null of no values."

    def result(self) -> float | None:
        count = len(self.values)
        if count == 0:
            return None
        self.values.sort(key=order_key)
        place = self.percentile * (count - 1)
        low, high = math.floor(place), math.ceil(place)
        if low == high:
            return float(self.values[low])
        return self.values[low] * (high - place) + self.values[high] * (place - low)


#: by lower-case name; ``AGGREGATES[name](*extra)`` makes an accumulator
AGGREGATES: Final[dict[str, type[Any]]] = {
    aggregate.name.lower(): aggregate
    for aggregate in (
        Count,
        Sum,
        Avg,
        Min,
        Max,
        Collect,
        StDev,
        StDevP,
        PercentileCont,
        PercentileDisc,
    )
}

#: name as shown -> signature, description
AGGREGATE_SIGNATURES: Final[dict[str, tuple[str, str]]] = {
    aggregate.name: (aggregate.signature, aggregate.description)
    for aggregate in AGGREGATES.values()
}
