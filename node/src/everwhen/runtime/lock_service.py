"""Waiting for the write locks of PESSIMISTIC transactions; the rules are in ``txn.locks``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from everwhen.errors import LockTimeout
from everwhen.txn.locks import Locks


class LockService:
    """One lock table with futures for those who wait. Event loop only."""

    def __init__(self) -> None:
        self._locks = Locks()
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def lock(self, owner: int, keys: Sequence[bytes], timeout: float) -> bool:
        """See ``Consensus.lock``."""
        if self._locks.acquire(owner, keys):
            return False
        granted = self._waiting[owner] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([granted], timeout=timeout)
        finally:
            del self._waiting[owner]
            if not granted.done():
                self._locks.give_up(owner)
        if not granted.done():
            raise LockTimeout(f"a write lock was not granted in {timeout:g} s", hint="try again")
        return True

    def unlock(self, owner: int) -> None:
        """See ``Consensus.unlock``."""
        for other in self._locks.release(owner):
            granted = self._waiting.get(other)
            if granted is not None and not granted.done():
                granted.set_result(None)
