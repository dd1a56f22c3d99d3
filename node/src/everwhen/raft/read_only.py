"""Reads that wait until the leader knows that it still leads (Raft thesis, 6.4).

Each request gets the next number of the leader's own count, and heartbeats carry the newest one. A
member that answers a heartbeat acknowledges every request up to its number; requests up to the
number that a quorum acknowledged are confirmed. The caller's context plays no part in that, so an
answer to an earlier heartbeat cannot confirm a later request (P50).
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from struct import Struct
from typing import Final

from everwhen.limits import READS_PENDING_MAX
from everwhen.raft.quorum import JointConfig
from everwhen.raft.types import Message

_NUMBER: Final = Struct(">Q")


class ReadOnlyOption(IntEnum):
    """How a read is confirmed: by a quorum now, or by the lease that check-quorum implies."""

    SAFE = 0
    LEASE_BASED = 1


class ReadOnly:
    """Requests in the order they came."""

    __slots__ = ("_acked", "_confirmed", "_waiting", "option")

    def __init__(self, option: ReadOnlyOption) -> None:
        self.option = option
        #: how many requests were confirmed: the number of the newest of them
        self._confirmed = 0
        self._waiting: deque[tuple[Message, int]] = deque()
        self._acked: dict[int, int] = {}

    @property
    def is_full(self) -> bool:
        """Whether no further request is taken."""
        return len(self._waiting) >= READS_PENDING_MAX

    def add(self, index: int, message: Message, leader: int) -> bytes:
        """A request that may be served once ``index`` is applied; the context for heartbeats."""
        self._waiting.append((message, index))
        number = self._confirmed + len(self._waiting)
        self._acked[leader] = number
        return _NUMBER.pack(number)

    def acknowledge(self, node: int, context: bytes) -> None:
        """A node answered a heartbeat."""
        if len(context) == _NUMBER.size:
            number = _NUMBER.unpack(context)[0]
            if self._acked.get(node, 0) < number <= self._confirmed + len(self._waiting):
                self._acked[node] = number

    def advance(self, voters: JointConfig) -> list[tuple[Message, int]]:
        """Requests that a quorum confirmed, with their indexes."""
        count = voters.committed_index(self._acked) - self._confirmed
        done = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        self._confirmed += len(done)
        return done

    def last_context(self) -> bytes:
        """What a heartbeat should carry; empty if nothing waits."""
        return _NUMBER.pack(self._confirmed + len(self._waiting)) if self._waiting else b""
