"""Write locks for PESSIMISTIC transactions: who holds which key, who waits for whom.

Pure: nothing here waits or knows the time. The caller asks, is told to wait, and is handed the
owners that may go on whenever one releases. Locks are exclusive and queue in the order asked; an
owner waits for one key at a time. Asked right after an owner began to wait, :meth:`deadlocked`
finds every circle of waiting, because the last one to join it is the one that asks.
"""

from __future__ import annotations

from collections import deque


class LockTable:
    """See the module."""

    __slots__ = ("_held", "_holder", "_queues", "_waiting")

    def __init__(self) -> None:
        self._holder: dict[bytes, int] = {}
        #: owner -> keys it holds, in the order it got them
        self._held: dict[int, dict[bytes, None]] = {}
        #: key -> owners waiting for it, first come first
        self._queues: dict[bytes, deque[int]] = {}
        #: owner -> the key it waits for
        self._waiting: dict[int, bytes] = {}

    def acquire(self, owner: int, key: bytes) -> bool:
        """Ask for ``key``: True if the owner holds it now, False if it waits from here on."""
        if owner in self._waiting:
            raise ValueError(f"owner {owner} is waiting already")
        holder = self._holder.get(key)
        if holder == owner:
            return True
        if holder is None:
            self._grant(owner, key)
            return True
        self._queues.setdefault(key, deque()).append(owner)
        self._waiting[owner] = key
        return False

    def _grant(self, owner: int, key: bytes) -> None:
        self._holder[key] = owner
        self._held.setdefault(owner, {})[key] = None

    def deadlocked(self, owner: int) -> bool:
        """Whether someone ``owner`` waits for waits, in the end, for ``owner``."""
        seen: set[int] = set()
        open_ = self._ahead(owner)
        while open_:
            other = open_.pop()
            if other == owner:
                return True
            if other not in seen:
                seen.add(other)
                open_.extend(self._ahead(other))
        return False

    def _ahead(self, owner: int) -> list[int]:
        """Who must release before ``owner`` gets what it waits for: the holder of the key, and
        those in the queue before."""
        key = self._waiting.get(owner)
        if key is None:
            return []
        ahead = [self._holder[key]]
        for other in self._queues[key]:
            if other == owner:
                break
            ahead.append(other)
        return ahead

    def cancel(self, owner: int) -> list[int]:
        """Stop waiting (deadlock, timeout) and keep what is held. The result, owners that may go
        on now, is always empty: a place in a queue blocks nobody that the holder does not."""
        key = self._waiting.pop(owner, None)
        if key is not None:
            queue = self._queues[key]
            queue.remove(owner)
            if not queue:
                del self._queues[key]
        return []

    def release(self, owner: int) -> list[int]:
        """Give up everything ``owner`` holds or waits for; the owners that got what they waited
        for, in the order they got it."""
        self.cancel(owner)
        granted: list[int] = []
        for key in self._held.pop(owner, ()):
            del self._holder[key]
            queue = self._queues.get(key)
            if queue is None:
                continue
            follower = queue.popleft()
            if not queue:
                del self._queues[key]
            del self._waiting[follower]
            self._grant(follower, key)
            granted.append(follower)
        return granted

    def holds(self, owner: int, key: bytes) -> bool:
        return self._holder.get(key) == owner

    def waits(self, owner: int) -> bool:
        return owner in self._waiting

    def __len__(self) -> int:
        """The number of keys held."""
        return len(self._holder)
