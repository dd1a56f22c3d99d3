"""A bounded cache of plans, the least recently used thrown away first.

Several threads plan for one process. There is no lock: every step is one dictionary operation,
which the interpreter does atomically, and losing a race only means planning a text twice.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class PlanCache(Generic[Entry]):
    """``get`` and ``put`` by key; a dictionary's order is the order of use."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[Hashable, Entry] = {}
        self.hits = 0
        self.misses = 0

    def get(self, key: Hashable) -> Entry | None:
        """The entry, which becomes the most recently used one."""
        found = self._entries.pop(key, None)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries[key] = found
        return found

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep an entry; the oldest goes if there are too many."""
        self._entries[key] = entry
        while len(self._entries) > self._capacity:
            try:
                oldest = next(iter(self._entries))
            except (RuntimeError, StopIteration):
                continue  # another thread changed it between the two steps: look again
            self._entries.pop(oldest, None)

    def __len__(self) -> int:
        return len(self._entries)
