"""Reads that wait until the leader knows that it still leads (Raft thesis, 6.4).

Each request gets a number of the leader's own, and heartbeats carry that number: an answer to an
earlier heartbeat cannot confirm a later request, even if a caller uses a context twice (P50).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final

from everwhen.raft.types import Message

_NUMBER: Final = Struct(">Q")


class ReadOnlyOption(IntEnum):
    """How a read is confirmed: by a quorum now, or by the lease that check-quorum implies."""

    SAFE = 0
    LEASE_BASED = 1


@dataclass(slots=True)
class _Request:
    number: int
    message: Message
    index: int
    acks: dict[int, bool] = field(default_factory=dict)


class ReadOnly:
    """Requests in the order they came; one confirmed confirms all before it."""

    __slots__ = ("_number", "_queue", "option")

    def __init__(self, option: ReadOnlyOption) -> None:
        self.option = option
        self._number = 0
        self._queue: deque[_Request] = deque()

    def add(self, index: int, message: Message, leader: int) -> bytes:
        """A request that may be served once ``index`` is applied; the context for heartbeats."""
        self._number += 1
        self._queue.append(_Request(self._number, message, index, {leader: True}))
        return _NUMBER.pack(self._number)

    def ack(self, node: int, context: bytes) -> dict[int, bool]:
        """A node answered a heartbeat; who has answered for that request so far."""
        request = self._find(context)
        if request is None:
            return {}
        request.acks[node] = True
        return request.acks

    def advance(self, context: bytes) -> list[tuple[Message, int]]:
        """The request of ``context`` is confirmed: it and all before it, with their indexes."""
        request = self._find(context)
        if request is None:
            return []
        done: list[tuple[Message, int]] = []
        while self._queue and self._queue[0].number <= request.number:
            first = self._queue.popleft()
            done.append((first.message, first.index))
        return done

    def last_context(self) -> bytes:
        """What a heartbeat should carry; empty if nothing waits."""
        return _NUMBER.pack(self._queue[-1].number) if self._queue else b""

    def _find(self, context: bytes) -> _Request | None:
        if len(context) != _NUMBER.size or not self._queue:
            return None
        at = _NUMBER.unpack(context)[0] - self._queue[0].number
        return self._queue[at] if 0 <= at < len(self._queue) else None
