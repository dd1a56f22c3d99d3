"""Sets of integers with a number for each, in the order in which they appeared."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

#: fewer keys than this are sorted, so that small queries do not wait for compiled code
_FEW: Final = 2_048


class Keys:
    """Different keys of a column. ``numbers``: by row; ``firsts``: by number, its first row."""

    __slots__ = ("_bits", "_keys", "_numbers", "firsts", "numbers")

    def __init__(self, keys: Numbers) -> None:
        self._bits = max(1, (2 * len(keys)).bit_length())
        if len(keys) < _FEW:
            self._sort(keys)
            return
        from everwhen.kernels.grouping import number_keys

        self._keys = np.empty(1 << self._bits, np.int64)
        self._numbers = np.full(1 << self._bits, -1, np.int32)
        self.numbers = np.empty(len(keys), np.int64)
        firsts = np.empty(len(keys), np.int64)
        keys = np.ascontiguousarray(keys, np.int64)
        count = number_keys(keys, self._bits, self._keys, self._numbers, self.numbers, firsts)
        self.firsts = firsts[:count]

    def _sort(self, keys: Numbers) -> None:
        self._keys, firsts, places = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        self._numbers = np.empty(len(order), np.int32)
        self._numbers[order] = np.arange(len(order), dtype=np.int32)
        self.numbers = self._numbers[places].astype(np.int64)
        self.firsts = firsts[order]

    def __len__(self) -> int:
        return len(self.firsts)

    def find(self, keys: Numbers) -> Numbers:
        """The number of each key, -1 of those that are not here."""
        if not len(self.firsts):
            return np.full(len(keys), -1, np.int64)
        if len(self._keys) == len(self.firsts):
            places = np.searchsorted(self._keys, keys)
            places[places == len(self._keys)] = 0
            there = self._keys[places] == keys
            return np.where(there, self._numbers[places], np.int64(-1))
        from everwhen.kernels.grouping import find_keys

        found = np.empty(len(keys), np.int64)
        keys = np.ascontiguousarray(keys, np.int64)
        find_keys(keys, self._bits, self._keys, self._numbers, found)
        return found


def stable_order(ranks: Numbers) -> Numbers:
    """Positions in ascending order, equal ones as they stand."""
    if len(ranks) < _FEW:
        return np.argsort(ranks, kind="stable")
    low, high = int(ranks.min()), int(ranks.max())
    if high - low < 4 * len(ranks):
        return by_number(ranks - low, high - low + 1)[0]
    order = np.argsort(ranks)  # several times faster than a stable sort, which few need
    found = ranks[order]
    if bool((found[1:] == found[:-1]).any()):
        return np.argsort(ranks, kind="stable")
    return order


def by_number(numbers: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """Positions sorted by their number (equal ones in order), and where each number begins; the
    positions of number ``n`` are at ``starts[n] : starts[n + 1]``."""
    if len(numbers) < _FEW:
        starts = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(numbers, minlength=count), out=starts[1:])
        return np.argsort(numbers, kind="stable"), starts
    from everwhen.kernels.grouping import sort_numbers

    starts, order = np.zeros(count + 2, np.int64), np.empty(len(numbers), np.int64)
    sort_numbers(np.ascontiguousarray(numbers, np.int64), starts, order)
    return order, starts[: count + 1]
