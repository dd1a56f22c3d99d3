"""Write locks for PESSIMISTIC transactions: who holds which key, who waits for whom.

Pure: nothing here waits or knows the time. The caller asks, is told to wait, and is handed the
owners that may go on whenever one releases. Locks are exclusive and queue in the order asked.
A request that would close a circle of waiting is refused at once, so no deadlock ever stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from everwhen.errors import DeadlockDetected

Owner = int | tuple[int, int]
"""A transaction: its number, or the number of its node and its own."""


class Locks:
    """The table. An owner waits for at most one request (a batch of keys) at a time."""

    __slots__ = ("_held", "_holder", "_queues", "_waiting")

    def __init__(self) -> None:
        self._holder: dict[bytes, Owner] = {}
        #: owner -> keys it holds, in the order it got them
        self._held: dict[Owner, dict[bytes, None]] = {}
        #: key -> owners waiting for it, first come first
        self._queues: dict[bytes, deque[Owner]] = {}
        #: owner -> keys of its request that it does not hold yet
        self._waiting: dict[Owner, dict[bytes, None]] = {}

    def acquire(self, owner: Owner, keys: Sequence[bytes]) -> bool:
        """Ask for all of ``keys``: True if the owner holds them now, False if it must wait.

        What is free is taken at once; the rest is queued for.

        :raises DeadlockDetected: waiting would close a circle; the owner then waits for nothing,
            and keeps what it held before.
        """
        if owner in self._waiting:
            raise ValueError(f"owner {owner} is waiting already")
        wanted = [key for key in dict.fromkeys(keys) if self._holder.get(key) != owner]
        blocked = [key for key in wanted if key in self._holder]
        if blocked and self._closes_circle(owner, blocked):
            raise DeadlockDetected(
                "Two transactions wait for each other's locks; this one was chosen to end",
                hint="Run the transaction again",
            )
        held = self._held.setdefault(owner, {})
        for key in wanted:
            if key not in self._holder:
                self._holder[key] = owner
                held[key] = None
        if not blocked:
            return True
        self._waiting[owner] = dict.fromkeys(blocked)
        for key in blocked:
            self._queues.setdefault(key, deque()).append(owner)
        return False

    def _closes_circle(self, owner: Owner, keys: Iterable[bytes]) -> bool:
        """Whether someone the owner would wait for waits, in the end, for the owner."""
        seen: set[Owner] = set()
        open_ = [other for key in keys for other in self._ahead(key, None)]
        while open_:
            other = open_.pop()
            if other == owner:
                return True
            if other in seen:
                continue
            seen.add(other)
            for key in self._waiting.get(other, ()):
                open_.extend(self._ahead(key, other))
        return False

    def _ahead(self, key: bytes, owner: Owner | None) -> list[Owner]:
        """Who must release ``key`` before ``owner`` gets it: the holder and the queue before."""
        ahead = [self._holder[key]]
        for other in self._queues.get(key, ()):
            if other == owner:
                break
            ahead.append(other)
        return ahead

    def release(self, owner: Owner) -> list[Owner]:
        """Give up everything ``owner`` holds or waits for; the owners whose requests are
        complete now, in the order they were granted."""
        for key in self._waiting.pop(owner, ()):
            queue = self._queues[key]
            queue.remove(owner)
            if not queue:
                del self._queues[key]
        granted: list[Owner] = []
        for key in self._held.pop(owner, ()):
            del self._holder[key]
            queue = self._queues.get(key, deque())
            if not queue:
                continue
            follower = queue.popleft()
            if not queue:
                del self._queues[key]
            self._holder[key] = follower
            self._held.setdefault(follower, {})[key] = None
            waiting = self._waiting[follower]
            del waiting[key]
            if not waiting:
                del self._waiting[follower]
                granted.append(follower)
        return granted

    def give_up(self, owner: Owner) -> None:
        """Stop waiting (timeout, cancellation) and keep what is held."""
        for key in self._waiting.pop(owner, ()):
            queue = self._queues[key]
            queue.remove(owner)
            if not queue:
                del self._queues[key]

    def owners(self) -> list[Owner]:
        """Everyone who holds a key or waits for one."""
        return list(dict.fromkeys([*self._held, *self._waiting]))

    def holds(self, owner: Owner, key: bytes) -> bool:
        return self._holder.get(key) == owner

    def waits(self, owner: Owner) -> bool:
        return owner in self._waiting

    def __len__(self) -> int:
        """The number of keys held."""
        return len(self._holder)
