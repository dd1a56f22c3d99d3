"""Where the buffers of the image come from: one port, so that they can later lie in shared memory,
and so that what they take is known by kind.

What is counted is what arrays of the arena take for as long as anybody holds them, readers of old
views included. Pages of a buffer that nobody wrote to yet are counted too.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from weakref import finalize

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: entries of the ledger that are added up at once
_LEDGER: Final = 256


class Arena:
    """See the module. Any thread."""

    __slots__ = ("_ledger", "_sums")

    def __init__(self) -> None:
        #: kind and bytes, negative for what was given back; appending is atomic, so that the
        #: collector may do it at any moment
        self._ledger: deque[tuple[str, int]] = deque()
        self._sums: dict[str, int] = {}

    def empty(self, size: int, dtype: npt.DTypeLike, kind: str) -> Array:
        """An array that nobody wrote to yet."""
        return self._counted(np.empty(size, dtype), kind)

    def filled(self, size: int, value: Any, dtype: npt.DTypeLike, kind: str) -> Array:
        """An array of equal elements; zeros take memory only where they are written to."""
        if value == 0:
            return self._counted(np.zeros(size, dtype), kind)
        return self._counted(np.full(size, value, dtype), kind)

    def copied(self, array: Array, kind: str) -> Array:
        """A copy."""
        return self.grown(array, len(array), len(array), kind)

    def grown(self, array: Array, used: int, size: int, kind: str) -> Array:
        """A larger array that begins like another one."""
        larger = self.empty(size, array.dtype, kind)
        larger[:used] = array[:used]
        return larger

    def _counted(self, array: Array, kind: str) -> Array:
        self._ledger.append((kind, array.nbytes))
        finalize(array, self._ledger.append, (kind, -array.nbytes)).atexit = False
        if len(self._ledger) > _LEDGER:
            self._add_up()
        return array

    def _add_up(self) -> None:
        while True:
            try:
                kind, change = self._ledger.popleft()
            except IndexError:
                return
            self._sums[kind] = self._sums.get(kind, 0) + change

    @property
    def by_kind(self) -> dict[str, int]:
        """Bytes held, by kind, ascending by its name."""
        self._add_up()
        return {kind: count for kind, count in sorted(self._sums.items()) if count}

    @property
    def bytes(self) -> int:
        """Bytes held."""
        self._add_up()
        return sum(list(self._sums.values()))
