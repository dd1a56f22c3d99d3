"""Ids of new elements, from blocks leased through the log: unique for ever, dense, never reused.

What is left of a block when the process ends is lost; ids are 63 bits wide.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from everwhen.limits import ID_LEASE_BLOCK
from everwhen.runtime.backend import Backend

#: a transaction that keeps asking gets larger blocks, up to this many ids
_LARGEST_BLOCK = 64 * ID_LEASE_BLOCK


class _Block:
    """The rest of one leased block."""

    __slots__ = ("end", "next", "size")

    def __init__(self) -> None:
        self.next = 0
        self.end = 0
        self.size = ID_LEASE_BLOCK


class IdAllocator:
    """One per node; any worker thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = Lock()
        self._nodes = _Block()
        self._relationships = _Block()

    def node(self, before_waiting: Callable[[], None]) -> int:
        """The next node id. ``before_waiting`` is called when a block must be leased first, and
        may raise where nobody may wait."""
        return self._take(self._nodes, before_waiting)

    def relationship(self, before_waiting: Callable[[], None]) -> int:
        """The next relationship id."""
        return self._take(self._relationships, before_waiting)

    def _take(self, block: _Block, before_waiting: Callable[[], None]) -> int:
        while True:
            with self._lock:
                if block.next < block.end:
                    block.next += 1
                    return block.next - 1
            before_waiting()
            with self._lock:
                size, block.size = block.size, min(block.size * 2, _LARGEST_BLOCK)
            # leased without the lock: two threads may both lease, and the smaller rest is dropped
            of_nodes = block is self._nodes
            first_node, first_relationship = self._backend.lease_ids(
                size if of_nodes else 0, 0 if of_nodes else size
            )
            first = first_node if of_nodes else first_relationship
            with self._lock:
                if block.next >= block.end:
                    block.next, block.end = first, first + size
