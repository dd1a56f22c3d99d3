"""The port to a sorted map of bytes, which is all that the record asks of its storage.

Two implementations: ``storage/rocks.py`` (RocksDB) and ``mvcc/memory.py`` (the twin for tests).
Keys are versioned (codec/), so a key never changes its meaning and is rarely overwritten. That is
why so little is promised here:

* ``write`` is atomic: after a crash either all of a batch is there or none of it;
* a batch that was written is durable only after ``flush``; batches become durable in the order
  they were written, never a later one without an earlier one. The log brings the rest back;
* a read sees every batch whose ``write`` returned before the read (or the scan, or the cursor)
  began. What is written while a scan runs may or may not be seen by it; the scan never breaks,
  never repeats a key and never goes backwards;
* every method may be called from any thread. A cursor or a scan belongs to one thread at a time.

``first`` is the hot call: with versions stored newest first, "the value at version t" is the first
key at or after (entity, ~t), so a point read is one seek.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, Protocol


class Change(IntEnum):
    """What one step of a batch does."""

    PUT = 0
    DELETE = 1
    DELETE_RANGE = 2


_PUT: Final = int(Change.PUT)
_DELETE: Final = int(Change.DELETE)
_DELETE_RANGE: Final = int(Change.DELETE_RANGE)


class Batch:
    """Changes to be written together, in order: of two changes to one key the later one counts.

    ``changes`` holds (kind, key, value); of a range the "value" is its exclusive end.
    """

    __slots__ = ("changes", "size")

    def __init__(self) -> None:
        self.changes: list[tuple[int, bytes, bytes]] = []
        #: bytes of keys and values so far
        self.size = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key`` to ``value``."""
        self.changes.append((_PUT, key, value))
        self.size += len(key) + len(value)

    def put_all(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Set many keys; the same as ``put`` in a loop."""
        for key, value in pairs:
            self.put(key, value)

    def delete(self, key: bytes) -> None:
        """Remove ``key``; nothing happens if it is not there."""
        self.changes.append((_DELETE, key, b""))
        self.size += len(key)

    def delete_range(self, start: bytes, end: bytes) -> None:
        """Remove every key in [start, end)."""
        if start >= end:
            return
        self.changes.append((_DELETE_RANGE, start, end))
        self.size += len(start) + len(end)

    def __len__(self) -> int:
        return len(self.changes)


class Cursor(Protocol):
    """A position in the map, for reads that jump (skip scans).

    It sees at least everything written before its creation. It starts nowhere: ``seek`` first.
    ``key`` and ``value`` may be called only while ``valid()``. It pins storage while it lives: do
    not keep it for long.
    """

    def seek(self, key: bytes) -> None:
        """Go to the first pair at or after ``key``."""
        ...

    def seek_for_prev(self, key: bytes) -> None:
        """Go to the last pair at or before ``key``."""
        ...

    def valid(self) -> bool:
        """Whether the position is on a pair."""
        ...

    def key(self) -> bytes:
        """The key here."""
        ...

    def value(self) -> bytes:
        """The value here."""
        ...

    def next(self) -> None:
        """Go to the following pair; only while valid."""
        ...

    def prev(self) -> None:
        """Go to the pair before; only while valid."""
        ...

    def close(self) -> None:
        """It is used no more. Need not be called, but then the next cursor is made anew."""
        ...


class Store(Protocol):
    """A sorted map of bytes; see the module for what is promised."""

    def get(self, key: bytes) -> bytes | None:
        """The value of exactly ``key``."""
        ...

    def first(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The first pair with start <= key < end."""
        ...

    def last(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The last pair with start <= key < end."""
        ...

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with start <= key < end, ascending, fetched as they are asked for."""
        ...

    def cursor(self) -> Cursor:
        """A new cursor."""
        ...

    def write(self, batch: Batch) -> None:
        """Write all of ``batch``, visible to every read that begins afterwards."""
        ...

    def flush(self) -> None:
        """Return when everything written before the call is durable."""
        ...

    def persisted(self, key: bytes) -> bytes | None:
        """The value of ``key`` that would be found after a crash at this moment; slow.

        The log is compacted only up to the applied index read with this after a ``flush``.
        """
        ...

    def compact(self, start: bytes | None = None, end: bytes | None = None) -> None:
        """Give back the space of what was overwritten or deleted; long, safe to run beside work."""
        ...

    def approximate_size(self, start: bytes, end: bytes) -> int:
        """Roughly how many bytes [start, end) takes; for statistics and progress only."""
        ...

    def close(self) -> None:
        """Release everything. Not a flush: what was not flushed comes back from the log."""
        ...


class FileStore(Store, Protocol):
    """A store that lives in files, or in what a test takes for files."""

    def bytes_in_files(self) -> int:
        """What its files take on the disk."""
        ...

    def bytes_in_memory(self) -> tuple[int, int]:
        """Memory for what is not in files yet, and for blocks of files that were read."""
        ...

    def checkpoint(self, folder: str) -> None:
        """Make ``folder``: a copy of everything written before the call, durable, cheap (links).

        It holds one published state; later writes may be in it as well, whole batches only.
        """
        ...
