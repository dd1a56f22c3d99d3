"""Linearizable reads: one round of ReadIndex shared by everyone who waits (Raft thesis, 6.4).

A read that begins while a round is under way waits for the next one: the round in flight was asked
before the read began and proves nothing about what was committed meanwhile. Every round, and every
repetition of one, has a number of its own, so that a late answer confirms only what was asked
(research/raft.md P50).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from struct import Struct
from typing import Final

from everwhen.errors import NoLeader, TooManyRequests
from everwhen.limits import QUERIES_WAITING_DEFAULT, READ_BARRIER_SECONDS

_NUMBER: Final = Struct(">QQ")
#: seconds after which a round without an answer is asked again
_AGAIN_SECONDS: Final = 0.3
#: reads that may wait; far above what the doors let through
_WAITING_MAX: Final = 64 * QUERIES_WAITING_DEFAULT


class ReadRounds:
    """See the module. ``ask`` starts a round with the given context. Event loop only."""

    def __init__(self, node_id: int, ask: Callable[[bytes], None]) -> None:
        self._node_id = node_id
        self._ask = ask
        self._number = 0
        self._waiting: list[asyncio.Future[int]] = []
        self._in_round: list[asyncio.Future[int]] = []
        self._rounds: set[bytes] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._begun = 0.0
        self._known_since = -math.inf
        #: everything committed ``age()`` seconds ago is at or below this index
        self.known_index = 0

    def age(self) -> float:
        """Seconds since the last round that was confirmed began."""
        return asyncio.get_running_loop().time() - self._known_since

    async def index(self) -> int:
        """An index at or above everything committed when this was called.

        :raises NoLeader: no leader confirmed one in time.
        """
        if len(self._waiting) + len(self._in_round) >= _WAITING_MAX:
            raise TooManyRequests("too many reads wait for the leader", hint="try again")
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(confirmed)
        if not self._in_round:
            self._begin()
        await asyncio.wait([confirmed], timeout=READ_BARRIER_SECONDS)
        if not confirmed.done():
            confirmed.cancel()
            raise NoLeader("no leader confirmed that this read is up to date", hint="try again")
        return confirmed.result()

    def _begin(self) -> None:
        self._in_round, self._waiting = self._waiting, []
        self._rounds.clear()
        self._begun = asyncio.get_running_loop().time()
        self._send()

    def _send(self) -> None:
        self._number += 1
        context = _NUMBER.pack(self._node_id, self._number)
        self._rounds.add(context)
        self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._repeat)
        self._ask(context)

    def _repeat(self) -> None:
        self._in_round = [one for one in self._in_round if not one.done()]
        if self._in_round:
            self._send()
        elif self._waiting:
            self._begin()

    def leader_changed(self) -> None:
        """What was asked of the last leader is asked of the new one at once."""
        if self._in_round and self._timer is not None:
            self._timer.cancel()
            self._send()

    def confirmed(self, context: bytes, index: int) -> None:
        """A round, or a repetition of it, was confirmed."""
        if context not in self._rounds:
            return
        self._rounds.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._known_since, self.known_index = self._begun, index
        done, self._in_round = self._in_round, []
        for one in done:
            if not one.done():
                one.set_result(index)
        if self._waiting:
            self._begin()
