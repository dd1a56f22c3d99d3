"""Waiting for the write locks of PESSIMISTIC transactions; the rules are in ``txn.locks``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from everwhen.errors import LockTimeout, TransactionConflict
from everwhen.txn.locks import Locks, Owner


class LockService:
    """One lock table with futures for those who wait. Event loop only."""

    def __init__(self) -> None:
        self._locks = Locks()
        self._waiting: dict[Owner, asyncio.Future[None]] = {}

    async def lock(self, owner: Owner, keys: Sequence[bytes], timeout: float) -> bool:
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
        granted.result()
        return True

    def unlock(self, owner: Owner) -> None:
        """See ``Consensus.unlock``."""
        for other in self._locks.release(owner):
            granted = self._waiting.get(other)
            if granted is not None and not granted.done():
                granted.set_result(None)

    def release_node(self, node: int) -> None:
        """A node is gone: so are the transactions it ran."""
        for owner in self._locks.owners():
            if isinstance(owner, tuple) and owner[0] == node:
                self.unlock(owner)

    def forget_all(self) -> None:
        """The leader changed: locks are held by nobody, and whoever waits must begin again."""
        self._locks = Locks()
        for granted in self._waiting.values():
            if not granted.done():
                granted.set_exception(
                    TransactionConflict("the leader changed", hint="run the transaction again")
                )
