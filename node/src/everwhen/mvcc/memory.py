"""The twin of the record's storage: a sorted map of bytes in memory.

One sorted list of keys and one dict of values behind a lock. A scan copies its pairs at the call,
so it sees one state, as an iterator of RocksDB does: what moves from one place to another while it
runs is seen once. ``flush`` remembers
what a crash would leave; ``crash`` goes back to it, as RocksDB without its own log does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final

from everwhen.errors import NotSupported
from everwhen.mvcc.store import Batch, Change, Cursor

#: from this many new keys on, sorting once is cheaper than inserting each
_SORT_FROM: Final = 64


class MemoryStore:
    """A :class:`~everwhen.mvcc.store.Store` in memory."""

    __slots__ = ("_closed", "_flushed", "_keys", "_lock", "_shared", "_values", "on_checkpoint")

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: list[bytes] = []
        self._values: dict[bytes, bytes] = {}
        self._flushed: tuple[list[bytes], dict[bytes, bytes]] = ([], {})
        #: whether keys and values are also those of a fork or flush: copied before the next write
        self._shared = False
        self._closed = False
        #: makes the files of a checkpoint out of a copy
        self.on_checkpoint: Callable[[str, MemoryStore], None] | None = None

    # --- reads ---

    def get(self, key: bytes) -> bytes | None:
        """The value of exactly ``key``."""
        return self._values.get(key)

    def first(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The first pair with start <= key < end."""
        with self._lock:
            keys = self._keys
            at = bisect_left(keys, start)
            if at == len(keys) or keys[at] >= end:
                return None
            key = keys[at]
            return key, self._values[key]

    def last(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The last pair with start <= key < end."""
        with self._lock:
            at = bisect_left(self._keys, end) - 1
            if at < 0 or self._keys[at] < start:
                return None
            key = self._keys[at]
            return key, self._values[key]

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with start <= key < end, as they are at the call."""
        with self._lock:
            keys, values = self._keys, self._values
            chosen = keys[bisect_left(keys, start) : bisect_left(keys, end)]
            return iter([(key, values[key]) for key in chosen])

    def cursor(self) -> Cursor:
        """A cursor; this one follows later writes too."""
        return _MemoryCursor(self)

    def approximate_size(self, start: bytes, end: bytes) -> int:
        """The bytes of keys and values in [start, end)."""
        return sum(len(key) + len(value) for key, value in self.scan(start, end))

    def __len__(self) -> int:
        return len(self._keys)

    # --- writes ---

    def write(self, batch: Batch) -> None:
        """Write all of ``batch``."""
        with self._lock:
            if self._closed:
                raise RuntimeError("write to a closed store")
            if self._shared:
                self._keys, self._values = self._keys.copy(), self._values.copy()
                self._shared = False
            added: set[bytes] = set()
            for kind, key, value in batch.changes:
                if kind == Change.PUT:
                    if key not in self._values:
                        added.add(key)
                    self._values[key] = value
                    continue
                # a removal looks at the sorted keys, so what was added so far goes there first
                self._insert(added)
                added.clear()
                if kind == Change.DELETE:
                    self._delete(key)
                else:
                    self._delete_range(key, value)
            self._insert(added)

    def _insert(self, added: set[bytes]) -> None:
        if len(added) < _SORT_FROM:
            for key in added:
                insort(self._keys, key)
        else:
            self._keys.extend(sorted(added))
            self._keys.sort()

    def _delete(self, key: bytes) -> None:
        if key in self._values:
            del self._values[key]
            del self._keys[bisect_left(self._keys, key)]

    def _delete_range(self, start: bytes, end: bytes) -> None:
        low, high = bisect_left(self._keys, start), bisect_left(self._keys, end)
        for key in self._keys[low:high]:
            del self._values[key]
        del self._keys[low:high]

    def flush(self) -> None:
        """Remember the present content as what a crash leaves."""
        with self._lock:
            self._shared = True
            self._flushed = (self._keys, self._values)

    def persisted(self, key: bytes) -> bytes | None:
        """The value of ``key`` at the last ``flush``."""
        return self._flushed[1].get(key)

    def bytes_in_files(self) -> int:
        """The bytes of keys and values at the last ``flush``."""
        return sum(len(key) + len(value) for key, value in self._flushed[1].items())

    def bytes_in_memory(self) -> tuple[int, int]:
        """None of it is: it has no files."""
        return 0, 0

    def checkpoint(self, folder: str) -> None:
        """Hand a copy to whoever keeps the twin's files (``on_checkpoint``)."""
        if self.on_checkpoint is None:
            raise NotSupported("this store has no files to copy")
        self.on_checkpoint(folder, self.fork())

    def compact(self, start: bytes | None = None, end: bytes | None = None) -> None:
        """Nothing to give back: nothing is kept twice."""

    def close(self) -> None:
        """Refuse writes from here on."""
        self._closed = True

    # --- for tests ---

    def fork(self) -> MemoryStore:
        """A store of its own with the same content; copied only when one of the two is written."""
        with self._lock:
            self._shared = True
            return self._sibling(self._keys, self._values)

    def crash(self) -> MemoryStore:
        """What a process would find after a crash: the content of the last ``flush``."""
        with self._lock:
            return self._sibling(*self._flushed)

    def _sibling(self, keys: list[bytes], values: dict[bytes, bytes]) -> MemoryStore:
        other = MemoryStore()
        other._keys, other._values, other._shared = keys, values, True
        other._flushed = self._flushed
        other.on_checkpoint = self.on_checkpoint
        return other


class _MemoryCursor:
    """A cursor that holds the pair it stands on and finds its neighbours by key."""

    __slots__ = ("_key", "_store", "_value")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._key: bytes | None = None
        self._value = b""

    def seek(self, key: bytes) -> None:
        self._go(bisect_left, key, 0)

    def seek_for_prev(self, key: bytes) -> None:
        self._go(bisect_right, key, -1)

    def next(self) -> None:
        self._go(bisect_right, self.key(), 0)

    def prev(self) -> None:
        self._go(bisect_left, self.key(), -1)

    def _go(self, find: Callable[[list[bytes], bytes], int], key: bytes, step: int) -> None:
        store = self._store
        with store._lock:
            at = find(store._keys, key) + step
            if 0 <= at < len(store._keys):
                self._key = store._keys[at]
                self._value = store._values[self._key]
            else:
                self._key = None

    def close(self) -> None:
        """Nothing is held."""

    def valid(self) -> bool:
        return self._key is not None

    def key(self) -> bytes:
        if self._key is None:
            raise RuntimeError("the cursor is not on a pair")
        return self._key

    def value(self) -> bytes:
        if self._key is None:
            raise RuntimeError("the cursor is not on a pair")
        return self._value
