"""What changed in one column of the image, by version: arrays that only grow at their end.

One writer appends; any reader may look meanwhile: it takes the count first and the arrays then, so
that these hold at least that many. Full arrays are replaced by larger ones, never moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena

Array = npt.NDArray[Any]
Arrays = tuple[Array, ...]

KIND: Final = "changes"
_FIRST: Final = 16
#: from so large a share of all rows on, changes are told apart by a table of the rows
_DENSE_SHARE: Final = 16

#: version, row, whether it is there from then on
SET: Final = (np.uint32, np.int32, np.bool_)
#: version, row, tag and payload before and after
VALUES: Final = (np.uint32, np.int32, np.uint8, np.int64, np.uint8, np.int64)


class Log:
    """See the module. The first array holds versions, ascending."""

    __slots__ = ("_arena", "arrays", "count")

    def __init__(self, arena: Arena, dtypes: Sequence[npt.DTypeLike], size: int = 0) -> None:
        self._arena = arena
        self.arrays: Arrays = tuple(arena.empty(size, dtype, KIND) for dtype in dtypes)
        self.count = 0

    def append(self, *values: Any) -> None:
        """One change."""
        at = self.count
        if at == len(self.arrays[0]):
            self._grow(at + 1)
        for array, value in zip(self.arrays, values, strict=True):
            array[at] = value
        self.count = at + 1

    def extend(self, size: int, *columns: Any) -> None:
        """Many changes: an array, or one value for all, each."""
        at, end = self.count, self.count + size
        if end > len(self.arrays[0]):
            self._grow(end)
        for array, column in zip(self.arrays, columns, strict=True):
            array[at:end] = column
        self.count = end

    def _grow(self, wanted: int) -> None:
        size = max(wanted, _FIRST, self.count + self.count // 2)
        self.arrays = tuple(
            self._arena.grown(array, self.count, size, KIND) for array in self.arrays
        )

    def slice(self, low: int, high: int) -> Arrays:
        """Some of the changes, by position."""
        return tuple(array[low:high] for array in self.arrays)

    def joined(self, earlier: Arrays) -> Log:
        """A new log: earlier changes, then those of this one."""
        count, arrays, more = self.count, self.arrays, len(earlier[0])
        dtypes = [array.dtype for array in arrays]
        found = Log(self._arena, dtypes, count + more + (count + more) // 8)
        found.extend(more, *earlier)
        found.extend(count, *(array[:count] for array in arrays))
        return found

    def since(self, position: int) -> Log:
        """A new log: the changes from a position on."""
        count, arrays = self.count - position, self.slice(position, self.count)
        found = Log(self._arena, [array.dtype for array in arrays], count + count // 8)
        found.extend(count, *arrays)
        return found

    def upto(self, version: int) -> int:
        """How many changes there are up to a version."""
        return int(self.arrays[0][: self.count].searchsorted(version, "right"))

    def between(self, base: int, version: int) -> tuple[int, int]:
        """Positions: those up to ``base``, and those up to ``version``."""
        count = self.count
        versions = self.arrays[0][:count]
        here, there = versions.searchsorted(np.array((base, version), np.uint32), "right").tolist()
        return here, there


def decisive(rows: Array, forward: bool) -> tuple[Array, Array]:
    """Rows that changed, ascending, and for each the position of the change that counts: the last
    one going forward, the first one going back."""
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    size = int(rows.max()) + 1
    if len(rows) * _DENSE_SHARE < size:
        if not forward:
            return np.unique(rows, return_index=True)
        touched, last = np.unique(rows[::-1], return_index=True)
        return touched, len(rows) - 1 - last
    # so many that a table by row costs less than sorting them
    table = np.full(size, -1, np.int32)
    order = np.arange(len(rows), dtype=np.int32)
    # of several for one row the last to be set stays
    table[rows if forward else rows[::-1]] = order if forward else order[::-1]
    touched = np.flatnonzero(table >= 0).astype(np.int32)
    return touched, table[touched]
