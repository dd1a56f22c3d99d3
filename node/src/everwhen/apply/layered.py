"""What the entries of one batch have written so far, over the store they will be written to.

Apply handles many entries before it writes once, and each must see what the ones before it did.
Reads look into a sorted layer of the new pairs first and into the store after it. Everything is
also collected in a :class:`Batch`; :meth:`Layered.flush` writes that in one step.

Deletions are rare (folding, aborts, drops) and always follow a flush: the layer itself knows only
pairs, so a read between a deletion and the next flush would still see what is being deleted.
Whoever deletes flushes before anybody reads again (``apply.machine``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from everwhen.mvcc.store import Batch, Cursor, Store


class Layered:
    """A :class:`~everwhen.mvcc.store.Store` that apply reads from and writes to.

    ``quiet`` is set while nobody will read what is written (the last entry of a batch): then only
    the batch is filled.
    """

    __slots__ = ("_fresh", "_keys", "_values", "batch", "quiet", "store")

    def __init__(self, store: Store) -> None:
        self.store = store
        self.batch = Batch()
        self.quiet = False
        self._values: dict[bytes, bytes] = {}
        #: sorted keys, and those not sorted in yet
        self._keys: list[bytes] = []
        self._fresh: list[bytes] = []

    # --- writing ---

    def put(self, key: bytes, value: bytes) -> None:
        self.batch.put(key, value)
        if not self.quiet:
            if key not in self._values:
                self._fresh.append(key)
            self._values[key] = value

    def put_all(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self.batch.put_all(pairs)
        if not self.quiet:
            values = self._values
            for key, value in pairs:
                if key not in values:
                    self._fresh.append(key)
                values[key] = value

    def delete(self, key: bytes) -> None:
        """See the module: flush before the next read."""
        self.batch.delete(key)

    def delete_range(self, start: bytes, end: bytes) -> None:
        """See the module: flush before the next read."""
        self.batch.delete_range(start, end)

    def write_out(self) -> None:
        """Write the batch and begin an empty one."""
        if len(self.batch):
            self.store.write(self.batch)
        self.batch = Batch()
        self._values = {}
        self._keys = []
        self._fresh = []

    # --- reading ---

    def _sorted(self) -> list[bytes]:
        if self._fresh:
            self._keys = sorted(self._keys + self._fresh)
            self._fresh = []
        return self._keys

    def get(self, key: bytes) -> bytes | None:
        found = self._values.get(key)
        return self.store.get(key) if found is None else found

    def first(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        below = self.store.first(start, end)
        if not self._values:
            return below
        keys = self._sorted()
        at = bisect_left(keys, start)
        if at == len(keys) or keys[at] >= end:
            return below
        key = keys[at]
        if below is not None and below[0] < key:
            return below
        return key, self._values[key]

    def last(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        below = self.store.last(start, end)
        keys = self._sorted()
        at = bisect_left(keys, end) - 1
        if at < 0 or keys[at] < start:
            return below
        key = keys[at]
        if below is not None and below[0] > key:
            return below
        return key, self._values[key]

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        if not self._values:
            return self.store.scan(start, end)
        keys = self._sorted()
        low, high = bisect_left(keys, start), bisect_left(keys, end)
        if low == high:
            return self.store.scan(start, end)
        values = self._values
        own = [(key, values[key]) for key in islice(keys, low, high)]
        return _merged(own, self.store.scan(start, end))

    # --- the rest of the port ---

    def cursor(self) -> Cursor:
        below = self.store.cursor()
        keys = self._sorted()
        return _Forward(keys, self._values, below) if keys else below

    def write(self, batch: Batch) -> None:
        """Take over what others collected."""
        for kind, key, value in batch.changes:
            if kind == 0:
                self.put(key, value)
            elif kind == 1:
                self.delete(key)
            else:
                self.delete_range(key, value)

    def flush(self) -> None:
        self.store.flush()

    def persisted(self, key: bytes) -> bytes | None:
        return self.store.persisted(key)

    def compact(self, start: bytes | None = None, end: bytes | None = None) -> None:
        self.store.compact(start, end)

    def approximate_size(self, start: bytes, end: bytes) -> int:
        return self.store.approximate_size(start, end)

    def close(self) -> None:
        self.write_out()


class _Forward:
    """A cursor over the layer and the store below; of a key in both the layer's value counts."""

    __slots__ = ("_at", "_below", "_keys", "_own", "_values")

    def __init__(self, keys: list[bytes], values: dict[bytes, bytes], below: Cursor) -> None:
        self._keys = keys
        self._values = values
        self._below = below
        self._at = len(keys)
        #: the pair here is the layer's
        self._own = False

    def seek(self, key: bytes) -> None:
        self._below.seek(key)
        self._at = bisect_left(self._keys, key)
        self._choose()

    def next(self) -> None:
        if self._own:
            if self._below.valid() and self._below.key() == self._keys[self._at]:
                self._below.next()
            self._at += 1
        else:
            self._below.next()
        self._choose()

    def _choose(self) -> None:
        own = self._at < len(self._keys)
        self._own = own and not (self._below.valid() and self._below.key() < self._keys[self._at])

    def close(self) -> None:
        self._below.close()

    def valid(self) -> bool:
        return self._own or self._below.valid()

    def key(self) -> bytes:
        return self._keys[self._at] if self._own else self._below.key()

    def value(self) -> bytes:
        return self._values[self._keys[self._at]] if self._own else self._below.value()

    def seek_for_prev(self, key: bytes) -> None:
        raise NotImplementedError("apply reads forwards")

    def prev(self) -> None:
        raise NotImplementedError("apply reads forwards")


def _merged(
    own: list[tuple[bytes, bytes]], below: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    """Two ascending sources as one; of a key in both the layer's value counts."""
    at = 0
    size = len(own)
    for pair in below:
        while at < size and own[at][0] < pair[0]:
            yield own[at]
            at += 1
        if at < size and own[at][0] == pair[0]:
            continue
        yield pair
    yield from own[at:]
