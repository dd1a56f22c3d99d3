"""Waiting for the write locks of PESSIMISTIC transactions; the rules are in ``txn.locks``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from everwhen.errors import DeadlockDetected, LockTimeout
from everwhen.ports import Clock
from everwhen.txn.locks import LockTable


class LockService:
    """One lock table with futures for those who wait. Event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._table = LockTable()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def lock(self, owner: int, keys: Sequence[bytes], timeout: float) -> bool:
        """See ``Consensus.lock``."""
        waited = False
        deadline = self._clock.monotonic() + timeout
        for key in sorted(set(keys)):
            if self._table.acquire(owner, key):
                continue
            waited = True
            if self._table.deadlocked(owner):
                self._cancel(owner)
                raise DeadlockDetected(
                    "this transaction and another wait for each other's locks", hint="try again"
                )
            future = self._waiting[owner] = asyncio.get_running_loop().create_future()
            left = deadline - self._clock.monotonic()
            await asyncio.wait([future], timeout=max(left, 0.0))
            self._waiting.pop(owner, None)
            if not future.done():
                self._cancel(owner)
                raise LockTimeout(f"a write lock was not granted in {timeout:g} s", hint="try again")
        return waited

    def unlock(self, owner: int) -> None:
        """See ``Consensus.unlock``."""
        self._wake(self._table.release(owner))

    def _cancel(self, owner: int) -> None:
        """Stop waiting; what is held stays until ``unlock``."""
        self._wake(self._table.cancel(owner))

    def _wake(self, granted: Sequence[int]) -> None:
        for owner in granted:
            future = self._waiting.get(owner)
            if future is not None and not future.done():
                future.set_result(None)
