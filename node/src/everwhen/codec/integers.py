"""Arrays of integers in the narrowest width that holds them, and where values stand in them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_WIDTHS: Final = (np.uint8, np.uint16, np.uint32, np.uint64)
#: a table of positions is made for ranges up to so many times the number of values
_SPREAD: Final = 4


def narrow(values: Array) -> Array:
    """Unsigned numbers in the narrowest width that holds them."""
    top = int(values.max()) if len(values) else 0
    width = next(w for w in _WIDTHS if top <= np.iinfo(w).max)
    return values.astype(width)


class Ints:
    """Integers as the lowest one plus narrow unsigned differences."""

    __slots__ = ("base", "offsets")

    def __init__(self, base: int, offsets: Array) -> None:
        self.base = base
        self.offsets = offsets

    @classmethod
    def pack(cls, values: Array) -> Ints:
        """From int64 (or any integer) values."""
        if not len(values):
            return cls(0, np.zeros(0, np.uint8))
        base, top = int(values.min()), int(values.max())
        span = top - base
        width = next(w for w in _WIDTHS if span <= np.iinfo(w).max)
        # the difference wraps in 64 bits to the right unsigned number even where it overflows
        unsigned = values.astype(np.int64).view(np.uint64) - np.uint64(base & 0xFFFF_FFFF_FFFF_FFFF)
        return cls(base, unsigned.astype(width))

    def get(self, row: int) -> int:
        """One integer."""
        number: int = self.offsets.item(row)
        return number + self.base

    def some(self, rows: slice | Array) -> list[int]:
        """The integers of some rows."""
        base = self.base
        return [number + base for number in self.offsets[rows].tolist()]

    def span_within(self, rows: slice | Array, value: int) -> tuple[int, int]:
        """First and one after the last position of ``value`` among rows whose values ascend."""
        wanted = value - self.base
        if not 0 <= wanted <= np.iinfo(self.offsets.dtype).max:
            return 0, 0
        some, sought = self.offsets[rows], self.offsets.dtype.type(wanted)
        low = int(np.searchsorted(some, sought, "left"))
        return low, int(np.searchsorted(some, sought, "right"))

    def whole(self) -> npt.NDArray[np.int64]:
        """All of them as int64."""
        base = np.uint64(self.base & 0xFFFF_FFFF_FFFF_FFFF)
        return (self.offsets.astype(np.uint64) + base).view(np.int64)

    def __len__(self) -> int:
        return len(self.offsets)


class Ascending:
    """Where values stand among ascending integers.

    Where values lie close together, a table over the whole range says it in two steps; it is made
    when first needed and takes four bytes a number between the lowest and the highest.
    """

    __slots__ = ("_ints", "_last", "_table", "_tabled")

    def __init__(self, ints: Ints) -> None:
        self._ints = ints
        self._last: int = ints.offsets.item(-1) if len(ints) else -1
        self._tabled = self._last <= _SPREAD * len(ints)
        self._table: Array | None = None

    @property
    def table_bytes(self) -> int:
        """What the table takes once it is made."""
        return 4 * (self._last + 2) if self._tabled else 0

    def span(self, value: int) -> tuple[int, int]:
        """First and one after the last row that hold ``value``."""
        wanted = value - self._ints.base
        if wanted < 0 or wanted > self._last:
            return 0, 0
        offsets = self._ints.offsets
        if self._tabled:
            table = self._table
            if table is None:
                edges = np.arange(self._last + 2, dtype=np.int64)
                table = self._table = np.searchsorted(offsets, edges).astype(np.uint32)
            return table.item(wanted), table.item(wanted + 1)
        sought = offsets.dtype.type(wanted)
        low = int(np.searchsorted(offsets, sought, "left"))
        return low, int(np.searchsorted(offsets, sought, "right"))

    def row(self, value: int) -> int | None:
        """The row that holds ``value``, if no value stands twice."""
        wanted = value - self._ints.base
        if wanted < 0 or wanted > self._last:
            return None
        if self._last == len(self._ints) - 1:
            return wanted  # without gaps
        low, high = self.span(value)
        return low if low < high else None
