"""Byte strings by number, and the distinct texts of a property key among them: no Python objects.

One writer appends, any readers look: the arrays are published together with their count, and full
ones are replaced together.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.errors import Fault
from everwhen.limits import STRING_BYTES_MAX

Array = npt.NDArray[Any]

KIND: Final = "texts"
#: texts made at once
_AT_ONCE: Final = 20_000
_FIRST: Final = 64


class _State(NamedTuple):
    heap: Array
    offsets: Array
    table: Array
    size: int


class Heap:
    """Byte strings by number."""

    __slots__ = ("_arena", "_state")

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        offsets = arena.filled(_FIRST, 0, np.int64, KIND)
        table = arena.empty(0, np.int32, KIND)
        self._state = _State(arena.empty(0, np.uint8, KIND), offsets, table, 0)

    def __len__(self) -> int:
        return self._state.size

    def add(self, data: bytes) -> int:
        """Its number."""
        heap, offsets, table, count = self._room(len(data), 1)
        first = int(offsets[count])
        heap[first : first + len(data)] = np.frombuffer(data, np.uint8)
        offsets[count + 1] = first + len(data)
        self._state = _State(heap, offsets, table, count + 1)
        return count

    def get(self, number: int) -> bytes:
        """The bytes of a number."""
        heap, offsets, _, _ = self._state
        return heap[offsets[number] : offsets[number + 1]].tobytes()

    def whole(self) -> tuple[Array, Array]:
        """All bytes, and where each string begins, with the end of the last."""
        heap, offsets, _, count = self._state
        return heap[: offsets[count]], offsets[: count + 1]

    def fill(self, heap: Array, offsets: Array) -> None:
        """Take what ``whole`` of another one gave."""
        copied = self._arena.copied
        table = self._state.table
        self._state = _State(copied(heap, KIND), copied(offsets, KIND), table, len(offsets) - 1)

    def _room(self, size: int, more: int) -> _State:
        """The state with room for so many bytes and strings."""
        heap, offsets, table, count = self._state
        used = int(offsets[count])
        if used + size > len(heap):
            heap = self._arena.grown(heap, used, used + size + used // 4 + _FIRST, KIND)
        if count + more + 1 > len(offsets):
            length = count + more + 1 + count // 4
            offsets = self._arena.grown(offsets, count + 1, length, KIND)
        return _State(heap, offsets, table, count)


class Texts(Heap):
    """A :class:`~everwhen.model.columns.Texts`."""

    __slots__ = ("_lock", "_ranks")

    def __init__(self, arena: Arena) -> None:
        super().__init__(arena)
        self._ranks: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._lock = Lock()

    def fill(self, heap: Array, offsets: Array) -> None:
        from everwhen.kernels.layout import rehash

        super().fill(heap, offsets)
        heap, offsets, _, count = self._state
        table = self._table_for(count)
        rehash(heap, offsets, count, table)
        self._state = _State(heap, offsets, table, count)

    def _table_for(self, count: int) -> Array:
        """An empty one, half of which so many fill at most."""
        return self._arena.filled(1 << (2 * count + _FIRST).bit_length(), -1, np.int32, KIND)

    def code(self, text: str) -> int:
        """The code of a text, a new one if it is new."""
        data = np.frombuffer(text.encode(), np.uint8)
        return int(self.codes(data, np.array((0, len(data)), np.int64))[0])

    def codes(self, data: Array, bounds: Array) -> npt.NDArray[np.int32]:
        """The codes of many texts in a buffer."""
        from everwhen.kernels.layout import intern, rehash

        more = len(bounds) - 1
        heap, offsets, table, count = self._room(int(bounds[-1] - bounds[0]), more)
        if 2 * (count + more) > len(table):
            table = self._table_for(count + more)
            rehash(heap, offsets, count, table)
        elif heap is not self._state.heap or offsets is not self._state.offsets:
            # a reader of the old arrays must not find what only the new ones hold
            table = self._arena.grown(table, len(table), len(table), KIND)
        found = np.empty(more, np.int32)
        count = intern(data, bounds.astype(np.int64), heap, offsets, count, table, found)
        self._state = _State(heap, offsets, table, count)
        return found

    def find(self, text: str) -> int:
        from everwhen.kernels.layout import lookup

        heap, offsets, table, count = self._state
        if not count or len(text) > STRING_BYTES_MAX:
            return -1
        try:
            data = np.frombuffer(text.encode(), np.uint8)
        except UnicodeEncodeError:
            return -1  # no stored text has a lone surrogate
        return int(lookup(data, heap, offsets, count, table))

    def some(self, codes: npt.NDArray[np.int32]) -> list[str]:
        heap, offsets, _, _ = self._state
        if len(codes) > _AT_ONCE:
            raise Fault(f"{len(codes)} texts at once; at most {_AT_ONCE}")
        lows, highs = offsets[codes].tolist(), offsets[codes + 1].tolist()
        view = heap.data
        return [str(view[low:high], "utf-8") for low, high in zip(lows, highs, strict=True)]

    def ranks(self) -> npt.NDArray[np.int32]:
        state = self._state
        with self._lock:
            if len(self._ranks) < state.size:
                self._ranks = _ranks(state)
            return self._ranks


def _ranks(state: _State) -> npt.NDArray[np.int32]:
    """The place of each text in the order of their bytes, which is that of their code points:
    by eight bytes at a time, each time only those that are equal so far."""
    from everwhen.kernels.layout import windows

    heap, offsets, _, count = state
    ranks = np.zeros(count, np.int64)
    tied = np.arange(count, dtype=np.int64)
    depth = 0
    while len(tied):
        words, rest = np.empty(len(tied), np.uint64), np.empty(len(tied), np.uint8)
        windows(heap, offsets, tied, depth, words, rest)
        order = np.lexsort((rest, words, ranks[tied]))
        tied, words, rest = tied[order], words[order], rest[order]
        group = ranks[tied]
        opens = np.ones(len(tied), np.bool_)
        opens[1:] = group[1:] != group[:-1]
        differs = opens.copy()
        differs[1:] |= (words[1:] != words[:-1]) | (rest[1:] != rest[:-1])
        place = np.arange(len(tied))
        first = np.maximum.accumulate(np.where(differs, place, 0))
        ranks[tied] = group + first - np.maximum.accumulate(np.where(opens, place, 0))
        alone = differs & np.append(differs[1:], True)
        tied = tied[~alone]
        depth += 8
    return ranks.astype(np.int32)
