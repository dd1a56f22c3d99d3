"""Rows of one side by their keys, and which of them equal the keys of the other side.

Keys of one type meet as numbers: integers, codes of texts, ids of elements, bits of floats. What
numbers cannot decide (types that mix, lists, maps, integers against floats) is looked up by
``group_key`` and compared by ``equals``, as the row path does.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import OBJECTS_AT_ONCE, BatchContext
from everwhen.exec.batch.keys import Keys, by_number
from everwhen.exec.batch.ordering import float_bits, ranks
from everwhen.exec.batch.texts import translated
from everwhen.exec.batch.values import slice_of, values_of
from everwhen.exec.batch.vectors import Constant, valid_of
from everwhen.model.columns import (
    ANY,
    BOOLEAN,
    FLOAT,
    INT,
    NODE,
    NULL,
    RELATIONSHIP,
    STRING,
    Vector,
)
from everwhen.model.ordering import group_key
from everwhen.model.relations import equals

Numbers = npt.NDArray[np.int64]

_TYPED: Final = frozenset({INT, BOOLEAN, STRING, FLOAT, NODE, RELATIONSHIP})


class Matches(NamedTuple):
    """By row of a batch: where its matches begin in ``order``, and how many there are."""

    order: Numbers
    starts: Numbers
    counts: Numbers

    def pairs(self, first: int, last: int) -> tuple[Numbers, Numbers]:
        """Rows of the batch and of the table for some of the matches, counted in order."""
        total = int(self.counts.sum())
        if first == 0 and last == total:
            rows = np.repeat(np.arange(len(self.counts)), self.counts)
            ends = np.cumsum(self.counts) - self.counts
            return rows, self.order[(self.starts - ends)[rows] + np.arange(total)]
        ends = np.cumsum(self.counts)
        flat = np.arange(first, last)
        rows = np.searchsorted(ends, flat, "right")
        within = flat - (ends[rows] - self.counts[rows])
        return rows, self.order[self.starts[rows] + within]


class Table:
    """Rows by origin and key. Rows whose key is null are not in it."""

    __slots__ = ("_by_key", "_ctx", "_key", "_keys", "_order", "_origins", "_pairs", "_starts")

    def __init__(self, key: Vector, origins: Numbers | None, ctx: BatchContext) -> None:
        self._ctx = ctx
        self._key = key
        self._origins = origins
        self._by_key: dict[Any, list[tuple[Any, int]]] | None = None
        if key.kind not in _TYPED:
            return
        places = _usable(key)
        #: different keys, and with origins different pairs of an origin and the number of a key
        self._keys = self._pairs = Keys(_numbers(key.take(places), ctx))
        if origins is not None:
            self._pairs = Keys(origins[places] * len(self._keys) + self._keys.numbers)
        order, self._starts = by_number(self._pairs.numbers, len(self._pairs))
        self._order = places[order]

    def find(self, key: Vector, origins: Numbers | None) -> Matches:
        """The rows of the table that each row of a batch is equal to, in the table's order."""
        nothing = np.zeros(len(key.data), np.int64)
        kinds = {key.kind, self._key.kind}
        if NULL in kinds:
            return Matches(nothing[:0], nothing, nothing)
        if ANY in kinds or kinds == _NUMBERS:
            return self._by_value(key, origins)
        if len(kinds) > 1:  # types that are never equal
            return Matches(nothing[:0], nothing, nothing)
        places = _usable(key)
        some = key.take(places)
        if key.kind == STRING:
            assert some.texts is not None
            assert self._key.texts is not None
            numbers = translated(some.data, some.texts, self._key.texts).astype(np.int64)
        else:
            numbers = _numbers(some, self._ctx)
        found = self._keys.find(numbers)
        there = found >= 0
        if origins is not None:
            found = self._pairs.find(origins[places] * len(self._keys) + found)
            there &= found >= 0
        places, found = places[there], found[there]
        starts, counts = nothing.copy(), nothing.copy()
        starts[places] = self._starts[found]
        counts[places] = self._starts[found + 1] - starts[places]
        return Matches(self._order, starts, counts)

    def _by_value(self, key: Vector, origins: Numbers | None) -> Matches:
        table, order = self._values(), list[int]()
        length = len(key.data)
        counts = np.zeros(length, np.int64)
        for start in range(0, length, OBJECTS_AT_ONCE):
            self._ctx.check()
            for row, value in enumerate(_piece(key, start, self._ctx), start):
                if value is None:
                    continue
                mine = None if origins is None else int(origins[row])
                before = len(order)
                for other, place in table.get((mine, group_key(value)), ()):
                    # the key groups NaN with NaN and null inside lists; equality does not
                    if equals(value, other) is True:
                        order.append(place)
                counts[row] = len(order) - before
        return Matches(np.array(order, np.int64), np.cumsum(counts) - counts, counts)

    def _values(self) -> dict[Any, list[tuple[Any, int]]]:
        table = self._by_key
        if table is None:
            table = self._by_key = {}
            for start in range(0, len(self._key.data), OBJECTS_AT_ONCE):
                for place, value in enumerate(_piece(self._key, start, self._ctx), start):
                    if value is not None:
                        origin = None if self._origins is None else int(self._origins[place])
                        found = table.setdefault((origin, group_key(value)), [])
                        found.append((value, place))
        return table


_NUMBERS: Final = {INT, FLOAT}


def _piece(vector: Vector, start: int, ctx: BatchContext) -> list[Any]:
    return values_of(slice_of(vector, start, start + OBJECTS_AT_ONCE), ctx)


def _usable(vector: Vector) -> Numbers:
    """Positions of what may equal anything: neither null nor NaN."""
    valid = valid_of(vector)
    if vector.kind == FLOAT:
        number = ~np.isnan(vector.data)
        valid = number if valid is None else valid & number
    return np.arange(len(vector.data)) if valid is None else np.flatnonzero(valid)


def _numbers(vector: Vector, ctx: BatchContext) -> Numbers:
    """Equal exactly where values of this vector's kind are equal."""
    if vector.kind in (STRING, INT, BOOLEAN):
        return vector.data.astype(np.int64)
    if vector.kind == FLOAT:
        return float_bits(vector.data)
    whole = Vector(vector.kind, vector.data, None, None, vector.graph)
    return ranks(whole if isinstance(vector, Constant) else vector, ctx)
