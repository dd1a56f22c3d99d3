"""The durable log as the consensus core reads it: what is near the end comes from memory.

The core holds what is not durable yet itself; this is the rest. Entries enter the cache when they
are durable, and leave it from the front when it is full; a follower that is far behind is served
from the segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from everwhen.limits import LOG_CACHE_BYTES
from everwhen.storage.frames import Entry


class DurableLog(Protocol):
    """What is asked of ``storage.log_segments``."""

    @property
    def first_index(self) -> int: ...

    @property
    def last_index(self) -> int: ...

    def term(self, index: int) -> int | None: ...

    def entries(self, low: int, high: int) -> Sequence[Entry]: ...


class RecentEntries:
    """A run of entries that ends at the newest durable one."""

    def __init__(self, last_index: int, bytes_max: int = LOG_CACHE_BYTES) -> None:
        self._entries: list[Entry] = []
        #: index of the first cached entry
        self._first = last_index + 1
        self._bytes = 0
        self._bytes_max = bytes_max

    def append(self, entries: Sequence[Entry]) -> None:
        """Entries became durable; they replace those from the first one's index on."""
        if not entries:
            return
        cached = self._entries
        keep = entries[0].index - self._first
        if not 0 <= keep <= len(cached):
            cached.clear()
            keep, self._first, self._bytes = 0, entries[0].index, 0
        for entry in cached[keep:]:
            self._bytes -= len(entry.payload)
        del cached[keep:]
        cached.extend(entries)
        self._bytes += sum(len(entry.payload) for entry in entries)
        if self._bytes > self._bytes_max:
            self._shrink()

    def _shrink(self) -> None:
        """Forget the oldest quarter, in one go."""
        drop = 0
        while self._bytes > self._bytes_max * 3 // 4 and drop < len(self._entries) - 1:
            self._bytes -= len(self._entries[drop].payload)
            drop += 1
        del self._entries[:drop]
        self._first += drop

    def get(self, index: int) -> Entry | None:
        """A cached entry."""
        at = index - self._first
        return self._entries[at] if 0 <= at < len(self._entries) else None

    def slice(self, low: int, high: int) -> list[Entry] | None:
        """The entries with low <= index < high, None if one is not here."""
        start, stop = low - self._first, high - self._first
        if start < 0 or stop > len(self._entries):
            return None
        return self._entries[start:stop]
